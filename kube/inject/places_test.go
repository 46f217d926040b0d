package inject

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// Large reviews that do not come to an end keep other large ones waiting, for a
// while, and small ones not at all.
func TestLargeReviewsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := readGolden(t, "testdata/cluster-token.txtar").webhook()
		small := review(readGolden(t, "testdata/cluster-token.txtar").pod)
		large := []byte(strings.Replace(string(small), `"spec":{`, `"spec":{"x":"`+strings.Repeat("x", smallReview)+`",`, 1))
		ask := func(body io.Reader) int {
			answer := httptest.NewRecorder()
			w.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/mutate", body))
			return answer.Code
		}
		for _, whole := range []bool{true, false} {
			var stalled, waiting sync.WaitGroup
			var ends []*io.PipeWriter
			for range mostLarge {
				r, end := io.Pipe()
				ends = append(ends, end)
				stalled.Go(func() {
					if code := ask(r); (code == http.StatusOK) != whole {
						t.Errorf("a large review that takes its time, and comes: %v: %d", whole, code)
					}
				})
				if _, err := end.Write(large[:smallReview]); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait() // they have their places
			waiting.Go(func() {
				if code := ask(bytes.NewReader(large)); code != map[bool]int{true: http.StatusOK, false: http.StatusServiceUnavailable}[whole] {
					t.Errorf("one more large review, where the others come: %v: %d", whole, code)
				}
			})
			synctest.Wait()
			if code := ask(bytes.NewReader(small)); code != http.StatusOK {
				t.Errorf("a small review beside them: %d", code)
			}
			if !whole {
				waiting.Wait() // its patience ends first
			}
			for _, end := range ends {
				if whole {
					if _, err := end.Write(large[smallReview:]); err != nil {
						t.Fatal(err)
					}
				}
				_ = end.Close()
			}
			stalled.Wait()
			waiting.Wait()
		}
	})
}
