package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
	"daypass.dev/kube/inject"
)

// A holding is a cache of what it holds.
type holding struct {
	cache.Cache
	namespaces []corev1.Namespace
	pods       []corev1.Pod
	accounts   []corev1.ServiceAccount
	all        []v1alpha1.PodIdentityAssociation
}

func (h holding) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	switch l := list.(type) {
	case *corev1.NamespaceList:
		l.Items = h.namespaces
	case *corev1.PodList:
		l.Items = h.pods
	case *v1alpha1.PodIdentityAssociationList:
		l.Items = h.all
	}
	return nil
}

func (h holding) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	for _, a := range h.accounts {
		if a.Namespace == key.Namespace && a.Name == key.Name {
			*into.(*corev1.ServiceAccount) = a
			return nil
		}
	}
	return context.Canceled
}

func called(namespace, name string, annotations map[string]string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID(namespace + "/" + name), Annotations: annotations,
		Labels: map[string]string{"kubernetes.io/metadata.name": name},
	}
}

func TestMissedPodsAreTold(t *testing.T) {
	role := map[string]string{identity.RuleDaypass: "arn:aws:iam::111122223333:role/a"}
	pod := func(namespace, name string, change ...func(*corev1.Pod)) corev1.Pod {
		p := corev1.Pod{ObjectMeta: called(namespace, name, nil), Spec: corev1.PodSpec{ServiceAccountName: "web", Containers: []corev1.Container{{Name: "c"}}}}
		for _, c := range change {
			c(&p)
		}
		return p
	}
	out := map[string]string{inject.Label: "false"}
	h := holding{
		namespaces: []corev1.Namespace{{ObjectMeta: called("", "shop", nil)}, {ObjectMeta: called("", "plain", nil)}, {ObjectMeta: called("", "kube-system", nil)}},
		accounts: []corev1.ServiceAccount{
			{ObjectMeta: called("shop", "web", role)}, {ObjectMeta: called("plain", "web", nil)}, {ObjectMeta: called("kube-system", "web", role)},
			{ObjectMeta: called("shop", "torn", map[string]string{identity.RuleDaypass: "no role"})},
		},
		pods: []corev1.Pod{
			pod("shop", "escaped"),
			pod("shop", "refused", func(p *corev1.Pod) { p.Spec.ServiceAccountName = "torn" }),
			pod("shop", "given", func(p *corev1.Pod) { p.Annotations = map[string]string{inject.Injected: "cluster-token"} }),
			pod("shop", "over", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }),
			pod("shop", "failed", func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }),
			pod("shop", "going", func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} }),
			pod("shop", "out", func(p *corev1.Pod) { p.Labels = out }),
			pod("shop", "unknown", func(p *corev1.Pod) { p.Spec.ServiceAccountName = "gone" }),
			pod("plain", "nobody"), pod("kube-system", "system"),
		},
	}
	s := shelf{got: make(chan *corev1.Event, 10)}
	var log strings.Builder
	l := slog.New(slog.NewTextHandler(&log, nil))
	d := &detective{
		directory: &directory{watched: h}, settings: inject.Settings{Cluster: identity.Cluster{Method: v1alpha1.WebIdentity}}, log: l,
		events: newEvents(t.Context(), "detector", s, l), asks: inject.Registration{Namespace: "daypass"}.Asks(),
	}
	for range 2 { // the second time all is told already
		if err := d.pods(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]string{}
	for range 2 {
		e := <-s.got
		got[e.InvolvedObject.Name] = e.Message
		if o := e.InvolvedObject; o.Kind != "Pod" || o.Namespace != "shop" || e.Namespace != "shop" || o.UID == "" || e.Reason != "IdentityMissed" {
			t.Errorf("%+v", e)
		}
	}
	if !strings.HasSuffix(got["escaped"], "(injection-missed)") || !strings.HasSuffix(got["refused"], "(role-arn-malformed)") || len(s.got) > 0 {
		t.Errorf("told %v, and %d more", got, len(s.got))
	}
	if d.missed.Load() != 2 || strings.Count(log.String(), "pod runs without its identity") != 2 {
		t.Errorf("%d missed; %s", d.missed.Load(), &log)
	}
}

func TestStatusOfAssociations(t *testing.T) {
	usable := v1alpha1.PodIdentityAssociation{ObjectMeta: metav1.ObjectMeta{Name: "a", Generation: 3}, Spec: v1alpha1.PodIdentityAssociationSpec{
		Namespace: "shop", ServiceAccount: "*", RoleARN: "arn:aws:iam::111122223333:role/a", DisableSessionTags: true,
	}}
	for _, test := range []struct {
		method       v1alpha1.Method
		target       string
		status, slug string
	}{
		{v1alpha1.WebIdentity, "", "True", ""},
		{"", "", "False", "method-unset"},
		{"magic", "", "False", "method-unknown"},
		{v1alpha1.WebIdentity, "arn:aws:iam::111122223333:role/b", "False", "agent-needed"},
	} {
		a := usable
		a.Spec.TargetRoleARN = test.target
		d := &detective{settings: inject.Settings{Cluster: identity.Cluster{Method: test.method}}}
		patch, err := d.status(&a, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ Status map[string]any }
		if err := json.Unmarshal(patch, &got); err != nil {
			t.Fatal(err)
		}
		if names := slices.Sorted(maps.Keys(got.Status)); !slices.Equal(names, []string{"conditions", "method", "observedGeneration", "reason"}) {
			t.Errorf("the patch is of %v: lastOK is not ours", names)
		}
		if err := json.Unmarshal(patch, &a); err != nil {
			t.Fatal(err)
		}
		c := a.Status.Conditions
		if len(c) != 1 || string(c[0].Status) != test.status || a.Status.Reason != test.slug || a.Status.ObservedGeneration != 3 ||
			test.slug != "" && !strings.Contains(c[0].Message, ": ") {
			t.Errorf("%s %s: %+v", test.method, test.target, a.Status)
		}
		if test.method == v1alpha1.WebIdentity && a.Status.Method != test.method || test.method != v1alpha1.WebIdentity && got.Status["method"] != nil {
			t.Errorf("%s: method %v", test.method, got.Status["method"])
		}
		a.Status.LastOK = &metav1.Time{Time: time.Now()}
		if patch, err := d.status(&a, nil); patch != nil || err != nil {
			t.Errorf("%s: said again: %s, %v", test.method, patch, err)
		}
	}
}

func TestPodsAreKeptBare(t *testing.T) {
	secret := "hunter2"
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "p", UID: "1", Labels: map[string]string{"a": "b"}, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}},
		Spec: corev1.PodSpec{ServiceAccountName: "web", Containers: []corev1.Container{{
			Name: "c", Args: []string{secret}, Env: []corev1.EnvVar{{Name: "PASSWORD", Value: secret}}, Ports: []corev1.ContainerPort{{ContainerPort: 9911}},
		}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Message: secret},
	}
	if _, err := bare(p); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), secret) || strings.Contains(string(text), "kubectl") {
		t.Errorf("kept: %s", text)
	}
	if p.Name != "p" || p.UID != "1" || p.Labels["a"] != "b" || p.Spec.ServiceAccountName != "web" || p.Spec.Containers[0].Ports[0].ContainerPort != 9911 || p.Status.Phase != corev1.PodRunning {
		t.Errorf("lost: %s", text)
	}
}
