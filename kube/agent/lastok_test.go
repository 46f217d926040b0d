package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"daypass.dev/kube/api/v1alpha1"
)

// registry is an API server with associations, in memory.
func registry(t *testing.T, fails func() error, names ...string) (client.Client, *atomic.Int32) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	build, writes := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.PodIdentityAssociation{}), &atomic.Int32{}
	for _, name := range names {
		build.WithObjects(&v1alpha1.PodIdentityAssociation{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Status: v1alpha1.PodIdentityAssociationStatus{Reason: "policy-condition"},
		})
	}
	return build.WithInterceptorFuncs(interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			writes.Add(1)
			if err := fails(); err != nil {
				return err
			}
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	}).Build(), writes
}

func never() error { return nil }

func lastOK(t *testing.T, c client.Client, name string) time.Time {
	t.Helper()
	a := &v1alpha1.PodIdentityAssociation{}
	if err := c.Get(t.Context(), client.ObjectKey{Name: name}, a); err != nil {
		t.Fatal(err)
	}
	if a.Status.Reason != "policy-condition" {
		t.Errorf("%s: the reason is %q now", name, a.Status.Reason)
	}
	if a.Status.LastOK == nil {
		return time.Time{}
	}
	return a.Status.LastOK.Time
}

// What AWS gave is told on the association once a minute at most, by whichever
// agent; what two agents see is one write.
func TestLastOKIsWrittenOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, writes := registry(t, never, "web", "idle")
		one, other := &LastOK{From: c, To: c}, &LastOK{From: c, To: c}
		go one.Run(t.Context())
		time.Sleep(300 * time.Millisecond)
		go other.Run(t.Context())
		begin := time.Now()
		for range 600 { // ten minutes
			one.Note("web")
			other.Note("web")
			one.Note("gone")
			one.Note("")
			time.Sleep(time.Second)
		}
		if n := writes.Load(); n < 9 || n > 11 {
			t.Errorf("%d writes in ten minutes", n)
		}
		if at := lastOK(t, c, "web"); at.Before(begin.Add(8 * time.Minute)) {
			t.Errorf("%s after %s", at, begin)
		}
		if at := lastOK(t, c, "idle"); !at.IsZero() {
			t.Errorf("nobody asked, and it says %s", at)
		}
	})
}

// A crowd of associations is written one a second.
func TestLastOKTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var names []string
		for i := range 30 {
			names = append(names, fmt.Sprint("a", i))
		}
		c, writes := registry(t, never, names...)
		l := &LastOK{From: c, To: c}
		go l.Run(t.Context())
		for _, name := range names {
			l.Note(name)
		}
		for second := 1; second <= 30; second++ {
			time.Sleep(time.Second)
			synctest.Wait()
			if n := writes.Load(); int(n) != second {
				t.Fatalf("%d writes after %d s", n, second)
			}
		}
	})
}

// Without the right, it is said once and no pod notices.
func TestLastOKThatMayNotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, writes := registry(t, func() error { return errors.New("forbidden") }, "web")
		log := &lines{}
		l := &LastOK{From: c, To: c, Log: slog.New(slog.NewTextHandler(log, nil))}
		go l.Run(t.Context())
		for range 5 {
			l.Note("web")
			time.Sleep(2 * time.Second)
		}
		synctest.Wait()
		if n := writes.Load(); n != 5 || strings.Count(log.String(), "forbidden") != 1 {
			t.Errorf("%d writes, log: %s", n, log.String())
		}
	})
}
