package doctor

import (
	"encoding/json"
	"fmt"
	"strings"
)

// wide says what of a trust policy that works lets in more than one workload:
// a condition that is true for whoever lacks the tag, a pattern across
// namespaces, and no trust anchor or account.
func (d *diagnosis) wide(text string) {
	var doc struct {
		Statement json.RawMessage
	}
	if json.Unmarshal([]byte(text), &doc) != nil {
		return
	}
	type statement struct {
		Effect    string
		Principal struct{ Service json.RawMessage }
		Condition map[string]map[string]json.RawMessage
	}
	var all []statement
	if json.Unmarshal(doc.Statement, &all) != nil {
		all = make([]statement, 1)
		if json.Unmarshal(doc.Statement, &all[0]) != nil {
			return
		}
	}
	for i, s := range all {
		if s.Effect != "Allow" {
			continue
		}
		bound := false
		for operator, keys := range s.Condition {
			for key, value := range keys {
				lower := strings.ToLower(key)
				bound = bound || lower == "aws:sourcearn"
				if strings.Contains(strings.ToLower(operator), "not") && strings.HasPrefix(lower, "aws:principaltag/") {
					d.warn("trust-not-equals", fmt.Sprintf("statement %d: %s of %s", i+1, operator, key))
				}
				if strings.Contains(strings.ToLower(operator), "like") && acrossNamespaces(value) {
					d.warn("trust-wildcard", fmt.Sprintf("statement %d: %s of %s takes in other namespaces", i+1, operator, key))
				}
			}
		}
		if !bound && strings.Contains(string(s.Principal.Service), "rolesanywhere.amazonaws.com") {
			d.warn("trust-any-anchor", fmt.Sprintf("statement %d has no aws:SourceArn", i+1))
		}
	}
}

// acrossNamespaces tells whether one of the patterns has a star where the
// namespace stands.
func acrossNamespaces(value json.RawMessage) bool {
	patterns, _ := words(value)
	for _, p := range patterns {
		for _, before := range []string{"system:serviceaccount:", "/ns/"} {
			if _, rest, ok := strings.Cut(p, before); ok {
				namespace, _, _ := strings.Cut(strings.ReplaceAll(rest, "/", ":"), ":")
				if strings.Contains(namespace, "*") {
					return true
				}
			} else if strings.HasPrefix(p, "*") {
				return true
			}
		}
	}
	return false
}
