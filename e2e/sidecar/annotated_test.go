package sidecar

import (
	_ "embed"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/images"
	"daypass.dev/e2e/kube/kubetest"
)

var (
	//go:embed testdata/webhook.yaml
	webhook string
	//go:embed testdata/annotated.yaml
	annotated string
)

const kubeImage = "localhost/daypass-kube:e2e"

// TestOneAnnotation has the webhook running, with certificates of its own and
// the rights that it needs, and a pod whose author wrote nothing but an
// annotation on its ServiceAccount.
func TestOneAnnotation(t *testing.T) {
	sandbox := kubetest.Sandbox(t)
	n, home := kubetest.New(t), kubetest.New(t) // the webhook is never asked about its own namespace
	kubetest.Provide(t, sandbox, kubetest.Daypass)
	kubetest.Provide(t, sandbox, kubetest.AWSCLI)
	a := newAccount(t, sandbox, n.Name)
	startWebhook(t, home, a)

	n.Apply(a.secret())
	n.Apply(a.fill(annotated))
	n.Wait("pod/acmpca-csi-test", "Ready", 2*time.Minute)
	if who := cli(t, n, "sts", "get-caller-identity", "--query", "Arn", "--output", "text"); !strings.Contains(who, ":assumed-role/"+roleName) {
		t.Errorf("the caller is %q", who)
	}
	cli(t, n, "s3", "cp", "/etc/hostname", "s3://"+a.bucket+"/from-annotated.txt")

	t.Run("disagreement", func(t *testing.T) { disagreement(t, n, a) })
	t.Run("rotation", func(t *testing.T) { rotation(t, n, home) })
	t.Run("down and up", func(t *testing.T) { downAndUp(t, n, home) })
}

// startWebhook builds, installs and starts daypass-kube, which leaves the
// cluster with the test.
func startWebhook(t *testing.T, n *kubetest.Namespace, a account) {
	t.Helper()
	provideKube(t, n)
	n.Kubectl("apply", "--server-side", "--filename=../../kube/api/v1alpha1/daypass.dev_podidentityassociations.yaml")
	n.Kubectl("wait", "--for=condition=Established", "--timeout=1m", "crd/podidentityassociations.daypass.dev")
	t.Cleanup(func() {
		for _, what := range []string{"mutatingwebhookconfiguration/daypass", "clusterrole/" + n.Name + "-webhook", "clusterrole/" + n.Name + "-installer",
			"clusterrolebinding/" + n.Name + "-webhook", "clusterrolebinding/" + n.Name + "-installer"} {
			if _, err := n.Try("delete", what, "--ignore-not-found"); err != nil {
				t.Log(err)
			}
		}
	})
	n.Apply(strings.ReplaceAll(a.fill(webhook), "NAMESPACE", n.Name))
	if out := install(t, n, "first"); !strings.Contains(out, "made authority until ") {
		t.Errorf("the installer prints %q", out)
	}
	n.Kubectl("rollout", "status", "deployment/daypass-webhook", "--timeout=2m")
	if out := install(t, n, "again"); !strings.Contains(out, "kept authority until ") {
		t.Errorf("the installer prints %q", out)
	}
}

func provideKube(t *testing.T, n *kubetest.Namespace) {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "daypass-kube")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "daypass.dev/cmd/daypass-kube")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	image, err := images.Image{
		User: "65532", Entrypoint: []string{"/daypass-kube"},
		Layers: []images.Layer{{Files: []images.File{{Path: "daypass-kube", From: program}}}},
	}.Build()
	if err != nil {
		t.Fatal(err)
	}
	tar := filepath.Join(dir, "image.tar")
	if err := images.Write(tar, kubeImage, image); err != nil {
		t.Fatal(err)
	}
	if err := n.Cluster.Import(t.Context(), tar); err != nil {
		t.Fatal(err)
	}
}

// install runs `daypass-kube webhook install` as the installer and returns what
// it prints.
func install(t *testing.T, n *kubetest.Namespace, name string, flags ...string) string {
	t.Helper()
	args := append([]string{"webhook", "install", "--namespace=" + n.Name}, flags...)
	n.Apply("apiVersion: v1\nkind: Pod\nmetadata: {name: install-" + name + "}\nspec:\n  restartPolicy: Never\n  serviceAccountName: installer\n" +
		"  containers: [{name: install, image: \"" + kubeImage + "\", args: [\"" + strings.Join(args, `", "`) + "\"]}]\n")
	n.Kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=1m", "pod/install-"+name)
	return n.Kubectl("logs", "install-"+name)
}

// disagreement is denied where the author sees it, and told on the account.
func disagreement(t *testing.T, n *kubetest.Namespace, a account) {
	n.Kubectl("create", "serviceaccount", "torn")
	n.Kubectl("annotate", "serviceaccount", "torn", "daypass.dev/role-arn="+a.role, "eks.amazonaws.com/role-arn="+a.role+"-2")
	var err error
	n.Eventually(10*time.Second, "the pod being refused", func() error { // the webhook may see the account before its annotations
		if err = n.TryApply(pause("torn", "torn", "daypass.dev/inject: 'true'")); err == nil {
			n.Kubectl("delete", "pod", "torn", "--now")
			return errors.New("it was made")
		}
		return nil
	})
	for _, want := range []string{"denied the request", "(identity-disagreement): let them name the same role"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	n.Eventually(20*time.Second, "an Event on the account", func() error {
		if out, err := n.Try("get", "events", "--field-selector=involvedObject.kind=ServiceAccount,involvedObject.name=torn,reason=IdentityRefused"); err != nil || !strings.Contains(out, "identity-disagreement") {
			return errors.Join(err, errors.New(out))
		}
		return nil
	})
}

// rotation changes the authority twice while labelled pods, which would not be
// let in without the webhook, are made without end.
func rotation(t *testing.T, n, home *kubetest.Namespace) {
	made := 0
	try := func(until time.Time) {
		for first := true; first || time.Now().Before(until); first = false {
			if err := n.TryApply(pause("steady", "workload", "daypass.dev/inject: 'true'")); err != nil {
				t.Fatalf("after %d pods: %v", made, err)
			}
			if out := n.Kubectl("get", "pod", "steady", "--output=jsonpath={.metadata.annotations}"); !strings.Contains(out, `"daypass.dev/injected":"sidecar"`) {
				t.Fatalf("a pod is let in bare: %s", out)
			}
			n.Kubectl("delete", "pod", "steady", "--now", "--wait=true")
			made++
		}
	}
	for _, round := range []string{"one", "two"} {
		before := home.Kubectl("get", "secret", "daypass-webhook-authority", "--output=jsonpath={.data}")
		if out := install(t, home, "rotate-"+round, "--rotate"); !strings.Contains(out, "made authority") {
			t.Errorf("the installer prints %q", out)
		}
		if home.Kubectl("get", "secret", "daypass-webhook-authority", "--output=jsonpath={.data}") == before {
			t.Error("the Secret is the same")
		}
		try(time.Now().Add(20 * time.Second))
	}
	t.Logf("%d pods made meanwhile", made)
}

// downAndUp: without the webhook labelled pods wait, others start bare.
func downAndUp(t *testing.T, n, home *kubetest.Namespace) {
	home.Kubectl("scale", "deployment/daypass-webhook", "--replicas=0")
	home.Kubectl("wait", "--for=delete", "pod", "--selector=app=daypass-webhook", "--timeout=1m")
	labelled := pause("labelled", "workload", "daypass.dev/inject: 'true'")
	if err := n.TryApply(labelled); err == nil || !strings.Contains(err.Error(), "pods.inject.daypass.dev") {
		t.Errorf("a labelled pod without the webhook: %v", err)
	}
	n.Apply(pause("bare", "workload", ""))
	if out := n.Kubectl("get", "pod", "bare", "--output=jsonpath={.metadata.annotations}{.spec.initContainers}"); strings.Contains(out, "daypass") {
		t.Errorf("given by nobody: %s", out)
	}
	home.Kubectl("scale", "deployment/daypass-webhook", "--replicas=1")
	home.Kubectl("rollout", "status", "deployment/daypass-webhook", "--timeout=2m")
	n.Eventually(30*time.Second, "the labelled pod", func() error { return n.TryApply(labelled) })
}

// pause is a pod that does nothing.
func pause(name, account, labels string) string {
	return "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", labels: {" + labels + "}}\nspec:\n  serviceAccountName: " + account +
		"\n  terminationGracePeriodSeconds: 0\n  containers: [{name: pause, image: localhost/pause:1}]\n"
}
