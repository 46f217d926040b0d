//go:build soak

package injection

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/kubetest"
)

// TestTokensRotate reads an object every second with a token that lives 600
// seconds, for longer than that; at every tenth it begins anew, with whatever
// token is there. No read fails, AWS refuses none of the exchanges, and it was
// shown two tokens.
func TestTokensRotate(t *testing.T) {
	sandbox := kubetest.Sandbox(t)
	kubetest.Provide(t, sandbox, kubetest.GoSDK)
	kubetest.Chart(t, values)
	n := kubetest.New(t)
	n.Apply("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web, annotations: {daypass.dev/role-arn: '" + sandbox.Role(t, n, "web") + "', daypass.dev/token-expiration: '600'}}\n")
	const watch = `while true; do busybox md5sum "$AWS_WEB_IDENTITY_TOKEN_FILE"; sleep 2; done`
	began := time.Now()
	n.Apply(reader(n, "apiVersion: v1\nkind: Pod\nmetadata: {name: reads, labels: {"+labelled+"}}\nspec:", "1s") +
		"  - {name: token, image: '" + kube.BusyboxImage + "', args: [-c, '" + watch + "']}\n")
	n.Wait("pod/reads", "Ready", time.Minute)
	for end := time.Now().Add(11 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Second) {
		if phase := n.Kubectl("get", "pod", "reads", "--output=jsonpath={.status.phase}"); phase != "Running" {
			t.Fatalf("after %s the pod has %s: %s", time.Since(began).Round(time.Second), phase, n.Kubectl("logs", "reads", "--container=reader", "--tail=5"))
		}
	}
	reads := strings.Count(n.Kubectl("logs", "reads", "--container=reader"), "read ")
	tokens := map[string]bool{}
	for line := range strings.Lines(n.Kubectl("logs", "reads", "--container=token")) {
		tokens[line] = true
	}
	all, err := sandbox.Decisions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	exchanges, shown := 0, map[string]bool{}
	for _, d := range all {
		if d.Operation != "AssumeRoleWithWebIdentity" || !d.Time.After(began) || !strings.Contains(fmt.Sprintf("%+v", d.Checks), n.Name) {
			continue
		}
		if exchanges++; !d.Allowed {
			t.Errorf("refused: %+v", d)
		}
		shown[d.Proof] = true
	}
	t.Logf("%d reads; the pod had %d tokens, AWS saw %d of them in %d exchanges", reads, len(tokens), len(shown), exchanges)
	if reads < 300 || len(tokens) < 2 || len(shown) < 2 || shown[""] {
		t.Errorf("too few: %v", shown)
	}
	// One before the reads, one for every ten of them, one that is under way.
	if least := 1 + (reads+9)/10; exchanges < least || exchanges > least+1 {
		t.Errorf("%d reads need %d exchanges", reads, least)
	}
}

// TestRotationUnderLoad sends 200 reviews a second straight to a webhook, while
// its authority is changed again and again. None fails; how many were slower
// than API servers are patient is printed, since that is the machine's, too.
func TestRotationUnderLoad(t *testing.T) {
	const perSecond, rotations = 200, 3
	r := kubetest.Chart(t, values+"webhook: {replicas: 1}\n")
	n := kubetest.New(t)
	annotated(n, "web")
	address := r.Kubectl("get", "pods", "--selector=app.kubernetes.io/component=webhook", "--output=jsonpath={.items[0].status.podIP}")
	name := "daypass-webhook." + r.Name + ".svc"
	client := func() *http.Client {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(r.Kubectl("get", "mutatingwebhookconfiguration", "daypass", "--output=go-template={{(index .webhooks 0).clientConfig.caBundle | base64decode}}")))
		return &http.Client{Timeout: time.Minute, Transport: &http.Transport{
			MaxIdleConnsPerHost: 16, IdleConnTimeout: 2 * time.Second,
			TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS12},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return r.Cluster.Dial(ctx, network, net.JoinHostPort(address, "10250"))
			},
		}}
	}
	var using atomic.Pointer[http.Client]
	using.Store(client())
	body := []byte(fmt.Sprintf(`{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "1", "operation": "CREATE", "namespace": %q,
		"resource": {"group": "", "version": "v1", "resource": "pods"}, "object": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
		"spec": {"serviceAccountName": "web", "containers": [{"name": "c"}]}}}}`, n.Name))
	ask := func() error {
		answer, err := using.Load().Post("https://"+name+"/mutate", "application/json", bytes.NewReader(body))
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		var text bytes.Buffer
		if _, err := text.ReadFrom(answer.Body); err != nil || !strings.Contains(text.String(), `"patchType"`) {
			return fmt.Errorf("%s: %s: %w", answer.Status, &text, err)
		}
		return nil
	}
	var asked, failed, late atomic.Int64
	begin := time.Now()
	stop := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		for tick := time.NewTicker(time.Second / perSecond); ; {
			select {
			case <-stop:
				return
			case <-tick.C:
				done.Go(func() {
					asked.Add(1)
					begin := time.Now()
					if err := ask(); err != nil && failed.Add(1) < 10 {
						t.Error(err)
					}
					if time.Since(begin) > 3*time.Second {
						late.Add(1)
					}
				})
			}
		}
	})
	done.Go(func() { // API servers see a changed configuration at once
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Second):
				using.Store(client())
			}
		}
	})
	serial := func() string {
		conn, err := r.Cluster.Dial(t.Context(), "tcp", net.JoinHostPort(address, "10250"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		c := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: name}) // only looked at; ask verifies
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	for range rotations {
		before := serial()
		r.Upgrade(values + "webhook: {replicas: 1, rotateAuthority: true}\n")
		r.Eventually(3*time.Minute, "a certificate of the new authority", func() error {
			if serial() == before {
				return fmt.Errorf("it still serves with %s", before)
			}
			return nil
		})
	}
	close(stop)
	perSecondSeen := float64(asked.Load()) / time.Since(begin).Seconds()
	done.Wait()
	t.Logf("%d reviews, %.0f a second, while %d authorities were changed: %d failed, %d took more than 3 s", asked.Load(), perSecondSeen, rotations, failed.Load(), late.Load())
	if asked.Load() < 1000 || failed.Load() > 0 {
		t.Errorf("%d of %d failed", failed.Load(), asked.Load())
	}
}
