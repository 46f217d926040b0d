// Package privateca has daypass-kube's issuer working with the real
// cert-manager on a real API server, against a Private CA that fails. There is
// nothing in it but tests.
package privateca
