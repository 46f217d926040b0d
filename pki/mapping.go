package pki

import "strings"

// Mapped is the session under a profile's attribute mapping in place of the
// default one: certificate fields ("x509Subject", "x509Issuer", "x509SAN") and
// the specifiers of each. Name and source identity do not depend on it. Nil
// changes nothing; a field without specifiers yields no tags.
//
// https://docs.aws.amazon.com/rolesanywhere/latest/userguide/attribute-mapping.html
func (s Session) Mapped(mappings map[string][]string) Session {
	if mappings != nil {
		s.Tags, s.Dropped = mapped(s.Tags, mappings), mapped(s.Dropped, mappings)
	}
	return s
}

func mapped(tags []Tag, mappings map[string][]string) []Tag {
	var kept []Tag
	for _, t := range tags {
		field, name, _ := strings.Cut(t.Key, "/")
		for _, specifier := range mappings[field] {
			if picks(field, specifier, name) {
				kept = append(kept, t)
				break
			}
		}
	}
	return kept
}

// picks tells whether a specifier names an attribute. A star stands for all of
// a Subject or Issuer, and behind Name/ for all of a directory name; alone it
// means nothing for alternative names.
func picks(field, specifier, name string) bool {
	if field != "x509SAN" {
		return specifier == "*" || specifier == name
	}
	switch specifier {
	case "Name", "Name/", "Name/*":
		return strings.HasPrefix(name, "Name/")
	}
	return specifier == name
}
