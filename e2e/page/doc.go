// Package page looks at the sandbox's page with a real browser.
package page
