package setup

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"crypto/x509/pkix"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"daypass.dev/pki"
	"daypass.dev/policy"
	"daypass.dev/sandbox"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

const fileText = `name: prod
account: "111122223333"
region: eu-central-1
trustAnchor:
  certificateFile: ca.pem
  sessions: 2h
cluster:
  name: prod
  trustDomain: prod.example.org
  method: METHOD
  issuer: https://oidc.example.com/id/1
  arn: arn:aws:eks:eu-central-1:111122223333:cluster/prod
roles:
  reports:
    usedBy:
      - serviceAccount: shop/web
      - commonName: backup
    allow:
      - {actions: ["s3:GetObject"], resources: ["arn:aws:s3:::reports/*"]}
    policies: [arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess]
    maxSession: 3h
  mailer:
    usedBy:
      - {google: "112233445566778899000", audience: gtoken}
      - serviceAccount: shop/mail
`

// fresh writes the file beside a CA, and reads it.
func fresh(t *testing.T, method string) (*File, string) {
	t.Helper()
	dir := t.TempDir()
	key, err := pki.NewKey("ec-p256")
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.NewCA(key, pkix.Name{CommonName: "Test CA"}, 365*24*time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "ca.pem"), string(pki.EncodeCertificate(ca.Certificate)))
	path := filepath.Join(dir, "setup.yaml")
	write(t, path, strings.ReplaceAll(fileText, "METHOD", method))
	return reread(t, path), path
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func reread(t *testing.T, path string) *File {
	t.Helper()
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// An account is a sandbox of which each call may be spoiled.
type account struct {
	*sandboxtest.Sandbox
	calls int
	// spoil, if set, is asked before each call: fail answers an error instead,
	// cut carries the call out and lets nobody know.
	spoil func(n int) string
}

func newAccount(t *testing.T) *account {
	t.Helper()
	return accountIn(t, "eu-central-1", "aws")
}

// accountIn is one of a partition, with a cluster in EKS in the region.
func accountIn(t *testing.T, region, partition string) *account {
	t.Helper()
	a := &account{}
	w := world.New()
	w.Account("111122223333").Partition, w.Region = partition, region
	for _, id := range []string{"1", "2"} {
		w.SetIssuer("https://oidc.example.com/id/"+id, world.Issuer{JWKS: []byte(`{"keys":[]}`)})
	}
	own := w.Account("111122223333")
	// What others made, that is none of the file's business.
	foreign := "arn:" + partition + ":iam::111122223333:oidc-provider/oidc.example.com/other"
	own.OIDCProviders[foreign] = &world.OIDCProvider{ARN: foreign, URL: "https://oidc.example.com/other", ClientIDs: []string{"theirs"}}
	own.Clusters["prod"] = &world.Cluster{
		Name: "prod", Region: region, ARN: "arn:" + partition + ":eks:" + region + ":111122223333:cluster/prod", Replayed: map[string]string{},
		Associations: map[string]*world.PodAssociation{"a-theirs": {ID: "a-theirs", Namespace: "theirs", ServiceAccount: "web", RoleARN: "arn:" + partition + ":iam::111122223333:role/theirs"}},
	}
	inner := sandbox.New(w)
	a.Sandbox = sandboxtest.StartHandler(t, w, http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		a.calls++
		how := ""
		if a.spoil != nil {
			how = a.spoil(a.calls)
		}
		switch how {
		case "fail":
			panic(http.ErrAbortHandler)
		case "cut":
			inner.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		inner.ServeHTTP(out, r)
	}))
	return a
}

func (a *account) config() aws.Config {
	c := a.Config()
	c.Retryer = impatient
	return c
}

// impatient tries thrice at once.
func impatient() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return time.Millisecond, nil })
		o.RateLimiter = ratelimit.None
	})
}

// as is a configuration of a user with one policy.
func (a *account) as(t *testing.T, text string) aws.Config {
	t.Helper()
	c := a.User(t, "111122223333", world.NewID("operator"), text)
	c.Retryer = impatient
	return c
}

func plan(t *testing.T, f *File, cfg aws.Config) *Plan {
	t.Helper()
	p, err := tryPlan(t.Context(), f, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func tryPlan(ctx context.Context, f *File, cfg aws.Config) (*Plan, error) {
	s, err := NewClient(f, cfg).Read(ctx)
	if err != nil {
		return nil, err
	}
	return f.Plan(s, false)
}

// apply plans and applies once.
func apply(ctx context.Context, f *File, cfg aws.Config) error {
	p, err := tryPlan(ctx, f, cfg)
	if err != nil {
		return err
	}
	_, err = NewClient(f, cfg).Apply(ctx, p, func(Step) {})
	return err
}

// empty fails unless nothing is left to do, and each thing is there once.
func empty(t *testing.T, a *account, f *File) {
	t.Helper()
	if p := plan(t, f, a.config()); len(p.Steps) > 0 || len(p.Left) > 0 {
		t.Errorf("the plan is not empty: %+v", p.Steps)
	}
	a.World.RLock()
	defer a.World.RUnlock()
	own := a.World.Account("111122223333")
	providers, associations := 1, 1 // those of others
	if f.issuer() != "" {
		providers++
	}
	if f.inEKS() {
		associations += 2
	}
	if len(own.Anchors) != 1 || len(own.Profiles) != 1 || len(own.Roles) != 2 || len(own.OIDCProviders) != providers || len(own.Clusters["prod"].Associations) != associations {
		t.Errorf("%d trust anchors, %d profiles, %d roles, %d providers, %d associations",
			len(own.Anchors), len(own.Profiles), len(own.Roles), len(own.OIDCProviders), len(own.Clusters["prod"].Associations))
	}
}

func methods() []string { return []string{"web-identity", "roles-anywhere", "eks"} }

func TestApplyThenNothingIsLeftToDo(t *testing.T) {
	for _, method := range methods() {
		t.Run(method, func(t *testing.T) {
			a := newAccount(t)
			f, _ := fresh(t, method)
			if err := apply(t.Context(), f, a.config()); err != nil {
				t.Fatal(err)
			}
			empty(t, a, f)
		})
	}
}

// In the partitions of China and GovCloud, too, with what plan --permissions
// prints for them.
func TestApplyInOtherPartitions(t *testing.T) {
	for region, partition := range map[string]string{"cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov"} {
		for _, method := range methods() {
			t.Run(partition+"/"+method, func(t *testing.T) {
				a := accountIn(t, region, partition)
				_, path := fresh(t, method)
				write(t, path, strings.NewReplacer("METHOD", method, "eu-central-1", region, "arn:aws:", "arn:"+partition+":").Replace(fileText))
				f := reread(t, path)
				if err := apply(t.Context(), f, a.as(t, permissions(t, plan(t, f, a.config())))); err != nil {
					t.Fatal(err)
				}
				empty(t, a, f)
			})
		}
	}
}

// Interrupted at every call in turn, before or after AWS carried it out, and run
// again: the same comes of it, nothing twice.
func TestInterruptedAnywhereItConverges(t *testing.T) {
	for _, method := range methods() {
		for _, how := range []string{"fail", "cut"} {
			t.Run(method+"/"+how, func(t *testing.T) {
				f, _ := fresh(t, method)
				for n := 1; ; n++ {
					a := newAccount(t)
					a.spoil = func(at int) string {
						switch {
						case at < n:
							return ""
						case at == n:
							return how
						}
						return "fail" // nothing comes after
					}
					err := apply(t.Context(), f, a.config())
					if a.calls < n {
						if n < 10 || err != nil {
							t.Fatalf("%d calls, %v", a.calls, err)
						}
						return
					}
					if err == nil {
						t.Errorf("call %d: no error", n)
					}
					a.spoil = nil
					if err := apply(t.Context(), f, a.config()); err != nil {
						t.Fatalf("call %d: again: %v", n, err)
					}
					empty(t, a, f)
				}
			})
		}
	}
}

// With what Permissions prints, and nothing else, it works; without any one of
// the permissions it does not.
func TestPermissionsAreWhatIsNeeded(t *testing.T) {
	for _, method := range methods() {
		t.Run(method, func(t *testing.T) {
			f, _ := fresh(t, method)
			text := permissions(t, plan(t, f, newAccount(t).config()))
			a := newAccount(t)
			cfg := a.as(t, text)
			if err := apply(t.Context(), f, cfg); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if p := plan(t, f, cfg); len(p.Steps) > 0 { // also the reading afterwards
				t.Errorf("%+v", p.Steps)
			}
			tried := 0
			for _, less := range without(t, text) {
				a := newAccount(t)
				cfg := a.as(t, less.text)
				err := apply(t.Context(), f, cfg)
				if err == nil {
					_, err = tryPlan(t.Context(), f, cfg)
				}
				if err == nil {
					t.Errorf("%s is not needed", less.what)
				}
				tried++
			}
			if tried < 10 {
				t.Errorf("only %d permissions were tried", tried)
			}
		})
	}
}

func permissions(t *testing.T, p *Plan) string {
	t.Helper()
	text, err := p.Permissions()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

type lesser struct{ what, text string }

// without is the policy without each action of each resource in turn.
func without(t *testing.T, text string) (all []lesser) {
	t.Helper()
	type statement struct {
		Effect           string
		Action, Resource []string
		Condition        json.RawMessage `json:",omitempty"`
	}
	var doc struct {
		Version   string
		Statement []statement
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	var flat []statement
	for _, s := range doc.Statement {
		for _, action := range s.Action {
			for _, resource := range s.Resource {
				flat = append(flat, statement{s.Effect, []string{action}, []string{resource}, s.Condition})
			}
		}
	}
	for i, s := range flat {
		doc.Statement = slices.Delete(slices.Clone(flat), i, i+1)
		out, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, lesser{s.Action[0] + " on " + s.Resource[0], string(out)})
	}
	return all
}

// What somebody changed by hand is found, and changed back.
func TestDriftIsFound(t *testing.T) {
	type change struct {
		by   func(*world.Account)
		want string // the call that mends it
	}
	only := func(a *world.Account) *world.Role { return a.Roles["reports"] }
	for name, c := range map[string]change{
		"trust policy": {func(a *world.Account) { only(a).Trust = a.Roles["mailer"].Trust }, "iam:UpdateAssumeRolePolicy"},
		"session life": {func(a *world.Account) { only(a).MaxSession = time.Hour }, "iam:UpdateRole"},
		"own policy":   {func(a *world.Account) { delete(only(a).Inline, ownPolicy) }, "iam:PutRolePolicy"},
		"more policy":  {func(a *world.Account) { only(a).Inline["more"] = only(a).Inline[ownPolicy] }, "iam:DeleteRolePolicy"},
		"detached":     {func(a *world.Account) { only(a).Attached = nil }, "iam:AttachRolePolicy"},
		"attached": {func(a *world.Account) {
			only(a).Attached = append(only(a).Attached, "arn:aws:iam::aws:policy/AdministratorAccess")
		}, "iam:DetachRolePolicy"},
		"role gone": {func(a *world.Account) { delete(a.Roles, "reports") }, "iam:CreateRole"},
		"disabled anchor": {func(a *world.Account) {
			for _, one := range a.Anchors {
				one.Disabled = true
			}
		}, "rolesanywhere:EnableTrustAnchor"},
		"disabled profile": {func(a *world.Account) {
			for _, one := range a.Profiles {
				one.Disabled = true
			}
		}, "rolesanywhere:EnableProfile"},
		"other role in the profile": {func(a *world.Account) {
			for _, one := range a.Profiles {
				one.RoleARNs = append(one.RoleARNs, a.Roles["mailer"].ARN)
			}
		}, "rolesanywhere:UpdateProfile"},
		"audience gone": {func(a *world.Account) {
			for _, one := range a.OIDCProviders {
				one.ClientIDs = nil
			}
		}, "iam:AddClientIDToOpenIDConnectProvider"},
		"anchor gone": {func(a *world.Account) { clear(a.Anchors) }, "rolesanywhere:CreateTrustAnchor"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccount(t)
			f, _ := fresh(t, "web-identity")
			if err := apply(t.Context(), f, a.config()); err != nil {
				t.Fatal(err)
			}
			a.World.Lock()
			c.by(a.World.Account("111122223333"))
			a.World.Unlock()
			p := plan(t, f, a.config())
			if !slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Action == c.want }) {
				t.Errorf("%+v", p.Steps)
			}
			if err := apply(t.Context(), f, a.config()); err != nil {
				t.Fatal(err)
			}
			empty(t, a, f)
		})
	}
}

func TestForeignThingsAreRefused(t *testing.T) {
	a := newAccount(t)
	f, _ := fresh(t, "web-identity")
	doc, err := policy.Parse(policy.Trust, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	a.World.Lock()
	a.World.Account("111122223333").Roles["reports"] = &world.Role{Name: "reports", Path: "/", ARN: "arn:aws:iam::111122223333:role/reports", ID: "AROAX", Trust: doc}
	a.World.Unlock()
	if err := apply(t.Context(), f, a.config()); err == nil || !strings.Contains(err.Error(), "setup-foreign") {
		t.Errorf("%v", err)
	}
}
