//go:build soak

package doctor

// everything: all pods are broken.
const everything = true
