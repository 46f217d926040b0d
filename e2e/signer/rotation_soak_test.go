//go:build soak

package signer

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	certs "k8s.io/api/certificates/v1beta1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/pki"
)

// readerPod is one of many pods that read an object every second.
const readerPod = `
apiVersion: v1
kind: Pod
metadata: {name: reader-%d, labels: {daypass.dev/inject: "true"}}
spec:
  serviceAccountName: %s
  restartPolicy: Never
  terminationGracePeriodSeconds: 1
  containers:
  - name: reader
    image: localhost/go-sdk:e2e
    env: [{name: EVERY, value: 1s}, {name: BUCKET, value: %s}]
    resources: {requests: {cpu: 1m}}
`

func readerOf(i int, bucket, account string) string {
	return fmt.Sprintf(readerPod, i, account, bucket)
}

const readers = 20

// TestTheRootIsChangedUnderReaders changes the root while 20 pods read from S3
// every second, with certificates of an hour that kubelets refresh as soon as
// Kubernetes lets them. No read fails, and in the end every pod presents a leaf
// below the new root.
func TestTheRootIsChangedUnderReaders(t *testing.T) {
	sandbox := kubetest.Sandbox(t)
	soon := "signer: {enabled: true, certificateLife: 1h, refreshAfter: 10m}\n"
	plain := func(a account) string { return strings.Replace(values(a), "signer: {enabled: true}\n", soon, 1) }
	r := install(t, plain(account{}))
	kubetest.Provide(t, sandbox, kubetest.GoSDK)
	n := kubetest.New(t)
	before := roots(n)
	a := newAccount(t, sandbox, before, n.Name, n.Name, "workload")
	r.Upgrade(plain(a))
	desk := newDesk(t, sandbox, n)
	n.Apply(fmt.Sprintf("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: workload, annotations: {daypass.dev/role-arn: %q}}\n", a.role))
	begin := time.Now()
	for i := range readers {
		reads(n, i, a.bucket, "workload")
	}
	healthy := func() error {
		phases := n.Kubectl("get", "pods", "--output=jsonpath={.items[*].status.phase}")
		if strings.Count(phases, "Running") != readers {
			for i := range readers {
				if log := n.Kubectl("logs", fmt.Sprintf("reader-%d", i), "--container=reader", "--tail=1"); !strings.HasPrefix(log, "read ") {
					return fmt.Errorf("reader-%d: %s", i, log)
				}
			}
			return errors.New(phases)
		}
		return nil
	}
	time.Sleep(30 * time.Second)
	if out, errs, code := desk.rotate(t, "--trust-anchor-arn", a.anchor); code != 0 {
		t.Fatalf("%d, %q, %q", code, out, errs)
	}
	changed := time.Now()
	anew := strings.TrimSuffix(roots(n), before)

	// Every pod is given a leaf below the new root, and AWS sees each of them: a
	// session is called after its leaf's serial number.
	serials, soonest := map[string]string{}, time.Duration(0)
	for end := time.Now().Add(30 * time.Minute); len(serials) < readers; time.Sleep(10 * time.Second) {
		if err := healthy(); err != nil {
			t.Fatalf("after %s: %v", time.Since(changed).Round(time.Second), err)
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d pods have a new leaf", len(serials), readers)
		}
		maps.Copy(serials, issued(t, n, anew))
		if soonest == 0 && len(serials) > 0 {
			soonest = time.Since(begin)
		}
	}
	t.Logf("all %d pods have a leaf below the new root %s after the change; the first had been refreshed %s after the first pod was made",
		readers, time.Since(changed).Round(time.Second), soonest.Round(time.Second))
	n.Eventually(15*time.Minute, "AWS seeing every new leaf", func() error {
		if err := healthy(); err != nil {
			t.Fatal(err)
		}
		all, err := sandbox.Decisions(t.Context())
		if err != nil {
			return err
		}
		seen := map[string]bool{}
		for _, d := range all {
			if _, session, ok := strings.Cut(d.Caller, n.Name+"/"); ok && d.Allowed && d.Service == "s3" {
				seen[session] = true
			}
		}
		for pod, serial := range serials {
			if !seen[serial] {
				time.Sleep(5 * time.Second) // the records are long
				return fmt.Errorf("%s not yet as %s", pod, serial)
			}
		}
		return nil
	})
	total := 0
	for i := range readers {
		var count int
		if _, err := fmt.Sscanf(n.Kubectl("logs", fmt.Sprintf("reader-%d", i), "--container=reader", "--tail=1"), "read %d", &count); err != nil {
			t.Error(err)
		}
		total += count
	}
	t.Logf("%d reads in %s, none failed", total, time.Since(begin).Round(time.Second))
}

// reads starts a reader, one after the other: the first session of a pod takes
// longer than its program waits where a machine starts many at once.
func reads(n *kubetest.Namespace, i int, bucket, account string) {
	name := fmt.Sprintf("reader-%d", i)
	n.Eventually(5*time.Minute, name, func() error {
		if phase, err := n.Try("get", "pod", name, "--ignore-not-found", "--output=jsonpath={.status.phase}"); err != nil {
			return err
		} else if phase == "Failed" || phase == "" {
			n.Kubectl("delete", "pod", name, "--ignore-not-found")
			n.Apply(readerOf(i, bucket, account))
		}
		log, err := n.Try("logs", name, "--container=reader", "--tail=1")
		if err == nil && !strings.HasPrefix(log, "read ") {
			err = errors.New(log)
		}
		return err
	})
}

// issued are the serial numbers of pods' newest leaves below this root, by pod.
func issued(t *testing.T, n *kubetest.Namespace, root string) map[string]string {
	t.Helper()
	var all certs.PodCertificateRequestList
	if err := as(t, n.Cluster, admin).List(t.Context(), &all, client.InNamespace(n.Name)); err != nil {
		t.Fatal(err)
	}
	serials, at := map[string]string{}, map[string]time.Time{}
	for _, r := range all.Items {
		if r.Status.CertificateChain == "" || r.CreationTimestamp.Time.Before(at[r.Spec.PodName]) {
			continue
		}
		chain, err := pki.ParseCertificates([]byte(r.Status.CertificateChain))
		if err != nil {
			t.Fatal(err)
		}
		if below(chain, root) == nil {
			serials[r.Spec.PodName], at[r.Spec.PodName] = pki.HexSerial(chain[0]), r.CreationTimestamp.Time
		}
	}
	return serials
}
