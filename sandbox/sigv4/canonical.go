package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Canonical is the canonical request of r: of its raw request target, the
// named headers (lower case, sorted) and the payload hash. With s3 the path is
// taken as sent; otherwise it is normalised and encoded once more. In the query
// what the client encoded stays as sent, so that no byte of the target can
// change under a signature, and what it left plain is encoded. Without an
// Authorization header the query is a presigned one and is taken without
// X-Amz-Signature. The error, an *Error, names a signed header that the request
// lacks.
func Canonical(r *http.Request, signedHeaders []string, payloadHash string, s3 bool) (string, error) {
	target, query := splitTarget(r.RequestURI)
	var b strings.Builder
	b.WriteString(r.Method + "\n" + canonicalPath(target, s3) + "\n" + canonicalQuery(query, r.Header.Get("Authorization") == "") + "\n")
	for _, name := range signedHeaders {
		value, ok := headerValue(r, name)
		if !ok {
			return "", refuse("signed-header-absent", "the request is signed with the header "+name+", which did not arrive")
		}
		b.WriteString(name + ":" + value + "\n")
	}
	b.WriteString("\n" + strings.Join(signedHeaders, ";") + "\n" + payloadHash)
	return b.String(), nil
}

// StringToSign is what the signature is made over: the algorithm, the date as
// in X-Amz-Date, the scope, and the hash of the canonical request.
func StringToSign(algorithm, date, scope, canonical string) string {
	return algorithm + "\n" + date + "\n" + scope + "\n" + hexHash([]byte(canonical))
}

// splitTarget cuts a request target into raw path and raw query. A proxy sends
// it with scheme and authority.
func splitTarget(target string) (rawPath, rawQuery string) {
	rawPath, rawQuery, _ = strings.Cut(target, "?")
	if !strings.HasPrefix(rawPath, "/") {
		if _, rest, ok := strings.Cut(rawPath, "://"); ok {
			_, rest, _ = strings.Cut(rest, "/")
			rawPath = "/" + rest
		}
	}
	return rawPath, rawQuery
}

func canonicalPath(raw string, s3 bool) string {
	if s3 {
		return raw
	}
	return encode(normalise(raw), "/", false)
}

// normalise resolves . and .. and joins repeated slashes; a trailing slash
// stays.
func normalise(raw string) string {
	clean := path.Clean("/" + raw)
	if clean == "/" {
		return clean
	}
	for _, end := range []string{"/", "/.", "/.."} {
		if strings.HasSuffix(raw, end) {
			return clean + "/"
		}
	}
	return clean
}

type param struct{ name, value string }

// queryParams are the parameters of a raw query in their order, as sent.
func queryParams(raw string) []param {
	var all []param
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		all = append(all, param{name, value})
	}
	return all
}

func canonicalQuery(raw string, presigned bool) string {
	var params []param
	for _, p := range queryParams(raw) {
		if !presigned || p.name != "X-Amz-Signature" {
			params = append(params, param{encode(p.name, "", true), encode(p.value, "", true)})
		}
	}
	slices.SortFunc(params, func(a, b param) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	pairs := make([]string, len(params))
	for i, p := range params {
		pairs[i] = p.name + "=" + p.value
	}
	return strings.Join(pairs, "&")
}

// encode percent-encodes all but unreserved characters (RFC 3986, 2.3) and
// those of keep; with keepEscapes also a percent sign that begins an escape.
func encode(s, keep string, keepEscapes bool) string {
	const upper = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case unreserved(c), strings.IndexByte(keep, c) >= 0,
			keepEscapes && c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', upper[c>>4], upper[c&15]})
		}
	}
	return b.String()
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// headerValue is a header as it is signed: values joined by commas, each
// trimmed and with runs of spaces made one. net/http moves some headers out of
// the map.
func headerValue(r *http.Request, name string) (string, bool) {
	var values []string
	switch name {
	case "host":
		values = []string{r.Host}
	case "transfer-encoding":
		values = r.TransferEncoding
	case "content-length":
		values = r.Header.Values(name)
		if len(values) == 0 && r.ContentLength >= 0 {
			values = []string{strconv.FormatInt(r.ContentLength, 10)}
		}
	default:
		values = r.Header.Values(name)
	}
	if len(values) == 0 {
		return "", false
	}
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = squeeze(v)
	}
	return strings.Join(trimmed, ","), true
}

func squeeze(v string) string {
	v = strings.Trim(v, " \t")
	for strings.Contains(v, "  ") {
		v = strings.ReplaceAll(v, "  ", " ")
	}
	return v
}

func hexHash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func hmac256(key []byte, data string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(data))
	return m.Sum(nil)
}

// signingKey is the key derived from a secret for one scope.
func signingKey(secret string, a *Authorization) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{a.Date, a.Region, a.Service, terminator} {
		key = hmac256(key, part)
	}
	return key
}

func sign(key []byte, stringToSign string) string {
	return hex.EncodeToString(hmac256(key, stringToSign))
}
