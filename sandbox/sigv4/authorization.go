package sigv4

// An Authorization is the parsed value of an Authorization header of the form
//
//	ALGORITHM Credential=ID/DATE/REGION/SERVICE/aws4_request, SignedHeaders=a;b, Signature=HEX
//
// whatever the algorithm's name.
type Authorization struct {
	Algorithm string
	// KeyID is the access key id; for AWS4-X509-* the certificate's serial
	// number in decimal.
	KeyID string
	// Date (YYYYMMDD), Region and Service are the credential's scope.
	Date, Region, Service string
	// SignedHeaders are lower case, sorted, without repetition.
	SignedHeaders []string
	// Signature is the lower-case hex as sent.
	Signature string
}

// Scope is DATE/REGION/SERVICE/aws4_request.
func (a *Authorization) Scope() string {
	return a.Date + "/" + a.Region + "/" + a.Service + "/aws4_request"
}

// ParseAuthorization parses the value of an Authorization header. An error is
// an *Error.
func ParseAuthorization(value string) (*Authorization, error) {
	return nil, &Error{Slug: Missing}
}
