// Package sigv4 is the verifying side of AWS Signature Version 4, written from
// its specification: the Authorization header, presigned URLs, and bodies sent
// in signed chunks. It knows neither callers nor policies; who owns a key is
// the world's to say.
//
// A request goes through it in four steps: Parse reads what the request
// claims, the caller looks up the secret of Signed.KeyID and SessionToken,
// Signed.CheckScope compares the scope with the endpoint that was asked, and
// Signed.Verify checks clock, signature and body. SigV4a is refused.
package sigv4

import (
	"net/http"
	"time"
)

// HMAC is the one algorithm that Parse takes.
const HMAC = "AWS4-HMAC-SHA256"

// MaxBody bounds what ReadBody and Verify take, in bytes.
const MaxBody = 64 << 20

// A Signed request is what a request claims about its signature; nothing of it
// is proved before Verify.
type Signed struct {
	Authorization
	// Time is the signing time: X-Amz-Date, else Date.
	Time time.Time
	// SessionToken is X-Amz-Security-Token, of header or query; empty for
	// long-term keys.
	SessionToken string
	// Presigned: the signature came in the query.
	Presigned bool
	// Expires is how long a presigned S3 request is valid from Time. Other
	// services ignore it, as AWS does.
	Expires time.Duration

	r *http.Request
}

// IsSigned reports whether the request carries any form of authentication, be
// it one that Parse refuses. A request without is anonymous.
func IsSigned(r *http.Request) bool { return false }

// Parse reads the Authorization header or the presigned query of r. It uses
// the raw request target, r.RequestURI, and keeps r for Verify. An error is an
// *Error.
func Parse(r *http.Request) (*Signed, error) { return nil, &Error{Slug: Missing} }

// CheckScope compares the credential's scope with the service and region that
// the endpoint stands for; an empty one is not compared. An error is an *Error.
func (s *Signed) CheckScope(service, region string) error { return nil }

// Verify checks scope date, clock, signature and payload, in this order, and
// returns the body as the client meant it: chunks are joined, every chunk's
// signature and every trailing checksum verified. Trailers are then in
// r.Trailer. An error is an *Error.
func (s *Signed) Verify(secret string, now time.Time, body []byte) ([]byte, error) {
	return nil, &Error{Slug: Missing}
}

// DecodeUnsigned does for an anonymous request what Verify does for the body
// of a signed one: checks a payload hash that is given, and decodes an unsigned
// chunked body. An error is an *Error.
func DecodeUnsigned(r *http.Request, body []byte) ([]byte, error) { return body, nil }

// ReadBody reads the whole body of r, up to MaxBody. An error is an *Error, or
// that of the connection.
func ReadBody(r *http.Request) ([]byte, error) { return nil, nil }
