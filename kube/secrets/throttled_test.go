package secrets

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A few, always.
func TestThrottled(t *testing.T) { throttled(t, 8, 20) }

// throttled has a pod of each of many ServiceAccounts mount at once, while
// Secrets Manager answers only so many calls a second, and none of the first, one
// for each account, which may come slowly. The driver asks again as
// kubelets do: after half a second, then after twice as long each time. All must
// mount in the end.
func throttled(t *testing.T, accounts, perSecond int) {
	s := newStage(t)
	s.secret("db", "value")
	var mu sync.Mutex
	var refused atomic.Int64
	second, answered := time.Now(), 0
	limit := func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.Header.Get("X-Amz-Target"), "secretsmanager.") {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		if time.Since(second) > time.Second {
			second, answered = time.Now(), 0
		}
		if refused.Load() >= int64(accounts) {
			if answered++; answered <= perSecond {
				return false
			}
		}
		refused.Add(1)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"__type":"ThrottlingException","message":"Rate exceeded"}`))
		return true
	}
	for i := range accounts {
		s.role(fmt.Sprintf("sa%d", i), `{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*"}`)
	}
	s.before.Store(&limit)
	begin := time.Now()
	var all sync.WaitGroup
	for i := range accounts {
		attributes := s.attributes(fmt.Sprintf("sa%d-1", i), "objects", "- {objectName: db, objectType: secretsmanager}")
		all.Go(func() {
			for wait := 500 * time.Millisecond; ; wait = min(2*wait, 2*time.Minute) {
				out, err := s.ask(attributes)
				if err == nil {
					if len(out.Files) != 1 || string(out.Files[0].Contents) != "value" {
						t.Errorf("mounted %v", out.Files)
					}
					return
				}
				busy := status.Code(err) == codes.Internal // no answer came from a machine that has much to do
				if !busy && !strings.Contains(err.Error(), "(throttled)") {
					t.Errorf("refused for another reason: %v", err)
					return
				}
				select {
				case <-t.Context().Done():
					t.Error("not mounted")
					return
				case <-time.After(wait):
				}
			}
		})
	}
	all.Wait()
	if refused.Load() < int64(accounts) {
		t.Errorf("%d calls were throttled", refused.Load())
	}
	t.Logf("%d accounts at %d calls a second: all mounted after %s, %d calls throttled", accounts, perSecond, time.Since(begin).Round(time.Second), refused.Load())
}
