package identity

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"daypass.dev/kube/api/v1alpha1"
)

const (
	roleA  = "arn:aws:iam::111122223333:role/a"
	roleB  = "arn:aws-cn:iam::111122223333:role/team/b"
	target = "arn:aws:iam::444455556666:role/target"
)

var (
	anchor  = "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/11111111-2222-4333-8444-555555555555"
	profile = "arn:aws:rolesanywhere:eu-west-1:111122223333:profile/66666666-7777-4888-8999-aaaaaaaaaaaa"
	trust   = v1alpha1.Anywhere{TrustAnchorARN: anchor, ProfileARN: profile}
	other   = v1alpha1.Anywhere{TrustAnchorARN: anchor, ProfileARN: profile + "b"}
)

// pod is pod web-1 of namespace shop, which runs as ServiceAccount web.
func pod(annotations ...string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", Annotations: pairs(annotations)},
		Spec:       corev1.PodSpec{ServiceAccountName: "web"},
	}
}

// web is its ServiceAccount.
func web(annotations ...string) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Annotations: pairs(annotations)}}
}

func pairs(all []string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(all); i += 2 {
		m[all[i]] = all[i+1]
	}
	return m
}

// pia is an association called "NAMESPACE SERVICEACCOUNT".
func pia(namespace, account, role string, more ...func(*v1alpha1.PodIdentityAssociationSpec)) v1alpha1.PodIdentityAssociation {
	a := v1alpha1.PodIdentityAssociation{
		ObjectMeta: metav1.ObjectMeta{Name: namespace + " " + account},
		Spec:       v1alpha1.PodIdentityAssociationSpec{Namespace: namespace, ServiceAccount: account, RoleARN: role, DisableSessionTags: true},
	}
	for _, m := range more {
		m(&a.Spec)
	}
	return a
}

func named(name string, a v1alpha1.PodIdentityAssociation) v1alpha1.PodIdentityAssociation {
	a.Name = name
	return a
}

func method(m v1alpha1.Method) func(*v1alpha1.PodIdentityAssociationSpec) {
	return func(s *v1alpha1.PodIdentityAssociationSpec) { s.Method = m }
}

func tags(s *v1alpha1.PodIdentityAssociationSpec)     { s.DisableSessionTags = false }
func chained(s *v1alpha1.PodIdentityAssociationSpec)  { s.TargetRoleARN = target }
func limited(s *v1alpha1.PodIdentityAssociationSpec)  { s.Policy = "{}" }
func anywhere(s *v1alpha1.PodIdentityAssociationSpec) { s.RolesAnywhere = &other }

type pias []v1alpha1.PodIdentityAssociation

// A row is one question and its answer: an identity, a slug, or neither.
type row struct {
	name    string
	pod     *corev1.Pod
	account *corev1.ServiceAccount
	pias    pias
	cluster Cluster
	want    Identity // Namespace, ServiceAccount and Method may be left out if usual
	slug    string
}

var byToken = Cluster{Name: "prod", Method: v1alpha1.WebIdentity}

func rows() []row {
	yes := true
	annotated := func(more ...string) *corev1.ServiceAccount {
		return web(append([]string{RuleDaypass, roleA}, more...)...)
	}
	google := func(more ...string) *corev1.ServiceAccount {
		return web(append([]string{RuleGToken, roleA, googleAccount, "a@p.iam.gserviceaccount.com"}, more...)...)
	}
	host := pod()
	host.Spec.HostNetwork = true
	nameless := pod()
	nameless.Spec.ServiceAccountName = ""
	standard := web(RuleDaypass, roleA)
	standard.Name = "default"
	foreign := annotated()
	foreign.Namespace = "bank"
	neighbour := annotated()
	neighbour.Name = "api"

	all := []row{
		// Each rule alone, and none.
		{name: "nobody", account: web()},
		{name: "no annotation at all", account: &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}},
		{name: "empty annotations", account: web(RuleDaypass, "", RuleEKS, "", RuleGToken, "")},
		{name: RuleDaypass, account: annotated(), want: Identity{RoleARN: roleA, Rule: RuleDaypass}},
		{name: RuleEKS, account: web(RuleEKS, roleB), want: Identity{RoleARN: roleB, Rule: RuleEKS}},
		{name: RuleGToken, account: google(), want: Identity{RoleARN: roleA, Rule: RuleGToken, Method: v1alpha1.Google}},
		{name: RuleAssociation, account: web(), pias: pias{pia("shop", "web", roleA)},
			want: Identity{RoleARN: roleA, Rule: RuleAssociation, Association: "shop web"}},
		{name: "ServiceAccount by default", pod: nameless, account: standard, want: Identity{RoleARN: roleA, Rule: RuleDaypass, ServiceAccount: "default"}},

		// Precedence where all agree.
		{name: "association before annotations", account: web(RuleDaypass, roleA, RuleEKS, roleA, RuleGToken, roleA), pias: pias{pia("*", "*", roleA)},
			want: Identity{RoleARN: roleA, Rule: RuleAssociation, Association: "* *"}},
		{name: "ours before EKS's", account: web(RuleEKS, roleA, RuleGToken, roleA, RuleDaypass, roleA), want: Identity{RoleARN: roleA, Rule: RuleDaypass}},
		{name: "EKS's before gtoken's", account: web(RuleGToken, roleA, RuleEKS, roleA), want: Identity{RoleARN: roleA, Rule: RuleEKS}},
		{name: "agreement on where a chain ends", account: web(RuleDaypass, target), pias: pias{pia("shop", "web", roleA, chained)},
			want: Identity{RoleARN: roleA, TargetRoleARN: target, Rule: RuleAssociation, Association: "shop web"}},

		// Disagreement, between neighbours and over a gap.
		{name: "association and annotation differ", account: web(RuleDaypass, roleB), pias: pias{pia("shop", "web", roleA)}, slug: "identity-disagreement"},
		{name: "association and gtoken differ", account: web(RuleGToken, roleB), pias: pias{pia("shop", "web", roleA)}, slug: "identity-disagreement"},
		{name: "ours and EKS's differ", account: web(RuleDaypass, roleA, RuleEKS, roleB), slug: "identity-disagreement"},
		{name: "ours and gtoken's differ", account: web(RuleDaypass, roleA, RuleGToken, roleB), slug: "identity-disagreement"},
		{name: "EKS's and gtoken's differ", account: web(RuleEKS, roleA, RuleGToken, roleB), slug: "identity-disagreement"},
		{name: "the start of a chain is not its end", account: web(RuleDaypass, roleA), pias: pias{pia("shop", "web", roleA, chained)}, slug: "identity-disagreement"},

		// Wildcards: what fits, and what wins.
		{name: "another namespace", account: web(), pias: pias{pia("bank", "web", roleA), pia("sho", "web", roleA), pia("shopping", "web", roleA)}},
		{name: "another account", account: web(), pias: pias{pia("shop", "api", roleA), pia("shop", "we", roleA), pia("shop", "web2*", roleA), pia("sh*p", "web", roleA)}},
		{name: "whole namespace wins", account: web(), pias: pias{pia("*", "web", roleB), pia("shop", "*", roleA), pia("shop*", "web", roleB)},
			want: Identity{RoleARN: roleA, Rule: RuleAssociation, Association: "shop *"}},
		{name: "longer namespace wins", account: web(), pias: pias{pia("s*", "web", roleB), pia("sho*", "*", roleA), pia("*", "web", roleB)},
			want: Identity{RoleARN: roleA, Rule: RuleAssociation, Association: "sho* *"}},
		{name: "then the whole account", account: web(), pias: pias{pia("s*", "web*", roleB), pia("s*", "web", roleA), pia("s*", "*", roleB)},
			want: Identity{RoleARN: roleA, Rule: RuleAssociation, Association: "s* web"}},
		{name: "then the longer account", account: web(), pias: pias{pia("s*", "w*", roleB), pia("s*", "we*", roleA), pia("s*", "*", roleB)},
			want: Identity{RoleARN: roleA, Rule: RuleAssociation, Association: "s* we*"}},
		{name: "one pattern, two roles", account: web(), pias: pias{named("x", pia("s*", "w*", roleB)), named("y", pia("s*", "w*", roleA))}, slug: "association-duplicate"},
		{name: "one pattern, two methods", account: web(), pias: pias{pia("shop", "web", roleA), named("y", pia("shop", "web", roleA, method(v1alpha1.EKS)))}, slug: "association-duplicate"},
		{name: "one pattern twice the same", account: web(), pias: pias{named("y", pia("shop", "web", roleA)),
			named("x", pia("shop", "web", roleA, func(s *v1alpha1.PodIdentityAssociationSpec) { s.Tags = map[string]v1alpha1.TagValue{"a": "b"} }))},
			want: Identity{RoleARN: roleA, Rule: RuleAssociation, Association: "x"}},
		{name: "duplicates that do not speak", account: web(), pias: pias{named("x", pia("*", "*", roleB)), named("y", pia("*", "*", roleA)), pia("shop", "web", roleA)},
			want: Identity{RoleARN: roleA, Rule: RuleAssociation, Association: "shop web"}},

		// Whose ServiceAccount.
		{name: "no account", slug: "service-account-missing"},
		{name: "account of another namespace", account: foreign, slug: "service-account-missing"},
		{name: "account of another name", account: neighbour, slug: "service-account-missing"},

		// Roles that are none.
		{name: "no ARN", account: web(RuleDaypass, "reports"), slug: "role-arn-malformed"},
		{name: "ARN of a user", account: web(RuleEKS, "arn:aws:iam::111122223333:user/a"), slug: "role-arn-malformed"},
		{name: "ARN with a newline", account: web(RuleDaypass, roleA+"\n"), slug: "role-arn-malformed"},
		{name: "ARN without a name", account: web(RuleDaypass, "arn:aws:iam::111122223333:role/"), slug: "role-arn-malformed"},
		{name: "ARN of an account too short", account: web(RuleDaypass, "arn:aws:iam::1111:role/a"), slug: "role-arn-malformed"},
		{name: "association with no ARN", account: web(), pias: pias{pia("shop", "web", "*")}, slug: "role-arn-malformed"},

		// Methods.
		{name: "no method", account: annotated(), cluster: Cluster{Name: "prod"}, slug: "method-unset"},
		{name: "auto", account: annotated(), cluster: Cluster{Method: "auto"}, slug: "method-unset"},
		{name: "no method, association", account: web(), pias: pias{pia("shop", "web", roleA)}, cluster: Cluster{Name: "prod"}, slug: "method-unset"},
		{name: "method of the association", account: web(), pias: pias{pia("shop", "web", roleA, method(v1alpha1.EKS))}, cluster: Cluster{Name: "prod"},
			want: Identity{RoleARN: roleA, Rule: RuleAssociation, Association: "shop web", Method: v1alpha1.EKS}},
		{name: "gtoken's needs no default", account: google(), cluster: Cluster{Name: "prod"}, want: Identity{RoleARN: roleA, Rule: RuleGToken, Method: v1alpha1.Google}},
		{name: "unknown method", account: annotated(), cluster: Cluster{Method: "magic"}, slug: "method-unknown"},
		{name: "no role needs no method", account: web(), cluster: Cluster{Method: "magic"}},

		// Deputies.
		{name: "annotation and eks", account: annotated(), cluster: Cluster{Method: v1alpha1.EKS}, slug: "annotation-node-credentials"},
		{name: "EKS's annotation and eks", account: web(RuleEKS, roleA), cluster: Cluster{Method: v1alpha1.EKS}, slug: "annotation-node-credentials"},
		{name: "association and eks", account: annotated(), pias: pias{pia("shop", "web", roleA, tags)}, cluster: Cluster{Method: v1alpha1.EKS},
			want: Identity{RoleARN: roleA, Rule: RuleAssociation, Association: "shop web", Method: v1alpha1.EKS, DisableSessionTags: false}},
		{name: "gtoken's without an account of Google's", account: web(RuleGToken, roleA), slug: "annotation-node-credentials"},
		{name: "google by default without an account of Google's", account: annotated(), cluster: Cluster{Method: v1alpha1.Google}, slug: "annotation-node-credentials"},
		{name: "google on the node's network", pod: host, account: google(), slug: "annotation-node-credentials"},
		{name: "google from an association", pod: host, account: web(), pias: pias{pia("shop", "web", roleA, method(v1alpha1.Google))},
			want: Identity{RoleARN: roleA, Rule: RuleAssociation, Association: "shop web", Method: v1alpha1.Google}},

		// Session tags and policies.
		{name: "tags by token", account: web(), pias: pias{pia("shop", "web", roleA, tags)}, slug: "session-tags-untrusted"},
		{name: "tags by Google", account: web(), pias: pias{pia("shop", "web", roleA, tags, method(v1alpha1.Google))}, slug: "session-tags-untrusted"},
		{name: "tags by certificate", account: web(), pias: pias{pia("shop", "web", roleA, tags, method(v1alpha1.RolesAnywhere), anywhere)},
			want: Identity{RoleARN: roleA, Rule: RuleAssociation, Association: "shop web", Method: v1alpha1.RolesAnywhere, RolesAnywhere: other, DisableSessionTags: false}},
		{name: "policy", account: web(), pias: pias{pia("shop", "web", roleA, limited)},
			want: Identity{RoleARN: roleA, Rule: RuleAssociation, Association: "shop web", Policy: "{}"}},
		{name: "policy by certificate", account: web(), pias: pias{pia("shop", "web", roleA, limited, method(v1alpha1.RolesAnywhere), anywhere)}, slug: "policy-unusable"},
		{name: "policy by certificate, on the target", account: web(), pias: pias{pia("shop", "web", roleA, limited, chained, method(v1alpha1.RolesAnywhere), anywhere)},
			want: Identity{RoleARN: roleA, TargetRoleARN: target, Rule: RuleAssociation, Association: "shop web", Method: v1alpha1.RolesAnywhere, RolesAnywhere: other, Policy: "{}"}},

		// Trust anchors.
		{name: "anchor of the cluster", account: annotated(), cluster: Cluster{Method: v1alpha1.RolesAnywhere, RolesAnywhere: trust},
			want: Identity{RoleARN: roleA, Rule: RuleDaypass, Method: v1alpha1.RolesAnywhere, RolesAnywhere: trust}},
		{name: "anchor of the association", account: web(), pias: pias{pia("shop", "web", roleA, anywhere)}, cluster: Cluster{Method: v1alpha1.RolesAnywhere, RolesAnywhere: trust},
			want: Identity{RoleARN: roleA, Rule: RuleAssociation, Association: "shop web", Method: v1alpha1.RolesAnywhere, RolesAnywhere: other}},
		{name: "anchor not needed", account: annotated(), cluster: Cluster{Method: v1alpha1.WebIdentity, RolesAnywhere: trust}, want: Identity{RoleARN: roleA, Rule: RuleDaypass}},
		{name: "no anchor", account: annotated(), cluster: Cluster{Method: v1alpha1.RolesAnywhere}, slug: "roles-anywhere-unset"},
		{name: "no profile", account: annotated(), cluster: Cluster{Method: v1alpha1.RolesAnywhere, RolesAnywhere: v1alpha1.Anywhere{TrustAnchorARN: anchor}}, slug: "roles-anywhere-unset"},

		// Tokens.
		{name: "EKS's annotations on tokens", account: annotated("eks.amazonaws.com/audience", "aud", "eks.amazonaws.com/sts-regional-endpoints", "true", "eks.amazonaws.com/token-expiration", "7200"),
			want: Identity{RoleARN: roleA, Rule: RuleDaypass, Token: Token{Audience: "aud", Life: 2 * time.Hour, RegionalSTS: &yes}}},
		{name: "ours before EKS's on tokens", account: annotated("eks.amazonaws.com/audience", "theirs", "daypass.dev/audience", "ours", "daypass.dev/token-expiration", "1200", "eks.amazonaws.com/token-expiration", "7200"),
			want: Identity{RoleARN: roleA, Rule: RuleDaypass, Token: Token{Audience: "ours", Life: 20 * time.Minute}}},
		{name: "the pod's before the account's", pod: pod("eks.amazonaws.com/token-expiration", "900"), account: annotated("daypass.dev/token-expiration", "7200"),
			want: Identity{RoleARN: roleA, Rule: RuleDaypass, Token: Token{Life: 15 * time.Minute}}},
		{name: "shorter than Kubernetes gives", account: annotated("eks.amazonaws.com/token-expiration", "60"), want: Identity{RoleARN: roleA, Rule: RuleDaypass, Token: Token{Life: 10 * time.Minute}}},
		{name: "a life that is none", account: annotated("eks.amazonaws.com/token-expiration", "22hrs"), slug: "annotation-malformed"},
		{name: "a negative life", pod: pod("daypass.dev/token-expiration", "-1"), account: annotated(), slug: "annotation-malformed"},
		{name: "a life beyond Kubernetes'", account: annotated("eks.amazonaws.com/token-expiration", "4294967296"), slug: "annotation-malformed"},
		{name: "neither true nor false", account: annotated("eks.amazonaws.com/sts-regional-endpoints", "perhaps"), slug: "annotation-malformed"},
		{name: "nobody reads what nobody needs", account: web("eks.amazonaws.com/token-expiration", "22hrs")},
	}
	for i := range all {
		r := &all[i]
		if r.pod == nil {
			r.pod = pod()
		}
		if r.cluster == (Cluster{}) {
			r.cluster = byToken
		}
		if r.want.Rule == "" {
			continue
		}
		r.want.Namespace = "shop"
		if r.want.ServiceAccount == "" {
			r.want.ServiceAccount = "web"
		}
		if r.want.Method == "" {
			r.want.Method = v1alpha1.WebIdentity
		}
		// Where tags are not what the row is about, they are off.
		if a := r.want.Association; a == "" || !wantsTags(r.pias, a) {
			r.want.DisableSessionTags = true
		}
	}
	return all
}

func wantsTags(all pias, name string) bool {
	for _, a := range all {
		if a.Name == name {
			return !a.Spec.DisableSessionTags
		}
	}
	return false
}

func TestResolve(t *testing.T) {
	for _, r := range rows() {
		t.Run(r.name, func(t *testing.T) {
			got, findings, err := Resolve(r.pod, r.account, r.pias, r.cluster)
			var refusal *Refusal
			if errors.As(err, &refusal) != (r.slug != "") || err != nil && (refusal.Slug != r.slug || refusal.Detail == "") {
				t.Fatalf("refused as %q (%v), want %q", refusal, err, r.slug)
			}
			if diff := cmp.Diff(r.want, got); diff != "" {
				t.Error(diff)
			}
			if err == nil && len(findings) != len(Rules()) {
				t.Errorf("%d of %d rules speak", len(findings), len(Rules()))
			}
			for i, f := range findings {
				if f.Rule != Rules()[i] {
					t.Errorf("%s speaks as number %d", f.Rule, i)
				}
			}
		})
	}
}
