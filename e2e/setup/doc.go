// Package setup holds what setup makes against real clients, and a real cluster.
package setup
