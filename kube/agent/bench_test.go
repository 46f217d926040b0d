package agent

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
	"daypass.dev/kube/vend"
)

// quick answers as STS, at once.
func quick(t testing.TB) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId>
			<SecretAccessKey>secret</SecretAccessKey><SessionToken>%01000d</SessionToken><Expiration>%s</Expiration></Credentials>
			</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, 7, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	t.Cleanup(s.Close)
	return s
}

// node is an agent with many pods, each of a ServiceAccount of its own.
func node(t testing.TB, pods int) (*Agent, []string) {
	t.Helper()
	s := &stage{key: clusterKey(), cluster: &cluster{pods: map[string]*corev1.Pod{}, accounts: map[string]*corev1.ServiceAccount{}}}
	var tokens []string
	for i := range pods {
		account, pod := fmt.Sprint("a", i), fmt.Sprint("p", i)
		s.account("shop", account, "daypass.dev/role-arn", roleARN)
		s.pod("shop", pod, account, "n1")
		tokens = append(tokens, sign(t, s.key, "k1", claims("shop", pod, account)))
	}
	a := &Agent{
		Tokens: &vend.Tokens{Node: "n1", Fetch: func(context.Context) (vend.Issuer, error) { return vend.Issuer{URL: issuerURL, Keys: s.keys()}, nil }},
		Vendor: &vend.Vendor{
			Cluster: identity.Cluster{Name: "prod", TrustDomain: "prod.test", Method: v1alpha1.WebIdentity},
			Node:    "n1", Directory: s.cluster, Upstream: vend.Upstream{Region: "us-east-1", STSEndpoint: quick(t).URL},
		},
	}
	t.Cleanup(func() { _ = a.Vendor.Close() })
	return a, tokens
}

// BenchmarkAnswer is a cached answer on a connection that stays, on 16 of them
// at a time; the whole machine's, the asking included.
func BenchmarkAnswer(b *testing.B) {
	a, tokens := node(b, 10)
	server := httptest.NewServer(a.Handler())
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	ask := func(token string) time.Duration {
		r, err := http.NewRequest(http.MethodGet, server.URL+"/v1/credentials", nil)
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Authorization", token)
		begin := time.Now()
		answer, err := client.Do(r)
		if err != nil {
			b.Error(err)
			return 0
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			b.Errorf("status %d", answer.StatusCode)
		}
		return time.Since(begin)
	}
	for _, t := range tokens {
		ask(t)
	}
	var mu sync.Mutex
	var all []time.Duration
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		var own []time.Duration
		for i := 0; pb.Next(); i++ {
			own = append(own, ask(tokens[i%len(tokens)]))
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, own...)
	})
	slices.Sort(all)
	b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "requests/s")
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(all[len(all)*p/100].Microseconds()), fmt.Sprintf("p%d-µs", p))
	}
}

// BenchmarkIdentities is the heap that each identity takes whose credentials
// are kept fresh.
func BenchmarkIdentities(b *testing.B) {
	for _, n := range []int{10, 100, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				a, tokens := node(b, n)
				before := heap()
				b.StartTimer()
				for _, t := range tokens {
					caller, err := a.Tokens.Caller(b.Context(), t)
					if err != nil {
						b.Fatal(err)
					}
					src, _, err := a.Vendor.Source(b.Context(), caller)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := src.Credentials(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(heap()-before)/float64(n)/1024, "KiB/identity")
				runtime.KeepAlive(a)
			}
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// FuzzRequest sends requests of any header to the agent: none but a pod's own
// token opens it, and nothing makes it fall over.
func FuzzRequest(f *testing.F) {
	a, tokens := node(f, 1)
	handler := a.Handler()
	server := httptest.NewServer(handler)
	f.Cleanup(server.Close)
	f.Add("GET", "/v1/credentials", "Authorization", "x")
	f.Add("GET", "/v1/credentials", "Authorization", tokens[0][:20])
	f.Add("PUT", "/", "X-Forwarded-For", "1.2.3.4")
	f.Add("GET", "//v1//credentials/", "Host", "evil.test")
	f.Fuzz(func(t *testing.T, method, path, name, value string) {
		r, err := http.NewRequest(method, server.URL+path, nil)
		if err != nil {
			t.Skip()
		}
		r.Header.Set(name, value)
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Skip() // what Go's client does not send
		}
		_ = answer.Body.Close()
		if answer.StatusCode == http.StatusOK && value != tokens[0] || answer.StatusCode == http.StatusInternalServerError {
			t.Errorf("%s %q, %q: %q: status %d", method, path, name, value, answer.StatusCode)
		}
	})
}
