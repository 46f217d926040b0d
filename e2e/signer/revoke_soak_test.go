//go:build soak

package signer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"daypass.dev/e2e/kube/kubetest"
)

// TestRevokedBesideItsNeighbour: two pods of two ServiceAccounts read with one
// role. One of them is revoked: its loop ends with a denial that names the
// policy, and every later session of its identity is denied; its neighbour's
// loop goes on, through a session of its own that is made afterwards.
func TestRevokedBesideItsNeighbour(t *testing.T) {
	sandbox := kubetest.Sandbox(t)
	r := install(t, values(account{}))
	kubetest.Provide(t, sandbox, kubetest.GoSDK)
	n := kubetest.New(t)
	a := newAccount(t, sandbox, roots(n), n.Name, n.Name, "workload")
	roles := iam.NewFromConfig(sandbox.Config())
	_, err := roles.UpdateAssumeRolePolicy(t.Context(), &iam.UpdateAssumeRolePolicyInput{RoleName: &n.Name, PolicyDocument: aws.String(
		strings.Replace(fmt.Sprintf(trust, n.Name, "*", a.anchor), "StringEquals", "StringLike", 1))})
	if err != nil {
		t.Fatal(err)
	}
	r.Upgrade(values(a))
	for i, name := range []string{"workload", "neighbour"} {
		n.Apply(fmt.Sprintf("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: %s, annotations: {daypass.dev/role-arn: %q}}\n", name, a.role))
		reads(n, i, a.bucket, name)
	}
	if out, errs, code := newDesk(t, sandbox, n).run(t, "revoke", "--role", n.Name, "--identity", "CN=workload@"+n.Name); code != 0 {
		t.Fatalf("%d, %q, %q", code, out, errs)
	}
	at := time.Now()
	n.Eventually(2*time.Minute, "the end of the revoked pod's loop", func() error {
		log := n.Kubectl("logs", "reader-0", "--container=reader", "--tail=1")
		if strings.Contains(log, "AccessDenied") {
			return nil
		}
		return fmt.Errorf("its last line is %s", log)
	})
	t.Logf("refused %s after the command", time.Since(at).Round(time.Second))
	count := func() (n1 int) {
		if _, err := fmt.Sscanf(n.Kubectl("logs", "reader-1", "--container=reader", "--tail=1"), "read %d", &n1); err != nil {
			t.Fatalf("the neighbour is refused, too: %v", err)
		}
		return n1
	}
	for before := count(); count() < before+30; {
		time.Sleep(time.Second)
	}
	// Both anew: who is revoked stays so, and the neighbour's next session is good.
	n.Kubectl("delete", "pod", "reader-0", "reader-1")
	reads(n, 1, a.bucket, "neighbour")
	n.Apply(readerOf(0, a.bucket, "workload"))
	n.Eventually(3*time.Minute, "the revoked pod, made anew, being refused", func() error {
		log, err := n.Try("logs", "reader-0", "--container=reader", "--tail=1")
		if err == nil && !strings.Contains(log, "AccessDenied") {
			err = fmt.Errorf("its last line is %s", log)
		}
		return err
	})
	all, err := sandbox.Decisions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, d := range all {
		if d.Service != "s3" || d.Allowed || !strings.Contains(d.Caller, n.Name+"/") {
			continue
		}
		refused++
		if d.Reason != "policy-explicit-deny" || d.SourceIdentity != "CN=workload@"+n.Name {
			t.Errorf("refused: %+v", d)
		}
	}
	if refused == 0 {
		t.Error("no decision tells of a refusal")
	}
}
