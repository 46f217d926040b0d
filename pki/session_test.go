package pki

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSessionOf(t *testing.T) {
	ca := root("ca", nil)
	attribute := func(last int, v string) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, last}, Value: v}
	}
	directory := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tagDir, IsCompound: true,
		Bytes: must(asn1.Marshal(pkix.Name{CommonName: "dir", Organization: []string{"org"}}.ToRDNSequence()))}
	name := func(tag int, v string) asn1.RawValue {
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: []byte(v)}
	}
	sans := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: must(asn1.Marshal([]asn1.RawValue{
		name(tagURI, "spiffe://Example.org/%41"), directory, name(tagDNS, "a.example.org"), name(tagDNS, "b.example.org"),
		name(tagURI, "spiffe://example.org/second"),
	}))}
	leaf := ca.leaf(func(c *x509.Certificate) {
		c.SerialNumber = big.NewInt(0x1abc)
		c.Subject = pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{
			attribute(11, "a"), attribute(3, "web"), attribute(11, "b"), attribute(10, "R&D"), attribute(5, "no tag"), attribute(7, ""),
		}}
		c.ExtraExtensions = []pkix.Extension{sans}
	})
	want := Session{
		Name:           "1abc",
		SourceIdentity: "CN=web",
		Tags: []Tag{
			{"x509Subject/OU", "a/b"}, {"x509Subject/CN", "web"}, {"x509Issuer/CN", "ca"},
			{"x509SAN/DNS", "a.example.org"}, {"x509SAN/Name/O", "org"}, {"x509SAN/Name/CN", "dir"},
		},
		Dropped: []Tag{{"x509Subject/O", "R&D"}, {"x509SAN/URI", "spiffe://Example.org/%41"}},
	}
	if diff := cmp.Diff(want, SessionOf(leaf.cert)); diff != "" {
		t.Error(diff)
	}
}

func TestSourceIdentity(t *testing.T) {
	for _, row := range []struct {
		cn     string
		serial int64
		want   string
	}{
		{"web", 1, "CN=web"},
		{strings.Repeat("a", 61), 1, "CN=" + strings.Repeat("a", 61)},
		{strings.Repeat("a", 62), 1, strings.Repeat("a", 62)},
		{strings.Repeat("a", 64), 1, strings.Repeat("a", 64)},
		{"", 0x1, "ID=01"},
		{"", 0xabc, "ID=0abc"},
	} {
		c := root("ca", nil).leaf(func(c *x509.Certificate) {
			c.SerialNumber, c.Subject = big.NewInt(row.serial), pkix.Name{CommonName: row.cn}
		})
		if got := SessionOf(c.cert).SourceIdentity; got != row.want {
			t.Errorf("CN %q, serial %x: source identity %q, want %q", row.cn, row.serial, got, row.want)
		}
	}
}

func TestTrustPolicy(t *testing.T) {
	const anchor = "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/7f6e"
	for _, row := range []struct {
		name, anchor string
		change       func(*x509.Certificate)
		key, value   string // empty: no policy
	}{
		{"common name", "", nil, "aws:PrincipalTag/x509Subject/CN", "web"},
		{"common name under an anchor", anchor, nil, "aws:PrincipalTag/x509Subject/CN", "web"},
		{"a single URI", anchor, func(c *x509.Certificate) { c.URIs = append(c.URIs, uri("spiffe://x/web")) },
			"aws:PrincipalTag/x509SAN/URI", "spiffe://x/web"},
		{"two URIs", "", func(c *x509.Certificate) { c.URIs = append(c.URIs, uri("spiffe://x/victim"), uri("spiffe://x/web")) },
			"aws:PrincipalTag/x509Subject/CN", "web"},
		{"a URI that is dropped", "", func(c *x509.Certificate) { c.URIs = append(c.URIs, uri("spiffe://x/~web")) },
			"aws:PrincipalTag/x509Subject/CN", "web"},
		{"a common name that is dropped", "", func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "web*"} }, "", ""},
		{"no common name", "", func(c *x509.Certificate) { c.Subject = pkix.Name{Organization: []string{"x"}} }, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			text, err := TrustPolicy(root("ca", nil).leaf(row.change).cert, row.anchor)
			if row.key == "" {
				if err == nil {
					t.Errorf("got %s", text)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got trustPolicy
			dec := json.NewDecoder(bytes.NewReader(text))
			dec.DisallowUnknownFields()
			if err := dec.Decode(&got); err != nil {
				t.Fatal(err)
			}
			condition := map[string]map[string]string{"StringEquals": {row.key: row.value}}
			if row.anchor != "" {
				condition["ArnEquals"] = map[string]string{"aws:SourceArn": row.anchor}
			}
			want := trustPolicy{"2012-10-17", []trustStatement{{
				Effect: "Allow", Principal: struct{ Service string }{"rolesanywhere.amazonaws.com"},
				Action: []string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"}, Condition: condition,
			}}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
