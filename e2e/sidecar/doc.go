// Package sidecar holds the tests of daypass beside a workload, in pods of a
// real cluster, by AWS's real host names.
package sidecar
