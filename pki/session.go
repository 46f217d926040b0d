package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Session is what CreateSession makes of a leaf under a profile with the
// default attribute mapping and no custom session name.
type Session struct {
	// Name is the session's name: the serial number in hex. That it is of even
	// length and in lower case is inferred from the source identity's form.
	Name           string `json:"roleSessionName"`
	SourceIdentity string `json:"sourceIdentity"`
	// Tags are in order of field and attribute.
	Tags []Tag `json:"tags"`
	// Dropped are tags that STS does not take and AWS leaves out in silence.
	Dropped []Tag `json:"droppedTags,omitempty"`
}

// A Tag is one session tag; a policy sees it as aws:PrincipalTag/Key.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

const (
	maxTagValue       = 256
	maxSourceIdentity = 64
)

// SessionOf tells what session a leaf yields. It does not tell whether the
// leaf is accepted.
func SessionOf(leaf *x509.Certificate) Session {
	s := Session{Name: HexSerial(leaf), SourceIdentity: sourceIdentity(leaf)}
	s.addNames("x509Subject/", byName(leaf.Subject.Names))
	s.addNames("x509Issuer/", byName(leaf.Issuer.Names))
	alt := alternativesOf(leaf)
	if len(alt.dns) > 0 {
		s.add("x509SAN/DNS", alt.dns[0])
	}
	if len(alt.uri) > 0 {
		s.add("x509SAN/URI", alt.uri[0])
	}
	if len(alt.dir) > 0 {
		s.addNames("x509SAN/Name/", byName(alt.dir[0]))
	}
	return s
}

// addNames joins the values of a repeated attribute with a slash, as AWS does.
func (s *Session) addNames(prefix string, names []named) {
	for _, n := range names {
		s.add(prefix+n.name, strings.Join(n.values, "/"))
	}
}

func (s *Session) add(key, value string) {
	switch t := (Tag{key, value}); {
	case value == "":
	case tagValue(value):
		s.Tags = append(s.Tags, t)
	default:
		s.Dropped = append(s.Dropped, t)
	}
}

// value returns the value of a tag that is not dropped.
func (s Session) value(key string) (string, bool) {
	for _, t := range s.Tags {
		if t.Key == key {
			return t.Value, true
		}
	}
	return "", false
}

// tagValue is the pattern [\p{L}\p{Z}\p{N}_.:/=+\-@]*, at most 256 long, of
// the STS API reference (Tag).
func tagValue(s string) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= maxTagValue && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.In(r, unicode.L, unicode.Z, unicode.N) && !strings.ContainsRune("_.:/=+-@", r)
	})
}

// sourceIdentity follows the user guide: CN=name where that fits into 64
// characters, else the bare name, else the serial number. What AWS does with
// a name of more than 64 characters is not known.
func sourceIdentity(leaf *x509.Certificate) string {
	cn := commonName(leaf)
	switch n := utf8.RuneCountInString(cn); {
	case cn == "":
		return "ID=" + HexSerial(leaf)
	case n+len("CN=") > maxSourceIdentity:
		return cn
	}
	return "CN=" + cn
}

// commonName is the tag's value: repeated common names are joined.
func commonName(leaf *x509.Certificate) string {
	for _, n := range byName(leaf.Subject.Names) {
		if n.name == "CN" {
			return strings.Join(n.values, "/")
		}
	}
	return ""
}

// errNoName is for leaves on which no trust policy can be written.
var errNoName = errors.New("the leaf has neither a single URI nor a common name that becomes a session tag: a trust policy has nothing to recognise it by")

type (
	trustPolicy struct {
		Version   string
		Statement []trustStatement
	}
	trustStatement struct {
		Effect    string
		Principal struct{ Service string }
		Action    []string
		Condition map[string]map[string]string
	}
)

// TrustPolicy writes the role trust policy that lets in this leaf and those
// like it: by its URI where it has exactly one, else by its common name. Under
// a known anchor's ARN it also binds the anchor, without which any anchor of
// the account could vouch for the name. The answer is indented JSON.
func TrustPolicy(leaf *x509.Certificate, anchorARN string) ([]byte, error) {
	s := SessionOf(leaf)
	key := "x509SAN/URI"
	value, ok := s.value(key)
	if !ok || len(alternativesOf(leaf).uri) != 1 {
		key = "x509Subject/CN"
		value, ok = s.value(key)
	}
	if !ok {
		return nil, errNoName
	}
	statement := trustStatement{
		Effect:    "Allow",
		Action:    []string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"},
		Condition: map[string]map[string]string{"StringEquals": {"aws:PrincipalTag/" + key: value}},
	}
	statement.Principal.Service = "rolesanywhere.amazonaws.com"
	if anchorARN != "" {
		statement.Condition["ArnEquals"] = map[string]string{"aws:SourceArn": anchorARN}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(trustPolicy{"2012-10-17", []trustStatement{statement}})
	return out.Bytes(), err
}
