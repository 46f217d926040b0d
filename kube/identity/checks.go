package identity

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"daypass.dev/kube/api/v1alpha1"
)

// A check is one way to refuse an identity that a rule gave.
type check struct {
	slug string
	by   func(*question, *Identity) error
}

// checks lists them in the order in which they are made. Some fill in what
// they have read.
func checks() []check {
	return []check{
		{"role-arn-malformed", checkRoles},
		{"annotation-malformed", readToken},
		{"method-unset", checkMethodIsSet},
		{"method-unknown", checkMethodIsKnown},
		{"annotation-node-credentials", checkDeputy},
		{"session-tags-untrusted", checkTags},
		{"policy-unusable", checkPolicy},
		{"roles-anywhere-unset", checkAnywhere},
	}
}

// roleARN is what the definition of associations asks of a role, too.
var roleARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]*[\w+=,.@-]+$`)

func checkRoles(_ *question, id *Identity) error {
	for _, role := range []string{id.RoleARN, id.TargetRoleARN} {
		if role != "" && (len(role) > 2048 || !roleARN.MatchString(role)) {
			return refuse("role-arn-malformed", "%s is not the ARN of a role: %.100q", given(*id), role)
		}
	}
	return nil
}

// given says what gave an identity.
func given(id Identity) string {
	if id.Rule == RuleAssociation {
		return "association " + id.Association
	}
	return "annotation " + id.Rule + " of ServiceAccount " + id.ServiceAccount
}

// readToken reads the annotations on tokens, ours before EKS's.
func readToken(q *question, id *Identity) error {
	account, pod := q.account.Annotations, q.pod.Annotations
	id.Token.Audience, _ = annotation(account, "audience")
	if text, key := annotation(account, "sts-regional-endpoints"); text != "" {
		regional, err := strconv.ParseBool(text)
		if err != nil {
			return refuse("annotation-malformed", "annotation %s of ServiceAccount %s is neither true nor false: %.40q", key, id.ServiceAccount, text)
		}
		id.Token.RegionalSTS = &regional
	}
	text, key := annotation(pod, "token-expiration")
	whose := "the pod"
	if text == "" {
		text, key = annotation(account, "token-expiration")
		whose = "ServiceAccount " + id.ServiceAccount
	}
	if text == "" {
		return nil
	}
	seconds, err := strconv.ParseUint(text, 10, 32) // Kubernetes takes no more, either
	if err != nil {
		return refuse("annotation-malformed", "annotation %s of %s is no number of seconds: %.40q", key, whose, text)
	}
	id.Token.Life = max(MinTokenLife, time.Duration(seconds)*time.Second)
	return nil
}

// annotation reads one of ours or else EKS's, and tells its key.
func annotation(all map[string]string, name string) (text, key string) {
	for _, prefix := range []string{"daypass.dev/", "eks.amazonaws.com/"} {
		if all[prefix+name] != "" {
			return all[prefix+name], prefix + name
		}
	}
	return "", ""
}

func checkMethodIsSet(_ *question, id *Identity) error {
	if id.Method == "" || id.Method == "auto" {
		return refuse("method-unset", "%s gives a role, and neither it nor the cluster's settings say by which method", given(*id))
	}
	return nil
}

func checkMethodIsKnown(_ *question, id *Identity) error {
	switch id.Method {
	case v1alpha1.EKS, v1alpha1.WebIdentity, v1alpha1.RolesAnywhere, v1alpha1.Google:
		return nil
	}
	return refuse("method-unknown", "%.40q is none of eks, web-identity, roles-anywhere, google", string(id.Method))
}

// checkDeputy refuses annotations where AWS would not be shown the pod's own
// proof. With method eks the node's credentials make the call. Google's
// metadata server answers a pod without an account of its own as the node, and
// every pod on the node's network, too.
func checkDeputy(q *question, id *Identity) error {
	switch {
	case id.Rule == RuleAssociation:
	case id.Method == v1alpha1.EKS:
		return refuse("annotation-node-credentials", "%s asks for method eks, which shows AWS the node's credentials", given(*id))
	case id.Method != v1alpha1.Google:
	case q.account.Annotations[googleAccount] == "":
		return refuse("annotation-node-credentials", "%s asks for method google, and it has no annotation %s: Google would answer as the node", given(*id), googleAccount)
	case q.pod.Spec.HostNetwork:
		return refuse("annotation-node-credentials", "%s asks for method google, and the pod is on the node's network: Google would answer as the node", given(*id))
	}
	return nil
}

// checkTags: with a token that the pod holds, it could call AWS itself and
// name any tags, so a policy must not trust them.
func checkTags(_ *question, id *Identity) error {
	borne := id.Method == v1alpha1.WebIdentity || id.Method == v1alpha1.Google
	if borne && !id.DisableSessionTags {
		return refuse("session-tags-untrusted", "association %s wants session tags with method %s, where the pod could choose them itself",
			id.Association, id.Method)
	}
	return nil
}

// checkPolicy: CreateSession takes no session policy, and dropping it would
// allow more than was meant.
func checkPolicy(_ *question, id *Identity) error {
	if id.Policy != "" && id.Method == v1alpha1.RolesAnywhere && id.TargetRoleARN == "" {
		return refuse("policy-unusable", "association %s has a policy, which Roles Anywhere cannot apply to roleArn", id.Association)
	}
	return nil
}

func checkAnywhere(_ *question, id *Identity) error {
	if id.Method != v1alpha1.RolesAnywhere {
		return nil
	}
	var missing []string
	if id.RolesAnywhere.TrustAnchorARN == "" {
		missing = append(missing, "trust anchor")
	}
	if id.RolesAnywhere.ProfileARN == "" {
		missing = append(missing, "profile")
	}
	if len(missing) > 0 {
		return refuse("roles-anywhere-unset", "%s gives a role by method roles-anywhere, and neither an association nor the cluster's settings name a %s",
			given(*id), strings.Join(missing, " and a "))
	}
	return nil
}
