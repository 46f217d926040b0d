package kube

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"text/template"
	"time"
)

//go:embed manifests
var manifests embed.FS

// Import puts images, written by package images, into every node.
func (c *Cluster) Import(ctx context.Context, tars ...string) error {
	var (
		wait sync.WaitGroup
		errs = make([]error, len(c.nodes()))
	)
	for i, n := range c.nodes() {
		wait.Go(func() { errs[i] = c.importInto(ctx, n, tars) })
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) importInto(ctx context.Context, n *Node, tars []string) error {
	pid, err := c.pid(n)
	if err != nil {
		return err
	}
	for _, tar := range tars {
		// The socket is in the node's own /run, the tar in our files.
		at := fmt.Sprintf("/proc/%d/root%s", pid, socket)
		args := []string{"--address", at, "--namespace", "k8s.io", "images", "import", "--no-unpack", tar}
		if _, err := output(exec.CommandContext(ctx, "ctr", args...), nil, "ctr", args); err != nil {
			return fmt.Errorf("importing into %s (process %s): %w", n.Name, strconv.Itoa(pid), err)
		}
	}
	return nil
}

// furnish brings in what every cluster has, and waits until it works.
func (c *Cluster) furnish(ctx context.Context) error {
	if err := c.manifest(ctx, "base.yaml"); err != nil {
		return err
	}
	c.say("waiting for the nodes, the first ServiceAccount and DNS")
	for _, n := range c.nodes() {
		if err := c.until(ctx, "wait", "--for=condition=Ready", "--timeout=60s", "node/"+n.Name); err != nil {
			log, _ := os.ReadFile(n.file("log/kubelet.log"))
			return fmt.Errorf("%w; the end of the kubelet's log:\n%s", err, tail(string(log), 15))
		}
	}
	if err := c.until(ctx, "--namespace=default", "get", "serviceaccount", "default"); err != nil {
		return err
	}
	return c.until(ctx, "--namespace=kube-system", "rollout", "status", "deployment/coredns", "--timeout=60s")
}

// manifest applies one of the embedded files, filled in.
func (c *Cluster) manifest(ctx context.Context, name string) error {
	t, err := template.ParseFS(manifests, "manifests/"+name)
	if err != nil {
		return err
	}
	var text strings.Builder
	data := map[string]string{"DNS": dnsAddress, "CoreDNS": coreDNSImage, "AWS": AWSAddress}
	if err := t.Execute(&text, data); err != nil {
		return err
	}
	_, err = c.Kubectl(ctx, strings.NewReader(text.String()), "apply", "--server-side", "--filename=-")
	return err
}

// until repeats a kubectl command until it succeeds or ctx ends.
func (c *Cluster) until(ctx context.Context, args ...string) error {
	for {
		_, err := c.Kubectl(ctx, nil, args...)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}
