package main

import (
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"daypass.dev/internal/cli"
	"daypass.dev/kube/identity"
	signing "daypass.dev/kube/signer"
)

type signerFlags struct {
	kubeconfig, listen, format string
	cluster, trustDomain       string
	root, agent                string
	life, refresh              time.Duration
}

func signer() *cobra.Command {
	f := &signerFlags{listen: ":9912", format: "text", root: "daypass/daypass-signer-root", life: 24 * time.Hour}
	c := &cobra.Command{
		Use:   "signer",
		Short: "give pods and agents certificates for IAM Roles Anywhere",
		Long: `Signer answers PodCertificateRequests, and the node agents' requests, for
` + signing.SignerName + `: with certificates that IAM Roles Anywhere accepts and that
name the pod's ServiceAccount, namespace and cluster, whatever was asked for.

It signs by a CA that it makes in its memory, under the root in a Secret, which
it fills if that is empty. The Secret's trust.pem, and the ClusterTrustBundle
` + signing.BundleName + `, are what to register as the trust anchor. Any
number of replicas may run.`,
		Example: `  daypass-kube signer --cluster-name prod --trust-domain prod.example.org`,
		Args:    cobra.NoArgs,
	}
	cli.Bind(c,
		cli.Setting{Flag: "cluster-name", Arg: "NAME", Into: &f.cluster, Help: "what certificates call this cluster (O)"},
		cli.Setting{Flag: "trust-domain", Arg: "DOMAIN", Into: &f.trustDomain, Help: "of the SPIFFE IDs in certificates"},
		cli.Setting{Flag: "root-secret", Arg: "NAMESPACE/NAME", Into: &f.root, Help: "Secret with the root; it must exist"},
		cli.Setting{Flag: "agent-service-account", Arg: "NAMESPACE/NAME", Into: &f.agent, Help: "the node agents' ServiceAccount; not given, no agent gets certificates"},
		cli.Setting{Flag: "certificate-life", Arg: "TIME", Into: &f.life, Help: "the most that a certificate lives, 1h to 72h"},
		cli.Setting{Flag: "refresh-after", Arg: "TIME", Into: &f.refresh, Help: "when kubelets ask again, 10m or more; 0 is at 40 to 50 % of the certificate's life"},
		cli.Setting{Flag: "health-listen", Arg: "HOST:PORT", Into: &f.listen, Help: "answer /healthz, /readyz and /metrics there"},
		cli.Setting{Flag: "kubeconfig", Arg: "FILE", Into: &f.kubeconfig, Help: kubeconfigHelp},
		cli.Setting{Flag: "log-format", Arg: "text|json", Into: &f.format, Help: "format of the log"},
	)
	c.RunE = func(c *cobra.Command, _ []string) error {
		l, err := logger(f.format, c.ErrOrStderr())
		if err != nil {
			return err
		}
		s, err := f.read()
		if err != nil {
			return err
		}
		config, err := connect(f.kubeconfig)
		if err != nil {
			return err
		}
		log.SetLogger(logr.FromSlogHandler(l.Handler()))
		s.Log = l
		return s.Run(c.Context(), config)
	}
	return c
}

// read checks the flags. Errors are of wrong usage.
func (f *signerFlags) read() (*signing.Signer, error) {
	s := &signing.Signer{
		Cluster:  identity.Cluster{Name: f.cluster, TrustDomain: f.trustDomain},
		LeafLife: f.life, RefreshAfter: f.refresh, Listen: f.listen,
	}
	switch {
	case f.cluster == "":
		return nil, cli.Usagef("give --cluster-name (or DAYPASS_CLUSTER_NAME): certificates name the cluster", "--cluster-name is missing")
	case f.trustDomain == "":
		return nil, cli.Usagef("give --trust-domain (or DAYPASS_TRUST_DOMAIN), such as a DNS name of yours", "--trust-domain is missing")
	case f.life < time.Hour || f.life > 72*time.Hour:
		return nil, cli.Usagef("give 1h to 72h; Kubernetes takes no shorter certificates", "--certificate-life: %s", f.life)
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
