package policy

import "strings"

const arnParts = 6

// readARN reads the pattern of an Arn operator. Each of the six parts is
// compared for itself, so that no wildcard reaches over a colon before the
// resource part.
func readARN(t template) comparison {
	if t.parts == nil && !(t.text == "*" || isARN(t.text)) {
		return nil
	}
	var fixed []pattern
	if t.parts == nil {
		fixed = splitARN(t.fixed)
	}
	return func(e *env, actual string) outcome {
		if !isARN(actual) {
			return unreadable
		}
		wanted := fixed
		if t.parts != nil {
			text, pat, ok := t.expand(e)
			if !ok {
				return differs
			}
			if text != "*" && !isARN(text) {
				return malformed
			}
			wanted = splitARN(pat)
		}
		return verdict(matchParts(wanted, actual))
	}
}

// isARN tells whether text has the six parts of an ARN.
func isARN(text string) bool {
	return strings.HasPrefix(text, "arn:") && strings.Count(text, ":") >= arnParts-1
}

func splitARN(p pattern) []pattern {
	var parts []pattern
	start := 0
	for i, s := range p {
		if s == ':' && len(parts) < arnParts-1 {
			parts = append(parts, p[start:i])
			start = i + 1
		}
	}
	return append(parts, p[start:])
}

func matchParts(wanted []pattern, actual string) bool {
	if len(wanted) == 1 { // the pattern *
		return true
	}
	parts := strings.SplitN(actual, ":", arnParts)
	for i, p := range wanted {
		if !p.matches(units(parts[i])) {
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
