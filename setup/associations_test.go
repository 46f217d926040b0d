package setup

import (
	"slices"
	"strings"
	"testing"

	"daypass.dev/policy"
	"daypass.dev/sandbox/world"
)

// of is the association of a ServiceAccount of the namespace shop.
func of(a *world.Account, serviceAccount string) *world.PodAssociation {
	for _, one := range a.Clusters["prod"].Associations {
		if one.Namespace == "shop" && one.ServiceAccount == serviceAccount {
			return one
		}
	}
	return nil
}

// Associations that somebody changed are changed back; those of others are
// refused where they say something else, and left alone where they say the same.
func TestAssociationsThatSomebodyChanged(t *testing.T) {
	for name, row := range map[string]struct {
		by   func(*world.Account)
		want string // the call that mends it, or the refusal's slug
	}{
		"nothing":       {func(*world.Account) {}, ""},
		"gone":          {func(a *world.Account) { delete(a.Clusters["prod"].Associations, of(a, "web").ID) }, "eks:CreatePodIdentityAssociation"},
		"another role":  {func(a *world.Account) { of(a, "web").RoleARN = of(a, "mail").RoleARN }, "eks:UpdatePodIdentityAssociation"},
		"no tags":       {func(a *world.Account) { of(a, "web").DisableSessionTags = true }, "eks:UpdatePodIdentityAssociation"},
		"a second role": {func(a *world.Account) { of(a, "web").TargetRoleARN = "arn:aws:iam::444455556666:role/x" }, "eks:UpdatePodIdentityAssociation"},
		"a policy": {func(a *world.Account) {
			doc, _ := policy.Parse(policy.Session, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)
			of(a, "web").Policy, of(a, "web").DisableSessionTags = doc, true
		}, "eks:UpdatePodIdentityAssociation"},
		"others', the same": {func(a *world.Account) { of(a, "web").Tags = nil }, ""},
		"others', another role": {func(a *world.Account) {
			of(a, "web").Tags, of(a, "web").RoleARN = nil, "arn:aws:iam::111122223333:role/x"
		}, "setup-foreign"},
		"others', without tags": {func(a *world.Account) { of(a, "web").Tags, of(a, "web").DisableSessionTags = nil, true }, "setup-foreign"},
		"another file's, changed": {func(a *world.Account) {
			of(a, "web").Tags = map[string]string{ownTag: "test"}
			of(a, "web").RoleARN = "arn:aws:iam::111122223333:role/x"
		}, "setup-foreign"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccount(t)
			f, _ := fresh(t, "eks")
			if err := apply(t.Context(), f, a.config()); err != nil {
				t.Fatal(err)
			}
			a.World.Lock()
			row.by(a.World.Account("111122223333"))
			a.World.Unlock()
			p, err := tryPlan(t.Context(), f, a.config())
			if row.want == "setup-foreign" {
				if err == nil || !strings.Contains(err.Error(), row.want) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var actions []string
			for _, s := range p.Steps {
				actions = append(actions, s.Action)
			}
			if want := strings.Fields(row.want); !slices.Equal(actions, want) {
				t.Errorf("%q, want %q", actions, want)
			}
			if err := apply(t.Context(), f, a.config()); err != nil {
				t.Fatal(err)
			}
			empty(t, a, f)
		})
	}
}

// The cluster is told by annotations, but for EKS, where they are refused.
func TestCommands(t *testing.T) {
	for method, want := range map[string][]string{
		"web-identity": {
			"kubectl annotate serviceaccount --overwrite -n shop mail daypass.dev/role-arn=arn:aws:iam::111122223333:role/daypass/prod/mailer",
			"kubectl annotate serviceaccount --overwrite -n shop web daypass.dev/role-arn=arn:aws:iam::111122223333:role/daypass/prod/reports",
		},
		"eks": {"daypassctl associations import --cluster-name prod | kubectl apply -f -"},
	} {
		f, _ := fresh(t, method)
		if got := f.Commands(); !slices.Equal(got, want) {
			t.Errorf("%s: %q", method, got)
		}
	}
}
