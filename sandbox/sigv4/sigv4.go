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
	"strconv"
	"strings"
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

func parseHeader(r *http.Request, value string) (*Signed, error) {
	algorithm, _, _ := strings.Cut(value, " ")
	if err := checkAlgorithm(algorithm); err != nil {
		return nil, err
	}
	a, err := ParseAuthorization(value)
	if err != nil {
		return nil, err
	}
	s := &Signed{Authorization: *a, r: r}
	for name, into := range map[string]*string{
		"X-Amz-Security-Token": &s.SessionToken, "X-Amz-Content-Sha256": &s.payload,
	} {
		if *into, err = single(r, name); err != nil {
			return nil, err
		}
	}
	if s.Time, err = headerTime(r, value); err != nil {
		return nil, err
	}
	return s, s.checkSignedHeaders()
}

// headerTime reads X-Amz-Date, else Date, which may also be an HTTP date.
func headerTime(r *http.Request, authorization string) (time.Time, error) {
	date, err := single(r, "X-Amz-Date")
	if err != nil {
		return time.Time{}, err
	}
	if date != "" {
		return parseTime(date)
	}
	if date, err = single(r, "Date"); err != nil {
		return time.Time{}, err
	}
	if date == "" {
		return time.Time{}, refuse("date-missing", "the request has neither X-Amz-Date nor Date", hash64(authorization))
	}
	if t, err := http.ParseTime(date); err == nil {
		return t.UTC(), nil
	}
	return parseTime(date)
}

func parseTime(date string) (time.Time, error) {
	t, err := time.Parse(timeFormat, date)
	if err != nil || len(date) != len(timeFormat) {
		return time.Time{}, refuse("date-malformed", "the date is not of the form YYYYMMDDTHHMMSSZ: "+clip(date), clip(date))
	}
	return t, nil
}

func single(r *http.Request, name string) (string, error) {
	values := r.Header.Values(name)
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", refuse("authorization-malformed", "the header "+name+" is repeated")
}

func parseQuery(r *http.Request) (*Signed, error) {
	_, query := splitTarget(r.RequestURI)
	for _, p := range queryParams(query) {
		if p.name == "X-Amz-Algorithm" {
			if err := checkAlgorithm(p.value); err != nil {
				return nil, err.inQuery()
			}
		}
		if p.name == "AWSAccessKeyId" {
			return nil, refuse("algorithm-unsupported", "the request is signed with Signature Version 2")
		}
	}
	a, values, err := parsePresigned(query)
	if err != nil {
		return nil, err
	}
	s := &Signed{Authorization: *a, r: r, Presigned: true, SessionToken: values["X-Amz-Security-Token"], payload: values["X-Amz-Content-Sha256"]}
	if s.payload == "" {
		if s.payload, err = single(r, "X-Amz-Content-Sha256"); err != nil {
			return nil, err
		}
	}
	if s.Time, err = parseTime(values["X-Amz-Date"]); err != nil {
		return nil, err.(*Error).inQuery()
	}
	if err := s.readExpires(values["X-Amz-Expires"]); err != nil {
		return nil, err.inQuery()
	}
	return s, s.checkSignedHeaders()
}

func (s *Signed) readExpires(value string) *Error {
	if value == "" {
		if s.Service == "s3" {
			return refuse("presign-incomplete", "the query lacks X-Amz-Expires", "X-Amz-Expires")
		}
		return nil
	}
	seconds, err := strconv.ParseInt(value, 10, 32)
	switch {
	case err != nil:
		return refuse("presign-expires", "X-Amz-Expires is not a number of seconds: "+clip(value), "X-Amz-Expires should be a number")
	case seconds < 0:
		return refuse("presign-expires", "X-Amz-Expires is negative", "X-Amz-Expires must be non-negative")
	}
	s.Expires = time.Duration(seconds) * time.Second
	if s.Expires > longest {
		return refuse("presign-expires", "X-Amz-Expires is more than a week",
			"X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
	}
	return nil
}

func checkAlgorithm(name string) *Error {
	switch {
	case name == HMAC:
		return nil
	case strings.HasPrefix(name, "AWS4-ECDSA-P256-SHA256"):
		return refuse("signature-v4a", "the request is signed with SigV4a ("+clip(name)+")")
	}
	return refuse("algorithm-unsupported", "the request is signed with "+clip(name))
}

// checkSignedHeaders demands host and every x-amz-* header that came.
func (s *Signed) checkSignedHeaders() error {
	if !slices.Contains(s.SignedHeaders, "host") {
		return refuse("host-not-signed", "SignedHeaders lacks host").in(s)
	}
	var missing []string
	for name := range s.r.Header {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, "x-amz-") && !slices.Contains(s.SignedHeaders, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	list := strings.Join(missing, ", ")
	e := refuse("headers-not-signed", "not signed: "+list, list).in(s)
	e.fields = [][2]string{{"HeadersNotSigned", list}}
	return e
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

func (s *Signed) checkClock(now time.Time) error {
	now = now.UTC()
	limited := s.Presigned && s.Service == "s3"
	stamp := func(t time.Time) string { return t.Format(timeFormat) }
	switch {
	case s.Time.After(now.Add(window)):
		e := refuse("signature-not-yet", "signed at "+stamp(s.Time)+", the clock here says "+stamp(now),
			stamp(s.Time), stamp(now.Add(window)), stamp(now)).in(s)
		e.fields = skew(s.Time, now)
		return e
	case limited && now.After(s.Time.Add(s.Expires)):
		e := refuse("presign-expired", "signed at "+stamp(s.Time)+" for "+s.Expires.String()+", the clock here says "+stamp(now)).in(s)
		e.fields = [][2]string{
			{"X-Amz-Expires", strconv.Itoa(int(s.Expires / time.Second))},
			{"Expires", s.Time.Add(s.Expires).Format(time.RFC3339)}, {"ServerTime", now.Format(time.RFC3339)},
		}
		return e
	case !limited && s.Time.Before(now.Add(-window)):
		e := refuse("signature-expired", "signed at "+stamp(s.Time)+", the clock here says "+stamp(now),
			stamp(s.Time), stamp(now.Add(-window)), stamp(now)).in(s)
		e.fields = skew(s.Time, now)
		return e
	}
	return nil
}

func skew(request, now time.Time) [][2]string {
	return [][2]string{
		{"RequestTime", request.Format(timeFormat)}, {"ServerTime", now.Format(time.RFC3339)},
		{"MaxAllowedSkewMilliseconds", strconv.Itoa(int(window / time.Millisecond))},
	}
}
