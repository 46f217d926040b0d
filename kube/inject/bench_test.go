package inject

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// BenchmarkReview is one review from body to answer, without the network.
func BenchmarkReview(b *testing.B) {
	for _, name := range []string{"cluster-token", "sidecar-csi", "cluster-token+nobody"} {
		g := readGolden(b, "testdata/"+name+".txtar")
		b.Run(name, func(b *testing.B) {
			w, body := g.webhook(), review(g.pod)
			b.ReportAllocs()
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				answer := httptest.NewRecorder()
				w.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/mutate", bytes.NewReader(body)))
				if answer.Code != http.StatusOK {
					b.Fatal(answer.Body)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}
