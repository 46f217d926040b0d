//go:build !soak

package doctor

const everything = false
