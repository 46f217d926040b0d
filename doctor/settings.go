package doctor

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"daypass.dev/policy"
)

// Settings are what the workload is told.
type Settings struct {
	RoleARN, TrustAnchorARN, ProfileARN string
	// FurtherARN is the role that it goes on to, and ExternalID what it shows for
	// that; empty: none.
	FurtherARN, ExternalID string
	SessionName            string
	Duration               time.Duration // 0: not asked for
	InstanceProperties     bool          // some are sent
	Region                 string        // where AWS is called, if it is said
	// Environment holds the workload's variables that AWS's SDKs read; values
	// of secrets are never kept.
	Environment map[string]string
}

var roleARNForm = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/(?:[!-~]+/)?[\w+=,.@-]{1,64}$`)

var arnForms = map[string]*regexp.Regexp{
	"role":         roleARNForm,
	"further role": roleARNForm,
	"trust anchor": regexp.MustCompile(`^arn:aws[a-z-]*:rolesanywhere:[a-z0-9-]+:[0-9]{12}:trust-anchor/[0-9a-f-]+$`),
	"profile":      regexp.MustCompile(`^arn:aws[a-z-]*:rolesanywhere:[a-z0-9-]+:[0-9]{12}:profile/[0-9a-f-]+$`),
}

func (d *diagnosis) settings() {
	s := d.Settings
	if s == nil {
		d.problems(StepSettings)
		return
	}
	sound := true
	for what, arn := range map[string]string{"role": s.RoleARN, "further role": s.FurtherARN, "trust anchor": s.TrustAnchorARN, "profile": s.ProfileARN} {
		if arn != "" && !arnForms[what].MatchString(arn) {
			d.fail("session-arn", fmt.Sprintf("%.200q is no %s's ARN", arn, what))
			sound = false
		}
	}
	anchor, profile, role := partsOf(s.TrustAnchorARN), partsOf(s.ProfileARN), partsOf(s.RoleARN)
	switch {
	case !sound || s.TrustAnchorARN == "":
	case s.ProfileARN != "" && (profile.region != anchor.region || profile.account != anchor.account || profile.partition != anchor.partition):
		d.fail("profile-elsewhere", "the profile is "+s.ProfileARN+", the trust anchor "+s.TrustAnchorARN)
	case s.RoleARN != "" && role.account != anchor.account:
		d.fail("role-elsewhere", "the role is in account "+role.account+", the trust anchor in "+anchor.account)
	case s.Region != "" && s.Region != anchor.region:
		d.fail("anchor-region", "AWS is called in "+s.Region+", the trust anchor is in "+anchor.region)
	}
	if s.Duration != 0 && (s.Duration < 15*time.Minute || s.Duration > 12*time.Hour) {
		d.fail("session-duration", s.Duration.String()+" is asked for")
	}
	if s.SessionName != "" && !sessionForm.MatchString(s.SessionName) {
		d.fail("session-name", fmt.Sprintf("%.80q is asked for", s.SessionName))
	}
	d.environment(s)
	d.problems(StepSettings)
	if len(d.Checks) == 0 || d.Checks[len(d.Checks)-1].Step != StepSettings {
		d.pass("they agree with each other")
	}
}

var sessionForm = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

// environment looks for variables that make SDKs pass over the credentials that
// daypass delivers.
func (d *diagnosis) environment(s *Settings) {
	env := s.Environment
	if _, ok := env["AWS_ACCESS_KEY_ID"]; ok {
		verdict := Warn
		if s.RoleARN != "" {
			verdict = Fail // which the workload will not get
		}
		d.judge(verdict, "environment-keys", "AWS_ACCESS_KEY_ID is set")
	}
	if strings.EqualFold(env["AWS_EC2_METADATA_DISABLED"], "true") && env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] != "" {
		d.fail("environment-imds", "AWS_EC2_METADATA_DISABLED is true, and AWS_EC2_METADATA_SERVICE_ENDPOINT names an endpoint")
	}
}

// problems tells those of one step.
func (d *diagnosis) problems(step string) {
	for _, p := range d.Problems {
		if p.On != step {
			continue
		}
		d.fail(p.Reason, p.Detail)
		if p.Mend != "" {
			d.Checks[len(d.Checks)-1].Mend = p.Mend
		}
	}
}

type arnParts struct{ partition, region, account, name string }

// partsOf takes an ARN apart; of anything else all is empty.
func partsOf(arn string) arnParts {
	p := strings.SplitN(arn, ":", 6)
	if len(p) != 6 {
		return arnParts{}
	}
	return arnParts{p[1], p[3], p[4], p[5][strings.LastIndexByte(p[5], '/')+1:]}
}

func principal(service string) policy.Principal {
	return policy.Principal{Kind: policy.Service, Name: service}
}

// A Way is the way to one endpoint of AWS.
type Way struct {
	Host string
	// Reason is the slug of what is in the way, Err says more; empty: nothing is.
	Reason, Err string
	// Skew is this machine's clock less AWS's, to a second.
	Skew time.Duration
	Note string // address and certificate
}

func (d *diagnosis) network() {
	for _, w := range d.Ways {
		switch {
		case w.Reason != "":
			d.fail(w.Reason, w.Host+": "+w.Err)
		case w.Skew > 15*time.Minute || w.Skew < -15*time.Minute:
			d.fail("x509-clock", fmt.Sprintf("this machine's clock is %s off AWS's", w.Skew))
		case w.Skew > time.Minute || w.Skew < -time.Minute:
			d.warn("live-clock", fmt.Sprintf("this machine's clock is %s off AWS's", w.Skew))
		default:
			d.pass(w.Host + ": " + w.Note + ", the clocks agree to a minute")
		}
	}
}
