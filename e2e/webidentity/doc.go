// Package webidentity tries, on a real cluster, what was written for gtoken and
// for EKS's IAM roles for service accounts: the manifests work unchanged.
package webidentity
