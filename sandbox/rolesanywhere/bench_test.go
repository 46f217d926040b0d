package rolesanywhere_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The benchmarks send one signed request again and again through the whole
// sandbox: routing, signature, path, trust policy, sealed token, decision.

func BenchmarkCreateSessionEC(b *testing.B) { benchmark(b, func(*stage) {}) }

func BenchmarkCreateSessionRSA(b *testing.B) {
	benchmark(b, func(s *stage) { s.useRSA(2048) })
}

func benchmark(b *testing.B, change func(*stage)) {
	s := newStage(b)
	change(s)
	r := s.request()
	b.ReportAllocs()
	for b.Loop() {
		r.Body = io.NopCloser(strings.NewReader(s.body))
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code != http.StatusCreated {
			b.Fatalf("%d %s", w.Code, w.Body)
		}
	}
}
