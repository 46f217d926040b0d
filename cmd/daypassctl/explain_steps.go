package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"daypass.dev/doctor"
	"daypass.dev/internal/cli"
	"daypass.dev/pki"
	"daypass.dev/policy"
	"daypass.dev/reason"
)

// An explanation is what AWS would answer, as far as files tell.
type explanation struct {
	Allowed bool `json:"allowed"`
	// Reason, Detail and Mend are those of the first step that says no.
	Reason string `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
	Mend   string `json:"mend,omitempty"`

	Steps   []explainedStep   `json:"steps"`
	Session *explainedSession `json:"session,omitempty"`
	// NotSeen is what AWS also looks at and no file tells.
	NotSeen []string `json:"notSeen,omitempty"`
}

// The steps, in their order.
const (
	stepCertificate = "certificate"
	stepToken       = "token"
	stepProfile     = "profile"
	stepSession     = "session"
	stepTrust       = "trust policy"
	stepRequest     = "request"
)

// An explainedStep is one thing that AWS looks at.
type explainedStep struct {
	Step    string      `json:"step"`
	Verdict pki.Verdict `json:"verdict"`
	Reason  string      `json:"reason,omitempty"` // slug; empty where nothing is wrong
	Detail  string      `json:"detail"`
	Mend    string      `json:"mend,omitempty"`
	// Decision is what the policies said, where they were asked.
	Decision *explainedDecision `json:"decision,omitempty"`
}

// An explainedSession is what the role's session would be.
type explainedSession struct {
	pki.Session
	Role       string   `json:"roleArn"`
	Transitive []string `json:"transitiveTagKeys,omitempty"`
}

// An examination is one explanation in the making.
type examination struct {
	*explainOptions
	explanation
	now      time.Time
	evidence pki.Evidence
	role     shownRole
	profile  *shownProfile  // nil: none given
	given    policy.Context // --context
	account  string         // of the role; empty: not known
	caller   *claimant      // nil: nobody asks to become the role
}

// A claimant is who asks to become the role.
type claimant struct {
	doctor.Claim
	transitive []string
	lasting    policy.Context // further keys of its session
}

func (o *explainOptions) explain(now time.Time) (explanation, error) {
	x := &examination{explainOptions: o, now: now}
	if err := x.check(); err != nil {
		return explanation{}, err
	}
	if err := x.read(); err != nil {
		return explanation{}, err
	}
	switch {
	case x.certificateFile != "":
		x.examineCertificate()
		x.examineProfile()
	case x.tokenFile != "":
		if err := x.examineToken(); err != nil {
			return explanation{}, err
		}
	}
	if x.caller != nil {
		x.examineTrust()
	}
	if x.action != "" {
		if err := x.examineRequest(); err != nil {
			return explanation{}, err
		}
	}
	x.Allowed = x.Reason == ""
	return x.explanation, nil
}

// check refuses options that make no question together.
func (x *examination) check() error {
	asks := x.certificateFile+x.tokenFile != ""
	switch {
	case x.certificateFile != "" && x.tokenFile != "":
		return cli.Usagef("explain one after the other", "--certificate and --web-identity-token-file are two callers")
	case x.trustFile != "" && !asks:
		return cli.Usagef("give --certificate or --web-identity-token-file", "--trust-policy: nobody is there who asks")
	case asks && x.trustFile == "":
		return cli.Usagef("give --trust-policy; whether a certificate is sound by itself, daypass check tells", "there is no trust policy that could let the caller in")
	case x.certificateFile == "" && x.chainFile+x.anchorFile+x.profileFile != "":
		return cli.Usagef("give --certificate", "--intermediates, --trust-anchor-file and --profile belong to a certificate")
	case x.action == "" && (len(x.policyFiles) > 0 || x.boundaryFile+x.sessionPolicyFile+x.resourcePolicyFile != ""):
		return cli.Usagef("give --action, as in --action s3:GetObject", "there are policies and no request")
	case x.action != "" && len(x.policyFiles) == 0 && x.resourcePolicyFile == "":
		return cli.Usagef("give the role's policies with --policy", "--action: there is no policy that could allow it")
	case x.action != "" && !strings.Contains(x.action, ":"):
		return cli.Usagef("as in --action s3:GetObject", "--action: %q is not SERVICE:ACTION", x.action)
	}
	return nil
}

func (x *examination) read() (err error) {
	if x.evidence, err = x.readEvidence(); err != nil {
		return err
	}
	if x.role, err = x.readRole(); err != nil {
		return err
	}
	if x.profile, err = x.readProfile(); err != nil {
		return err
	}
	if x.given, err = x.readContext(); err != nil {
		return err
	}
	return x.settleRole()
}

// add keeps a step; the first that fails gives the explanation its reason.
func (x *examination) add(s explainedStep) {
	s.Detail, s.Mend = plain(s.Detail), plain(s.Mend)
	if s.Verdict == pki.Fail && x.Reason == "" {
		x.Reason, x.Detail, x.Mend = s.Reason, s.Detail, s.Mend
		if what := s.what(); what != "" {
			x.Detail = what + ": " + s.Detail
		}
	}
	x.Steps = append(x.Steps, s)
}

func (x *examination) pass(step, format string, args ...any) {
	x.add(explainedStep{Step: step, Verdict: pki.Pass, Detail: fmt.Sprintf(format, args...)})
}

// fail keeps a no with the catalogue's mend.
func (x *examination) fail(step, slug, format string, args ...any) {
	row, _ := reason.Lookup(slug)
	x.add(explainedStep{Step: step, Verdict: pki.Fail, Reason: slug, Detail: fmt.Sprintf(format, args...), Mend: row.Mend})
}

// plain takes out what could upset a terminal: files may be another's.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '·'
		}
		return r
	}, s)
}
