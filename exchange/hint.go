package exchange

import (
	"regexp"
	"slices"
	"strings"

	"daypass.dev"
	"daypass.dev/pki"
	"daypass.dev/proof"
	"daypass.dev/reason"
)

// unassumable begins what Roles Anywhere says whenever STS refused, whatever
// the cause: the trust policy by far the most often.
const unassumable = "Unable to assume role for "

// hint finds in the catalogue what AWS's words stand for, and names its slug in
// brackets. Where they stand for several reasons it names them all, since AWS
// does not tell them apart.
func hint(code, message string) string {
	const few = 4
	found := causes(code, message)
	switch {
	case len(found) == 0:
		return ""
	case len(found) == 1:
		return whole(found[0])
	case len(found) > few:
		return "AWS says the same of " + bracketed(found)
	}
	var either []string
	for _, r := range found {
		either = append(either, r.Cause+" ["+r.Slug+"]")
	}
	return "either " + strings.Join(either, ", or ")
}

// sessionHint is hint for CreateSession, where the certificate that was shown
// often tells which rule it breaks.
func (r *RolesAnywhere) sessionHint(e *daypass.Error, role arn, key *proof.Key) string {
	if strings.HasPrefix(e.Message, unassumable) {
		return unassumableHint(e.Message, role, r.TrustAnchorARN)
	}
	found := causes(e.Code, e.Message)
	if len(found) == 1 {
		return hint(e.Code, e.Message)
	}
	is := func(slug string) func(reason.Reason) bool {
		return func(r reason.Reason) bool { return r.Slug == slug }
	}
	pathless := slices.ContainsFunc(found, is("chain-issuer-missing"))
	if pathless {
		found = append(found, rows(ofAuthorities()...)...)
	}
	var broken []string
	for _, f := range pki.Check(pki.Evidence{Leaf: key.Leaf, Intermediates: key.Chain}, r.clock.now()) {
		if f.Verdict == pki.Fail && (len(found) == 0 || slices.ContainsFunc(found, is(f.Rule))) {
			broken = append(broken, f.On+": "+f.Detail+"; "+f.Mend+" ["+f.Rule+"]")
		}
	}
	switch {
	case len(broken) > 0:
		return strings.Join(broken, ", and ")
	case pathless:
		return "what was sent breaks no rule that shows without the trust anchor, and AWS says the same of " +
			bracketed(found) + "; daypass check --trust-anchor-file names the one"
	}
	return hint(e.Code, e.Message)
}

// ofAuthorities are what a CA in the trust anchor may break; that AWS has the
// same words for it as for a chain that leads nowhere is inferred.
func ofAuthorities() []string {
	return []string{
		"ca-expired", "ca-not-yet-valid", "ca-basic-constraints", "ca-key-usage", "ca-signature-algorithm", "ca-key-type", "ca-version",
	}
}

func unassumableHint(message string, role arn, anchorARN string) string {
	_, of, _ := strings.Cut(anchorARN, ":rolesanywhere:")
	if _, account, _ := strings.Cut(of, ":"); !strings.HasPrefix(account, role.account+":") {
		return one("role-elsewhere")
	}
	if strings.Contains(message, "MaxSessionDuration") {
		return one("duration-over-role")
	}
	return "most often the role's trust policy does not let this certificate in, by its names or its trust anchor " +
		bracketed(rows(ofTrust()...)) + ", or for want of sts:TagSession or sts:SetSourceIdentity " +
		bracketed(rows("trust-tag-session", "trust-source-identity")) + ", or its common name is none that STS takes " +
		bracketed(rows("source-identity")) + "; daypass check prints a statement that lets it in"
}

// ofTrust are the ways in which a trust policy refuses, the frequent ones first.
func ofTrust() []string {
	return []string{
		"policy-condition", "policy-condition-key-missing", "policy-condition-multivalued", "policy-principal", "policy-action",
		"trust-no-statement", "policy-explicit-deny", "role-not-found",
	}
}

// rows are the catalogue's for slugs.
func rows(slugs ...string) (all []reason.Reason) {
	for _, slug := range slugs {
		if r, ok := reason.Lookup(slug); ok {
			all = append(all, r)
		}
	}
	return all
}

func one(slug string) string {
	r, _ := reason.Lookup(slug)
	return whole(r)
}

func whole(r reason.Reason) string { return r.Cause + "; " + r.Mend + " [" + r.Slug + "]" }

func bracketed(all []reason.Reason) string {
	var slugs []string
	for _, r := range all {
		slugs = append(slugs, "["+r.Slug+"]")
	}
	return strings.Join(slugs, ", ")
}

// causes are the reasons for which AWS has these words. Where its words are not
// known the catalogue's own may come, from a sandbox.
func causes(code, message string) (found []reason.Reason) {
	for _, r := range reason.All() {
		if r.Code == code && (r.Message != "" && says(message, r.Message) || r.Message == "" && message == r.Cause) {
			found = append(found, r)
		}
	}
	return found
}

// says tells whether message is pattern with something for each %s.
func says(message, pattern string) bool {
	parts := strings.Split(pattern, "%s")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	ok, err := regexp.MatchString("^"+strings.Join(parts, ".*")+"$", message)
	return err == nil && ok
}
