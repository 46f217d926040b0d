package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"daypass.dev/sandbox/world"
)

// Slugs that callers need by name: for a request without any authentication,
// and for New, to phrase what they find when they look up a key.
const (
	Missing      = "authentication-missing"
	UnknownKey   = "access-key-unknown"
	InvalidToken = "session-token-invalid"
	Expired      = "session-expired"
)

// A Protocol decides how a refusal is phrased.
type Protocol int

// The protocols of AWS's services: query (iam, sts, sns), JSON 1.0 and 1.1
// (kms, ssm), REST with JSON (rolesanywhere, eks) and S3's REST with XML.
const (
	Query Protocol = iota
	JSON
	RESTJSON
	S3
)

// An Error says why a request's authentication was refused.
type Error struct {
	// Slug names the row in the catalogue of reasons.
	Slug string
	// Detail is the true cause with the values of this case, for the decision
	// record; it holds no secret and no signature that was expected.
	Detail string

	values    []any // for AWS's text
	fields    [][2]string
	presigned bool
}

// New is a refusal for any slug of Slugs, so that what the world finds about a
// key or token (access-key-unknown, session-expired, …) is phrased for the
// protocol at hand.
func New(slug, detail string) *Error { return &Error{Slug: slug, Detail: detail} }

func refuse(slug, detail string, values ...string) *Error {
	e := New(slug, detail)
	for _, v := range values {
		e.values = append(e.values, v)
	}
	return e
}

// inQuery marks that the signature came in the query, for which S3 has other
// words.
func (e *Error) inQuery() *Error {
	e.presigned = true
	return e
}

func (e *Error) in(s *Signed) *Error {
	e.presigned = s.Presigned
	return e
}

func (e *Error) Error() string { return e.Slug + ": " + e.Detail }

// Refusal phrases the error as the protocol's services do.
func (e *Error) Refusal(p Protocol) *world.Refusal {
	said := texts()[e.Slug]
	t := said.query
	r := &world.Refusal{Slug: e.Slug, Detail: e.Detail}
	switch {
	case p == S3 && e.presigned && said.presigned.code != "":
		t = said.presigned
	case p == S3:
		t = said.s3
	}
	r.Code, r.Status, r.Message = t.code, t.status, t.message
	if strings.Contains(t.message, "%[") {
		r.Message = fmt.Sprintf(t.message, e.values...)
	}
	switch p {
	case S3:
		r.Fields = e.fields
	case JSON, RESTJSON:
		r.Code, r.Status = jsonCode(t, p)
	}
	return r
}

// jsonCode is the JSON services' code for one of the query services'. Codes and
// the status 400 are recalled, not checked against AWS; so is that REST services
// keep 403.
func jsonCode(t text, p Protocol) (string, int) {
	status := t.status
	if p == JSON && status == 403 {
		status = 400
	}
	switch t.code {
	case "SignatureDoesNotMatch":
		return "InvalidSignatureException", status
	case "InvalidClientTokenId":
		return "UnrecognizedClientException", status
	case "IncompleteSignature", "MissingAuthenticationToken", "ExpiredToken", "NotImplemented":
		return t.code + "Exception", status
	}
	return t.code, status
}

// clip bounds a foreign value in a text.
func clip(s string) string {
	if len(s) > 100 {
		s = s[:100] + "…"
	}
	return strings.ToValidUTF8(s, "�")
}

// hash64 is how AWS shows an Authorization header in an error.
func hash64(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// spaced is S3's form of bytes: hex pairs with spaces between.
func spaced(s string) string {
	return strings.TrimSpace(fmt.Sprintf("% x", s))
}
