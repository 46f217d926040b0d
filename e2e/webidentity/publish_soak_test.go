//go:build soak

package webidentity

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/e2e/peers"
	programs "daypass.dev/e2e/stage"
	"daypass.dev/sandbox/world"
	"daypass.dev/setup"
)

const (
	publishedBucket = "issuer-of-e2e"
	publishedIssuer = "https://" + publishedBucket + ".s3.us-east-1.amazonaws.com"
)

// bearer is a pod with what injection gives for web identity.
const bearer = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: bearer}
---
apiVersion: v1
kind: Pod
metadata: {name: bearer}
spec:
  serviceAccountName: bearer
  terminationGracePeriodSeconds: 0
  containers:
  - name: app
    image: IMAGE
    imagePullPolicy: Never
    command: [sleep, "36000"]
    env:
    - {name: AWS_ROLE_ARN, value: "ITS-ARN"}
    - {name: AWS_WEB_IDENTITY_TOKEN_FILE, value: /token/token}
    - {name: AWS_REGION, value: us-east-1}
    volumeMounts: [{name: token, mountPath: /token}]
  volumes:
  - name: token
    projected: {sources: [{serviceAccountToken: {audience: sts.amazonaws.com, expirationSeconds: 86400, path: token}}]}
`

// A publication is a cluster whose issuer is a bucket, and the folder that is
// copied there.
type publication struct {
	*kubetest.Namespace
	t            *testing.T
	aws          *kubetest.AWS
	program, dir string
	homes        int
}

// TestAPublishedIssuer: AWS reaches nothing of the cluster but what oidc publish
// has written, as a bucket serves it. Pods' tokens are taken once it is there,
// also those of a new signing key that was published before it was used, and
// those of the old one, which the cluster no longer lists, while it is kept.
func TestAPublishedIssuer(t *testing.T) {
	p := newPublication(t)
	if out, err := p.exchange("/token/token"); err == nil || p.last().Reason != "issuer-status" {
		t.Fatalf("before anything is published: %s, %v, %s", out, err, p.last().Reason)
	}
	p.publish(p.Cluster.Kubeconfig())
	p.taken("/token/token")
	if d := p.last(); len(d.NotAWS) > 0 {
		t.Errorf("the keys came from elsewhere: %q", d.NotAWS)
	}

	key, public := p.newKey()
	p.publish(p.Cluster.Kubeconfig(), "--next-key="+public)
	next := p.apiServer(key, public, filepath.Join(p.Cluster.Dir, "pki", "sa.pub"))
	p.hold("/tmp/next", p.tokenOf(next))
	p.taken("/tmp/next")
	p.taken("/token/token")
	p.publish(next)

	next = p.apiServer(key, public) // which knows the old key no more
	if out := p.publish(next); !strings.Contains(out, "kept") {
		t.Errorf("nothing is kept: %s", out)
	}
	p.taken("/tmp/next")
	p.taken("/token/token")
	if out := p.publish(next, "--keep=0s"); !strings.Contains(out, "gone") {
		t.Errorf("nothing is gone: %s", out)
	}
	p.taken("/tmp/next")
	if out, err := p.exchange("/token/token"); err == nil || p.last().Reason != "token-key-unknown" {
		t.Errorf("once its key is gone: %s, %v, %s", out, err, p.last().Reason)
	}
}

func newPublication(t *testing.T) *publication {
	t.Helper()
	kubetest.Need(t)
	p := &publication{t: t, program: programs.Binary(t, "daypassctl"), dir: t.TempDir()}
	starter, err := kubetest.Starter(t.Context())
	p.must(err)
	run := func(args ...string) {
		if out, err := exec.Command(starter, append(args, "--name=published", "--nodes=1", "--issuer="+publishedIssuer)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	t.Cleanup(func() { run("down") })
	run("up")
	c, err := kube.Find("published")
	p.must(err)
	c.Nodes = 1
	p.aws, err = kubetest.StartSandbox(t.Context(), c)
	p.must(err)
	peers.Need(t, "aws-cli", p.aws.Bring(t.Context(), kubetest.AWSCLI))
	p.Namespace = kubetest.On(t, c)

	ctx, files, roles := t.Context(), s3.NewFromConfig(p.aws.Config()), iam.NewFromConfig(p.aws.Config())
	_, err = files.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(publishedBucket)})
	p.must(err)
	_, err = files.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: aws.String(publishedBucket), Policy: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + publishedBucket + `/*"}]}`)})
	p.must(err)
	provider, err := kubetest.MakeProvider(ctx, roles, publishedIssuer, "sts.amazonaws.com")
	p.must(err)
	trust, err := setup.TrustPolicy(setup.Token{ProviderARN: provider, Audience: "sts.amazonaws.com", Subject: "system:serviceaccount:" + p.Name + ":bearer"})
	p.must(err)
	role, err := kubetest.MakeRole(ctx, roles, &iam.CreateRoleInput{RoleName: aws.String("bearer"), AssumeRolePolicyDocument: aws.String(string(trust))})
	p.must(err)
	p.Apply(strings.NewReplacer("IMAGE", kubetest.AWSCLI, "ITS-ARN", role).Replace(bearer))
	p.Wait("pod/bearer", "Ready", time.Minute)
	return p
}

func (p *publication) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// exchange has the pod show AWS the token of a file. The CLI remembers at home
// what came of a token, so that it has a new one each time.
func (p *publication) exchange(file string) (string, error) {
	p.homes++
	return p.Exec("bearer", "app", "env", fmt.Sprint("HOME=/tmp/home-", p.homes), "AWS_WEB_IDENTITY_TOKEN_FILE="+file,
		"aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text")
}

func (p *publication) taken(file string) {
	p.t.Helper()
	if out, err := p.exchange(file); err != nil || !strings.Contains(out, ":assumed-role/bearer/") {
		p.t.Fatalf("the token in %s: %s, %v", file, out, err)
	}
}

// last is what the local AWS has decided of a token at last.
func (p *publication) last() (d world.Decision) {
	p.t.Helper()
	all, err := p.aws.Decisions(p.t.Context())
	p.must(err)
	for _, one := range all {
		if one.Operation == "AssumeRoleWithWebIdentity" {
			d = one
		}
	}
	if d.Operation == "" {
		p.t.Fatal("AWS was not asked")
	}
	return d
}

// publish writes what the API server of a kubeconfig says into the folder, and
// copies that to the bucket.
func (p *publication) publish(kubeconfig string, args ...string) string {
	p.t.Helper()
	cmd, err := p.Cluster.Command(p.t.Context(), p.program, append([]string{"oidc", "publish", "--to=" + p.dir, "--issuer=" + publishedIssuer, "--kubeconfig=" + kubeconfig}, args...)...)
	p.must(err)
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("publishing: %v: %s", err, out)
	}
	files := s3.NewFromConfig(p.aws.Config())
	p.must(filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(p.dir, path)
		if err != nil {
			return err
		}
		_, err = files.PutObject(p.t.Context(), &s3.PutObjectInput{
			Bucket: aws.String(publishedBucket), Key: &name, Body: strings.NewReader(string(text)), ContentType: aws.String("application/json"),
			CacheControl: aws.String("no-cache"), // else AWS asks again after minutes
		})
		return err
	}))
	return string(out)
}

// newKey is a signing key for API servers, and its public half, in files.
func (p *publication) newKey() (private, public string) {
	p.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	p.must(err)
	write := func(name, kind string, der []byte, err error) string {
		p.must(err)
		file := filepath.Join(p.t.TempDir(), name)
		p.must(os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return file
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	private = write("sa.key", "PRIVATE KEY", der, err)
	der, err = x509.MarshalPKIXPublicKey(key.Public())
	return private, write("sa.pub", "PUBLIC KEY", der, err)
}

// apiServer starts a further API server of the cluster, beside the others, that
// signs with a key and knows these public ones, and returns a kubeconfig for it.
func (p *publication) apiServer(key string, public ...string) (kubeconfig string) {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.Cluster.Dir, "node1", "node.json"))
	p.must(err)
	var node struct{ Programs []struct{ Args []string } }
	p.must(json.Unmarshal(text, &node))
	var args []string
	for _, program := range node.Programs {
		if program.Args[0] == "kube-apiserver" {
			args = append(args, program.Args[1:]...)
		}
	}
	port := 6444 + len(public)
	changed := []string{fmt.Sprint("--secure-port=", port), "--service-account-signing-key-file=" + key}
	for _, file := range public {
		changed = append(changed, "--service-account-key-file="+file)
	}
	for _, a := range args {
		if !strings.HasPrefix(a, "--secure-port=") && !strings.HasPrefix(a, "--service-account-signing-key-file=") && !strings.HasPrefix(a, "--service-account-key-file=") {
			changed = append(changed, a)
		}
	}
	cmd, err := p.Cluster.Command(p.t.Context(), "kube-apiserver", changed...)
	p.must(err)
	var said strings.Builder
	cmd.Stderr = &said
	p.must(cmd.Start())
	p.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if p.t.Failed() {
			text := said.String()
			p.t.Logf("the further API server: %s", text[max(0, len(text)-2000):])
		}
	})
	text, err = os.ReadFile(p.Cluster.Kubeconfig())
	p.must(err)
	kubeconfig = filepath.Join(p.t.TempDir(), "further.conf")
	p.must(os.WriteFile(kubeconfig, []byte(strings.ReplaceAll(string(text), ":6443", fmt.Sprint(":", port))), 0o600))
	p.Eventually(time.Minute, "a further API server", func() error {
		_, err := p.Try("--kubeconfig="+kubeconfig, "get", "--raw", "/readyz")
		return err
	})
	return kubeconfig
}

// tokenOf is one of the pod's, of the API server of a kubeconfig.
func (p *publication) tokenOf(kubeconfig string) string {
	p.t.Helper()
	return strings.TrimSpace(p.Kubectl("--kubeconfig="+kubeconfig, "create", "token", "bearer", "--bound-object-kind=Pod", "--bound-object-name=bearer", "--audience=sts.amazonaws.com", "--duration=1h"))
}

// hold puts a token into a file of the pod's.
func (p *publication) hold(file, token string) {
	p.t.Helper()
	if _, err := p.Exec("bearer", "app", "sh", "-c", "printf %s '"+token+"' > "+file); err != nil {
		p.t.Fatal("the pod does not hold the token") // which err would quote
	}
}
