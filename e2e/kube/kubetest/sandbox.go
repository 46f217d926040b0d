package kubetest

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"daypass.dev/e2e/images"
	"daypass.dev/e2e/kube"
	"daypass.dev/sandbox/world"
)

// SandboxNamespace is where the sandbox runs that answers for AWS.
const SandboxNamespace = "aws"

const decisions = "/state/decisions.json"

// AWS is the sandbox that answers for AWS in the cluster: its DNS sends every
// host name of AWS's to it, and Google's that its stand-in for Google has.
type AWS struct {
	CA      []byte // PEM, of the sandbox's certificate authority
	Region  string
	id      string // of the administrator's access key
	secret  string
	cluster *kube.Cluster
}

var sandboxes = sync.OnceValues(func() (*AWS, error) {
	c, err := shared()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	return StartSandbox(ctx, c)
})

// Sandbox returns the sandbox of the run's cluster, which it starts, from this
// checkout's sources, if it does not run or runs from others. It forgets
// nothing while it runs, so tests name their objects after themselves.
func Sandbox(t testing.TB) *AWS {
	t.Helper()
	Need(t)
	a, err := sandboxes()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Config is for AWS's SDK for Go in a test: the administrator of the sandbox's
// home account, by AWS's own host names.
func (a *AWS) Config() aws.Config {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.CA)
	return aws.Config{
		Region:      a.Region,
		Credentials: credentials.NewStaticCredentialsProvider(a.id, a.secret, ""),
		HTTPClient: &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return a.cluster.Dial(ctx, network, net.JoinHostPort(kube.AWSAddress, "443"))
			},
		}},
	}
}

// Decisions are the records of all calls since the sandbox started.
func (a *AWS) Decisions(ctx context.Context) ([]world.Decision, error) {
	text, err := a.read(ctx, decisions)
	if err != nil {
		return nil, err
	}
	var all []world.Decision
	for line := range strings.Lines(text) {
		if !strings.HasSuffix(line, "\n") {
			break // it is being written
		}
		var d world.Decision
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			return nil, fmt.Errorf("reading decision %d: %w", len(all)+1, err)
		}
		all = append(all, d)
	}
	return all, nil
}

// Environment is for AWS's clients that find it by AWS's own host names, as its
// administrator; caFile must hold CA.
func (a *AWS) Environment(caFile string) []string {
	return []string{
		"AWS_REGION=" + a.Region, "AWS_DEFAULT_REGION=" + a.Region,
		"AWS_ACCESS_KEY_ID=" + a.id, "AWS_SECRET_ACCESS_KEY=" + a.secret,
		"AWS_CA_BUNDLE=" + caFile, "NODE_EXTRA_CA_CERTS=" + caFile, "SSL_CERT_FILE=" + caFile,
	}
}

func (a *AWS) fingerprint() string { return fmt.Sprintf("%x", sha256.Sum256(a.CA)) }

// read reads a file of the sandbox's container.
func (a *AWS) read(ctx context.Context, file string) (string, error) {
	return a.cluster.Kubectl(ctx, nil, "--namespace="+SandboxNamespace, "exec", "deployment/sandbox", "--", "cat", file)
}

const sandboxManifest = `
apiVersion: v1
kind: Namespace
metadata: {name: aws}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: sandbox}
rules:
- {apiGroups: [""], resources: [pods], verbs: [list]}
- {apiGroups: [""], resources: [serviceaccounts], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: sandbox}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: sandbox}
subjects: [{kind: ServiceAccount, name: default, namespace: aws}]
---
# The home account, and another of the same organization, which the first one's
# administrator enters as AWS Organizations has it.
apiVersion: v1
kind: ConfigMap
metadata: {name: world, namespace: aws}
data:
  world.yaml: |
    accounts:
      "111122223333":
      "444455556666":
        roles:
          OrganizationAccountAccessRole:
            attached: ["arn:aws:iam::aws:policy/AdministratorAccess"]
            trust:
              Version: 2012-10-17
              Statement: [{Effect: Allow, Principal: {AWS: "arn:aws:iam::111122223333:root"}, Action: "sts:AssumeRole"}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: sandbox, namespace: aws}
spec:
  strategy: {type: Recreate}
  selector: {matchLabels: {app: sandbox}}
  template:
    metadata: {labels: {app: sandbox}}
    spec:
      nodeName: node1
      terminationGracePeriodSeconds: 1
      securityContext: {runAsNonRoot: true, fsGroup: 65532}
      containers:
      - name: sandbox
        image: IMAGE
        args: [--listen, "0.0.0.0:7777", --gke, --world, /world/world.yaml, --decisions, DECISIONS, --write-env, /state/env]
        env:
        - {name: TMPDIR, value: /state}
        # The cluster's own authority, for the issuer's discovery document and keys.
        - {name: SSL_CERT_FILE, value: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt}
        readinessProbe: {exec: {command: [cat, /state/env]}, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 10}
        volumeMounts: [{name: state, mountPath: /state}, {name: world, mountPath: /world, readOnly: true}]
      volumes: [{name: state, emptyDir: {}}, {name: world, configMap: {name: world}}]
---
apiVersion: v1
kind: Service
metadata: {name: sandbox, namespace: aws}
spec:
  clusterIP: ADDRESS
  selector: {app: sandbox}
  ports: [{name: https, port: 443, targetPort: 7777}, {name: metadata, port: 80, targetPort: 7777}]
`

// StartSandbox applies the sandbox as this checkout has it. Its image is named
// after what is in it, so an unchanged one goes on running.
func StartSandbox(ctx context.Context, c *kube.Cluster) (*AWS, error) {
	release, err := c.Hold(ctx, "sandbox")
	if err != nil {
		return nil, err
	}
	defer release()
	spec, err := images.Sandbox(ctx, c.Source)
	if err != nil {
		return nil, err
	}
	image, err := spec.Build()
	if err != nil {
		return nil, err
	}
	digest, err := image.Digest()
	if err != nil {
		return nil, err
	}
	name := "localhost/sandbox:" + digest.Hex[:16]
	running, err := c.Kubectl(ctx, nil, "--namespace="+SandboxNamespace, "get", "deployment", "sandbox",
		"--ignore-not-found", "--output=jsonpath={.spec.template.spec.containers[0].image}")
	if err != nil || running != name {
		file := c.Dir + "/sandbox.tar"
		defer os.Remove(file)
		if err := images.Write(file, name, image); err != nil {
			return nil, err
		}
		if err := c.Import(ctx, file); err != nil {
			return nil, err
		}
	}
	manifest := strings.NewReplacer("IMAGE", name, "DECISIONS", decisions, "ADDRESS", kube.AWSAddress).Replace(sandboxManifest)
	if _, err := c.Kubectl(ctx, strings.NewReader(manifest), "apply", "--server-side", "--filename=-"); err != nil {
		return nil, err
	}
	if _, err := c.Kubectl(ctx, nil, "--namespace="+SandboxNamespace, "rollout", "status", "deployment/sandbox", "--timeout=90s"); err != nil {
		return nil, err
	}
	return connect(ctx, c)
}

// connect reads what clients of the sandbox need.
func connect(ctx context.Context, c *kube.Cluster) (*AWS, error) {
	a := &AWS{cluster: c}
	env, err := a.read(ctx, "/state/env")
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for line := range strings.Lines(env) {
		name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		values[name] = strings.Trim(value, "'")
	}
	a.Region, a.id, a.secret = values["AWS_REGION"], values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"]
	ca, err := a.read(ctx, values["AWS_CA_BUNDLE"])
	if err != nil {
		return nil, err
	}
	a.CA = []byte(ca)
	return a, nil
}
