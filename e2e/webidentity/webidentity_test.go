package webidentity

import (
	_ "embed"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/setup"
)

var (
	//go:embed testdata/gtoken.yaml
	gtoken string
	//go:embed testdata/irsa.yaml
	irsa string
)

const rights = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`

// A stage is one test's namespace and what it has at AWS and Google.
type stage struct {
	*kubetest.Namespace
	t       *testing.T
	aws     *kubetest.AWS
	account string
}

func newStage(t *testing.T, images ...string) *stage {
	t.Helper()
	s := &stage{t: t, aws: kubetest.Sandbox(t)}
	for _, image := range images {
		kubetest.Provide(t, s.aws, image)
	}
	kubetest.Chart(t, "cluster: {name: e2e, method: web-identity, region: us-east-1}")
	s.Namespace = kubetest.New(t)
	who, err := sts.NewFromConfig(s.aws.Config()).GetCallerIdentity(t.Context(), nil)
	s.must(err)
	s.account = *who.Account
	_, err = s3.NewFromConfig(s.aws.Config()).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &s.Name})
	s.must(err)
	return s
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// role makes a role that trusts as granted, named after the test, and returns
// its ARN.
func (s *stage) role(grant setup.Grant) string {
	s.t.Helper()
	trust, err := setup.TrustPolicy(grant)
	s.must(err)
	roles, ctx := iam.NewFromConfig(s.aws.Config()), s.t.Context()
	arn, err := kubetest.MakeRole(ctx, roles, &iam.CreateRoleInput{RoleName: &s.Name, AssumeRolePolicyDocument: aws.String(string(trust))})
	s.must(err)
	_, err = roles.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &s.Name, PolicyName: aws.String("s3"), PolicyDocument: aws.String(rights)})
	s.must(err)
	return arn
}

// finished waits for a pod's end and wants it to have written its object as
// the role.
func (s *stage) finished(pod string) {
	s.t.Helper()
	s.Kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=2m", "pod/"+pod)
	logs := s.Kubectl("logs", pod)
	if !strings.Contains(logs, ":assumed-role/"+s.Name+"/") || !strings.Contains(logs, "object from-go.txt\n") {
		s.t.Errorf("%s prints %q", pod, logs)
	}
}

func TestManifestsForGToken(t *testing.T) {
	s := newStage(t, kubetest.GoSDK)
	const project = "demo-project"
	google := func(path, body string, into any) {
		t.Helper()
		answer, err := s.aws.Config().HTTPClient.(*http.Client).Post("https://iam.googleapis.com/v1/projects/"+path, "application/json", strings.NewReader(body))
		s.must(err)
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		s.must(err)
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", answer.Status, text)
		}
		s.must(json.Unmarshal(text, into))
	}
	var account struct{ Email, UniqueID string }
	google(project+"/serviceAccounts", `{"accountId": "test-`+s.Name[len(s.Name)-6:]+`"}`, &account)
	google("-/serviceAccounts/"+account.Email+":setIamPolicy", `{"policy": {"bindings": [{"role": "roles/iam.workloadIdentityUser",
		"members": ["serviceAccount:`+project+`.svc.id.goog[`+s.Name+`/gtoken-user]"]}]}}`, &struct{}{})
	role := s.role(setup.GoogleAccount{UniqueID: account.UniqueID, Audience: "gtoken/sts/assume-role-with-web-identity"})

	s.Apply(strings.NewReplacer("GOOGLE-ACCOUNT", account.Email, "GOOGLE-ROLE", role, "BUCKET-NAME", s.Name).Replace(gtoken))
	s.finished("test-pod")
}

func TestManifestsForIRSA(t *testing.T) {
	s := newStage(t, kubetest.GoSDK, kubetest.AWSCLI)
	var about struct{ Issuer string }
	s.must(json.Unmarshal([]byte(s.Kubectl("get", "--raw", "/.well-known/openid-configuration")), &about))
	provider, err := kubetest.MakeProvider(t.Context(), iam.NewFromConfig(s.aws.Config()), about.Issuer, "sts.amazonaws.com")
	s.must(err)
	role := s.role(setup.Token{
		ProviderARN: provider, Audience: "sts.amazonaws.com",
		Subject: "system:serviceaccount:" + s.Name + ":irsa-user",
	})
	s.Apply(strings.NewReplacer("CLUSTER-ROLE", role, "BUCKET-NAME", s.Name).Replace(irsa))
	s.finished("from-eks")

	s.Kubectl("rollout", "status", "deployment/app", "--timeout=2m")
	exec := func(container string, command ...string) (string, error) {
		return s.Try(append([]string{"exec", "deployment/app", "--container=" + container, "--"}, command...)...)
	}
	who, err := exec("app", "aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text")
	if err != nil || !strings.Contains(who, ":assumed-role/"+s.Name+"/") {
		t.Errorf("the caller is %q, %v", who, err)
	}
	env, err := exec("app", "env")
	if err != nil || !strings.Contains(env, "AWS_STS_REGIONAL_ENDPOINTS=regional\n") {
		t.Errorf("the annotation on endpoints has no effect: %q, %v", env, err)
	}
	if env, err = exec("bystander", "env"); err != nil || strings.Contains(env, "AWS_ROLE_ARN") {
		t.Errorf("a container that is to be skipped has %q, %v", env, err)
	}
	if seconds := s.Kubectl("get", "pods", "--selector=app=app", "--output=jsonpath={..serviceAccountToken.expirationSeconds}"); !strings.Contains(seconds, "3600") {
		t.Errorf("tokens live %s seconds", seconds)
	}
}
