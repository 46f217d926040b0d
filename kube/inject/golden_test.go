package inject

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
)

var update = flag.Bool("update", false, "rewrite the results in testdata")

// A golden pod is one file: what goes in (settings, serviceaccount, perhaps
// association, pod), then what comes out (patched pod, patch and warnings, or
// the refusal).
type golden struct {
	name     string
	archive  *txtar.Archive
	settings Settings
	account  corev1.ServiceAccount
	all      []v1alpha1.PodIdentityAssociation
	pod      []byte // JSON
}

const (
	inSettings, inAccount, inAssociation, inPod = "settings.yaml", "serviceaccount.yaml", "association.yaml", "pod.yaml"
	outPod, outPatch, outWarnings, outRefused   = "patched.yaml", "patch.jsonl", "warnings.txt", "refused.txt"
)

func goldens(t testing.TB) []golden {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("there are no golden pods")
	}
	var all []golden
	for _, file := range files {
		all = append(all, readGolden(t, file))
	}
	return all
}

func readGolden(t testing.TB, file string) golden {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	g := golden{name: strings.TrimSuffix(filepath.Base(file), ".txtar"), archive: archive}
	for _, f := range archive.Files {
		var err error
		switch f.Name {
		case inSettings:
			err = yaml.UnmarshalStrict(f.Data, &g.settings)
		case inAccount:
			err = yaml.UnmarshalStrict(f.Data, &g.account)
		case inAssociation:
			g.all = append(g.all, v1alpha1.PodIdentityAssociation{})
			err = yaml.UnmarshalStrict(f.Data, &g.all[len(g.all)-1])
		case inPod:
			g.pod, err = yaml.YAMLToJSON(f.Data)
		case outPod, outPatch, outWarnings, outRefused:
		default:
			t.Fatalf("%s: what is %s?", file, f.Name)
		}
		if err != nil {
			t.Fatalf("%s: %s: %v", file, f.Name, err)
		}
	}
	if g.pod == nil || g.account.Name == "" {
		t.Fatalf("%s lacks a pod or a ServiceAccount", file)
	}
	return g
}

// run resolves and mutates, as the webhook does.
func (g golden) run(pod []byte) (Result, error) {
	p, err := readPod(pod)
	if err != nil {
		return Result{}, err
	}
	id, _, err := identity.Resolve(p, &g.account, g.all, g.settings.Cluster)
	if err != nil {
		return Result{}, err
	}
	return Mutate(p, id, g.settings)
}

func TestGoldenPods(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(g.name, func(t *testing.T) {
			result, err := g.run(g.pod)
			got := map[string]string{}
			var refusal *identity.Refusal
			switch {
			case errors.As(err, &refusal):
				got[outRefused] = refusal.Slug + ": " + refusal.Detail + "\n"
			case err != nil:
				t.Fatal(err)
			default:
				patched := apply(t, g.pod, result.Patch)
				text, err := yaml.JSONToYAML(patched)
				if err != nil {
					t.Fatal(err)
				}
				got[outPod] = string(text)
				got[outPatch] = lines(t, result.Patch)
				got[outWarnings] = strings.Join(append(result.Warnings, ""), "\n")
				again, err := g.run(patched)
				if err != nil || len(again.Patch) > 0 || len(again.Warnings) > 0 {
					t.Errorf("a second pass adds %s %q, %v", lines(t, again.Patch), again.Warnings, err)
				}
			}
			g.compare(t, got)
		})
	}
}

func (g golden) compare(t *testing.T, got map[string]string) {
	t.Helper()
	if *update {
		now := &txtar.Archive{Comment: g.archive.Comment}
		for _, f := range g.archive.Files {
			if f.Name == inSettings || f.Name == inAccount || f.Name == inAssociation || f.Name == inPod {
				now.Files = append(now.Files, f)
			}
		}
		for _, name := range []string{outPod, outPatch, outWarnings, outRefused} {
			if text, ok := got[name]; ok {
				now.Files = append(now.Files, txtar.File{Name: name, Data: []byte(text)})
			}
		}
		if err := os.WriteFile(filepath.Join("testdata", g.name+".txtar"), txtar.Format(now), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := map[string]string{}
	for _, f := range g.archive.Files {
		switch f.Name {
		case outPod, outPatch, outWarnings, outRefused:
			want[f.Name] = string(f.Data)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("not as in the file (go test ./kube/inject -update, and read the difference):\n%s", diff)
	}
}

// apply patches as the API server does, with its library.
func apply(t testing.TB, pod []byte, patch []Operation) []byte {
	t.Helper()
	if len(patch) == 0 {
		return pod
	}
	text, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	p, err := jsonpatch.DecodePatch(text)
	if err != nil {
		t.Fatal(err)
	}
	patched, err := p.Apply(pod)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return patched
}

// lines writes an operation a line.
func lines(t testing.TB, patch []Operation) string {
	t.Helper()
	var b strings.Builder
	for _, o := range patch {
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(text, '\n'))
	}
	return b.String()
}
