package reason

// policies: a request refused by a policy, and policies refused when written.
func policies() []Reason {
	return []Reason{}
}
