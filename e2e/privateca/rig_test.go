package privateca

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/addons"
	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/e2e/stage"
	"daypass.dev/kube/api/awspca/v1beta1"
)

// A rig is the issuer's program on this machine, with the ServiceAccount and
// the rights that the chart gives it, before the cluster's API server: so that
// a test can kill it, and put an AWS of its own in front of it.
type rig struct {
	*kubetest.Namespace
	t          *testing.T
	admin      client.WithWatch
	program    string
	kubeconfig string
	env        []string

	mu      sync.Mutex
	process *exec.Cmd
	log     strings.Builder
}

// newRig installs cert-manager and the issuer's kinds and rights; env are the
// variables by which the program finds AWS.
func newRig(t *testing.T, env []string, args ...string) *rig {
	t.Helper()
	c := kubetest.Cluster(t)
	kubetest.Addon(t, addons.CertManager)
	r := &rig{Namespace: kubetest.New(t), t: t, env: env, program: stage.Binary(t, "daypass-kube")}
	r.admin = adminOf(t, c)
	r.rights(c)
	r.kubeconfig = r.reach(c)
	r.start(args...)
	t.Cleanup(func() {
		r.kill()
		if t.Failed() {
			t.Logf("the issuer's log:\n%s", r.said())
		}
	})
	return r
}

func adminOf(t testing.TB, c *kube.Cluster) client.WithWatch {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	config.Dial, config.QPS = c.Dial, -1
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, cmapi.AddToScheme, v1beta1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	to, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// rights applies what the chart gives the issuer, and the chart's definitions.
func (r *rig) rights(c *kube.Cluster) {
	r.t.Helper()
	logged := *c
	logged.Log = os.Stderr
	helm, err := addons.Helm(r.t.Context(), &logged)
	if err != nil {
		r.t.Fatal(err)
	}
	out, err := exec.CommandContext(r.t.Context(), helm, "template", "daypass", filepath.Join(c.Source, "charts/daypass"), "--namespace="+r.Name,
		"--set=registry=none,webhook.enabled=false,issuer.enabled=true", "--set=issuer.secrets={aws-key}",
		"--show-only=templates/issuer-rbac.yaml", "--show-only=templates/issuer-crds.yaml").Output()
	if err != nil {
		r.t.Fatalf("rendering the chart: %v", err)
	}
	r.Kubectl("create", "serviceaccount", "daypass-issuer")
	r.Apply(string(out))
	r.Kubectl("wait", "--for=condition=Established", "--timeout=1m", "crd/awspcaissuers.awspca.cert-manager.io", "crd/awspcaclusterissuers.awspca.cert-manager.io")
	r.t.Cleanup(func() {
		for _, what := range []string{"clusterrole/daypass-issuer", "clusterrolebinding/daypass-issuer"} {
			if _, err := r.Try("delete", what, "--ignore-not-found"); err != nil {
				r.t.Log(err)
			}
		}
	})
}

// reach leads a port of this machine to the API server, and writes a
// kubeconfig with which only the issuer's ServiceAccount speaks there.
func (r *rig) reach(c *kube.Cluster) string {
	r.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			go lead(c, from)
		}
	}()
	ca, err := os.ReadFile(filepath.Join(c.Dir, "pki", "ca.crt"))
	if err != nil {
		r.t.Fatal(err)
	}
	token := strings.TrimSpace(r.Kubectl("create", "token", "daypass-issuer", "--duration=3h"))
	file := filepath.Join(r.t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "c",
 "clusters": [{"name": "c", "cluster": {"server": "https://%s", "tls-server-name": "kubernetes", "certificate-authority-data": "%s"}}],
 "users": [{"name": "u", "user": {"token": "%s"}}],
 "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}`, listener.Addr(), base64.StdEncoding.EncodeToString(ca), token)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return file
}

func lead(c *kube.Cluster, from net.Conn) {
	defer from.Close()
	to, err := c.Dial(context.Background(), "tcp", "10.96.0.1:443")
	if err != nil {
		return
	}
	defer to.Close()
	go func() {
		_, _ = io.Copy(to, from)
		_ = to.Close()
	}()
	_, _ = io.Copy(from, to)
}

// start runs the program; args add to what every test gives.
func (r *rig) start(args ...string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.process = exec.Command(r.program, append([]string{"issuer", "--kubeconfig=" + r.kubeconfig, "--namespace=" + r.Name, "--health-listen=127.0.0.1:0"}, args...)...)
	r.process.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.t.TempDir()}, r.env...)
	r.process.Stderr = &locked{r}
	if err := r.process.Start(); err != nil {
		r.t.Fatal(err)
	}
}

// kill ends it as a crash does.
func (r *rig) kill() {
	r.mu.Lock()
	p := r.process
	r.process = nil
	r.mu.Unlock()
	if p == nil {
		return
	}
	_ = p.Process.Kill()
	_ = p.Wait()
	// Its lease would hold its successor up for 15 seconds.
	if _, err := r.Try("delete", "lease", "daypass-issuer", "--ignore-not-found"); err != nil {
		r.t.Log(err)
	}
}

// locked writes into the rig's log.
type locked struct{ r *rig }

func (l *locked) Write(b []byte) (int, error) {
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	return l.r.log.Write(b)
}

func (r *rig) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

// issuer applies an AWSPCAIssuer and waits until it is ready.
func (r *rig) issuer(name, spec string) {
	r.t.Helper()
	r.Apply("apiVersion: awspca.cert-manager.io/v1beta1\nkind: AWSPCAIssuer\nmetadata: {name: " + name + "}\nspec: " + spec + "\n")
}

// ready waits for an issuer.
func (r *rig) ready(issuer string) {
	r.t.Helper()
	r.Wait(issuer, "Ready", time.Minute)
}
