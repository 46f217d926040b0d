// Package injection holds the tests of what pods are given, on a real API
// server.
package injection
