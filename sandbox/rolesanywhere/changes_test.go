//go:build !soak

package rolesanywhere

// everyChange is made to every signed byte; else some.
const everyChange = false
