package reason

// signatures: a request refused for its signature, clock or credentials.
func signatures() []Reason {
	return []Reason{}
}
