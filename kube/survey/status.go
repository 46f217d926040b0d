package survey

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
	"daypass.dev/kube/inject"
)

// A Workload is one pod that has an identity, or should have; or a
// ServiceAccount whose pods were denied just now, so that there are none.
type Workload struct {
	Namespace      string `json:"namespace"`
	Pod            string `json:"pod,omitempty"`
	ServiceAccount string `json:"serviceAccount"`
	Node           string `json:"node,omitempty"`
	Method         string `json:"method,omitempty"`
	Role           string `json:"role,omitempty"`
	Rule           string `json:"rule,omitempty"`
	Association    string `json:"association,omitempty"`
	Delivery       string `json:"delivery,omitempty"`
	Ready          bool   `json:"ready"`
	// Reason is why it has no identity, not the means to use it, or no
	// credentials: a slug, or the code of AWS's answer.
	Reason string `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
	// CertificateExpires is when the pod's own certificate ends, if the cluster
	// issued one by a PodCertificateRequest.
	CertificateExpires *time.Time `json:"certificateExpires,omitempty"`
	// CredentialsExpire is when those end that the node's agent holds for the
	// pod's ServiceAccount; of several, the first. Sidecars keep theirs to
	// themselves.
	CredentialsExpire *time.Time `json:"credentialsExpire,omitempty"`
	// LastOK is when AWS last gave credentials for the association.
	LastOK *time.Time `json:"lastOK,omitempty"`
	// LastRefusal is the latest that an Event tells of, which may be mended since.
	LastRefusal *Refusal `json:"lastRefusal,omitempty"`
}

// A Status says who can reach what.
type Status struct {
	// At is when the cluster was read.
	At        time.Time  `json:"at"`
	Workloads []Workload `json:"workloads"`
	// Programs are those of daypass that run, and how many replicas are ready.
	Programs []Program `json:"programs"`
	// Agents are those of the nodes that the workloads run on.
	Agents []Agent `json:"agents,omitempty"`
	// Unseen is what the caller may not read.
	Unseen []string `json:"unseen,omitempty"`
}

// A Program is one of daypass's in the cluster.
type Program struct {
	Name  string `json:"name"`
	Ready int32  `json:"ready"`
	Want  int32  `json:"want"`
}

// Span is a duration as people say it.
func Span(d time.Duration) string { return duration.HumanDuration(max(d, 0)) }

// A reading is what a status is made of.
type reading struct {
	pods         []corev1.Pod
	accounts     []corev1.ServiceAccount
	associations []v1alpha1.PodIdentityAssociation
	settings     inject.Settings
	known        bool                 // these are the cluster's settings
	injects      bool                 // what a pod lacks was missed, and is not given by hand
	certificates map[string]time.Time // ends, by NAMESPACE/POD
	refusals     map[string]Refusal   // by KIND/NAMESPACE/NAME
}

// Status reads a namespace; empty: all of them. An error says that pods or
// ServiceAccounts cannot be listed; what else was not to be had, Unseen tells.
func (c *Cluster) Status(ctx context.Context, namespace string) (*Status, error) {
	in := c.installation(ctx)
	s := &Status{Workloads: []Workload{}, Programs: in.programs}
	r := reading{settings: in.settings, known: in.known, injects: in.injects}
	var pods corev1.PodList
	var accounts corev1.ServiceAccountList
	if err := c.objects.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("listing pods: %w", err)
	}
	if err := c.objects.List(ctx, &accounts, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("listing ServiceAccounts: %w", err)
	}
	r.pods, r.accounts = pods.Items, accounts.Items
	unseen := func(what string, err error) {
		if err != nil {
			s.Unseen = append(s.Unseen, what+": "+short(err))
		}
	}
	var associations v1alpha1.PodIdentityAssociationList
	unseen("PodIdentityAssociations", c.objects.List(ctx, &associations))
	r.associations = associations.Items
	switch {
	case in.unseen != "":
		s.Unseen = append(s.Unseen, "the cluster's settings, which say by which method most pods ask: "+in.unseen)
	case !in.known:
		s.Unseen = append(s.Unseen, "the cluster's settings, which say by which method most pods ask: none of daypass's programs is here")
	}
	if in.missed != "" {
		s.Unseen = append(s.Unseen, "daypass's programs: "+in.missed)
	}
	var err error
	r.certificates, err = c.certificates(ctx, namespace)
	unseen("PodCertificateRequests", err)
	r.refusals, err = c.refusals(ctx, namespace)
	unseen("Events", err)

	s.At = time.Now()
	s.Workloads = r.workloads(s.At)
	s.Agents, err = c.agents(ctx, nodes(s.Workloads))
	unseen("agents", err)
	s.held()
	return s, nil
}

// nodes are those where an agent is to deliver.
func nodes(all []Workload) map[string]bool {
	on := map[string]bool{}
	for _, w := range all {
		if w.asksAgent() {
			on[w.Node] = true
		}
	}
	return on
}

// asksAgent tells whether the node's agent may have something for the workload:
// it was given what asks there, or by hand what nobody knows.
func (w *Workload) asksAgent() bool {
	return w.Node != "" && w.Role != "" && (w.Delivery == string(inject.Agent) || w.Delivery == "")
}

// denied is how long an Event on a ServiceAccount is taken for news: it is told
// again every ten minutes.
const denied = 15 * time.Minute

// workloads are the rows, without what the agents know.
func (r *reading) workloads(now time.Time) []Workload {
	all := []Workload{}
	lastOK := map[string]*time.Time{}
	for i := range r.associations {
		if at := r.associations[i].Status.LastOK; at != nil {
			lastOK[r.associations[i].Name] = &at.Time
		}
	}
	accounts := map[string]*corev1.ServiceAccount{}
	for i, a := range r.accounts {
		accounts[a.Namespace+"/"+a.Name] = &r.accounts[i]
		if why, ok := r.refusals["ServiceAccount/"+a.Namespace+"/"+a.Name]; ok && now.Sub(why.At) < denied {
			all = append(all, Workload{Namespace: a.Namespace, ServiceAccount: a.Name, Reason: why.Reason, Detail: why.Detail, LastRefusal: &why})
		}
	}
	for i := range r.pods {
		pod := &r.pods[i]
		account := accounts[pod.Namespace+"/"+pod.Spec.ServiceAccountName]
		if over(pod) || account == nil {
			continue
		}
		w := workload(pod, account, r.associations, r.settings)
		if !r.known || !r.injects && w.Reason == "injection-missed" { // what is refused or missing depends on them
			w.Reason, w.Detail = "", ""
		}
		if w.Role == "" && w.Reason == "" {
			continue
		}
		if end, ok := r.certificates[pod.Namespace+"/"+pod.Name]; ok {
			w.CertificateExpires = &end
		}
		if why, ok := r.refusals["Pod/"+pod.Namespace+"/"+pod.Name]; ok {
			w.LastRefusal = &why
		}
		w.LastOK = lastOK[w.Association]
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b Workload) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.ServiceAccount, b.ServiceAccount))
	})
	return all
}

// held adds what the agents hold for the workloads of their nodes. One that has
// none, although it was asked, has been refused, or AWS does not answer.
func (s *Status) held() {
	on := map[string]*Agent{}
	for i := range s.Agents {
		on[s.Agents[i].Node] = &s.Agents[i]
	}
	for i := range s.Workloads {
		w := &s.Workloads[i]
		a := on[w.Node]
		if a == nil || !w.asksAgent() {
			continue
		}
		left, asked := a.credentials[w.Namespace+"/"+w.ServiceAccount]
		switch {
		case !asked:
		case left > 0:
			end := s.At.Add(time.Duration(left * float64(time.Second))).Truncate(time.Second)
			w.CredentialsExpire = &end
		case w.Reason != "":
		case w.LastRefusal != nil:
			w.Reason, w.Detail = w.LastRefusal.Reason, w.LastRefusal.Detail
		default:
			w.Reason, w.Detail = "credentials-none", "the agent of "+w.Node+" has no credentials for it that live"
		}
	}
}

func workload(pod *corev1.Pod, account *corev1.ServiceAccount, associations []v1alpha1.PodIdentityAssociation, s inject.Settings) Workload {
	w := Workload{
		Namespace: pod.Namespace, Pod: pod.Name, ServiceAccount: account.Name, Node: pod.Spec.NodeName,
		Delivery: pod.Annotations[inject.Injected], Ready: isReady(pod),
	}
	id, _, err := identity.Resolve(pod, account, associations, s.Cluster)
	w.Method, w.Role, w.Rule, w.Association = string(id.Method), id.Role(), id.Rule, id.Association
	if refused := refusal(err); refused != nil {
		w.Reason, w.Detail = refused.Slug, refused.Detail
	} else if missed := inject.Missed(pod, account, associations, s); missed != nil {
		w.Reason, w.Detail = missed.Slug, missed.Detail
	}
	return w
}

// over tells that a pod uses nothing any more.
func over(p *corev1.Pod) bool {
	return p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
