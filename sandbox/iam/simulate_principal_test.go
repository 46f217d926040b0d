package iam_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"daypass.dev/sandbox/sandboxtest"
)

const simulatedWorld = `
accounts:
  "111122223333":
    policies:
      deletes: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "s3:DeleteObject", Resource: "*"}]}
      limit: {path: /limits/, document: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: ["s3:GetObject", "s3:PutObject"], Resource: "*"}]}}
    users:
      ann:
        path: /team/
        policies:
          own: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::simulated/${aws:username}"}]}'
        attached: [deletes, "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
        boundary: limit
      bob: {}
      plain: {accessKeys: [{id: AKIAPLAINPLAINPLAIN1, secret: planted}]}
    roles:
      reader:
        trust: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {Service: rolesanywhere.amazonaws.com}, Action: "sts:AssumeRole"}]}
        policies:
          own: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}'
  "444455556666":
    roles:
      far:
        trust: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {Service: rolesanywhere.amazonaws.com}, Action: "sts:AssumeRole"}]}
`

// Sources of policies and their names as recorded (principal_user_sources and
// its kin of the same recordings): TYPE_NAME_POLICY for an inline policy, the
// friendly name of a managed one.
func TestSimulatePrincipalPolicy(t *testing.T) {
	s := sandboxtest.Start(t, simulatedWorld)
	c := iam.NewFromConfig(s.Config())
	const (
		user = "arn:aws:iam::" + home + ":user/team/ann"
		role = "arn:aws:iam::" + home + ":role/reader"
	)
	own := "arn:aws:s3:::simulated/ann"
	for name, row := range map[string]struct {
		in   iam.SimulatePrincipalPolicyInput
		want string
	}{
		"user": {iam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(user), ActionNames: []string{"s3:GetObject"}, ResourceArns: []string{own}},
			"[" + own + " allowed; user_ann_own (IAM Policy) 1:38-1:132; AmazonS3ReadOnlyAccess (IAM Policy) 1:38-1:167; boundary true]"},
		"a path that is not the user's": {iam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String("arn:aws:iam::" + home + ":user/elsewhere/ann"), ActionNames: []string{"s3:PutObject"}},
			"[* implicitDeny; missing aws:username; boundary true]"},
		"the boundary limits": {iam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(user), ActionNames: []string{"s3:DeleteObject"}},
			"[* implicitDeny; missing aws:username; boundary false]"},
		"another boundary in its place": {iam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(user), ActionNames: []string{"s3:DeleteObject"},
			PermissionsBoundaryPolicyInputList: []string{strings.Replace(allowGet, "s3:GetObject", "*", 1)}}, "[* allowed; deletes (IAM Policy) 3:17-7:6; boundary true]"},
		"a policy beside its own": {iam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(role), ActionNames: []string{"s3:PutObject"}, PolicyInputList: []string{allowPut}},
			"[* allowed; PolicyInputList.1 (IAM Policy) 1:38-1:95]"},
		"role": {iam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(role), ActionNames: []string{"s3:GetObject"}}, "[* allowed; role_reader_own (IAM Policy) 1:38-1:95]"},
		"as another caller": {iam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(user), CallerArn: aws.String("arn:aws:iam::" + home + ":user/bob"), ActionNames: []string{"s3:GetObject"}, ResourceArns: []string{own},
			ContextEntries: []types.ContextEntry{entry("s3:nothing", "string", "x")}},
			"[" + own + " allowed; AmazonS3ReadOnlyAccess (IAM Policy) 1:38-1:167; boundary true]"},
		"with a bucket policy": {iam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(role), ActionNames: []string{"s3:PutObject"}, ResourceArns: []string{objectA},
			ResourcePolicy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + role + `"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::simulated/*"}]}`)},
			"[" + objectA + " allowed; ResourcePolicy (Resource Policy) 1:38-1:178]"},
	} {
		out, err := c.SimulatePrincipalPolicy(t.Context(), &row.in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		// With one resource the answer for it is that of the whole.
		got, _, _ := strings.Cut(shown(out.EvaluationResults[0]), "]")
		if got += "]"; got != row.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, row.want)
		}
	}
	_, err := c.SimulatePrincipalPolicy(t.Context(), &iam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String("arn:aws:sts::" + home + ":assumed-role/reader/one"), ActionNames: []string{"s3:GetObject"}})
	refused(t, err, "InvalidInput", "Invalid Entity Arn: arn:aws:sts::"+home+":assumed-role/reader/one does not clearly define entity type and name.")
	for _, arn := range []string{"arn:aws:iam::" + home + ":role/nobody", "arn:aws:iam::" + home + ":user/nobody", "arn:aws:iam::" + home + ":group/nobody", "arn:aws:iam::444455556666:role/far"} {
		_, err := c.SimulatePrincipalPolicy(t.Context(), &iam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(arn), ActionNames: []string{"s3:GetObject"}})
		refused(t, err, "NoSuchEntity", "cannot be found.")
	}
}

// What the simulator says of a role is what happens to its sessions: the same
// engine decides both.
func TestSimulatorAndCallsAgree(t *testing.T) {
	s := sandboxtest.Start(t, simulatedWorld)
	c := iam.NewFromConfig(s.ConfigFor("AKIAPLAINPLAINPLAIN1", "planted", ""))
	admin := iam.NewFromConfig(s.Config())
	plain := aws.String("arn:aws:iam::" + home + ":user/plain")
	for _, document := range []string{
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:GetRole","Resource":"*"}]}`,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"*"},{"Effect":"Deny","Action":"iam:GetRole","Resource":"*"}]}`,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:GetRole","Resource":"arn:aws:iam::` + home + `:role/other"}]}`,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:GetRole","Resource":"*","Condition":{"StringEquals":{"aws:username":"plain"}}}]}`,
	} {
		must[*iam.PutUserPolicyOutput](t)(admin.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: aws.String("plain"), PolicyName: aws.String("p"), PolicyDocument: aws.String(document)}))
		out := must[*iam.SimulatePrincipalPolicyOutput](t)(admin.SimulatePrincipalPolicy(t.Context(), &iam.SimulatePrincipalPolicyInput{
			PolicySourceArn: plain, ActionNames: []string{"iam:GetRole"}, ResourceArns: []string{"arn:aws:iam::" + home + ":role/reader"},
		}))
		_, err := c.GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("reader")})
		if simulated := out.EvaluationResults[0].EvalDecision == "allowed"; simulated != (err == nil) {
			t.Errorf("%s: simulated %s, called %v", document, out.EvaluationResults[0].EvalDecision, err)
		}
	}
}

// The AWS CLI reads the answers too.
func TestSimulateByCLI(t *testing.T) {
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("no AWS CLI at PATH")
	}
	s := sandboxtest.Start(t, simulatedWorld)
	home := t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), path, args...)
		cmd.Env = append(s.Env(), "HOME="+home, "PATH="+os.Getenv("PATH"), "PYENV_ROOT="+os.Getenv("PYENV_ROOT"), "AWS_CONFIG_FILE="+filepath.Join(home, "none"), "AWS_PAGER=")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	out := run("iam", "simulate-custom-policy", "--policy-input-list", allowGet, "--permissions-boundary-policy-input-list", denyGet,
		"--action-names", "s3:GetObject", "--resource-arns", objectA, "--context-entries", "ContextKeyName=aws:SourceIp,ContextKeyValues=192.0.2.7,ContextKeyType=ip", "--output", "json")
	var answer struct{ EvaluationResults []types.EvaluationResult }
	if err := json.Unmarshal([]byte(out), &answer); err != nil || len(answer.EvaluationResults) != 1 {
		t.Fatalf("%v in %s", err, out)
	}
	one := "[" + objectA + " explicitDeny; PermissionsBoundaryPolicyInputList.1 (Permissions Boundary Policy) 1:38-1:94; boundary false]"
	if got := shown(answer.EvaluationResults[0]); got != one+one {
		t.Errorf("got %s", got)
	}
	out = run("iam", "simulate-principal-policy", "--policy-source-arn", "arn:aws:iam::111122223333:role/reader", "--action-names", "s3:GetObject", "s3:PutObject",
		"--query", "EvaluationResults[].[EvalActionName,EvalDecision]", "--output", "text")
	if out != "s3:GetObject\tallowed\ns3:PutObject\timplicitDeny\n" {
		t.Errorf("got %q", out)
	}
}
