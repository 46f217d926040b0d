package policy

import (
	"slices"
	"strings"
)

// refuseExplicitly explains a Deny.
func (j *judge) refuseExplicitly(at spot) Decision {
	d := j.refusal(at.layer)
	d.Explicit = true
	d.Reason = "policy-explicit-deny"
	d.Policy, d.Sid, d.Statement, d.Line = at.policy.Name, at.sid, at.number, at.line
	d.Detail = "the Deny of " + at.place() + " matches"
	if why := at.whyMatches(j.env); why != "" {
		d.Detail += ": " + why
	}
	d.Change = "narrow or remove " + at.place()
	d.Message = j.message("with an explicit deny in " + article(at.layer))
	return d
}

// refuse explains that a layer allows nothing, by the statement of it that
// comes nearest.
func (j *judge) refuse(l layer) Decision {
	d := j.refusal(l.name)
	d.Message = j.message("because no " + title(l.name) + " allows the " + j.request.Action + " action")
	near, found := j.nearest(l)
	if !found {
		j.noStatement(&d, l)
	} else {
		d.Policy, d.Sid, d.Statement, d.Line = near.policy.Name, near.sid, near.number, near.line
		j.differences(&d, near)
	}
	switch {
	case l.name == ByBoundary:
		d.Reason = "policy-boundary"
	case l.name == BySession:
		d.Reason = "policy-session"
	case l.name == ByResource && j.crossAccount() && !found:
		d.Reason = "policy-cross-account"
	}
	if l.name == ByIdentity && j.grant == viaAccount && j.resource.name != ByResource {
		d.Detail += "; the " + string(j.resource.name) + " names the account and so leaves the decision to identity policies"
	}
	return d
}

func (j *judge) refusal(l Layer) Decision { return Decision{Layer: l, Trace: j.trace} }

// noStatement explains a layer without any Allow.
func (j *judge) noStatement(d *Decision, l layer) {
	r := j.request
	d.Reason = "policy-no-allow"
	if l.name == ByTrust {
		d.Reason = "trust-no-statement"
	}
	if len(l.policies) == 0 {
		d.Detail = "there is no " + title(l.name)
	} else {
		d.Detail = "no statement of the " + string(l.name) + " has the effect Allow"
	}
	d.Change = "add to " + article(l.name) + " a statement that allows " + r.Action
	switch l.name {
	case ByTrust, ByKey, ByResource:
		d.Change += " to {" + entry(r.Principal) + "}"
	}
	if l.name != ByTrust {
		d.Change += " on " + r.Resource
	}
}

// nearest picks the Allow statement that the request matches in most
// elements; among equals the one that matches in the more telling element,
// then the first.
func (j *judge) nearest(l layer) (best spot, found bool) {
	top := -1
	for _, named := range l.policies {
		if named.Document == nil {
			continue
		}
		for _, s := range named.Document.statements {
			if !s.allow {
				continue
			}
			if score := j.score(s, named.Document.Kind); score > top {
				top, best, found = score, spot{l.name, named, s}, true
			}
		}
	}
	return best, found
}

func (j *judge) score(s *statement, kind Kind) int {
	elements, telling := 0, 0
	for i, match := range []bool{s.takesConditions(j.env), s.takesResource(j.env), s.takesCaller(j.env, kind), s.takesAction(j.env)} {
		if match {
			elements++
			telling += 1 << i
		}
	}
	holding := 0
	for i := range s.conditions {
		if s.conditions[i].holds(j.env, false) {
			holding++
		}
	}
	return (elements<<4+telling)<<10 + min(holding, 1<<10-1)
}

// place names a statement.
func (at spot) place() string {
	s := "statement " + itoa(at.number)
	if at.sid != "" {
		s += " (" + at.sid + ")"
	}
	if at.policy.Name != "" {
		s += " of " + at.policy.Name
	}
	return s
}

// message is AWS's text for a denial.
func (j *judge) message(because string) string {
	r := j.request
	if r.Principal.Kind == WebIdentity {
		return "Not authorized to perform " + r.Action
	}
	who, what := r.Principal.ARN, r.Resource
	switch r.Principal.Kind {
	case Service:
		who = r.Principal.Name
	case Anonymous:
		who = "anonymous"
	}
	if strings.HasPrefix(strings.ToLower(r.Action), "s3:") { // S3 alone quotes it (recalled)
		what = quote(what)
	}
	return "User: " + who + " is not authorized to perform: " + r.Action + " on resource: " + what + " " + because
}

// title is how AWS's texts call a layer. That an explicit Deny of a trust
// policy is called by the same name is recalled.
func title(l Layer) string {
	switch l {
	case ByIdentity:
		return "identity-based policy"
	case BySession:
		return "session policy"
	case ByBoundary:
		return "permissions boundary"
	case ByTrust:
		return "role trust policy"
	}
	return "resource-based policy"
}

func article(l Layer) string {
	if l == ByIdentity {
		return "an " + title(l)
	}
	return "a " + title(l)
}

// mostListed bounds how many values an explanation names.
const mostListed = 8

// listed quotes and joins texts.
func listed(items []string, separator string) string {
	var quoted []string
	for _, item := range items[:min(len(items), mostListed)] {
		quoted = append(quoted, quote(item))
	}
	if more := len(items) - mostListed; more > 0 {
		quoted = append(quoted, itoa(more)+" more")
	}
	return strings.Join(quoted, separator)
}

func appendNew(list []string, items ...string) []string {
	for _, item := range items {
		if !slices.Contains(list, item) {
			list = append(list, item)
		}
	}
	return list
}
