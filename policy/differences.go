package policy

import "strings"

// differences says in which elements near differs from the request, what was
// wanted, and what would make it match. The first element names the reason.
func (j *judge) differences(d *Decision, near spot) {
	var details, changes []string
	add := func(reason, detail, change string) {
		if d.Reason == "" {
			d.Reason = reason
		}
		details = append(details, detail)
		changes = append(changes, change)
	}
	kind := near.policy.Document.Kind
	if !near.takesCaller(j.env, kind) {
		who := entry(j.request.Principal)
		add("policy-principal", "Principal does not name the caller ("+who+")", "add "+who+" to Principal")
	}
	if !near.takesAction(j.env) {
		detail, change := element("Action", near.notAction, actionTexts(near.actions), j.request.Action)
		add("policy-action", detail, change)
	}
	if !near.takesResource(j.env) {
		j.resourceDifference(d, near, add)
	}
	for i := range near.conditions {
		c := &near.conditions[i]
		if !c.holds(j.env, false) {
			d.Missing = appendNew(d.Missing, c.missing(j.env)...)
			reason, detail, change := c.difference(j.env)
			add(reason, detail, change)
		}
	}
	d.Detail = strings.Join(details, "; ")
	d.Change = "in " + near.place() + ", " + strings.Join(changes, " and ")
}

func element(name string, not bool, texts []string, actual string) (detail, change string) {
	if not {
		return "Not" + name + " holds " + listed(texts, " or ") + ", which takes in " + quote(actual),
			"take " + quote(actual) + " out of what Not" + name + " matches"
	}
	return name + " is " + listed(texts, " or ") + ", the request's is " + quote(actual),
		"add " + quote(actual) + " to " + name
}

func actionTexts(actions []action) []string {
	texts := make([]string, len(actions))
	for i, a := range actions {
		texts[i] = a.text
	}
	return texts
}

func (j *judge) resourceDifference(d *Decision, near spot, add func(reason, detail, change string)) {
	var texts, keys []string
	for i := range near.resources {
		texts = append(texts, near.resources[i].text)
		keys = appendNew(keys, near.resources[i].unresolved(j.env)...)
	}
	detail, change := element("Resource", near.notResource, texts, j.request.Resource)
	if len(keys) == 0 || near.notResource {
		add("policy-resource", detail, change)
		return
	}
	d.Missing = appendNew(d.Missing, keys...)
	add("policy-variable", detail+", and "+listed(keys, " and ")+" has no single value to stand for its variable",
		"let the caller carry "+listed(keys, " and ")+", or give its variable a default")
}

// difference explains why a condition does not hold.
func (c *condition) difference(e *env) (reason, detail, change string) {
	v, present := e.get(c.key)
	wanted := listed(c.values, " or ")
	switch {
	case c.name == nullOperator && present:
		return "policy-condition", c.key + " is in the request, and Null wants it absent", "let Null of " + c.key + " be \"false\""
	case !present:
		change = "let the request carry " + c.key
		if c.quantifier == one && c.name != nullOperator {
			change += ", or write " + c.written + "IfExists"
		}
		return "policy-condition-key-missing", c.key + " is not in the request, " + c.written + " wants " + wanted, change
	case c.multivalued(v):
		return "policy-condition-multivalued", c.key + " holds a list, which " + c.written + " never matches",
			"write ForAnyValue:" + c.written + " or ForAllValues:" + c.written
	}
	verb := "wanted"
	if c.negated {
		verb = "wanted anything but"
	}
	return "policy-condition", c.key + " is " + listed(v.List, ", ") + ", " + verb + " " + wanted,
		"let " + c.written + " of " + c.key + " take in " + listed(v.List, ", ")
}

// whyMatches names the conditions by which a Deny matches.
func (at spot) whyMatches(e *env) string {
	var why []string
	for i := range at.conditions {
		c := &at.conditions[i]
		v, present := e.get(c.key)
		if present {
			why = append(why, c.key+" is "+listed(v.List, ", ")+" and "+c.written+" has "+listed(c.values, " or "))
		} else {
			why = append(why, c.key+" is not in the request and "+c.written+" holds without it")
		}
	}
	return strings.Join(why, "; ")
}
