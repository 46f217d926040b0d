// Package docs reads the documentation as a stranger does: it follows every
// link, looks every name up in the programs, and holds both languages side by
// side. Commands are executed by e2e/walkthrough.
package docs
