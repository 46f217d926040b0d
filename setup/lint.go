package setup

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// lint says what in a role's trust policy lets in more than the workloads that
// it names, where it trusts Roles Anywhere, EKS Pod Identity or an OIDC provider;
// nothing about other statements, and nothing about what is no policy.
func lint(trust string) (all []string) {
	var doc struct{ Statement many[loose] }
	if json.Unmarshal([]byte(trust), &doc) != nil {
		return nil
	}
	for i, s := range doc.Statement {
		if s.Effect != "Allow" {
			continue
		}
		for _, what := range s.lint() {
			all = append(all, fmt.Sprintf("statement %d: %s", i+1, what))
		}
	}
	return all
}

// many is one of a thing, or an array of it.
type many[T any] []T

func (m *many[T]) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '[' {
		return json.Unmarshal(data, (*[]T)(m))
	}
	*m = make(many[T], 1)
	return json.Unmarshal(data, &(*m)[0])
}

// A loose statement is one as others write it.
type loose struct {
	Effect    string
	Principal struct{ Service, Federated many[string] }
	Condition map[string]map[string]many[any]
}

// conditions are the values that a key is compared with, by operator; a key
// ends in suffix, whatever its case.
func (s loose) conditions(suffix string) map[string][]string {
	found := map[string][]string{}
	for operator, keys := range s.Condition {
		for key, values := range keys {
			if strings.HasSuffix(strings.ToLower(key), strings.ToLower(suffix)) {
				for _, v := range values {
					found[operator] = append(found[operator], fmt.Sprint(v))
				}
			}
		}
	}
	return found
}

func (s loose) lint() (all []string) {
	anywhere, pods := slices.Contains(s.Principal.Service, anywhereService), slices.Contains(s.Principal.Service, podService)
	issuer := slices.IndexFunc(s.Principal.Federated, func(arn string) bool { return strings.Contains(arn, ":oidc-provider/") })
	if !anywhere && !pods && issuer < 0 {
		return nil
	}
	for _, operator := range slices.Sorted(maps.Keys(s.Condition)) {
		if strings.Contains(operator, "StringNot") || strings.Contains(operator, "ArnNot") {
			for _, key := range slices.Sorted(maps.Keys(s.Condition[operator])) {
				all = append(all, fmt.Sprintf("%s of %s lets in everybody but those that it names", operator, key))
			}
		}
	}
	if bound := len(s.conditions("aws:SourceArn")) > 0; anywhere && !bound {
		all = append(all, "without aws:SourceArn, every trust anchor can vouch for the names in certificates")
	} else if pods && !bound && len(s.conditions("eks-cluster-arn")) == 0 {
		all = append(all, "without aws:SourceArn, pods of every EKS cluster that may pass the role get in")
	}
	if issuer < 0 {
		return all
	}
	subjects := s.conditions(":sub")
	if len(subjects) == 0 {
		all = append(all, "without a condition on sub, everybody with a token of "+s.Principal.Federated[issuer]+" gets in")
	}
	for _, operator := range slices.Sorted(maps.Keys(subjects)) {
		for _, subject := range subjects[operator] {
			if strings.Contains(operator, "Like") && everyNamespace(subject) {
				all = append(all, fmt.Sprintf("sub %q takes in ServiceAccounts of other namespaces", subject))
			}
		}
	}
	if len(s.conditions(":aud")) == 0 {
		all = append(all, "without a condition on aud, tokens get in that were made for others")
	}
	return all
}

// everyNamespace tells whether a pattern leaves open the namespace of a
// ServiceAccount's subject.
func everyNamespace(pattern string) bool {
	namespace, _, named := strings.Cut(strings.TrimPrefix(pattern, "system:serviceaccount:"), ":")
	return strings.ContainsAny(namespace, "*?") || !named && strings.ContainsAny(pattern, "*?")
}
