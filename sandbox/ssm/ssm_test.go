package ssm_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"daypass.dev/reason"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

const home = "111122223333"

type stage struct {
	*sandboxtest.Sandbox
	t          *testing.T
	admin, ann *ssm.Client
}

// newStage has an administrator, and a user ann who may do what the statements
// say.
func newStage(t *testing.T, statements ...string) *stage {
	t.Helper()
	s := &stage{Sandbox: sandboxtest.Start(t, world.New()), t: t}
	cfg := s.Config()
	cfg.RetryMaxAttempts = 1
	s.admin = ssm.NewFromConfig(cfg)
	text := ""
	if len(statements) > 0 {
		text = `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
	}
	cfg = s.User(t, home, "ann", text)
	cfg.RetryMaxAttempts = 1
	s.ann = ssm.NewFromConfig(cfg)
	return s
}

func (s *stage) put(name, value string, kind types.ParameterType, key string) {
	s.t.Helper()
	in := &ssm.PutParameterInput{Name: &name, Value: &value, Type: kind, Overwrite: aws.Bool(true)}
	if key != "" {
		in.KeyId = &key
	}
	if _, err := s.admin.PutParameter(s.t.Context(), in); err != nil {
		s.t.Fatal(err)
	}
}

func said(err error) (code, message string) {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode(), api.ErrorMessage()
	}
	return "", ""
}

func TestReading(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	s.put("/app/b", "one", types.ParameterTypeString, "")
	s.put("/app/b", "two", types.ParameterTypeString, "")
	s.put("/app/a", "x,y", types.ParameterTypeStringList, "")
	s.put("/app/deep/c", "hidden", types.ParameterTypeSecureString, "")
	if _, err := s.admin.LabelParameterVersion(ctx, &ssm.LabelParameterVersionInput{Name: aws.String("/app/b"), ParameterVersion: aws.Int64(1), Labels: []string{"old", "1bad"}}); err != nil {
		t.Fatal(err)
	}
	out, err := s.admin.GetParameters(ctx, &ssm.GetParametersInput{Names: []string{
		"/app/b:1", "/app/b:old", "/app/b", "arn:aws:ssm:us-east-1:" + home + ":parameter/app/a", "/app/none", "/app/b:9", "/app/b:1bad", "/app/deep/c",
	}, WithDecryption: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range out.Parameters {
		got = append(got, *p.Name+aws.ToString(p.Selector)+"="+*p.Value)
	}
	if !slices.Equal(got, []string{"/app/a=x,y", "/app/b:1=one", "/app/b:old=one", "/app/b=two", "/app/deep/c=hidden"}) {
		t.Errorf("parameters %v", got)
	}
	if !slices.Equal(out.InvalidParameters, []string{"/app/none", "/app/b:9", "/app/b:1bad"}) {
		t.Errorf("invalid %v", out.InvalidParameters)
	}
	one, err := s.admin.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/app/deep/c")})
	if err != nil || *one.Parameter.Value == "hidden" {
		t.Errorf("not decrypted: %v, %v", one, err)
	}
	for recursive, want := range map[bool]string{false: "/app/a /app/b", true: "/app/a /app/b /app/deep/c"} {
		var names []string
		for p := ssm.NewGetParametersByPathPaginator(s.admin, &ssm.GetParametersByPathInput{Path: aws.String("/app"), Recursive: &recursive, MaxResults: aws.Int32(1)}); p.HasMorePages(); {
			page, err := p.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range page.Parameters {
				names = append(names, *p.Name)
			}
		}
		if strings.Join(names, " ") != want {
			t.Errorf("by path, recursive %v: %v", recursive, names)
		}
	}
	history, err := s.admin.GetParameterHistory(ctx, &ssm.GetParameterHistoryInput{Name: aws.String("/app/b")})
	if err != nil || len(history.Parameters) != 2 || !slices.Equal(history.Parameters[0].Labels, []string{"old"}) {
		t.Errorf("history %v, %v", history, err)
	}
	if _, err := s.admin.DeleteParameters(ctx, &ssm.DeleteParametersInput{Names: []string{"/app/a", "/app/none"}}); err != nil {
		t.Error(err)
	}
	if _, err := s.admin.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/app/a")}); err == nil {
		t.Error("a deleted parameter is there")
	}
}

// A SecureString needs its key too, by way of Systems Manager, for this
// parameter.
func TestSecureStrings(t *testing.T) {
	s := newStage(t, `{"Effect":"Allow","Action":"ssm:GetParameters","Resource":"*"}`)
	ctx := t.Context()
	keys := kms.NewFromConfig(s.Config())
	key, err := keys.CreateKey(ctx, &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	s.put("/own", "a", types.ParameterTypeSecureString, "")
	s.put("/custom", "b", types.ParameterTypeSecureString, *key.KeyMetadata.KeyId)
	get := func(name string) error {
		_, err := s.ann.GetParameters(ctx, &ssm.GetParametersInput{Names: []string{name}, WithDecryption: aws.Bool(true)})
		return err
	}
	if err := get("/own"); err != nil {
		t.Errorf("by AWS's own key: %v", err)
	}
	code, message := said(get("/custom"))
	if code != "AccessDeniedException" || !strings.Contains(message, "is not authorized to perform: kms:Decrypt on resource: "+*key.KeyMetadata.Arn) ||
		!strings.Contains(message, "(Service: AWSKMS; Status Code: 400; Error Code: AccessDenied") {
		t.Errorf("without kms:Decrypt: %s: %s", code, message)
	}
	_, err = keys.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: key.KeyMetadata.KeyId, Policy: aws.String(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"},
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/ann"},"Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{
			"kms:ViaService":"ssm.us-east-1.amazonaws.com","kms:EncryptionContext:PARAMETER_ARN":"arn:aws:ssm:us-east-1:111122223333:parameter/custom"}}}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	if err := get("/custom"); err != nil {
		t.Errorf("with it: %v", err)
	}
}

// To put a SecureString takes kms:Encrypt, and in the advanced tier
// kms:GenerateDataKey too.
func TestPuttingSecureStrings(t *testing.T) {
	s := newStage(t, `{"Effect":"Allow","Action":"ssm:PutParameter","Resource":"*"}`)
	ctx := t.Context()
	keys := kms.NewFromConfig(s.Config())
	key, err := keys.CreateKey(ctx, &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		allowed string
		tier    types.ParameterTier
		lacks   string
	}{
		{`"kms:Encrypt"`, types.ParameterTierStandard, ""},
		{`"kms:GenerateDataKey"`, types.ParameterTierStandard, "kms:Encrypt"},
		{`"kms:Encrypt"`, types.ParameterTierAdvanced, "kms:GenerateDataKey"},
		{`"kms:GenerateDataKey"`, types.ParameterTierAdvanced, "kms:Encrypt"},
		{`"kms:Encrypt","kms:GenerateDataKey"`, types.ParameterTierAdvanced, ""},
	} {
		_, err := keys.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: key.KeyMetadata.KeyId, Policy: aws.String(`{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"},
			{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/ann"},"Action":[` + c.allowed + `],"Resource":"*"}]}`)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.ann.PutParameter(ctx, &ssm.PutParameterInput{
			Name: aws.String("/" + string(c.tier)), Value: aws.String("x"), Type: types.ParameterTypeSecureString, Tier: c.tier,
			KeyId: key.KeyMetadata.KeyId, Overwrite: aws.Bool(true),
		})
		if _, message := said(err); (err == nil) != (c.lacks == "") || !strings.Contains(message, c.lacks) {
			t.Errorf("%s tier with %s: %v, want %q to be lacking", c.tier, c.allowed, err, c.lacks)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	s.put("/a", "v", types.ParameterTypeString, "")
	put := func(in ssm.PutParameterInput) func() error {
		return func() error {
			if in.Type == "" {
				in.Type = types.ParameterTypeString
			}
			if in.Value == nil {
				in.Value = aws.String("v")
			}
			_, err := s.admin.PutParameter(ctx, &in)
			return err
		}
	}
	if err := put(ssm.PutParameterInput{Name: aws.String("/advanced"), Tier: types.ParameterTierAdvanced})(); err != nil {
		t.Fatal(err)
	}
	share := func(name, text, id string) func() error {
		return func() error {
			in := &ssm.PutResourcePolicyInput{ResourceArn: aws.String("arn:aws:ssm:us-east-1:" + home + ":parameter" + name), Policy: &text}
			if id != "" {
				in.PolicyId, in.PolicyHash = &id, &id
			}
			_, err := s.admin.PutResourcePolicy(ctx, in)
			return err
		}
	}
	const nobody = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"ssm:GetParameter","Resource":"*"}]}`
	rows := []struct {
		operation, code, slug string
		call                  func() error
	}{
		{"PutResourcePolicy", "ResourcePolicyInvalidParameterException", "parameter-policy-tier", share("/a", nobody, "")},
		{"PutResourcePolicy", "MalformedResourcePolicyDocumentException", "parameter-policy", share("/advanced", "{", "")},
		{"PutResourcePolicy", "ResourcePolicyConflictException", "parameter-policy-conflict", share("/advanced", nobody, "1")},
		{"PutResourcePolicy", "ResourceNotFoundException", "parameter-not-found", share("/none", nobody, "")},
		{"PutParameter", "ParameterAlreadyExists", "parameter-exists", put(ssm.PutParameterInput{Name: aws.String("/a")})},
		{"PutParameter", "ValidationException", "ssm-parameter", put(ssm.PutParameterInput{Name: aws.String("a b")})},
		{"PutParameter", "HierarchyLevelLimitExceededException", "parameter-name", put(ssm.PutParameterInput{Name: aws.String(strings.Repeat("/x", 16))})},
		{"PutParameter", "UnsupportedParameterType", "parameter-type", put(ssm.PutParameterInput{Name: aws.String("/b"), Type: "Number"})},
		{"PutParameter", "ValidationException", "ssm-parameter", put(ssm.PutParameterInput{Name: aws.String("/b"), Value: aws.String(strings.Repeat("x", 4097))})},
		{"PutParameter", "ParameterPatternMismatchException", "parameter-pattern", put(ssm.PutParameterInput{Name: aws.String("/b"), AllowedPattern: aws.String("^[0-9]+$")})},
		{"PutParameter", "InvalidKeyId", "parameter-key", put(ssm.PutParameterInput{Name: aws.String("/b"), Type: types.ParameterTypeSecureString, KeyId: aws.String("alias/none")})},
		{"GetParameter", "ParameterNotFound", "parameter-not-found", func() error {
			_, err := s.admin.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/none")})
			return err
		}},
		{"GetParameter", "ParameterVersionNotFound", "parameter-version", func() error {
			_, err := s.admin.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/a:7")})
			return err
		}},
		{"GetParameters", "AccessDeniedException", "policy-no-allow", func() error {
			_, err := s.ann.GetParameters(ctx, &ssm.GetParametersInput{Names: []string{"/a"}})
			return err
		}},
		{"GetParameters", "ValidationException", "ssm-parameter", func() error {
			_, err := s.admin.GetParameters(ctx, &ssm.GetParametersInput{Names: slices.Repeat([]string{"/a"}, 11)})
			return err
		}},
		{"LabelParameterVersion", "ParameterVersionLabelLimitExceeded", "parameter-limit", func() error {
			_, err := s.admin.LabelParameterVersion(ctx, &ssm.LabelParameterVersionInput{Name: aws.String("/a"), Labels: strings.Split("abcdefghijk", "")})
			return err
		}},
		{"DescribeParameters", "NotImplemented", "operation-not-built", func() error {
			_, err := s.admin.DescribeParameters(ctx, &ssm.DescribeParametersInput{})
			return err
		}},
	}
	var seen []string
	for _, r := range rows {
		if got, message := said(r.call()); got != r.code {
			t.Errorf("%s: %s %s, want %s", r.operation, got, message, r.code)
		}
		if d := s.Last(t, r.operation); d.Reason != r.slug {
			t.Errorf("%s: the decision's reason is %q (%s), want %q", r.operation, d.Reason, d.Detail, r.slug)
		}
		seen = append(seen, r.slug)
	}
	for _, r := range reason.All() {
		ours := strings.HasPrefix(r.Slug, "ssm-") || strings.HasPrefix(r.Slug, "parameter-") && r.Slug != "parameter-invalid" && r.Slug != "parameter-malformed"
		if ours && !slices.Contains(seen, r.Slug) {
			t.Errorf("no row ends in %s", r.Slug)
		}
	}
}
