// Package addons brings other projects' software into a cluster of the tests,
// on request: cert-manager, approver-policy, the Secrets Store CSI driver, kwok,
// and the stand-in for cert-manager's CSI driver. Programs are built from exact
// versions; manifests and charts are taken out of the same modules.
package addons

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"daypass.dev/e2e/build"
	"daypass.dev/e2e/images"
	"daypass.dev/e2e/kube"
)

// Names of what can be installed.
const (
	CertManager    = "cert-manager"
	ApproverPolicy = "approver-policy" // brings cert-manager; then nothing is approved without a policy
	CSIStandIn     = "csi-stand-in"    // registered as csi.cert-manager.io; brings cert-manager
	SecretsStore   = "secrets-store"   // with its fake provider, called fake
	Kwok           = "kwok"            // plays nodes annotated kwok.x-k8s.io/node=fake
)

// an addon's programs are built at once, so that what goes wrong is seen before
// anything is applied.
type addon struct {
	needs    []string
	programs []build.Program
	install  func(context.Context, *site) error
}

// site is one installation: the cluster and the programs' paths.
type site struct {
	*kube.Cluster
	programs map[string]string
}

// Names lists what Install knows.
func Names() []string { return slices.Sorted(maps.Keys(catalog())) }

// Build makes an addon's programs, and those that it needs, and nothing else.
func Build(ctx context.Context, c *kube.Cluster, name string) error {
	a, ok := catalog()[name]
	if !ok {
		return fmt.Errorf("no addon is called %q; there are %s", name, strings.Join(Names(), ", "))
	}
	for _, n := range a.needs {
		if err := Build(ctx, c, n); err != nil {
			return err
		}
	}
	_, err := a.build(ctx, c)
	return err
}

// Install brings an addon into a running cluster and waits until it is ready.
// What is there already is left alone.
func Install(ctx context.Context, c *kube.Cluster, name string) error {
	a, ok := catalog()[name]
	if !ok {
		return fmt.Errorf("no addon is called %q; there are %s", name, strings.Join(Names(), ", "))
	}
	for _, n := range a.needs {
		if err := Install(ctx, c, n); err != nil {
			return err
		}
	}
	release, err := c.Hold(ctx, "addons")
	if err != nil {
		return err
	}
	defer release()
	programs, err := a.build(ctx, c)
	if err != nil {
		return err
	}
	key := fmt.Sprint(programs) // map keys are printed in order
	done := filepath.Join(c.Dir, "addons", name)
	held, err := os.ReadFile(done)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if string(held) == key {
		return nil
	}
	if err := a.install(ctx, &site{Cluster: c, programs: programs}); err != nil {
		return fmt.Errorf("installing %s: %w", name, err)
	}
	if err := os.MkdirAll(filepath.Dir(done), 0o755); err != nil {
		return err
	}
	return os.WriteFile(done, []byte(key), 0o644)
}

func (a addon) build(ctx context.Context, c *kube.Cluster) (map[string]string, error) {
	cache, paths := &build.Cache{Dir: c.Cache, Log: c.Log}, map[string]string{}
	for _, p := range a.programs {
		p.Module = filepath.Join(c.Source, p.Module)
		path, err := cache.Build(ctx, p)
		if err != nil {
			return nil, err
		}
		paths[p.Name] = path
	}
	return paths, nil
}

// Helm is the path of a helm, built the first time.
func Helm(ctx context.Context, c *kube.Cluster) (string, error) {
	programs, err := addon{programs: []build.Program{helm}}.build(ctx, c)
	return programs["helm"], err
}

// load brings an image into the cluster.
func (s *site) load(ctx context.Context, name string, i images.Image) error {
	image, err := i.Build()
	if err != nil {
		return fmt.Errorf("image %s: %w", name, err)
	}
	file := filepath.Join(s.Dir, strings.NewReplacer("/", "-", ":", "-").Replace(name)+".tar")
	defer os.Remove(file)
	if err := images.Write(file, name, image); err != nil {
		return err
	}
	return s.Import(ctx, file)
}

// apply applies manifests as the administrator.
func (s *site) apply(ctx context.Context, manifest string) error {
	_, err := s.Kubectl(ctx, strings.NewReader(manifest), "apply", "--server-side", "--force-conflicts", "--filename=-")
	return err
}

// rollout waits for Deployments and DaemonSets.
func (s *site) rollout(ctx context.Context, namespace string, objects ...string) error {
	for _, o := range objects {
		if _, err := s.Kubectl(ctx, nil, "--namespace="+namespace, "rollout", "status", o, "--timeout=120s"); err != nil {
			return err
		}
	}
	return nil
}
