package page

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	clusterpage "daypass.dev/kube/page"
	"daypass.dev/kube/survey"
)

// workloads are the page of a cluster with so many of them, of all kinds.
func workloads(n int) func(*testing.T) (string, []string) {
	return func(t *testing.T) (string, []string) {
		s := &survey.Status{At: time.Now(), Programs: []survey.Program{}}
		if n > 0 {
			s.Programs = []survey.Program{{Name: "daypass-webhook", Ready: 2, Want: 2}, {Name: "daypass-detector", Ready: 0, Want: 1}, {Name: "daypass-node", Ready: 3, Want: 3}}
			s.Agents = []survey.Agent{
				{Node: "ip-10-0-1-17.eu-west-1.compute.internal", Ready: true, Upstream: map[string]bool{"web-identity": true}},
				{Node: "n2", Upstream: map[string]bool{"web-identity": true, "roles-anywhere": false}},
			}
			s.Unseen = []string{"Events: the credentials here may not read it"}
		}
		for i := range n {
			s.Workloads = append(s.Workloads, workload(i, s.At))
		}
		p := clusterpage.New(func(context.Context) (*survey.Status, error) { return s, nil })
		server := httptest.NewServer(p)
		t.Cleanup(server.Close)
		return server.URL + p.Path(), nil
	}
}

func workload(i int, now time.Time) survey.Workload {
	in := func(d time.Duration) *time.Time { at := now.Add(d + time.Duration(i%50)*time.Minute); return &at }
	w := survey.Workload{
		Namespace: "shop", Pod: fmt.Sprintf("checkout-7f9c6b5d4-%05d", i), ServiceAccount: "checkout", Node: "n2", Method: "web-identity", Ready: true,
		Role: "arn:aws:iam::111122223333:role/daypass/prod/checkout-reads-orders", Rule: "association", Association: "checkout", Delivery: "agent",
	}
	switch i % 6 {
	case 0: // long names
		w.Namespace, w.Node = strings.Repeat("team-", 8)+"a", "ip-10-0-1-17.eu-west-1.compute.internal"
		w.Method, w.Rule, w.Association = "roles-anywhere", "daypass.dev/role-arn", ""
		w.CredentialsExpire, w.CertificateExpires = in(31*time.Minute), in(11*time.Hour)
	case 1:
		w.Ready, w.Reason, w.Detail = false, "policy-condition", `the token's sub is "system:serviceaccount:shop:checkout", wanted "system:serviceaccount:store:checkout"`
	case 2:
		w.CredentialsExpire, w.LastOK = in(50*time.Minute), in(-90*time.Minute)
		w.LastRefusal = &survey.Refusal{Reason: "AccessDenied", Detail: "Not authorized to perform sts:AssumeRoleWithWebIdentity", At: now.Add(-100 * time.Minute)}
	case 3: // denied, so that there is no pod
		w = survey.Workload{Namespace: "shop", ServiceAccount: "nightly", Reason: "role-arn-malformed", Detail: `daypass.dev/role-arn is "reader"`}
	case 4:
		w.Delivery, w.Method = "sidecar", "roles-anywhere"
		w.CertificateExpires = in(23 * time.Hour)
	case 5:
		w.CredentialsExpire, w.CertificateExpires = in(4*time.Minute), in(-time.Hour)
	}
	return w
}
