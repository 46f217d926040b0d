package agent

import (
	"strings"
	"testing"
	"time"

	_ "embed"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/setup"
)

//go:embed testdata/pod.yaml
var podManifest string

const home = "111122223333" // the sandbox's account

// A stage is a namespace with a ServiceAccount that has a role.
type stage struct {
	*kubetest.Namespace
	t       *testing.T
	sandbox *kubetest.AWS
}

func newStage(t *testing.T) *stage {
	t.Helper()
	sandbox := kubetest.Sandbox(t)
	return &stage{kubetest.New(t), t, sandbox}
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// provider makes the cluster's issuer known to the account, for tokens of the
// agent's audience.
func (s *stage) provider() string {
	s.t.Helper()
	arn, err := kubetest.MakeProvider(s.t.Context(), iam.NewFromConfig(s.sandbox.Config()), kube.Issuer, "sts.amazonaws.com", "pods.eks.amazonaws.com")
	s.must(err)
	return arn
}

// role makes one with a trust policy and rights, and returns its ARN.
func (s *stage) role(name string, rights string, grants ...setup.Grant) string {
	s.t.Helper()
	trust, err := setup.TrustPolicy(grants...)
	s.must(err)
	return s.trusting(name, string(trust), rights)
}

func (s *stage) trusting(name, trust, rights string) string {
	s.t.Helper()
	client := iam.NewFromConfig(s.sandbox.Config())
	name = name + "-" + s.Name[len(s.Name)-6:]
	arn, err := kubetest.MakeRole(s.t.Context(), client, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust, MaxSessionDuration: aws.Int32(6 * 3600)})
	s.must(err)
	_, err = client.PutRolePolicy(s.t.Context(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("rights"), PolicyDocument: &rights})
	s.must(err)
	return arn
}

func (s *stage) bucket() {
	s.t.Helper()
	_, err := s3.NewFromConfig(s.sandbox.Config()).CreateBucket(s.t.Context(), &s3.CreateBucketInput{Bucket: &s.Name})
	s.must(err)
}

// rights lets a role do all in the stage's bucket.
func (s *stage) rights() string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::` + s.Name + `","arn:aws:s3:::` + s.Name + `/*"]},
		{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}`
}

// account makes a ServiceAccount with annotations, each KEY=VALUE.
func (s *stage) account(name string, annotations ...string) {
	s.t.Helper()
	s.Kubectl("create", "serviceaccount", name)
	if len(annotations) > 0 {
		s.Kubectl(append([]string{"annotate", "serviceaccount", name}, annotations...)...)
	}
}

// pod starts one on a node. Without a command, the image's own is run.
func (s *stage) pod(name, account, node, image, command string) {
	s.t.Helper()
	kubetest.Provide(s.t, s.sandbox, image)
	if command != "" {
		command = `command: ["sh", "-c", "` + command + `"]`
	}
	s.Apply(strings.NewReplacer("POD", name, "ACCOUNT", account, "NODE", node, "IMAGE", image, "COMMAND", command, "BUCKET-NAME", s.Name).Replace(podManifest))
}

// cli starts a pod with the AWS CLI, in which commands are run.
func (s *stage) cli(name, account, node string) {
	s.t.Helper()
	s.pod(name, account, node, kubetest.AWSCLI, "sleep 36000")
	s.Wait("pod/"+name, "Ready", 2*time.Minute)
}

// caller is who a pod is to AWS.
func (s *stage) caller(pod string) (string, error) {
	out, err := s.Exec(pod, "workload", "aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text")
	return strings.TrimSpace(out), err
}

// is wants the pod to be a session of the role.
func (s *stage) is(pod, role string) {
	s.t.Helper()
	want := ":assumed-role/" + role[strings.LastIndexByte(role, '/')+1:] + "/"
	if who, err := s.caller(pod); err != nil || !strings.Contains(who, want) {
		s.t.Errorf("pod %s is %q, not %s: %v", pod, who, want, err)
	}
}

// in is the stage for a part of its test.
func (s *stage) in(t *testing.T) *stage { return &stage{s.Namespace, t, s.sandbox} }

// associate writes a PodIdentityAssociation for a ServiceAccount, which goes
// with the test.
func (s *stage) associate(name, account, fields string) {
	s.t.Helper()
	name = s.Name + "-" + name
	s.Apply("apiVersion: daypass.dev/v1alpha1\nkind: PodIdentityAssociation\nmetadata: {name: " + name + "}\nspec: {namespace: " + s.Name +
		", serviceAccount: " + account + ", " + fields + "}\n")
	s.t.Cleanup(func() {
		if _, err := s.Try("delete", "podidentityassociation", name); err != nil {
			s.t.Log(err)
		}
	})
}
