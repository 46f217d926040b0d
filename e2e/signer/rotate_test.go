package signer

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	certs "k8s.io/api/certificates/v1beta1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/e2e/stage"
	"daypass.dev/exchange"
	"daypass.dev/pki"
	"daypass.dev/proof"
)

// A desk is an operator's, which reaches cluster and AWS.
type desk struct {
	program, ca string
	sandbox     *kubetest.AWS
	n           *kubetest.Namespace
}

func newDesk(t *testing.T, sandbox *kubetest.AWS, n *kubetest.Namespace) *desk {
	t.Helper()
	d := &desk{stage.Binary(t, "daypassctl"), filepath.Join(t.TempDir(), "ca.pem"), sandbox, n}
	if err := os.WriteFile(d.ca, sandbox.CA, 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

// rotate runs daypassctl pki rotate.
func (d *desk) rotate(t *testing.T, flags ...string) (stdout, stderr string, code int) {
	t.Helper()
	return d.run(t, append([]string{"pki", "rotate"}, flags...)...)
}

// run runs daypassctl as the operator.
func (d *desk) run(t *testing.T, command ...string) (stdout, stderr string, code int) {
	t.Helper()
	within, err := d.n.Cluster.Within(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := d.sandbox.Config().Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	args := append(append(within[1:], d.program), command...)
	cmd := exec.CommandContext(t.Context(), within[0], args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+d.n.Cluster.Kubeconfig(), "AWS_CA_BUNDLE="+d.ca,
		"AWS_ACCESS_KEY_ID="+keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+keys.SecretAccessKey)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// session asks AWS for credentials by a pod's certificate.
func session(t *testing.T, sandbox *kubetest.AWS, a account, chain string, key crypto.Signer) error {
	t.Helper()
	all, err := pki.ParseCertificates([]byte(chain))
	if err != nil {
		t.Fatal(err)
	}
	source := &exchange.RolesAnywhere{
		Key: fixed{&proof.Key{Signer: key, Leaf: all[0], Chain: all[1:]}}, RoleARN: a.role, TrustAnchorARN: a.anchor, ProfileARN: a.profile,
		Client: sandbox.Config().HTTPClient.(*http.Client),
	}
	_, err = source.Credentials(t.Context())
	return err
}

// rootChanged: by one command, with AWS's trust anchor and running pods
// in mind: leaves of both roots are good until the old root's have ended.
func rootChanged(t *testing.T, sandbox *kubetest.AWS, r *kubetest.Release) {
	n := kubetest.New(t)
	a := newAccount(t, sandbox, roots(n), n.Name, n.Name, "here")
	desk := newDesk(t, sandbox, n)
	node1, root := as(t, n.Cluster, kubelet1), as(t, n.Cluster, admin)
	pod := bound(t, n, "node1", "here")
	leaf := func() (string, crypto.Signer) {
		key := p256(t)
		request := asking(t, root, pod, key)
		if err := node1.Create(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		if c := answered(t, root, request); c.Type != "Issued" {
			t.Fatal(c.Message)
		}
		return request.Status.CertificateChain, key
	}
	before := roots(n)
	oldChain, oldKey := leaf()
	if err := session(t, sandbox, a, oldChain, oldKey); err != nil {
		t.Fatal(err)
	}

	if out, errs, code := desk.rotate(t, "--finish", "--trust-anchor-arn", a.anchor); code != 0 || !strings.Contains(out, "daypass root ") {
		t.Errorf("--finish with nothing to finish: %d, %q, %q", code, out, errs)
	}
	out, errs, code := desk.rotate(t) // no trust anchor is named: both are printed, nothing signs by the new one
	if code != 0 || strings.Count(out, "BEGIN CERTIFICATE") != 2 || !strings.HasPrefix(out, before) || strings.Contains(out, "PRIVATE") || !strings.Contains(errs, "--trusted") {
		t.Fatalf("%d, %q, %q", code, out, errs)
	}
	if early, key := leaf(); session(t, sandbox, a, early, key) != nil {
		t.Error("the new root signs before it is trusted")
	}
	if _, errs, code := desk.rotate(t, "--finish", "--trust-anchor-arn", a.anchor); code != 3 {
		t.Errorf("--finish in the midst of it: %d, %s", code, errs)
	}
	both := out
	if out, errs, code = desk.rotate(t, "--trust-anchor-arn", a.anchor); code != 0 || !strings.Contains(out, "trusted until") {
		t.Fatalf("%d, %q, %q", code, out, errs)
	}
	if now := roots(n); strings.Count(now, "BEGIN") != 2 || !strings.HasSuffix(both, strings.TrimSuffix(now, before)) {
		t.Errorf("the bundle has %q", now)
	}
	n.Eventually(30*time.Second, "a leaf below the new root", func() error {
		chain, key := leaf()
		if err := session(t, sandbox, a, chain, key); err != nil {
			t.Fatalf("in the midst of the change: %v", err)
		}
		all, err := pki.ParseCertificates([]byte(chain))
		if err != nil {
			t.Fatal(err)
		}
		return below(all, strings.TrimSuffix(roots(n), before))
	})
	if err := session(t, sandbox, a, oldChain, oldKey); err != nil {
		t.Errorf("the old root's leaf: %v", err)
	}
	if _, errs, code = desk.rotate(t, "--trust-anchor-arn", a.anchor); code != 3 || !strings.Contains(errs, "live until") {
		t.Errorf("a third root: %d, %q", code, errs)
	}
	if _, errs, code = desk.rotate(t, "--finish", "--trust-anchor-arn", a.anchor); code != 3 || !strings.Contains(errs, "live until") {
		t.Errorf("--finish too soon: %d, %q", code, errs)
	}
	ended(t, r, root, n)
	if now := roots(n); strings.Count(now, "BEGIN") != 1 || now == before {
		t.Errorf("the bundle has %q", now)
	}
	if out, errs, code = desk.rotate(t, "--finish", "--trust-anchor-arn", a.anchor, "-o", "json"); code != 0 || !strings.Contains(out, `"current"`) || strings.Contains(out, `"old"`) {
		t.Errorf("--finish: %d, %q, %q", code, out, errs)
	}
	if err := session(t, sandbox, a, oldChain, oldKey); err == nil {
		t.Error("the old root is still trusted")
	}
	if chain, key := leaf(); session(t, sandbox, a, chain, key) != nil {
		t.Error("the new root is not trusted")
	}
}

// ended plays the end of the old root's last leaf: nothing is left of the
// leaves, and the time that the Secret tells is past.
func ended(t *testing.T, r *kubetest.Release, root client.Client, n *kubetest.Namespace) {
	t.Helper()
	past := "daypass.dev/old-root-until=" + time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
	r.Kubectl("annotate", "secret", "daypass-signer-root", "--overwrite", past)
	n.Eventually(30*time.Second, "leaves that live longer keeping their root", func() error {
		until := r.Kubectl("get", "secret", "daypass-signer-root", `--output=jsonpath={.metadata.annotations.daypass\.dev/old-root-until}`)
		if at, err := time.Parse(time.RFC3339, until); err != nil || at.Before(time.Now()) {
			return fmt.Errorf("%q: %w", until, err)
		}
		return nil
	})
	var all certs.PodCertificateRequestList // of all tests before
	if err := root.List(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for i := range all.Items {
		if err := client.IgnoreNotFound(root.Delete(t.Context(), &all.Items[i])); err != nil {
			t.Fatal(err)
		}
	}
	r.Kubectl("rollout", "restart", "deployment/daypass-signer")
	r.Kubectl("rollout", "status", "deployment/daypass-signer", "--timeout=2m")
	r.Kubectl("annotate", "secret", "daypass-signer-root", "--overwrite", past)
	n.Eventually(time.Minute, "the old root being forgotten", func() error {
		if keys := r.Kubectl("get", "secret", "daypass-signer-root", `--output=go-template={{range $k, $v := .data}}{{$k}} {{end}}`); keys != "root.pem trust.pem " {
			return errors.New(keys)
		}
		return nil
	})
}

// below is nil if the chain goes back to this root alone.
func below(chain []*x509.Certificate, root string) error {
	anchors, middle := x509.NewCertPool(), x509.NewCertPool()
	anchors.AppendCertsFromPEM([]byte(root))
	for _, c := range chain[1:] {
		middle.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: anchors, Intermediates: middle, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err
}

type fixed struct{ key *proof.Key }

func (f fixed) Key(context.Context) (*proof.Key, error) { return f.key, nil }
