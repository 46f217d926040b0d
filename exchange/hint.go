package exchange

import (
	"regexp"
	"strings"

	"daypass.dev/reason"
)

// unassumable begins what Roles Anywhere says whenever STS refused, whatever
// the cause: the trust policy by far the most often.
const unassumable = "Unable to assume role for "

// hint finds in the catalogue what AWS's words stand for, and names its slug in
// brackets. Where they stand for several reasons it names them all if they are
// few, since AWS does not tell them apart.
func hint(code, message string) string {
	const few = 4
	if strings.HasPrefix(message, unassumable) {
		return "most often the role's trust policy does not let this certificate in, by its names, its trust anchor, " +
			"or for want of sts:TagSession or sts:SetSourceIdentity; daypass check prints a statement that does"
	}
	found := causes(code, message)
	switch {
	case len(found) == 0:
		return ""
	case len(found) == 1:
		return found[0].Cause + "; " + found[0].Mend + " [" + found[0].Slug + "]"
	case len(found) > few:
		return "this has more causes than AWS tells; daypass check names the rule that the certificate breaks"
	}
	var either []string
	for _, r := range found {
		either = append(either, r.Cause+" ["+r.Slug+"]")
	}
	return "either " + strings.Join(either, ", or ")
}

// causes are the reasons for which AWS has these words.
func causes(code, message string) (found []reason.Reason) {
	for _, r := range reason.All() {
		if r.Code == code && r.Message != "" && says(message, r.Message) {
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
