// Package secrets holds the tests of secrets as files on a real cluster, with
// the real Secrets Store CSI driver and daypass as its provider "aws".
package secrets
