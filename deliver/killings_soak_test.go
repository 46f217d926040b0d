//go:build soak

package deliver

const killings = 200
