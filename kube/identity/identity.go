// Package identity decides who a pod is to AWS: Resolve looks at the pod, its
// ServiceAccount and the cluster's associations and says which role, by which
// method, given by which rule, or why none. It is pure; injection, agent,
// secrets, signer and status all ask it, so that they cannot disagree.
//
// Four rules may give a role. In order of precedence:
//
//	association                    a PodIdentityAssociation that fits the pod
//	daypass.dev/role-arn           annotation of the ServiceAccount
//	eks.amazonaws.com/role-arn     the same, as for EKS
//	amazonaws.com/role-arn         the same, as for gtoken: method google
//
// Those that speak must name the same role, else the pod is refused; the first
// of them then decides everything else. Of several associations that fit, the
// most exact speaks: longest namespace, then longest serviceAccount, a name
// being longer than any wildcard.
//
// Whoever may annotate a ServiceAccount may be anybody in its namespace. So an
// annotation never selects a role by a method that shows AWS the node's or the
// agent's own credentials, nor a chain of roles: only an association does.
package identity

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"daypass.dev/kube/api/v1alpha1"
)

// A Cluster is what the platform team set for all pods of a cluster.
type Cluster struct {
	// Name stands in certificates (O) and session names.
	Name string
	// TrustDomain of SPIFFE IDs in certificates.
	TrustDomain string
	// Method of identities that name none; empty or "auto": not chosen, and
	// such identities are refused, because whether AWS can reach the cluster's
	// issuer cannot be known from inside.
	Method v1alpha1.Method
	// RolesAnywhere is for identities that name none; zero: not set.
	RolesAnywhere v1alpha1.Anywhere
}

// An Identity is who a pod is to AWS, and how AWS is to be asked. Its zero
// value is no identity: nothing gave the pod a role.
type Identity struct {
	Namespace      string
	ServiceAccount string

	// RoleARN is the role that Method gives credentials of; if TargetRoleARN is
	// not empty, that role is then assumed with these, and it alone is handed
	// to the pod.
	RoleARN       string
	TargetRoleARN string

	Method v1alpha1.Method
	// RolesAnywhere is set for that method alone.
	RolesAnywhere v1alpha1.Anywhere

	// DisableSessionTags and Policy are the association's. For a role from an
	// annotation there are neither tags nor policy.
	DisableSessionTags bool
	Policy             string

	// Rule is what gave the role: RuleAssociation or an annotation's key.
	Rule string
	// Association is the name of the association that gave it, if one did.
	Association string

	// Token is what the ServiceAccount or pod wants of its tokens.
	Token Token

	// Session is the association's template of session names, in which {pod}
	// alone is left to fill in; empty: it chose none, and the pod's name is taken.
	Session string
}

// Role is the role whose credentials the pod gets in the end; empty if nothing
// gave it one.
func (id Identity) Role() string {
	if id.TargetRoleARN != "" {
		return id.TargetRoleARN
	}
	return id.RoleARN
}

// Token is what annotations ask of the tokens that a pod gets. Each may be left
// open.
type Token struct {
	// Audience; empty: the method's own.
	Audience string
	// Life, at least MinTokenLife; 0: the method's own.
	Life time.Duration
	// RegionalSTS says whether old SDKs shall call the regional endpoint of STS;
	// nil: as the cluster is set.
	RegionalSTS *bool
}

// MinTokenLife is the shortest life that Kubernetes gives a token. What asks
// for less gets this, as from EKS's webhook.
const MinTokenLife = 10 * time.Minute

// A Finding is what one rule has to say of a pod.
type Finding struct {
	// Rule is RuleAssociation or an annotation's key.
	Rule string
	// Association is the name of the association; empty for annotations, and
	// where none fits.
	Association string
	// Role is the role that a pod would end up with; empty: the rule is silent.
	Role string
}

// Resolve decides who pod is to AWS. account is the ServiceAccount that it runs
// as, or nil if there is none; associations are all of the cluster's, in any
// order. The findings are the rules' in order of precedence, also when they
// are refused.
//
// An error is a *Refusal. No error and the zero Identity means that nobody
// gave the pod a role. Nothing is cached, called or remembered; what is given
// is not changed.
func Resolve(pod *corev1.Pod, account *corev1.ServiceAccount, associations []v1alpha1.PodIdentityAssociation, cluster Cluster) (Identity, []Finding, error) {
	q := question{pod: pod, account: account, cluster: cluster}
	if err := q.belong(); err != nil {
		return Identity{}, nil, err
	}
	var err error
	if q.association, err = mostExact(associations, pod.Namespace, account.Name); err != nil {
		return Identity{}, nil, err
	}
	findings := q.findings()
	first, err := agreement(findings)
	if err != nil || first.Role == "" {
		return Identity{}, findings, err
	}
	id := q.identity(first)
	for _, check := range checks() {
		if err := check.by(&q, &id); err != nil {
			return Identity{}, findings, err
		}
	}
	return id, findings, nil
}
