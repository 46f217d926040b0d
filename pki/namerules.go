package pki

import (
	"crypto/x509"
	"fmt"
	"strings"
	"unicode/utf8"
)

func nameRules() []rule {
	return []rule{
		{"leaf-source-identity", onLeaf, leafSourceIdentity},
		{"leaf-tags-dropped", onLeaf, leafTagsDropped},
		{"leaf-several-sans", onLeaf, leafSeveralSANs},
		{"leaf-repeated-names", onLeaf, leafRepeatedNames},
	}
}

func leafSourceIdentity(_ *exam, c *x509.Certificate) (Verdict, string) {
	cn, id := commonName(c), sourceIdentity(c)
	n := utf8.RuneCountInString(cn)
	switch {
	case cn == "":
		return Warn, "no common name: the source identity is " + id
	case n > maxSourceIdentity:
		return Warn, fmt.Sprintf("the common name has %d characters, a source identity holds %d", n, maxSourceIdentity)
	case !tagValue(cn):
		// The user guide gives a source identity the alphabet of tags.
		return Warn, Printable(cn) + " has characters that STS does not take in a source identity"
	case id == cn:
		return Warn, fmt.Sprintf("the common name has %d characters: the source identity is %s, without CN=", n, id)
	}
	return Pass, "the source identity is " + id
}

func leafTagsDropped(_ *exam, c *x509.Certificate) (Verdict, string) {
	s := SessionOf(c)
	if len(s.Dropped) == 0 {
		return Pass, "every name becomes a tag: " + count(len(s.Tags), "tag")
	}
	var dropped []string
	for _, t := range s.Dropped {
		dropped = append(dropped, t.Key+" "+Printable(t.Value))
	}
	return Warn, "left out: " + strings.Join(dropped, "; ")
}

func leafSeveralSANs(_ *exam, c *x509.Certificate) (Verdict, string) {
	alt := alternativesOf(c)
	var several []string
	for _, kind := range []struct {
		name string
		n    int
	}{{"URI", len(alt.uri)}, {"DNS name", len(alt.dns)}, {"directory name", len(alt.dir)}} {
		if kind.n > 1 {
			several = append(several, count(kind.n, kind.name))
		}
	}
	if several == nil {
		return Pass, "at most one of each type"
	}
	return Warn, strings.Join(several, ", ")
}

func leafRepeatedNames(_ *exam, c *x509.Certificate) (Verdict, string) {
	var repeated []string
	for _, n := range byName(c.Subject.Names) {
		if len(n.values) > 1 {
			repeated = append(repeated, n.name+" "+Printable(strings.Join(n.values, "/")))
		}
	}
	if repeated == nil {
		return Pass, "each attribute once"
	}
	return Warn, strings.Join(repeated, "; ")
}
