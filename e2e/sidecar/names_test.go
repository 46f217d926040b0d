package sidecar

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/kubetest"
)

// names are hosts of AWS's as its SDKs make them.
var names = []string{
	"sts.us-east-1.amazonaws.com", "sts.amazonaws.com", "iam.amazonaws.com", "s3.eu-west-1.amazonaws.com",
	"some-bucket.s3.eu-west-1.amazonaws.com", "a.dotted.bucket.s3.us-east-1.amazonaws.com",
	"rolesanywhere.eu-central-1.amazonaws.com", "secretsmanager.us-east-1.amazonaws.com",
	"ssm.us-east-1.amazonaws.com", "kms.us-east-1.amazonaws.com", "acm-pca.us-east-1.amazonaws.com",
	"sts-fips.us-east-1.amazonaws.com",
}

func TestDNSAnswersForAWS(t *testing.T) {
	n := kubetest.New(t)
	n.Apply(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "asks"}, "spec": {"terminationGracePeriodSeconds": 1,
		"containers": [{"name": "shell", "image": "` + kube.BusyboxImage + `", "args": ["-c", "sleep 3600"]}]}}`)
	n.Wait("pod/asks", "Ready", time.Minute)
	for _, name := range names {
		out, err := n.Exec("asks", "shell", "nslookup", "-type=a", name+".")
		if err != nil || !strings.Contains(out, "Address: "+kube.AWSAddress) {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
	if out, err := n.Exec("asks", "shell", "nslookup", "-type=a", "example.org."); err == nil {
		t.Errorf("example.org has an answer in a cluster without a way out: %s", out)
	}
}

// TestAnybodyReadsTheIssuersKeys reads discovery document and keys without
// credentials from the cluster's network, as the sandbox does.
func TestAnybodyReadsTheIssuersKeys(t *testing.T) {
	c := kubetest.Cluster(t)
	ca, err := os.ReadFile(filepath.Join(c.Dir, "pki", "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return c.Dial(ctx, network, "10.96.0.1:443") // the Service kubernetes, by which pods know it
		},
	}}
	var discovery struct {
		Issuer string
		JWKS   string `json:"jwks_uri"`
	}
	var keys struct{ Keys []struct{ Kid, Alg string } }
	get(t, client, kube.Issuer+"/.well-known/openid-configuration", &discovery)
	if discovery.Issuer != kube.Issuer || !strings.HasPrefix(discovery.JWKS, kube.Issuer+"/") {
		t.Fatalf("the discovery document says %+v", discovery)
	}
	get(t, client, discovery.JWKS, &keys)
	if len(keys.Keys) != 1 || keys.Keys[0].Alg != "RS256" {
		t.Errorf("the keys are %+v", keys)
	}
}

func get(t *testing.T, client *http.Client, url string, into any) {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s", url, response.Status, text)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}
