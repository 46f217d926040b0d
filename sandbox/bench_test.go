package sandbox_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"daypass.dev/sandbox"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

// BenchmarkGetCallerIdentity is the handler alone: parsing, verifying the
// signature, answering and recording one call.
func BenchmarkGetCallerIdentity(b *testing.B) {
	w := world.New()
	key := w.Administrator(w.Home)
	h := sandbox.New(w)
	const body = "Action=GetCallerIdentity&Version=2011-06-15"
	sum := sha256.Sum256([]byte(body))
	proto := httptest.NewRequest(http.MethodPost, "https://sts.us-east-1.amazonaws.com/", nil)
	proto.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	creds := aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
	if err := v4.NewSigner().SignHTTP(b.Context(), creds, proto, hex.EncodeToString(sum[:]), "sts", "us-east-1", time.Now()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "https://sts.us-east-1.amazonaws.com/", strings.NewReader(body))
		r.Header = proto.Header
		a := httptest.NewRecorder()
		h.ServeHTTP(a, r)
		if a.Code != http.StatusOK {
			b.Fatalf("%d %s", a.Code, a.Body)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// BenchmarkGetCallerIdentityBySDK is the same as a client sees it: signed by
// the SDK, over TLS on loopback, on one connection.
func BenchmarkGetCallerIdentityBySDK(b *testing.B) {
	s := sandboxtest.Start(b, "")
	c := sts.NewFromConfig(s.Config())
	for b.Loop() {
		if _, err := c.GetCallerIdentity(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
