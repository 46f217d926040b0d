package addons

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"daypass.dev/e2e/images"
)

const storeImage = "localhost/secrets-store:1"

//go:embed manifests/fake-provider.yaml
var fakeProvider string

// secretsStore applies the driver's own manifests, less what cannot be had: its
// registrar is ours, and its liveness probe goes.
func secretsStore(ctx context.Context, s *site) error {
	err := s.load(ctx, storeImage, images.Image{Layers: []images.Layer{
		images.Busybox(), // the driver calls mount
		{Files: []images.File{
			{Path: "bin/secrets-store-csi-driver", From: s.programs["secrets-store-csi-driver"]},
			{Path: "bin/csi-registrar", From: s.programs["csi-registrar"]},
			{Path: "bin/provider", From: s.programs["provider"]},
		}},
	}})
	if err != nil {
		return err
	}
	dir, err := s.folder(ctx, storeModule, "sigs.k8s.io/secrets-store-csi-driver")
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "deploy", "*.yaml"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("no manifests in %s", dir)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "-windows.yaml") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if text, err = adapt(text); err != nil {
			return fmt.Errorf("adapting %s: %w", file, err)
		}
		if err := s.apply(ctx, string(text)); err != nil {
			return err
		}
	}
	if err := s.apply(ctx, fakeProvider); err != nil {
		return err
	}
	if err := s.rollout(ctx, "kube-system", "daemonset/csi-secrets-store", "daemonset/fake-provider"); err != nil {
		return err
	}
	return s.registered(ctx, "secrets-store.csi.k8s.io")
}

// adapt changes the DaemonSet among YAML documents and leaves the rest as it is.
func adapt(text []byte) ([]byte, error) {
	var out bytes.Buffer
	w := yaml.NewEncoder(&out)
	for r := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var object map[string]any
		if err := r.Decode(&object); errors.Is(err, io.EOF) {
			return out.Bytes(), w.Close()
		} else if err != nil {
			return nil, err
		}
		if object["kind"] == "DaemonSet" {
			if err := adaptDaemonSet(object); err != nil {
				return nil, err
			}
		}
		if err := w.Encode(object); err != nil {
			return nil, err
		}
	}
}

func adaptDaemonSet(object map[string]any) error {
	at := object
	for _, name := range []string{"spec", "template", "spec"} {
		next, ok := at[name].(map[string]any)
		if !ok {
			return fmt.Errorf("the DaemonSet has no %s", name)
		}
		at = next
	}
	containers, ok := at["containers"].([]any)
	if !ok {
		return errors.New("the DaemonSet has no containers")
	}
	commands := map[string]string{
		"node-driver-registrar": "/bin/csi-registrar", "secrets-store": "/bin/secrets-store-csi-driver",
	}
	at["containers"] = slices.DeleteFunc(containers, func(c any) bool {
		container, ok := c.(map[string]any)
		if !ok {
			return false
		}
		name, _ := container["name"].(string)
		command, known := commands[name]
		container["image"], container["command"] = storeImage, []string{command}
		delete(container, "livenessProbe")
		return !known
	})
	return nil
}
