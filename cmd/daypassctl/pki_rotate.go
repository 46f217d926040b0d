package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
	"github.com/spf13/cobra"

	"daypass.dev/internal/cli"
	"daypass.dev/internal/sdk"
	"daypass.dev/kube/signer"
	"daypass.dev/pki"
)

// rotateSettings say which signer's root to change, and how far.
type rotateSettings struct {
	secret, kubeconfig, anchor string
	trusted, finish            bool
}

func pkiRotate() *cobra.Command {
	s := rotateSettings{secret: "daypass/daypass-signer-root"}
	output := "table"
	c := &cobra.Command{
		Use:   "rotate",
		Short: "change the root of a cluster's signer, with an overlap",
		Long: `Rotate has the signer of a cluster make a new root, puts it into the trust
anchor beside the old one, and then has the signer sign by it. No certificate
becomes invalid: pods get new ones as their old ones come to half their life.
The new root's key is made in the cluster and does not leave it.

Without --trust-anchor-arn it stops when the new root is made, and prints both
for you to put into the trust anchor; run it again with --trusted then. A run
that was cut off is taken up by the next one.

When the last certificate below the old root has ended, --finish takes the old
root out of the trust anchor. The cluster forgets it by itself.`,
		Example: `  daypassctl pki rotate --trust-anchor-arn ARN
  daypassctl pki rotate > anchor.pem
  daypassctl pki rotate --trusted
  daypassctl pki rotate --finish --trust-anchor-arn ARN`,
		Args: cobra.NoArgs,
	}
	cli.Bind(c,
		cli.Setting{Flag: "trust-anchor-arn", Arg: "ARN", Into: &s.anchor, Help: "the trust anchor to put the roots into, with AWS credentials as the AWS CLI finds them"},
		cli.Setting{Flag: "trusted", Into: &s.trusted, Help: "both roots are in the trust anchor: sign by the new one"},
		cli.Setting{Flag: "finish", Into: &s.finish, Help: "the old root's certificates have ended: take it out of the trust anchor"},
		cli.Setting{Flag: "root-secret", Arg: "NAMESPACE/NAME", Into: &s.secret, Help: "the signer's Secret"},
		cli.Setting{Flag: "kubeconfig", Arg: "FILE", Into: &s.kubeconfig, Help: "how to reach the cluster, if not as kubectl does"})
	c.Flags().StringVarP(&output, "output", "o", output, "print as `FORMAT`, table or json")
	c.RunE = func(c *cobra.Command, _ []string) error {
		o := &pkiOptions{output: output}
		if err := o.check(); err != nil {
			return err
		}
		return s.run(c.Context(), o, c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

// patience is how long the signer has to carry out an order.
const patience = time.Minute

func (s rotateSettings) run(ctx context.Context, o *pkiOptions, stdout, stderr io.Writer) error {
	namespace, name, ok := strings.Cut(s.secret, "/")
	switch {
	case !ok || namespace == "" || name == "":
		return cli.Usagef("write NAMESPACE/NAME", "--root-secret: %.80q", s.secret)
	case s.finish && s.trusted:
		return cli.Usagef("", "--finish and --trusted exclude each other")
	case s.finish && s.anchor == "":
		return cli.Usagef("give --trust-anchor-arn; where you keep the trust anchor yourself, leave the old root out of it", "--finish is about the trust anchor")
	}
	keeper, err := signer.NewKeeper(s.kubeconfig, namespace, name)
	if err != nil {
		return cli.Usagef("give --kubeconfig, or set KUBECONFIG", "%w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 3*patience)
	defer cancel()
	if s.finish {
		return s.finishWith(ctx, keeper, o, stdout)
	}
	if s.trusted { // both that were printed: there must have been a run that did
		switch roots, err := keeper.Roots(ctx); {
		case err != nil:
			return err
		case roots.Next.Certificate == nil && roots.Old == nil:
			return cli.Nof("run it without --trusted first: it prints what is to be trusted", "no next root has been made")
		}
	}
	roots, err := keeper.Prepare(ctx)
	if errors.Is(err, signer.ErrOldRoot) {
		return cli.Nof("run it again after that, or --finish then if this was the change that you wanted",
			"the root was changed before, and certificates below its predecessor live until %s", utc(roots.OldUntil))
	}
	if err != nil {
		return err
	}
	switch {
	case s.anchor != "":
		if err := s.trust(ctx, roots); err != nil {
			return err
		}
	case !s.trusted:
		fmt.Fprintln(stderr, "Put both of these into the trust anchor, then run this again with --trusted.")
		_, err := io.WriteString(stdout, roots.TrustPEM())
		return err
	}
	if roots, err = keeper.Change(ctx); err != nil {
		return err
	}
	return s.report(o, stdout, roots)
}

func (s rotateSettings) finishWith(ctx context.Context, keeper *signer.Keeper, o *pkiOptions, stdout io.Writer) error {
	roots, err := keeper.Roots(ctx)
	switch {
	case err != nil:
		return err
	case roots.Old != nil:
		return cli.Nof("run it again after that", "certificates below the old root live until %s", utc(roots.OldUntil))
	case roots.Next.Certificate != nil:
		return cli.Nof("run it without --finish first", "a change of root has begun and is not done")
	}
	if err := s.trust(ctx, roots); err != nil {
		return err
	}
	return s.report(o, stdout, roots)
}

// trust makes these the trust anchor's roots.
func (s rotateSettings) trust(ctx context.Context, roots signer.Roots) error {
	cfg, err := sdk.Load(ctx)
	if err != nil {
		return fmt.Errorf("finding AWS credentials: %w", err)
	}
	parts := strings.Split(s.anchor, ":")
	id, ok := strings.CutPrefix(parts[len(parts)-1], "trust-anchor/")
	if len(parts) != 6 || !ok || parts[2] != "rolesanywhere" {
		return cli.Usagef("write arn:aws:rolesanywhere:REGION:ACCOUNT:trust-anchor/ID", "--trust-anchor-arn: %.200q is no trust anchor's", s.anchor)
	}
	cfg.Region = parts[3]
	calls := rolesanywhere.NewFromConfig(cfg)
	there, err := calls.GetTrustAnchor(ctx, &rolesanywhere.GetTrustAnchorInput{TrustAnchorId: &id})
	if err != nil {
		return fmt.Errorf("reading the trust anchor: %w", err)
	}
	if err := replaceable(there.TrustAnchor.Source, roots.Current.Certificate); err != nil {
		return err
	}
	_, err = calls.UpdateTrustAnchor(ctx, &rolesanywhere.UpdateTrustAnchorInput{
		TrustAnchorId: &id,
		Source: &types.Source{
			SourceType: types.TrustAnchorTypeCertificateBundle, SourceData: &types.SourceDataMemberX509CertificateData{Value: roots.TrustPEM()},
		},
	})
	if err != nil {
		return fmt.Errorf("writing the trust anchor: %w", err)
	}
	return nil
}

// replaceable refuses a trust anchor that is not this signer's alone, whose
// present root it must hold: what it holds beside would be trusted no more. The
// signer's former roots have its own name.
func replaceable(there *types.Source, present *x509.Certificate) error {
	const hint = "name the trust anchor of this cluster's signer"
	bundle, ok := there.SourceData.(*types.SourceDataMemberX509CertificateData)
	if !ok {
		return cli.Usagef(hint, "--trust-anchor-arn: it trusts no certificates of its own (%s)", there.SourceType)
	}
	all, err := pki.ParseCertificates([]byte(bundle.Value))
	if err != nil {
		return fmt.Errorf("reading the trust anchor's certificates: %w", err)
	}
	for _, c := range all {
		if !slices.Equal(c.Subject.Organization, present.Subject.Organization) {
			return cli.Usagef(hint, "--trust-anchor-arn: it trusts %s, too, whose certificates would be refused", pki.Printable(c.Subject.String()))
		}
	}
	if !slices.ContainsFunc(all, present.Equal) {
		return cli.Usagef(hint, "--trust-anchor-arn: it does not trust %s, by which the signer signs", pki.Printable(present.Subject.String()))
	}
	return nil
}

// A rotation is what rotate reports.
type rotation struct {
	Current  string     `json:"current"`
	Ends     time.Time  `json:"currentEnds"`
	Old      string     `json:"old,omitempty"`
	OldUntil *time.Time `json:"oldUntil,omitempty"`
	Anchor   string     `json:"trustAnchorArn,omitempty"`
}

func (s rotateSettings) report(o *pkiOptions, stdout io.Writer, r signer.Roots) error {
	current := r.Current.Certificate
	v := rotation{Current: current.Subject.CommonName, Ends: current.NotAfter, Anchor: s.anchor}
	lines := []line{{"signs", pki.Printable(v.Current)}, {"until", utc(v.Ends)}, {"trust anchor", s.anchor}}
	if r.Old != nil {
		v.Old, v.OldUntil = r.Old.Subject.CommonName, &r.OldUntil
		lines = append(lines, line{"old root", v.Old}, line{"trusted until", utc(r.OldUntil)})
	}
	return o.report(stdout, v, lines...)
}
