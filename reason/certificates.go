package reason

// certificates: a certificate, key or chain that Roles Anywhere would not accept.
func certificates() []Reason {
	return []Reason{}
}
