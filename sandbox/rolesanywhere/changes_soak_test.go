//go:build soak

package rolesanywhere

// everyChange is made to every signed byte.
const everyChange = true
