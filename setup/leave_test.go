package setup

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"daypass.dev/sandbox/world"
)

func destroy(ctx context.Context, f *File, cfg aws.Config) error {
	c := NewClient(f, cfg)
	s, err := c.Read(ctx)
	if err != nil {
		return err
	}
	_, err = c.Apply(ctx, f.Destroy(s), func(Step) {})
	return err
}

// beside makes what another file made, and what nobody's file made where this
// one's things are.
func (a *account) beside(t *testing.T, f *File, path string) (other *File) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(filepath.Dir(path), "other.yaml")
	write(t, second, strings.NewReplacer("name: prod\naccount", "name: test\naccount", "  reports:", "  reports2:", "  mailer:", "  mailer2:",
		"id/1", "id/2", "shop/", "test/").Replace(string(text)))
	other = reread(t, second)
	if err := apply(t.Context(), other, a.config()); err != nil {
		t.Fatal(err)
	}
	a.World.Lock()
	defer a.World.Unlock()
	own := a.World.Account("111122223333")
	own.Roles["by-hand"] = &world.Role{
		Name: "by-hand", Path: f.rolePath(), ARN: f.RoleARN("by-hand"), ID: "AROABYHAND", Trust: own.Roles["reports"].Trust,
	}
	return other
}

// Destroy leaves what another file made, and nobody's role among this one's.
func TestDestroyLeavesWhatIsForeign(t *testing.T) {
	for _, method := range methods() {
		t.Run(method, func(t *testing.T) {
			a := newAccount(t)
			f, path := fresh(t, method)
			if err := apply(t.Context(), f, a.config()); err != nil {
				t.Fatal(err)
			}
			other := a.beside(t, f, path)
			if err := destroy(t.Context(), f, a.config()); err != nil {
				t.Fatal(err)
			}
			if p := plan(t, other, a.config()); len(p.Steps) > 0 {
				t.Errorf("the other file's things were touched: %+v", p.Steps)
			}
			if own := a.World.Account("111122223333"); own.Roles["by-hand"] == nil || len(own.Roles) != 3 || len(own.Anchors) != 1 || len(own.Profiles) != 1 {
				t.Errorf("%d roles, %d trust anchors, %d profiles are left", len(own.Roles), len(own.Anchors), len(own.Profiles))
			}
		})
	}
}

// Destroy, interrupted at every call in turn, and again: all is gone that the
// file made. Of roles-anywhere, everything is among that of the others.
func TestInterruptedAnywhereItDestroys(t *testing.T) {
	for method, ways := range map[string][]string{"web-identity": {"cut", "lost"}, "eks": {"fail", "cut", "lost"}} {
		for _, how := range ways {
			t.Run(method+"/"+how, func(t *testing.T) {
				f, _ := fresh(t, method)
				for n := 1; ; n++ {
					a := newAccount(t)
					if err := apply(t.Context(), f, a.config()); err != nil {
						t.Fatal(err)
					}
					a.calls = 0
					a.spoil = func(at int) string {
						switch {
						case how == "lost" && at == n:
							return "cut" // once, and the SDK asks again
						case how == "lost" || at < n:
							return ""
						case at == n:
							return how
						}
						return "fail" // nothing comes after
					}
					err := destroy(t.Context(), f, a.config())
					done := a.calls < n
					a.spoil = nil
					if (err == nil) != (done || how == "lost") {
						t.Fatalf("call %d: %v", n, err)
					}
					if err := destroy(t.Context(), f, a.config()); err != nil {
						t.Fatalf("call %d: again: %v", n, err)
					}
					own := a.World.Account("111122223333")
					if len(own.Anchors)+len(own.Profiles)+len(own.Roles) > 0 || len(own.OIDCProviders) != 1 || len(own.Clusters["prod"].Associations) != 1 {
						t.Fatalf("call %d: %d trust anchors, %d profiles, %d roles, %d providers, %d associations are left", n,
							len(own.Anchors), len(own.Profiles), len(own.Roles), len(own.OIDCProviders), len(own.Clusters["prod"].Associations))
					}
					if done {
						if n < 10 {
							t.Errorf("destroy made %d calls", n)
						}
						break
					}
				}
			})
		}
	}
}

// With what Permissions prints for it, Destroy deletes everything, and finds
// afterwards that nothing is left; without any one of the permissions it does not.
func TestDestroyNeedsItsPermissions(t *testing.T) {
	for _, method := range methods() {
		t.Run(method, func(t *testing.T) {
			f, _ := fresh(t, method)
			tried, all := 0, 1
			for ; tried <= all; tried++ { // each in an account of its own; at last with all of them
				a := newAccount(t)
				if err := apply(t.Context(), f, a.config()); err != nil {
					t.Fatal(err)
				}
				s, err := NewClient(f, a.config()).Read(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				text := permissions(t, f.Destroy(s))
				lessers := without(t, text)
				all = len(lessers)
				what := "nothing"
				if tried < all {
					what, text = lessers[tried].what, lessers[tried].text
				}
				cfg := a.as(t, text)
				err = destroy(t.Context(), f, cfg)
				if err == nil {
					err = destroy(t.Context(), f, cfg)
				}
				if (err == nil) != (tried == all) {
					t.Errorf("without %s: %v", what, err)
				}
			}
			if all < 10 {
				t.Errorf("only %d permissions were tried", all)
			}
		})
	}
}

// What is taken out of the file is named, stays, and goes with prune.
func TestWhatIsTakenOutOfTheFile(t *testing.T) {
	const anchor = "trustAnchor:\n  certificateFile: ca.pem\n  sessions: 2h\n"
	for name, row := range map[string]struct {
		method string
		change []string
		left   []string
	}{
		"trust anchor":    {"web-identity", []string{anchor, "", "      - commonName: backup\n", ""}, []string{"profile daypass-prod", "trust anchor daypass-prod"}},
		"profile":         {"web-identity", []string{"      - commonName: backup\n", ""}, []string{"profile daypass-prod"}},
		"issuer":          {"web-identity", []string{"id/1", "id/2"}, []string{"OIDC provider arn:aws:iam::111122223333:oidc-provider/oidc.example.com/id/1"}},
		"method":          {"web-identity", []string{"web-identity", "eks"}, []string{"OIDC provider arn:aws:iam::111122223333:oidc-provider/oidc.example.com/id/1"}},
		"role":            {"roles-anywhere", []string{"\n  mailer:", "\n  mailer2:"}, []string{"role mailer"}},
		"service account": {"eks", []string{"shop/mail", "shop/post"}, []string{"association shop/mail"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccount(t)
			f, path := fresh(t, row.method)
			if err := apply(t.Context(), f, a.config()); err != nil {
				t.Fatal(err)
			}
			text := strings.ReplaceAll(fileText, "METHOD", row.method)
			changed := strings.NewReplacer(row.change...).Replace(text)
			if changed == text {
				t.Fatalf("%q is not in the file", row.change[0])
			}
			write(t, path, changed)
			g := reread(t, path)
			if err := apply(t.Context(), g, a.config()); err != nil {
				t.Fatal(err)
			}
			p := plan(t, g, a.config())
			if len(p.Steps) > 0 || !slices.Equal(p.Left, row.left) {
				t.Errorf("to do %+v, left %q", p.Steps, p.Left)
			}
			c := NewClient(g, a.config())
			s, err := c.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if p, err = g.Plan(s, true); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Apply(t.Context(), p, func(Step) {}); err != nil {
				t.Fatal(err)
			}
			if p := plan(t, g, a.config()); len(p.Steps)+len(p.Left) > 0 {
				t.Errorf("to do %+v, left %q", p.Steps, p.Left)
			}
			// Another's provider and association are still there.
			a.World.RLock()
			defer a.World.RUnlock()
			own := a.World.Account("111122223333")
			if own.Clusters["prod"].Associations["a-theirs"] == nil || len(own.OIDCProviders) == 0 {
				t.Error("others' things are gone")
			}
		})
	}
}
