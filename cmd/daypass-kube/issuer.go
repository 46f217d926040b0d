package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	"daypass.dev/config"
	"daypass.dev/deliver/awssdk"
	"daypass.dev/internal/cli"
	"daypass.dev/internal/sdk"
	"daypass.dev/kube/privateca"
)

type issuerFlags struct {
	program
	namespace string
	rate      string
	aws       config.Settings
}

func privateCAIssuer() *cobra.Command {
	f := &issuerFlags{program: newProgram(), namespace: "daypass", rate: "10", aws: config.Defaults()}
	c := &cobra.Command{
		Use:   "issuer",
		Short: "let cert-manager issue from AWS Private CA",
		Long: `Issuer answers cert-manager's CertificateRequests that name an AWSPCAIssuer or
AWSPCAClusterIssuer (awspca.cert-manager.io/v1beta1), as aws-privateca-issuer
does. A request costs one certificate, whatever fails on the way.

It calls AWS with credentials of its own: by IAM Roles Anywhere or a web
identity, if the flags below say so, and as the AWS SDK finds them otherwise. A
certificate that the issuer itself renews is best: see
daypassctl setup bootstrap private-ca.`,
		Example: `  daypass-kube issuer --certificate /var/run/daypass/issuer/tls.crt --private-key /var/run/daypass/issuer/tls.key \
    --role-arn arn:aws:iam::111122223333:role/iamra-issuer --trust-anchor-arn … --profile-arn …`,
		Args: cobra.NoArgs,
	}
	cli.Bind(c, slices.Concat([]cli.Setting{
		{Flag: "namespace", Arg: "NAME", Into: &f.namespace, Help: "where this runs: namespace of its lease, and of Secrets that AWSPCAClusterIssuers name"},
		{Flag: "issue-rate", Arg: "N", Into: &f.rate, Help: "certificates to ask one private CA for in a second; AWS's default quota is 25"},
	}, f.program.table(), f.aws.Table())...)
	c.RunE = func(c *cobra.Command, _ []string) error {
		rate, err := strconv.ParseFloat(f.rate, 64)
		if err != nil || !(rate >= 0.01 && rate <= 1000) {
			return cli.Usagef("give a number of 0.01 to 1000", "--issue-rate: %.40q", f.rate)
		}
		l, cluster, err := f.begin(c.ErrOrStderr())
		if err != nil {
			return err
		}
		to, err := callAWS(c.Context(), &f.aws, l)
		if err != nil {
			return err
		}
		s := &privateca.Server{AWS: to, Namespace: f.namespace, Rate: rate, Listen: f.health, Log: l}
		return s.Run(c.Context(), cluster)
	}
	return c
}

// callAWS is how AWS is called: with what the settings name, else as the SDK
// finds credentials. Region is each caller's own.
func callAWS(ctx context.Context, s *config.Settings, l *slog.Logger) (aws.Config, error) {
	to, err := sdk.Load(ctx)
	if err != nil {
		return to, fmt.Errorf("reading the AWS SDK's settings: %w", err)
	}
	bears, err := s.BearsToken()
	if err != nil {
		return to, err
	}
	if s.Certificate == "" && !bears {
		return to, nil
	}
	if !bears {
		if err := s.Missing(); err != nil {
			return to, err
		}
	}
	s.NameSession = true
	provider, err := awssdk.New(s, l)
	if err != nil {
		return to, err
	}
	to.Credentials = provider
	return to, nil
}
