package secretsmanager_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"daypass.dev/reason"
)

// Another account needs its own identity policy, the secret's resource policy,
// and a customer-managed key whose policy and whose use it is allowed. Each
// that is missing is what the refusal names.
func TestAnotherAccount(t *testing.T) {
	s := newStage(t,
		allow("secretsmanager:GetSecretValue secretsmanager:DescribeSecret", "arn:aws:secretsmanager:us-east-1:"+other+":secret:*"),
		allow("kms:Decrypt kms:DescribeKey", "arn:aws:kms:us-east-1:"+other+":key/*"))
	ctx := t.Context()
	key, err := s.keys.CreateKey(ctx, &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	arn := s.create(s.away, sm.CreateSecretInput{
		Name: aws.String("secret_b"), SecretString: aws.String("This is a Cross Account Secret"), KmsKeyId: key.KeyMetadata.Arn,
		Tags: []types.Tag{{Key: aws.String("kubernetes-namespace"), Value: aws.String("default")}},
	})
	get := func(id string) error {
		_, err := s.ann.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: &id})
		return err
	}
	policy := func(text string) {
		t.Helper()
		if _, err := s.away.PutResourcePolicy(ctx, &sm.PutResourcePolicyInput{SecretId: &arn, ResourcePolicy: &text}); err != nil {
			t.Fatal(err)
		}
	}
	keyPolicy := func(principals string) {
		t.Helper()
		_, err := s.keys.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: key.KeyMetadata.KeyId, Policy: aws.String(fmt.Sprintf(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":[%s]},"Action":"kms:*","Resource":"*"}]}`, principals))})
		if err != nil {
			t.Fatal(err)
		}
	}
	const denied = "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: secretsmanager:GetSecretValue on resource: "
	s.refused(get(arn), "GetSecretValue", "AccessDeniedException",
		denied+arn+" because no resource-based policy allows the secretsmanager:GetSecretValue action", "policy-cross-account")
	grant := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"secretsmanager:GetSecretValue","Resource":"*"%s}]}`
	policy(fmt.Sprintf(grant, `,"Condition":{"StringEquals":{"secretsmanager:ResourceTag/kubernetes-namespace":"kube-system"}}`))
	s.refused(get(arn), "GetSecretValue", "AccessDeniedException", denied, "policy-condition")
	policy(fmt.Sprintf(grant, ""))
	s.refused(get(arn), "GetSecretValue", "AccessDeniedException", "Access to KMS is not allowed", "secret-key-denied")
	keyPolicy(`"arn:aws:iam::444455556666:root","arn:aws:iam::111122223333:root"`)
	if err := get(arn); err != nil {
		t.Errorf("with all permissions: %v", err)
	}
	s.refused(get("secret_b"), "GetSecretValue", "AccessDeniedException", "on resource: secret_b because", "secret-not-found-denied")

	own := s.create(s.away, sm.CreateSecretInput{Name: aws.String("own-key"), SecretString: aws.String("x")})
	text := fmt.Sprintf(grant, "")
	if _, err := s.away.PutResourcePolicy(ctx, &sm.PutResourcePolicyInput{SecretId: &own, ResourcePolicy: &text}); err != nil {
		t.Fatal(err)
	}
	s.refused(get(own), "GetSecretValue", "InvalidRequestException", "if you encrypt the secret with the default KMS service key", "secret-own-key")
	if _, err := s.keys.DisableKey(ctx, &kms.DisableKeyInput{KeyId: key.KeyMetadata.KeyId}); err != nil {
		t.Fatal(err)
	}
	s.refused(get(arn), "GetSecretValue", "DecryptionFailure", "", "secret-key-unusable")
}

// What changes a secret but not its value needs both policies from another
// account, and no key.
func TestChangesFromAnotherAccount(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	arn := s.create(s.admin, sm.CreateSecretInput{Name: aws.String("a"), SecretString: aws.String("v"), ClientRequestToken: aws.String(strings.Repeat("1", 32))})
	changes := map[string]func() error{
		"RestoreSecret": func() error {
			_, err := s.away.RestoreSecret(ctx, &sm.RestoreSecretInput{SecretId: &arn})
			return err
		},
		"TagResource": func() error {
			_, err := s.away.TagResource(ctx, &sm.TagResourceInput{SecretId: &arn, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
			return err
		},
		"UntagResource": func() error {
			_, err := s.away.UntagResource(ctx, &sm.UntagResourceInput{SecretId: &arn, TagKeys: []string{"k"}})
			return err
		},
		"UpdateSecretVersionStage": func() error {
			_, err := s.away.UpdateSecretVersionStage(ctx, &sm.UpdateSecretVersionStageInput{
				SecretId: &arn, VersionStage: aws.String("blue"), MoveToVersionId: aws.String(strings.Repeat("1", 32)),
			})
			return err
		},
	}
	for operation, change := range changes {
		s.refused(change(), operation, "AccessDeniedException", "because no resource-based policy allows", "policy-cross-account")
	}
	_, err := s.admin.PutResourcePolicy(ctx, &sm.PutResourcePolicyInput{SecretId: &arn,
		ResourcePolicy: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + other + `"},"Action":"secretsmanager:*","Resource":"*"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	for operation, change := range changes {
		if err := change(); err != nil {
			t.Errorf("%s: %v", operation, err)
		}
	}
}

// Within an account the tags of the secret decide, and AWS's own key asks for
// nothing more.
func TestTagsDecide(t *testing.T) {
	s := newStage(t, `{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*",
		"Condition":{"StringEquals":{"secretsmanager:ResourceTag/team":"red","aws:ResourceTag/team":"red"}}}`)
	s.create(s.admin, sm.CreateSecretInput{Name: aws.String("a"), SecretString: aws.String("v")})
	get := func() error {
		_, err := s.ann.GetSecretValue(t.Context(), &sm.GetSecretValueInput{SecretId: aws.String("a")})
		return err
	}
	s.refused(get(), "GetSecretValue", "AccessDeniedException", "because no identity-based policy allows", "policy-condition-key-missing")
	_, err := s.admin.TagResource(t.Context(), &sm.TagResourceInput{SecretId: aws.String("a"), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("red")}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := get(); err != nil {
		t.Error(err)
	}
	_, err = s.admin.UntagResource(t.Context(), &sm.UntagResourceInput{SecretId: aws.String("a"), TagKeys: []string{"team"}})
	if err != nil {
		t.Fatal(err)
	}
	if get() == nil {
		t.Error("without the tag it is given")
	}
}

// A secret is there until its date of deletion; then its name is free.
func TestSecretsGoAtTheirDate(t *testing.T) {
	s := newStage(t)
	s.admin = sm.NewFromConfig(s.Config()) // which tries again when the clock has moved
	ctx, name := t.Context(), aws.String("a")
	arn := s.create(s.admin, sm.CreateSecretInput{Name: name, SecretString: aws.String("old")})
	if _, err := s.admin.DeleteSecret(ctx, &sm.DeleteSecretInput{SecretId: name, RecoveryWindowInDays: aws.Int64(7)}); err != nil {
		t.Fatal(err)
	}
	create := func() error {
		_, err := s.admin.CreateSecret(ctx, &sm.CreateSecretInput{Name: name, SecretString: aws.String("new")})
		return err
	}
	s.World.Advance(7*24*time.Hour - time.Minute)
	s.refused(create(), "CreateSecret", "InvalidRequestException", "already scheduled for deletion", "secret-deleted")
	s.World.Advance(2 * time.Minute)
	for _, id := range []*string{name, &arn} {
		_, err := s.admin.RestoreSecret(ctx, &sm.RestoreSecretInput{SecretId: id})
		s.refused(err, "RestoreSecret", "ResourceNotFoundException", "", "secret-not-found")
	}
	all, err := s.admin.ListSecrets(ctx, &sm.ListSecretsInput{IncludePlannedDeletion: aws.Bool(true)})
	if err != nil || len(all.SecretList) != 0 {
		t.Errorf("secrets left: %v, %v", all, err)
	}
	if err := create(); err != nil {
		t.Fatal(err)
	}
	if got, err := s.admin.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: name}); err != nil || *got.SecretString != "new" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestRefusals(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	s.create(s.admin, sm.CreateSecretInput{Name: aws.String("a"), SecretString: aws.String("v")})
	rows := []struct {
		operation, code, text, slug string
		call                        func() error
	}{
		{"CreateSecret", "ResourceExistsException", "already exists", "secret-exists", func() error {
			_, err := s.admin.CreateSecret(ctx, &sm.CreateSecretInput{Name: aws.String("a")})
			return err
		}},
		{"CreateSecret", "InvalidParameterException", "Invalid name", "secret-parameter", func() error {
			_, err := s.admin.CreateSecret(ctx, &sm.CreateSecretInput{Name: aws.String("a b")})
			return err
		}},
		{"CreateSecret", "AccessDeniedException", "on resource: mine because", "policy-no-allow", func() error {
			_, err := s.ann.CreateSecret(ctx, &sm.CreateSecretInput{Name: aws.String("mine")})
			return err
		}},
		{"PutSecretValue", "InvalidParameterException", "65536", "secret-parameter", func() error {
			_, err := s.admin.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: aws.String("a"), SecretString: aws.String(strings.Repeat("x", 65537))})
			return err
		}},
		{"PutResourcePolicy", "PublicPolicyException", "Public access", "secret-policy-public", func() error {
			_, err := s.admin.PutResourcePolicy(ctx, &sm.PutResourcePolicyInput{SecretId: aws.String("a"), BlockPublicPolicy: aws.Bool(true),
				ResourcePolicy: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"secretsmanager:GetSecretValue","Resource":"*"}}`)})
			return err
		}},
		{"PutResourcePolicy", "MalformedPolicyDocumentException", "", "secret-policy", func() error {
			_, err := s.admin.PutResourcePolicy(ctx, &sm.PutResourcePolicyInput{SecretId: aws.String("a"), ResourcePolicy: aws.String(`{`)})
			return err
		}},
		{"GetSecretValue", "ResourceNotFoundException", "can't find the specified secret.", "secret-not-found", func() error {
			_, err := s.admin.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: aws.String("none")})
			return err
		}},
		{"GetSecretValue", "ResourceNotFoundException", "for staging label: blue", "secret-version", func() error {
			_, err := s.admin.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: aws.String("a"), VersionStage: aws.String("blue")})
			return err
		}},
		{"GetSecretValue", "InvalidRequestException", "marked for deletion", "secret-deleted", func() error {
			if _, err := s.admin.DeleteSecret(ctx, &sm.DeleteSecretInput{SecretId: aws.String("a")}); err != nil {
				return err
			}
			_, err := s.admin.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: aws.String("a")})
			return err
		}},
		{"GetRandomPassword", "NotImplemented", "does not implement", "operation-not-built", func() error {
			_, err := s.admin.GetRandomPassword(ctx, &sm.GetRandomPasswordInput{})
			return err
		}},
		{"CreateSecret", "NotImplemented", "AddReplicaRegions", "operation-not-built", func() error {
			_, err := s.admin.CreateSecret(ctx, &sm.CreateSecretInput{Name: aws.String("b"), AddReplicaRegions: []types.ReplicaRegionType{{Region: aws.String("eu-west-1")}}})
			return err
		}},
	}
	seen := []string{"secret-next-token", "secret-not-found-denied", "secret-own-key", "secret-key-denied", "secret-key-unusable"} // in the other tests
	for _, r := range rows {
		s.refused(r.call(), r.operation, r.code, r.text, r.slug)
		seen = append(seen, r.slug)
	}
	for _, r := range reason.All() {
		if strings.HasPrefix(r.Slug, "secret-") && !slices.Contains(seen, r.Slug) {
			t.Errorf("no row ends in %s", r.Slug)
		}
	}
	if _, err := s.admin.RestoreSecret(ctx, &sm.RestoreSecretInput{SecretId: aws.String("a")}); err != nil {
		t.Error(err)
	}
	if _, err := s.admin.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: aws.String("a")}); err != nil {
		t.Errorf("after it was restored: %v", err)
	}
}
