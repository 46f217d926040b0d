// Package vend gives the pods of one node their credentials: a pod's token says
// which pod asks, the cluster says who that pod is to AWS, and AWS gives
// credentials, which are kept fresh as long as the pod is there.
//
//	Tokens.Caller   a token, checked in full            → a Caller
//	Vendor.Source   a Caller, looked up in the cluster  → an Identity, and a source of its credentials
//
// Who has no token for the agent, as a CSI driver that is told of a pod by the
// kubelet, makes a Caller by hand.
//
// Credentials are shared where AWS would be asked the same: method, role,
// target role, session policy, session name and, with method eks, the pod. Each
// method has a limit of its own for the calls that it makes.
//
// No answer depends on what a pod says of itself: a *identity.Refusal says why
// it gets nothing, and its slug is in the catalogue of reasons.
package vend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"daypass.dev"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
	"daypass.dev/proof"
	"daypass.dev/refresh"
)

// A Caller is a pod that wants credentials.
type Caller struct {
	Namespace, Pod, ServiceAccount string
	// UID is the pod's.
	UID types.UID
	// Token is one of the pod's ServiceAccount, bound to the pod: methods eks and
	// web-identity show it to AWS. Nil: there is none, and these are refused.
	Token *proof.Token
	// From is the address that the caller has; invalid: it is not looked at.
	From netip.Addr
}

// A Directory yields what the cluster says. An error means that it cannot be
// known now.
type Directory interface {
	// Pod returns a pod as the cluster has it; nil if there is none of the name.
	// Fresh asks the API server itself.
	Pod(ctx context.Context, namespace, name string, fresh bool) (*corev1.Pod, error)
	// Lookup returns the account, nil if there is none, and all associations.
	Lookup(ctx context.Context, namespace, account string) (*corev1.ServiceAccount, []v1alpha1.PodIdentityAssociation, error)
}

// A Vendor vends. Its fields must not change once it is used.
type Vendor struct {
	Cluster identity.Cluster
	// Node is this node's name: no pod of another gets anything.
	Node      string
	Directory Directory
	Upstream  Upstream
	// Addresses says what to do about a Caller whose address is none of its
	// pod's: Enforce by default.
	Addresses Addresses
	// Rate is how many calls to AWS begin in a second at most, for each method;
	// zero: as many as want to.
	Rate float64
	// KeepDir is refresh.Group's Dir.
	KeepDir string
	// Observe is told of each call to AWS: for whom, nil or what went wrong, and
	// how long it took. It must return at once. Nil: nobody is.
	Observe func(id identity.Identity, err error, took time.Duration)
	// Log is told of what goes wrong in the background. Nil: silent.
	Log *slog.Logger

	mu     sync.Mutex
	groups map[v1alpha1.Method]*refresh.Group
	shares map[string]*share // :: key of a group
	pods   map[types.UID]user
	gone   map[types.UID]bool
	closed bool
}

// A share is what callers with one key have in common.
type share struct {
	id     atomic.Pointer[identity.Identity] // of the latest caller: what gives the role may change
	bearer bearer
	keys   *certificate // nil: the method needs none
	source *refresh.Source
}

// A user is a pod that has asked.
type user struct{ namespace, name, key string }

// Source decides who the caller is to AWS, and returns a source of its
// credentials, which is kept fresh as long as the pod is there. Callers ask
// anew each time: the cluster may have changed its mind.
//
// Errors are *identity.Refusal; any other means that it cannot be known now.
func (v *Vendor) Source(ctx context.Context, c Caller) (daypass.Source, identity.Identity, error) {
	pod, err := v.pod(ctx, c)
	if err != nil {
		return nil, identity.Identity{}, err
	}
	id, err := v.resolve(ctx, pod)
	if err != nil {
		return nil, id, err
	}
	s, err := v.share(c, id)
	if err != nil {
		return nil, id, err
	}
	return s.source, id, nil
}

// resolve asks the cluster who a pod is. On a cluster whose method is eks, a
// pod of which nothing is said here has what EKS's own association gives it.
func (v *Vendor) resolve(ctx context.Context, pod *corev1.Pod) (identity.Identity, error) {
	account, associations, err := v.Directory.Lookup(ctx, pod.Namespace, pod.Spec.ServiceAccountName)
	if err != nil {
		return identity.Identity{}, fmt.Errorf("looking up ServiceAccount %s/%s: %w", pod.Namespace, pod.Spec.ServiceAccountName, err)
	}
	id, _, err := identity.Resolve(pod, account, associations, v.Cluster)
	if err != nil {
		return id, err
	}
	if id.Role() == "" {
		if v.Cluster.Method != v1alpha1.EKS {
			return id, refuse("identity-none", "nothing gives ServiceAccount %s/%s a role", pod.Namespace, pod.Spec.ServiceAccountName)
		}
		id = identity.Identity{Namespace: pod.Namespace, ServiceAccount: pod.Spec.ServiceAccountName, Method: v1alpha1.EKS}
	}
	return id, nil
}

// share finds or makes what callers of this kind have in common.
func (v *Vendor) share(c Caller, id identity.Identity) (*share, error) {
	if err := v.usable(c, id); err != nil {
		return nil, err
	}
	key, err := keyOf(c, id)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.shares[key]
	if s == nil {
		s = &share{}
		call, changed, err := v.call(c, id, s)
		if err != nil {
			return nil, err
		}
		from := observed{id: &s.id, source: call, tell: v.Observe}
		s.id.Store(&id) // before a call is made
		s.source = v.group(id.Method).Source(key, func() (daypass.Source, func() bool) { return from, changed })
		if v.shares == nil {
			v.shares, v.pods = map[string]*share{}, map[types.UID]user{}
		}
		v.shares[key] = s
	}
	s.id.Store(&id)
	if s.bearer.show(c.Token) {
		s.source.Retry() // it may have waited for that
	}
	v.pods[c.UID] = user{c.Namespace, c.Pod, key}
	return s, nil
}

// group holds the sources of a method. mu is held.
func (v *Vendor) group(m v1alpha1.Method) *refresh.Group {
	g := v.groups[m]
	if g == nil {
		if v.groups == nil {
			v.groups = map[v1alpha1.Method]*refresh.Group{}
		}
		g = &refresh.Group{Rate: v.Rate, Dir: v.KeepDir, Log: v.Log}
		if v.closed {
			_ = g.Close()
		}
		v.groups[m] = g
	}
	return g
}

// keyOf names what AWS would answer.
func keyOf(c Caller, id identity.Identity) (string, error) {
	pod := types.UID("")
	session := id.SessionName(c.Pod)
	switch {
	case id.Method == v1alpha1.EKS: // tags and session name the pod
		pod, session = c.UID, ""
	case id.Method == v1alpha1.RolesAnywhere && id.Session == "" && id.TargetRoleARN == "":
		session = "" // the certificate's serial number
	}
	key, err := json.Marshal([]any{
		id.Method, id.Namespace, id.ServiceAccount, id.RoleARN, id.TargetRoleARN, id.RolesAnywhere,
		id.Policy, id.DisableSessionTags, session, pod,
	})
	return string(key), err
}

// Forget drops what pods had that are gone. Call it once in a while.
func (v *Vendor) Forget(ctx context.Context) {
	v.mu.Lock()
	users := make(map[types.UID]user, len(v.pods))
	for uid, u := range v.pods {
		users[uid] = u
	}
	v.mu.Unlock()
	var gone []types.UID
	for uid, u := range users {
		pod, err := v.Directory.Pod(ctx, u.namespace, u.name, false)
		if err == nil && (pod == nil || pod.UID != uid || ended(pod)) {
			gone = append(gone, uid)
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, uid := range gone {
		delete(v.pods, uid)
	}
	wanted, used := map[string]bool{}, map[*certificate]bool{}
	for _, u := range v.pods {
		wanted[u.key] = true
	}
	for key, s := range v.shares {
		if !wanted[key] {
			delete(v.shares, key)
			continue
		}
		used[s.keys] = true
	}
	if c := v.Upstream.Certificates; c != nil {
		c.keep(used)
	}
	for _, g := range v.groups {
		g.Drop(func(key string) bool { return wanted[key] })
	}
}

// A Status is how the credentials of some pods of one ServiceAccount fare.
type Status struct {
	refresh.Status
	Identity identity.Identity
}

// Statuses tell how all credentials fare.
func (v *Vendor) Statuses() []Status {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := make([]Status, 0, len(v.shares))
	for _, s := range v.shares {
		all = append(all, Status{s.source.Status(), *s.id.Load()})
	}
	return all
}

// Close ends all renewal.
func (v *Vendor) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
	var errs []error
	for _, g := range v.groups {
		errs = append(errs, g.Close())
	}
	return errors.Join(errs...)
}

// observed tells of each call; where the pod's token is missing there was none.
type observed struct {
	id     *atomic.Pointer[identity.Identity]
	source daypass.Source
	tell   func(identity.Identity, error, time.Duration)
}

// Credentials implements daypass.Source.
func (o observed) Credentials(ctx context.Context) (daypass.Credentials, error) {
	begin := time.Now()
	got, err := o.source.Credentials(ctx)
	if o.tell != nil && !errors.Is(err, errNoToken) {
		o.tell(*o.id.Load(), err, time.Since(begin))
	}
	return got, err
}

func refuse(slug, format string, args ...any) error {
	return &identity.Refusal{Slug: slug, Detail: fmt.Sprintf(format, args...)}
}
