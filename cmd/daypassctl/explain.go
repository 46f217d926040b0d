package main

import (
	"encoding/json"
	"io"
	"time"

	"github.com/spf13/cobra"

	"daypass.dev/internal/cli"
)

// explainOptions say what to explain: files, and what no file tells.
type explainOptions struct {
	certificateFile, chainFile, anchorFile, tokenFile   string
	trustFile, profileFile                              string
	boundaryFile, sessionPolicyFile, resourcePolicyFile string
	policyFiles                                         []string

	anchorARN, roleARN, sessionName string
	action, resource                string
	contexts                        []string
	output                          string
}

func explainCommand() *cobra.Command {
	o := &explainOptions{resource: "*", output: "table"}
	c := &cobra.Command{
		Use:   "explain [SLUG]",
		Short: "why was I refused, and would this be allowed?",
		Long: `Explain tells what a reason means that a decision, hint or log names; without
arguments it lists all reasons.

Given files instead, it goes step by step through what AWS would do with them:
whether the certificate's rules hold, which session tags, source identity and
session name result, whether the role's trust policy lets it in, and whether
the session may do --action. For each no it names the statement that came
nearest, what differed, and the smallest change. It asks nobody, so that it
cannot see whether things exist, are enabled or revoked; the claims of a token
are read and not verified.

--trust-policy also takes what aws iam get-role prints, --profile what
aws rolesanywhere get-profile prints. The exit code is 3 if the answer is no.`,
		Example: `  daypassctl explain policy-condition
  daypassctl explain --certificate tls.crt --trust-anchor-file ca.pem --trust-policy trust.json
  daypassctl explain --certificate tls.crt --trust-anchor-file ca.pem --trust-policy trust.json \
    --profile profile.json --policy list.json --action s3:ListAllMyBuckets
  daypassctl explain --web-identity-token-file token --trust-policy trust.json
  daypassctl explain --policy read.json --action s3:GetObject --resource arn:aws:s3:::reports/q3 \
    --context aws:SourceIp=192.0.2.7 -o json`,
		Args: cobra.MaximumNArgs(1),
	}
	c.ValidArgsFunction = completeSlugs
	cli.Bind(c, o.settings()...)
	f := c.Flags()
	f.StringArrayVar(&o.policyFiles, "policy", nil, "identity policy of the role, as JSON in this `FILE`; may be repeated")
	f.StringArrayVar(&o.contexts, "context", nil, "condition key of the request, as `KEY=VALUE`; repeat a key for a list")
	f.StringVarP(&o.output, "output", "o", o.output, "print as `FORMAT`, table or json")
	c.RunE = func(c *cobra.Command, args []string) error {
		if o.output != "table" && o.output != "json" {
			return cli.Usagef("", "--output: %q is neither table nor json", o.output)
		}
		switch {
		case len(args) == 1:
			return o.tellReason(c.OutOrStdout(), args[0])
		case o.nothing():
			return o.listReasons(c.OutOrStdout())
		}
		e, err := o.explain(time.Now())
		if err != nil {
			return err
		}
		if err := o.print(c.OutOrStdout(), e, e.table); err != nil {
			return err
		}
		if !e.Allowed {
			return cli.Nof(e.Mend, "AWS would refuse this: %s", e.Reason)
		}
		return nil
	}
	return c
}

func (o *explainOptions) settings() []cli.Setting {
	return []cli.Setting{
		{Flag: "certificate", Arg: "FILE", Into: &o.certificateFile, Help: "the leaf as PEM, its chain behind it if need be"},
		{Flag: "intermediates", Arg: "FILE", Into: &o.chainFile, Help: "PEM certificates between the leaf and the trust anchor"},
		{Flag: "trust-anchor-file", Arg: "FILE", Into: &o.anchorFile, Help: "PEM file with the certificates of the trust anchor"},
		{Flag: "trust-anchor-arn", Arg: "ARN", Into: &o.anchorARN, Help: "the trust anchor, for aws:SourceArn and aws:SourceAccount"},
		{Flag: "web-identity-token-file", Arg: "FILE", Into: &o.tokenFile, Help: "an OIDC token in place of a certificate; its claims are not verified"},
		{Flag: "trust-policy", Arg: "FILE", Into: &o.trustFile, Help: "the role's trust policy, or the role as get-role prints it"},
		{Flag: "profile", Arg: "FILE", Into: &o.profileFile, Help: "the profile as get-profile prints it; without, one with the default attribute mapping"},
		{Flag: "role-arn", Arg: "ARN", Into: &o.roleARN, Help: "the role, where no file tells"},
		{Flag: "role-session-name", Arg: "NAME", Into: &o.sessionName, Help: "the session name that is asked for"},
		{Flag: "boundary", Arg: "FILE", Into: &o.boundaryFile, Help: "permissions boundary of the role"},
		{Flag: "session-policy", Arg: "FILE", Into: &o.sessionPolicyFile, Help: "session policy, beside the profile's own"},
		{Flag: "resource-policy", Arg: "FILE", Into: &o.resourcePolicyFile, Help: "policy of the resource, as a bucket policy"},
		{Flag: "action", Arg: "ACTION", Into: &o.action, Help: "what the session wants to do, as s3:GetObject"},
		{Flag: "resource", Arg: "ARN", Into: &o.resource, Help: "what it wants to do it to"},
	}
}

// nothing tells that no file is given.
func (o *explainOptions) nothing() bool {
	return o.certificateFile+o.chainFile+o.anchorFile+o.tokenFile+o.trustFile+o.profileFile == "" &&
		o.boundaryFile+o.sessionPolicyFile+o.resourcePolicyFile+o.action == "" && len(o.policyFiles) == 0
}

// print writes v as JSON, or a table.
func (o *explainOptions) print(w io.Writer, v any, table func(io.Writer) error) error {
	if o.output != "json" {
		return table(w)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
