package main

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"daypass.dev/config"
	"daypass.dev/deliver"
	"daypass.dev/e2e/metrics"
	"daypass.dev/pki"
	"daypass.dev/proof"
	"daypass.dev/refresh"
)

// docs/metrics.md lists what serve shows: for several roles, by a certificate
// and by a token.
func TestMetricsAreDocumented(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	key, err := pki.NewKey("ec-p256")
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.NewCA(key, pkix.Name{CommonName: "Test CA"}, time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	settings := config.Defaults()
	settings.Certificate = write("tls.crt", pki.EncodeCertificate(ca.Certificate))
	settings.PrivateKey = write("tls.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	certificate, err := settings.Proof(nil)
	if err != nil {
		t.Fatal(err)
	}
	part := base64.RawURLEncoding.EncodeToString
	token := config.Proof{Tokens: &proof.TokenFile{Path: write("token", []byte(part([]byte(`{"alg":"RS256"}`))+"."+part([]byte(`{"iss":"https://issuer.test","sub":"x","aud":"sts.amazonaws.com","exp":4102444800}`))+"."+part([]byte("x"))))}}

	served := rolesServed{{namedRole{"reports", "arn"}, &refresh.Source{}}}
	var shows []deliver.Metric
	for _, p := range []config.Proof{certificate, token} {
		ends := shown{p}.ends(t.Context())
		if len(ends) != 1 {
			t.Fatalf("%+v tells %v of its end", p, ends)
		}
		shows = append(shows, ends...)
	}
	shows = append(shows, served.health(shown{}).Metrics()...)
	if err := metrics.Document("../../docs/metrics.md", "daypass serve", metrics.Of(shows), *update); err != nil {
		t.Error(err)
	}
}
