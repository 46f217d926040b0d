package setup

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-containerregistry/pkg/registry"

	"daypass.dev/e2e/build"
	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/addons"
	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/e2e/peers"
	"daypass.dev/internal/walk"
	"daypass.dev/setup"
)

// registryAddress is where both nodes find the registry; on loopback, where
// neither containerd nor what pushes wants TLS.
const registryAddress = "127.0.0.1:5000"

const setupFile = `name: NAME
account: "111122223333"
region: us-east-1
cluster: {name: e2e, method: web-identity, issuer: "ISSUER"}
roles:
  NAME-reader:
    usedBy: [{serviceAccount: NAMESPACE/web}]
    allow: [{actions: ["s3:GetObject"], resources: ["arn:aws:s3:::NAMESPACE/*"]}]
`

const podFile = `
apiVersion: v1
kind: Pod
metadata: {name: reader, namespace: NAMESPACE, labels: {daypass.dev/inject: "true"}}
spec:
  serviceAccountName: web
  terminationGracePeriodSeconds: 0
  containers: [{name: aws-cli, image: "localhost/aws-cli:e2e"}]
`

const (
	script   = "daypassctl setup render --as aws-cli $WORK/setup.yaml | sh > $WORK/values.yaml"
	annotate = "ANNOTATE" // in its place stands the line that apply or the script prints
)

// fromPage are the five commands of docs/setup.md, with a registry that both nodes
// reach, under a name that none of them knows from before, and a user's files.
func fromPage(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/setup.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := walk.Blocks("docs/setup.md", string(text))
	if err != nil {
		t.Fatal(err)
	}
	own := strings.NewReplacer(
		"make push REGISTRY=", "images push --architecture amd64 ", // what it does, for one architecture
		"registry.example.org/team", registryAddress+"/$NAMESPACE",
		"values.yaml", "$WORK/values.yaml", "setup.yaml", "$WORK/setup.yaml", "pod.yaml", "$WORK/pod.yaml",
	)
	var all []string
	for _, b := range blocks {
		if b.Kind != "sh" {
			continue
		}
		for _, command := range b.Body {
			if strings.HasPrefix(command, "kubectl annotate ") {
				command = annotate
			}
			all = append(all, own.Replace(command))
		}
	}
	if len(all) != 5 || all[3] != annotate {
		t.Fatalf("docs/setup.md has other commands: %q", all)
	}
	return all
}

// From an account and a cluster that know nothing of each other to a pod that
// reads S3, in the page's five commands in a clone, a user's files beside it. A
// neighbour with the same annotation is refused; status and doctor are content;
// destroy leaves nothing.
func TestFromNothingToWorking(t *testing.T) {
	page := fromPage(t)
	byScript := slices.Clone(page)
	byScript[1] = script
	for name, commands := range map[string][]string{"apply": page, "script": byScript} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			begin := time.Now()
			told := ""
			for _, command := range commands {
				if command == annotate {
					command = line(t, told)
				}
				one := time.Now()
				told += u.run(t, command)
				t.Logf("%5.1f s  %s", time.Since(one).Seconds(), command)
				if values, err := os.ReadFile(filepath.Join(u.dir, "values.yaml")); err == nil {
					told += string(values)
				}
			}
			u.Wait("pod/reader", "Ready", 2*time.Minute)
			if out, err := u.Exec("reader", "aws-cli", u.get...); err != nil || !strings.Contains(out, "third quarter") {
				t.Errorf("%v: %s", err, out)
			}
			t.Logf("%5.1f s from nothing to a pod that reads", time.Since(begin).Seconds())
			u.check(t, line(t, told))
		})
	}
}

// line is the one command for ServiceAccounts in what was printed.
func line(t *testing.T, told string) string {
	t.Helper()
	found := map[string]bool{}
	for line := range strings.Lines(told) {
		if _, args, ok := strings.Cut(line, "kubectl annotate "); ok {
			found["kubectl annotate "+strings.TrimSpace(args)] = true
		}
	}
	for one := range found {
		if len(found) == 1 {
			return one
		}
	}
	t.Fatalf("%d annotations are named\n%s", len(found), told)
	return ""
}

// A user is somebody at a desk with a clone, an AWS login and a kubeconfig.
type user struct {
	*kubetest.Namespace
	dir    string
	source string
	env    []string
	get    []string // reads the object, in a pod
	file   *setup.File
	cloud  *kubetest.AWS
}

// newUser has the user's things: a namespace with ServiceAccounts, a bucket with
// an object, a file for setup and one for a pod; and a registry that both nodes
// can reach.
func newUser(t *testing.T) *user {
	t.Helper()
	cloud := kubetest.Sandbox(t)
	kubetest.Provide(t, cloud, kubetest.AWSCLI)
	u := &user{Namespace: kubetest.New(t), dir: t.TempDir(), cloud: cloud}
	u.source = u.Cluster.Source
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	objects := s3.NewFromConfig(cloud.Config())
	_, err := objects.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(u.Name)})
	must(err)
	_, err = objects.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(u.Name), Key: aws.String("q3.txt"), Body: strings.NewReader("third quarter")})
	must(err)
	u.get = []string{"aws", "s3", "cp", "s3://" + u.Name + "/q3.txt", "-"}
	for _, account := range []string{"web", "other"} {
		u.Kubectl("create", "serviceaccount", account)
	}
	names := strings.NewReplacer("NAMESPACE", u.Name, "NAME", "five-"+u.Name[len(u.Name)-6:], "ISSUER", kube.Issuer)
	for file, text := range map[string]string{"setup.yaml": names.Replace(setupFile), "pod.yaml": names.Replace(podFile), "aws-ca.pem": string(cloud.CA)} {
		must(os.WriteFile(filepath.Join(u.dir, file), []byte(text), 0o600))
	}
	u.file, err = setup.Read(filepath.Join(u.dir, "setup.yaml"))
	must(err)
	u.registry(t)

	helm, err := addons.Helm(t.Context(), u.Cluster)
	must(err)
	cli, err := peers.AWSCLI(t.Context())
	peers.Need(t, "aws", err)
	programs := []string{filepath.Dir(helm), filepath.Dir(cli), u.Cluster.Dir + "/bin"}
	for _, pkg := range []string{"./cmd/daypassctl", "./e2e/images/cmd/images"} {
		file, err := build.Ours(t.Context(), u.Cluster.Source, pkg)
		must(err)
		programs = append(programs, filepath.Dir(file))
	}
	u.env = append(cloud.Environment(filepath.Join(u.dir, "aws-ca.pem")),
		"WORK="+u.dir, "NAMESPACE="+u.Name, "KUBECONFIG="+u.Cluster.Kubeconfig(), "HOME="+os.Getenv("HOME"),
		"GOFLAGS="+os.Getenv("GOFLAGS"), "CGO_ENABLED="+os.Getenv("CGO_ENABLED"), "GOPROXY=off", build.BuiltVariable+"="+os.Getenv(build.BuiltVariable),
		"PATH="+strings.Join(append(programs, os.Getenv("PATH")), ":"))
	t.Cleanup(func() {
		if _, err := u.try(context.Background(), "helm uninstall daypass -n daypass --wait --ignore-not-found"); err != nil {
			t.Error(err)
		}
	})
	return u
}

// registry serves one of go-containerregistry's at registryAddress on both nodes.
func (u *user) registry(t *testing.T) {
	t.Helper()
	server := &http.Server{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0))), ReadHeaderTimeout: time.Minute}
	t.Cleanup(func() { _ = server.Close() })
	for node := range u.Cluster.Nodes {
		l, err := u.Cluster.Listen(t.Context(), node+1, registryAddress)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = server.Serve(l) }()
	}
}

// try runs a line of the shell in the clone, in the cluster's network.
func (u *user) try(ctx context.Context, command string) (string, error) {
	within, err := u.Cluster.Within(ctx)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, within[0], append(within[1:], "sh", "-ec", command)...)
	cmd.Dir, cmd.Env = u.source, u.env
	said := &strings.Builder{}
	cmd.Stderr = said
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s%s", command, err, said, out)
	}
	return string(out), err
}

func (u *user) run(t *testing.T, command string) string {
	t.Helper()
	out, err := u.try(t.Context(), command)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// check looks at what was made, and has it destroyed.
func (u *user) check(t *testing.T, annotation string) {
	t.Helper()
	u.run(t, strings.Replace(annotation, " web ", " other ", 1))
	u.run(t, "sed -e 's/serviceAccountName: web/serviceAccountName: other/' -e 's/name: reader/name: stranger/' $WORK/pod.yaml | kubectl apply -f -")
	u.Wait("pod/stranger", "Ready", time.Minute)
	if out, err := u.Exec("stranger", "aws-cli", u.get...); err == nil || !strings.Contains(err.Error(), "AssumeRoleWithWebIdentity") {
		t.Errorf("a neighbour: %v: %s", err, out)
	}
	const ctl = "daypassctl "
	if out := u.run(t, ctl+"setup drift $WORK/setup.yaml"); out != "nothing to do\n" {
		t.Errorf("drift: %s", out)
	}
	if out := u.run(t, ctl+"status -n $NAMESPACE"); !strings.Contains(out, "web-identity") || !strings.Contains(out, u.file.RoleNames()[0]) {
		t.Errorf("status: %s", out)
	}
	if out := u.run(t, ctl+"doctor pod/reader -n $NAMESPACE"); !strings.Contains(out, "nothing is wrong") {
		t.Errorf("doctor: %s", out)
	}
	u.run(t, ctl+"setup destroy $WORK/setup.yaml")
	client := setup.NewClient(u.file, u.cloud.Config())
	state, err := client.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if left := u.file.Destroy(state).Steps; len(left) > 0 {
		t.Errorf("destroy leaves %+v", left)
	}
}
