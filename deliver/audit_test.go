package deliver

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
)

// audited serves h with an audit log, and returns its address and the log.
func audited(t *testing.T, h http.Handler) (addr string, lines *journal) {
	t.Helper()
	lines = &journal{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := Server(Audit(Guard(h, nil), lines, nil), nil)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return l.Addr().String(), lines
}

// Every way that a caller fares is one line, that names what can be known of it
// and no secret; what gives nobody credentials is none.
func TestAuditLog(t *testing.T) {
	fresh := good()
	fresh.RequestID = "0123-abc"
	failing := always(fresh, refused)
	imds := &IMDS{Source: always(fresh, nil), RoleARN: roleARN}
	barren := &IMDS{Source: failing, RoleARN: roleARN}
	for name, c := range map[string]struct {
		handler http.Handler
		request string
		want    access // without time, caller and process; no outcome: no line
	}{
		"container": {&Container{Source: always(fresh, nil), Token: secretProof, RoleARN: "first"}, getCreds,
			access{Outcome: "served", Endpoint: "container", Role: roleARN, AccessKeyID: "ASIAEXAMPLE", RequestID: "0123-abc"}},
		"imds": {imds, strings.Replace(getRole, "credentials/ ", "credentials/reports ", 1),
			access{Outcome: "served", Endpoint: "imds", Role: roleARN, AccessKeyID: "ASIAEXAMPLE", RequestID: "0123-abc"}},
		"imds without a token": {imds, strings.Replace(getRole, "IMDSTOKEN", "x", 1),
			access{Outcome: "refused", Reason: "imds-token", Endpoint: "imds", Role: roleARN}},
		"the guard refuses": {imds, strings.Replace(getRole, "HOST", "evil.example", 1),
			access{Outcome: "refused", Reason: "caller-host"}},
		"wrong token": {&Container{Source: always(fresh, nil), Token: "other", RoleARN: roleARN}, getCreds,
			access{Outcome: "refused", Reason: "container-token-wrong", Endpoint: "container", Role: roleARN}},
		"AWS refused": {&Container{Source: failing, Token: secretProof, RoleARN: roleARN}, getCreds,
			access{Outcome: "failed", Code: "AccessDeniedException", Endpoint: "container", Role: roleARN}},
		"AWS refused imds": {barren, strings.Replace(getRole, "credentials/ ", "credentials/reports ", 1),
			access{Outcome: "failed", Code: "AccessDeniedException", Endpoint: "imds", Role: roleARN}},
		"a role's name": {imds, getRole, access{}},
		"a token":       {imds, putToken, access{}},
		"no such path":  {&Container{Token: secretProof}, strings.Replace(getCreds, "/v1/credentials", "/v1/nothing", 1), access{}},
	} {
		t.Run(name, func(t *testing.T) {
			addr, lines := audited(t, c.handler)
			token := "none"
			if h, ok := c.handler.(*IMDS); ok {
				token = h.tokens.make(maxTokenTTL * 1e9)
			}
			send(t, addr, strings.NewReplacer("HOST", addr, "IMDSTOKEN", token).Replace(c.request))
			text := lines.String()
			nothingPlanted(t, text)
			if strings.Contains(text, token) {
				t.Error("a session token came out")
			}
			if c.want.Outcome == "" {
				if text != "" {
					t.Errorf("wrote %s", text)
				}
				return
			}
			var got access
			if err := json.Unmarshal([]byte(text), &got); err != nil || strings.Count(text, "\n") != 1 {
				t.Fatalf("%v: %q", err, text)
			}
			if _, err := netip.ParseAddrPort(got.Caller); err != nil || got.Time.IsZero() || (got.Outcome == "served") != (got.Expires != nil) {
				t.Errorf("wrote %s", text)
			}
			if runtime.GOOS == "linux" {
				self, _ := os.Executable()
				if got.PID != os.Getpid() || got.UID == nil || *got.UID != os.Getuid() || got.Executable != self {
					t.Errorf("the caller is process %d of %d, %s; wrote %s", os.Getpid(), os.Getuid(), self, text)
				}
			}
			got.Time, got.Caller, got.Expires, got.process = c.want.Time, "", nil, process{}
			if got != c.want {
				t.Errorf("got %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// The manual's lines are such as are written.
func TestAuditLogOfTheManual(t *testing.T) {
	text, err := os.ReadFile("../docs/operate-hosts.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, `{"time"`) {
			continue
		}
		found++
		var a access
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&a); err != nil {
			t.Fatal(err)
		}
		written, err := json.Marshal(a)
		if err != nil || string(written) != strings.TrimSpace(line) {
			t.Errorf("the manual has\n%swritten is\n%s", line, written)
		}
	}
	if found < 2 {
		t.Errorf("%d lines in the manual", found)
	}
}

type unwritable struct{}

func (unwritable) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestAuditLogThatCannotBeWritten(t *testing.T) {
	var log journal
	container := &Container{Source: always(good(), nil), Token: secretProof}
	got := serve(Audit(container, unwritable{}, log.logger()), local("GET", ContainerPath, "Authorization", secretProof))
	if got.Code != http.StatusOK || !strings.Contains(log.String(), "no space left") {
		t.Errorf("%d; logged %s", got.Code, log.String())
	}
}
