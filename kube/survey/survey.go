// Package survey reads a cluster for people: why a pod got no identity, and who
// can reach what. It reads with whatever rights its caller has, says what it
// could not see, and changes nothing.
package survey

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
	"daypass.dev/kube/inject"
)

// A Cluster is one to be read.
type Cluster struct {
	objects client.Client
	core    kubernetes.Interface
	// Namespace is the one that kubectl would look into.
	Namespace string
}

// Connect finds the cluster as kubectl does: kubeconfig (empty: KUBECONFIG or
// ~/.kube/config), and its current context unless one is named.
func Connect(kubeconfig, kubecontext string) (*Cluster, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	loaded := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: kubecontext})
	config, err := loaded.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("finding the cluster: %w", err)
	}
	namespace, _, err := loaded.Namespace()
	if err != nil {
		return nil, fmt.Errorf("finding the cluster: %w", err)
	}
	return connect(config, namespace)
}

func connect(config *rest.Config, namespace string) (*Cluster, error) {
	config.WarningHandler = rest.NoWarnings{}
	s := runtime.NewScheme()
	utilruntime.Must(clientscheme.AddToScheme(s))
	utilruntime.Must(v1alpha1.AddToScheme(s))
	objects, err := client.New(config, client.Options{Scheme: s})
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	core, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	return &Cluster{objects, core, namespace}, nil
}

// Installation is daypass as the cluster has it.
type installation struct {
	settings inject.Settings
	known    bool               // settings are those of a program that was found
	injects  bool               // pods are given what they need, not by hand
	webhook  *appsv1.Deployment // nil: not found
	unseen   string             // why the settings could not be looked for
	programs []Program
	missed   string // why programs may be lacking
}

// installation reads the webhook's settings from its Deployment; where there is
// none, those of the detector or of the agents.
func (c *Cluster) installation(ctx context.Context) installation {
	in := installation{programs: []Program{}}
	var deployments appsv1.DeploymentList
	var daemons appsv1.DaemonSetList
	if err := c.objects.List(ctx, &deployments, component("")); err != nil {
		in.unseen, in.missed = short(err), short(err)
		return in
	}
	unlisted := c.objects.List(ctx, &daemons, component(""))
	if two := apart(deployments.Items, daemons.Items); two != "" {
		in.unseen, in.missed = two, two
		return in
	}
	for i, d := range deployments.Items {
		want := int32(1)
		if d.Spec.Replicas != nil {
			want = *d.Spec.Replicas
		}
		in.programs = append(in.programs, Program{d.Name, d.Status.ReadyReplicas, want})
		switch name := d.Labels[componentLabel]; {
		case name == "webhook":
			in.webhook = &deployments.Items[i]
			in.settings, in.known, in.injects = settingsOf(d.Spec.Template), true, true
		case name == "detector" && in.webhook == nil:
			in.settings, in.known, in.injects = settingsOf(d.Spec.Template), true, true
		}
	}
	if unlisted != nil {
		in.missed = short(unlisted)
		if !in.known {
			in.unseen = in.missed
		}
		return in
	}
	for _, d := range daemons.Items {
		in.programs = append(in.programs, Program{d.Name, d.Status.NumberReady, d.Status.DesiredNumberScheduled})
		if !in.known && d.Labels[componentLabel] == "node" {
			in.settings, in.known = settingsOf(d.Spec.Template), true
			in.settings.Agent = true
		}
	}
	return in
}

// apart names two programs that are not of one namespace, as a release's are.
// Whoever may make one may label it so: whose settings count is not to be
// guessed.
func apart(deployments []appsv1.Deployment, daemons []appsv1.DaemonSet) string {
	var all []metav1.ObjectMeta
	for _, d := range deployments {
		all = append(all, d.ObjectMeta)
	}
	for _, d := range daemons {
		all = append(all, d.ObjectMeta)
	}
	for _, d := range all {
		if d.Namespace != all[0].Namespace {
			return fmt.Sprintf("programs of two namespaces say that they are daypass's: %s/%s and %s/%s", all[0].Namespace, all[0].Name, d.Namespace, d.Name)
		}
	}
	return ""
}

const componentLabel = "app.kubernetes.io/component"

// component selects what is of one of daypass's programs, or of any.
func component(name string) client.MatchingLabels {
	l := client.MatchingLabels{"app.kubernetes.io/name": "daypass"}
	if name != "" {
		l[componentLabel] = name
	}
	return l
}

// settingsOf reads the variables of a program.
func settingsOf(pod corev1.PodTemplateSpec) inject.Settings {
	env := map[string]string{}
	for _, container := range pod.Spec.Containers {
		for _, v := range container.Env {
			env[v.Name] = v.Value
		}
	}
	return inject.Settings{
		Cluster: identity.Cluster{
			Name: env["DAYPASS_CLUSTER_NAME"], TrustDomain: env["DAYPASS_TRUST_DOMAIN"], Method: v1alpha1.Method(env["DAYPASS_METHOD"]),
			RolesAnywhere: v1alpha1.Anywhere{TrustAnchorARN: env["DAYPASS_TRUST_ANCHOR_ARN"], ProfileARN: env["DAYPASS_PROFILE_ARN"]},
		},
		Image: env["DAYPASS_IMAGE"], Region: env["DAYPASS_REGION"], Agent: env["DAYPASS_AGENT"] == "true", AgentIPv6: env["DAYPASS_AGENT_IPV6"] == "true",
		Certificates: inject.Certificates{
			Signer: env["DAYPASS_CERTIFICATE_SIGNER"], Secret: env["DAYPASS_CERTIFICATE_SECRET"],
			Issuer: inject.Issuer{Name: env["DAYPASS_CERTIFICATE_ISSUER"], Kind: env["DAYPASS_CERTIFICATE_ISSUER_KIND"], Group: env["DAYPASS_CERTIFICATE_ISSUER_GROUP"]},
		},
	}
}

// short is an error without what repeats the request.
func short(err error) string {
	if apierrors.IsForbidden(err) {
		return "the credentials here may not read it"
	}
	text := err.Error()
	if len(text) > 200 {
		text = text[:200]
	}
	return text
}
