package v1beta1

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const chart = "../../../../charts/daypass/files/"

func TestGeneratedFilesAreFresh(t *testing.T) {
	dir := t.TempDir()
	out, err := exec.Command("go", "tool", "-modfile=../../../../tools/go.mod", "controller-gen",
		"object", "crd:crdVersions=v1", "paths=.", "output:object:dir="+dir, "output:crd:dir="+dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, here := range map[string]string{
		"zz_generated.deepcopy.go": ".", "awspca.cert-manager.io_awspcaissuers.yaml": chart, "awspca.cert-manager.io_awspcaclusterissuers.yaml": chart,
	} {
		fresh, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		kept, err := os.ReadFile(filepath.Join(here, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(fresh, kept) {
			t.Errorf("%s is not what the types say: run go generate ./kube/api/...", name)
		}
	}
}

// The fields of aws-privateca-issuer's objects, as its users have written them.
func TestFieldsOfTheReplacedIssuer(t *testing.T) {
	for _, name := range []string{"awspcaissuers", "awspcaclusterissuers"} {
		text, err := os.ReadFile(chart + "awspca.cert-manager.io_" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range []string{
			"arn", "region", "role", "secretRef", "accessKeyIDSelector", "secretAccessKeySelector", "pcaTemplate", "defaultTemplateName", "namespace", "conditions",
		} {
			if !strings.Contains(string(text), " "+field+":\n") {
				t.Errorf("%s lacks %s", name, field)
			}
		}
		if !strings.Contains(string(text), "name: v1beta1\n") || !strings.Contains(string(text), "status: {}\n") {
			t.Errorf("%s is not of v1beta1 with a status", name)
		}
	}
}
