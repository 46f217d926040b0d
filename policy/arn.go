package policy

import (
	"slices"
	"strings"
)

const arnParts = 6

// readARN reads the pattern of an Arn operator. Each of the six parts is
// compared for itself, so that no wildcard reaches over a colon before the
// resource part.
func readARN(t template) (comparison, bool) {
	sound := t.parts != nil || t.fixed.everything() || isARN(t.text)
	return func(e *env, actual string) outcome {
		if !isARN(actual) {
			return unreadable
		}
		text, wanted, ok := t.expand(e)
		switch {
		case !ok:
			return differs
		case !wanted.everything() && !isARN(text):
			return malformed
		}
		return verdict(wanted.matchesARN(actual))
	}, sound
}

// everything tells whether p is the wildcard * alone.
func (p pattern) everything() bool { return len(p) == 1 && p[0] == anyRun }

// isARN tells whether text has the six parts of an ARN.
func isARN(text string) bool {
	return strings.HasPrefix(text, "arn:") && strings.Count(text, ":") >= arnParts-1
}

// matchesARN compares p, a * or a pattern of six parts, part by part.
func (p pattern) matchesARN(actual string) bool {
	if p.everything() {
		return true
	}
	for i, part := range strings.SplitN(actual, ":", arnParts) {
		wanted := p
		if i < arnParts-1 {
			colon := slices.Index(p, ':')
			wanted, p = p[:colon], p[colon+1:]
		}
		if !wanted.matches(units(part)) {
			return false
		}
	}
	return true
}

// A resource is one value of Resource or NotResource.
type resource struct {
	template
	confined pattern // of a text without variables
}

func newResource(t template) resource {
	r := resource{template: t}
	if t.parts == nil {
		r.confined = confine(glob(padARN(t.text)))
	}
	return r
}

func (r *resource) matches(e *env) bool {
	if r.parts == nil {
		return r.confined.matches(e.resource)
	}
	_, pat, ok := r.expand(e)
	return ok && confine(pat).matches(e.resource)
}

// padARN completes an ARN of fewer than six parts with wildcards, as IAM does;
// it does not do so where the ARN holds a variable.
func padARN(text string) string {
	if text == "*" {
		return text
	}
	for n := strings.Count(text, ":"); n < arnParts-1; n++ {
		text += ":*"
	}
	return text
}

// confine keeps wildcards before the resource part from reaching over a colon,
// except a * that ends its part: AWS documents that one as able to.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
func confine(p pattern) pattern {
	if len(p) == 1 {
		return p
	}
	out := make(pattern, len(p))
	colons := 0
	for i, s := range p {
		last := i+1 == len(p) || p[i+1] == ':'
		switch {
		case s == ':':
			colons++
		case s == anyUnit && colons < arnParts-1:
			s = partUnit
		case s == anyRun && colons < arnParts-1 && !last:
			s = partRun
		}
		out[i] = s
	}
	return out
}
