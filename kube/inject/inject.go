// Package inject gives pods what they need to use their identity: Mutate says,
// as a JSON patch, what to add to a pod, and the Webhook answers the API
// server with it.
//
// There are four deliveries:
//
//	cluster-token  a token of the ServiceAccount and the variables with which
//	               SDKs take it to STS themselves; no container
//	agent          a token and the address of the node's agent
//	sidecar        daypass beside the workload, with a certificate, as IMDSv2
//	google-token   a token of a Google account, kept fresh by daypass
//
// A patch only ever adds, and only what is missing: what a pod's author wrote
// stays, fields that this package does not know stay, and a pod that was
// patched once is not patched again. It cannot see into envFrom: a variable
// that comes from there is overridden by the one that is added.
package inject

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/json"

	"daypass.dev/kube/identity"
)

// Settings are the platform team's, for all pods.
type Settings struct {
	// Cluster as identities are resolved with; certificates by CSI name it, too.
	Cluster identity.Cluster
	// Image of daypass, for deliveries with containers.
	Image string
	// Region that workloads work in, unless they say otherwise; empty: they are
	// told none.
	Region string
	// RegionalSTS makes old SDKs call the regional endpoint of STS, unless a
	// ServiceAccount's annotation says otherwise.
	RegionalSTS bool
	// TokenLife of tokens that no annotation asks more or less of; 0: 24 hours.
	// It should be twice the life of credentials or more.
	TokenLife time.Duration
	// Agent says that the node's agent serves this cluster: it then delivers
	// what otherwise takes a sidecar. Method eks always counts on an agent,
	// ours or EKS's.
	Agent bool
	// AgentIPv6 is for clusters whose pods have no IPv4 address.
	AgentIPv6 bool
	// Certificates say where sidecars have theirs from.
	Certificates Certificates
}

// A Result is what Mutate has to say of a pod.
type Result struct {
	// Delivery is empty if the pod is given nothing.
	Delivery Delivery
	// Patch adds what is missing; empty if nothing is.
	Patch []Operation
	// Warnings are for whoever created the pod: what was added, and what of
	// theirs stands in its way.
	Warnings []string
}

// A Delivery is a way of giving a pod its credentials.
type Delivery string

// The deliveries.
const (
	ClusterToken Delivery = "cluster-token"
	Agent        Delivery = "agent"
	Sidecar      Delivery = "sidecar"
	GoogleToken  Delivery = "google-token"
)

// Injected is the annotation that tells how a pod is given its credentials.
const Injected = "daypass.dev/injected"

// readPod reads a Pod as JSON. The error says why it is none.
func readPod(text []byte) (*corev1.Pod, error) {
	p := &corev1.Pod{}
	if err := json.UnmarshalCaseSensitivePreserveInts(text, p); err != nil {
		return nil, fmt.Errorf("reading the pod: %.200s", err.Error()) // which may quote it at length
	}
	if p.Name == "" && p.GenerateName == "" {
		return nil, errors.New("reading the pod: it has neither name nor generateName")
	}
	if len(p.Spec.Containers) == 0 {
		return nil, errors.New("reading the pod: it has no containers")
	}
	for _, c := range slices.Concat(p.Spec.Containers, p.Spec.InitContainers) {
		if c.Name == "" {
			return nil, errors.New("reading the pod: a container has no name")
		}
	}
	return p, nil
}

// Mutate says what to add to p so that it can use id. The zero Identity gets
// nothing, nor does the mirror of a static pod, which runs already. An error is
// an *identity.Refusal: the pod cannot be given this identity.
func Mutate(p *corev1.Pod, id identity.Identity, s Settings) (Result, error) {
	if id.Role() == "" || isMirror(p) {
		return Result{}, nil
	}
	add, err := s.addition(p, id)
	if err != nil {
		return Result{}, err
	}
	skip, err := skipped(p)
	if err != nil {
		return Result{}, err
	}
	e := &editor{pod: p, addition: add, skip: skip}
	if err := e.edit(); err != nil {
		return Result{}, err
	}
	return Result{Delivery: add.delivery, Patch: e.patch, Warnings: e.warnings(id)}, nil
}

// An addition is what a delivery wants a pod to have.
type addition struct {
	delivery Delivery
	volumes  []volume
	// mounts and variables are for the workload's containers.
	mounts    []corev1.VolumeMount
	variables []group
	// containers come before all other init containers, in this order.
	containers []corev1.Container
	label      string // KEY=VALUE; empty: none
	// louder are variables that, if a container has them, SDKs ask before this
	// delivery.
	louder []string
	note   string // for whoever created the pod; empty: nothing to say
}

// A volume is wanted; one of its name must be of the same kind.
type volume struct {
	corev1.Volume
	same func(corev1.VolumeSource) bool
}

// A group of variables is added whole, or not at all if the container has one
// of them or of unless.
type group struct {
	variables []corev1.EnvVar
	unless    []string
}

// isMirror tells pods that show what a kubelet runs from a file.
func isMirror(p *corev1.Pod) bool {
	_, mirror := p.Annotations[corev1.MirrorPodAnnotationKey]
	return mirror
}

// isWindows reports whether the pod wants a Windows node.
func isWindows(p *corev1.Pod) bool {
	if p.Spec.OS != nil {
		return p.Spec.OS.Name == corev1.Windows
	}
	for _, key := range []string{corev1.LabelOSStable, "beta.kubernetes.io/os"} {
		if strings.EqualFold(p.Spec.NodeSelector[key], "windows") {
			return true
		}
	}
	return false
}

func refuse(slug, format string, args ...any) error {
	return &identity.Refusal{Slug: slug, Detail: fmt.Sprintf(format, args...)}
}
