package rolesanywhere

import (
	"bufio"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"
	"time"

	"daypass.dev/sandbox/sigv4"
)

// FuzzCreateSessionBody reads bodies, with and without the ARNs in the query.
// Whatever is taken must be within AWS's bounds.
func FuzzCreateSessionBody(f *testing.F) {
	for _, v := range loadVectors(f) {
		f.Add(v.query, v.body)
	}
	f.Add("", `{"instanceProperties":{"a":"b"},"roleSessionName":"s1","durationSeconds":43200}`)
	f.Fuzz(func(t *testing.T, query, body string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("POST /sessions?" + query + " HTTP/1.1\r\nHost: h\r\n\r\n")))
		if err != nil {
			return
		}
		p, fault := parseParameters(r, []byte(body))
		if fault != nil {
			if fault.detail == "" || fault.refusal().Code == "" {
				t.Errorf("refused without a cause: %+v", fault)
			}
			return
		}
		if p.role.kind != "role" || p.profile.kind != "profile" || p.anchor.kind != "trust-anchor" {
			t.Errorf("taken without its ARNs: %+v", p)
		}
		if p.duration != 0 && (p.duration < minDuration || p.duration > maxDuration) || len(p.properties) > maxProperties {
			t.Errorf("out of bounds: %+v", p)
		}
		if p.name != "" && !validSessionName(p.name) {
			t.Errorf("session name %q", p.name)
		}
	})
}

// FuzzCertificateHeader reads leaves and chains, and takes them through every
// rule. What a rule passes must be fit for the next.
func FuzzCertificateHeader(f *testing.F) {
	var anchors []*x509.Certificate
	for _, v := range loadVectors(f) {
		r, err := v.request()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(r.Header.Get("X-Amz-X509"), r.Header.Get("X-Amz-X509-Chain"))
		anchors = append(anchors, v.anchors(f)...)
	}
	f.Fuzz(func(t *testing.T, leaf, chain string) {
		r := &http.Request{Header: http.Header{"X-Amz-X509": {leaf}}}
		if chain != "" {
			r.Header.Set("X-Amz-X509-Chain", chain)
		}
		who, fault := certificates(r)
		if fault != nil {
			return
		}
		if len(who.chain) > maxChain {
			t.Errorf("a chain of %d was taken", len(who.chain))
		}
		if keyFault(who.leaf) != nil {
			return
		}
		now := who.leaf.NotBefore.Add(time.Second)
		if leafFault(who.leaf, now) == nil {
			if path, fault := findPath(who.leaf, who.chain, anchors, now); fault == nil && (len(path) < 2 || path[0] != who.leaf) {
				t.Errorf("a path of %d", len(path))
			}
		}
		id, err := identify(who.leaf)
		if err != nil {
			return
		}
		tags, _ := sessionTags(id, nil)
		for name, value := range tags {
			if value == "" || len(value) > 4*maxTagValue || !tagAlphabet(value) {
				t.Errorf("tag %s is %q", name, value)
			}
		}
	})
}

// FuzzAuthorization puts other Authorization headers on the vectors. One that
// is taken must say the same as the vector's own.
func FuzzAuthorization(f *testing.F) {
	vectors := loadVectors(f)
	for i, v := range vectors {
		f.Add(uint(i), v.authStart+v.signature)
	}
	f.Fuzz(func(t *testing.T, which uint, value string) {
		v := *vectors[which%uint(len(vectors))]
		own, err := sigv4.ParseAuthorization(v.authStart + v.signature)
		if err != nil {
			t.Fatal(err)
		}
		v.authStart, v.signature = value, ""
		if _, fault := v.fault(); fault != nil {
			return
		}
		got, err := sigv4.ParseAuthorization(strings.TrimSpace(value))
		if err != nil || got.KeyID != own.KeyID || got.Scope() != own.Scope() || got.Signature != own.Signature || got.Algorithm != own.Algorithm ||
			strings.Join(got.SignedHeaders, ";") != strings.Join(own.SignedHeaders, ";") {
			t.Errorf("taken: %q", value)
		}
	})
}
