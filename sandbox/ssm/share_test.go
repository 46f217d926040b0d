package ssm_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

const other = "444455556666"

// TestSharing: a user reads another account's parameter by its ARN, if its own
// policy, the parameter's and that of the key let it.
func TestSharing(t *testing.T) {
	s := newStage(t, `{"Effect":"Allow","Action":["ssm:*","kms:Decrypt"],"Resource":"*"}`)
	ctx := t.Context()
	k := s.World.Administrator(other)
	cfg := s.ConfigFor(k.ID, k.Secret, "")
	cfg.RetryMaxAttempts = 1
	owner, keys := ssm.NewFromConfig(cfg), kms.NewFromConfig(cfg)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := keys.CreateKey(ctx, &kms.CreateKeyInput{})
	must(err)
	_, err = owner.PutParameter(ctx, &ssm.PutParameterInput{
		Name: aws.String("/shared/p"), Value: aws.String("hidden"), Type: types.ParameterTypeSecureString, KeyId: key.KeyMetadata.Arn, Tier: types.ParameterTierAdvanced,
	})
	must(err)
	arn := "arn:aws:ssm:us-east-1:" + other + ":parameter/shared/p"
	read := func() (string, error) {
		out, err := s.ann.GetParameters(ctx, &ssm.GetParametersInput{Names: []string{arn}, WithDecryption: aws.Bool(true)})
		if err != nil {
			return "", err
		}
		if len(out.Parameters) != 1 || len(out.InvalidParameters) != 0 {
			t.Fatalf("%+v", out)
		}
		return *out.Parameters[0].Value, nil
	}
	refused := func(what string, err error, operation, code, slug string) {
		t.Helper()
		if got, message := said(err); got != code {
			t.Errorf("%s: %s %s, want %s", what, got, message, code)
		}
		if d := s.Last(t, operation); d.Reason != slug {
			t.Errorf("%s: recorded %s: %s", what, d.Reason, d.Detail)
		}
	}
	text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + home + `:root"},"Action":["ssm:GetParameter","ssm:GetParameters"],"Resource":"` + arn + `"}]}`

	_, err = read()
	refused("not shared", err, "GetParameters", "AccessDeniedException", "policy-cross-account")
	made, err := owner.PutResourcePolicy(ctx, &ssm.PutResourcePolicyInput{ResourceArn: &arn, Policy: &text})
	must(err)
	_, err = read()
	if code, _ := said(err); code != "AccessDeniedException" || s.Last(t, "GetParameters").Allowed {
		t.Errorf("without the key's policy: %v", err)
	}
	_, err = keys.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: key.KeyMetadata.Arn, Policy: aws.String(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::` + other + `:root","arn:aws:iam::` + home + `:root"]},"Action":"kms:*","Resource":"*"}]}`)})
	must(err)
	if value, err := read(); err != nil || value != "hidden" {
		t.Errorf("shared: %q, %v", value, err)
	}
	if _, err := s.ann.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/shared/p")}); err == nil {
		t.Error("its name alone is enough")
	}
	_, err = s.ann.DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: &arn})
	refused("what is not shared", err, "DeleteParameter", "AccessDeniedException", "policy-action")
	there, err := owner.GetResourcePolicies(ctx, &ssm.GetResourcePoliciesInput{ResourceArn: &arn})
	must(err)
	if len(there.Policies) != 1 || !strings.Contains(*there.Policies[0].Policy, "ssm:GetParameters") || *there.Policies[0].PolicyHash != *made.PolicyHash {
		t.Errorf("%+v", there.Policies)
	}
	_, err = owner.DeleteResourcePolicy(ctx, &ssm.DeleteResourcePolicyInput{ResourceArn: &arn, PolicyId: made.PolicyId, PolicyHash: aws.String("0")})
	refused("another hash", err, "DeleteResourcePolicy", "ResourcePolicyConflictException", "parameter-policy-conflict")
	_, err = owner.DeleteResourcePolicy(ctx, &ssm.DeleteResourcePolicyInput{ResourceArn: &arn, PolicyId: made.PolicyId, PolicyHash: made.PolicyHash})
	must(err)
	_, err = read()
	refused("no longer shared", err, "GetParameters", "AccessDeniedException", "policy-cross-account")
}
