package sts_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"daypass.dev/reason"
	"daypass.dev/sandbox/sts"
)

// A row spoils a stage in one way for which the call must be refused. text, if
// said, is part of AWS's words, which otherwise are those of the catalogue.
type row struct {
	name  string
	spoil func(*stage)
	text  string
}

// rows are the refusals by the rule that must refuse.
func rows() map[string][]row {
	all := map[string][]row{}
	for _, some := range []map[string][]row{requestRows(), formRows(), issuerRows(), keyRows(), timeRows(), claimRows(), trustRows()} {
		for slug, list := range some {
			all[slug] = append(all[slug], list...)
		}
	}
	return all
}

// Every rule has a row, every row is refused for its own reason, in the code
// and, up to the values, the words of the catalogue.
func TestEveryWebIdentityRuleRefuses(t *testing.T) {
	all, rules := rows(), sts.WebIdentityRules()
	if len(rules) == 0 {
		t.Fatal("there are no rules")
	}
	for _, slug := range rules {
		if len(all[slug]) == 0 {
			t.Errorf("rule %s has no row", slug)
		}
	}
	for _, slug := range slices.Sorted(maps.Keys(all)) {
		if !slices.Contains(rules, slug) {
			t.Errorf("the row for %s is of no rule", slug)
		}
		for _, r := range all[slug] {
			t.Run(slug+"/"+r.name, func(t *testing.T) {
				t.Parallel()
				s := newStage(t)
				r.spoil(s)
				d, e := s.refused(slug)
				if d.Operation != "AssumeRoleWithWebIdentity" || d.Service != "sts" {
					t.Errorf("recorded as %s %s", d.Service, d.Operation)
				}
				known, _ := reason.Lookup(slug)
				if e.ErrorCode() != known.Code {
					t.Errorf("code %s, in the catalogue %s", e.ErrorCode(), known.Code)
				}
				switch {
				case r.text != "":
					if !strings.Contains(e.ErrorMessage(), r.text) {
						t.Errorf("said %q, want …%s…", e.ErrorMessage(), r.text)
					}
				case !strings.HasPrefix(slug, "policy-") && !says(known.Message, e.ErrorMessage()):
					t.Errorf("said %q, in the catalogue %q", e.ErrorMessage(), known.Message)
				}
			})
		}
	}
}

// says reports whether a text is the catalogue's, in which %s stands for
// anything; an empty one is not known.
func says(pattern, said string) bool {
	parts := strings.Split(pattern, "%s")
	for i, p := range parts {
		at := strings.Index(said, p)
		if at < 0 || i == 0 && at > 0 {
			return false
		}
		said = said[at+len(p):]
	}
	return pattern == "" || said == "" || strings.HasSuffix(pattern, "%s")
}

// Unspoiled the call succeeds, so that what a row spoils is the reason.
func TestTheStageIsSound(t *testing.T) {
	out := newStage(t).allowed()
	if *out.Provider != providerARN || *out.Audience != "client-a" || *out.SubjectFromWebIdentityToken != "subject" || out.SourceIdentity != nil ||
		*out.AssumedRoleUser.Arn != "arn:aws:sts::111122223333:assumed-role/bearer/session" || !strings.HasPrefix(*out.Credentials.AccessKeyId, "ASIA") ||
		*out.PackedPolicySize < 1 || int(*out.SessionTokenSize) != len(*out.Credentials.SessionToken) || len(*out.Credentials.SessionToken) > 2048 {
		t.Errorf("answered %+v", out)
	}
}
