package vend

import (
	"net/http"
	"strings"
	"time"

	"daypass.dev"
	"daypass.dev/exchange"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
	"daypass.dev/proof"
)

// An Upstream says how AWS is called for all pods.
type Upstream struct {
	// Region of STS and EKS Auth; Roles Anywhere is called in the trust anchor's.
	Region          string
	FIPS, DualStack bool
	// Base URLs in the place of AWS's; empty: AWS's.
	STSEndpoint, RolesAnywhereEndpoint, EKSAuthEndpoint string
	// Client makes the calls; nil: http.DefaultClient.
	Client *http.Client
	// Duration of sessions, where the method lets choose; zero: an hour.
	Duration time.Duration
	// Node gives the credentials that method eks needs beside the pod's token.
	Node daypass.Source
	// Certificates make those of ServiceAccounts for method roles-anywhere; nil:
	// that method is refused.
	Certificates *Certificates
}

// usable refuses what the node cannot do for this caller.
func (v *Vendor) usable(c Caller, id identity.Identity) error {
	needsToken := false
	switch id.Method {
	case v1alpha1.EKS, v1alpha1.WebIdentity:
		needsToken = true
	case v1alpha1.RolesAnywhere:
		if v.Upstream.Certificates == nil {
			return refuse("agent-no-signer", "method roles-anywhere needs certificates, and the agent has nobody to ask for them")
		}
	default:
		return refuse("agent-method", "method %s is not one that the agent delivers", id.Method)
	}
	if needsToken && c.Token == nil {
		return refuse("agent-token-missing", "method %s shows AWS the pod's token, and none came with the request", id.Method)
	}
	return nil
}

// call is what asks AWS for what the callers of a share get, and what may end a
// pause after a failure.
func (v *Vendor) call(c Caller, id identity.Identity, s *share) (daypass.Source, func() bool, error) {
	u, b := &v.Upstream, &s.bearer
	var first exchange.Call
	changed := b.changed
	switch id.Method {
	case v1alpha1.EKS: // a target role, policy and tags are the association's of EKS
		call := &exchange.PodIdentity{
			Cluster: v.Cluster.Name, Token: b, Node: u.Node, RoleARN: id.Role(),
			Region: u.Region, FIPS: u.FIPS, Endpoint: u.EKSAuthEndpoint, Client: u.Client,
		}
		return call, changed, call.Check()
	case v1alpha1.WebIdentity:
		first = u.webIdentity(c, id, b)
	case v1alpha1.RolesAnywhere:
		names, err := v.Cluster.Names(id.Namespace, id.ServiceAccount)
		if err != nil {
			return nil, nil, err
		}
		s.keys = u.Certificates.of(names)
		first, changed = u.rolesAnywhere(c, id, s.keys), s.keys.changed
	}
	if id.TargetRoleARN == "" {
		return first, changed, first.Check()
	}
	chained := &exchange.AssumeRole{
		From: first, RoleARN: id.TargetRoleARN, Duration: min(u.Duration, time.Hour), SessionName: id.SessionName(c.Pod),
		ExternalID: externalID(v.Cluster, u.Region, id), SessionPolicy: id.Policy,
		Region: u.Region, FIPS: u.FIPS, DualStack: u.DualStack, Endpoint: u.STSEndpoint, Client: u.Client,
	}
	return chained, changed, chained.Check()
}

func (u *Upstream) webIdentity(c Caller, id identity.Identity, tokens proof.TokenSource) *exchange.WebIdentity {
	call := &exchange.WebIdentity{
		Token: tokens, RoleARN: id.RoleARN, Duration: u.Duration, SessionName: id.SessionName(c.Pod),
		Region: u.Region, FIPS: u.FIPS, DualStack: u.DualStack, Endpoint: u.STSEndpoint, Client: u.Client,
	}
	if id.TargetRoleARN == "" {
		call.SessionPolicy = id.Policy
	}
	return call
}

// rolesAnywhere names the session only if an association says how: whether the
// profile takes names is not known, and to find that out costs a refused call.
func (u *Upstream) rolesAnywhere(c Caller, id identity.Identity, keys proof.KeySource) *exchange.RolesAnywhere {
	call := &exchange.RolesAnywhere{
		Key: keys, RoleARN: id.RoleARN, TrustAnchorARN: id.RolesAnywhere.TrustAnchorARN, ProfileARN: id.RolesAnywhere.ProfileARN,
		Duration: u.Duration, FIPS: u.FIPS, DualStack: u.DualStack, Endpoint: u.RolesAnywhereEndpoint, Client: u.Client,
	}
	if id.Session != "" {
		call.DefaultSessionName = id.SessionName(c.Pod)
	}
	return call
}

// externalID is what a target role's trust policy may ask for, in the form that
// EKS gives it: REGION/ACCOUNT/CLUSTER/NAMESPACE/SERVICEACCOUNT, with the
// account of roleArn.
func externalID(c identity.Cluster, region string, id identity.Identity) string {
	parts := strings.SplitN(id.RoleARN, ":", 6)
	if len(parts) != 6 || c.Name == "" {
		return ""
	}
	return strings.Join([]string{region, parts[4], c.Name, id.Namespace, id.ServiceAccount}, "/")
}
