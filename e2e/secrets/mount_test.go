package secrets

import (
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/kube/kubetest"
)

// TestSecrets has the real driver mount what daypass reads.
func TestSecrets(t *testing.T) {
	s := newStage(t)
	kubetest.Chart(t, values)
	t.Run("both identities", func(t *testing.T) { bothIdentities(s.in(t)) })
	t.Run("public classes", func(t *testing.T) { mountClasses(s.in(t)) })
	t.Run("a driver without tokens", func(t *testing.T) { withoutTokens(s.in(t)) })
	t.Run("sync", func(t *testing.T) { synced(s.in(t)) })
	t.Run("rotation", func(t *testing.T) { rotated(s.in(t)) })
}

// bothIdentities has one ServiceAccount whose token for STS is shown to AWS, as
// with IAM roles for service accounts, and one who is who the cluster says.
func bothIdentities(s *stage) {
	name := s.secret("db", `{"user":"user1","password":"passwd1"}`)
	s.class("irsa", `region: us-east-1`, `objects: |`, `  - objectName: "`+name+`"`, `    objectType: secretsmanager`, `    objectAlias: db`,
		`    jmesPath:`, `    - {path: user, objectAlias: user, filePermission: "0440"}`)
	s.class("identity", `usePodIdentity: "true"`, `objects: |`, `  - objectName: "`+name+`"`, `    objectType: secretsmanager`)
	s.account("by-token", "eks.amazonaws.com/role-arn", s.role("irsa", "by-token", "sts.amazonaws.com", s.reads()))
	s.account("by-identity", "daypass.dev/role-arn", s.role("identity", "by-identity", "pods.eks.amazonaws.com", s.reads()))
	s.mounts("first", "by-token", "irsa")
	s.mounts("second", "by-identity", "identity")
	for _, pod := range []string{"first", "second"} {
		s.Wait("pod/"+pod, "Ready", 2*time.Minute)
	}
	if got := s.file("first", "user"); got != "user1" {
		s.t.Errorf("user is %q", got)
	}
	if got := s.file("first", "db"); got != `{"user":"user1","password":"passwd1"}` {
		s.t.Errorf("db is %q", got)
	}
	if got := s.file("second", s.Name+"_db"); got != `{"user":"user1","password":"passwd1"}` {
		s.t.Errorf("the whole secret is %q", got)
	}
	if out, err := s.Exec("first", "shell", "ls", "-lL", "/mnt/secret/user"); err != nil || !strings.HasPrefix(out, "-r--r----- ") {
		s.t.Errorf("the mode is %q, %v", out, err)
	}
}

// withoutTokens has a driver that hands over no tokens: one clear error.
func withoutTokens(s *stage) {
	name := s.secret("any", "x")
	s.account("any", "eks.amazonaws.com/role-arn", s.role("any", "any", "", s.reads()))
	s.class("any", `objects: |`, `  - {objectName: "`+name+`", objectType: secretsmanager}`)
	s.tokens(`[]`)
	defer s.tokens(bothAudiences)
	s.mounts("any", "any", "any")
	s.event("any", "tokenRequests of the driver", "(secrets-no-token)")
}
