package policy

import "unicode"

// A Document is one policy, read and validated. It is never changed, so that
// many goroutines may share it.
type Document struct {
	Kind Kind
	Text string
	// Version is 2012-10-17 or 2008-10-17; the latter where the text has none.
	Version string
	// ID is the element Id.
	ID         string
	statements []*statement
}

// A statement is one entry of Statement.
type statement struct {
	number int // from 1
	sid    string
	allow  bool
	// where its braces stand
	line, column, endLine, endColumn int

	parties      []party
	notPrincipal bool

	actions   []action
	notAction bool

	resources   []resource
	notResource bool // with no resources: the statement is of a trust policy

	conditions []condition
}

// An action is one value of Action or NotAction; IAM ignores its case.
type action struct {
	text    string
	pattern pattern // of the lower-cased text
}

// Versions of the language. The first knows no variables.
const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"
)

// maxText is the longest document that any call of IAM takes.
const maxText = 131072

// Parse reads a policy of the given kind as IAM does when it is written. The
// error is a *SyntaxError. Limits that depend on where a document is attached
// are not checked: see Size and Managed.
func Parse(kind Kind, text string) (*Document, error) {
	if len(text) > maxText {
		return nil, tooLong("ValidationError", "1 validation error detected: Value at 'policyDocument' failed to satisfy constraint: Member must have length less than or equal to 131072")
	}
	p := &parser{kind: kind, text: text, words: wordsOf(kind)}
	root, err := readJSON(text, p.words.json)
	if err != nil {
		return nil, err
	}
	doc := p.document(root)
	if p.worst != nil {
		return nil, p.worst
	}
	if limit, message := limitOf(kind); doc.Size() > limit {
		return nil, tooLong("LimitExceeded", message)
	}
	return doc, nil
}

func tooLong(code, message string) *SyntaxError {
	return &SyntaxError{Code: code, Message: message, Line: 1, Column: 1, Hint: "shorten the policy, or split it"}
}

// limitOf is the size limit of a kind. For Identity it is the largest that any
// identity policy may have: inline policies of a role.
func limitOf(kind Kind) (characters int, message string) {
	switch kind {
	case Trust:
		return 2048, "Cannot exceed quota for ACLSizePerRole: 2048"
	case Key:
		return 32768, "The key policy exceeds the maximum length of 32768"
	case Resource:
		return 20480, "The policy exceeds the maximum length of 20480"
	}
	return 10240, "Maximum policy size of 10240 bytes exceeded"
}

// Size counts the characters of the document as IAM's quotas do: without
// white space.
func (d *Document) Size() int {
	n := 0
	for _, c := range d.Text {
		if !unicode.IsSpace(c) {
			n++
		}
	}
	return n
}

// Managed reports, as a *SyntaxError, what keeps a document of kind Identity
// from being a managed policy: its version, or a size over 6144.
func (d *Document) Managed() error {
	switch {
	case d.Version != version2012:
		return fault(d.Text, 0, "Policy document must be version 2012-10-17 or greater.", `write "Version": "2012-10-17"`)
	case d.Size() > 6144:
		return tooLong("LimitExceeded", "Cannot exceed quota for PolicySize: 6144")
	}
	return nil
}
