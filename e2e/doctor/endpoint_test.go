package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"daypass.dev"
	"daypass.dev/deliver"
	"daypass.dev/doctor"
	"daypass.dev/doctor/gather"
)

// A visit is a request to one of daypass's own endpoints that is refused, and
// what the mend makes of it.
type visit struct {
	slug           string
	request, other string // as they stand on the wire, with HOST for the address called
	spoil, mend    func(*endpoints)
	at, from       string // addresses of the endpoint and of the caller, until the mend; empty: loopback
}

// endpoints are those of daypass serve.
type endpoints struct {
	container *deliver.Container
	dir       string
}

type static daypass.Credentials

func (s static) Credentials(context.Context) (daypass.Credentials, error) {
	return daypass.Credentials(s), nil
}

func visits() []visit {
	const (
		session = "PUT /latest/api/token HTTP/1.1\nHost: HOST\nX-aws-ec2-metadata-token-ttl-seconds: 60\nContent-Length: 0\n\n"
		creds   = "GET /v1/credentials HTTP/1.1\nHost: HOST\nAuthorization: proof\n\n"
	)
	instead := func(slug, old, wrong string) visit {
		return visit{slug: slug, request: strings.Replace(creds, old, wrong, 1), other: creds}
	}
	with := func(slug, header string) visit { return instead(slug, "Host:", header+"\nHost:") }
	token := func(path, text string) func(*endpoints) {
		return func(e *endpoints) { e.container.TokenFile, e.container.Token = path, daypass.Secret(text) }
	}
	return []visit{
		instead("caller-target", " /v1", " http://HOST/v1"),
		instead("caller-host", "Host: HOST", "Host: evil.example"),
		with("caller-forwarded", "X-Forwarded-For: 10.0.0.7"),
		with("caller-origin", "Origin: https://evil.example"),
		with("caller-referer", "Referer: https://evil.example"),
		with("caller-browser", "Sec-Fetch-Mode: no-cors"),
		{slug: "caller-body", request: strings.Replace(creds, "\n\n", "\nContent-Length: 1\n\nx", 1), other: creds},
		instead("caller-method", "GET", "DELETE"),
		instead("container-token-missing", "Authorization: proof\n", ""),
		instead("container-token-wrong", "proof", "guess"),
		{slug: "container-no-token", request: creds, other: creds, spoil: token("", ""), mend: token("", "proof")},
		{slug: "container-token-file", request: creds, other: creds, spoil: func(e *endpoints) { token(e.dir+"/token", "")(e) }, mend: func(e *endpoints) {
			_ = os.WriteFile(e.dir+"/token", []byte("proof\n"), 0o600)
		}},
		instead("role-not-named", "/v1", "/role/other/v1"),
		{slug: "imds-ttl", request: strings.Replace(session, ": 60", ": 0", 1), other: session},
		{slug: "imds-address", request: session, other: session, at: foreign, from: foreign},
		{slug: "caller-remote", request: creds, other: creds, from: foreign},
		{slug: "imds-token", request: "GET /latest/meta-data/ HTTP/1.1\nHost: HOST\n\n", other: session},
	}
}

// Whom an endpoint refuses learns no more than a code and a few words; what the
// endpoint logs names the reason.
func TestWhatEndpointsSay(t *testing.T) {
	for _, v := range visits() {
		if (v.from != "") != (os.Getenv(alone) != "") {
			continue // for the other of the two
		}
		t.Run(v.slug, func(t *testing.T) {
			var log bytes.Buffer
			to := slog.New(slog.NewTextHandler(&log, nil))
			creds := static{AccessKeyID: "ASIA", SecretAccessKey: "s", SessionToken: "t", Expires: time.Now().Add(time.Hour)}
			e := &endpoints{&deliver.Container{Source: creds, Token: "proof", Log: to}, t.TempDir()}
			imds := &deliver.IMDS{Source: creds, RoleARN: roleARN, Log: to}
			mux := http.NewServeMux()
			mux.Handle("/latest/", imds)
			mux.Handle("/role/", &deliver.Roles{Log: to})
			mux.Handle("/", e.container)
			guarded := deliver.Guard(mux, to)
			if v.spoil != nil {
				v.spoil(e)
			}
			status, body := send(t, guarded, v.at, v.from, v.request)
			if status < 400 {
				t.Fatalf("it is answered %d %s", status, body)
			}
			said := func(text string) []string {
				r := doctor.Diagnose((&gather.Case{Said: text}).Collect(t.Context()))
				return append(slices.Clone(r.Candidates), r.Cause.Reason)
			}
			if got := said(log.String()); !slices.Equal(got, []string{v.slug}) {
				t.Errorf("the log stands for %q:\n%s", got, &log)
			}
			if got := said(body); !slices.Contains(got, v.slug) && !slices.Equal(got, []string{""}) {
				t.Errorf("the answer stands for %q: %s", got, body)
			}
			if v.mend != nil {
				v.mend(e)
			}
			if status, body := send(t, guarded, "", "", v.other); status != http.StatusOK {
				t.Errorf("after the mend it is answered %d %s", status, body)
			}
		})
	}
}

// foreign is an address of documentation, RFC 5737.
const foreign = "192.0.2.7"

// A caller from elsewhere, and an endpoint where others reach it, stand in a
// network of their own, so that nobody does.
func TestWhatStrangersAreTold(t *testing.T) {
	if os.Getenv(alone) == "" {
		if runtime.GOOS != "linux" || os.Getuid() != 0 {
			t.Skip("skipped: a network namespace needs root on Linux")
		}
		if err := exec.CommandContext(t.Context(), "unshare", "--net", "true").Run(); err != nil {
			t.Skipf("skipped: no network namespace: %v", err)
		}
		cmd := exec.CommandContext(t.Context(), "unshare", "--net", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), alone+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestWhatStrangersAreTold/caller-remote") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(netlink.LinkSetUp(lo), netlink.AddrAdd(lo, &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(foreign), Mask: net.CIDRMask(32, 32)}})); err != nil {
		t.Fatal(err)
	}
	TestWhatEndpointsSay(t)
}

// send sends a request as it stands, to a handler at one address from another.
func send(t *testing.T, handler http.Handler, listen, from, request string) (status int, body string) {
	t.Helper()
	if listen == "" {
		listen = "127.0.0.1"
	}
	open, err := net.Listen("tcp", listen+":0")
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: open, Config: &http.Server{Handler: handler}}
	server.Start()
	defer server.Close()
	at := open.Addr().String()
	dialer := net.Dialer{}
	if from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := dialer.DialContext(t.Context(), "tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, strings.ReplaceAll(strings.ReplaceAll(strings.Replace(request, "\n\n", "\nConnection: close\n\n", 1), "HOST", at), "\n", "\r\n"))
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(string(answer), "HTTP/1.1 %d", &status); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	_, body, _ = strings.Cut(string(answer), "\r\n\r\n")
	return status, body
}
