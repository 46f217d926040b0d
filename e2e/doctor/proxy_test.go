package doctor

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"daypass.dev/pki"
)

// A gate is a proxy that lets nobody through as long as status says so.
type gate struct {
	status atomic.Int32 // 0: it passes everything on
	to     string       // the proxy that it passes it on to
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status := int(g.status.Load()); status != 0 {
		w.WriteHeader(status)
		return
	}
	out, err := net.Dial("tcp", g.to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	in, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_ = r.Write(out)
	go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
	_, _ = io.Copy(in, out)
	_ = in.Close()
}

func proxyRows() []row {
	return []row{
		{slug: "live-proxy-authentication", record: "-", name: "407"},
		{slug: "live-proxy", record: "-", name: "403"},
	}
}

const alone = "DAYPASS_TEST_ALONE"

// A workload behind a proxy calls AWS by its own name, through that proxy. Since
// Go reads HTTPS_PROXY once, it does so in a process of its own.
func TestBehindAProxy(t *testing.T) {
	if os.Getenv(alone) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), alone+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	g := &gate{}
	server := httptest.NewServer(g)
	defer server.Close()
	t.Setenv("HTTPS_PROXY", server.URL)
	statuses := map[string]int32{"407": http.StatusProxyAuthRequired, "403": http.StatusForbidden}
	for _, r := range proxyRows() {
		t.Run(r.slug, func(t *testing.T) {
			s := newScene(t)
			at, err := url.Parse(s.box.ProxyURL)
			if err != nil {
				t.Fatal(err)
			}
			g.to = at.Host
			s.kase.Settings.Endpoint, s.kase.Settings.WithoutProxy = "", false
			r.spoil = func(*scene) { g.status.Store(statuses[r.name]) }
			r.mend = func(*scene) { g.status.Store(0) }
			r.run(t, s)
		})
	}
}

// expired is somebody who answers for AWS with a certificate of yesterday.
func expired(s *scene) {
	s.Helper()
	template := leafTemplate()
	template.NotBefore, template.NotAfter = time.Now().AddDate(0, 0, -2), time.Now().AddDate(0, 0, -1)
	template.IPAddresses, template.ExtKeyUsage = []net.IP{net.IPv4(127, 0, 0, 1)}, nil
	leaf := s.ca.issue(s, template, newKey(s))
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.cert.Raw}, PrivateKey: leaf.key}}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail as they must
	server.StartTLS()
	s.Cleanup(server.Close)
	s.write("roots.pem", pki.EncodeCertificate(s.ca.cert))
	s.kase.Settings.Endpoint, s.kase.Settings.CABundle = server.URL, s.file("roots.pem")
}
