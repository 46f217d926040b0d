package deliver

import (
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"daypass.dev/reason"
)

// An attempt is a request that must be refused for its slug, and for nothing
// else: with mended in place of wrong it goes through to what is asked.
type attempt struct {
	slug string
	// request is sent as it stands; HOST is the address called, IMDSTOKEN a
	// session token.
	request string
	// wrong is the part of request that is to blame, mended what should stand
	// there.
	wrong, mended string
	as            pretend
	// tokenFile is what the container endpoint has instead of its token;
	// noToken: it has none.
	tokenFile string
	noToken   bool
	// several: there are several roles.
	several bool
}

const (
	getRole  = "GET /latest/meta-data/iam/security-credentials/ HTTP/1.1\nHost: HOST\nX-aws-ec2-metadata-token: IMDSTOKEN\n\n"
	putToken = "PUT /latest/api/token HTTP/1.1\nHost: HOST\nX-aws-ec2-metadata-token-ttl-seconds: 60\n\n"
	getCreds = "GET /v1/credentials HTTP/1.1\nHost: HOST\nAuthorization: " + secretProof + "\n\n"
)

// with puts a header into a request.
func with(header, request string) string {
	return strings.Replace(request, "\n\n", "\n"+header+"\n\n", 1)
}

func attempts(t *testing.T) []attempt {
	write := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		writeFile(t, path, text)
		return path
	}
	var all []attempt
	add := func(a attempt) { all = append(all, a) }
	for _, request := range []string{getRole, putToken, getCreds} {
		add(attempt{slug: "caller-target", request: strings.Replace(request, " /", " http://HOST/", 1), wrong: "http://HOST/", mended: "/"})
		for _, host := range []string{
			"evil.example", "evil.example:PORT", "169.254.169.254", "127.0.0.2:PORT", "127.0.0.1", "127.0.0.1:1", "[::2]:PORT",
			"localhost", "localhost:1", "localhost.evil.example:PORT", "HOST.evil.example", "127.1:PORT", "2130706433:PORT", "0.0.0.0:PORT", "",
		} {
			add(attempt{slug: "caller-host", request: strings.Replace(request, "Host: HOST", "Host: "+host, 1), wrong: "Host: " + host, mended: "Host: HOST"})
		}
		add(attempt{slug: "caller-remote", request: request, as: pretend{remote: "192.0.2.7:4711"}})
		for slug, header := range map[string]string{
			"caller-forwarded": "X-Forwarded-For: 192.0.2.7",
			"caller-origin":    "Origin: http://evil.example",
			"caller-referer":   "Referer: http://evil.example/",
			"caller-browser":   "Sec-Fetch-Site: same-origin",
			"caller-body":      "Content-Length: 4",
		} {
			add(attempt{slug: slug, request: with(header, request), wrong: "\n" + header})
		}
		add(attempt{slug: "caller-forwarded", request: with("x-forwarded-for:", request), wrong: "\nx-forwarded-for:"})
		add(attempt{slug: "caller-origin", request: with("Origin: null", request), wrong: "\nOrigin: null"})
		add(attempt{slug: "caller-browser", request: with("sec-fetch-mode: no-cors", request), wrong: "\nsec-fetch-mode: no-cors"})
		add(attempt{slug: "caller-body", request: with("Transfer-Encoding: chunked", request) + "0\n\n", wrong: "\nTransfer-Encoding: chunked"})
		verb, rest, _ := strings.Cut(request, " ")
		for _, method := range []string{"POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"} {
			add(attempt{slug: "caller-method", request: method + " " + rest, wrong: method + " ", mended: verb + " "})
		}
		if other := map[string]string{"GET": "PUT", "PUT": "GET"}[verb]; other != "" {
			add(attempt{slug: "caller-method", request: other + " " + rest, wrong: other + " ", mended: verb + " "})
		}
	}
	for _, routable := range []string{"192.0.2.7:80", "[2001:db8::7]:80", "10.0.0.1:80", "[fd00:ec2::254]:80"} {
		for _, request := range []string{getRole, putToken} {
			add(attempt{slug: "imds-address", request: strings.Replace(request, "Host: HOST", "Host: "+strings.TrimSuffix(routable, ":80"), 1),
				as: pretend{local: routable, remote: "192.0.2.9:4711"}})
		}
	}
	for local, remotes := range map[string][]string{
		"169.254.7.1:80":  {"192.0.2.77:4711", "169.254.7.2:4711", "127.0.0.1:4711"},
		"[fe80::1%lo]:80": {"[fe80::2%lo]:4711", "[2001:db8::7]:4711"},
	} {
		for _, remote := range remotes {
			for _, request := range []string{getRole, putToken} {
				host, _, _ := strings.Cut(strings.TrimSuffix(local, ":80"), "%")
				if host[0] == '[' {
					host += "]"
				}
				add(attempt{slug: "caller-remote", request: strings.Replace(request, "Host: HOST", "Host: "+host, 1),
					as: pretend{local: local, remote: remote}})
			}
		}
	}
	for _, ttl := range []string{"0", "21601", "-1", "1.5", "", "ten", "99999999999999999999"} {
		header := "ttl-seconds: " + ttl
		add(attempt{slug: "imds-ttl", request: strings.Replace(putToken, "ttl-seconds: 60", header, 1), wrong: header + "\n", mended: "ttl-seconds: 60\n"})
	}
	header := "X-aws-ec2-metadata-token-ttl-seconds: 60\n"
	add(attempt{slug: "imds-ttl", request: strings.Replace(putToken, header, "", 1), wrong: "HOST\n", mended: "HOST\n" + header})
	for _, token := range []string{"", "x", strings.Repeat("A", 96), "IMDSTOKEN" + "A", strings.Repeat("!", 96)} {
		add(attempt{slug: "imds-token", request: strings.Replace(getRole, "IMDSTOKEN", token, 1), wrong: "token: " + token + "\n", mended: "token: IMDSTOKEN\n"})
	}
	header = "X-aws-ec2-metadata-token: IMDSTOKEN\n"
	add(attempt{slug: "imds-token", request: strings.Replace(getRole, header, "", 1), wrong: "HOST\n", mended: "HOST\n" + header})
	for _, path := range []string{"/v1/credentials", "/role/other/v1/credentials", "/role/", "/latest/meta-data/"} {
		add(attempt{slug: "role-not-named", request: strings.Replace(getCreds, "/v1/credentials", path, 1), wrong: " " + path + " ",
			mended: " /role/reports/v1/credentials ", several: true})
	}
	add(attempt{slug: "container-no-token", request: getCreds, noToken: true})
	add(attempt{slug: "container-token-missing", request: strings.Replace(getCreds, secretProof, "", 1),
		wrong: "Authorization: \n", mended: "Authorization: " + secretProof + "\n"})
	for _, token := range []string{"x", secretProof + "x", secretProof[1:], "Bearer " + secretProof} {
		add(attempt{slug: "container-token-wrong", request: strings.Replace(getCreds, secretProof, token, 1),
			wrong: "Authorization: " + token + "\n", mended: "Authorization: " + secretProof + "\n"})
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		pipe, "/dev/zero", filepath.Join(t.TempDir(), "absent"), t.TempDir(), write("empty", ""), write("blank", "\r\n\n"), write("huge", strings.Repeat("x", maxAuthorization+1)),
	} {
		add(attempt{slug: "container-token-file", request: getCreds, tokenFile: path})
	}
	return all
}

func TestCallersAreRefused(t *testing.T) {
	src := always(good(), nil)
	tried := map[string]bool{}
	for _, on := range []string{"127.0.0.1:0", "[::1]:0"} {
		for _, a := range attempts(t) {
			var log journal
			container := &Container{Source: src, Token: secretProof, Log: log.logger()}
			container.TokenFile = a.tokenFile
			if a.noToken {
				container.Token = ""
			}
			imds := &IMDS{Source: src, RoleARN: roleARN, Region: "eu-west-1", Log: log.logger()}
			endpoints := both(imds, container)
			if a.several {
				endpoints = &Roles{Of: map[string]http.Handler{"reports": container}, Log: log.logger()}
			}
			addr := listening(t, endpoints, log.logger(), on, a.as)
			fill := func(request string) string {
				port := addr[strings.LastIndexByte(addr, ':')+1:]
				return strings.NewReplacer("HOST", addr, "PORT", port, "IMDSTOKEN", imds.tokens.make(maxTokenTTL*1e9)).Replace(request)
			}

			answer, body := send(t, addr, fill(a.request))
			want := refusal(a.slug)
			if answer.StatusCode != want.status {
				t.Errorf("%s: %q: status %d, want %d", a.slug, a.request, answer.StatusCode, want.status)
			}
			if !strings.Contains(log.String(), "reason="+a.slug) {
				t.Errorf("%s: %q: the log gives another reason: %s", a.slug, a.request, log.String())
			}
			if !strings.HasPrefix(a.request, "HEAD") && !strings.Contains(body, want.code) {
				t.Errorf("%s: %q: the answer lacks %s: %s", a.slug, a.request, want.code, body)
			}
			nothingPlanted(t, log.String(), body)
			tried[a.slug] = true

			if a.wrong != "" {
				if !strings.Contains(a.request, a.wrong) {
					t.Fatalf("%s: %q does not hold %q", a.slug, a.request, a.wrong)
				}
				mended := strings.Replace(a.request, a.wrong, a.mended, 1)
				if answer, body := send(t, addr, fill(mended)); answer.StatusCode != http.StatusOK {
					t.Errorf("%s: %q, mended: status %d: %s", a.slug, mended, answer.StatusCode, body)
				}
			}
		}
	}
	for _, f := range refusals() {
		if !tried[f.slug] {
			t.Errorf("nothing tries %s", f.slug)
		}
		if r, ok := reason.Lookup(f.slug); !ok || r.Code != f.code {
			t.Errorf("the catalogue of reasons has %q for %s, the answer has %q", r.Code, f.slug, f.code)
		}
	}
	for _, r := range rules() {
		if !tried[r.slug] {
			t.Errorf("nothing tries the guard's %s", r.slug)
		}
	}
}

func both(imds, container http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			container.ServeHTTP(w, r)
			return
		}
		imds.ServeHTTP(w, r)
	})
}

func nothingPlanted(t *testing.T, sinks ...string) {
	t.Helper()
	for _, sink := range sinks {
		for _, secret := range []string{secretKey, secretToken, secretProof} {
			if strings.Contains(sink, secret) {
				t.Errorf("%q came out: %s", secret, sink)
			}
		}
	}
}

// Hosts that are the address called, in every form a client may write it.
func TestHostIsTheAddressCalled(t *testing.T) {
	imds := &IMDS{Source: always(good(), nil), RoleARN: roleARN}
	for local, hosts := range map[string][]string{
		"127.0.0.1:9911":         {"127.0.0.1:9911", "localhost:9911", "LOCALHOST:9911", "[::ffff:127.0.0.1]:9911"},
		"[::1]:9911":             {"[::1]:9911", "[0:0:0:0:0:0:0:1]:9911", "localhost:9911"},
		"127.0.0.1:80":           {"127.0.0.1", "127.0.0.1:80", "localhost", "localhost:80"},
		"[::1]:80":               {"[::1]", "[::1]:80", "localhost"},
		"169.254.169.254:80":     {"169.254.169.254", "169.254.169.254:80"},
		"[fe80::1%lo]:9911":      {"[fe80::1]:9911"},
		"[::ffff:127.0.0.1]:911": {"127.0.0.1:911"},
	} {
		as := pretend{local: local}
		if strings.Contains(local, "169.254") || strings.Contains(local, "fe80") {
			as.remote = local // who calls a link-local address of its own machine, calls from it
		}
		addr := listening(t, imds, nil, "127.0.0.1:0", as)
		for _, host := range hosts {
			if answer, body := send(t, addr, strings.Replace(putToken, "HOST", host, 1)); answer.StatusCode != http.StatusOK {
				t.Errorf("called at %s, Host %s: status %d: %s", local, host, answer.StatusCode, body)
			}
		}
	}
}

func TestLocalhostIsNotLinkLocal(t *testing.T) {
	addr := listening(t, &IMDS{Source: always(good(), nil), RoleARN: roleARN}, nil, "127.0.0.1:0", pretend{local: "169.254.169.254:80"})
	for _, host := range []string{"localhost", "localhost:80"} {
		if answer, _ := send(t, addr, strings.Replace(putToken, "HOST", host, 1)); answer.StatusCode != http.StatusForbidden {
			t.Errorf("Host %s: status %d", host, answer.StatusCode)
		}
	}
}

func TestOversizedHeadersAreRefused(t *testing.T) {
	addr := listening(t, &IMDS{Source: always(good(), nil), RoleARN: roleARN}, nil, "127.0.0.1:0", pretend{})
	answer, _ := send(t, addr, with("X-Padding: "+strings.Repeat("x", 2*maxHeader), putToken))
	if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", answer.StatusCode)
	}
}

func TestGuardWithoutServerRefuses(t *testing.T) {
	for _, rule := range rules() {
		if rule.slug != "caller-host" && rule.slug != "caller-remote" {
			continue
		}
		if r, _ := http.NewRequest("GET", "/", nil); !rule.refuses(r) {
			t.Errorf("%s passes a request whose address is not known", rule.slug)
		}
	}
}
