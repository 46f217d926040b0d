package survey

import (
	"context"
	"fmt"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"daypass.dev/kube/api/v1alpha1"
)

// What daypass is in a cluster: the settings of the webhook, else of the
// detector, else of the agents; and what remains unknown to who may not look.
func TestInstallation(t *testing.T) {
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "daypass", Name: "daypass-" + name, Labels: component(name)}
	}
	template := func(cluster string) corev1.PodTemplateSpec {
		return corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Env: []corev1.EnvVar{{Name: "DAYPASS_CLUSTER_NAME", Value: cluster}}}}}}
	}
	three := int32(3)
	webhook := &appsv1.Deployment{ObjectMeta: meta("webhook"), Spec: appsv1.DeploymentSpec{Replicas: &three, Template: template("by-webhook")}, Status: appsv1.DeploymentStatus{ReadyReplicas: 2}}
	detector := &appsv1.Deployment{ObjectMeta: meta("detector"), Spec: appsv1.DeploymentSpec{Template: template("by-detector")}}
	node := &appsv1.DaemonSet{ObjectMeta: meta("node"), Spec: appsv1.DaemonSetSpec{Template: template("by-node")}, Status: appsv1.DaemonSetStatus{NumberReady: 4, DesiredNumberScheduled: 5}}
	another := webhook.DeepCopy()
	another.Namespace, another.Spec.Template = "shop", template("by-a-tenant")
	others := node.DeepCopy() // in a namespace that is listed before ours
	others.Namespace, others.Spec.Template = "a-shop", template("by-a-tenant")
	programs := []Program{{"daypass-detector", 0, 1}, {"daypass-webhook", 2, 3}, {"daypass-node", 4, 5}}
	for name, row := range map[string]struct {
		objects        []client.Object
		hidden         string // kind of list that may not be read
		cluster        string
		injects, agent bool
		programs       []Program
		unseen, missed bool
	}{
		"everything":               {objects: []client.Object{webhook, detector, node}, cluster: "by-webhook", injects: true, programs: programs},
		"no webhook":               {objects: []client.Object{detector, node}, cluster: "by-detector", injects: true, programs: slices.Delete(slices.Clone(programs), 1, 2)},
		"agents alone":             {objects: []client.Object{node}, cluster: "by-node", agent: true, programs: programs[2:]},
		"two webhooks":             {objects: []client.Object{webhook, another}, programs: []Program{}, unseen: true, missed: true},
		"detector, tenant's hook":  {objects: []client.Object{detector, another}, programs: []Program{}, unseen: true, missed: true},
		"agents, tenant's hook":    {objects: []client.Object{node, another}, programs: []Program{}, unseen: true, missed: true},
		"agents, tenant's agents":  {objects: []client.Object{node, others}, programs: []Program{}, unseen: true, missed: true},
		"nothing":                  {programs: []Program{}},
		"no right on Deployments":  {objects: []client.Object{webhook, node}, hidden: "*v1.DeploymentList", programs: []Program{}, unseen: true, missed: true},
		"no right on DaemonSets":   {objects: []client.Object{webhook, node}, hidden: "*v1.DaemonSetList", cluster: "by-webhook", injects: true, programs: programs[1:2], missed: true},
		"nor anything that is not": {objects: []client.Object{node}, hidden: "*v1.DaemonSetList", programs: []Program{}, unseen: true, missed: true},
	} {
		t.Run(name, func(t *testing.T) {
			in := clusterOf(t, row.hidden, row.objects...).installation(t.Context())
			if in.settings.Cluster.Name != row.cluster || in.known != (row.cluster != "") || in.injects != row.injects || in.settings.Agent != row.agent {
				t.Errorf("%+v", in)
			}
			if !slices.Equal(in.programs, row.programs) || in.programs == nil {
				t.Errorf("programs %+v", in.programs)
			}
			if (in.unseen != "") != row.unseen || (in.missed != "") != row.missed {
				t.Errorf("unseen %q, missed %q", in.unseen, in.missed)
			}
		})
	}
}

// clusterOf has these objects; lists of the hidden type may not be read.
func clusterOf(t *testing.T, hidden string, objects ...client.Object) *Cluster {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	return &Cluster{objects: fake.NewClientBuilder().WithScheme(s).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if fmt.Sprintf("%T", list) == hidden {
				return apierrors.NewForbidden(schema.GroupResource{}, "", nil)
			}
			return c.List(ctx, list, opts...)
		},
	}).Build()}
}
