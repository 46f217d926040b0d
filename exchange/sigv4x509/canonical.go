package sigv4x509

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// signedHeaders lists what is signed, in lower case and order.
func signedHeaders(r *http.Request) []string {
	names := []string{"host"}
	for name := range r.Header {
		if name = strings.ToLower(name); name == "content-type" || strings.HasPrefix(name, "x-amz-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// canonicalRequest returns the text that is hashed. The query must be in
// canonical order.
func canonicalRequest(r *http.Request, signed []string, body []byte) string {
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	var b strings.Builder
	b.WriteString(r.Method + "\n" + path + "\n" + r.URL.RawQuery + "\n")
	for _, name := range signed {
		value := host(r)
		if name != "host" {
			value = canonicalValue(r.Header.Values(name))
		}
		b.WriteString(name + ":" + value + "\n")
	}
	b.WriteString("\n" + strings.Join(signed, ";") + "\n" + hexSHA256(body))
	return b.String()
}

func host(r *http.Request) string {
	if r.Host != "" {
		return r.Host
	}
	return r.URL.Host
}

// canonicalValue joins a header's values, trimmed and with inner runs of
// spaces made one.
func canonicalValue(values []string) string {
	var out []string
	for _, v := range values {
		v = strings.Trim(v, " \t")
		for strings.Contains(v, "  ") {
			v = strings.ReplaceAll(v, "  ", " ")
		}
		out = append(out, v)
	}
	return strings.Join(out, ",")
}

// canonicalQuery encodes by RFC 3986 and sorts by name, then value, both as
// encoded. It refuses what servers read in different ways.
func canonicalQuery(raw string) (string, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return "", fmt.Errorf("signing the query: %w", err)
	}
	type pair struct{ name, value string }
	var pairs []pair
	for name, vs := range values {
		for _, v := range vs {
			pairs = append(pairs, pair{escape(name), escape(v)})
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	var out []string
	for _, p := range pairs {
		out = append(out, p.name+"="+p.value)
	}
	return strings.Join(out, "&"), nil
}

// escape leaves only RFC 3986's unreserved characters.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == '~':
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
