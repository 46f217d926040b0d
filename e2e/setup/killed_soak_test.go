//go:build soak

package setup

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"daypass.dev/e2e/stage"
	"daypass.dev/policy"
	"daypass.dev/sandbox"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

// A deadly account lets its n-th call hang, before or after it is carried out,
// until whoever made it is dead.
type deadly struct {
	*sandboxtest.Sandbox
	calls, at atomic.Int32
	after     bool
	reached   chan struct{}
}

func newDeadly(t *testing.T) *deadly {
	t.Helper()
	w := world.New()
	w.SetIssuer("https://oidc.example.com/id/1", world.Issuer{JWKS: []byte(`{"keys":[]}`)})
	const managed = "arn:aws:iam::111122223333:policy/AmazonS3ReadOnlyAccess" // of that name, and not AWS's
	doc, err := policy.Parse(policy.Identity, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	w.Account("111122223333").Policies[managed] = &world.Policy{
		Name: "AmazonS3ReadOnlyAccess", Path: "/", ARN: managed, ID: "ANPAMANAGED", Default: "v1", Versions: []world.PolicyVersion{{ID: "v1", Document: doc}},
	}
	w.Account("111122223333").Clusters["prod"] = &world.Cluster{
		Name: "prod", Region: "eu-central-1", ARN: "arn:aws:eks:eu-central-1:111122223333:cluster/prod",
		Associations: map[string]*world.PodAssociation{}, Replayed: map[string]string{},
	}
	d := &deadly{reached: make(chan struct{}, 1)}
	inner := sandbox.New(w)
	d.Sandbox = sandboxtest.StartHandler(t, w, http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if d.calls.Add(1) != d.at.Load() {
			inner.ServeHTTP(out, r)
			return
		}
		if d.after {
			inner.ServeHTTP(httptest.NewRecorder(), r)
		}
		d.reached <- struct{}{}
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}))
	return d
}

// operator is a user who may do what the policy says, and no more.
func (d *deadly) operator(t *testing.T, text string) []string {
	t.Helper()
	key, err := d.User(t, "111122223333", world.NewID("operator"), text).Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return append(d.Env(), "AWS_ACCESS_KEY_ID="+key.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+key.SecretAccessKey)
}

// Apply is killed (SIGKILL) at every call to AWS in turn, before and after AWS
// has carried it out, and run again, each time as somebody who may do exactly
// what plan --permissions has printed: nothing is left to do, and everything is
// there once. Then the same for destroy and destroy --permissions: nothing is
// left.
func TestKilledAtEveryCall(t *testing.T) {
	program := stage.Binary(t, "daypassctl")
	for _, name := range []string{"web-identity and a bundle", "eks and a bundle"} {
		for _, after := range []bool{false, true} {
			t.Run(name+map[bool]string{false: "/before", true: "/after"}[after], func(t *testing.T) {
				kill(t, program, name, after)
			})
		}
	}
}

func kill(t *testing.T, program, name string, after bool) {
	file := files(t)[name]
	destroyed := 0
	for n := int32(1); ; n++ {
		d := newDeadly(t)
		d.after = after
		run := func(env []string, args ...string) (string, error) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cmd := exec.CommandContext(ctx, program, append([]string{"setup"}, append(args, file.path)...)...)
			cmd.Env = append(env, "HOME="+filepath.Dir(file.path))
			out, said := &bytes.Buffer{}, &bytes.Buffer{}
			cmd.Stdout, cmd.Stderr = out, said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case err := <-ended:
				if err != nil {
					err = fmt.Errorf("%w\n%s", err, said)
				}
				return out.String(), err
			case <-d.reached:
				cancel() // SIGKILL
				return out.String(), <-ended
			case <-time.After(5 * time.Minute):
				t.Fatalf("call %d: it does not end\n%s", n, said)
				return "", nil
			}
		}
		operator := func(what string) []string {
			permissions, err := run(d.Env(), what, "--permissions")
			if err != nil {
				t.Fatal(err)
			}
			return d.operator(t, permissions)
		}
		again := func(what string, env []string, args ...string) (killed bool) {
			t.Helper()
			d.calls.Store(0)
			d.at.Store(n)
			_, err := run(env, args...)
			killed = err != nil
			d.at.Store(0)
			if _, err := run(env, args...); err != nil {
				t.Fatalf("%s, killed at call %d, and run again: %v", what, n, err)
			}
			return killed
		}
		applying := operator("plan")
		killed := again("apply", applying, "apply")
		if out, err := run(applying, "drift"); err != nil || !strings.Contains(out, "nothing to do") {
			t.Errorf("apply, killed at call %d, leaves %v\n%s", n, err, out)
		}
		own := d.World.Account("111122223333")
		if len(own.Anchors) > 1 || len(own.Profiles) > 1 || len(own.Roles) != len(file.RoleNames()) || len(own.OIDCProviders)+len(own.Clusters["prod"].Associations) == 0 {
			t.Errorf("call %d: %d trust anchors, %d profiles, %d roles", n, len(own.Anchors), len(own.Profiles), len(own.Roles))
		}
		if again("destroy", operator("destroy"), "destroy") {
			destroyed++
		}
		if left := len(own.Anchors) + len(own.Profiles) + len(own.Roles) + len(own.OIDCProviders) + len(own.Clusters["prod"].Associations); left > 0 {
			t.Errorf("destroy, killed at call %d, leaves %d things", n, left)
		}
		if !killed {
			t.Logf("killed at each of %d calls of apply and %d of destroy", n-1, destroyed)
			if n < 10 || destroyed < 10 {
				t.Errorf("these are too few")
			}
			return
		}
	}
}
