package kubetest

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"daypass.dev/e2e/kube/addons"
)

// A Release is the chart as it is installed, as daypass in the namespace
// ChartNamespace.
type Release struct {
	*Namespace
	helm string
}

// ChartNamespace is where Chart installs.
const ChartNamespace = "daypass"

// chartValues are those of every release: this checkout's images.
const chartValues = `
registry: localhost
tag: e2e
imagePullPolicy: Never
`

// Chart installs charts/daypass with these values (YAML) beside the tests' own,
// waits until all is ready, and uninstalls it with the test: its names are fixed,
// so that there is one at a time. Images are this checkout's, and trust the
// sandbox.
func Chart(t testing.TB, values string) *Release {
	t.Helper()
	sandbox := Sandbox(t)
	Provide(t, sandbox, DaypassKube)
	Provide(t, sandbox, Daypass)
	c := *Cluster(t)
	c.Log = os.Stderr
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	helm, err := addons.Helm(ctx, &c)
	if err != nil {
		t.Fatal(err)
	}
	r := &Release{Namespace: &Namespace{Name: ChartNamespace, Cluster: &c, t: t}, helm: helm}
	t.Cleanup(func() {
		if t.Failed() {
			r.collect()
		}
		if out, err := r.Helm("uninstall", "daypass", "--ignore-not-found", "--wait", "--timeout=2m"); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	r.Upgrade(values)
	return r
}

// For is the same release for a subtest.
func (r *Release) For(t testing.TB) *Release {
	return &Release{Namespace: &Namespace{Name: r.Name, Cluster: r.Cluster, t: t}, helm: r.helm}
}

// Upgrade gives the release other values, and what has changed in the checkout.
func (r *Release) Upgrade(values string) {
	r.t.Helper()
	dir := r.t.TempDir()
	for name, text := range map[string]string{"tests.yaml": chartValues, "values.yaml": values} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	out, err := r.Helm("upgrade", "--install", "daypass", filepath.Join(r.Cluster.Source, "charts/daypass"), "--create-namespace",
		"--take-ownership", "--values="+filepath.Join(dir, "tests.yaml"), "--values="+filepath.Join(dir, "values.yaml"), "--wait", "--timeout=3m")
	if err != nil {
		r.t.Fatalf("%v: %s", err, out)
	}
}

// Helm runs helm in the release's namespace and returns all that it prints.
func (r *Release) Helm(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd, err := r.Cluster.Command(ctx, r.helm, append([]string{"--namespace=" + r.Name}, args...)...)
	if err != nil {
		return "", err
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}
