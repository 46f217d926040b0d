package identity

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"daypass.dev/kube/api/v1alpha1"
)

// TestProperties asks many random questions, from words so few that rules
// often meet.
func TestProperties(t *testing.T) {
	const questions = 20000
	roles := []string{"", roleA, roleB, target, "reports"}
	patterns := []string{"*", "s*", "shop", "shop*", "bank", "w*", "web"}
	methods := []v1alpha1.Method{"", v1alpha1.EKS, v1alpha1.WebIdentity, v1alpha1.RolesAnywhere, v1alpha1.Google}
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(words []string) string { return words[r.IntN(len(words))] }
	var given, refused, none int
	for range questions {
		account := web(RuleDaypass, pick(roles), RuleEKS, pick(roles), RuleGToken, pick(roles), googleAccount, pick([]string{"", "a@p.iam.gserviceaccount.com"}))
		if r.IntN(2) == 0 { // three that agree by chance are rare
			account = web(pick(Rules()[1:]), pick(roles))
		}
		var all pias
		for i := range r.IntN(5) {
			a := pia(pick(patterns), pick(patterns), pick(roles[1:4]), method(methods[r.IntN(len(methods))]))
			a.Name = string(rune('a' + i))
			a.Spec.DisableSessionTags = r.IntN(3) > 0
			if r.IntN(4) == 0 {
				a.Spec.TargetRoleARN = target
			}
			all = append(all, a)
		}
		cluster := Cluster{Name: "prod", Method: methods[r.IntN(len(methods))]}
		if r.IntN(2) == 0 {
			cluster.RolesAnywhere = trust
		}
		pod := pod()
		pod.Spec.HostNetwork = r.IntN(3) == 0

		id, findings, err := Resolve(pod, account, all, cluster)
		shuffled := append(pias{}, all...)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		id2, findings2, err2 := Resolve(pod, account, shuffled, cluster)
		if !reflect.DeepEqual(id, id2) || !reflect.DeepEqual(findings, findings2) || !reflect.DeepEqual(err, err2) {
			t.Fatalf("the order of associations decides: %v %v, %v %v", id, err, id2, err2)
		}
		var refusal *Refusal
		switch {
		case errors.As(err, &refusal):
			refused++
			if !reflect.DeepEqual(id, Identity{}) {
				t.Fatalf("refused, and yet %+v", id)
			}
			continue
		case err != nil:
			t.Fatal(err)
		case id.Role() == "":
			none++
			if !reflect.DeepEqual(id, Identity{}) {
				t.Fatalf("nobody, and yet %+v", id)
			}
		default:
			given++
		}
		if !licensed(id, account.Annotations, all) {
			t.Fatalf("%+v, which no rule gave: %v, %v", id, account.Annotations, all)
		}
		if id.Rule != RuleAssociation && (id.Method == v1alpha1.EKS || id.TargetRoleARN != "" ||
			id.Method == v1alpha1.Google && (account.Annotations[googleAccount] == "" || pod.Spec.HostNetwork)) {
			t.Fatalf("an annotation selects %+v", id)
		}
		for _, f := range findings {
			if f.Role != "" && f.Role != id.Role() {
				t.Fatalf("%v, and yet %s", f, id.Role())
			}
		}
	}
	t.Logf("%d given, %d refused, %d nobody's", given, refused, none)
	if given < questions/50 || refused < questions/50 || none < questions/50 {
		t.Errorf("%d given, %d refused, %d nobody's: the words are badly chosen", given, refused, none)
	}
}

// licensed is the law written another way: some rule that applies to the pod
// gives exactly this.
func licensed(id Identity, annotations map[string]string, all pias) bool {
	if id.Role() == "" {
		return true
	}
	if id.Rule != RuleAssociation {
		return id.TargetRoleARN == "" && id.Association == "" && annotations[id.Rule] == id.RoleARN
	}
	for _, a := range all {
		meant := map[string]bool{"*": true, "s*": true, "shop": true, "shop*": true}[a.Spec.Namespace] &&
			map[string]bool{"*": true, "w*": true, "web": true}[a.Spec.ServiceAccount]
		if meant && a.Name == id.Association && a.Spec.RoleARN == id.RoleARN && a.Spec.TargetRoleARN == id.TargetRoleARN {
			return true
		}
	}
	return false
}
