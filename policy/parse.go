package policy

// A Document is one policy, read and validated.
type Document struct {
	Kind Kind
	Text string
}

// Parse reads a policy of the given kind as IAM does when it is written. The
// error is a *SyntaxError.
func Parse(kind Kind, text string) (*Document, error) {
	return &Document{Kind: kind, Text: text}, nil
}

// A SyntaxError is a document that IAM refuses.
type SyntaxError struct {
	Code    string // "MalformedPolicyDocument"
	Message string // AWS's text
	Line    int    // counted from 1
	Column  int
	Hint    string
}

func (e *SyntaxError) Error() string { return e.Message }
