package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/spf13/cobra"

	"daypass.dev/internal/atomicfile"
	"daypass.dev/internal/cli"
	"daypass.dev/setup"
)

// setupOptions are what the commands of setup share.
type setupOptions struct {
	file, output, values, form string
	permissions, prune         bool
}

const setupLong = `Setup keeps the AWS side of a platform as one file says it: a trust anchor and
profile for certificates, an OIDC provider for a cluster's tokens or associations
of EKS, and roles with the narrowest trust policies for those who may use them.
What it makes it tags as the file's own; what others made it never changes. It
remembers nothing but what AWS has: interrupted, it is run again.

  name: prod
  account: "111122223333"
  region: eu-central-1
  trustAnchor:                      # for certificates
    certificateFile: ca.pem         # or privateCA: ARN
    sessions: 1h
  cluster:                          # for its ServiceAccounts
    name: prod
    trustDomain: prod.example.org
    method: roles-anywhere          # or web-identity (issuer, audience), eks (arn)
  roles:
    reports:
      usedBy:
        - serviceAccount: shop/web
        - commonName: backup        # or uri, of a certificate
        - google: "112233445566778899000"
          audience: reports
      allow:
        - actions: ["s3:GetObject"]
          resources: ["arn:aws:s3:::reports/*"]
      policies: []                  # ARNs of managed policies
      maxSession: 1h`

func setupCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "setup",
		Short: "the AWS side of a platform from one file",
		Long:  setupLong,
	}
	c.AddCommand(setupPlan(), setupApply(), setupDrift(), setupDestroy(), setupRender(), setupBootstrap())
	return c
}

// setupCommandFor makes one of the commands.
func setupCommandFor(use, short, long string, run func(*setupOptions, *cobra.Command) error, settings func(*setupOptions) []cli.Setting) *cobra.Command {
	o := &setupOptions{output: "table", form: "aws-cli"}
	c := &cobra.Command{Use: use + " [FILE]", Short: short, Long: long, Args: cobra.MaximumNArgs(1)}
	cli.Bind(c, settings(o)...)
	c.RunE = func(c *cobra.Command, args []string) error {
		if o.file = "setup.yaml"; len(args) == 1 {
			o.file = args[0]
		}
		if o.output != "table" && o.output != "json" {
			return cli.Usagef("", "--output: %q is neither table nor json", o.output)
		}
		return setupError(run(o, c))
	}
	return c
}

func (o *setupOptions) outputSetting() cli.Setting {
	return cli.Setting{Flag: "output", Short: "o", Arg: "FORMAT", Into: &o.output, Help: "print as table or json"}
}

func (o *setupOptions) pruneSetting() cli.Setting {
	return cli.Setting{Flag: "prune", Into: &o.prune, Help: "delete what the file made and no longer names"}
}

// setupError gives refusals their mend.
func setupError(err error) error {
	var refused *setup.RefusedError
	if errors.As(err, &refused) {
		code := cli.No
		if refused.Slug == "setup-file" {
			code = cli.Usage
		}
		return &cli.Error{Err: err, Hint: refused.Mend(), Code: code}
	}
	return err
}

// read reads the file.
func (o *setupOptions) read() (*setup.File, error) {
	f, err := setup.Read(o.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, cli.Usagef("give the path of one; daypassctl setup --help shows a whole one", "there is no file %s", o.file)
	}
	return f, err
}

// planned reads file and state, and plans.
func (o *setupOptions) planned(ctx context.Context) (*setup.File, *setup.Client, *setup.State, error) {
	f, err := o.read()
	if err != nil {
		return nil, nil, nil, err
	}
	cfg, why := operator(ctx)
	if cfg == nil {
		return nil, nil, nil, cli.Usagef("log in as for the AWS CLI: aws sso login, or AWS_PROFILE", "%s", why)
	}
	id, err := sts.NewFromConfig(*cfg, func(s *sts.Options) { s.Region = f.Region }).GetCallerIdentity(ctx, nil)
	if err != nil {
		return nil, nil, nil, err
	}
	if got := aws.ToString(id.Account); got != f.Account {
		return nil, nil, nil, &setup.RefusedError{Slug: "setup-account", Detail: "the credentials are of account " + got + ", " + o.file + " is for " + f.Account}
	}
	client := setup.NewClient(f, *cfg)
	state, err := client.Read(ctx)
	return f, client, state, err
}

func setupPlan() *cobra.Command {
	return setupCommandFor("plan", "what would apply do?", `Plan reads the file and AWS, and prints the difference, call by call. With
--permissions it prints the least policy with which an operator can apply it.`,
		func(o *setupOptions, c *cobra.Command) error {
			f, _, state, err := o.planned(c.Context())
			if err != nil {
				return err
			}
			p, err := f.Plan(state, o.prune)
			if err != nil {
				return err
			}
			if o.permissions {
				return showPermissions(c.OutOrStdout(), p)
			}
			return o.show(c.OutOrStdout(), p)
		}, func(o *setupOptions) []cli.Setting {
			return []cli.Setting{
				{Flag: "permissions", Into: &o.permissions, Help: "print the least policy for whoever applies it"},
				o.pruneSetting(), o.outputSetting(),
			}
		})
}

func showPermissions(w io.Writer, p *setup.Plan) error {
	text, err := p.Permissions()
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}

func (o *setupOptions) show(w io.Writer, p *setup.Plan) error {
	if o.output == "json" {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(p)
	}
	return p.Print(w)
}

func setupApply() *cobra.Command {
	return setupCommandFor("apply", "make AWS as the file says", `Apply makes the calls of the plan, one after the other, and prints each on
stderr. Interrupted or refused, it is run again and goes on. At its end it
prints what the cluster and the workloads need to know; with --values it writes
that as values for the Helm chart.`,
		func(o *setupOptions, c *cobra.Command) error {
			f, client, state, err := o.planned(c.Context())
			if err != nil {
				return err
			}
			p, err := f.Plan(state, o.prune)
			if err != nil {
				return err
			}
			out, err := client.Apply(c.Context(), p, func(s setup.Step) { fmt.Fprintf(c.ErrOrStderr(), "%s %s: %s\n", s.Sign, s.Thing, s.Action) })
			if err != nil {
				return err
			}
			if o.values != "" {
				text, err := f.Values(out)
				if err != nil {
					return err
				}
				if err := atomicfile.Write(o.values, text, 0o644); err != nil {
					return fmt.Errorf("writing %s: %w", o.values, err)
				}
			}
			return o.applied(c.OutOrStdout(), f, out)
		}, func(o *setupOptions) []cli.Setting {
			return []cli.Setting{
				{Flag: "values", Arg: "FILE", Into: &o.values, Help: "write the cluster's settings there, as values of the Helm chart"},
				o.pruneSetting(), o.outputSetting(),
			}
		})
}

// applied tells what came of it, and what is left to do by hand.
func (o *setupOptions) applied(w io.Writer, f *setup.File, out setup.Outcome) error {
	if o.output == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(out)
	}
	var lines []string
	if out.TrustAnchorARN != "" {
		lines = append(lines, "trust anchor  "+out.TrustAnchorARN, "profile       "+out.ProfileARN)
	}
	for _, name := range f.RoleNames() {
		lines = append(lines, "role          "+out.Roles[name])
	}
	if commands := f.Commands(); len(commands) > 0 {
		lines = append(lines, "", "tell the cluster:")
		lines = append(lines, commands...)
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

func setupDrift() *cobra.Command {
	return setupCommandFor("drift", "has somebody changed what setup made?", `Drift prints what apply would change back. Its exit code is 3 if there is
anything.`,
		func(o *setupOptions, c *cobra.Command) error {
			f, _, state, err := o.planned(c.Context())
			if err != nil {
				return err
			}
			p, err := f.Plan(state, true)
			if err != nil {
				return err
			}
			if err := o.show(c.OutOrStdout(), p); err != nil {
				return err
			}
			if len(p.Steps) > 0 {
				kept, err := f.Plan(state, false)
				if err != nil {
					return err
				}
				apply := "daypassctl setup apply"
				if len(kept.Steps) < len(p.Steps) {
					apply += " --prune"
				}
				return cli.Nof(apply+" changes it back", "AWS differs from %s in %d things", o.file, len(p.Steps))
			}
			return nil
		}, func(o *setupOptions) []cli.Setting { return []cli.Setting{o.outputSetting()} })
}

func setupDestroy() *cobra.Command {
	return setupCommandFor("destroy", "delete what setup made, and nothing else", `Destroy deletes everything that carries the tag of the file, and prints each call
on stderr. Workloads that use its roles get no more credentials. With
--permissions it deletes nothing, and prints the least policy with which an
operator can destroy it.`,
		func(o *setupOptions, c *cobra.Command) error {
			f, client, state, err := o.planned(c.Context())
			if err != nil {
				return err
			}
			p := f.Destroy(state)
			if o.permissions {
				return showPermissions(c.OutOrStdout(), p)
			}
			_, err = client.Apply(c.Context(), p, func(s setup.Step) { fmt.Fprintf(c.ErrOrStderr(), "%s %s: %s\n", s.Sign, s.Thing, s.Action) })
			return err
		}, func(o *setupOptions) []cli.Setting {
			return []cli.Setting{{Flag: "permissions", Into: &o.permissions, Help: "delete nothing; print the least policy for whoever does"}}
		})
}

func setupRender() *cobra.Command {
	return setupCommandFor("render", "the file as a script or template of other tools", `Render writes what apply would make in an empty account: a shell script for the
AWS CLI, which prints values for the Helm chart, a CloudFormation template,
Terraform's configuration, or manifests for ACK's controllers of IAM and EKS; ACK
has no Roles Anywhere. It asks nobody.`,
		func(o *setupOptions, c *cobra.Command) error {
			if !slices.Contains(setup.Forms(), o.form) {
				return cli.Usagef("give one of "+strings.Join(setup.Forms(), ", "), "--as: there is no form %q", o.form)
			}
			f, err := o.read()
			if err != nil {
				return err
			}
			text, err := f.Render(o.form)
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(text)
			return err
		}, func(o *setupOptions) []cli.Setting {
			return []cli.Setting{{Flag: "as", Arg: "FORM", Into: &o.form, Help: strings.Join(setup.Forms(), ", ")}}
		})
}
