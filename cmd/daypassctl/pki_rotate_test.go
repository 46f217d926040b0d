package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"daypass.dev/kube/signer"
	"daypass.dev/pki"
)

func newRoot(t *testing.T, cluster string) (root pki.CA, stored []byte) {
	t.Helper()
	key, err := pki.NewKey("ec-p256")
	if err != nil {
		t.Fatal(err)
	}
	if root, err = signer.NewRoot(key, cluster, time.Now()); err != nil {
		t.Fatal(err)
	}
	private, err := pki.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return root, append(pki.EncodeCertificate(root.Certificate), private...)
}

// --trusted says that somebody has put a root into trust: where none was made,
// as when a command of last month is given again, nothing is changed. The API
// server is a stand-in that holds the signer's Secret.
func TestRotateTrustedWithoutANextRoot(t *testing.T) {
	_, stored := newRoot(t, "prod")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			body, _ := io.ReadAll(r.Body)
			t.Errorf("%s %s", r.Method, body)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(corev1.Secret{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
			ObjectMeta: metav1.ObjectMeta{Namespace: "daypass", Name: "daypass-signer-root"},
			Data:       map[string][]byte{"root.pem": stored},
		})
	}))
	defer server.Close()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	err := os.WriteFile(kubeconfig, []byte(`{"apiVersion":"v1","kind":"Config","clusters":[{"name":"c","cluster":{"server":"`+server.URL+
		`"}}],"contexts":[{"name":"c","context":{"cluster":"c","user":""}}],"current-context":"c"}`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	s := rotateSettings{secret: "daypass/daypass-signer-root", kubeconfig: kubeconfig, trusted: true}
	if err := s.run(t.Context(), &pkiOptions{output: "table"}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "no next root") {
		t.Errorf("rotated: %v", err)
	}
}

// What a trust anchor holds is replaced only where it is the signer's own.
func TestReplaceableTrustAnchor(t *testing.T) {
	present, _ := newRoot(t, "prod")
	former, _ := newRoot(t, "prod")
	foreign, _ := newRoot(t, "shop")
	for name, row := range map[string]struct {
		there []pki.CA
		want  string
	}{
		"its own":           {[]pki.CA{present}, ""},
		"with a former one": {[]pki.CA{former, present}, ""},
		"another cluster's": {[]pki.CA{foreign}, "too"},
		"shared":            {[]pki.CA{present, foreign}, "too"},
		"former ones alone": {[]pki.CA{former}, "does not trust"},
		"empty":             {nil, "no PEM block"},
	} {
		var bundle strings.Builder
		for _, ca := range row.there {
			bundle.Write(pki.EncodeCertificate(ca.Certificate))
		}
		err := replaceable(&types.Source{SourceData: &types.SourceDataMemberX509CertificateData{Value: bundle.String()}}, present.Certificate)
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ca := &types.Source{SourceType: types.TrustAnchorTypeAwsAcmPca, SourceData: &types.SourceDataMemberAcmPcaArn{Value: "arn"}}
	if err := replaceable(ca, present.Certificate); err == nil {
		t.Error("a trust anchor of AWS Private CA may be replaced")
	}
}
