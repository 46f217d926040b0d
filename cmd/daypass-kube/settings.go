package main

import (
	"time"

	"daypass.dev/internal/cli"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
	"daypass.dev/kube/inject"
)

// settings are inject's, as flags and variables give them.
type settings struct {
	cluster, trustDomain, method, anchor, profile string
	image, region                                 string
	regionalSTS, agent, agentIPv6                 bool
	tokenLife                                     time.Duration
	signer, issuer, issuerKind, issuerGroup       string
	secret                                        string
}

func (s *settings) table() []cli.Setting {
	return []cli.Setting{
		{Flag: "cluster-name", Arg: "NAME", Into: &s.cluster, Help: "what certificates and session names call this cluster"},
		{Flag: "trust-domain", Arg: "DOMAIN", Into: &s.trustDomain, Help: "of the SPIFFE IDs in certificates"},
		{Flag: "method", Arg: "METHOD", Into: &s.method,
			Help: "how pods ask AWS if no association says so: eks, web-identity, roles-anywhere or google; not given, they are refused"},
		{Flag: "trust-anchor-arn", Arg: "ARN", Into: &s.anchor, Help: "Roles Anywhere trust anchor, if no association names one"},
		{Flag: "profile-arn", Arg: "ARN", Into: &s.profile, Help: "Roles Anywhere profile, if no association names one"},
		{Flag: "image", Arg: "IMAGE", Into: &s.image, Help: "image of daypass, for methods that add containers"},
		{Flag: "region", Arg: "REGION", Into: &s.region, Also: []string{"AWS_REGION"}, Help: "region to tell pods that have none"},
		{Flag: "regional-sts", Into: &s.regionalSTS, Help: "let old SDKs call the regional endpoint of STS"},
		{Flag: "token-life", Arg: "SECONDS", Into: &s.tokenLife, Help: "life of tokens, if no annotation says so; 0 is 24 hours"},
		{Flag: "agent", Into: &s.agent, Help: "the node's agent delivers what would take a sidecar"},
		{Flag: "agent-ipv6", Into: &s.agentIPv6, Help: "pods have no IPv4 address to call the agent from"},
		{Flag: "certificate-signer", Arg: "NAME", Into: &s.signer, Help: "signer of pod certificates for sidecars, as daypass.dev/workload"},
		{Flag: "certificate-issuer", Arg: "NAME", Into: &s.issuer, Help: "cert-manager issuer of certificates for sidecars, by its CSI driver"},
		{Flag: "certificate-issuer-kind", Arg: "KIND", Into: &s.issuerKind, Help: "kind of that issuer, if not Issuer"},
		{Flag: "certificate-issuer-group", Arg: "GROUP", Into: &s.issuerGroup, Help: "API group of that issuer, if not cert-manager.io"},
		{Flag: "certificate-secret", Arg: "NAME", Into: &s.secret,
			Help: "Secret in the pod's namespace with the sidecar's certificate; {serviceAccount} stands for the pod's"},
	}
}

// read checks the settings. Errors are of wrong usage.
func (s *settings) read() (inject.Settings, error) {
	method := v1alpha1.Method(s.method)
	switch method {
	case "", "auto", v1alpha1.EKS, v1alpha1.WebIdentity, v1alpha1.RolesAnywhere, v1alpha1.Google:
	default:
		return inject.Settings{}, cli.Usagef("give eks, web-identity, roles-anywhere or google", "--method: %.40q is no method", s.method)
	}
	if (s.anchor == "") != (s.profile == "") {
		return inject.Settings{}, cli.Usagef("give both or none", "--trust-anchor-arn and --profile-arn belong together")
	}
	if s.tokenLife != 0 && s.tokenLife < identity.MinTokenLife {
		return inject.Settings{}, cli.Usagef("give 600 or more", "--token-life: Kubernetes gives no token a life below 10 minutes")
	}
	sources := 0
	for _, source := range []string{s.signer, s.issuer, s.secret} {
		if source != "" {
			sources++
		}
	}
	if sources > 1 {
		return inject.Settings{}, cli.Usagef("give one of them", "--certificate-signer, --certificate-issuer and --certificate-secret exclude each other")
	}
	if s.issuer == "" && s.issuerKind+s.issuerGroup != "" {
		return inject.Settings{}, cli.Usagef("give its name, too", "--certificate-issuer is missing")
	}
	return inject.Settings{
		Cluster: identity.Cluster{
			Name: s.cluster, TrustDomain: s.trustDomain, Method: method,
			RolesAnywhere: v1alpha1.Anywhere{TrustAnchorARN: s.anchor, ProfileARN: s.profile},
		},
		Image: s.image, Region: s.region, RegionalSTS: s.regionalSTS, TokenLife: s.tokenLife,
		Agent: s.agent, AgentIPv6: s.agentIPv6,
		Certificates: inject.Certificates{
			Signer: s.signer, Secret: s.secret,
			Issuer: inject.Issuer{Name: s.issuer, Kind: s.issuerKind, Group: s.issuerGroup},
		},
	}, nil
}
