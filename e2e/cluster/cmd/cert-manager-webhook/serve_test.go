// Package webhook is cert-manager's webhook as a program. The server is in an
// internal package and only cert-manager's own tests may start it, so the
// program is a test, built by `go test -c`; it takes the flags that
// cert-manager's chart gives.
package webhook

import (
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/cert-manager/cert-manager/pkg/webhook/server"
	testwebhook "github.com/cert-manager/cert-manager/test/webhook"
)

// given are the flags for the webhook; those of the testing package go in
// their place.
var given []string

func TestMain(m *testing.M) {
	given = os.Args[1:]
	os.Args = []string{os.Args[0], "-test.run=^TestServe$", "-test.timeout=0", "-test.v"}
	os.Exit(m.Run())
}

// TestServe serves until it is told to end.
func TestServe(t *testing.T) {
	if len(given) == 0 {
		t.Skip("skipped without flags: this is a server, not a test")
	}
	// For tests the port is chosen at random; the chart's probes want these.
	health := 6080
	_, stop := testwebhook.StartWebhookServer(t, given, func(s *server.Server) {
		s.ListenAddr, s.HealthzAddr = 10250, &health
	})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
	stop()
}
