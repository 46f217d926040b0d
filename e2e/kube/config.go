package kube

import (
	"bytes"
	"crypto/x509/pkix"
	"embed"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
)

//go:embed config
var configFiles embed.FS

// write renders one of the configuration files into file.
func render(name, file string, data any) error {
	t, err := template.ParseFS(configFiles, "config/"+name)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := t.Execute(&text, data); err != nil {
		return err
	}
	return os.WriteFile(file, text.Bytes(), 0o600)
}

// kubeconfig issues a client certificate and writes a kubeconfig around it that
// needs no other file.
func (a *authority) kubeconfig(file, name string, subject pkix.Name) error {
	if err := a.issue(name, subject); err != nil {
		return err
	}
	data := map[string]string{"API": apiAddress}
	for key, from := range map[string]string{"CA": "ca.crt", "Certificate": name + ".crt", "Key": name + ".key"} {
		text, err := os.ReadFile(a.file(from))
		if err != nil {
			return err
		}
		data[key] = base64.StdEncoding.EncodeToString(text)
	}
	return render("kubeconfig.yaml", file, data)
}

// configure writes all that the node's programs read.
func (n *Node) configure(a *authority, gates []string) error {
	for _, dir := range []string{"opt", "cni", "logs", "kubelet", "log"} {
		if err := os.MkdirAll(filepath.Join(n.dir, dir), 0o755); err != nil {
			return err
		}
	}
	identity := pkix.Name{CommonName: "system:node:" + n.Name, Organization: []string{"system:nodes"}}
	if err := a.issue(n.Name+"-server", identity, n.Name, n.address(), "127.0.0.1"); err != nil {
		return err
	}
	if err := a.kubeconfig(n.file("kubelet.conf"), n.Name+"-kubelet", identity); err != nil {
		return err
	}
	if err := a.kubeconfig(n.file("proxy.conf"), n.Name+"-proxy", pkix.Name{CommonName: "system:kube-proxy"}); err != nil {
		return err
	}
	resolv := fmt.Sprintf("nameserver %s\noptions timeout:1 attempts:3\n", dnsAddress)
	if err := os.WriteFile(n.file("resolv.conf"), []byte(resolv), 0o644); err != nil {
		return err
	}
	data := map[string]any{
		"Name": n.Name, "Dir": n.dir, "PKI": a.dir, "Socket": socket, "Cgroup": n.cgroup(), "Gates": gates,
		"DNS": dnsAddress, "Pause": pauseImage, "Pods": n.pods(), "Gateway": n.gateway(), "AllPods": podNetwork,
	}
	for name, file := range map[string]string{
		"kubelet.yaml": "kubelet.yaml", "containerd.toml": "containerd.toml",
		"network.conflist": "cni/10-pods.conflist", "proxy.yaml": "proxy.yaml",
	} {
		if err := render(name, n.file(file), data); err != nil {
			return fmt.Errorf("writing %s: %w", file, err)
		}
	}
	return nil
}
