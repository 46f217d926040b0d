package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/spf13/cobra"

	"daypass.dev/config"
	"daypass.dev/doctor"
	"daypass.dev/doctor/gather"
	"daypass.dev/internal/cli"
	"daypass.dev/internal/sdk"
	"daypass.dev/reason"
)

// doctorOptions are the workload's settings, and what to look at beside them.
type doctorOptions struct {
	config.Settings
	anchorFile, profileFile, roleFile string
	action, resource                  string
	said, decisions                   string
	offline, verbose                  bool
	cluster                           clusterOptions
	output                            string
}

func doctorCommand() *cobra.Command {
	o := &doctorOptions{Settings: config.Defaults(), resource: "*", output: "table"}
	c := &cobra.Command{
		Use:   "doctor [pod/NAME]",
		Short: "why does this workload get no credentials?",
		Long: `Doctor takes the workload's own settings, by the flags and variables of daypass,
and goes the way that the data goes: files, certificate or token, network, trust
anchor, revocation lists, profile, role, trust policy. It judges each thing, says
by what evidence and how to mend it, and ends in the likeliest cause.

It asks AWS once for the workload's credentials and throws them away. What AWS
has, it reads with the credentials that the AWS CLI would use here, or from the
files that --profile and --trust-policy name; what it may not read is unknown,
never a pass. It changes nothing. --offline asks nobody.

With pod/NAME it reads the cluster instead: who the pod is to AWS and by what
rule, whether it was given what it needs, its certificate, its events and what
its containers say; then AWS as above. It needs no rights beyond reading, and
says what it may not read. The pod's own calls are not repeated.

With --said it starts from what a log says; with --decisions from the record of
a sandbox, which knows. The exit code is 3 if something is wrong.`,
		Example: `  daypassctl doctor --certificate tls.crt --private-key tls.key --role-arn … --trust-anchor-arn … --profile-arn …
  daypassctl doctor --offline --certificate tls.crt --trust-anchor-file ca.pem --trust-policy role.json
  daypassctl doctor --web-identity-token-file token --role-arn … --action s3:GetObject --resource arn:aws:s3:::reports/q3
  daypassctl doctor pod/web-7f9c -n shop
  daypassctl doctor --said "Untrusted certificate. Insufficient certificate"`,
		Args: cobra.MaximumNArgs(1),
	}
	cli.Bind(c, append(append(o.Table(), o.cluster.table()...),
		cli.Setting{Flag: "trust-anchor-file", Arg: "FILE", Into: &o.anchorFile, Help: "PEM file with the certificates of the trust anchor"},
		cli.Setting{Flag: "profile", Arg: "FILE", Into: &o.profileFile, Help: "the profile as aws rolesanywhere get-profile prints it"},
		cli.Setting{Flag: "trust-policy", Arg: "FILE", Into: &o.roleFile, Help: "the role as aws iam get-role prints it, or its trust policy"},
		cli.Setting{Flag: "action", Arg: "ACTION", Into: &o.action, Help: "what the workload wants to do, as s3:GetObject"},
		cli.Setting{Flag: "resource", Arg: "ARN", Into: &o.resource, Help: "what it wants to do it to"},
		cli.Setting{Flag: "said", Arg: "TEXT", Into: &o.said, Help: "what a log says that AWS, an SDK or a kubelet said"},
		cli.Setting{Flag: "decisions", Arg: "FILE", Into: &o.decisions, Help: "the decisions of a sandbox; the last refusal counts"},
		cli.Setting{Flag: "offline", Into: &o.offline, Help: "ask nobody: files and settings alone"},
		cli.Setting{Flag: "verbose", Short: "v", Into: &o.verbose, Help: "show every check, also those that pass"},
	)...)
	c.Flags().StringVarP(&o.output, "output", "o", o.output, "print as `FORMAT`, table or json")
	c.RunE = func(c *cobra.Command, args []string) error {
		if o.output != "table" && o.output != "json" {
			return cli.Usagef("", "--output: %q is neither table nor json", o.output)
		}
		examined := o.examined(c.Context())
		if len(args) == 1 {
			var err error
			if examined, err = o.pod(c.Context(), args[0]); err != nil {
				return err
			}
		}
		return tellReport(c.OutOrStdout(), doctor.Diagnose(examined.Collect(c.Context())), o.output, o.verbose)
	}
	return c
}

// examined is what is to be looked at.
func (o *doctorOptions) examined(ctx context.Context) *gather.Case {
	c := &gather.Case{
		Settings: &o.Settings, AnchorFile: o.anchorFile, ProfileFile: o.profileFile, RoleFile: o.roleFile,
		Said: o.said, Decisions: o.decisions,
	}
	if o.action != "" {
		c.Request = &doctor.Request{Action: o.action, Resource: o.resource}
	}
	nothing := o.Certificate+o.WebIdentityTokenFile+o.TokenSource+o.RoleARN == ""
	switch {
	case nothing && o.said+o.decisions != "":
		c.Settings = nil
	case o.offline:
		c.Unseen = "--offline"
	default:
		c.Ask = true
		c.Operator, c.Unseen = operator(ctx)
	}
	return c
}

// operator is who reads AWS: whoever the AWS CLI would be here. Nil if there
// are no credentials, and then why.
func operator(ctx context.Context) (*aws.Config, string) {
	c, err := sdk.Load(ctx, awsconfig.WithEC2IMDSClientEnableState(imds.ClientDisabled))
	if err == nil {
		_, err = c.Credentials.Retrieve(ctx)
	}
	if err != nil {
		return nil, "there are no AWS credentials here to look with"
	}
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	return &c, ""
}

// tellReport prints a diagnosis, and is an error if something is wrong.
func tellReport(w io.Writer, r doctor.Report, form string, verbose bool) error {
	if form == "json" {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(r); err != nil {
			return err
		}
	} else if _, err := io.WriteString(w, reportTable(r, verbose)); err != nil {
		return err
	}
	if r.Healthy {
		return nil
	}
	switch {
	case r.Cause.Reason != "":
		return cli.Nof(plain(r.Cause.Mend), "the likeliest cause is %s", plain(r.Cause.Reason))
	case len(r.Candidates) > 0:
		return cli.Nof("", "AWS refuses for one of these: %s", strings.Join(r.Candidates, ", "))
	}
	return cli.Nof("", "AWS refuses for a reason that is not known")
}

// reportTable shows what is wrong or unknown, and of what passes how much.
func reportTable(r doctor.Report, verbose bool) string {
	var b strings.Builder
	passed := map[string]int{}
	for _, c := range r.Checks {
		if c.Verdict == doctor.Pass {
			passed[c.Step]++
		}
	}
	for _, c := range r.Checks {
		switch {
		case c.Verdict == doctor.Pass && !verbose && passed[c.Step] > 1:
			fmt.Fprintf(&b, "%-7s  %-13s  %d checks pass\n", c.Verdict, c.Step, passed[c.Step])
			passed[c.Step] = 0
			continue
		case c.Verdict == doctor.Pass && !verbose && passed[c.Step] == 0:
			continue
		}
		fmt.Fprintf(&b, "%-7s  %-13s  ", c.Verdict, c.Step)
		if c.Reason != "" && c.Verdict != doctor.Pass {
			b.WriteString(plain(c.Reason) + ": ")
		}
		b.WriteString(plain(c.Detail) + "\n")
		if c.Mend != "" && c.Verdict != doctor.Pass {
			fmt.Fprintf(&b, "         mend: %s\n", plain(c.Mend))
		}
	}
	switch {
	case r.Healthy:
		b.WriteString("\nnothing is wrong, as far as can be told\n")
	case len(r.Candidates) > 0:
		b.WriteString("\nAWS's words stand for one of these, the likeliest first:\n")
		for _, slug := range r.Candidates {
			row, _ := reason.Lookup(slug)
			fmt.Fprintf(&b, "  %s: %s\n", slug, row.Cause)
		}
	default:
		fmt.Fprintf(&b, "\nlikeliest cause: %s\n", plain(strings.TrimPrefix(r.Cause.Reason+": "+r.Cause.Detail, ": ")))
	}
	return b.String()
}
