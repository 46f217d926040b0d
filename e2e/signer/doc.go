// Package signer holds the tests of the cluster's own signer, on a real
// cluster: pods whose certificates it signs, everybody who must get none, and
// what becomes of it all when replicas and roots change.
package signer
