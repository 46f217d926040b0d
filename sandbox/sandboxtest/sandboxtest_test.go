package sandboxtest_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sts"

	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

// A test of one's own, as it would be written elsewhere.
func TestStart(t *testing.T) {
	s := sandboxtest.Start(t, "accounts: {\"444455556666\": {}}\nregion: eu-west-1\n")
	who, err := sts.NewFromConfig(s.Config()).GetCallerIdentity(t.Context(), nil)
	if err != nil || *who.Account != "444455556666" {
		t.Fatalf("%+v, %v", who, err)
	}
	if d := s.Last(t, "GetCallerIdentity"); d.Caller != *who.Arn || d.Region != "eu-west-1" || !d.Allowed {
		t.Errorf("recorded %+v", d)
	}
	for _, want := range []string{"AWS_ENDPOINT_URL=" + s.URL, "AWS_REGION=eu-west-1", "AWS_CA_BUNDLE=" + s.CAFile} {
		if !slices.Contains(s.Env(), want) {
			t.Errorf("the environment lacks %s", want)
		}
	}
	if text, err := os.ReadFile(s.CAFile); err != nil || !strings.HasPrefix(string(text), "-----BEGIN CERTIFICATE-----") {
		t.Errorf("the CA's file: %q, %v", text, err)
	}
	same := sandboxtest.Start(t, s.World)
	if same.URL == s.URL || same.World != s.World {
		t.Error("a second sandbox of one world")
	}
}

// A refusal without a row in the catalogue fails the test that met it.
func TestCheckReasons(t *testing.T) {
	for _, c := range []struct {
		decision world.Decision
		want     bool
	}{
		{world.Decision{Operation: "A", Code: "AccessDenied", Reason: "no-such-reason"}, true},
		{world.Decision{Operation: "A", Code: "AccessDenied"}, true},
		{world.Decision{Operation: "A", Code: "AccessDenied", Reason: "role-not-found"}, false},
		{world.Decision{Operation: "A", Allowed: true}, false},
		{world.Decision{Operation: "A", Code: "InternalFailure", Reason: "internal-failure", Detail: "panic: oh"}, true},
	} {
		r := &recording{TB: t}
		sandboxtest.CheckReasons(r, []world.Decision{c.decision})
		if (len(r.errors) > 0) != c.want {
			t.Errorf("%+v: %q", c.decision, r.errors)
		}
	}
}

type recording struct {
	testing.TB
	errors []string
}

func (r *recording) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}
