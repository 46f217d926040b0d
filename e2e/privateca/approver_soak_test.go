//go:build soak

package privateca

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"

	"daypass.dev/e2e/kube/addons"
	"daypass.dev/e2e/kube/kubetest"
)

const approver = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: approver-NAMESPACE}
rules: [{apiGroups: [cert-manager.io], resources: [signers], resourceNames: ["awspcaclusterissuers.awspca.cert-manager.io/*"], verbs: [approve]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: approver-NAMESPACE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: approver-NAMESPACE}
subjects: [{kind: ServiceAccount, name: cert-manager-approver-policy, namespace: cert-manager}]
---
apiVersion: awspca.cert-manager.io/v1beta1
kind: AWSPCAClusterIssuer
metadata: {name: iamra-cm-issuer}
spec: {arn: "ARN"}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
`

// TestThePolicyApprovesOwnNamesAlone: approver-policy, with the policy of the
// first walkthrough, denies each request that says another name than that of
// who asks, and Private CA hears of none of them.
func TestThePolicyApprovesOwnNamesAlone(t *testing.T) {
	page, err := os.ReadFile("../../docs/walkthroughs/01-kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(page), "```yaml file=policy-workloads.yaml\n")
	policy, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("the walkthrough has no policy-workloads.yaml")
	}
	s, ca := newCA(t, &failing{}, "")
	kubetest.Addon(t, addons.ApproverPolicy)
	r := newRig(t, s.Env())
	r.Apply(strings.NewReplacer("NAMESPACE", r.Name, "ARN", ca).Replace(approver))
	r.Apply(policy)
	t.Cleanup(func() {
		for _, what := range []string{"clusterrole/approver-" + r.Name, "clusterrolebinding/approver-" + r.Name, "awspcaclusterissuer/iamra-cm-issuer",
			"certificaterequestpolicy/workloads", "clusterrole/certificates-for-workloads", "clusterrolebinding/certificates-for-workloads"} {
			if _, err := r.Try("delete", what, "--ignore-not-found"); err != nil {
				t.Log(err)
			}
		}
	})
	r.ready("awspcaclusterissuer/iamra-cm-issuer")
	own, others := "spiffe://demo.example.org/ns/"+r.Name+"/sa/web", "spiffe://demo.example.org/ns/shop/sa/web"
	for name, row := range map[string]struct {
		cn     string
		uris   []string
		denied string // empty: issued
	}{
		"own":          {"web@" + r.Name, []string{own}, ""},
		"another-name": {"web@shop", []string{own}, "the common name is not SERVICEACCOUNT@NAMESPACE of who asks"},
		"another-uri":  {"web@" + r.Name, []string{others}, "the URI is not that of who asks"},
		"two-uris":     {"web@" + r.Name, []string{own, others}, "the URI is not that of who asks"},
		"no-uri":       {"web@" + r.Name, nil, "uris"},
	} {
		template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: row.cn}}
		for _, text := range row.uris {
			u, err := url.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			template.URIs = append(template.URIs, u)
		}
		manifest := fmt.Sprintf(`{"apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest", "metadata": {"name": %q}, "spec": {"duration": "1h", "usages": ["client auth", "server auth"],
			"issuerRef": {"group": "awspca.cert-manager.io", "kind": "AWSPCAClusterIssuer", "name": "iamra-cm-issuer"}, "request": %q}}`, name, base64.StdEncoding.EncodeToString(csr(t, template)))
		out, err := r.Cluster.Kubectl(t.Context(), bytes.NewReader([]byte(manifest)), "--namespace="+r.Name, "--as=system:serviceaccount:"+r.Name+":web",
			"--as-group=system:serviceaccounts", "--as-group=system:authenticated", "create", "--filename=-")
		if err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		r.Eventually(time.Minute, name, func() error {
			cr := r.get(name)
			said := ""
			for _, c := range cr.Status.Conditions {
				said += fmt.Sprintf("%s %s: %s; ", c.Type, c.Status, c.Message)
			}
			issued := readyReason(cr) == cmapi.CertificateRequestReasonIssued
			if row.denied == "" && issued || row.denied != "" && !issued && strings.Contains(said, "Denied True: ") && strings.Contains(said, row.denied) {
				return nil
			}
			return errors.New(said)
		})
	}
	asked := 0
	for _, d := range s.Decisions() {
		if d.Operation == "IssueCertificate" {
			asked++
		}
	}
	if n := issued(s, ca); n != 1 || asked != 2 { // the CA's own among them
		t.Errorf("%d leaves are issued, and Private CA was asked %d times", n, asked)
	}
}
