package sigv4

import (
	"net/url"
	"slices"
	"strings"
)

const terminator = "aws4_request"

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
	// Signature is as sent, not yet known to be hex.
	Signature string
}

// Scope is DATE/REGION/SERVICE/aws4_request.
func (a *Authorization) Scope() string {
	return a.Date + "/" + a.Region + "/" + a.Service + "/" + terminator
}

// ParseAuthorization parses the value of an Authorization header. An error is
// an *Error.
func ParseAuthorization(value string) (*Authorization, error) {
	algorithm, rest, ok := strings.Cut(value, " ")
	if !ok || algorithm == "" {
		return nil, refuse("authorization-malformed", "the Authorization header has no space after the algorithm")
	}
	parts := map[string]string{}
	for component := range strings.SplitSeq(rest, ",") {
		component = strings.TrimSpace(component)
		name, v, ok := strings.Cut(component, "=")
		_, twice := parts[name]
		if !ok || twice || !slices.Contains([]string{"Credential", "SignedHeaders", "Signature"}, name) {
			return nil, refuse("authorization-malformed", "the component "+clip(component)+" is unknown, repeated or has no value")
		}
		parts[name] = v
	}
	for _, name := range []string{"Credential", "SignedHeaders", "Signature"} {
		if parts[name] == "" {
			return nil, refuse("authorization-incomplete", "the Authorization header lacks "+name, name, hash64(value))
		}
	}
	a := &Authorization{Algorithm: algorithm, Signature: parts["Signature"]}
	if err := a.readCredential(parts["Credential"]); err != nil {
		return nil, err
	}
	if err := a.readSignedHeaders(parts["SignedHeaders"]); err != nil {
		return nil, err
	}
	return a, nil
}

// presign are the query parameters of a presigned request, as sent. The last
// two may be missing.
func presign() []string {
	return []string{
		"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature",
		"X-Amz-Expires", "X-Amz-Security-Token",
	}
}

// parsePresigned reads the same from a raw query, and the parameters by name,
// decoded.
func parsePresigned(rawQuery string) (*Authorization, map[string]string, error) {
	values := map[string]string{}
	for _, p := range queryParams(rawQuery) {
		if !slices.Contains(append(presign(), "X-Amz-Content-Sha256"), p.name) {
			continue
		}
		v, err := url.PathUnescape(p.value)
		if _, twice := values[p.name]; twice || err != nil {
			return nil, nil, refuse("authorization-malformed", "the query parameter "+p.name+" is repeated or not encoded well").inQuery()
		}
		values[p.name] = v
	}
	for _, name := range presign()[:5] {
		if values[name] == "" {
			return nil, nil, refuse("presign-incomplete", "the query lacks "+name, name).inQuery()
		}
	}
	a := &Authorization{Algorithm: values["X-Amz-Algorithm"], Signature: values["X-Amz-Signature"]}
	if err := a.readCredential(values["X-Amz-Credential"]); err != nil {
		return nil, nil, err.inQuery()
	}
	if err := a.readSignedHeaders(values["X-Amz-SignedHeaders"]); err != nil {
		return nil, nil, err.inQuery()
	}
	return a, values, nil
}

func (a *Authorization) readCredential(credential string) *Error {
	parts := strings.Split(credential, "/")
	if len(parts) != 5 {
		return refuse("credential-malformed", "the Credential has other than five elements", clip(credential))
	}
	a.KeyID, a.Date, a.Region, a.Service = parts[0], parts[1], parts[2], parts[3]
	if slices.Contains(parts, "") {
		return refuse("credential-malformed", "an element of the Credential is empty", clip(credential))
	}
	if parts[4] != terminator {
		return refuse("scope-terminator", "the Credential ends in "+clip(parts[4]), clip(parts[4]))
	}
	return nil
}

func (a *Authorization) readSignedHeaders(list string) *Error {
	a.SignedHeaders = strings.Split(list, ";")
	for i, name := range a.SignedHeaders {
		if name == "" || name != strings.ToLower(name) || i > 0 && name <= a.SignedHeaders[i-1] {
			return refuse("signed-headers-malformed", "SignedHeaders is not a sorted list of lower-case names: "+clip(list))
		}
	}
	return nil
}
