package identity

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"daypass.dev/kube/api/v1alpha1"
)

// The rules that may give a role, in order of precedence.
const (
	RuleAssociation = "association"
	RuleDaypass     = "daypass.dev/role-arn"
	RuleEKS         = "eks.amazonaws.com/role-arn"
	RuleGToken      = "amazonaws.com/role-arn"
)

// Rules lists them.
func Rules() []string { return []string{RuleAssociation, RuleDaypass, RuleEKS, RuleGToken} }

// googleAccount is the annotation by which GKE lets a ServiceAccount run as an
// account of Google's. Without it a pod that asks Google's metadata server is
// answered as the node.
const googleAccount = "iam.gke.io/gcp-service-account"

// A question is what Resolve was asked.
type question struct {
	pod         *corev1.Pod
	account     *corev1.ServiceAccount
	association *v1alpha1.PodIdentityAssociation // the one that speaks, or nil
	cluster     Cluster
}

// belong makes sure that the account is the pod's: one of another namespace
// would hand out that one's role.
func (q *question) belong() error {
	name := q.pod.Spec.ServiceAccountName
	if name == "" {
		name = "default"
	}
	switch {
	case q.account == nil:
		return refuse("service-account-missing", "ServiceAccount %s/%s does not exist", q.pod.Namespace, name)
	case q.account.Namespace != q.pod.Namespace || q.account.Name != name:
		return refuse("service-account-missing", "the pod runs as %s/%s, and was looked at as %s/%s",
			q.pod.Namespace, name, q.account.Namespace, q.account.Name)
	}
	return nil
}

// findings lets each rule speak.
func (q *question) findings() []Finding {
	var all []Finding
	for _, rule := range Rules() {
		f := Finding{Rule: rule, Role: q.account.Annotations[rule]}
		if a := q.association; rule == RuleAssociation {
			f.Role = ""
			if a != nil {
				f.Association, f.Role = a.Name, a.Spec.TargetRoleARN
				if f.Role == "" {
					f.Role = a.Spec.RoleARN
				}
			}
		}
		all = append(all, f)
	}
	return all
}

// agreement returns the first finding that is not silent, if all others name
// the same role.
func agreement(findings []Finding) (Finding, error) {
	var first Finding
	for _, f := range findings {
		switch {
		case f.Role == "":
		case first.Role == "":
			first = f
		case f.Role != first.Role:
			return Finding{}, refuse("identity-disagreement", "%s, %s", first, f)
		}
	}
	return first, nil
}

// String is "RULE names ROLE".
func (f Finding) String() string {
	rule := "annotation " + f.Rule
	if f.Rule == RuleAssociation {
		rule = strings.TrimSpace("association " + f.Association)
	}
	if f.Role == "" {
		return rule + " names no role"
	}
	return fmt.Sprintf("%s names %.700s", rule, f.Role) // no role's ARN is longer
}

// identity puts together what the rule that decides says.
func (q *question) identity(by Finding) Identity {
	id := Identity{
		Namespace: q.pod.Namespace, ServiceAccount: q.account.Name, Rule: by.Rule, RoleARN: by.Role,
		DisableSessionTags: true,
	}
	if by.Rule == RuleGToken {
		id.Method = v1alpha1.Google // whoever wrote it made roles that trust Google
	}
	if a := q.association; by.Rule == RuleAssociation {
		id.Association = a.Name
		id.RoleARN, id.TargetRoleARN = a.Spec.RoleARN, a.Spec.TargetRoleARN
		id.DisableSessionTags, id.Policy = a.Spec.DisableSessionTags, a.Spec.Policy
		id.Method = a.Spec.Method
		if a.Spec.RolesAnywhere != nil {
			id.RolesAnywhere = *a.Spec.RolesAnywhere
		}
		id.Session = a.Spec.SessionName
	}
	if id.Method == "" {
		id.Method = q.cluster.Method
	}
	if id.RolesAnywhere == (v1alpha1.Anywhere{}) {
		id.RolesAnywhere = q.cluster.RolesAnywhere
	}
	if id.Method != v1alpha1.RolesAnywhere {
		id.RolesAnywhere = v1alpha1.Anywhere{}
	}
	id.Session = strings.NewReplacer(
		"{cluster}", q.cluster.Name, "{namespace}", id.Namespace, "{serviceAccount}", id.ServiceAccount,
	).Replace(id.Session)
	return id
}
