package policy

import "strconv"

// A SyntaxError is a document that IAM refuses when it is written.
type SyntaxError struct {
	// Code is AWS's: MalformedPolicyDocument, LimitExceeded (too long for its
	// kind) or ValidationError (too long for any).
	Code    string
	Message string // AWS's text where it is known
	// Line and Column say where, in characters, counted from 1. AWS does not
	// tell.
	Line   int
	Column int
	Hint   string // what is wrong there and how to mend it
}

// Error is AWS's text alone, as it goes to the caller.
func (e *SyntaxError) Error() string { return e.Message }

// fault is a refusal at a place of the text.
func fault(text string, offset int, message, hint string) *SyntaxError {
	line, column := position(text, offset)
	return &SyntaxError{Code: "MalformedPolicyDocument", Message: message, Line: line, Column: column, Hint: hint}
}

func quote(s string) string { return strconv.Quote(s) }
