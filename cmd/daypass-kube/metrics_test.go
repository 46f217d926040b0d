package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"daypass.dev/e2e/metrics"
	"daypass.dev/kube/inject"
)

// docs/metrics.md lists what the webhook and the detector show; the agent's, the
// signer's and the issuer's are written in their own packages.
func TestMetricsAreDocumented(t *testing.T) {
	const path = "../../docs/metrics.md"
	authority, err := inject.NewAuthority([]string{"daypass-webhook.daypass.svc"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	text, err := authority.PEM()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	hook := webhookMetrics(&inject.Webhook{}, &inject.Serving{File: file})
	for _, m := range hook {
		if end := time.Unix(int64(m.Value), 0); m.Name == "daypass_webhook_certificate_end_timestamp_seconds" && end.Before(time.Now()) {
			t.Errorf("%s: %s", m.Name, end)
		}
	}
	if err := metrics.Document(path, "daypass-kube webhook", metrics.Of(hook), *update); err != nil {
		t.Error(err)
	}
	if err := metrics.Document(path, "daypass-kube detector", metrics.Of((&detective{}).metrics()), *update); err != nil {
		t.Error(err)
	}
	// Where there is no authority, nothing is made up.
	if got := webhookMetrics(&inject.Webhook{}, &inject.Serving{File: file + "x"}); len(got) != len(hook)-2 {
		t.Errorf("%d without an authority, %d with one", len(got), len(hook))
	}
}
