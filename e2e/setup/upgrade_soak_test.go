//go:build soak

package setup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"daypass.dev/e2e/images"
	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/setup"
)

// The account's side: certificates of the signer for two ServiceAccounts, the
// cluster's tokens for one.
const (
	anywhereFile = `name: NAME-anywhere
account: "111122223333"
region: us-east-1
trustAnchor: {certificateFile: root.pem}
cluster: {name: e2e, method: roles-anywhere, trustDomain: e2e.example.org}
roles:
  NAME-anywhere:
    usedBy: [{serviceAccount: NAMESPACE/sidecar}, {serviceAccount: NAMESPACE/agent}]
    allow: [{actions: ["s3:*"], resources: ["arn:aws:s3:::NAMESPACE", "arn:aws:s3:::NAMESPACE/*"]}]
`
	webFile = `name: NAME-web
account: "111122223333"
region: us-east-1
cluster: {name: e2e, method: web-identity, issuer: "ISSUER"}
roles:
  NAME-web:
    usedBy: [{serviceAccount: NAMESPACE/web}]
    allow: [{actions: ["s3:*"], resources: ["arn:aws:s3:::NAMESPACE", "arn:aws:s3:::NAMESPACE/*"]}]
`
	associated = `
apiVersion: daypass.dev/v1alpha1
kind: PodIdentityAssociation
metadata: {name: NAMESPACE-web}
spec: {namespace: NAMESPACE, serviceAccount: web, roleArn: "WEB", method: web-identity, disableSessionTags: true}
---
apiVersion: daypass.dev/v1alpha1
kind: PodIdentityAssociation
metadata: {name: NAMESPACE-agent}
spec: {namespace: NAMESPACE, serviceAccount: agent, roleArn: "ANYWHERE", method: roles-anywhere, disableSessionTags: true}
`
	// A loop begins anew every ten reads: it asks for its credentials again.
	loop = `
apiVersion: v1
kind: Pod
metadata: {name: POD, labels: {daypass.dev/inject: "true"}}
spec:
  serviceAccountName: ACCOUNT
  restartPolicy: Never
  terminationGracePeriodSeconds: 1
  containers:
  - name: workload
    image: localhost/go-sdk:e2e
    env: [{name: BUCKET, value: NAMESPACE}, {name: EVERY, value: "LOOP"}]
`
)

// An upgrading cluster has a pod for each way in which pods get credentials.
type upgrading struct {
	*kubetest.Namespace
	t       *testing.T
	cloud   *kubetest.AWS
	release *kubetest.Release
	dir     string
	names   *strings.Replacer
}

// Pods of every method read S3 each second while the chart is upgraded, rolled
// back and uninstalled: no read fails, new pods read at every moment, and after
// all is gone pods start as before. The next version is this checkout under
// another chart version, with other images.
func TestUpgradeRollbackUninstall(t *testing.T) {
	u := newUpgrading(t)
	values := u.account()
	u.release.Upgrade(values + "node: {enabled: false}\n")
	u.start("sidecar", "sidecar", "1s")
	u.start("web", "web", "1s")
	u.read("sidecar", "web")
	u.release.Upgrade(values + "node: {enabled: true}\n")
	u.start("agent", "agent", "1s")
	u.read("agent", "sidecar", "web")

	next := u.next()
	u.helm("upgrade", "upgrade", "daypass", next, "--reset-then-reuse-values", "--set=tag=", "--wait", "--timeout=4m")
	if got := u.image(); got != "localhost/daypass-kube:next" {
		t.Fatalf("after the upgrade the webhook's image is %s", got)
	}
	u.read("agent", "sidecar", "web")
	u.fresh("upgraded")

	u.helm("rollback", "rollback", "daypass", "--wait", "--timeout=4m")
	if got := u.image(); got != kubetest.DaypassKube {
		t.Fatalf("after the rollback the webhook's image is %s", got)
	}
	u.read("agent", "sidecar", "web")
	u.fresh("back")

	u.helm("uninstall", "uninstall", "daypass", "--wait", "--timeout=2m")
	u.read("sidecar", "web")
	u.start("afterwards", "web", "")
	u.Eventually(time.Minute, "a pod that starts without daypass", func() error {
		phase := u.Kubectl("get", "pod", "afterwards", "--output=jsonpath={.status.phase}")
		if phase != "Failed" { // it has run, and found no credentials
			return fmt.Errorf("it is %s", phase)
		}
		return nil
	})
	if out := u.Kubectl("logs", "afterwards"); !strings.Contains(out, "credentials") {
		t.Errorf("a pod without daypass says %q", out)
	}
}

func newUpgrading(t *testing.T) *upgrading {
	t.Helper()
	cloud := kubetest.Sandbox(t)
	kubetest.Provide(t, cloud, kubetest.GoSDK)
	u := &upgrading{Namespace: kubetest.New(t), t: t, cloud: cloud, dir: t.TempDir()}
	u.names = strings.NewReplacer("NAMESPACE", u.Name, "NAME", "up-"+u.Name[len(u.Name)-6:], "ISSUER", kube.Issuer)
	_, err := s3.NewFromConfig(cloud.Config()).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(u.Name)})
	u.must(err)
	for _, account := range []string{"web", "sidecar", "agent"} {
		u.Kubectl("create", "serviceaccount", account)
	}
	u.release = kubetest.Chart(t, "cluster: {name: e2e, trustDomain: e2e.example.org, region: us-east-1}\nsigner: {enabled: true}\n")
	return u
}

func (u *upgrading) must(err error) {
	u.t.Helper()
	if err != nil {
		u.t.Fatal(err)
	}
}

// account has setup make the AWS side, and returns values for the chart.
func (u *upgrading) account() string {
	u.t.Helper()
	var roots string
	u.release.Eventually(time.Minute, "the signer's root", func() error {
		var err error
		if roots, err = u.Try("get", "clustertrustbundle", "daypass.dev:workload:roots", "--output=jsonpath={.spec.trustBundle}"); err == nil && roots == "" {
			err = errors.New("it is empty")
		}
		return err
	})
	u.must(os.WriteFile(filepath.Join(u.dir, "root.pem"), []byte(roots), 0o600))
	var all []setup.Outcome
	for _, text := range []string{anywhereFile, webFile} {
		path := filepath.Join(u.dir, "setup.yaml")
		u.must(os.WriteFile(path, []byte(u.names.Replace(text)), 0o600))
		f, err := setup.Read(path)
		u.must(err)
		c := setup.NewClient(f, u.cloud.Config())
		state, err := c.Read(u.t.Context())
		u.must(err)
		plan, err := f.Plan(state, false)
		u.must(err)
		out, err := c.Apply(u.t.Context(), plan, func(setup.Step) {})
		u.must(err)
		all = append(all, out)
	}
	anywhere, web := all[0].Roles[u.names.Replace("NAME-anywhere")], all[1].Roles[u.names.Replace("NAME-web")]
	u.Kubectl("annotate", "serviceaccount", "sidecar", "daypass.dev/role-arn="+anywhere)
	u.Apply(strings.NewReplacer("WEB", web, "ANYWHERE", anywhere).Replace(u.names.Replace(associated)))
	u.t.Cleanup(func() {
		if _, err := u.Try("delete", "podidentityassociation", u.Name+"-web", u.Name+"-agent"); err != nil {
			u.t.Log(err)
		}
	})
	return fmt.Sprintf("cluster: {name: e2e, trustDomain: e2e.example.org, method: roles-anywhere, region: us-east-1, trustAnchorARN: %q, profileARN: %q}\nsigner: {enabled: true}\n",
		all[0].TrustAnchorARN, all[0].ProfileARN)
}

// next brings images of another version into the cluster, and returns a chart
// that uses them.
func (u *upgrading) next() string {
	u.t.Helper()
	for name, product := range images.Products() {
		spec, err := product(u.t.Context(), u.Cluster.Source, "amd64")
		u.must(err)
		spec.Layers[0].Files = append(spec.Layers[0].Files, images.File{Path: "etc/daypass-version", Text: []byte("next\n"), Mode: 0o644})
		image, err := spec.Build()
		u.must(err)
		image, err = images.Trusting(image, u.cloud.CA)
		u.must(err)
		file := filepath.Join(u.dir, name+".tar")
		u.must(images.Write(file, "localhost/"+name+":next", image))
		u.must(u.Cluster.Import(u.t.Context(), file))
	}
	chart := filepath.Join(u.dir, "daypass")
	u.must(os.CopyFS(chart, os.DirFS(filepath.Join(u.Cluster.Source, "charts/daypass"))))
	file := filepath.Join(chart, "Chart.yaml")
	text, err := os.ReadFile(file)
	u.must(err)
	changed := strings.NewReplacer("version: 0.1.0", "version: 0.2.0", "appVersion: dev", "appVersion: next").Replace(string(text))
	if strings.Count(changed, "next") != 1 || !strings.Contains(changed, "0.2.0") {
		u.t.Fatalf("the chart's version is elsewhere\n%s", text)
	}
	u.must(os.WriteFile(file, []byte(changed), 0o644))
	return chart
}

func (u *upgrading) helm(what string, args ...string) {
	u.t.Helper()
	begin := time.Now()
	out, err := u.release.Helm(args...)
	if err != nil {
		u.t.Fatalf("%v: %s", err, out)
	}
	u.t.Logf("%5.1f s  %s", time.Since(begin).Seconds(), what)
}

func (u *upgrading) image() string {
	u.t.Helper()
	return u.release.Kubectl("get", "deployment", "daypass-webhook", "--output=jsonpath={.spec.template.spec.containers[0].image}")
}

// start starts a pod that reads again and again; without a time it does once.
func (u *upgrading) start(pod, account, every string) {
	u.t.Helper()
	u.Apply(strings.NewReplacer("POD", pod, "ACCOUNT", account, "LOOP", every).Replace(u.names.Replace(loop)))
}

// read waits until each of the pods has read twelve times more, so that it has
// asked for credentials anew; one that has failed once has ended.
func (u *upgrading) read(pods ...string) {
	u.t.Helper()
	count := func(pod string) int { return strings.Count(u.Kubectl("logs", pod, "--container=workload"), "\nread ") }
	before := map[string]int{}
	for _, pod := range pods {
		u.Wait("pod/"+pod, "Ready", 2*time.Minute)
		before[pod] = count(pod)
	}
	for _, pod := range pods {
		u.Eventually(2*time.Minute, "more reads by "+pod, func() error {
			if phase := u.Kubectl("get", "pod", pod, "--output=jsonpath={.status.phase}"); phase != "Running" {
				u.t.Fatalf("%s is %s\n%s", pod, phase, u.Kubectl("logs", pod, "--container=workload", "--tail=5"))
			}
			if n := count(pod); n < before[pod]+12 {
				return fmt.Errorf("%d after %d", n, before[pod])
			}
			return nil
		})
	}
	for _, pod := range pods {
		u.t.Logf("%s has read %d times", pod, count(pod))
	}
}

// fresh wants new pods of each method to read.
func (u *upgrading) fresh(name string) {
	u.t.Helper()
	for _, account := range []string{"web", "agent"} {
		u.start(name+"-"+account, account, "")
	}
	for _, account := range []string{"web", "agent"} {
		u.Kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=2m", "pod/"+name+"-"+account)
	}
}
