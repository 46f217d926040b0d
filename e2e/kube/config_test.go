package kube

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// configured is a cluster whose files are written and nothing started.
func configured(t *testing.T) (*Cluster, *authority) {
	t.Helper()
	c := &Cluster{Dir: filepath.Join(t.TempDir(), "cluster"), Cache: t.TempDir(), Nodes: 2}
	a, err := c.secure()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range c.nodes() {
		if err := n.configure(a, gates); err != nil {
			t.Fatal(err)
		}
	}
	return c, a
}

func parsed(t *testing.T, file string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := yaml.Unmarshal(text, &object); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return object
}

func TestNodesShareNothingThatHasNoNamespace(t *testing.T) {
	c, _ := configured(t)
	seen := map[string]string{}
	for _, n := range c.nodes() {
		kubelet := parsed(t, n.file("kubelet.yaml"))
		network, err := os.ReadFile(n.file("cni/10-pods.conflist"))
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(network) || !strings.Contains(string(network), n.pods()) {
			t.Errorf("%s: the pods' network is %s", n.Name, network)
		}
		if gates := kubelet["featureGates"].(map[string]any); gates["PodCertificateRequest"] != true {
			t.Errorf("%s: feature gates are %v", n.Name, gates)
		}
		for _, own := range []any{kubelet["cgroupRoot"], kubelet["podLogsDir"], n.pods(), n.address(), n.mark()} {
			text := own.(string)
			if text == "" || seen[text] != "" {
				t.Errorf("%q belongs to %s and to %s", text, seen[text], n.Name)
			}
			seen[text] = n.Name
		}
		if !strings.HasPrefix(kubelet["cgroupRoot"].(string), "/"+c.CgroupPrefix()) {
			t.Errorf("%s: control groups under %s", n.Name, kubelet["cgroupRoot"])
		}
	}
	other := &Cluster{Dir: c.Dir + "2"}
	if other.CgroupPrefix() == c.CgroupPrefix() {
		t.Error("two clusters share their control groups")
	}
}

func TestEveryKubeconfigBringsACertificateOfTheCluster(t *testing.T) {
	c, a := configured(t)
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	files := map[string]string{
		c.Kubeconfig(): "admin", c.file("scheduler.conf"): "system:kube-scheduler",
		c.file("controller-manager.conf"): "system:kube-controller-manager",
		c.node(2).file("kubelet.conf"):    "system:node:node2", c.node(1).file("proxy.conf"): "system:kube-proxy",
	}
	for file, name := range files {
		users := parsed(t, file)["users"].([]any)
		user := users[0].(map[string]any)["user"].(map[string]any)
		text, err := base64.StdEncoding.DecodeString(user["client-certificate-data"].(string))
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		leaf, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if leaf.Subject.CommonName != name {
			t.Errorf("%s is for %s, want %s", file, leaf.Subject.CommonName, name)
		}
	}
}

func TestAnUnknownVersionIsRefused(t *testing.T) {
	c := &Cluster{Version: "1.2.3"}
	if _, err := c.program("kube"); err == nil || !strings.Contains(err.Error(), Versions[0]) {
		t.Errorf("the error is %v", err)
	}
	for _, v := range Versions[1:] {
		if _, err := os.Stat(filepath.Join("../cluster", "kubernetes-"+v+".mod")); err != nil {
			t.Error(err)
		}
	}
}

func TestOnlyTheFirstOfANamespaceIsANode(t *testing.T) {
	// This process is first of nothing, whatever its arguments.
	if found, err := first("no-such-mark"); err != nil || len(found) != 0 {
		t.Errorf("found %v, %v", found, err)
	}
	status := filepath.Join(t.TempDir(), "status")
	for text, want := range map[string]bool{
		"Name:\tx\nNSpid:\t4711\t1\n": true, "NSpid:\t4711\t2\n": false, "NSpid:\t1\n": false, "": false,
	} {
		if err := os.WriteFile(status, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := firstOfNamespace(status); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
