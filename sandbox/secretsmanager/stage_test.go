package secretsmanager_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

const (
	home  = "111122223333"
	other = "444455556666"
)

// A stage has an administrator in each of two accounts, and a user ann of the
// home account, who may do what a test says.
type stage struct {
	*sandboxtest.Sandbox
	t           *testing.T
	admin, away *sm.Client
	ann         *sm.Client
	keys        *kms.Client // of the other account's administrator
}

func newStage(t *testing.T, policies ...string) *stage {
	t.Helper()
	s := &stage{Sandbox: sandboxtest.Start(t, world.New()), t: t}
	s.admin = sm.NewFromConfig(once(s.Config()))
	k := s.World.Administrator(other)
	s.away = sm.NewFromConfig(once(s.ConfigFor(k.ID, k.Secret, "")))
	s.keys = kms.NewFromConfig(once(s.ConfigFor(k.ID, k.Secret, "")))
	s.ann = sm.NewFromConfig(once(s.user("ann", policies...)))
	return s
}

// once is for clients that try once, so that calls can be counted.
func once(cfg aws.Config) aws.Config {
	cfg.RetryMaxAttempts = 1
	return cfg
}

// user makes a user of the home account with statements, as JSON.
func (s *stage) user(name string, statements ...string) aws.Config {
	s.t.Helper()
	text := ""
	if len(statements) > 0 {
		text = `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
	}
	return s.User(s.t, home, name, text)
}

func (s *stage) create(c *sm.Client, in sm.CreateSecretInput) string {
	s.t.Helper()
	out, err := c.CreateSecret(s.t.Context(), &in)
	if err != nil {
		s.t.Fatal(err)
	}
	return *out.ARN
}

// said is an error's code and message.
func said(err error) (code, message string) {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode(), api.ErrorMessage()
	}
	return "", ""
}

// refused requires an error with a code, a text in its message, and a reason
// in the last decision.
func (s *stage) refused(err error, operation, code, text, slug string) {
	s.t.Helper()
	gotCode, message := said(err)
	if gotCode != code || !strings.Contains(message, text) {
		s.t.Errorf("got %s: %s (%v); want %s: …%s…", gotCode, message, err, code, text)
	}
	if d := s.Last(s.t, operation); d.Reason != slug {
		s.t.Errorf("the decision's reason is %q (%s), want %q", d.Reason, d.Detail, slug)
	}
}

func allow(actions, resource string) string {
	return `{"Effect":"Allow","Action":["` + strings.ReplaceAll(actions, " ", `","`) + `"],"Resource":"` + resource + `"}`
}
