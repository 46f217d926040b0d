package inject

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// What a patch finds in a pod, it leaves: also fields of a Kubernetes that is
// newer than this package, which are planted here into every object there is.
func TestWhatIsThereStays(t *testing.T) {
	mutated := 0
	for _, g := range goldens(t) {
		var before any
		if err := json.Unmarshal(g.pod, &before); err != nil {
			t.Fatal(err)
		}
		if n := plant(before, ""); n < 3 {
			t.Fatalf("%s: only %d unknown fields planted", g.name, n)
		}
		planted, err := json.Marshal(before)
		if err != nil {
			t.Fatal(err)
		}
		result, err := g.run(planted)
		if err != nil {
			continue // refused: nothing is changed
		}
		if plain, err := g.run(g.pod); err != nil || !reflect.DeepEqual(plain.Patch, result.Patch) {
			t.Errorf("%s: unknown fields change the patch: %v", g.name, err)
		}
		var after any
		if err := json.Unmarshal(apply(t, planted, result.Patch), &after); err != nil {
			t.Fatal(err)
		}
		if where := lost(before, after, "pod"); where != "" {
			t.Errorf("%s: %s is gone or other", g.name, where)
		}
		if len(result.Patch) > 0 {
			mutated++
		}
	}
	if mutated < 50 {
		t.Errorf("only %d golden pods are patched", mutated)
	}
}

// texts are objects that hold nothing but text, where Kubernetes adds no field.
var texts = []string{"labels", "annotations", "nodeSelector", "volumeAttributes", "limits", "requests"}

func plant(v any, name string) (n int) {
	switch v := v.(type) {
	case map[string]any:
		if slices.Contains(texts, name) {
			return 0
		}
		for k, inner := range v {
			n += plant(inner, k)
		}
		v["fieldOfTomorrow"] = map[string]any{"deep": []any{"value", 1.0, nil}}
		n++
	case []any:
		for _, inner := range v {
			n += plant(inner, "")
		}
	}
	return n
}

// lost is where something of before is not in after, whose lists may have more
// in them, in the same order.
func lost(before, after any, path string) string {
	switch b := before.(type) {
	case map[string]any:
		a, ok := after.(map[string]any)
		if !ok {
			return path
		}
		for k, inner := range b {
			if _, ok := a[k]; !ok {
				return path + "." + k
			}
			if where := lost(inner, a[k], path+"."+k); where != "" {
				return where
			}
		}
		return ""
	case []any:
		a, ok := after.([]any)
		if !ok {
			return path
		}
		i := 0
		for _, inner := range b {
			for i < len(a) && lost(inner, a[i], path+"[]") != "" {
				i++
			}
			if i == len(a) {
				return path
			}
			i++
		}
		return ""
	}
	if !reflect.DeepEqual(before, after) {
		return path
	}
	return ""
}

func TestLostSeesLosses(t *testing.T) {
	for _, test := range []struct {
		before, after string
		lost          bool
	}{
		{`{"a":[1,2]}`, `{"a":[0,1,3,2],"b":1}`, false},
		{`{"a":[1,2]}`, `{"a":[2,1]}`, true},
		{`{"a":{"b":1}}`, `{"a":{}}`, true},
		{`{"a":null}`, `{}`, true},
		{`{"a":"x"}`, `{"a":"y"}`, true},
		{`[{"a":1},{"a":1}]`, `[{"a":1}]`, true},
	} {
		var b, a any
		if json.Unmarshal([]byte(test.before), &b) != nil || json.Unmarshal([]byte(test.after), &a) != nil {
			t.Fatal(test)
		}
		if got := lost(b, a, "value") != ""; got != test.lost {
			t.Errorf("%s to %s: lost %v", test.before, test.after, got)
		}
	}
}

// A container of ours never breaks the restricted Pod Security Standard
// (kubernetes.io/docs/concepts/security/pod-security-standards), even in a pod
// that does.
func TestContainersAreRestricted(t *testing.T) {
	seen := 0
	for _, g := range goldens(t) {
		result, err := g.run(g.pod)
		if err != nil {
			continue
		}
		var p corev1.Pod
		if err := json.Unmarshal(apply(t, g.pod, result.Patch), &p); err != nil {
			t.Fatal(err)
		}
		for _, c := range p.Spec.InitContainers {
			if !strings.HasPrefix(c.Name, "daypass") {
				continue
			}
			seen++
			s := c.SecurityContext
			user := podUser(&p)
			if s.RunAsUser != nil {
				user = *s.RunAsUser
			}
			if !*s.RunAsNonRoot || user == 0 || *s.AllowPrivilegeEscalation || s.Privileged != nil ||
				!slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || s.Capabilities.Add != nil ||
				s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault || !*s.ReadOnlyRootFilesystem {
				t.Errorf("%s: container %s is not restricted: %v, user %d", g.name, c.Name, s, user)
			}
			if len(c.Ports) > 0 || len(c.Command) > 0 {
				t.Errorf("%s: container %s has ports or a command", g.name, c.Name)
			}
		}
		for _, v := range p.Spec.Volumes {
			if strings.HasPrefix(v.Name, "daypass-") && v.Projected == nil && v.CSI == nil && v.Secret == nil && v.EmptyDir == nil {
				t.Errorf("%s: volume %s is of a kind that is not allowed", g.name, v.Name)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d containers of ours in all golden pods", seen)
	}
}

func TestPodsOnlyAreRead(t *testing.T) {
	for _, text := range []string{"", "null", "[]", "{", `{"metadata":{"name":"a"},"spec":{}}`, `{"spec":{"containers":[{"name":"a"}]}}`,
		`{"metadata":{"name":"a"},"spec":{"containers":[null]}}`, `{"metadata":{"name":"a"},"spec":{"containers":"a"}}`} {
		if _, err := readPod([]byte(text)); err == nil {
			t.Errorf("%q is taken for a pod", text)
		}
	}
}

func TestWarningsAreShort(t *testing.T) {
	g := readGolden(t, "testdata/sidecar-pod-certificate+louder.txtar")
	var p corev1.Pod
	if err := json.Unmarshal(g.pod, &p); err != nil {
		t.Fatal(err)
	}
	for range 40 {
		c := *p.Spec.Containers[0].DeepCopy()
		c.Name = strings.Repeat("é", 20) + string(rune('a'+len(p.Spec.Containers)))
		p.Spec.Containers = append(p.Spec.Containers, c)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	result, err := g.run(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Warnings) != 10 {
		t.Errorf("%d warnings", len(result.Warnings))
	}
	for _, w := range result.Warnings {
		if len(w) > 256 || strings.ContainsRune(w, '\uFFFD') {
			t.Errorf("%d bytes: %s", len(w), w)
		}
	}
}
