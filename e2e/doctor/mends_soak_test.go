//go:build soak

package doctor

import (
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"daypass.dev/doctor"
	"daypass.dev/e2e/peers"
	"daypass.dev/sandbox/world"
)

// aws runs the AWS CLI as the sandbox's administrator, and returns what it
// prints.
func (s *scene) aws(args ...string) string {
	s.Helper()
	cli, err := peers.AWSCLI(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	cmd := exec.CommandContext(s.Context(), cli, args...)
	cmd.Env = append(s.environment(), s.box.Env()...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// Where a mend names a command of the AWS CLI, it is that command which mends.
func TestMendsByTheAWSCLI(t *testing.T) {
	_, err := peers.AWSCLI(t.Context())
	peers.Need(t, "aws-cli", err)
	rows, calls := accountRows(), append(refusals(), programRefusals()...)
	for slug, line := range commands() {
		t.Run(slug, func(t *testing.T) {
			row := slices.IndexFunc(rows, func(r row) bool { return r.slug == slug })
			call := slices.IndexFunc(calls, func(r refusal) bool { return r.slug == slug })
			switch {
			case slug == "algorithm-unsupported":
				linked(t, slug, line)
			case slug == "crl-stale" || slug == noisy:
				warned(t, slug, line)
			case row >= 0:
				r := rows[row]
				r.mend = func(s *scene) { s.aws(strings.Fields(line)...) }
				r.run(t, newScene(t))
			case call >= 0:
				mendedBy(calls[call], line).run(newCaller(t))
			default:
				t.Error("nothing breaks what it mends")
			}
		})
	}
}

// mendedBy is the refusal, mended by the command.
func mendedBy(r refusal, line string) refusal {
	r.mend = func(c *caller) { c.aws(c.filled(line)...) }
	switch r.slug {
	case "pca-in-progress":
		r.mend = func(c *caller) {
			c.box.World.Advance(10*time.Minute - 3*time.Second) // there are some left to wait
			c.aws(c.filled(line)...)
		}
	case "eks-association-missing": // asked for again by the id that it then has
		r.mend = nil
		r.instead = func(c *caller) error {
			id := c.aws(c.filled(line)...)
			c.aws("eks", "describe-pod-identity-association", "--cluster-name", "prod", "--association-id", id)
			return nil
		}
	}
	return r
}

// filled is a command with what the caller's account holds.
func (c *caller) filled(line string) []string {
	c.inAccount(func(a *world.Account) {
		for id := range a.Keys {
			line = strings.Replace(line, "KEY", id, 1)
		}
		var last world.PrivateCertificate // the CA's own is another
		for _, issued := range a.PrivateCertificates {
			if issued.Ready.After(last.Ready) {
				last = *issued
			}
		}
		line = strings.NewReplacer("AUTHORITY", last.CA, "ISSUED", last.ARN).Replace(line)
	})
	return strings.Fields(line)
}

// warned: what is only a warning is not told after the command.
func warned(t *testing.T, slug, line string) {
	s := newScene(t)
	told := func() bool {
		return slices.ContainsFunc(s.diagnose().Checks, func(c doctor.Check) bool { return c.Verdict == doctor.Warn && c.Reason == slug })
	}
	now := time.Now()
	s.imports(s.crl(now.Add(-2*time.Hour), now.Add(-time.Hour)))
	s.write("list.der", s.crl(now, now.AddDate(0, 0, 7)))
	if !told() {
		t.Error("it is not told")
	}
	s.aws(strings.Fields(strings.Replace(line, "LIST", s.file("list.der"), 1))...)
	if told() {
		t.Error("it is told after the mend")
	}
}

// linked: who follows a link of the AWS CLI is refused, until the command.
func linked(t *testing.T, slug, line string) {
	c := newCaller(t)
	for _, target := range []string{"/reports", "/reports/q3"} {
		c.must(nil, c.send(wire{method: "PUT", target: target, service: "s3"}, nil))
	}
	refusal{
		slug: slug, mend: func(c *caller) { c.aws(strings.Fields(line)...) },
		call: func(c *caller) error {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.aws("s3", "presign", "s3://reports/q3"), nil)
			c.must(nil, err)
			return answered(c, c.box.Client(), r)
		},
	}.run(c)
}
