package iam

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"daypass.dev/policy"
)

// A verdict is the answer for one action on one resource.
type verdict struct {
	decision string
	matched  []statementXML
	missing  []string
	boundary *boundaryDetailXML
	details  []detailXML // of resources of another account
}

func (s *simulation) decide(action, resource string) (verdict, error) {
	p, sources := s.policies, s.sources
	if s.resource != "" {
		kind := policy.Resource
		if strings.HasPrefix(strings.ToLower(action), "kms:") {
			kind = policy.Key
		}
		doc, err := policy.Parse(kind, s.resource)
		if err != nil {
			return verdict{}, unusable("Resource policy has invalid content", err)
		}
		p.Resource = &policy.Named{Name: strconv.Itoa(len(sources)), Document: doc}
		sources = append(sources[:len(sources):len(sources)], source{"ResourcePolicy", doc})
	}
	r := policy.Request{Principal: s.caller, Action: action, Resource: resource, ResourceAccount: s.owner, Context: s.context}
	if part := strings.SplitN(resource, ":", 6); len(part) == 6 && part[4] != "" {
		r.ResourceAccount = part[4]
	}
	d := policy.Evaluate(r, p)
	found := policy.Matches(r, p)
	v := verdict{decision: decidedImplicit}
	switch {
	case d.Allowed:
		v.decision = decidedAllowed
		v.matched = cited(sources, found, "allow", policy.ByBoundary)
	case d.Explicit:
		v.decision = decidedExplicit
		v.matched = cited(sources, found, "deny", "")
	default:
		v.missing = s.missing(sources)
	}
	if p.Boundary != nil {
		v.boundary = &boundaryDetailXML{layerDecision(found, policy.ByBoundary) == decidedAllowed}
	}
	if r.ResourceAccount != s.caller.Account {
		v.details = []detailXML{{"IAM Policy", layerDecision(found, policy.ByIdentity)}}
		if p.Resource != nil {
			v.details = append(v.details, detailXML{"Resource Policy", layerDecision(found, layerOfResource(p.Resource.Document))})
		}
	}
	return v, nil
}

func layerOfResource(doc *policy.Document) policy.Layer {
	if doc.Kind == policy.Key {
		return policy.ByKey
	}
	return policy.ByResource
}

// layerDecision is what one layer says for itself.
func layerDecision(found []policy.Finding, layer policy.Layer) string {
	decision := decidedImplicit
	for _, f := range found {
		switch {
		case f.Layer != layer:
		case f.Effect == "deny":
			return decidedExplicit
		default:
			decision = decidedAllowed
		}
	}
	return decision
}

// missing are the keys that any of the policies names and ContextEntries did
// not give, whether they decided or not (recorded).
func (s *simulation) missing(sources []source) []string {
	var keys []string
	for _, from := range sources {
		if from.doc == nil {
			continue
		}
		for _, key := range from.doc.Keys() {
			if !slices.Contains(s.given, strings.ToLower(key)) && !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	slices.Sort(keys)
	return keys
}

// cited are the statements of an effect that match, but for one layer.
func cited(sources []source, found []policy.Finding, effect string, except policy.Layer) []statementXML {
	var all []statementXML
	for _, f := range found {
		if f.Effect != effect || f.Layer == except {
			continue
		}
		n, err := strconv.Atoi(f.Policy)
		if err != nil || n >= len(sources) {
			continue // no policy of ours
		}
		all = append(all, statementXML{
			SourcePolicyID: sources[n].id, SourcePolicyType: sourceType(f.Layer),
			StartPosition: begin(sources[n].doc.Text, f.Line, f.Column),
			EndPosition:   positionXML{f.EndLine, f.EndColumn + 1},
		})
	}
	return all
}

// sourceType is what AWS writes, and not what its API reference lists
// (recorded).
func sourceType(layer policy.Layer) string {
	switch layer {
	case policy.ByIdentity:
		return "IAM Policy"
	case policy.ByBoundary:
		return "Permissions Boundary Policy"
	}
	return "Resource Policy"
}

// begin is where AWS lets a statement begin: right after the bracket or the
// statement before it; a statement that stands alone begins at its brace
// (recorded).
func begin(text string, line, column int) positionXML {
	lines := strings.SplitAfter(text, "\n")
	offset := len(strings.Join(lines[:line-1], ""))
	offset += len(string([]rune(lines[line-1])[:column-1]))
	before := strings.TrimRight(text[:offset], " \t\r\n")
	if list, ok := strings.CutSuffix(before, ","); ok {
		before = strings.TrimRight(list, " \t\r\n")
	} else if !strings.HasSuffix(before, "[") {
		return positionXML{line, column}
	}
	return positionXML{1 + strings.Count(before, "\n"), 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])}
}
