package injection

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"daypass.dev/e2e/kube/kubetest"
)

const definition = "../../kube/api/v1alpha1/daypass.dev_podidentityassociations.yaml"

// define brings the kind into the cluster, where it stays.
func define(t *testing.T, n *kubetest.Namespace) {
	t.Helper()
	n.Kubectl("apply", "--server-side", "--filename="+definition)
	n.Kubectl("wait", "--for=condition=Established", "--timeout=1m", "crd/podidentityassociations.daypass.dev")
	n.Eventually(time.Minute, "the kind being served", func() error {
		_, err := n.Try("get", "pia")
		return err
	})
}

// dry asks the API server what it would say to a new object.
func dry(t *testing.T, n *kubetest.Namespace, manifest string) error {
	t.Helper()
	_, err := n.Cluster.Kubectl(t.Context(), strings.NewReader(manifest), "--namespace="+n.Name, "create", "--dry-run=server", "--filename=-")
	return err
}

func TestAssociationsAreValidated(t *testing.T) {
	n := kubetest.New(t)
	define(t, n)
	archive, err := txtar.ParseFile("testdata/associations.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(archive.Files) < 20 {
		t.Fatalf("%d cases", len(archive.Files))
	}
	for _, f := range archive.Files {
		want, spec, _ := strings.Cut(string(f.Data), "\n")
		manifest := "apiVersion: daypass.dev/v1alpha1\nkind: PodIdentityAssociation\nmetadata: {name: x}\nspec:\n  " +
			strings.ReplaceAll(strings.TrimSpace(spec), "\n", "\n  ") + "\n"
		err := dry(t, n, manifest)
		switch {
		case want == "accepted":
			if err != nil {
				t.Errorf("%s: %v", f.Name, err)
			}
		case err == nil || !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v, want %q", f.Name, err, want)
		}
	}
}

var (
	ownNamespace = regexp.MustCompile(`(?m)^  namespace: shop$`)
	fileName     = regexp.MustCompile(`^(.*)\.txtar$`)
)

// Every golden pod that was patched is a pod to the API server, too; those whose
// own part holds to the restricted Pod Security Standard still do.
func TestGoldenPodsAreValid(t *testing.T) {
	n := kubetest.New(t)
	files, err := filepath.Glob("../../kube/inject/testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	made, restricted := 0, 0
	for _, account := range []string{"web", "web" + strings.Repeat("0", 80)} {
		n.Kubectl("create", "serviceaccount", account)
	}
	for _, strict := range []bool{false, true} {
		if strict {
			n.Kubectl("label", "namespace", n.Name, "pod-security.kubernetes.io/enforce=restricted")
		}
		for _, file := range files {
			name := fileName.FindStringSubmatch(filepath.Base(file))[1]
			if strings.HasSuffix(name, "+mirror") || strict && !strings.HasSuffix(name, "+pod-user") {
				continue // mirrors are the kubelet's to make
			}
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range archive.Files {
				if f.Name != "patched.yaml" {
					continue
				}
				pod := ownNamespace.ReplaceAllString(string(f.Data), "  namespace: "+n.Name)
				if err := dry(t, n, pod); err != nil {
					t.Errorf("%s (restricted: %v): %v", name, strict, err)
				}
				if made++; strict {
					restricted++
				}
			}
		}
	}
	if made < 80 || restricted < 3 {
		t.Errorf("%d pods, %d of them restricted", made, restricted)
	}
}
