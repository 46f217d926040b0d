// Package doctor says why a workload gets no credentials. Diagnose goes through
// the evidence in the order in which the data flows, from the workload's
// settings to what AWS answered, judges each thing, and ends in the one cause
// that is likeliest. It is pure: it asks nobody and reads no clock; gather
// collects the evidence.
//
// Any part of the evidence may be missing, since nobody may read everything.
// What cannot be judged is unknown and says why, never a pass.
package doctor

import (
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"daypass.dev/pki"
	"daypass.dev/reason"
)

// Evidence is what is known. Nil parts were not looked at.
type Evidence struct {
	// Now is AWS's time as far as it is known, else this machine's.
	Now time.Time

	Pod      *Pod
	Settings *Settings
	// Problems are things of the workload that could not be read at all.
	Problems []Problem
	// Certificate or Token is the proof.
	Certificate *pki.Evidence
	Token       *Token
	// Names is any certificate with the names that the workload's has, where that
	// itself is not at hand; nothing else of it counts.
	Names *x509.Certificate
	Ways  []Way

	Anchor  *Anchor
	CRLs    *CRLs
	Profile *Profile

	Provider *Provider
	Issuer   *Issuer

	Role *Role
	// Further is the role that the workload goes on to with the credentials of
	// Role; nil: there is none.
	Further *Role
	Request *Request

	// Answer is what AWS said when it was asked for credentials.
	Answer *Answer
}

// A Look says what came of looking for a thing in AWS.
type Look struct {
	Missing bool   // there is no such thing
	Unseen  string // why it could not be looked at; empty: it was
}

// A Problem is a thing of the workload that could not be read.
type Problem struct {
	Reason string // its slug
	On     string // "certificate", "settings", ...
	Detail string
	Mend   string // empty: the catalogue's
}

// A Verdict is the outcome of one check.
type Verdict string

// The verdicts.
const (
	Pass    Verdict = "pass"
	Warn    Verdict = "warn" // works, and worth a look
	Fail    Verdict = "fail"
	Unknown Verdict = "unknown"
)

// A Check is what was found of one thing.
type Check struct {
	Step    string  `json:"step"`
	Verdict Verdict `json:"verdict"`
	// Reason is a slug of the catalogue; empty where none fits.
	Reason string `json:"reason,omitempty"`
	// Detail is the evidence, Mend what to do about it.
	Detail string `json:"detail"`
	Mend   string `json:"mend,omitempty"`
}

// The steps, in the order of the data flow.
const (
	StepPod         = "pod"
	StepSettings    = "settings"
	StepCertificate = "certificate"
	StepToken       = "token"
	StepNetwork     = "network"
	StepAnchor      = "trust anchor"
	StepRevocation  = "revocation"
	StepProfile     = "profile"
	StepSession     = "session"
	StepProvider    = "provider"
	StepIssuer      = "issuer"
	StepRole        = "role"
	StepTrust       = "trust policy"
	StepFurther     = "further role"
	StepRequest     = "request"
	StepAnswer      = "AWS's answer"
)

// A Report is the diagnosis.
type Report struct {
	// Healthy: nothing is known to be wrong.
	Healthy bool `json:"healthy"`
	// Cause is the likeliest, one of Checks; nil if nothing fails.
	Cause *Check `json:"cause,omitempty"`
	// Candidates are the reasons that AWS's words stand for, where no check
	// found which of them it is.
	Candidates []string `json:"candidates,omitempty"`
	Checks     []Check  `json:"checks"`
}

// A diagnosis is one report in the making.
type diagnosis struct {
	Evidence
	Report
	step    string
	session *Claim // who asks to become the role, once that is known
}

// Diagnose judges the evidence.
func Diagnose(e Evidence) Report {
	d := &diagnosis{Evidence: e}
	for _, part := range []struct {
		step string
		by   func(*diagnosis)
	}{
		{StepPod, (*diagnosis).pod},
		{StepSettings, (*diagnosis).settings},
		{StepCertificate, (*diagnosis).certificate},
		{StepToken, (*diagnosis).token},
		{StepNetwork, (*diagnosis).network},
		{StepAnchor, (*diagnosis).anchor},
		{StepRevocation, (*diagnosis).revocation},
		{StepProfile, (*diagnosis).profile},
		{StepSession, (*diagnosis).sessions},
		{StepProvider, (*diagnosis).provider},
		{StepIssuer, (*diagnosis).issuer},
		{StepRole, (*diagnosis).role},
		{StepTrust, (*diagnosis).trust},
		{StepFurther, (*diagnosis).further},
		{StepRequest, (*diagnosis).request},
		{StepAnswer, (*diagnosis).answer},
	} {
		d.step = part.step
		part.by(d)
	}
	d.conclude()
	return d.Report
}

// conclude finds the cause: the first failure that AWS's words allow, else the
// first of all. Where AWS gave credentials, a failure before that is none: AWS
// knows its rules better.
func (d *diagnosis) conclude() {
	given := d.Answer != nil && d.Answer.OK
	var said []string
	if d.Answer != nil && !d.Answer.OK {
		said = Recognise(d.Answer.Text)
	}
	var first, fits *Check
	for i := range d.Checks {
		c := &d.Checks[i]
		if c.Verdict == Fail && given && c.Step != StepRequest && c.Step != StepPod {
			c.Verdict = Warn
			c.Detail += "; AWS gave credentials nevertheless"
		}
		if c.Verdict != Fail || c.Step == StepAnswer {
			continue
		}
		if first == nil {
			first = c
		}
		if fits == nil && slices.Contains(said, c.Reason) {
			fits = c
		}
	}
	switch {
	case d.Answer != nil && d.Answer.Decision != "":
		d.recorded(d.Answer.Decision)
	case fits != nil:
		d.Cause = fits
	case first != nil:
		d.Cause = first
	default:
		d.fromWords(said)
		d.suspect(said)
	}
	d.Healthy = d.Cause == nil
}

// suspect takes for the cause a warning that AWS's words allow where all else
// was seen, else a rule that AWS does not state and the certificate breaks, where
// AWS refused and says no more.
func (d *diagnosis) suspect(said []string) {
	if d.Cause == nil || d.Cause.Reason != "" {
		return
	}
	unseen := slices.ContainsFunc(d.Checks, func(c Check) bool { return c.Verdict == Unknown })
	for _, fits := range []func(*Check) bool{
		func(c *Check) bool { return !unseen && slices.Contains(said, c.Reason) },
		func(c *Check) bool {
			return c.Step == StepCertificate && slices.Contains(certificateOrder[:], c.Reason)
		},
	} {
		for i := range d.Checks {
			if c := &d.Checks[i]; c.Verdict == Warn && fits(c) {
				d.Cause, d.Candidates = c, nil
				return
			}
		}
	}
}

// recorded takes the cause that the sandbox's record names: a check that found
// it too, or the record's own line.
func (d *diagnosis) recorded(slug string) {
	for i := range d.Checks {
		if c := &d.Checks[i]; c.Verdict == Fail && c.Reason == slug {
			d.Cause = c
			return
		}
	}
}

// fromWords takes the cause from AWS's words, where no check found one.
func (d *diagnosis) fromWords(said []string) {
	i := slices.IndexFunc(d.Checks, func(c Check) bool { return c.Step == StepAnswer && c.Verdict == Fail })
	if i < 0 {
		return
	}
	c := &d.Checks[i]
	d.Cause = c
	if len(said) == 1 {
		row, _ := reason.Lookup(said[0])
		c.Reason, c.Mend = row.Slug, row.Mend
		c.Detail += "; " + row.Cause
		return
	}
	d.Candidates = said
}

func (d *diagnosis) add(c Check) {
	c.Step = d.step
	d.Checks = append(d.Checks, c)
}

func (d *diagnosis) pass(detail string) { d.add(Check{Verdict: Pass, Detail: detail}) }

func (d *diagnosis) unknown(detail string) { d.add(Check{Verdict: Unknown, Detail: detail}) }

// fail and warn take the mend from the catalogue.
func (d *diagnosis) fail(slug, detail string) { d.judge(Fail, slug, detail) }
func (d *diagnosis) warn(slug, detail string) { d.judge(Warn, slug, detail) }

func (d *diagnosis) judge(v Verdict, slug, detail string) {
	row, _ := reason.Lookup(slug)
	d.add(Check{Verdict: v, Reason: slug, Detail: detail, Mend: row.Mend})
}

// looked tells whether a thing was seen; if not, it says why.
func (d *diagnosis) looked(l Look, what, missing string) bool {
	what = strings.TrimSpace(what)
	switch {
	case l.Missing:
		d.fail(missing, "there is no "+what)
	case l.Unseen != "":
		d.unknown(what + " was not seen: " + l.Unseen)
	default:
		return true
	}
	return false
}
