package addons

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"daypass.dev/e2e/build"
	"daypass.dev/e2e/images"
)

// Modules of e2e that hold the exact versions.
const (
	clusterModule = "e2e/cluster"
	addonsModule  = "e2e/cluster/addons"
	storeModule   = "e2e/cluster/secrets-store"
)

func own(name string) build.Program {
	return build.Program{Name: name, Module: clusterModule, Package: "./cmd/" + name}
}

var helm = build.Program{Name: "helm", Module: addonsModule, Package: "helm.sh/helm/v4/cmd/helm"}

func catalog() map[string]addon {
	webhook := own("cert-manager-webhook")
	webhook.Test = true
	return map[string]addon{
		CertManager: {
			programs: []build.Program{helm, own("cert-manager"), webhook}, install: certManager,
		},
		ApproverPolicy: {
			needs: []string{CertManager}, install: approverPolicy,
			programs: []build.Program{helm, {Name: "approver-policy", Module: addonsModule, Package: "github.com/cert-manager/approver-policy/cmd"}},
		},
		CSIStandIn: {
			needs: []string{CertManager}, install: standIn,
			programs: []build.Program{own("csi-registrar"), own("csi-stand-in")},
		},
		SecretsStore: {
			install: secretsStore,
			programs: []build.Program{
				own("csi-registrar"),
				{Name: "secrets-store-csi-driver", Module: storeModule, Package: "sigs.k8s.io/secrets-store-csi-driver/cmd/secrets-store-csi-driver"},
				{Name: "provider", Module: storeModule, Package: "./cmd/provider"},
			},
		},
		Kwok: {
			install:  kwok,
			programs: []build.Program{{Name: "kwok", Module: addonsModule, Package: "sigs.k8s.io/kwok/cmd/kwok"}},
		},
	}
}

// folder finds where a module's files are.
func (s *site) folder(ctx context.Context, module, path string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", path)
	cmd.Dir = filepath.Join(s.Source, module)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("finding the files of %s: %w", path, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// chart renders a chart and applies it. Images are those that load has brought,
// under the names that charts use less their registry.
func (s *site) chart(ctx context.Context, release, dir string, values ...string) error {
	args := []string{"template", release, dir, "--namespace=cert-manager",
		"--set=imageRegistry=localhost", "--set=imageNamespace=", "--set=crds.enabled=true"}
	for _, v := range values {
		args = append(args, "--set="+v)
	}
	out, err := exec.CommandContext(ctx, s.programs["helm"], args...).Output()
	if err != nil {
		return fmt.Errorf("rendering %s: %w", dir, err)
	}
	return s.apply(ctx, string(out))
}

// program is an image of one program, or of several, of which the first runs.
func program(entry string, files ...images.File) images.Image {
	return images.Image{User: "65532", Entrypoint: []string{"/" + entry}, Layers: []images.Layer{{Files: files}}}
}

func certManager(ctx context.Context, s *site) error {
	controller := images.File{Path: "controller", From: s.programs["cert-manager"]}
	for name, image := range map[string]images.Image{
		"controller": program("controller", controller),
		"cainjector": program("cainjector", controller, images.File{Path: "cainjector", Link: "controller"}),
		"webhook":    program("webhook", images.File{Path: "webhook", From: s.programs["cert-manager-webhook"]}),
	} {
		if err := s.load(ctx, "localhost/cert-manager-"+name+":v0.0.0", image); err != nil {
			return err
		}
	}
	if err := s.apply(ctx, `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "cert-manager"}}`); err != nil {
		return err
	}
	dir, err := s.folder(ctx, clusterModule, "github.com/cert-manager/cert-manager")
	if err != nil {
		return err
	}
	// The webhook is a test binary and wants a folder for its files.
	err = s.chart(ctx, "cert-manager", filepath.Join(dir, "deploy/charts/cert-manager"),
		"startupapicheck.enabled=false", "livenessProbe.enabled=false",
		"webhook.volumes[0].name=tmp", "webhook.volumes[0].emptyDir.medium=Memory",
		"webhook.volumeMounts[0].name=tmp", "webhook.volumeMounts[0].mountPath=/tmp")
	if err != nil {
		return err
	}
	if err := s.rollout(ctx, "cert-manager", "deployment/cert-manager", "deployment/cert-manager-cainjector", "deployment/cert-manager-webhook"); err != nil {
		return err
	}
	// Ready is not yet reachable: the injector must give the API server the
	// webhook's authority first.
	return s.until(ctx, `{"apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": {"name": "probe", "namespace": "cert-manager"}, "spec": {"selfSigned": {}}}`)
}

func approverPolicy(ctx context.Context, s *site) error {
	err := s.load(ctx, "localhost/cert-manager-approver-policy:v0.0.0",
		program("approver-policy", images.File{Path: "approver-policy", From: s.programs["approver-policy"]}))
	if err != nil {
		return err
	}
	// From now on only policies approve.
	patch := `[{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--controllers=-certificaterequests-approver"}]`
	if _, err := s.Kubectl(ctx, nil, "--namespace=cert-manager", "patch", "deployment", "cert-manager", "--type=json", "--patch="+patch); err != nil {
		return err
	}
	dir, err := s.folder(ctx, addonsModule, "github.com/cert-manager/approver-policy")
	if err != nil {
		return err
	}
	if err := s.chart(ctx, "cert-manager-approver-policy", filepath.Join(dir, "deploy/charts/approver-policy")); err != nil {
		return err
	}
	if err := s.rollout(ctx, "cert-manager", "deployment/cert-manager", "deployment/cert-manager-approver-policy"); err != nil {
		return err
	}
	return s.until(ctx, `{"apiVersion": "policy.cert-manager.io/v1alpha1", "kind": "CertificateRequestPolicy", "metadata": {"name": "probe"},
		"spec": {"allowed": {}, "selector": {"issuerRef": {"name": "nobody"}}}}`)
}

//go:embed manifests/csi-stand-in.yaml
var standInManifest string

func standIn(ctx context.Context, s *site) error {
	err := s.load(ctx, "localhost/csi-stand-in:1", images.Image{Layers: []images.Layer{{Files: []images.File{
		{Path: "csi-stand-in", From: s.programs["csi-stand-in"]},
		{Path: "csi-registrar", From: s.programs["csi-registrar"]},
	}}}})
	if err != nil {
		return err
	}
	if err := s.apply(ctx, standInManifest); err != nil {
		return err
	}
	if err := s.rollout(ctx, "cert-manager", "daemonset/csi-stand-in"); err != nil {
		return err
	}
	return s.registered(ctx, "csi.cert-manager.io")
}

//go:embed manifests/kwok.yaml
var kwokManifest string

// stages are how kwok plays nodes and pods: at once, with leases.
var stages = []string{
	"node/fast/node-initialize.yaml", "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
	"pod/fast/pod-ready.yaml", "pod/fast/pod-complete.yaml", "pod/fast/pod-delete.yaml",
}

func kwok(ctx context.Context, s *site) error {
	if err := s.load(ctx, "localhost/kwok:1", program("kwok", images.File{Path: "kwok", From: s.programs["kwok"]})); err != nil {
		return err
	}
	dir, err := s.folder(ctx, addonsModule, "sigs.k8s.io/kwok")
	if err != nil {
		return err
	}
	var plays []string
	for _, stage := range stages {
		text, err := os.ReadFile(filepath.Join(dir, "kustomize/stage", stage))
		if err != nil {
			return err
		}
		plays = append(plays, string(text))
	}
	stagesMap, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]string{"name": "kwok-stages", "namespace": "kube-system"},
		"data": map[string]string{"stages.yaml": strings.Join(plays, "\n---\n")},
	})
	if err != nil {
		return err
	}
	if err := s.apply(ctx, string(stagesMap)); err != nil {
		return err
	}
	if err := s.apply(ctx, kwokManifest); err != nil {
		return err
	}
	return s.rollout(ctx, "kube-system", "deployment/kwok")
}
