package secretsmanager_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// Versions and stages, as the User Guide describes them.
func TestVersionsAndStages(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	arn := s.create(s.admin, sm.CreateSecretInput{Name: aws.String("app/db"), SecretString: aws.String("one"), ClientRequestToken: aws.String(strings.Repeat("1", 32))})
	if prefix, ok := strings.CutPrefix(arn, "arn:aws:secretsmanager:us-east-1:"+home+":secret:app/db-"); !ok || len(prefix) != 6 {
		t.Errorf("the ARN is %s", arn)
	}
	put := func(id, text string, stages ...string) error {
		_, err := s.admin.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: &arn, SecretString: &text, ClientRequestToken: aws.String(strings.Repeat(id, 32)), VersionStages: stages})
		return err
	}
	get := func(in sm.GetSecretValueInput) string {
		t.Helper()
		out, err := s.admin.GetSecretValue(ctx, &in)
		if err != nil {
			code, _ := said(err)
			return code
		}
		return *out.SecretString + " " + strings.Join(out.VersionStages, ",")
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(put("2", "two"))
	must(put("2", "two")) // again: nothing happens
	if code, _ := said(put("2", "other")); code != "ResourceExistsException" {
		t.Errorf("another value under the same token: %s", code)
	}
	must(put("3", "three", "blue"))
	partial := arn[:len(arn)-7]
	for _, c := range []struct {
		in   sm.GetSecretValueInput
		want string
	}{
		{sm.GetSecretValueInput{SecretId: &arn}, "two AWSCURRENT"},
		{sm.GetSecretValueInput{SecretId: aws.String("app/db")}, "two AWSCURRENT"},
		{sm.GetSecretValueInput{SecretId: &partial}, "two AWSCURRENT"},
		{sm.GetSecretValueInput{SecretId: &arn, VersionStage: aws.String("AWSPREVIOUS")}, "one AWSPREVIOUS"},
		{sm.GetSecretValueInput{SecretId: &arn, VersionStage: aws.String("blue")}, "three blue"},
		{sm.GetSecretValueInput{SecretId: &arn, VersionId: aws.String(strings.Repeat("1", 32))}, "one AWSPREVIOUS"},
		{sm.GetSecretValueInput{SecretId: &arn, VersionId: aws.String(strings.Repeat("1", 32)), VersionStage: aws.String("blue")}, "InvalidRequestException"},
		{sm.GetSecretValueInput{SecretId: &arn, VersionStage: aws.String("green")}, "ResourceNotFoundException"},
		{sm.GetSecretValueInput{SecretId: &arn, VersionId: aws.String(strings.Repeat("9", 32))}, "ResourceNotFoundException"},
		{sm.GetSecretValueInput{SecretId: aws.String("app/none")}, "ResourceNotFoundException"},
	} {
		if got := get(c.in); got != c.want {
			t.Errorf("%s %s %s: %s, want %s", *c.in.SecretId, aws.ToString(c.in.VersionId), aws.ToString(c.in.VersionStage), got, c.want)
		}
	}
	_, err := s.admin.UpdateSecretVersionStage(ctx, &sm.UpdateSecretVersionStageInput{
		SecretId: &arn, VersionStage: aws.String("AWSCURRENT"), RemoveFromVersionId: aws.String(strings.Repeat("2", 32)), MoveToVersionId: aws.String(strings.Repeat("1", 32)),
	})
	must(err)
	if got := get(sm.GetSecretValueInput{SecretId: &arn}); got != "one AWSCURRENT" {
		t.Errorf("after moving back: %s", got)
	}
	if got := get(sm.GetSecretValueInput{SecretId: &arn, VersionStage: aws.String("AWSPREVIOUS")}); got != "two AWSPREVIOUS" {
		t.Errorf("after moving back: %s", got)
	}
	d, err := s.admin.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: &arn})
	must(err)
	if len(d.VersionIdsToStages) != 3 || d.KmsKeyId != nil || d.LastAccessedDate == nil {
		t.Errorf("described as %+v", d)
	}
	binary := []byte{0, 1, 255, '\n'}
	bin := s.create(s.admin, sm.CreateSecretInput{Name: aws.String("bin"), SecretBinary: binary})
	out, err := s.admin.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: &bin})
	must(err)
	if !bytes.Equal(out.SecretBinary, binary) || out.SecretString != nil {
		t.Errorf("binary %v, text %v", out.SecretBinary, out.SecretString)
	}
}

// A batch answers for each secret on its own.
func TestBatch(t *testing.T) {
	s := newStage(t, allow("secretsmanager:BatchGetSecretValue", "*"), allow("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:*:*:secret:mine*"))
	ctx := t.Context()
	s.create(s.admin, sm.CreateSecretInput{Name: aws.String("mine"), SecretString: aws.String("v"), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("red")}}})
	s.create(s.admin, sm.CreateSecretInput{Name: aws.String("theirs"), SecretString: aws.String("v")})
	out, err := s.ann.BatchGetSecretValue(ctx, &sm.BatchGetSecretValueInput{SecretIdList: []string{"mine", "theirs", "none"}})
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, e := range out.Errors {
		codes = append(codes, *e.SecretId+" "+*e.ErrorCode)
	}
	if len(out.SecretValues) != 1 || *out.SecretValues[0].SecretString != "v" || !slices.Equal(codes, []string{"theirs AccessDeniedException", "none AccessDeniedException"}) {
		t.Errorf("values %v, errors %v", out.SecretValues, codes)
	}
	if *out.Errors[0].Message != "User: arn:aws:iam::"+home+":user/ann is not authorized to perform: secretsmanager:GetSecretValue on resource: "+
		arnOf(t, s, "theirs")+" because no identity-based policy allows the secretsmanager:GetSecretValue action" {
		t.Errorf("the error says %s", *out.Errors[0].Message)
	}
	_, err = s.ann.BatchGetSecretValue(ctx, &sm.BatchGetSecretValueInput{Filters: []types.Filter{{Key: "tag-key", Values: []string{"team"}}}})
	s.refused(err, "BatchGetSecretValue", "AccessDeniedException", "secretsmanager:ListSecrets", "policy-action")
	found, err := s.admin.BatchGetSecretValue(ctx, &sm.BatchGetSecretValueInput{Filters: []types.Filter{{Key: "tag-value", Values: []string{"red"}}}})
	if err != nil || len(found.SecretValues) != 1 {
		t.Errorf("by tag: %v, %v", found, err)
	}
	_, err = s.admin.BatchGetSecretValue(ctx, &sm.BatchGetSecretValueInput{SecretIdList: slices.Repeat([]string{"mine"}, 21)})
	s.refused(err, "BatchGetSecretValue", "InvalidParameterException", "less than or equal to 20", "secret-parameter")
	_, err = s.admin.BatchGetSecretValue(ctx, &sm.BatchGetSecretValueInput{})
	s.refused(err, "BatchGetSecretValue", "InvalidParameterException", "but not both", "secret-parameter")
	_, err = s.admin.BatchGetSecretValue(ctx, &sm.BatchGetSecretValueInput{SecretIdList: []string{"mine"}, MaxResults: aws.Int32(2)})
	s.refused(err, "BatchGetSecretValue", "InvalidRequestException", "MaxResults", "secret-parameter")
}

func arnOf(t *testing.T, s *stage, name string) string {
	t.Helper()
	d, err := s.admin.DescribeSecret(t.Context(), &sm.DescribeSecretInput{SecretId: &name})
	if err != nil {
		t.Fatal(err)
	}
	return *d.ARN
}

func TestListsInPages(t *testing.T) {
	s := newStage(t)
	for _, name := range []string{"a", "b", "c", "other"} {
		s.create(s.admin, sm.CreateSecretInput{Name: aws.String(name), Description: aws.String("of " + name)})
	}
	var names []string
	for p := sm.NewListSecretsPaginator(s.admin, &sm.ListSecretsInput{MaxResults: aws.Int32(1), Filters: []types.Filter{{Key: "name", Values: []string{"!other"}}}}); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.SecretList {
			names = append(names, *e.Name)
		}
	}
	if slices.Sort(names); !slices.Equal(names, []string{"a", "b", "c"}) {
		t.Errorf("listed %v", names)
	}
	_, err := s.admin.ListSecrets(t.Context(), &sm.ListSecretsInput{NextToken: aws.String("none")})
	s.refused(err, "ListSecrets", "InvalidNextTokenException", "", "secret-next-token")
}
