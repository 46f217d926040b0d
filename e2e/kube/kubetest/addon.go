package kubetest

import (
	"context"
	"os"
	"testing"
	"time"

	"daypass.dev/e2e/kube/addons"
)

// Addon brings software of others into the run's cluster, by a name of package
// addons. It stays for the tests that follow. The first time on a machine it is
// built, which takes minutes.
func Addon(t testing.TB, name string) {
	t.Helper()
	c := *Cluster(t)
	c.Log = os.Stderr
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	if err := addons.Install(ctx, &c, name); err != nil {
		t.Fatal(err)
	}
}
