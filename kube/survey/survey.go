// Package survey reads a cluster for people: why a pod got no identity, and who
// can reach what. It reads with whatever rights its caller has, says what it
// could not see, and changes nothing.
package survey

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
	webhook  *appsv1.Deployment // nil: not found
	unseen   string             // why it could not be looked for
}

// installation reads the webhook's settings from its Deployment.
func (c *Cluster) installation(ctx context.Context) installation {
	var in installation
	var all appsv1.DeploymentList
	err := c.objects.List(ctx, &all, client.MatchingLabels{"app.kubernetes.io/name": "daypass", "app.kubernetes.io/component": "webhook"})
	if err != nil {
		in.unseen = short(err)
		return in
	}
	if len(all.Items) == 0 {
		return in
	}
	in.webhook = &all.Items[0]
	env := map[string]string{}
	for _, container := range in.webhook.Spec.Template.Spec.Containers {
		for _, v := range container.Env {
			env[v.Name] = v.Value
		}
	}
	in.settings = inject.Settings{
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
	return in
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

// A Workload is one pod that has an identity, or should have.
type Workload struct {
	Namespace      string `json:"namespace"`
	Pod            string `json:"pod"`
	ServiceAccount string `json:"serviceAccount"`
	Method         string `json:"method,omitempty"`
	Role           string `json:"role,omitempty"`
	Rule           string `json:"rule,omitempty"`
	Delivery       string `json:"delivery,omitempty"`
	Ready          bool   `json:"ready"`
	// Reason is the slug of why it has no identity, or not the means to use it.
	Reason string `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
	// CertificateExpires is when the pod's own certificate ends, if the cluster
	// issued one by a PodCertificateRequest.
	CertificateExpires *time.Time `json:"certificateExpires,omitempty"`
}

// A Status says who can reach what.
type Status struct {
	Workloads []Workload `json:"workloads"`
	// Programs are those of daypass that run, and how many replicas are ready.
	Programs []Program `json:"programs"`
	// Unseen is what the caller may not read.
	Unseen []string `json:"unseen,omitempty"`
}

// A Program is one of daypass's in the cluster.
type Program struct {
	Name        string `json:"name"`
	Ready, Want int32
}

// Status reads a namespace, or all of them.
func (c *Cluster) Status(ctx context.Context, namespace string) (*Status, error) {
	s := &Status{Workloads: []Workload{}}
	var pods corev1.PodList
	var accounts corev1.ServiceAccountList
	if err := c.objects.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("listing pods: %w", err)
	}
	if err := c.objects.List(ctx, &accounts, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("listing ServiceAccounts: %w", err)
	}
	var associations v1alpha1.PodIdentityAssociationList
	if err := c.objects.List(ctx, &associations); err != nil {
		s.Unseen = append(s.Unseen, "PodIdentityAssociations: "+short(err))
	}
	in := c.installation(ctx)
	if in.unseen != "" {
		s.Unseen = append(s.Unseen, "daypass's Deployments: "+in.unseen)
	}
	c.programs(ctx, s)
	ends := c.certificates(ctx, namespace, s)
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		j := slices.IndexFunc(accounts.Items, func(a corev1.ServiceAccount) bool {
			return a.Namespace == pod.Namespace && a.Name == pod.Spec.ServiceAccountName
		})
		if j < 0 {
			continue
		}
		w := workload(pod, &accounts.Items[j], associations.Items, in.settings)
		if end, ok := ends[pod.Namespace+"/"+pod.Name]; ok {
			w.CertificateExpires = &end
		}
		if w.Role != "" || w.Reason != "" {
			s.Workloads = append(s.Workloads, w)
		}
	}
	slices.SortFunc(s.Workloads, func(a, b Workload) int { return strings.Compare(a.Namespace+"/"+a.Pod, b.Namespace+"/"+b.Pod) })
	return s, nil
}

func workload(pod *corev1.Pod, account *corev1.ServiceAccount, associations []v1alpha1.PodIdentityAssociation, s inject.Settings) Workload {
	w := Workload{Namespace: pod.Namespace, Pod: pod.Name, ServiceAccount: account.Name, Delivery: pod.Annotations[inject.Injected], Ready: isReady(pod)}
	id, _, err := identity.Resolve(pod, account, associations, s.Cluster)
	w.Method, w.Role, w.Rule = string(id.Method), id.Role(), id.Rule
	if refused := refusal(err); refused != nil {
		w.Reason, w.Detail = refused.Slug, refused.Detail
	} else if missed := inject.Missed(pod, account, associations, s); missed != nil {
		w.Reason, w.Detail = missed.Slug, missed.Detail
	}
	return w
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func (c *Cluster) programs(ctx context.Context, s *Status) {
	ours := client.MatchingLabels{"app.kubernetes.io/name": "daypass"}
	var deployments appsv1.DeploymentList
	var daemons appsv1.DaemonSetList
	if c.objects.List(ctx, &deployments, ours) == nil {
		for _, d := range deployments.Items {
			want := int32(1)
			if d.Spec.Replicas != nil {
				want = *d.Spec.Replicas
			}
			s.Programs = append(s.Programs, Program{d.Name, d.Status.ReadyReplicas, want})
		}
	}
	if c.objects.List(ctx, &daemons, ours) == nil {
		for _, d := range daemons.Items {
			s.Programs = append(s.Programs, Program{d.Name, d.Status.NumberReady, d.Status.DesiredNumberScheduled})
		}
	}
}
