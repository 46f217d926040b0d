package main

import (
	"context"
	"crypto/x509"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"

	"daypass.dev/config"
	"daypass.dev/internal/cli"
	"daypass.dev/kube/identity"
	signing "daypass.dev/kube/signer"
)

type signerFlags struct {
	program
	cluster, trustDomain      string
	root, agent               string
	certificate, key, private string // of a root outside of the cluster
	life, refresh             time.Duration
	aws                       config.Settings
}

func signer() *cobra.Command {
	f := &signerFlags{program: newProgram(), root: "daypass/daypass-signer-root", life: 24 * time.Hour, aws: config.Defaults()}
	c := &cobra.Command{
		Use:   "signer",
		Short: "give pods and agents certificates for IAM Roles Anywhere",
		Long: `Signer answers PodCertificateRequests, and the node agents' requests, for
` + signing.SignerName + `: with certificates that IAM Roles Anywhere accepts and that
name the pod's ServiceAccount, namespace and cluster, whatever was asked for.

It signs by a CA that it makes in its memory, under the root in a Secret, which
it fills if that is empty. The Secret's trust.pem, and the ClusterTrustBundle
` + signing.BundleName + `, are what to register as the trust anchor. Any
number of replicas may run.

The root may be elsewhere: in files, with its key in AWS KMS, or a
general-purpose AWS Private CA. It is asked a few times in a week, and never
while a pod waits. The signer calls AWS with credentials of its own, by IAM Roles
Anywhere or a web identity if flags say so, and as the AWS SDK finds them
otherwise.`,
		Example: `  daypass-kube signer --cluster-name prod --trust-domain prod.example.org
  daypass-kube signer --cluster-name prod --trust-domain prod.example.org --root-certificate root.pem --root-key arn:aws:kms:…
  daypass-kube signer --cluster-name prod --trust-domain prod.example.org --root-private-ca arn:aws:acm-pca:…`,
		Args: cobra.NoArgs,
	}
	cli.Bind(c, slices.Concat([]cli.Setting{
		{Flag: "cluster-name", Arg: "NAME", Into: &f.cluster, Help: "what certificates call this cluster (O)"},
		{Flag: "trust-domain", Arg: "DOMAIN", Into: &f.trustDomain, Help: "of the SPIFFE IDs in certificates"},
		{Flag: "root-secret", Arg: "NAMESPACE/NAME", Into: &f.root, Help: "Secret with the root; it must exist"},
		{Flag: "root-certificate", Arg: "FILE", Into: &f.certificate, Help: "the root's certificate, if it is not in the Secret; further ones in the file are trusted, too"},
		{Flag: "root-key", Arg: "FILE|ARN", Into: &f.key, Help: "its private key, or the KMS key that is it"},
		{Flag: "root-private-ca", Arg: "ARN", Into: &f.private, Help: "the private CA that is the root, of mode GENERAL_PURPOSE"},
		{Flag: "agent-service-account", Arg: "NAMESPACE/NAME", Into: &f.agent, Help: "the node agents' ServiceAccount; not given, no agent gets certificates"},
		{Flag: "certificate-life", Arg: "TIME", Into: &f.life, Help: "the most that a certificate lives, 1h to 72h"},
		{Flag: "refresh-after", Arg: "TIME", Into: &f.refresh, Help: "when kubelets ask again, 10m or more; 0 is at 40 to 50 % of the certificate's life"},
	}, f.program.table(), f.aws.Table())...)
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := f.read()
		if err != nil {
			return err
		}
		l, to, err := f.begin(c.ErrOrStderr())
		if err != nil {
			return err
		}
		if s.Outside, s.Trust, err = f.outside(c.Context(), l); err != nil {
			return err
		}
		s.Log = l
		return s.Run(c.Context(), to)
	}
	c.AddCommand(signerRoot())
	return c
}

// outside is the root that is not in the cluster, if flags name one.
func (f *signerFlags) outside(ctx context.Context, l *slog.Logger) (signing.Root, []*x509.Certificate, error) {
	calls := func() (aws.Config, error) { return callAWS(ctx, &f.aws, l) }
	switch {
	case f.private != "":
		cfg, err := calls()
		if err != nil {
			return nil, nil, err
		}
		root, trust, err := newPrivateCA(ctx, cfg, f.private)
		return root, []*x509.Certificate{trust}, err
	case f.certificate != "":
		root, trust, err := localRoot(ctx, f.certificate, f.key, calls)
		return signing.Local(root), trust, err
	}
	return nil, nil, nil
}

// read checks the flags. Errors are of wrong usage.
func (f *signerFlags) read() (*signing.Signer, error) {
	s := &signing.Signer{
		Cluster:  identity.Cluster{Name: f.cluster, TrustDomain: f.trustDomain},
		LeafLife: f.life, RefreshAfter: f.refresh, Listen: f.health,
	}
	switch {
	case f.cluster == "":
		return nil, cli.Usagef("give --cluster-name (or DAYPASS_CLUSTER_NAME): certificates name the cluster", "--cluster-name is missing")
	case f.trustDomain == "":
		return nil, cli.Usagef("give --trust-domain (or DAYPASS_TRUST_DOMAIN), such as a DNS name of yours", "--trust-domain is missing")
	case f.life < time.Hour || f.life > 72*time.Hour:
		return nil, cli.Usagef("give 1h to 72h; Kubernetes takes no shorter certificates", "--certificate-life: %s", f.life)
	case (f.certificate == "") != (f.key == ""):
		return nil, cli.Usagef("give both or none", "--root-certificate and --root-key belong together")
	case f.private != "" && f.certificate != "":
		return nil, cli.Usagef("give one of them", "--root-private-ca and --root-certificate exclude each other")
	case f.refresh != 0 && f.refresh < 10*time.Minute:
		return nil, cli.Usagef("give 10m or more; Kubernetes refreshes no sooner", "--refresh-after: %s", f.refresh)
	}
	for _, n := range []struct {
		flag, text string
		into       *types.NamespacedName
	}{{"--root-secret", f.root, &s.Root}, {"--agent-service-account", f.agent, &s.Agent}} {
		namespace, name, ok := strings.Cut(n.text, "/")
		if n.text != "" && (!ok || namespace == "" || name == "" || strings.Contains(name, "/")) {
			return nil, cli.Usagef("write NAMESPACE/NAME", "%s: %.80q", n.flag, n.text)
		}
		*n.into = types.NamespacedName{Namespace: namespace, Name: name}
	}
	if s.Root.Name == "" {
		return nil, cli.Usagef("write NAMESPACE/NAME", "--root-secret is empty")
	}
	return s, nil
}
