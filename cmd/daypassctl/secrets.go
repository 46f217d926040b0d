package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"daypass.dev"
	"daypass.dev/config"
	"daypass.dev/exchange"
	"daypass.dev/internal/cli"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/proof"
	"daypass.dev/reason"
	"daypass.dev/secrets"
)

func secretsCommand() *cobra.Command {
	c := &cobra.Command{Use: "secrets", Short: "AWS secrets as files in pods"}
	c.AddCommand(secretsCheck())
	return c
}

type secretsOptions struct {
	file, as, role, kubeconfig string
	method, pod                string
	cluster, trustDomain       string
	aws                        config.Settings
}

func secretsCheck() *cobra.Command {
	o := &secretsOptions{aws: config.Defaults(), method: string(v1alpha1.WebIdentity)}
	c := &cobra.Command{
		Use:   "check",
		Short: "would this SecretProviderClass mount?",
		Long: `Check reads a SecretProviderClass of the provider aws as the node does, and says
which files it makes. With --as it then tries: it has kubectl make a token of the
ServiceAccount, assumes the role that its annotation or --role-arn names, and
reads every object. The values are thrown away.

A class with usePodIdentity is read by the cluster's method. With --method eks,
a running pod of the ServiceAccount is named with --pod, and your own AWS session
must have eks-auth:AssumeRoleForPodIdentity, as nodes have. With --method
roles-anywhere nothing can be read from here, since only the agent holds the
certificate: IAM's policy simulator is asked, with your own AWS session, whether
the role's policies allow each call to a session with the certificate's tags.
Policies of secrets and keys have no part in that.`,
		Example: `  daypassctl secrets check -f class.yaml
  daypassctl secrets check -f class.yaml --as shop/web --region eu-west-1
  daypassctl secrets check -f class.yaml --as shop/web --method eks --cluster-name prod --pod web-0
  daypassctl secrets check -f class.yaml --as shop/web --method roles-anywhere --cluster-name prod --trust-domain prod.example.org`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringVarP(&o.file, "file", "f", "", "`FILE` with the SecretProviderClass, in YAML or JSON")
	cli.Bind(c,
		cli.Setting{Flag: "as", Arg: "NAMESPACE/NAME", Into: &o.as, Help: "ServiceAccount to try it as"},
		cli.Setting{Flag: "role-arn", Arg: "ARN", Into: &o.role, Help: "role to try it as, if the ServiceAccount's annotation does not say"},
		cli.Setting{Flag: "method", Arg: "METHOD", Into: &o.method, Help: "the cluster's, for classes with usePodIdentity: web-identity, eks or roles-anywhere"},
		cli.Setting{Flag: "cluster-name", Arg: "NAME", Into: &o.cluster, Help: "the cluster's name, which EKS or certificates know"},
		cli.Setting{Flag: "trust-domain", Arg: "NAME", Into: &o.trustDomain, Help: "SPIFFE trust domain of the cluster, for roles-anywhere"},
		cli.Setting{Flag: "pod", Arg: "NAME", Into: &o.pod, Help: "running pod of the ServiceAccount, for eks"},
		cli.Setting{Flag: "region", Arg: "REGION", Into: &o.aws.Region, Also: []string{"AWS_REGION", "AWS_DEFAULT_REGION"}, Help: "region, if the class names none"},
		cli.Setting{Flag: "kubeconfig", Arg: "FILE", Into: &o.kubeconfig, Help: "what kubectl is to use, if not its own choice"},
		cli.Setting{Flag: "ca-bundle", Arg: "FILE", Into: &o.aws.CABundle, Also: []string{"AWS_CA_BUNDLE"}, Help: "PEM file with the only roots to trust for AWS"},
		cli.Setting{Into: &o.aws.AnyEndpoint, Also: []string{"AWS_ENDPOINT_URL"}, Help: "where to call AWS"})
	c.RunE = func(c *cobra.Command, _ []string) error { return o.run(c.Context(), c.OutOrStdout(), c.ErrOrStderr()) }
	return c
}

func (o *secretsOptions) run(ctx context.Context, stdout, stderr io.Writer) error {
	if o.file == "" {
		return cli.Usagef("give the SecretProviderClass with -f", "--file is missing")
	}
	class, err := o.class()
	if err != nil {
		return err
	}
	for _, name := range class.Unknown {
		fmt.Fprintf(stderr, "daypassctl: warning: %s means nothing to the provider and is ignored\n", name)
	}
	if o.as == "" {
		return table(stdout, class, nil)
	}
	values, role, err := o.try(ctx, class)
	if err != nil {
		return refusedMount(err)
	}
	if values == nil && len(class.Objects) > 0 {
		fmt.Fprintf(stdout, "the policies of %s let %s read all of it; nothing was read\n", role, o.as)
		return table(stdout, class, nil)
	}
	if _, _, err := class.Render(values, 0o644); err != nil {
		return refusedMount(err)
	}
	fmt.Fprintf(stdout, "%s mounts it, as %s\n", o.as, role)
	return table(stdout, class, values)
}

// class reads the file.
func (o *secretsOptions) class() (*secrets.Class, error) {
	text, err := readFile("the SecretProviderClass", o.file)
	if err != nil {
		return nil, err
	}
	var manifest struct {
		Kind string
		Spec struct {
			Provider   string
			Parameters map[string]string
		}
	}
	if err := yaml.Unmarshal(text, &manifest); err != nil {
		return nil, cli.Usagef("give one SecretProviderClass", "reading %s: %w", o.file, err)
	}
	if manifest.Kind != "SecretProviderClass" || manifest.Spec.Provider != "aws" {
		return nil, cli.Usagef("give a manifest of kind SecretProviderClass with provider: aws", "%s holds %q for provider %q", o.file, manifest.Kind, manifest.Spec.Provider)
	}
	class, err := secrets.ParseClass(manifest.Spec.Parameters)
	if err != nil {
		return nil, refusedMount(err)
	}
	return class, nil
}

// refusedMount is a no, with the mend of its first cause.
func refusedMount(err error) error {
	var e *secrets.Error
	var known *cli.Error
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &e):
		return &cli.Error{Err: fmt.Errorf("%w (%s)", err, e.Slug), Hint: e.Advice(), Code: cli.No}
	}
	return &cli.Error{Err: err, Hint: daypass.Advice(err), Code: cli.No}
}

// table prints a line for each object; nil values: they were not read.
func table(w io.Writer, class *secrets.Class, values []secrets.Value) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, o := range class.Objects {
		files := []string{o.File.Path}
		for _, p := range o.Parts {
			files = append(files, p.File.Path)
		}
		read := ""
		if values != nil {
			read = fmt.Sprintf("\t%d bytes, version %s", len(values[i].Data), values[i].Version)
		}
		fmt.Fprintf(t, "%s\t%s%s\n", o.Name, strings.Join(files, " "), read)
	}
	return t.Flush()
}

// try reads the objects as the ServiceAccount.
func (o *secretsOptions) try(ctx context.Context, class *secrets.Class) ([]secrets.Value, string, error) {
	namespace, name, ok := strings.Cut(o.as, "/")
	if !ok || namespace == "" || name == "" {
		return nil, "", cli.Usagef("give NAMESPACE/NAME", "--as: %.80q is no ServiceAccount", o.as)
	}
	if err := o.fits(class); err != nil {
		return nil, "", err
	}
	// On EKS the cluster's own association may be all that names a role.
	if o.role == "" && o.method != string(v1alpha1.EKS) {
		role, err := o.annotated(ctx, namespace, name)
		if err != nil {
			return nil, "", err
		}
		o.role = role
	}
	client, err := o.aws.HTTPClient()
	if err != nil {
		return nil, "", err
	}
	region := cmp.Or(class.Region, o.aws.Region)
	if o.method == string(v1alpha1.RolesAnywhere) {
		err := o.simulate(ctx, class, namespace, name, region)
		return nil, o.role, err
	}
	source, err := o.source(ctx, class, namespace, name, region, client)
	if err != nil {
		return nil, "", err
	}
	creds, err := source.Credentials(ctx)
	if err != nil {
		row, _ := reason.Lookup("secrets-credentials")
		return nil, "", &secrets.Error{Slug: "secrets-credentials", Err: err, Hint: row.Mend}
	}
	role := cmp.Or(o.role, creds.RoleARN, "the role of EKS's association")
	reader := &secrets.Reader{Endpoint: o.aws.AnyEndpoint, Client: client}
	values, err := reader.Read(ctx, secrets.Principal{Key: role, Account: cmp.Or(creds.AccountID, accountOf(role)), Source: had{creds}}, class, region, false)
	return values, role, err
}

func accountOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[4]
	}
	return ""
}

// fits says whether the method is one for the class, with all that it needs.
func (o *secretsOptions) fits(class *secrets.Class) error {
	switch v1alpha1.Method(o.method) {
	case v1alpha1.WebIdentity:
		return nil
	case v1alpha1.EKS:
		if o.cluster == "" || o.pod == "" {
			return cli.Usagef("give both", "--method eks needs --cluster-name and --pod")
		}
	case v1alpha1.RolesAnywhere:
		if o.cluster == "" || o.trustDomain == "" {
			return cli.Usagef("give what the chart has as cluster.name and cluster.trustDomain", "--method roles-anywhere needs --cluster-name and --trust-domain")
		}
	default:
		return cli.Usagef("give web-identity, eks or roles-anywhere", "--method: %.40q is none", o.method)
	}
	if !class.PodIdentity {
		return cli.Usagef(`leave --method out, or write usePodIdentity: "true" into the class`, "a class without usePodIdentity is read by web identity, whatever the cluster's method")
	}
	return nil
}

// source is who asks AWS for the ServiceAccount's credentials.
func (o *secretsOptions) source(ctx context.Context, class *secrets.Class, namespace, name, region string, client *http.Client) (daypass.Source, error) {
	audience := "sts.amazonaws.com"
	if class.PodIdentity {
		audience = "pods.eks.amazonaws.com"
	}
	args := []string{"create", "token", name, "--namespace", namespace, "--audience", audience}
	if o.method == string(v1alpha1.EKS) {
		args = append(args, "--bound-object-kind", "Pod", "--bound-object-name", o.pod)
	}
	text, err := o.kubectl(ctx, args...)
	if err != nil {
		return nil, err
	}
	token, err := proof.ParseToken(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("reading the token that kubectl has made: %w", err)
	}
	if o.method != string(v1alpha1.EKS) {
		return &exchange.WebIdentity{Token: only{token}, RoleARN: o.role, Region: region, Endpoint: o.aws.AnyEndpoint, Client: client, SessionName: "daypassctl-secrets-check"}, nil
	}
	own, why := operator(ctx)
	if own == nil {
		return nil, cli.Usagef("log in as for the AWS CLI: aws sso login, or AWS_PROFILE", "%s", why)
	}
	keys, err := own.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	node := had{daypass.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: daypass.Secret(keys.SecretAccessKey), SessionToken: daypass.Secret(keys.SessionToken)}}
	return &exchange.PodIdentity{
		Cluster: o.cluster, Token: only{token}, Node: node, RoleARN: o.role, Region: cmp.Or(o.aws.Region, own.Region), Endpoint: o.aws.AnyEndpoint, Client: client,
	}, nil
}

// only is a proof.TokenSource of one token.
type only struct{ token *proof.Token }

// Token implements proof.TokenSource.
func (o only) Token(context.Context) (*proof.Token, error) { return o.token, nil }

// had is a daypass.Source of credentials that are there.
type had struct{ credentials daypass.Credentials }

// Credentials implements daypass.Source.
func (h had) Credentials(context.Context) (daypass.Credentials, error) { return h.credentials, nil }

// annotated finds the role in the ServiceAccount's annotations, in the order of
// precedence.
func (o *secretsOptions) annotated(ctx context.Context, namespace, name string) (string, error) {
	text, err := o.kubectl(ctx, "get", "serviceaccount", name, "--namespace", namespace, "--output", "json")
	if err != nil {
		return "", err
	}
	var account struct {
		Metadata struct{ Annotations map[string]string }
	}
	if err := json.Unmarshal(text, &account); err != nil {
		return "", fmt.Errorf("reading the ServiceAccount that kubectl prints: %w", err)
	}
	for _, key := range []string{"daypass.dev/role-arn", "eks.amazonaws.com/role-arn"} {
		if role := account.Metadata.Annotations[key]; role != "" {
			return role, nil
		}
	}
	return "", cli.Nof("annotate it with daypass.dev/role-arn, or give --role-arn, if an association gives it its role", "ServiceAccount %s/%s names no role", namespace, name)
}

// kubectl returns what that program prints.
func (o *secretsOptions) kubectl(ctx context.Context, args ...string) ([]byte, error) {
	return kubectl{o.kubeconfig, "install it", "look at the kubeconfig, and at your rights in the namespace"}.run(ctx, args...)
}
