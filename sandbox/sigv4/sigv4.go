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
	"crypto/hmac"
	"net/http"
	"slices"
	"time"
)

// HMAC is the one algorithm that Parse takes.
const HMAC = "AWS4-HMAC-SHA256"

const (
	timeFormat = "20060102T150405Z"
	window     = 15 * time.Minute
	longest    = 7 * 24 * time.Hour // of a presigned S3 request
)

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

	r       *http.Request
	payload string // X-Amz-Content-Sha256, of header or query
}

// IsSigned reports whether the request carries any form of authentication, be
// it one that Parse refuses. A request without is anonymous.
func IsSigned(r *http.Request) bool {
	return len(r.Header.Values("Authorization")) > 0 || inQuery(r)
}

func inQuery(r *http.Request) bool {
	_, query := splitTarget(r.RequestURI)
	return slices.ContainsFunc(queryParams(query), func(p param) bool {
		return slices.Contains([]string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "AWSAccessKeyId"}, p.name)
	})
}

// Parse reads the Authorization header or the presigned query of r. It uses
// the raw request target, r.RequestURI, and keeps r for Verify. An error is an
// *Error.
func Parse(r *http.Request) (*Signed, error) {
	headers := r.Header.Values("Authorization")
	switch {
	case !IsSigned(r):
		return nil, refuse(Missing, "the request has neither an Authorization header nor a signature in its query")
	case len(headers) > 1 || len(headers) == 1 && inQuery(r):
		return nil, refuse("authentication-twice", "the request is signed more than once, in headers or query")
	case len(headers) == 1:
		return parseHeader(r, headers[0])
	}
	return parseQuery(r)
}

// CheckScope compares the credential's scope with the service and region that
// the endpoint stands for; an empty one is not compared. An error is an *Error.
func (s *Signed) CheckScope(service, region string) error {
	if service != "" && s.Service != service {
		return refuse("scope-service", "the credential is scoped to "+clip(s.Service)+", the endpoint is that of "+service, service, clip(s.Service)).in(s)
	}
	if region != "" && s.Region != region {
		e := refuse("scope-region", "the credential is scoped to "+clip(s.Region)+", the endpoint is in "+region, region, clip(s.Region)).in(s)
		e.fields = [][2]string{{"Region", region}}
		return e
	}
	return nil
}

// Verify checks scope date, clock, signature and payload, in this order, and
// returns the body as the client meant it: chunks are joined, every chunk's
// signature and every trailing checksum verified. Trailers are then in
// r.Trailer. An error is an *Error.
func (s *Signed) Verify(secret string, now time.Time, body []byte) ([]byte, error) {
	if day := s.Time.Format("20060102"); day != s.Date {
		return nil, refuse("scope-date", "the credential is scoped to "+clip(s.Date)+", the request is of "+day, clip(s.Date), day).in(s)
	}
	if err := s.checkClock(now); err != nil {
		return nil, err
	}
	p, err := s.readPayload(body)
	if err != nil {
		return nil, err
	}
	canonical, err := Canonical(s.r, s.SignedHeaders, p.hash, s.Service == "s3")
	if err != nil {
		return nil, err.(*Error).in(s)
	}
	toSign := StringToSign(s.Algorithm, s.Time.Format(timeFormat), s.Scope(), canonical)
	key := signingKey(secret, &s.Authorization)
	if !hmac.Equal([]byte(sign(key, toSign)), []byte(s.Signature)) {
		return nil, s.mismatch(toSign, canonical)
	}
	return p.decode(s, key, body)
}

func (s *Signed) mismatch(toSign, canonical string) *Error {
	e := refuse("signature-mismatch", "the signature is not that of this request by the secret of "+clip(s.KeyID)).in(s)
	e.fields = [][2]string{
		{"AWSAccessKeyId", s.KeyID}, {"StringToSign", toSign}, {"SignatureProvided", s.Signature},
		{"StringToSignBytes", spaced(toSign)},
	}
	// AWS answers the canonical request always; here a session token is never
	// part of an error.
	if s.SessionToken == "" {
		e.fields = append(e.fields, [2]string{"CanonicalRequest", canonical}, [2]string{"CanonicalRequestBytes", spaced(canonical)})
	}
	return e
}
