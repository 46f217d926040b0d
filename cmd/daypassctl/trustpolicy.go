package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"daypass.dev/internal/cli"
	"daypass.dev/setup"
)

// trustOptions say whom a role is to trust.
type trustOptions struct {
	namespace, serviceAccount          string
	account, partition, issuer, oidc   string
	audience, google                   string
	anchor, trustDomain, uri, nickname string
	cluster                            string
}

// trustMethods are the methods, with the flags that each takes and what it
// grants by them.
func trustMethods() map[string]struct {
	flags string
	grant func(*trustOptions) setup.Grant
} {
	return map[string]struct {
		flags string
		grant func(*trustOptions) setup.Grant
	}{
		"web-identity": {"namespace service-account issuer account partition provider-arn audience", (*trustOptions).token},
		"google": {"google-account-id audience", func(o *trustOptions) setup.Grant {
			return setup.GoogleAccount{UniqueID: o.google, Audience: or(o.audience, "gtoken/sts/assume-role-with-web-identity")}
		}},
		"roles-anywhere": {"namespace service-account trust-anchor-arn trust-domain uri common-name", (*trustOptions).certificate},
		"eks": {"namespace service-account cluster-arn", func(o *trustOptions) setup.Grant {
			return setup.Pod{ClusterARN: o.cluster, Namespace: o.namespace, ServiceAccount: o.serviceAccount}
		}},
	}
}

func or(text, usual string) string {
	if text == "" {
		return usual
	}
	return text
}

func (o *trustOptions) token() setup.Grant {
	t := setup.Token{
		ProviderARN: o.oidc, Audience: or(o.audience, "sts.amazonaws.com"),
		Subject: "system:serviceaccount:" + o.namespace + ":" + o.serviceAccount,
	}
	if t.ProviderARN == "" {
		t.ProviderARN = setup.ProviderARN(o.partition, o.account, o.issuer)
	}
	return t
}

func (o *trustOptions) certificate() setup.Grant {
	c := setup.Certificate{TrustAnchorARN: o.anchor, URI: o.uri, CommonName: o.nickname}
	if o.trustDomain != "" {
		c.URI = "spiffe://" + o.trustDomain + "/ns/" + o.namespace + "/sa/" + o.serviceAccount
	}
	return c
}

func trustPolicyCommand() *cobra.Command {
	o := &trustOptions{partition: "aws"}
	c := &cobra.Command{
		Use:   "trust-policy web-identity|google|roles-anywhere|eks",
		Short: "the narrowest trust policy for one workload",
		Long: `Trust-policy writes the policy with which a role lets in one workload, by one
method, and nobody else: not another ServiceAccount, not one of the same name in
another cluster, no token for another audience, no certificate of another trust
anchor.

  web-identity    a ServiceAccount's token, of a cluster whose issuer the account
                  has as OIDC provider: --issuer and --account, or --provider-arn
  google          an ID token of a Google service account, by its number; without
                  --audience the one that gtoken asks for
  roles-anywhere  a certificate, of one --trust-anchor-arn: a ServiceAccount's with
                  --trust-domain, any with --uri or --common-name
  eks             a ServiceAccount of a cluster that EKS knows, by Pod Identity

Values are compared whole; wildcards are refused. It asks nobody.`,
		Example: `  daypassctl trust-policy web-identity -n shop --service-account web \
    --issuer https://oidc.example.com/prod --account 111122223333
  daypassctl trust-policy google --google-account-id 103456789012345678901
  daypassctl trust-policy roles-anywhere -n shop --service-account web --trust-domain prod \
    --trust-anchor-arn arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/ID
  daypassctl trust-policy eks -n shop --service-account web \
    --cluster-arn arn:aws:eks:eu-west-1:111122223333:cluster/prod`,
		Args: cobra.ExactArgs(1), ValidArgs: slices.Sorted(maps.Keys(trustMethods())),
	}
	cli.Bind(c,
		cli.Setting{Flag: "namespace", Short: "n", Arg: "NAME", Into: &o.namespace, Help: "the ServiceAccount's namespace"},
		cli.Setting{Flag: "service-account", Arg: "NAME", Into: &o.serviceAccount, Help: "the ServiceAccount"},
		cli.Setting{Flag: "issuer", Arg: "URL", Into: &o.issuer, Help: "the cluster's issuer, as its tokens name it"},
		cli.Setting{Flag: "account", Arg: "ID", Into: &o.account, Help: "the AWS account that has the issuer as OIDC provider"},
		cli.Setting{Flag: "partition", Arg: "NAME", Into: &o.partition, Help: "aws, aws-cn or aws-us-gov"},
		cli.Setting{Flag: "provider-arn", Arg: "ARN", Into: &o.oidc, Help: "the OIDC provider, in the place of issuer and account"},
		cli.Setting{Flag: "audience", Arg: "TEXT", Into: &o.audience, Help: "whom tokens are for; by default what the method's SDKs and tools ask for"},
		cli.Setting{Flag: "google-account-id", Arg: "NUMBER", Into: &o.google, Help: "the Google service account's unique number"},
		cli.Setting{Flag: "trust-anchor-arn", Arg: "ARN", Into: &o.anchor, Help: "the trust anchor that vouches for certificates"},
		cli.Setting{Flag: "trust-domain", Arg: "DOMAIN", Into: &o.trustDomain, Help: "trust domain of the SPIFFE IDs in certificates"},
		cli.Setting{Flag: "uri", Arg: "URI", Into: &o.uri, Help: "first URI in the certificate"},
		cli.Setting{Flag: "common-name", Arg: "NAME", Into: &o.nickname, Help: "common name of the certificate"},
		cli.Setting{Flag: "cluster-arn", Arg: "ARN", Into: &o.cluster, Help: "the EKS cluster"},
	)
	c.RunE = func(c *cobra.Command, args []string) error {
		grant, err := o.choose(c, args[0])
		if err != nil {
			return err
		}
		text, err := setup.TrustPolicy(grant)
		if err != nil {
			return cli.Usagef("see daypassctl trust-policy --help for what the method needs", "%w", err)
		}
		_, err = c.OutOrStdout().Write(text)
		return err
	}
	return c
}

// choose refuses what the method has no use for: whoever gives it means
// something that would not be in the policy.
func (o *trustOptions) choose(c *cobra.Command, method string) (setup.Grant, error) {
	m, ok := trustMethods()[method]
	if !ok {
		return nil, cli.Usagef("the methods are eks, google, roles-anywhere and web-identity", "there is no method %.40q", method)
	}
	takes := strings.Fields(m.flags)
	for flag := range allFlags() {
		if c.Flags().Changed(flag) && !slices.Contains(takes, flag) {
			return nil, cli.Usagef("leave it out, or choose another method", "--%s has no meaning with %s", flag, method)
		}
	}
	var wrong error
	need := func(flags ...string) {
		for _, flag := range flags {
			if wrong == nil && c.Flags().Lookup(flag).Value.String() == "" {
				wrong = cli.Usagef("give it", "%s needs --%s", method, flag)
			}
		}
	}
	exclude := func(a, b string) {
		if wrong == nil && c.Flags().Changed(a) && c.Flags().Changed(b) {
			wrong = cli.Usagef("give one of them", "--%s and --%s exclude each other", a, b)
		}
	}
	switch method {
	case "google":
		need("google-account-id")
	case "eks":
		need("namespace", "service-account", "cluster-arn")
	case "web-identity":
		need("namespace", "service-account")
		exclude("provider-arn", "issuer")
		exclude("provider-arn", "account")
		if o.oidc == "" {
			need("issuer", "account")
		}
		if wrong == nil && o.oidc == "" && !strings.HasPrefix(o.issuer, "https://") {
			wrong = cli.Usagef("give it as tokens have it in iss", "--issuer: %.100q does not begin with https://", o.issuer)
		}
	case "roles-anywhere":
		need("trust-anchor-arn")
		exclude("trust-domain", "uri")
		if o.trustDomain != "" {
			need("namespace", "service-account")
		} else if o.namespace+o.serviceAccount != "" {
			need("trust-domain")
		}
	}
	return m.grant(o), wrong
}

func allFlags() map[string]bool {
	all := map[string]bool{}
	for _, m := range trustMethods() {
		for _, flag := range strings.Fields(m.flags) {
			all[flag] = true
		}
	}
	return all
}
