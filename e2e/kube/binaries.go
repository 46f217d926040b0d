package kube

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"daypass.dev/e2e/build"
	"daypass.dev/e2e/images"
)

// debian are the files that Debian's packages bring, and the packages.
var debian = map[string]string{
	"/usr/bin/containerd": "containerd",
	"/usr/sbin/runc":      "runc",
	"/usr/lib/cni/bridge": "containernetworking-plugins",
	"/usr/sbin/iptables":  "iptables",
	"/usr/sbin/ip":        "iproute2",
	"/usr/bin/nsenter":    "util-linux",
	"/bin/busybox":        "busybox-static",
}

// kubernetes are the names that the one binary goes by.
var kubernetes = []string{
	"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy",
}

// Images that every cluster holds.
const (
	pauseImage   = "localhost/pause:1"
	coreDNSImage = "localhost/coredns:1"
	// BusyboxImage has a shell and what belongs to it.
	BusyboxImage = "localhost/busybox:1"
)

// programs of the cluster that come from e2e/cluster.
func (c *Cluster) program(name string) (build.Program, error) {
	p := build.Program{Name: name, Module: filepath.Join(c.Source, "e2e", "cluster"), Package: "./cmd/" + name}
	if name != "kube" && name != "kubectl" {
		return p, nil
	}
	v := c.version()
	if !slices.Contains(Versions, v) {
		return p, fmt.Errorf("no Kubernetes %s can be built here; known are %s", v, strings.Join(Versions, ", "))
	}
	parts := strings.Split(v, ".")
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		p.LDFlags += fmt.Sprintf("-X %[1]s.gitVersion=v%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s ", pkg, v, parts[0], parts[1])
	}
	if v != Versions[0] {
		p.Name, p.Modfile = name+"-"+v, "kubernetes-"+v+".mod"
	}
	return p, nil
}

// Build makes or finds everything that a start needs: programs, Debian's
// packages. It returns the paths of the programs.
func (c *Cluster) Build(ctx context.Context) (map[string]string, error) {
	if err := c.builds().Debian(ctx, debian); err != nil {
		return nil, err
	}
	paths := map[string]string{}
	for _, name := range []string{"kube", "kubectl", "coredns", "pause"} {
		p, err := c.program(name)
		if err != nil {
			return nil, err
		}
		if paths[name], err = c.builds().Build(ctx, p); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// link gives the one binary its names, and kubectl its own.
func (c *Cluster) link(programs map[string]string) error {
	if err := os.MkdirAll(c.bin(), 0o755); err != nil {
		return err
	}
	for _, name := range kubernetes {
		if err := os.Symlink(programs["kube"], filepath.Join(c.bin(), name)); err != nil {
			return err
		}
	}
	return os.Symlink(programs["kubectl"], filepath.Join(c.bin(), "kubectl"))
}

// baseImages writes the images that every cluster needs and returns the files.
func (c *Cluster) baseImages(programs map[string]string) ([]string, error) {
	specs := map[string]images.Image{
		pauseImage: {
			Entrypoint: []string{"/pause"},
			Layers:     []images.Layer{{Files: []images.File{{Path: "pause", From: programs["pause"]}}}},
		},
		coreDNSImage: {
			Entrypoint: []string{"/coredns"},
			Layers:     []images.Layer{{Files: []images.File{{Path: "coredns", From: programs["coredns"]}}}},
		},
		BusyboxImage: {
			Entrypoint: []string{"/bin/sh"}, Env: []string{"PATH=/bin"},
			Layers: []images.Layer{images.Busybox()},
		},
	}
	var files []string
	for name, spec := range specs {
		image, err := spec.Build()
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", name, err)
		}
		file := c.file("image-" + strings.NewReplacer("/", "-", ":", "-").Replace(name) + ".tar")
		if err := images.Write(file, name, image); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}
