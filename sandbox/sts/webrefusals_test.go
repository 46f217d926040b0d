package sts_test

import (
	"maps"
	"os"
	"regexp"
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

// What the service itself refuses for is in the list of rules too.
func TestWebIdentityRefusalsAreRules(t *testing.T) {
	source, err := os.ReadFile("webidentity.go")
	if err != nil {
		t.Fatal(err)
	}
	slugs := regexp.MustCompile(`Slug: "([a-z0-9-]+)"`).FindAllSubmatch(source, -1)
	if len(slugs) == 0 {
		t.Fatal("no refusal was found in the source")
	}
	for _, m := range slugs {
		if !slices.Contains(sts.WebIdentityRules(), string(m[1])) {
			t.Errorf("%s is no rule", m[1])
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
	//lint:ignore SA1019 older SDKs read it
	packed := *out.PackedPolicySize
	if *out.Provider != providerARN || *out.Audience != "client-a" || *out.SubjectFromWebIdentityToken != "subject" || out.SourceIdentity != nil ||
		*out.AssumedRoleUser.Arn != "arn:aws:sts::111122223333:assumed-role/bearer/session" || !strings.HasPrefix(*out.Credentials.AccessKeyId, "ASIA") ||
		packed < 1 || int(*out.SessionTokenSize) != len(*out.Credentials.SessionToken) || len(*out.Credentials.SessionToken) > 2048 {
		t.Errorf("answered %+v", out)
	}
}
