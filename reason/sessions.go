package reason

// sessions: a CreateSession refused for its anchor, profile, role, CRL or parameters.
func sessions() []Reason {
	return []Reason{}
}
