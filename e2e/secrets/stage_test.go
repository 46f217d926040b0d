package secrets

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/addons"
	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/setup"
)

const home = "111122223333" // the sandbox's account

const values = `
cluster: {name: e2e, trustDomain: e2e.test, method: web-identity, region: us-east-1}
node: {enabled: true, secrets: {enabled: true, pollInterval: 10s}}
webhook: {enabled: false}
detector: {enabled: false}
`

// A stage is a namespace on a cluster with the driver, which sends pods' tokens
// and asks for changes every few seconds.
type stage struct {
	*kubetest.Namespace
	t       *testing.T
	sandbox *kubetest.AWS
	secrets *secretsmanager.Client
}

func newStage(t *testing.T) *stage {
	t.Helper()
	sandbox := kubetest.Sandbox(t)
	kubetest.Addon(t, addons.SecretsStore)
	s := &stage{Namespace: kubetest.New(t), t: t, sandbox: sandbox, secrets: secretsmanager.NewFromConfig(sandbox.Config())}
	s.tokens(bothAudiences)
	s.rotate("10s")
	return s
}

// in is the stage for a subtest: a namespace of its own.
func (s *stage) in(t *testing.T) *stage {
	t.Helper()
	return &stage{Namespace: kubetest.New(t), t: t, sandbox: s.sandbox, secrets: s.secrets}
}

const bothAudiences = `[{"audience": "sts.amazonaws.com"}, {"audience": "pods.eks.amazonaws.com"}]`

// tokens says which tokens of pods the driver is given.
func (s *stage) tokens(requests string) {
	s.t.Helper()
	inSecrets := "true"
	if requests == "[]" {
		inSecrets = "null"
	}
	s.Kubectl("patch", "csidriver", "secrets-store.csi.k8s.io", "--type=merge", "--patch", `{"spec": {"serviceAccountTokenInSecrets": `+inSecrets+`, "tokenRequests": `+requests+`}}`)
}

// rotate has the driver look for changes, and sync Secrets, by its own switches.
func (s *stage) rotate(interval string) {
	s.t.Helper()
	args := s.Kubectl("--namespace=kube-system", "get", "daemonset/csi-secrets-store", "--output=jsonpath={.spec.template.spec.containers[?(@.name=='secrets-store')].args}")
	if strings.Contains(args, "--rotation-poll-interval="+interval) {
		return
	}
	index := 0
	for i, name := range strings.Fields(s.Kubectl("--namespace=kube-system", "get", "daemonset/csi-secrets-store", "--output=jsonpath={.spec.template.spec.containers[*].name}")) {
		if name == "secrets-store" {
			index = i
		}
	}
	var patch []string
	for _, arg := range []string{"--enable-secret-rotation=true", "--rotation-poll-interval=" + interval} {
		patch = append(patch, fmt.Sprintf(`{"op": "add", "path": "/spec/template/spec/containers/%d/args/-", "value": %q}`, index, arg))
	}
	s.Kubectl("--namespace=kube-system", "patch", "daemonset/csi-secrets-store", "--type=json", "--patch=["+strings.Join(patch, ",")+"]")
	s.Kubectl("--namespace=kube-system", "rollout", "status", "daemonset/csi-secrets-store", "--timeout=2m")
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// unique is a name of this test's own.
func (s *stage) unique(name string) string { return name + "-" + s.Name[len(s.Name)-6:] }

// provider makes the cluster's issuer known to the account.
func (s *stage) provider() string {
	s.t.Helper()
	arn, err := kubetest.MakeProvider(s.t.Context(), iam.NewFromConfig(s.sandbox.Config()), kube.Issuer, "sts.amazonaws.com", "pods.eks.amazonaws.com")
	s.must(err)
	return arn
}

// role makes one for a ServiceAccount of the namespace, by tokens of an
// audience, or of both if it is empty, and returns its ARN.
func (s *stage) role(name, account, audience, rights string) string {
	s.t.Helper()
	var grants []setup.Grant
	for _, one := range []string{"sts.amazonaws.com", "pods.eks.amazonaws.com"} {
		if audience == "" || audience == one {
			grants = append(grants, setup.Token{ProviderARN: s.provider(), Subject: "system:serviceaccount:" + s.Name + ":" + account, Audience: one})
		}
	}
	trust, err := setup.TrustPolicy(grants...)
	s.must(err)
	client, name := iam.NewFromConfig(s.sandbox.Config()), s.unique(name)
	arn, err := kubetest.MakeRole(s.t.Context(), client, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(string(trust))})
	s.must(err)
	s.rights(name, rights)
	return arn
}

// rights are what a role may do.
func (s *stage) rights(role, document string) {
	s.t.Helper()
	_, err := iam.NewFromConfig(s.sandbox.Config()).PutRolePolicy(s.t.Context(), &iam.PutRolePolicyInput{RoleName: &role, PolicyName: aws.String("rights"), PolicyDocument: &document})
	s.must(err)
}

// reads lets a role read the secrets of this test.
func (s *stage) reads() string {
	return `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["secretsmanager:GetSecretValue","secretsmanager:DescribeSecret"],"Resource":"arn:aws:secretsmanager:*:` + home + `:secret:` + s.Name + `*"},
		{"Effect":"Allow","Action":"secretsmanager:BatchGetSecretValue","Resource":"*"},
		{"Effect":"Allow","Action":"ssm:GetParameters","Resource":"arn:aws:ssm:*:` + home + `:parameter/` + s.Name + `/*"}]}`
}

// secret makes one whose name begins with the namespace's.
func (s *stage) secret(name, value string) string {
	s.t.Helper()
	name = s.Name + "/" + name
	_, err := s.secrets.CreateSecret(s.t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: &value})
	s.must(err)
	return name
}

// account makes a ServiceAccount with the role in an annotation.
func (s *stage) account(name, annotation, role string) {
	s.t.Helper()
	s.Kubectl("create", "serviceaccount", name)
	s.Kubectl("annotate", "serviceaccount", name, annotation+"="+role)
}

// class applies a SecretProviderClass; parameters are YAML lines.
func (s *stage) class(name string, parameters ...string) {
	s.t.Helper()
	s.Apply("apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nmetadata: {name: " + name + "}\nspec:\n  provider: aws\n  parameters:\n    " +
		strings.Join(parameters, "\n    ") + "\n")
}

// mounts starts a pod with the class at /mnt/secret.
func (s *stage) mounts(pod, account, class string) {
	s.t.Helper()
	s.Apply(podWith(pod, account, class))
}

func podWith(pod, account, class string) string {
	return `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "` + pod + `"}, "spec": {"serviceAccountName": "` + account + `", "terminationGracePeriodSeconds": 0,
		"containers": [{"name": "shell", "image": "` + kube.BusyboxImage + `", "args": ["-c", "sleep 3600"], "volumeMounts": [{"name": "secrets", "mountPath": "/mnt/secret", "readOnly": true}]}],
		"volumes": [{"name": "secrets", "csi": {"driver": "secrets-store.csi.k8s.io", "readOnly": true, "volumeAttributes": {"secretProviderClass": "` + class + `"}}}]}}`
}

// reads a file of a pod's mount.
func (s *stage) file(pod, path string) string {
	s.t.Helper()
	out, err := s.Exec(pod, "shell", "cat", "/mnt/secret/"+path)
	s.must(err)
	return out
}

// event waits until the pod's events tell all of texts, in one message.
func (s *stage) event(pod string, texts ...string) string {
	s.t.Helper()
	var last string
	s.Eventually(90*time.Second, "an event of pod "+pod, func() error {
		out, err := s.Try("get", "events", "--field-selector=involvedObject.kind=Pod,involvedObject.name="+pod, `--output=jsonpath={range .items[*]}{.message}{"\n"}{end}`)
		if err != nil {
			return err
		}
		for line := range strings.Lines(out) {
			missing := ""
			for _, text := range texts {
				if !strings.Contains(line, text) {
					missing = text
				}
			}
			if missing == "" {
				last = line
				return nil
			}
		}
		return fmt.Errorf("none holds %q: %s", texts, out)
	})
	return last
}
