package rolesanywhere

import (
	"maps"
	"slices"

	"daypass.dev/sandbox/world"
)

const maxSpecifier = 60

type mapping struct {
	Field string        `json:"certificateField"`
	Rules []mappingRule `json:"mappingRules"`
}

type mappingRule struct {
	Specifier string `json:"specifier"`
}

func describeMappings(m map[string][]string) []mapping {
	if m == nil {
		m = defaultMappings()
	}
	all := []mapping{}
	for _, field := range slices.Sorted(maps.Keys(m)) {
		one := mapping{Field: field, Rules: []mappingRule{}}
		for _, s := range m[field] {
			one.Rules = append(one.Rules, mappingRule{s})
		}
		all = append(all, one)
	}
	return all
}

func checkField(field string) error {
	if field != fieldSubject && field != fieldIssuer && field != fieldSAN {
		return faultf("anywhere-parameter", "certificateField is %q", field)
	}
	return nil
}

// normalSpecifiers holds specifiers against what Roles Anywhere understands,
// in the form in which a profile shows them.
func normalSpecifiers(field string, specifiers []string) ([]string, error) {
	var all []string
	for _, s := range specifiers {
		normal, ok := normalSpecifier(field, s)
		if !ok || len(s) > maxSpecifier {
			return nil, faultf("anywhere-parameter", "specifier %q means nothing for %s", s, field)
		}
		if !slices.Contains(all, normal) {
			all = append(all, normal)
		}
	}
	return all, nil
}

// putMapping replaces the rules of one certificate field. That it replaces and
// not adds is unchecked; a profile begins with "*", which any addition would
// leave in force.
func putMapping(q *request) error {
	var in struct {
		Field string        `json:"certificateField"`
		Rules []mappingRule `json:"mappingRules"`
	}
	if err := q.read(&in); err != nil {
		return err
	}
	if err := profiles().enter(q); err != nil {
		return err
	}
	if err := checkField(in.Field); err != nil {
		return err
	}
	if len(in.Rules) == 0 {
		return faultf("anywhere-parameter", "mappingRules is missing")
	}
	var asked []string
	for _, r := range in.Rules {
		asked = append(asked, r.Specifier)
	}
	specifiers, err := normalSpecifiers(in.Field, asked)
	if err != nil {
		return err
	}
	return profiles().change(q, func(_ *world.Account, p *world.Profile) error {
		if p.Mappings == nil {
			p.Mappings = defaultMappings()
		}
		p.Mappings[in.Field] = specifiers
		p.Updated = q.Time
		return nil
	})
}

// deleteMapping removes specifiers of one field, or all of them if none are
// named. A field without any maps nothing.
func deleteMapping(q *request) error {
	query := q.r.URL.Query()
	field := query.Get("certificateField")
	if err := profiles().enter(q); err != nil {
		return err
	}
	if err := checkField(field); err != nil {
		return err
	}
	gone, err := normalSpecifiers(field, query["specifiers"])
	if err != nil {
		return err
	}
	return profiles().change(q, func(_ *world.Account, p *world.Profile) error {
		mappings := maps.Clone(p.Mappings)
		if mappings == nil {
			mappings = defaultMappings()
		}
		for _, s := range gone {
			if !slices.Contains(mappings[field], s) {
				return faultf("anywhere-parameter", "the profile maps no %s/%s", field, s)
			}
		}
		kept := slices.DeleteFunc(slices.Clone(mappings[field]), func(s string) bool { return slices.Contains(gone, s) })
		if len(gone) == 0 || len(kept) == 0 {
			delete(mappings, field)
		} else {
			mappings[field] = kept
		}
		p.Mappings, p.Updated = mappings, q.Time
		return nil
	})
}
