//go:build soak

package signer

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	certs "k8s.io/api/certificates/v1beta1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/e2e/kube/kubetest"
)

// TestBudget: of 200 requests at once, 99 of 100 are answered within a second
// of being there. It means something on a machine that does nothing else.
func TestBudget(t *testing.T) {
	r := install(t, values(account{}))
	n := kubetest.New(t)
	send(t, n, batch(t, n, 20)) // all are awake
	defer func() { t.Log("both replicas: " + costs(t, r)) }()
	var rounds []time.Duration
	for round := range 3 {
		all := batch(t, n, 200)
		for i, r := range all {
			r.Name = fmt.Sprintf("round-%d-%d", round, i)
		}
		took := send(t, n, all)
		rounds = append(rounds, percentile(took, 99))
		t.Logf("of 200: median %s, 99 of 100 within %s, all within %s", percentile(took, 50), percentile(took, 99), percentile(took, 100))
	}
	for _, p99 := range rounds {
		if p99 < time.Second {
			return
		}
	}
	t.Errorf("99 of 100 within %s: none within a second", rounds)
}

// TestGrowth answers 10,000 requests and prints what that costs the signer at
// a tenth, a third and all of them: no figure may grow faster than they do.
func TestGrowth(t *testing.T) {
	r := install(t, values(account{}))
	n := kubetest.New(t)
	node1, root := as(t, n.Cluster, kubelet1), as(t, n.Cluster, admin)
	var template []*certs.PodCertificateRequest
	for _, pod := range batch(t, n, 10) {
		template = append(template, pod)
	}
	done, begin := 0, time.Now()
	for _, goal := range []int{1000, 3333, 10000} {
		var wg sync.WaitGroup
		names := make(chan int)
		for range 16 {
			wg.Go(func() {
				for i := range names {
					request := template[i%len(template)].DeepCopy()
					request.Name = fmt.Sprintf("growth-%d", i)
					if err := node1.Create(t.Context(), request); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for ; done < goal; done++ {
			names <- done
		}
		close(names)
		wg.Wait()
		n.Eventually(5*time.Minute, "all being answered", func() error {
			var all certs.PodCertificateRequestList
			if err := root.List(t.Context(), &all, client.InNamespace(n.Name)); err != nil {
				return err
			}
			open := 0
			for i := range all.Items {
				if len(all.Items[i].Status.Conditions) == 0 {
					open++
				}
			}
			if open > 0 {
				return fmt.Errorf("%d of %d are open", open, len(all.Items))
			}
			return nil
		})
		t.Logf("%5d requests: %s; %s", goal, time.Since(begin).Round(time.Second), costs(t, r))
	}
}

// costs are the sum over all replicas.
func costs(t *testing.T, r *kubetest.Release) string {
	t.Helper()
	sum := map[string]float64{}
	for _, pod := range strings.Fields(r.Kubectl("get", "pods", "--selector=app.kubernetes.io/component=signer", "--output=jsonpath={.items[*].metadata.name}")) {
		page := r.Kubectl("get", "--raw", "/api/v1/namespaces/"+r.Name+"/pods/"+pod+":9912/proxy/metrics")
		for line := range strings.Lines(page) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			short, _, _ := strings.Cut(name, "{")
			v, err := strconv.ParseFloat(value, 64)
			if err == nil && short == "daypass_signer_requests_total" {
				sum[name[strings.Index(name, "outcome="):]] += v
			} else if err == nil {
				sum[short] += v
			}
		}
	}
	if sum["rest_client_requests_total"] == 0 || sum["process_resident_memory_bytes"] == 0 {
		t.Fatal("the signer tells nothing")
	}
	return fmt.Sprintf("resident %.0f MiB, CPU %.1f s, API calls %.0f, issued %.0f, lost %.0f", sum["process_resident_memory_bytes"]/(1<<20),
		sum["process_cpu_seconds_total"], sum["rest_client_requests_total"], sum[`outcome="issued",reason=""}`], sum[`outcome="lost",reason=""}`])
}
