package sigv4

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

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
