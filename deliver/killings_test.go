//go:build !soak

package deliver

const killings = 20
