package rolesanywhere

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The certificate fields that a profile maps to session tags.
const (
	fieldSubject = "x509Subject"
	fieldIssuer  = "x509Issuer"
	fieldSAN     = "x509SAN"
)

// defaultMappings are a new profile's (User Guide, "certificate attribute
// mapping").
func defaultMappings() map[string][]string {
	return map[string][]string{
		fieldIssuer:  {"*"},
		fieldSAN:     {"DNS", "URI", "Name/*"},
		fieldSubject: {"*"},
	}
}

// maxTagValue is how long STS takes a session tag's value, in characters.
const maxTagValue = 256

// tagAlphabet reports whether STS takes a text as a session tag's value:
// [\p{L}\p{Z}\p{N}_.:/=+\-@]*. The User Guide gives the same for the source
// identity.
func tagAlphabet(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || !unicode.In(r, unicode.L, unicode.Z, unicode.N) && !strings.ContainsRune("_.:/=+-@", r) {
			return false
		}
	}
	return true
}

// sessionTags are what a profile's mappings make of a certificate, and the
// attributes that were mapped but are left out because STS would refuse them.
// nil mappings are the default ones; a field that has none yields no tags.
//
// A tag that is left out is absent: a condition StringEquals on it is false,
// and StringNotEquals is true.
func sessionTags(id identity, mappings map[string][]string) (tags map[string]string, dropped []string) {
	if mappings == nil {
		mappings = defaultMappings()
	}
	tags = map[string]string{}
	for _, field := range slices.Sorted(maps.Keys(mappings)) {
		for name, value := range mapped(id, field, mappings[field]) {
			switch {
			case value == "":
			case utf8.RuneCountInString(value) > maxTagValue || !tagAlphabet(value):
				dropped = append(dropped, field+"/"+name)
			default:
				tags[field+"/"+name] = value
			}
		}
	}
	slices.Sort(dropped)
	return tags, dropped
}

// mapped picks what the specifiers of one field name.
func mapped(id identity, field string, specifiers []string) map[string]string {
	all := map[string]string{}
	switch field {
	case fieldSubject:
		all = values(id.subject)
	case fieldIssuer:
		all = values(id.issuer)
	case fieldSAN:
		for name, value := range values(id.names.directory) {
			all["Name/"+name] = value
		}
		all["DNS"], all["URI"] = id.names.dns, id.names.uri
	}
	picked := map[string]string{}
	for _, s := range specifiers {
		prefix, wild := strings.CutSuffix(s, "*")
		for name, value := range all {
			if name == s || wild && strings.HasPrefix(name, prefix) {
				picked[name] = value
			}
		}
	}
	return picked
}

// normalSpecifier is a specifier as a profile shows it, and whether Roles
// Anywhere gives it a meaning: "*" has none for x509SAN.
func normalSpecifier(field, s string) (string, bool) {
	if field == fieldSAN {
		name, isName := strings.CutPrefix(s, "Name/")
		switch {
		case s == "DNS" || s == "URI":
			return s, true
		case s == "Name" || isName && (name == "" || name == "*"):
			return "Name/*", true
		case isName && knownAttribute(name):
			return s, true
		}
		return "", false
	}
	return s, s == "*" || knownAttribute(s)
}

func knownAttribute(name string) bool {
	return slices.Contains([]string{"CN", "C", "L", "ST", "STREET", "O", "OU", "DC", "UID"}, name)
}

// droppedText is how AWS names the attributes that became no tags, where the
// role cannot be assumed. It shows a DNS name as DNS/2, which is taken here for
// the tag number of RFC 5280, so URI/6; the form for names is a guess.
func droppedText(dropped []string) string {
	if len(dropped) == 0 {
		return ""
	}
	by := map[string][]string{}
	for _, d := range dropped {
		field, name, _ := strings.Cut(d, "/")
		switch name {
		case "DNS":
			name = fmt.Sprintf("DNS/%d", tagDNS)
		case "URI":
			name = fmt.Sprintf("URI/%d", tagURI)
		}
		by[field] = append(by[field], name)
	}
	list := func(field string) string { return strings.Join(by[field], ", ") }
	return fmt.Sprintf(" Some attributes failed to be mapped into session tags. Issuer: [ %s ]; Subject: [ %s ]; SAN: [ %s ]",
		list(fieldIssuer), list(fieldSubject), list(fieldSAN))
}
