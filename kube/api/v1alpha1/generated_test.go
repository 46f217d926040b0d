package v1alpha1

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// generated is what go generate writes here.
var generated = []string{"zz_generated.deepcopy.go", "daypass.dev_podidentityassociations.yaml"}

func TestGeneratedFilesAreFresh(t *testing.T) {
	dir := t.TempDir()
	out, err := exec.Command("go", "tool", "-modfile=../../../tools/go.mod", "controller-gen",
		"object", "crd:crdVersions=v1", "paths=.", "output:object:dir="+dir, "output:crd:dir="+dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	made, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(made) != len(generated) {
		t.Errorf("%d files are generated, not %v", len(made), generated)
	}
	for _, name := range generated {
		fresh, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		here, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(fresh, here) {
			t.Errorf("%s is not what the types say: run go generate ./kube/api/...", name)
		}
	}
}

// What people see and type is the design's.
func TestShapeOfTheDefinition(t *testing.T) {
	text, err := os.ReadFile(generated[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"scope: Cluster", "- pia\n", "name: Role\n", "name: Method\n", "name: Ready\n", "name: Reason\n", "name: Last-OK\n",
		"  subresources:\n      status: {}\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %q", generated[1], want)
		}
	}
	if n := strings.Count(string(text), "jsonPath:"); n != 5 {
		t.Errorf("%d columns, not 5", n)
	}
}
