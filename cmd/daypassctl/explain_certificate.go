package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"daypass.dev/doctor"
	"daypass.dev/pki"
	"daypass.dev/reason"
)

func (x *examination) examineCertificate() {
	findings := pki.Check(x.evidence, x.now)
	counts := map[pki.Verdict]int{}
	var told []pki.Finding
	for _, f := range findings {
		counts[f.Verdict]++
		if f.Verdict == pki.Fail || f.Verdict == pki.Warn {
			told = append(told, f)
		}
	}
	slices.SortStableFunc(told, func(a, b pki.Finding) int { return doctor.Rank(a) - doctor.Rank(b) })
	if counts[pki.Fail] == 0 {
		x.pass(stepCertificate, "%d rules of Roles Anywhere hold, %d warn", counts[pki.Pass], counts[pki.Warn])
	}
	for _, f := range told {
		x.add(explainedStep{Step: stepCertificate, Verdict: f.Verdict, Reason: f.Rule, Detail: f.On + ": " + f.Detail, Mend: f.Mend})
	}
	x.NotSeen = append(x.NotSeen, "whether the trust anchor is enabled, and its revocation lists")
	if x.anchorFile == "" {
		x.NotSeen = append(x.NotSeen, "whether the trust anchor vouches for the leaf (--trust-anchor-file)")
	}
}

// examineProfile holds the request against the profile and settles the
// session that results.
func (x *examination) examineProfile() {
	if x.profile == nil {
		x.NotSeen = append(x.NotSeen, "the profile (--profile): the default attribute mapping is taken")
	} else if slug, detail := x.profileFault(); slug != "" {
		x.fail(stepProfile, slug, "%s", detail)
	} else {
		x.pass(stepProfile, "%s lists the role and is enabled", pki.Printable(x.profile.Name))
	}
	if why := doctor.Unnameable(x.evidence.Leaf); why != "" {
		x.fail(stepSession, "source-identity", "%s", why)
	}
	claim := doctor.AnywhereClaim(x.evidence.Leaf, x.anchorARN, x.sessionName, x.profile.mappings())
	if x.profile != nil {
		claim.Context.Set("sts:DurationSeconds", fmt.Sprint(int(x.profile.duration()/time.Second)))
	}
	x.caller = &claimant{Claim: claim}
	x.tellSession()
}

// profileFault follows the order of the sandbox.
func (x *examination) profileFault() (slug, detail string) {
	p, anchor := x.profile, anchorARNForm.FindStringSubmatch(x.anchorARN)
	part := strings.Split(p.ARN, ":")
	switch {
	case anchor != nil && len(part) > 4 && (part[3] != anchor[1] || part[4] != anchor[2]):
		return "profile-elsewhere", "the profile is " + p.ARN + ", the trust anchor " + x.anchorARN
	case p.Enabled != nil && !*p.Enabled:
		return "profile-disabled", "the profile " + p.Name + " is disabled"
	case !slices.Contains(p.Roles, x.role.ARN):
		return "profile-role", x.role.ARN + " is not among the profile's roles: " + strings.Join(p.Roles, ", ")
	case x.sessionName != "" && !p.AcceptSessionName:
		return "profile-session-name", "the profile " + p.Name + " has acceptRoleSessionName false"
	case anchor != nil && x.account != anchor[2]:
		return "role-elsewhere", "the role is in account " + x.account + ", the trust anchor in " + anchor[2]
	}
	if p.RequireInstanceProperties {
		row, _ := reason.Lookup("profile-properties")
		x.add(explainedStep{Step: stepProfile, Verdict: pki.Warn, Reason: row.Slug, Detail: "the profile wants instanceProperties to be sent", Mend: row.Mend})
	}
	return "", ""
}

// tellSession keeps what session results.
func (x *examination) tellSession() {
	s := x.caller.Session
	x.Session = &explainedSession{Session: s, Role: x.role.ARN, Transitive: x.caller.transitive}
	name := s.Name
	if name == "" {
		name = "chosen by the client (--role-session-name)"
	}
	source := "none"
	if s.SourceIdentity != "" {
		source = pki.Printable(s.SourceIdentity)
	}
	x.pass(stepSession, "name %s, source identity %s, %d tags", name, source, len(s.Tags))
}
