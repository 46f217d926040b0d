package rolesanywhere

// Operations are the names of the control plane's operations that are built.
func Operations() []string {
	var names []string
	for _, op := range operations() {
		if op.run != nil {
			names = append(names, op.name)
		}
	}
	return names
}
