// Package agent holds the tests of the node agent on a real cluster: unmodified
// AWS clients in pods that have nothing but the variables and the token that
// injection gives them.
package agent
