package addons_test

import (
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/kube/addons"
	"daypass.dev/e2e/kube/kubetest"
)

var (
	//go:embed testdata/issuer.yaml
	issuer string
	//go:embed testdata/by-secret.yaml
	bySecret string
	//go:embed testdata/by-csi.yaml
	byCSI string
	//go:embed testdata/outside.yaml
	outside string
	//go:embed testdata/store.yaml
	store string
	//go:embed testdata/kwok.yaml
	played string
)

// namespace has an issuer of its own, and a policy for what may be asked of it.
func namespace(t *testing.T) *kubetest.Namespace {
	t.Helper()
	kubetest.Need(t)
	kubetest.Addon(t, addons.ApproverPolicy)
	n := kubetest.New(t)
	n.Apply(strings.ReplaceAll(issuer, "TESTNS", n.Name))
	t.Cleanup(func() {
		if _, err := n.Try("delete", "certificaterequestpolicy,clusterrole", "--selector=test="+n.Name); err != nil {
			t.Log(err)
		}
	})
	n.Wait("certificate/ca", "Ready", time.Minute)
	return n
}

// leaf reads the first certificate of a PEM text.
func leaf(t *testing.T, text string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("no certificate in %q", text)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func cat(t *testing.T, n *kubetest.Namespace, pod, file string) string {
	t.Helper()
	out, err := n.Exec(pod, "shell", "cat", file)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCertManagerBySecret(t *testing.T) {
	n := namespace(t)
	n.Apply(bySecret)
	n.Wait("certificate/workload", "Ready", time.Minute)
	n.Wait("pod/by-secret", "Ready", time.Minute)
	c := leaf(t, cat(t, n, "by-secret", "/certificate/tls.crt"))
	if c.Subject.CommonName != "workload" || c.Issuer.CommonName != "test-ca" {
		t.Errorf("the pod's certificate is for %s, by %s", c.Subject, c.Issuer)
	}
	bad := `{"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "bad"}, "spec": {"secretName": "bad", "issuerRef": {"name": "ca"}}}`
	if err := n.TryApply(bad); err == nil || !strings.Contains(err.Error(), "admission webhook") {
		t.Errorf("the webhook lets a certificate for nobody pass: %v", err)
	}
}

func TestCertManagerByStandIn(t *testing.T) {
	kubetest.Need(t)
	kubetest.Addon(t, addons.CSIStandIn)
	n := namespace(t)
	n.Apply(byCSI)
	n.Wait("pod/by-csi", "Ready", 90*time.Second)
	c := leaf(t, cat(t, n, "by-csi", "/iamra/chain.pem"))
	if c.Subject.CommonName != "workload" || c.Issuer.CommonName != "test-ca" {
		t.Errorf("the pod's certificate is for %s, by %s", c.Subject, c.Issuer)
	}
	if len(c.URIs) != 1 || c.URIs[0].String() != "spiffe://test/ns/"+n.Name+"/sa/default" {
		t.Errorf("its URIs are %v", c.URIs)
	}
	if life := c.NotAfter.Sub(c.NotBefore); life < time.Hour || life > 65*time.Minute {
		t.Errorf("it lives for %s", life)
	}
	if key := cat(t, n, "by-csi", "/iamra/tls.key"); !strings.Contains(key, "BEGIN PRIVATE KEY") {
		t.Errorf("the key is not in PKCS#8")
	}
	who := n.Kubectl("get", "certificaterequests", "--output=jsonpath={.items[*].spec.username}")
	if !strings.Contains(who, "system:serviceaccount:"+n.Name+":default") {
		t.Errorf("requests were made by %s, none as the pod's ServiceAccount", who)
	}
}

func TestApproverPolicyDenies(t *testing.T) {
	kubetest.Need(t)
	kubetest.Addon(t, addons.CSIStandIn)
	n := namespace(t)
	n.Apply(outside)
	n.Eventually(90*time.Second, "a denied request", func() error {
		text, err := n.Try("get", "certificaterequests", `--output=jsonpath={.items[*].status.conditions[?(@.type=="Denied")].message}`)
		if err == nil && !strings.Contains(text, "commonName") {
			err = fmt.Errorf("conditions Denied say %q", text)
		}
		return err
	})
	n.Eventually(time.Minute, "an event on the pod", func() error {
		text, err := n.Try("get", "events", "--field-selector=involvedObject.name=outside", "--output=jsonpath={.items[*].message}")
		if err == nil && !strings.Contains(text, "No policy approved this request") {
			err = fmt.Errorf("events say %q", text)
		}
		return err
	})
	if phase := n.Kubectl("get", "pod", "outside", "--output=jsonpath={.status.phase}"); phase != "Pending" {
		t.Errorf("the pod is %s", phase)
	}
}

func TestSecretsStoreMounts(t *testing.T) {
	kubetest.Need(t)
	kubetest.Addon(t, addons.SecretsStore)
	n := kubetest.New(t)
	n.Apply(store)
	n.Wait("pod/store", "Ready", time.Minute)
	for file, want := range map[string]string{"one": "first secret", "two": "second secret"} {
		if got := cat(t, n, "store", "/secrets/"+file); got != want {
			t.Errorf("%s holds %q", file, got)
		}
	}
}

func TestKwokPlaysANode(t *testing.T) {
	kubetest.Need(t)
	kubetest.Addon(t, addons.Kwok)
	n := kubetest.New(t)
	name := "played-" + n.Name
	n.Apply(strings.ReplaceAll(played, "NODE", name))
	t.Cleanup(func() {
		if _, err := n.Try("delete", "node", name); err != nil {
			t.Error(err)
		}
	})
	n.Wait("node/"+name, "Ready", time.Minute)
	n.Wait("pod/played", "Ready", time.Minute)
}
