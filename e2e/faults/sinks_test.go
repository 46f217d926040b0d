package faults

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"daypass.dev/e2e/stage"
	"daypass.dev/pki"
)

const password = "a-password-of-the-test-0123456789"

// A scene is a sandbox in a process of its own with everything around it,
// whose secrets are known.
type scene struct {
	*stage.Files
	planted planted
	sinks   sinks
	env     []string          // for daypass
	aws     map[string]string // what the sandbox wrote for clients
	memory  string
	served  *stage.Served
}

// A command is one that a test runs. Where its standard output is the answer,
// the secrets in it are planted; everything else that it prints is a sink.
type command struct {
	args   []string // the first is the subcommand
	called string   // the program's path; empty: daypass
	env    []string
	answer bool
	plain  bool // it has no log
	code   int  // that it ends with
}

// commands is the list; each subcommand that daypass has stands in it.
func (s *scene) commands() []command {
	process := func(code int, args ...string) command {
		return command{args: append([]string{"credential-process"}, args...), answer: code == 0, code: code}
	}
	helper := func(code int, args ...string) command {
		return command{called: s.File("aws_signing_helper"), plain: true, answer: code == 0, code: code, args: append([]string{
			"credential-process", "--debug", "--certificate", s.File("tls.crt"), "--private-key", s.File("tls.key"),
			"--role-arn", stage.RoleARN, "--trust-anchor-arn", stage.AnchorARN, "--profile-arn", stage.ProfileARN}, args...)}
	}
	at := strings.TrimPrefix(s.served.IMDS, "http://")
	key, _ := os.ReadFile(s.File("tls.key"))
	return []command{
		process(0, "--no-cache"),
		process(0, "--cache-dir", s.memory),
		process(0, "--cache-dir", s.memory),
		process(0, "--cache-dir", s.Dir), // in /tmp: why it does not remember
		process(0, "--no-cache", "--certificate", s.File("tls.p12"), "--private-key", "", "--password", password),
		{args: []string{"credential-process", "--no-cache"}, answer: true,
			env: []string{"DAYPASS_CERTIFICATE=" + s.File("tls.p12"), "DAYPASS_PRIVATE_KEY=", "DAYPASS_PASSWORD=" + password}},
		process(2, "--no-cache", "--certificate", s.File("tls.p12"), "--private-key", "", "--password", password+"?"),
		process(2, "--no-cache", "--private-key", s.File("broken.key")),
		process(2, "--no-cache", "--certificate", s.File("broken.key")),
		process(2, "--no-cache", "--private-key", string(key)),
		process(3, "--no-cache", "--role-arn", stage.RoleARN+"s"),
		process(1, "--no-cache", "--endpoint", "https://127.0.0.1:1"),
		helper(0),
		helper(1, "--private-key", s.File("broken.key")),
		helper(1, "--private-key", string(key)),
		helper(1, "--role-arn", stage.RoleARN+"s"),
		{args: []string{"env"}, answer: true},
		{args: []string{"env", "--role-arn", stage.RoleARN + "s"}, code: 3},
		{args: []string{"run", "--", "env"}, answer: true},
		{args: []string{"run", "--env", "--", "env"}, answer: true},
		{args: []string{"run", "--", "no-such-command"}, code: 127},
		{args: []string{"run", "--role-arn", stage.RoleARN + "s", "--", "env"}, code: 125},
		{args: []string{"update", "--once"}},
		{args: []string{"update", "--once", "--role-arn", stage.RoleARN + "s"}, code: 3},
		{args: []string{"ready", "--listen", at}},
		{args: []string{"ready", "--listen", at, "--private-key", s.File("broken.key")}, code: 2},
		{args: []string{"ready", "--listen", "127.0.0.1:1"}, code: 1},
		{args: []string{"check", "--trust-anchor-file", s.File("ca.pem")}, plain: true},
		{args: []string{"check", "--trust-anchor-file", s.File("ca.pem"), "-o", "json"}, plain: true},
		{args: []string{"check", "--private-key", s.File("broken.key")}, plain: true, code: 2},
		{args: []string{"check", "--trust-anchor-file", s.File("tls.key")}, plain: true, code: 2},
		{args: []string{"token", "--once", "--web-identity-token-file", s.File("good.jwt"), "--out", s.File("kept.jwt")}},
		{args: []string{"token", "--once", "--web-identity-token-file", s.File("bad.jwt"), "--out", s.File("kept.jwt")}, code: 2},
		{args: []string{"env", "--web-identity-token-file", s.File("good.jwt"), "--certificate", "", "--private-key", "",
			"--trust-anchor-arn", "", "--profile-arn", ""}, code: 3},
		{args: []string{"sign-string"}},
		{args: []string{"sign-string", "--private-key", s.File("broken.key")}, code: 2},
		{args: []string{"read-certificate-data"}, plain: true},
		{args: []string{"read-certificate-data", "--certificate", s.File("tls.key")}, plain: true, code: 2},
		{args: []string{"version"}, plain: true},
		{args: []string{"completion", "bash"}, plain: true},
		{args: []string{"help"}, plain: true},
	}
}

// run runs a command, once for each form of log.
func (s *scene) run(t *testing.T, c command) {
	t.Helper()
	for _, form := range []string{"text", "json"} {
		args := c.args
		if !c.plain {
			args = slices.Concat(args[:1], []string{"-v", "--log-format", form}, args[1:])
		}
		var stdout, stderr bytes.Buffer
		path := c.called
		if path == "" {
			path = program(t, "daypass")
		}
		cmd := exec.Command(path, args...)
		cmd.Env, cmd.Stdout, cmd.Stderr = slices.Concat(s.env, c.env), &stdout, &stderr
		err := cmd.Run()
		if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
			t.Fatal(err)
		}
		name := filepath.Base(path) + " " + c.args[0]
		if got := cmd.ProcessState.ExitCode(); got != c.code {
			t.Errorf("%s: exit code %d, want %d: %s", cmd, got, c.code, stderr.String())
		}
		s.sinks.add(name, stderr.String())
		if c.answer {
			s.planted.addAnswer(t, name, stdout.String())
		} else {
			s.sinks.add(name, stdout.String())
		}
	}
}

// help collects the help of every subcommand, and fails for one that is not in
// the list of commands. Variables are set, which a careless default would show.
func (s *scene) help(t *testing.T) {
	t.Helper()
	var known []string
	for _, c := range append(s.commands(), command{args: []string{"serve"}}) {
		known = append(known, c.args[0])
	}
	text := s.output(t, "daypass", "--help")
	_, list, _ := strings.Cut(text, "Available Commands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	names := 0
	for line := range strings.Lines(list) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !slices.Contains(known, name) {
			t.Errorf("daypass %s is not tried", name)
		}
		s.sinks.add("help", s.output(t, "daypass", name, "--help"))
		names++
	}
	if names < 5 {
		t.Errorf("the help lists %d commands:\n%s", names, text)
	}
	s.sinks.add("help", text+s.output(t, "daypassctl", "sandbox", "--help"))
}

func (s *scene) output(t *testing.T, name string, args ...string) string {
	t.Helper()
	key, err := os.ReadFile(s.File("tls.key"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t, name), args...)
	cmd.Env = append(s.env, "DAYPASS_PASSWORD="+password, "DAYPASS_PRIVATE_KEY="+string(key),
		"AWS_SECRET_ACCESS_KEY="+s.aws["AWS_SECRET_ACCESS_KEY"])
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}

// newScene starts the sandbox and a serve.
func newScene(t *testing.T, kind string) (s *scene, end func()) {
	t.Helper()
	s = &scene{Files: stage.Make(t, 0, kind), planted: planted{}, sinks: sinks{}, memory: stage.Memory(t)}
	s.planted.addKey(t, s.File("tls.key"))
	s.planted.add(t, "password", password)
	s.writeFiles(t)
	end = s.sandbox(t)
	s.env = append(s.Settings(), "PATH="+os.Getenv("PATH"), "HOME="+s.Dir, "AWS_SHARED_CREDENTIALS_FILE="+s.File("credentials"),
		"AWS_ENDPOINT_URL="+s.aws["AWS_ENDPOINT_URL"], "AWS_CA_BUNDLE="+s.aws["AWS_CA_BUNDLE"])
	return s, end
}

// writeFiles writes a key that is broken in its middle, and key and
// certificate in one file with a password.
func (s *scene) writeFiles(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(s.File("tls.key"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	crt, err := os.ReadFile(s.File("tls.crt"))
	if err != nil {
		t.Fatal(err)
	}
	certs, err := pki.ParseCertificates(crt)
	if err != nil {
		t.Fatal(err)
	}
	p12, err := pkcs12.Modern.Encode(key, certs[0], nil, password)
	if err != nil {
		t.Fatal(err)
	}
	broken := bytes.Replace(text, []byte("\nM"), []byte("\nX"), 1)
	if err := os.Symlink(program(t, "daypass"), s.File("aws_signing_helper")); err != nil {
		t.Fatal(err)
	}
	good := webToken(time.Now())
	bad := strings.Replace(good, ".", "?", 1)
	s.planted.add(t, "web identity token", good)
	s.planted.add(t, "web identity token that is none", bad)
	for name, data := range map[string][]byte{
		"broken.key": broken, "tls.p12": p12, "good.jwt": []byte(good), "bad.jwt": []byte(bad),
	} {
		if err := os.WriteFile(s.File(name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// sandbox runs daypassctl sandbox; end ends it and collects what it said.
func (s *scene) sandbox(t *testing.T) (end func()) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(program(t, "daypassctl"), "sandbox", "--listen", "127.0.0.1:0", "--world", s.File("world.yaml"),
		"--decisions", s.File("decisions"), "--write-env", s.File("env"))
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}
	t.Cleanup(stop)
	s.aws = map[string]string{}
	var text []byte
	for until := time.Now().Add(time.Minute); len(text) == 0; time.Sleep(20 * time.Millisecond) {
		if text, _ = os.ReadFile(s.File("env")); time.Now().After(until) {
			t.Fatal("the sandbox does not come up")
		}
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		s.aws[name] = strings.Trim(value, "'")
	}
	s.planted.addAnswer(t, "the sandbox's environment", string(text))
	return func() {
		stop()
		s.sinks.add("daypassctl sandbox: stdout", stdout.String())
		s.sinks.add("daypassctl sandbox: stderr", stderr.String())
		decisions, err := os.ReadFile(s.File("decisions"))
		if err != nil {
			t.Fatal(err)
		}
		s.sinks.add("daypassctl sandbox: decisions", string(decisions))
	}
}

// client trusts the sandbox.
func (s *scene) client(t *testing.T) *http.Client {
	t.Helper()
	text, err := os.ReadFile(s.aws["AWS_CA_BUNDLE"])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return trusting(roots)
}

// health is where a serve answers health checks.
var health = regexp.MustCompile(`answering health checks.*address"?[=:]"?([0-9.:]+)`)

// serve runs one, asks it everything that its callers and probes ask, right
// and wrong, and collects what it says.
func (s *scene) serve(t *testing.T, form string) {
	t.Helper()
	served := stage.Serve(t, program(t, "daypass"), s.env, "-v", "--log-format", form, "--health-listen", "127.0.0.1:0")
	served.Await(t)
	s.served = served
	c := newCaller(t, served)
	s.planted.add(t, "IMDS token", c.token)
	s.planted.add(t, "authorization token", c.proof)
	all := c.both()
	for _, a := range all {
		s.planted.addAnswer(t, a.from, a.text)
	}
	// Callers who show the wrong secret, one in the wrong place, or one too many.
	secret := all[0].document.Token
	for _, wrong := range []answer{
		c.ask(http.MethodGet, served.Container, "Authorization", secret),
		c.ask(http.MethodGet, served.Container+"?token="+url.QueryEscape(c.proof), "Accept", "*/*"),
		c.ask(http.MethodGet, served.IMDS+"/latest/meta-data/iam/info", "X-Aws-Ec2-Metadata-Token", c.proof),
		c.ask(http.MethodGet, served.IMDS+"/latest/meta-data/"+url.PathEscape(c.token), "X-Aws-Ec2-Metadata-Token", c.token),
		c.ask(http.MethodGet, served.IMDS+"/latest/meta-data/iam/info", "X-Forwarded-For", c.token),
		c.ask(http.MethodGet, served.IMDS+"/latest/meta-data/iam/info", "Referer", "http://x/?"+c.token),
		c.ask(http.MethodPut, served.IMDS+"/latest/api/token", "X-Aws-Ec2-Metadata-Token-Ttl-Seconds", c.token),
	} {
		if wrong.status < 400 {
			t.Errorf("a wrong caller got %v", wrong)
		}
		s.sinks.add("answers to wrong callers", wrong.text)
	}
	found := health.FindStringSubmatch(served.Log())
	if found == nil {
		t.Fatalf("no address of health checks in\n%s", served.Log())
	}
	probe := func(path string) {
		s.sinks.add("serve: "+path, c.ask(http.MethodGet, "http://"+found[1]+path, "Accept", "*/*").text)
	}
	probe("/metrics")
	probe("/healthz")
	probe("/readyz")
	// A key that breaks, and is mended.
	whole, err := os.ReadFile(s.File("tls.key"))
	if err != nil {
		t.Fatal(err)
	}
	broken, err := os.ReadFile(s.File("broken.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range [][]byte{broken, whole} {
		if err := os.WriteFile(s.File("tls.key"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		probe("/readyz")
		probe("/metrics")
	}
	s.sinks.add("serve: log", served.Log())
}

// Nothing but an answer holds a secret.
func TestPlantedSecrets(t *testing.T) {
	for _, kind := range []string{"ec-p256", "rsa-2048"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s, end := newScene(t, kind)
			s.serve(t, "text")
			s.serve(t, "json")
			for _, c := range s.commands() {
				s.run(t, c)
			}
			written, err := os.ReadFile(s.File("credentials"))
			if err != nil {
				t.Fatal(err)
			}
			s.planted.addAnswer(t, "daypass update", string(written))
			s.brokenMemory(t)
			s.help(t)
			s.workload(context.Background(), t)
			end()
			key, err := os.ReadFile(s.File("tls.key"))
			if err != nil {
				t.Fatal(err)
			}
			search(t, s.planted, s.sinks, []string{
				"secretaccesskey", "sessiontoken", "token", "authorizationtoken", "authorization token", "IMDS token",
				"password", "private key", "line of the private key", "number of the private key",
				"user's secret",
			}, string(written)+string(key)+password)
		})
	}
}

// brokenMemory asks with a memory that is not whole, and still holds secrets.
func (s *scene) brokenMemory(t *testing.T) {
	t.Helper()
	names := documents(t, s.memory, "*.json")
	if len(names) == 0 {
		t.Fatal("nothing was remembered")
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data[:len(data)-8], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.run(t, command{args: []string{"credential-process", "--cache-dir", s.memory}, answer: true})
	for _, name := range documents(t, s.memory, "*") {
		s.sinks.add("names in the memory", filepath.Base(name))
	}
}

// webToken is well formed and of no issuer that anybody knows.
func webToken(now time.Time) string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	claims := fmt.Sprintf(`{"iss":"https://issuer.example","sub":"job","aud":"sts.amazonaws.com","iat":%d,"exp":%d}`,
		now.Unix(), now.Add(time.Hour).Unix())
	return part(`{"alg":"RS256","kid":"k"}`) + "." + part(claims) + "." + part(strings.Repeat("a signature of the test ", 10))
}
