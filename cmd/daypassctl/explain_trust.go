package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"daypass.dev/pki"
	"daypass.dev/policy"
)

// An explainedDecision is what policies said to one action.
type explainedDecision struct {
	Action    string   `json:"action"`
	Resource  string   `json:"resource"`
	Allowed   bool     `json:"allowed"`
	Layer     string   `json:"layer"`
	Policy    string   `json:"policy,omitempty"` // its file
	Sid       string   `json:"sid,omitempty"`
	Statement int      `json:"statement,omitempty"` // counted from 1
	Line      int      `json:"line,omitempty"`
	Missing   []string `json:"missing,omitempty"` // condition keys
	Message   string   `json:"message,omitempty"` // AWS's words
}

// examineTrust asks the trust policy for each action that the assumption
// needs, and holds the session's life against the role's.
func (x *examination) examineTrust() {
	base := x.timeContext()
	for _, t := range x.role.Tags {
		base.Set("aws:ResourceTag/"+t.Key, t.Value)
		base.Set("iam:ResourceTag/"+t.Key, t.Value)
	}
	claim := x.caller.Claim
	claim.Context = nil
	claim.Context.Add(x.caller.Context)
	claim.Context.SetMulti("sts:TransitiveTagKeys", x.caller.transitive...)
	claim.Context.Add(x.given)
	for _, a := range claim.Assume(policy.Policies{Resource: x.role.trust}, x.role.ARN, x.account, base) {
		x.decided(stepTrust, explainedDecision{Action: a.Action, Resource: x.role.ARN}, a.Decision)
	}
	if x.profile == nil || x.role.MaxSession == 0 {
		return
	}
	if asked, most := x.profile.duration(), time.Duration(x.role.MaxSession)*time.Second; asked > most {
		x.fail(stepSession, "duration-over-role", "the profile's sessions live %v, the role allows %v", asked, most)
	}
}

// decided keeps what policies said to a request.
func (x *examination) decided(step string, asked explainedDecision, d policy.Decision) {
	asked.Allowed, asked.Layer, asked.Missing, asked.Message = d.Allowed, string(d.Layer), d.Missing, d.Message
	asked.Policy, asked.Sid, asked.Statement, asked.Line = d.Policy, d.Sid, d.Statement, d.Line
	s := explainedStep{Step: step, Verdict: pki.Pass, Decision: &asked}
	if d.Allowed {
		s.Detail = fmt.Sprintf("allowed by statement %d of %s", d.Statement, d.Policy)
	} else {
		s.Verdict, s.Reason, s.Detail, s.Mend = pki.Fail, d.Reason, d.Detail, d.Change+x.perhaps(d.Missing)
	}
	x.add(s)
}

// perhaps names the options for keys that a real request may carry though no
// file tells. What a certificate or token does not say, it does not.
func (x *examination) perhaps(missing []string) string {
	var told []string
	service, _, _ := strings.Cut(strings.ToLower(x.action), ":")
	for _, key := range missing {
		lower := strings.ToLower(key)
		switch {
		case (lower == "aws:sourcearn" || lower == "aws:sourceaccount") && x.certificateFile != "":
			told = append(told, "--trust-anchor-arn ARN")
		case lower == "sts:rolesessionname":
			told = append(told, "--role-session-name NAME")
		case strings.HasPrefix(lower, "aws:principaltag/") && x.caller != nil, strings.HasPrefix(lower, "aws:requesttag/"):
		case strings.HasPrefix(lower, "aws:"), strings.HasPrefix(lower, service+":"):
			told = append(told, "--context "+key+"=VALUE")
		}
	}
	if told == nil {
		return ""
	}
	slices.Sort(told)
	return "; if the request does carry it, say so: " + strings.Join(slices.Compact(told), " ")
}

// timeContext holds the keys that every request has.
func (x *examination) timeContext() policy.Context {
	var ctx policy.Context
	ctx.Set("aws:CurrentTime", x.now.UTC().Format("2006-01-02T15:04:05Z"))
	ctx.Set("aws:EpochTime", strconv.FormatInt(x.now.Unix(), 10))
	ctx.Set("aws:SecureTransport", "true")
	if x.account != "" {
		ctx.Set("aws:ResourceAccount", x.account)
	}
	return ctx
}
