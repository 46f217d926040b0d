package main

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	driver "sigs.k8s.io/secrets-store-csi-driver/provider/v1alpha1"

	"daypass.dev/kube/agent"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
	"daypass.dev/kube/vend"
	"daypass.dev/proof"
)

// A nodeOfOne has one pod, until it is gone, and does not let its taint be taken.
type nodeOfOne struct {
	client.Client
	gone   atomic.Bool
	denied atomic.Int32
}

func (n *nodeOfOne) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	n.denied.Add(1)
	return errors.New("not today")
}

func (n *nodeOfOne) Pod(context.Context, string, string, bool) (*corev1.Pod, error) {
	if n.gone.Load() {
		return nil, nil
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", UID: "uid-1"}, Spec: corev1.PodSpec{NodeName: "n1", ServiceAccountName: "web"},
	}, nil
}

func (n *nodeOfOne) Lookup(context.Context, string, string) (*corev1.ServiceAccount, []v1alpha1.PodIdentityAssociation, error) {
	return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "web", Annotations: map[string]string{"daypass.dev/role-arn": "arn:aws:iam::111122223333:role/web"},
	}}, nil, nil
}

// Where the node keeps its taint, the agent goes on trying, and what a pod had
// that is gone is dropped all the same.
func TestForgetsOnATaintedNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := &nodeOfOne{}
		n := &nodeProgram{
			flags: newNodeFlags(), dir: &nodeDirectory{directory: &directory{live: cluster}}, metrics: agent.NewMetrics(), log: slog.New(slog.DiscardHandler),
			vendor: &vend.Vendor{
				Cluster: identity.Cluster{Name: "prod", Method: v1alpha1.WebIdentity}, Node: "n1", Directory: cluster, Upstream: vend.Upstream{Region: "us-east-1"},
			},
		}
		defer n.vendor.Close()
		caller := vend.Caller{Namespace: "shop", Pod: "web-1", ServiceAccount: "web", UID: "uid-1", Token: &proof.Token{Expires: time.Now().Add(time.Hour)}}
		if _, _, err := n.vendor.Source(t.Context(), caller); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go n.housekeeping(ctx, func(context.Context) error { return nil })
		time.Sleep(2 * time.Minute)
		if len(n.vendor.Statuses()) != 1 {
			t.Error("what a pod has that is there was dropped")
		}
		cluster.gone.Store(true)
		time.Sleep(time.Minute)
		if len(n.vendor.Statuses()) != 0 {
			t.Error("what a pod had that is gone is kept")
		}
		if n := cluster.denied.Load(); n < 100 {
			t.Errorf("the taint was tried for %d times in three minutes", n)
		}
	})
}

// An agent that is exchanged answers the mounts that are under way before it goes.
func TestMountsUnderWayEnd(t *testing.T) {
	const token = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.e30.c2ln" // {"alg":"RS256","kid":"k"}, {}, by nobody
	asked, ended := make(chan struct{}), atomic.Bool{}
	ctx, stop := context.WithCancel(t.Context())
	n := &nodeProgram{
		flags: newNodeFlags(), metrics: agent.NewMetrics(), log: slog.New(slog.DiscardHandler), vendor: &vend.Vendor{},
		tokens: &vend.Tokens{Fetch: func(context.Context) (vend.Issuer, error) {
			close(asked)
			<-ctx.Done()
			time.Sleep(100 * time.Millisecond) // longer than it takes to go
			ended.Store(true)
			return vend.Issuer{}, errors.New("not today")
		}},
	}
	n.flags.own.Region, n.flags.secrets.dir = "us-east-1", t.TempDir()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		n.serve(ctx, func(ctx context.Context) { <-ctx.Done() }, newEvents(ctx, "node", shelf{got: make(chan *corev1.Event, 1)}, n.log), func(err error) { t.Error(err) })
	}()
	conn, err := grpc.NewClient("unix:"+filepath.Join(n.flags.secrets.dir, "aws.sock"),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answered := make(chan error, 1)
	go func() {
		_, err := driver.NewCSIDriverProviderClient(conn).Mount(t.Context(), &driver.MountRequest{Attributes: `{
			"csi.storage.k8s.io/pod.namespace":"shop", "csi.storage.k8s.io/pod.name":"web-1", "csi.storage.k8s.io/pod.uid":"uid-1", "csi.storage.k8s.io/serviceAccount.name":"web",
			"csi.storage.k8s.io/serviceAccount.tokens":"{\"pods.eks.amazonaws.com\":{\"token\":\"` + token + `\"}}",
			"usePodIdentity":"true", "objects":"- {objectName: db, objectType: secretsmanager}"}`, Permission: "420", TargetPath: "/x"})
		answered <- err
	}()
	select {
	case <-asked:
	case err := <-answered:
		t.Fatal("the mount did not get far enough to be under way: ", err)
	}
	stop()
	<-gone
	if !ended.Load() {
		t.Error("the agent has gone, and a mount was under way")
	}
	if err := <-answered; err == nil || status.Code(err) == codes.Unavailable {
		t.Errorf("the mount was cut off: %v", err)
	}
}
