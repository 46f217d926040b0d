// Package page looks at the pages, the sandbox's and that of a cluster's status,
// with a real browser.
package page
