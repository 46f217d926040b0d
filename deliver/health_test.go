package deliver

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestHealthPaths(t *testing.T) {
	failing := errors.New("reading private key tls.key: no such file")
	h := &Health{
		Ready: func(context.Context) error { return failing },
		Metrics: func() []Metric {
			return []Metric{
				{Name: "daypass_calls_total", Help: "Calls.", Counter: true, Value: 12},
				{Name: "daypass_left_seconds", Help: "Left.", Value: 1234567.5},
				{Name: "daypass_left_seconds", Help: "Left.", Role: "a", Value: 1},
			}
		},
	}
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/healthz": {200, "ok\n"},
		"/readyz":  {503, failing.Error() + "\n"},
		"/metrics": {200, "# HELP daypass_calls_total Calls.\n# TYPE daypass_calls_total counter\ndaypass_calls_total 12\n" +
			"# HELP daypass_left_seconds Left.\n# TYPE daypass_left_seconds gauge\ndaypass_left_seconds 1234567.5\ndaypass_left_seconds{role=\"a\"} 1\n"},
		"/":                        {404, "404 page not found\n"},
		"/latest/meta-data/":       {404, "404 page not found\n"},
		"/v1/credentials":          {404, "404 page not found\n"},
		"/healthz/../metrics/nope": {404, "404 page not found\n"},
	} {
		got := serve(h, local("GET", path))
		if got.Code != want.status || got.Body.String() != want.body {
			t.Errorf("%s: %d %q", path, got.Code, got.Body)
		}
		if got := serve(h, local("POST", path)); got.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", path, got.Code)
		}
	}
	failing = nil
	if got := serve(h, local("GET", "/readyz")); got.Code != http.StatusOK {
		t.Errorf("ready: %d %s", got.Code, got.Body)
	}
}

func TestReadinessDoesNotHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		got := serve(&Health{Ready: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}, local("GET", "/readyz"))
		if got.Code != http.StatusServiceUnavailable || time.Since(start) > time.Second {
			t.Errorf("%d after %v", got.Code, time.Since(start))
		}
	})
}
