package setup

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/e2e/stage"
)

const clusterFile = `name: NAME
account: "111122223333"
region: us-east-1
cluster: {name: e2e, method: web-identity, issuer: "ISSUER"}
roles:
  NAME-reader:
    usedBy: [{serviceAccount: NAMESPACE/web}]
    allow: [{actions: ["s3:GetObject"], resources: ["arn:aws:s3:::BUCKET/*"]}]
`

const reader = `
apiVersion: v1
kind: Pod
metadata: {name: reader, labels: {daypass.dev/inject: "true"}}
spec:
  serviceAccountName: ACCOUNT
  terminationGracePeriodSeconds: 0
  containers: [{name: aws-cli, image: "localhost/aws-cli:e2e"}]
`

// From an account and a cluster that know nothing of each other to a pod that
// reads S3: setup apply, helm install, the annotation that apply prints, a pod.
// (The images, which make push would push, are in the cluster already.) Another
// ServiceAccount with the same annotation is refused.
func TestFromNothingToWorking(t *testing.T) {
	cloud := kubetest.Sandbox(t)
	kubetest.Provide(t, cloud, kubetest.AWSCLI)
	n := kubetest.New(t)
	dir := t.TempDir()
	name := "five-" + n.Name[len(n.Name)-6:]
	objects := s3.NewFromConfig(cloud.Config())
	if _, err := objects.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(n.Name)}); err != nil {
		t.Fatal(err)
	}
	if _, err := objects.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(n.Name), Key: aws.String("q3.txt"), Body: strings.NewReader("third quarter")}); err != nil {
		t.Fatal(err)
	}
	write := func(file, text string) string {
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("setup.yaml", strings.NewReplacer("NAMESPACE", n.Name, "NAME", name, "ISSUER", kube.Issuer, "BUCKET", n.Name).Replace(clusterFile))
	ca := write("aws-ca.pem", string(cloud.CA))
	program := stage.Binary(t, "daypassctl")
	run := func(ctx context.Context, args ...string) (string, error) {
		within, err := n.Cluster.Within(ctx)
		if err != nil {
			return "", err
		}
		cmd := exec.CommandContext(ctx, within[0], slices.Concat(within[1:], []string{program}, args)...)
		cmd.Env = append(cloud.Environment(ca), "PATH="+os.Getenv("PATH"), "HOME="+dir, "KUBECONFIG="+n.Cluster.Kubeconfig())
		said := &strings.Builder{}
		cmd.Stderr = said
		out, err := cmd.Output()
		if err != nil {
			err = fmt.Errorf("daypassctl %s: %w\n%s%s", strings.Join(args, " "), err, said, out)
		}
		return string(out), err
	}
	ctl := func(args ...string) string {
		t.Helper()
		out, err := run(t.Context(), args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	t.Cleanup(func() {
		if _, err := run(context.Background(), "setup", "destroy", file); err != nil {
			t.Error(err)
		}
	})

	values := filepath.Join(dir, "values.yaml")
	told := ctl("setup", "apply", "--values", values, file)
	text, err := os.ReadFile(values)
	if err != nil {
		t.Fatal(err)
	}
	kubetest.Chart(t, string(text))
	for _, account := range []string{"web", "other"} {
		n.Kubectl("create", "serviceaccount", account)
	}
	annotated := 0
	for line := range strings.Lines(told) {
		if args, ok := strings.CutPrefix(strings.TrimSpace(line), "kubectl "); ok {
			n.Kubectl(strings.Fields(args)...)
			n.Kubectl(strings.Fields(strings.Replace(args, " web ", " other ", 1))...)
			annotated++
		}
	}
	if annotated != 1 {
		t.Fatalf("apply names %d annotations\n%s", annotated, told)
	}
	n.Apply(strings.ReplaceAll(reader, "ACCOUNT", "web"))
	n.Apply(strings.NewReplacer("ACCOUNT", "other", "name: reader", "name: stranger").Replace(reader))
	n.Wait("pod/reader", "Ready", time.Minute)
	n.Wait("pod/stranger", "Ready", time.Minute)
	get := []string{"aws", "s3", "cp", fmt.Sprintf("s3://%s/q3.txt", n.Name), "-"}
	if out, err := n.Exec("reader", "aws-cli", get...); err != nil || !strings.Contains(out, "third quarter") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := n.Exec("stranger", "aws-cli", get...); err == nil {
		t.Errorf("a neighbour reads: %s", out)
	}
	if out := ctl("status", "-n", n.Name); !strings.Contains(out, "web-identity") || !strings.Contains(out, name+"-reader") {
		t.Errorf("%s", out)
	}
	if out := ctl("doctor", "pod/reader", "-n", n.Name); !strings.Contains(out, "nothing is wrong") {
		t.Errorf("%s", out)
	}
}
