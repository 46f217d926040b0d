package doctor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"daypass.dev/doctor"
	"daypass.dev/doctor/gather"
	"daypass.dev/e2e/peers"
	"daypass.dev/e2e/stage"
	"daypass.dev/sandbox/world"
)

// Reasons that no service refuses for.
const (
	noisy        = "anchor-notifications"
	liveExchange = "live-exchange"
	emptyAnswer  = "empty-credentials"
)

// enable switches the trust anchor on or off.
func (s *scene) enable(on bool) {
	s.inAccount(func(a *world.Account) { a.Anchors[anchorID].Disabled = !on })
}

// environment configures daypass, and whoever finds AWS by variables.
func (s *scene) environment(more ...string) []string {
	return append(more, "PATH="+os.Getenv("PATH"), "HOME="+s.dir, "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_ENDPOINT_URL="+s.box.URL, "AWS_CA_BUNDLE="+s.box.CAFile,
		"DAYPASS_CERTIFICATE="+s.file("tls.crt"), "DAYPASS_PRIVATE_KEY="+s.file("tls.key"),
		"DAYPASS_TRUST_ANCHOR_ARN="+anchorARN, "DAYPASS_PROFILE_ARN="+profileARN, "DAYPASS_ROLE_ARN="+roleARN)
}

func stands(t *testing.T, said string) []string {
	t.Helper()
	r := doctor.Diagnose((&gather.Case{Said: said}).Collect(t.Context()))
	if r.Healthy {
		return nil
	}
	return append(slices.Clone(r.Candidates), r.Cause.Reason)
}

// daypass check names its own rule for whatever AWS says; what AWS said is the
// cause, for doctor too.
func TestWhatCheckSays(t *testing.T) {
	s := newScene(t)
	check := func() (string, error) {
		cmd := exec.CommandContext(t.Context(), stage.Binary(t, "daypass"), "check", "--live")
		cmd.Env = s.environment()
		said, err := cmd.CombinedOutput()
		return string(said), err
	}
	s.enable(false)
	said, err := check()
	if got := stands(t, said); err == nil || !strings.Contains(said, liveExchange) || !slices.Contains(got, "anchor-disabled") {
		t.Errorf("%v stands for %s:\n%s", err, got, said)
	}
	s.enable(true)
	if said, err := check(); err != nil {
		t.Errorf("after the mend: %v\n%s", err, said)
	}
}

// helper is a stand-in for the endpoint of aws_signing_helper 1.8, of which its
// users report what it answers while AWS refuses.
func helper(w http.ResponseWriter, r *http.Request) {
	const path = "/latest/meta-data/iam/security-credentials/"
	switch {
	case r.Method == http.MethodPut:
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
		fmt.Fprint(w, "token")
	case r.URL.Path == path:
		fmt.Fprint(w, "reader")
	case strings.HasPrefix(r.URL.Path, path):
		fmt.Fprint(w, `{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"","SecretAccessKey":"","Token":"","Expiration":"0001-01-01T00:00:00Z"}`)
	default:
		http.NotFound(w, r)
	}
}

// Who asks such an endpoint sees a riddle; doctor knows it, and with the same
// certificate finds why AWS refuses. Behind daypass serve the client goes on as
// soon as AWS does.
func TestEmptyCredentials(t *testing.T) {
	cli, err := peers.AWSCLI(t.Context())
	peers.Need(t, "aws-cli", err)
	s := newScene(t)
	whoami := func(endpoint string) (string, error) {
		cmd := exec.CommandContext(t.Context(), cli, "sts", "get-caller-identity")
		cmd.Env = s.environment("AWS_EC2_METADATA_SERVICE_ENDPOINT=" + endpoint)
		said, err := cmd.CombinedOutput()
		return string(said), err
	}
	s.enable(false)
	server := httptest.NewServer(http.HandlerFunc(helper))
	defer server.Close()
	said, err := whoami(server.URL)
	if got := stands(t, said); err == nil || !slices.Equal(got, []string{emptyAnswer}) {
		t.Errorf("%v stands for %s:\n%s", err, got, said)
	}
	if got := s.diagnose(); got.Healthy || got.Cause.Reason != "anchor-disabled" {
		t.Errorf("doctor names %s\n%s", cause(got), pretty(got))
	}
	s.enable(true)
	served := stage.Serve(t, stage.Binary(t, "daypass"), s.environment())
	served.Await(t)
	if said, err := whoami(served.IMDS); err != nil {
		t.Errorf("after the mend: %v\n%s", err, said)
	}
}
