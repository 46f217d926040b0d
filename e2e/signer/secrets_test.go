package signer

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/pki"
)

const holder = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: holder}
---
apiVersion: v1
kind: Pod
metadata: {name: holder}
spec:
  serviceAccountName: holder
  terminationGracePeriodSeconds: 0
  containers:
  - {name: shell, image: "IMAGE", args: ["-c", "sleep 3600"], volumeMounts: [{name: certificate, mountPath: /certificate}]}
  volumes:
  - name: certificate
    projected: {sources: [{podCertificate: {signerName: daypass.dev/workload, keyType: ECDSAP256, credentialBundlePath: bundle.pem}}]}
`

// spellings are the ways in which a key could lie about: its PEM's lines, its
// DER, and the number itself, plain, in hex and in base64.
func spellings(t *testing.T, text []byte) [][]byte {
	t.Helper()
	key, err := pki.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	number, err := key.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	canonical, err := pki.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(canonical)
	lines := bytes.Split(bytes.TrimSpace(canonical), []byte("\n"))
	return [][]byte{
		number, []byte(hex.EncodeToString(number)), []byte(base64.StdEncoding.EncodeToString(number)),
		block.Bytes, lines[1], []byte(base64.StdEncoding.EncodeToString(canonical)[60:120]),
	}
}

// noKeyIsKept: a pod's key is in its volume and nowhere else: not in etcd's
// data, in no log. The root's key, which lies in a Secret, is found by the same
// search in etcd, and in no log.
func noKeyIsKept(t *testing.T, r *kubetest.Release) {
	n := kubetest.New(t)
	n.Apply(strings.ReplaceAll(holder, "IMAGE", kube.BusyboxImage))
	n.Wait("pod/holder", "Ready", 2*time.Minute)
	bundle, err := n.Exec("holder", "shell", "cat", "/certificate/bundle.pem")
	if err != nil {
		t.Fatal(err)
	}
	root := r.Kubectl("get", "secret", "daypass-signer-root", `--output=go-template={{index .data "root.pem" | base64decode}}`)
	pod, rootKey := spellings(t, []byte(bundle)), spellings(t, []byte(root))

	etcd := files(t, n, "etcd", "/run/etcd")
	n.Eventually(10*time.Second, "etcd's data having the pod", func() error {
		if found(etcd(), []byte(n.Name)) == "" {
			return fmt.Errorf("namespace %s is nowhere", n.Name)
		}
		return nil
	})
	data := etcd()
	control := false
	for _, s := range rootKey {
		control = control || found(data, s) != ""
	}
	if !control {
		t.Error("the search does not find the root's key, which is there: it proves nothing")
	}
	logs := map[string][]byte{}
	for _, file := range n.Cluster.Logs() {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		logs[file] = text
	}
	logs["the signer's"] = []byte(r.Kubectl("logs", "--selector=app.kubernetes.io/component=signer", "--tail=-1", "--prefix"))
	if len(logs) < 5 || len(logs["the signer's"]) == 0 {
		t.Fatalf("%d logs", len(logs))
	}
	for i, s := range pod {
		if where := found(data, s); where != "" {
			t.Errorf("the pod's key, spelling %d, is in %s", i, where)
		}
	}
	for i, s := range append(pod, rootKey...) {
		if where := found(logs, s); where != "" {
			t.Errorf("a key, spelling %d, is in the log %s", i, where)
		}
	}
}

func found(in map[string][]byte, what []byte) string {
	for name, text := range in {
		if bytes.Contains(text, what) {
			return name
		}
	}
	return ""
}

// files reads a folder as a program of the cluster sees it: found by the
// program's name among the children of the node's first process.
func files(t *testing.T, n *kubetest.Namespace, program, dir string) func() map[string][]byte {
	t.Helper()
	within, err := n.Cluster.Command(t.Context(), "true")
	if err != nil {
		t.Fatal(err)
	}
	first := within.Args[2] // nsenter --target PID
	base := filepath.Join("/proc", first, "root", dir)
	if _, err := os.Stat(base); err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	return func() map[string][]byte {
		all := map[string][]byte{}
		err := filepath.WalkDir(base, func(path string, d os.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			all[path], err = os.ReadFile(path)
			return err
		})
		if err != nil || len(all) < 2 {
			t.Fatalf("%d files in %s: %v", len(all), base, err)
		}
		return all
	}
}

// stolen: what somebody with the signer's token can do, and cannot.
func stolen(t *testing.T, r *kubetest.Release) {
	for _, row := range []struct {
		verb, group, resource, namespace, name string
		want                                   bool
	}{
		{"sign", "certificates.k8s.io", "signers", "", "daypass.dev/workload", true},
		{"approve", "certificates.k8s.io", "signers", "", "daypass.dev/workload", true},
		{"sign", "certificates.k8s.io", "signers", "", "kubernetes.io/kube-apiserver-client", false},
		{"approve", "certificates.k8s.io", "signers", "", "kubernetes.io/kube-apiserver-client", false},
		{"update", "certificates.k8s.io", "podcertificaterequests/status", "shop", "", true},
		{"create", "certificates.k8s.io", "podcertificaterequests", "shop", "", false},
		{"create", "certificates.k8s.io", "certificatesigningrequests", "", "", false},
		{"update", "certificates.k8s.io", "clustertrustbundles", "", "daypass.dev:workload:roots", true},
		{"update", "certificates.k8s.io", "clustertrustbundles", "", "other", false},
		{"get", "", "secrets", kubetest.ChartNamespace, "daypass-signer-root", true},
		{"get", "", "secrets", kubetest.ChartNamespace, "other", false},
		{"list", "", "secrets", kubetest.ChartNamespace, "", false},
		{"get", "", "secrets", "shop", "daypass-signer-root", false},
		{"create", "", "secrets", kubetest.ChartNamespace, "", false},
		{"create", "", "serviceaccounts/token", kubetest.ChartNamespace, "", false},
		{"create", "", "pods", "shop", "", false},
		{"create", "", "pods/exec", "shop", "", false},
		{"update", "", "nodes", "", "node1", false},
		{"impersonate", "", "serviceaccounts", "shop", "", false},
		{"update", "rbac.authorization.k8s.io", "clusterroles", "", "daypass-signer", false},
		{"update", "admissionregistration.k8s.io", "validatingadmissionpolicies", "", "daypass-signer", false},
	} {
		resource, sub, _ := strings.Cut(row.resource, "/")
		review, err := json.Marshal(map[string]any{
			"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
			"spec": map[string]any{
				"user":   "system:serviceaccount:" + kubetest.ChartNamespace + ":daypass-signer",
				"groups": []string{"system:serviceaccounts", "system:authenticated"},
				"resourceAttributes": map[string]string{
					"verb": row.verb, "group": row.group, "resource": resource, "subresource": sub, "namespace": row.namespace, "name": row.name,
				},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := r.Cluster.Kubectl(t.Context(), bytes.NewReader(review), "create", "--filename=-", "--output=jsonpath={.status.allowed}")
		if err != nil || out != fmt.Sprint(row.want) {
			t.Errorf("%s %s %s %s in %q: %q, %v; want %v", row.verb, row.group, row.resource, row.name, row.namespace, out, err, row.want)
		}
	}
}
