package addons_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/kube/kubetest"
)

//go:embed testdata/podcertificate.yaml
var podCertificate string

// TestKubeletAsksForAPodCertificate answers the kubelet's request by hand and
// finds the certificate in the pod.
func TestKubeletAsksForAPodCertificate(t *testing.T) {
	n := kubetest.New(t)
	n.Apply(podCertificate)
	var request struct {
		Metadata struct{ Name string }
		Spec     struct {
			SignerName, PodName, ServiceAccountName, NodeName string
			StubPKCS10Request                                 []byte
		}
	}
	n.Eventually(30*time.Second, "a PodCertificateRequest", func() error {
		text, err := n.Try("get", "podcertificaterequests", "--output=jsonpath={.items[0]}")
		if err != nil {
			return err
		}
		if text == "" {
			return errors.New("there is none")
		}
		return json.Unmarshal([]byte(text), &request)
	})
	s := request.Spec
	if s.SignerName != "daypass.dev/test" || s.PodName != "asks" || s.ServiceAccountName != "default" || !strings.HasPrefix(s.NodeName, "node") {
		t.Errorf("the request says %+v", s)
	}
	n.Kubectl("patch", "podcertificaterequests", request.Metadata.Name, "--subresource=status", "--type=merge",
		"--patch="+issued(t, s.StubPKCS10Request))
	n.Wait("pod/asks", "Ready", 2*time.Minute)
	if c := leaf(t, after(cat(t, n, "asks", "/certificate/bundle.pem"), "-----BEGIN CERTIFICATE")); c.Subject.CommonName != "asks" {
		t.Errorf("the pod's certificate is for %s", c.Subject)
	}
}

func after(text, mark string) string {
	i := strings.Index(text, mark)
	return text[max(i, 0):]
}

// issued signs a stub request and returns the status that says so. A pod's
// certificate must live for an hour at least and begin about now.
func issued(t *testing.T, stub []byte) string {
	t.Helper()
	csr, err := x509.ParseCertificateRequest(stub)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "asks"},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(2 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, ca, csr.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	status, err := json.Marshal(map[string]any{"status": map[string]any{
		"certificateChain": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		"notBefore":        c.NotBefore, "notAfter": c.NotAfter, "beginRefreshAt": now.Add(time.Hour),
		"conditions": []any{map[string]any{
			"type": "Issued", "status": "True", "reason": "ByHand", "message": "signed by a test", "lastTransitionTime": now,
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return string(status)
}
