package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/spf13/cobra"

	"daypass.dev/internal/cli"
	"daypass.dev/pki"
)

// revokeOptions say who loses what.
type revokeOptions struct {
	certificate, anchor, ca, life, output string
	role, identity                        string
	lift                                  bool
}

// A revocationReport is what revoke reports.
type revocationReport struct {
	Certificate string    `json:"certificate,omitempty"`
	Serial      string    `json:"serial,omitempty"`
	CRL         string    `json:"crl,omitempty"` // ARN
	Role        string    `json:"role,omitempty"`
	Policy      string    `json:"policy,omitempty"`
	Identity    string    `json:"identity,omitempty"`
	Before      time.Time `json:"before,omitzero"` // sessions issued before it are refused
	Lifted      bool      `json:"lifted,omitempty"`
}

func (r revocationReport) lines() []line {
	lines := []line{
		{"certificate", r.Certificate}, {"serial", r.Serial}, {"list in AWS", r.CRL},
		{"role", r.Role}, {"its policy", r.Policy}, {"of sessions of", r.Identity},
	}
	switch {
	case r.Lifted:
		return append(lines, line{"now", "lifted: sessions are allowed again"})
	case !r.Before.IsZero():
		return append(lines, line{"issued before", utc(r.Before)})
	case r.Role != "":
		return append(lines, line{"issued", "at any time, until --lift"})
	}
	return lines
}

func revokeCommand() *cobra.Command {
	o := &revokeOptions{life: "30d", output: "table"}
	c := &cobra.Command{
		Use:   "revoke",
		Short: "end what a certificate gives: new sessions, and those that live",
		Long: `Revoke ends access in AWS at once, in two halves, of which either may be given.

  --certificate      no new sessions: the certificate goes on a revocation list,
                     which is imported for its trust anchor. Its CA is a folder of
                     daypassctl pki, by --ca; else the trust anchor's private CA,
                     which must keep a CRL in S3. AWS may take half an hour to
                     write that; revoke waits for it, and ends the live sessions
                     before.
  --role             live sessions: a policy of the role denies everything to
                     sessions that were issued before now: those of the
                     certificate, if one is given, or of the source identity that
                     --identity names (as CloudTrail shows it: CN=web@shop), else
                     all. An identity without a certificate that is revoked is
                     denied for good, until lifted.

--lift takes the role's policy away again. A list stays: a certificate that was
revoked is never good again.`,
		Example: `  daypassctl revoke --certificate leaf.pem --ca ca/ --trust-anchor-arn ARN --role reports
  daypassctl revoke --role reports
  daypassctl revoke --role reports --identity CN=web@shop --lift`,
		Args: cobra.NoArgs,
	}
	cli.Bind(c,
		cli.Setting{Flag: "certificate", Arg: "FILE", Into: &o.certificate, Help: "the certificate to revoke, in PEM"},
		cli.Setting{Flag: "trust-anchor-arn", Arg: "ARN", Into: &o.anchor, Help: "the trust anchor that vouches for it"},
		cli.Setting{Flag: "ca", Arg: "DIR", Into: &o.ca, Help: "folder of the CA that issued it, as daypassctl pki keeps it"},
		cli.Setting{Flag: "lifetime", Arg: "TIME", Into: &o.life, Help: "how long that CA's list is good for, as 30d"},
		cli.Setting{Flag: "role", Arg: "NAME", Into: &o.role, Help: "role whose live sessions end"},
		cli.Setting{Flag: "identity", Arg: "NAME", Into: &o.identity, Help: "only sessions of this source identity"},
		cli.Setting{Flag: "lift", Into: &o.lift, Help: "allow the role's sessions again"},
		cli.Setting{Flag: "output", Short: "o", Arg: "FORMAT", Into: &o.output, Help: "print as table or json"})
	c.RunE = func(c *cobra.Command, _ []string) error { return o.run(c.Context(), c.OutOrStdout()) }
	return c
}

// check refuses what does not belong together.
func (o *revokeOptions) check() error {
	switch {
	case o.certificate == "" && o.role == "":
		return cli.Usagef("give --certificate, --role or both", "nothing says what to revoke")
	case o.certificate != "" && o.anchor == "":
		return cli.Usagef("give the trust anchor for which the list is imported", "--certificate needs --trust-anchor-arn")
	case o.certificate == "" && o.anchor+o.ca != "":
		return cli.Usagef("give it, or leave them out", "--trust-anchor-arn and --ca go with --certificate")
	case o.identity != "" && o.role == "":
		return cli.Usagef("give the role", "--identity needs --role")
	case o.lift && (o.role == "" || o.certificate != ""):
		return cli.Usagef("give --role, and no certificate", "--lift undoes what --role did")
	case o.output != "table" && o.output != "json":
		return cli.Usagef("", "--output: %q is neither table nor json", o.output)
	}
	return nil
}

func (o *revokeOptions) run(ctx context.Context, stdout io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	cfg, why := operator(ctx)
	if cfg == nil {
		return cli.Usagef("log in as for the AWS CLI: aws sso login, or AWS_PROFILE", "%s", why)
	}
	var r revocationReport
	if o.certificate != "" {
		leaf, err := o.leaf()
		if err != nil {
			return err
		}
		r.Certificate, r.Serial = leaf.Subject.String(), leaf.SerialNumber.Text(16)
		if o.identity == "" {
			o.identity = pki.SessionOf(leaf).SourceIdentity
		}
		parts := strings.Split(o.anchor, ":")
		if len(parts) != 6 || parts[2] != "rolesanywhere" {
			return cli.Usagef("give it as arn:aws:rolesanywhere:REGION:ACCOUNT:trust-anchor/ID", "--trust-anchor-arn: %.100q", o.anchor)
		}
		regional := cfg.Copy()
		regional.Region = parts[3]
		lists := &revocationLists{config: regional, anywhere: rolesanywhere.NewFromConfig(regional), anchor: o.anchor}
		revoke, err := o.list(ctx, lists, leaf)
		if err != nil {
			return err
		}
		if o.role != "" { // before the list, which may take its time or fail
			if _, err := o.sessions(cfg, true).end(ctx); err != nil {
				return err
			}
		}
		data, err := revoke(ctx)
		if err == nil {
			r.CRL, err = lists.bring(ctx, data)
		}
		if err != nil && o.role != "" {
			return fmt.Errorf("%w; until this succeeds, or --lift, role %s refuses all sessions of %s", err, o.role, cmp.Or(o.identity, "before"))
		}
		if err != nil {
			return err
		}
	}
	if o.role != "" {
		s := o.sessions(cfg, o.certificate == "")
		r.Role, r.Identity, r.Policy = o.role, o.identity, s.policyName()
		var err error
		if o.lift {
			r.Lifted, err = true, s.lift(ctx)
		} else {
			r.Before, err = s.end(ctx)
		}
		if err != nil {
			return err
		}
	}
	return (&pkiOptions{output: o.output}).report(stdout, r, r.lines()...)
}

// sessions are those to end: for good only where it is known whose they are.
func (o *revokeOptions) sessions(cfg *aws.Config, forGood bool) *liveSessions {
	return &liveSessions{iam: iam.NewFromConfig(*cfg), role: o.role, identity: o.identity, forGood: forGood && o.identity != ""}
}

func (o *revokeOptions) leaf() (*x509.Certificate, error) {
	data, err := readFile("certificate", o.certificate)
	if err != nil {
		return nil, err
	}
	certs, err := pki.ParseCertificates(data)
	if err != nil {
		return nil, cli.Usagef("", "reading certificate %s: %w", o.certificate, err)
	}
	return certs[0], nil
}
