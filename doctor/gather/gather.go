// Package gather collects evidence for doctor: from the workload's settings and
// files, from the network, from AWS with an operator's credentials, and by
// asking AWS for the workload's own. It changes nothing anywhere, and what it
// may not read it leaves unknown, with the reason.
package gather

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"daypass.dev/config"
	"daypass.dev/doctor"
	"daypass.dev/internal/cli"
	"daypass.dev/pki"
)

// A Case is what to look at.
type Case struct {
	// Settings are the workload's, as daypass itself takes them. Nil: there is
	// no workload at hand, only words.
	Settings *config.Settings
	// Base is what somebody else saw of a workload that is not at hand, with its
	// settings; then Settings is nil.
	Base *doctor.Evidence
	// AnchorFile (PEM), ProfileFile and RoleFile (as the AWS CLI prints them)
	// stand for what AWS has; what they hold is not asked for.
	AnchorFile, ProfileFile, RoleFile string
	// Request is what the workload wants to do; nil: nothing is asked.
	Request *doctor.Request
	// Said is what a log says that AWS or an SDK said; empty: nothing.
	Said string
	// Decisions is the file of a sandbox's decisions; its last refusal counts.
	Decisions string

	// Operator reads AWS; nil: nobody does, for the reason Unseen.
	Operator *aws.Config
	Unseen   string
	// Ask: ask AWS for the workload's credentials, once, and throw them away.
	Ask bool
	// Client fetches the documents of token issuers; nil: http.DefaultClient.
	Client *http.Client
	Log    *slog.Logger
}

// Collect collects the evidence as of now. It takes at most a minute, or until
// ctx is done.
func (c *Case) Collect(ctx context.Context) doctor.Evidence {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	e := doctor.Evidence{Now: time.Now(), Request: c.Request}
	switch {
	case c.Base != nil:
		e = *c.Base
		e.Now, e.Request = time.Now(), c.Request
		c.files(&e)
		c.fromAWS(ctx, &e, e.Token != nil)
	case c.Settings != nil:
		c.workload(ctx, &e)
	}
	if c.Said != "" {
		e.Answer = &doctor.Answer{Text: c.Said}
	}
	c.decision(&e)
	return e
}

// workload collects what concerns the workload itself.
func (c *Case) workload(ctx context.Context, e *doctor.Evidence) {
	e.Settings = c.settings()
	bears, err := c.Settings.BearsToken()
	if err != nil {
		e.Problems = append(e.Problems, problem(doctor.StepSettings, "settings-missing", err))
	}
	if bears {
		c.token(ctx, e)
	} else {
		c.certificate(ctx, e)
	}
	c.files(e)
	if c.Ask {
		c.ask(ctx, e, bears)
	}
	c.fromAWS(ctx, e, bears)
}

func (c *Case) settings() *doctor.Settings {
	s := c.Settings
	first := func(list string) string { one, _, _ := strings.Cut(list, ","); return strings.TrimSpace(one) }
	return &doctor.Settings{
		RoleARN: s.RoleARN, TrustAnchorARN: first(s.TrustAnchorARN), ProfileARN: first(s.ProfileARN),
		SessionName: s.RoleSessionName, Duration: s.SessionDuration, InstanceProperties: s.InstanceProperties != "",
		FurtherARN: s.ChainRoleARN, ExternalID: s.ExternalID, Region: c.region(),
	}
}

// region is where Roles Anywhere is called, if a setting says so.
func (c *Case) region() string {
	if bears, err := c.Settings.BearsToken(); err != nil || bears {
		return ""
	}
	return c.Settings.Region
}

// files reads what stands for AWS.
func (c *Case) files(e *doctor.Evidence) {
	if c.AnchorFile != "" {
		a := &doctor.Anchor{Look: doctor.Look{Unseen: "only its certificates are at hand"}, ARN: e.Settings.TrustAnchorARN}
		data, err := cli.ReadFile(c.AnchorFile, cli.Small)
		if err == nil {
			a.Bundle = string(data)
			a.Certificates, err = pki.ParseCertificates(data)
		}
		if err != nil {
			e.Problems = append(e.Problems, problem(doctor.StepCertificate, "anchor-bundle", err))
		}
		e.Anchor = a
	}
	if c.ProfileFile != "" {
		data, err := cli.ReadFile(c.ProfileFile, cli.Small)
		if err == nil {
			e.Profile, err = doctor.ParseProfile(data)
		}
		if err != nil {
			e.Profile = &doctor.Profile{Look: doctor.Look{Unseen: c.ProfileFile + ": " + err.Error()}}
		}
	}
	if c.RoleFile != "" {
		data, err := cli.ReadFile(c.RoleFile, cli.Small)
		if err == nil {
			e.Role, err = doctor.ParseRole(data)
		}
		if err != nil {
			e.Role = &doctor.Role{Look: doctor.Look{Unseen: c.RoleFile + ": " + err.Error()}}
		}
	}
}
