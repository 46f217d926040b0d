package reason

// services: the other refusals of the services in the sandbox.
func services() []Reason {
	return []Reason{}
}
