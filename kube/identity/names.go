package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// maxName is what X.520 allows a CN and an O, and STS a session name.
const maxName = 64

// SessionName is the name of the session of the pod of that name: 2 to 64 of
// the characters that STS allows, whatever the pod is called.
func (id Identity) SessionName(pod string) string {
	template := id.Session
	if template == "" {
		template = "{pod}"
	}
	name := strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_+=,.@-", r)) {
			return r
		}
		return '-'
	}, strings.ReplaceAll(template, "{pod}", pod))
	if len(name) < 2 {
		name += "-" + id.Namespace
	}
	return shorten(name, "=")
}

// CertificateNames are what a certificate of a ServiceAccount says.
type CertificateNames struct {
	CommonName       string // SERVICEACCOUNT@NAMESPACE
	OrganizationUnit string // the namespace
	Organization     string // the cluster
	URI              string // spiffe://TRUSTDOMAIN/ns/NAMESPACE/sa/SERVICEACCOUNT
}

// Names are those of a ServiceAccount of this cluster. CN and O of more than
// 64 characters keep the first 51, then ~ and 12 hex digits of their SHA-256;
// a URI of more than 256 is refused, as is a cluster without a name or trust
// domain.
func (c Cluster) Names(namespace, account string) (CertificateNames, error) {
	names := CertificateNames{
		CommonName:       shorten(account+"@"+namespace, "~"),
		OrganizationUnit: namespace,
		Organization:     shorten(c.Name, "~"),
		URI:              "spiffe://" + c.TrustDomain + "/ns/" + namespace + "/sa/" + account,
	}
	switch {
	case c.Name == "" || c.TrustDomain == "":
		return CertificateNames{}, refuse("cluster-unnamed", "the cluster's settings lack its name or its trust domain, which certificates need")
	case len(names.URI) > 256:
		return CertificateNames{}, refuse("certificate-uri-long", "%s has %d characters, more than 256", names.URI, len(names.URI))
	}
	return names, nil
}

// shorten keeps names of up to 64 characters, and makes of longer ones as many,
// by a hash that tells them apart.
func shorten(name, mark string) string {
	if utf8.RuneCountInString(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	tail := mark + hex.EncodeToString(sum[:6])
	return string([]rune(name)[:maxName-len(tail)]) + tail
}
