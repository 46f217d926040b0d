package injection

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	registration "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"daypass.dev/e2e/build"
	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/inject"
)

// A golden pod of package inject: what goes in, and what it says comes out.
type golden struct {
	name     string
	settings inject.Settings
	account  corev1.ServiceAccount
	all      []v1alpha1.PodIdentityAssociation
	pod      *unstructured.Unstructured
	patched  *unstructured.Unstructured // or
	refused  string                     // SLUG
	warnings string
}

func goldens(t *testing.T) []golden {
	t.Helper()
	files, err := filepath.Glob("../../kube/inject/testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 100 {
		t.Fatalf("%d golden pods", len(files))
	}
	var all []golden
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		g := golden{name: strings.TrimSuffix(filepath.Base(file), ".txtar")}
		for _, f := range archive.Files {
			switch f.Name {
			case "settings.yaml":
				err = yaml.UnmarshalStrict(f.Data, &g.settings)
			case "serviceaccount.yaml":
				err = yaml.UnmarshalStrict(f.Data, &g.account)
			case "association.yaml":
				g.all = append(g.all, v1alpha1.PodIdentityAssociation{})
				err = yaml.UnmarshalStrict(f.Data, &g.all[len(g.all)-1])
			case "pod.yaml":
				g.pod = &unstructured.Unstructured{}
				err = yaml.Unmarshal(f.Data, &g.pod.Object)
			case "patched.yaml":
				g.patched = &unstructured.Unstructured{}
				err = yaml.Unmarshal(f.Data, &g.patched.Object)
			case "warnings.txt":
				g.warnings = strings.TrimSpace(string(f.Data))
			case "refused.txt":
				g.refused, _, _ = strings.Cut(string(f.Data), ":")
			}
			if err != nil {
				t.Fatalf("%s: %s: %v", file, f.Name, err)
			}
		}
		if g.pod == nil || g.account.Name == "" || (g.patched == nil) == (g.refused == "") {
			t.Fatalf("%s is not whole", file)
		}
		all = append(all, g)
	}
	return all
}

// A site is the cluster as this test has it: with a namespace shop, as the
// golden pods do.
type site struct {
	*kubetest.Namespace
	config *rest.Config
	client.Client
	t       *testing.T
	program func() (string, error) // daypass-kube
	said    *warnings
}

// warnings are what kubectl would print beside an answer.
type warnings struct{ all []string }

func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	if strings.HasPrefix(text, "daypass: ") {
		w.all = append(w.all, text)
	}
}

func newSite(t *testing.T) *site {
	t.Helper()
	n := kubetest.New(t)
	define(t, n)
	config, err := clientcmd.BuildConfigFromFlags("", n.Cluster.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		return n.Cluster.Dial(ctx, network, address)
	}
	log.SetLogger(logr.Discard())
	said := &warnings{}
	config.QPS, config.WarningHandler = -1, said
	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1alpha1.AddToScheme, registration.AddToScheme} {
		if err := add(known); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.New(config, client.Options{Scheme: known})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{n, config, c, t, sync.OnceValues(func() (string, error) {
		return build.Ours(context.Background(), "", "daypass.dev/cmd/daypass-kube")
	}), said}
	shop := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
	if err := c.Create(t.Context(), shop); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.Kubectl("delete", "namespace", "shop", "--wait=true", "--timeout=1m")
	})
	return s
}

// set makes the cluster hold what a golden pod is about, and nothing else of
// its kind.
func (s *site) set(g golden, labels map[string]string) {
	s.t.Helper()
	account := g.account.DeepCopy()
	account.Labels = labels
	old := &corev1.ServiceAccount{}
	err := s.Get(s.t.Context(), client.ObjectKeyFromObject(account), old)
	if apierrors.IsNotFound(err) {
		err = s.Create(s.t.Context(), account)
	} else if err == nil {
		old.Annotations, old.Labels = account.Annotations, account.Labels
		err = s.Update(s.t.Context(), old)
	}
	if err == nil {
		err = s.DeleteAllOf(s.t.Context(), &v1alpha1.PodIdentityAssociation{})
	}
	for i := range g.all {
		if err == nil {
			err = s.Create(s.t.Context(), g.all[i].DeepCopy())
		}
	}
	if err != nil {
		s.t.Fatalf("%s: %v", g.name, err)
	}
}

// ask asks the API server what a pod would become. The answer is without what
// differs from one time to the next, or a refusal.
func (s *site) ask(pod *unstructured.Unstructured) (string, error) {
	made := pod.DeepCopy()
	s.said.all = nil
	if err := s.Create(s.t.Context(), made, client.DryRunAll); err != nil {
		return "", err
	}
	return plain(s.t, made), nil
}

var access = regexp.MustCompile(`^kube-api-access-`)

// plain leaves out what the API server makes anew each time.
func plain(t *testing.T, pod *unstructured.Unstructured) string {
	t.Helper()
	text, err := json.Marshal(pod.Object)
	if err != nil {
		t.Fatal(err)
	}
	var p corev1.Pod
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	p.UID, p.CreationTimestamp, p.ManagedFields, p.ResourceVersion, p.Generation = "", metav1.Time{}, nil, "", 0
	if p.GenerateName != "" {
		p.Name = ""
	}
	if len(p.Annotations) == 0 {
		p.Annotations = nil
	}
	p.Spec.Volumes = slices.DeleteFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return access.MatchString(v.Name) })
	for _, all := range [][]corev1.Container{p.Spec.Containers, p.Spec.InitContainers} {
		for i := range all {
			all[i].VolumeMounts = slices.DeleteFunc(all[i].VolumeMounts, func(m corev1.VolumeMount) bool { return access.MatchString(m.Name) })
		}
	}
	out, err := yaml.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// expect asks until the answer is as it should be: whoever answers sees the
// cluster a moment later.
func (s *site) expect(what string, pod *unstructured.Unstructured, want, refused string) {
	s.t.Helper()
	var got string
	var err error
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		got, err = s.ask(pod)
		if refused == "" && err == nil && got == want || refused != "" && err != nil && strings.Contains(err.Error(), "("+refused+")") {
			return
		}
		if time.Now().After(end) {
			break
		}
	}
	if refused != "" {
		s.t.Errorf("%s: want %s: %v\n%s", what, refused, err, got)
		return
	}
	s.t.Errorf("%s: %v\n%s", what, err, gocmp.Diff(want, got))
}

// bySettings sorts golden pods into groups of the same settings. In each the
// first is one that is given something, so that those that are not are asked
// about only when something is at work.
func bySettings(all []golden, key func(golden) string) [][]golden {
	groups := map[string][]golden{}
	var order []string
	for _, g := range all {
		k := key(g)
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], g)
	}
	var out [][]golden
	for _, k := range order {
		slices.SortStableFunc(groups[k], func(a, b golden) int { return cmp.Compare(rank(a), rank(b)) })
		out = append(out, groups[k])
	}
	return out
}

func rank(g golden) int {
	if g.patched == nil || strings.HasSuffix(g.name, "+nobody") || inexpressible[g.name] != "" {
		return 1
	}
	return 0
}

// wants asks what the patched pods are to the API server, before anything is
// there that would patch them. Mirrors of static pods are the kubelet's to make.
func (s *site) wants(all []golden) map[string]string {
	s.t.Helper()
	wants := map[string]string{}
	for _, g := range all {
		if g.patched == nil {
			continue
		}
		s.set(golden{name: g.name, account: corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: g.account.Namespace, Name: g.account.Name}}}, nil)
		want, err := s.ask(g.patched)
		if err != nil {
			s.t.Fatalf("%s: %v", g.name, err)
		}
		wants[g.name] = want
	}
	return wants
}

func isMirror(g golden) bool { return strings.HasSuffix(g.name, "+mirror") }

// key tells settings apart.
func key(s inject.Settings) string { return fmt.Sprintf("%+v", s) }
