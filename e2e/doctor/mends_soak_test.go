//go:build soak

package doctor

import (
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"daypass.dev/doctor"
	"daypass.dev/e2e/peers"
	"daypass.dev/reason"
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

// named fails unless the reason's mend names the command.
func named(t *testing.T, slug string, words ...string) {
	t.Helper()
	if row, _ := reason.Lookup(slug); !strings.Contains(row.Mend, words[len(words)-1]) {
		t.Errorf("the mend of %s names no %s: %s", slug, words[len(words)-1], row.Mend)
	}
}

// Where a mend names a command of the AWS CLI, it is that command which mends.
func TestMendsByTheAWSCLI(t *testing.T) {
	_, err := peers.AWSCLI(t.Context())
	peers.Need(t, "aws-cli", err)
	for slug, words := range map[string][]string{
		"anchor-disabled":  {"rolesanywhere", "enable-trust-anchor", "--trust-anchor-id", anchorID},
		"profile-disabled": {"rolesanywhere", "enable-profile", "--profile-id", profileID},
	} {
		t.Run(slug, func(t *testing.T) {
			named(t, slug, words[:2]...)
			rows := accountRows()
			r := rows[slices.IndexFunc(rows, func(r row) bool { return r.slug == slug })]
			r.mend = func(s *scene) { s.aws(words...) }
			r.run(t, newScene(t))
		})
	}
	for slug, words := range map[string][]string{
		"s3-bucket-not-empty": {"s3", "rm --recursive", "s3://reports"},
		"secret-deleted":      {"secretsmanager", "restore-secret", "--secret-id", "db"},
		"kms-key-disabled":    {"kms", "enable-key", "--key-id", "KEY"},
		"setup-provider": {"iam", "add-client-id-to-open-id-connect-provider", "--client-id", "sts.amazonaws.com",
			"--open-id-connect-provider-arn", "arn:aws:iam::" + account + ":oidc-provider/issuer.example"},
	} {
		t.Run(slug, func(t *testing.T) {
			named(t, slug, words[:2]...)
			rows := append(refusals(), programRefusals()...)
			r := rows[slices.IndexFunc(rows, func(r refusal) bool { return r.slug == slug })]
			r.mend = func(c *caller) {
				line := strings.Join(words, " ")
				if strings.Contains(line, "KEY") {
					all, err := kms.NewFromConfig(c.admin).ListKeys(c.Context(), nil)
					c.must(nil, err)
					line = strings.Replace(line, "KEY", *all.Keys[0].KeyId, 1)
				}
				c.aws(strings.Fields(line)...)
			}
			r.run(newCaller(t))
		})
	}
}

// What is only a warning is mended by its command, too.
func TestWarningsByTheAWSCLI(t *testing.T) {
	_, err := peers.AWSCLI(t.Context())
	peers.Need(t, "aws-cli", err)
	s := newScene(t)
	told := func(slug string) bool {
		return slices.ContainsFunc(s.diagnose().Checks, func(c doctor.Check) bool { return c.Verdict == doctor.Warn && c.Reason == slug })
	}
	now := time.Now()
	s.imports(s.crl(now.Add(-2*time.Hour), now.Add(-time.Hour)))
	s.write("list.der", s.crl(now, now.AddDate(0, 0, 7)))
	for slug, words := range map[string][]string{
		"crl-stale": {"rolesanywhere", "update-crl", "--crl-id", crlID, "--crl-data", "fileb://" + s.file("list.der")},
		noisy: {"rolesanywhere", "put-notification-settings", "--trust-anchor-id", anchorID,
			"--notification-settings", "event=END_ENTITY_CERTIFICATE_EXPIRY,enabled=false"},
	} {
		named(t, slug, words[:2]...)
		if !told(slug) {
			t.Errorf("%s is not told", slug)
		}
		s.aws(words...)
		if told(slug) {
			t.Errorf("%s is told after the mend", slug)
		}
	}
}

// Version 1 of the AWS CLI signs links by Signature Version 2, until it is told.
func TestLinksOfTheAWSCLI(t *testing.T) {
	_, err := peers.AWSCLI(t.Context())
	peers.Need(t, "aws-cli", err)
	const slug, words = "algorithm-unsupported", "configure set default.s3.signature_version s3v4"
	named(t, slug, words)
	c := newCaller(t)
	for _, target := range []string{"/reports", "/reports/q3"} {
		c.must(nil, c.send(wire{method: "PUT", target: target, service: "s3"}, nil))
	}
	refusal{
		slug: slug, mend: func(c *caller) { c.aws(strings.Fields(words)...) },
		call: func(c *caller) error {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.aws("s3", "presign", "s3://reports/q3"), nil)
			c.must(nil, err)
			return answered(c, c.box.Client(), r)
		},
	}.run(c)
}
