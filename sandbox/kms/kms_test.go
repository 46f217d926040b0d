package kms_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"daypass.dev/policy"
	"daypass.dev/reason"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

const home, other = "111122223333", "444455556666"

type stage struct {
	*sandboxtest.Sandbox
	t           *testing.T
	admin, away *kms.Client
	key         string // ARN, of the home account
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{Sandbox: sandboxtest.Start(t, world.New()), t: t}
	s.admin = kms.NewFromConfig(once(s.Config()))
	k := s.World.Administrator(other)
	s.away = kms.NewFromConfig(once(s.ConfigFor(k.ID, k.Secret, "")))
	out, err := s.admin.CreateKey(t.Context(), &kms.CreateKeyInput{Description: aws.String("of a test")})
	if err != nil {
		t.Fatal(err)
	}
	s.key = *out.KeyMetadata.Arn
	return s
}

func once(cfg aws.Config) aws.Config {
	cfg.RetryMaxAttempts = 1
	return cfg
}

// user is one of the home account with statements, as JSON.
func (s *stage) user(name string, statements ...string) *kms.Client {
	s.t.Helper()
	text := ""
	if len(statements) > 0 {
		text = `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
	}
	return kms.NewFromConfig(once(s.User(s.t, home, name, text)))
}

func (s *stage) keyPolicy(statements ...string) {
	s.t.Helper()
	all := append(statements, `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::`+home+`:user/sandbox-administrator"},"Action":"kms:*","Resource":"*"}`)
	_, err := s.admin.PutKeyPolicy(s.t.Context(), &kms.PutKeyPolicyInput{KeyId: &s.key, Policy: aws.String(`{"Version":"2012-10-17","Statement":[` + strings.Join(all, ",") + `]}`)})
	if err != nil {
		s.t.Fatal(err)
	}
}

func said(err error) string {
	var api smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &api):
		return api.ErrorCode()
	}
	return err.Error()
}

func TestEncryption(t *testing.T) {
	s := newStage(t)
	ctx, plain := t.Context(), []byte("attack at dawn")
	enc, err := s.admin.Encrypt(ctx, &kms.EncryptInput{KeyId: &s.key, Plaintext: plain, EncryptionContext: map[string]string{"a": "1", "b": "2"}})
	if err != nil {
		t.Fatal(err)
	}
	dec, err := s.admin.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: enc.CiphertextBlob, EncryptionContext: map[string]string{"b": "2", "a": "1"}})
	if err != nil || !bytes.Equal(dec.Plaintext, plain) || *dec.KeyId != s.key {
		t.Errorf("decrypted %v, %v", dec, err)
	}
	if _, err := s.admin.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: enc.CiphertextBlob, EncryptionContext: map[string]string{"a": "1"}}); said(err) != "InvalidCiphertextException" {
		t.Errorf("another context: %v", err)
	}
	second, err := s.admin.CreateKey(ctx, &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	re, err := s.admin.ReEncrypt(ctx, &kms.ReEncryptInput{CiphertextBlob: enc.CiphertextBlob, SourceEncryptionContext: map[string]string{"a": "1", "b": "2"}, DestinationKeyId: second.KeyMetadata.KeyId})
	if err != nil {
		t.Fatal(err)
	}
	if dec, err = s.admin.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: re.CiphertextBlob}); err != nil || !bytes.Equal(dec.Plaintext, plain) || *dec.KeyId != *second.KeyMetadata.Arn {
		t.Errorf("re-encrypted: %v, %v", dec, err)
	}
	data, err := s.admin.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &s.key, KeySpec: types.DataKeySpecAes256})
	if err != nil || len(data.Plaintext) != 32 {
		t.Fatalf("data key: %v, %v", data, err)
	}
	if dec, err = s.admin.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: data.CiphertextBlob}); err != nil || !bytes.Equal(dec.Plaintext, data.Plaintext) {
		t.Errorf("the data key: %v, %v", dec, err)
	}
}

func TestSigning(t *testing.T) {
	s := newStage(t)
	ctx, message := t.Context(), []byte("to be signed")
	k, err := s.admin.CreateKey(ctx, &kms.CreateKeyInput{KeySpec: types.KeySpecEccNistP256, KeyUsage: types.KeyUsageTypeSignVerify})
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.admin.Sign(ctx, &kms.SignInput{KeyId: k.KeyMetadata.KeyId, Message: message, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
	if err != nil {
		t.Fatal(err)
	}
	public, err := s.admin.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: k.KeyMetadata.KeyId})
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKIXPublicKey(public.PublicKey)
	sum := sha256.Sum256(message)
	if err != nil || !ecdsa.VerifyASN1(key.(*ecdsa.PublicKey), sum[:], out.Signature) {
		t.Errorf("the signature is not of the key: %v", err)
	}
	verify := func(message []byte) error {
		_, err := s.admin.Verify(ctx, &kms.VerifyInput{KeyId: k.KeyMetadata.KeyId, Message: message, Signature: out.Signature, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
		return err
	}
	if err := verify(message); err != nil {
		t.Error(err)
	}
	if err := verify([]byte("else")); said(err) != "KMSInvalidSignatureException" {
		t.Errorf("another message: %v", err)
	}
	if _, err := s.admin.Sign(ctx, &kms.SignInput{KeyId: &s.key, Message: message, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256}); said(err) != "InvalidKeyUsageException" {
		t.Errorf("a key that encrypts: %v", err)
	}
}

// The examples of the KMS guide: a key policy is needed, one that names the
// account leaves it to identity policies, one that names the user is enough.
func TestKeyPolicyDecides(t *testing.T) {
	s := newStage(t)
	const decrypts = `{"Effect":"Allow","Action":"kms:Encrypt","Resource":"*"}`
	alice, bob := s.user("alice", decrypts), s.user("bob")
	use := func(c *kms.Client) string {
		_, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &s.key, Plaintext: []byte("x")})
		return said(err)
	}
	const account = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}`
	const bobHimself = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/bob"},"Action":"kms:Encrypt","Resource":"*"}`
	for _, c := range []struct {
		name, alice, bob string
		policy           []string
	}{
		{"nobody else is named", "AccessDeniedException", "AccessDeniedException", nil},
		{"the account is named", "", "AccessDeniedException", []string{account}},
		{"bob is named", "AccessDeniedException", "", []string{bobHimself}},
		{"bob is denied", "", "AccessDeniedException", []string{account, bobHimself, strings.Replace(bobHimself, "Allow", "Deny", 1)}},
	} {
		s.keyPolicy(c.policy...)
		if a, b := use(alice), use(bob); a != c.alice || b != c.bob {
			t.Errorf("%s: alice %q, bob %q", c.name, a, b)
		}
	}
	_, err := s.admin.PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: &s.key, Policy: aws.String(`{"Version":"2012-10-17","Statement":[` + bobHimself + `]}`)})
	if said(err) != "MalformedPolicyDocumentException" {
		t.Errorf("a policy that locks out: %v", err)
	}
}

// A grant to a session counts in spite of a session policy that is silent, one
// to its role does not; an encryption context that a grant wants must be there.
func TestGrants(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	trust, err := policy.Parse(policy.Trust, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/sandbox-administrator"},"Action":"sts:AssumeRole"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	s.World.Lock()
	s.World.Accounts[home].AddRole("worker", "/", trust)
	s.World.Unlock()
	session, err := sts.NewFromConfig(s.Config()).AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::111122223333:role/worker"), RoleSessionName: aws.String("one"),
		Policy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := session.Credentials
	worker := kms.NewFromConfig(once(s.ConfigFor(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)))
	use := func(encryption map[string]string) string {
		_, err := worker.Encrypt(ctx, &kms.EncryptInput{KeyId: &s.key, Plaintext: []byte("x"), EncryptionContext: encryption})
		return said(err)
	}
	grant := func(to string, limits *types.GrantConstraints) (id string) {
		out, err := s.admin.CreateGrant(ctx, &kms.CreateGrantInput{KeyId: &s.key, GranteePrincipal: &to, Operations: []types.GrantOperation{types.GrantOperationEncrypt}, Constraints: limits})
		if err != nil {
			t.Fatal(err)
		}
		return *out.GrantId
	}
	if got := use(nil); got != "AccessDeniedException" {
		t.Errorf("without a grant: %q", got)
	}
	grant("arn:aws:iam::111122223333:role/worker", nil)
	if got := use(nil); got != "AccessDeniedException" {
		t.Errorf("with a grant to the role: %q", got)
	}
	id := grant(*session.AssumedRoleUser.Arn, &types.GrantConstraints{EncryptionContextSubset: map[string]string{"team": "red"}})
	if got := use(map[string]string{"team": "red", "x": "y"}); got != "" {
		t.Errorf("with a grant to the session: %q", got)
	}
	if got := use(map[string]string{"x": "y"}); got != "AccessDeniedException" {
		t.Errorf("without the context: %q", got)
	}
	if _, err := s.admin.RevokeGrant(ctx, &kms.RevokeGrantInput{KeyId: &s.key, GrantId: &id}); err != nil {
		t.Fatal(err)
	}
	if got := use(map[string]string{"team": "red"}); got != "AccessDeniedException" {
		t.Errorf("after revocation: %q", got)
	}
	left, err := s.admin.ListGrants(ctx, &kms.ListGrantsInput{KeyId: &s.key})
	if err != nil || len(left.Grants) != 1 {
		t.Errorf("grants left: %v, %v", left, err)
	}
}

// A grant counts, however many others the key has, to whomever.
func TestManyGrants(t *testing.T) {
	s := newStage(t)
	ann, bob := s.user("ann"), s.user("bob")
	s.World.Lock()
	k := s.World.Accounts[home].Keys[s.key]
	for i := range 2000 {
		to := fmt.Sprintf("arn:aws:iam::111122223333:role/a-role-with-a-name-of-some-length-%d", i/2)
		if i > 1000 {
			to = "arn:aws:iam::111122223333:user/ann"
		}
		k.Grants = append(k.Grants, world.Grant{Grantee: to, Operations: []string{"Encrypt"}})
	}
	s.World.Unlock()
	for who, c := range map[string]struct {
		*kms.Client
		want string
	}{"ann": {ann, ""}, "bob": {bob, "AccessDeniedException"}} {
		_, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &s.key, Plaintext: []byte("x")})
		if got := said(err); got != c.want {
			t.Errorf("%s: %q, want %q", who, got, c.want)
		}
	}
}

// A grant may be retired by its retiring principal; where it names none, by
// whom the key's policy lets.
func TestRetiringGrants(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	ann, bob := s.user("ann"), s.user("bob")
	grant := func(retiring *string) string {
		t.Helper()
		out, err := s.admin.CreateGrant(ctx, &kms.CreateGrantInput{
			KeyId: &s.key, GranteePrincipal: aws.String("arn:aws:iam::111122223333:role/worker"), RetiringPrincipal: retiring,
			Operations: []types.GrantOperation{types.GrantOperationEncrypt},
		})
		if err != nil {
			t.Fatal(err)
		}
		return *out.GrantId
	}
	retire := func(by *kms.Client, id string) string {
		_, err := by.RetireGrant(ctx, &kms.RetireGrantInput{KeyId: &s.key, GrantId: &id})
		return said(err)
	}
	nobodys, anns := grant(nil), grant(aws.String("arn:aws:iam::111122223333:user/ann"))
	for _, c := range []struct {
		who, id string
		by      *kms.Client
		want    string
	}{
		{"ann, of a grant without one", nobodys, ann, "AccessDeniedException"},
		{"the administrator, of a grant without one", nobodys, s.admin, ""},
		{"bob, of ann's", anns, bob, "AccessDeniedException"},
		{"ann, of ann's", anns, ann, ""},
	} {
		if got := retire(c.by, c.id); got != c.want {
			t.Errorf("%s: %q, want %q", c.who, got, c.want)
		}
	}
}

func TestAliasesAndTags(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	if _, err := s.admin.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/app"), TargetKeyId: &s.key}); err != nil {
		t.Fatal(err)
	}
	d, err := s.admin.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String("arn:aws:kms:us-east-1:" + home + ":alias/app")})
	if err != nil || *d.KeyMetadata.Arn != s.key {
		t.Errorf("by alias: %v, %v", d, err)
	}
	own, err := s.admin.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String("alias/aws/secretsmanager")})
	if err != nil || own.KeyMetadata.KeyManager != types.KeyManagerTypeAws {
		t.Fatalf("AWS's own: %v, %v", own, err)
	}
	if _, err := s.admin.Encrypt(ctx, &kms.EncryptInput{KeyId: own.KeyMetadata.Arn, Plaintext: []byte("x")}); said(err) != "AccessDeniedException" {
		t.Errorf("AWS's own key, not through its service: %v", err)
	}
	if _, err := s.admin.TagResource(ctx, &kms.TagResourceInput{KeyId: &s.key, Tags: []types.Tag{{TagKey: aws.String("a"), TagValue: aws.String("b")}}}); err != nil {
		t.Fatal(err)
	}
	tags, err := s.admin.ListResourceTags(ctx, &kms.ListResourceTagsInput{KeyId: &s.key})
	if err != nil || len(tags.Tags) != 1 {
		t.Errorf("tags: %v, %v", tags, err)
	}
	if _, err := s.admin.DeleteAlias(ctx, &kms.DeleteAliasInput{AliasName: aws.String("alias/app")}); err != nil {
		t.Error(err)
	}
	if _, err := s.admin.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String("alias/app")}); said(err) != "NotFoundException" {
		t.Errorf("a deleted alias: %v", err)
	}
}

// A key is there until its date of deletion, and then neither it nor its aliases.
func TestKeysGoAtTheirDate(t *testing.T) {
	s := newStage(t)
	ctx, alias := t.Context(), aws.String("alias/a")
	admin := kms.NewFromConfig(s.Config()) // which tries again when the clock has moved
	if _, err := admin.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: alias, TargetKeyId: &s.key}); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &s.key, PendingWindowInDays: aws.Int32(7)}); err != nil {
		t.Fatal(err)
	}
	describe := func() string {
		_, err := admin.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: alias})
		return said(err)
	}
	s.World.Advance(7*24*time.Hour - time.Minute)
	if got := describe(); got != "" {
		t.Errorf("before its date: %s", got)
	}
	s.World.Advance(2 * time.Minute)
	if got := describe(); got != "NotFoundException" {
		t.Errorf("after its date: %q", got)
	}
	if _, err := admin.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: &s.key}); said(err) != "NotFoundException" {
		t.Errorf("it is brought back: %v", err)
	}
	keys, err := admin.ListKeys(ctx, nil)
	if err != nil || len(keys.Keys) != 0 {
		t.Errorf("keys left: %v, %v", keys, err)
	}
	made, err := admin.CreateKey(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: alias, TargetKeyId: made.KeyMetadata.Arn}); err != nil {
		t.Errorf("its alias is not free: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	id := s.key[strings.LastIndexByte(s.key, '/')+1:]
	enc, err := s.admin.Encrypt(ctx, &kms.EncryptInput{KeyId: &s.key, Plaintext: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	own, err := s.admin.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String("alias/aws/ssm")})
	if err != nil {
		t.Fatal(err)
	}
	foreign := fmt.Sprintf(`{"Effect":"Allow","Principal":{"AWS":"%s"},"Action":"kms:*","Resource":"*"}`, other)
	altered := slices.Clone(enc.CiphertextBlob)
	altered[len(altered)-1] ^= 1
	rows := []struct {
		operation, code, slug string
		call                  func() error
	}{
		{"DescribeKey", "NotFoundException", "kms-key-not-found", func() error {
			_, err := s.admin.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String("1234")})
			return err
		}},
		{"Encrypt", "ValidationException", "kms-parameter", func() error {
			_, err := s.admin.Encrypt(ctx, &kms.EncryptInput{KeyId: &id, Plaintext: make([]byte, 4097)})
			return err
		}},
		{"Encrypt", "AccessDeniedException", "policy-principal", func() error {
			_, err := s.away.Encrypt(ctx, &kms.EncryptInput{KeyId: &s.key, Plaintext: []byte("x")})
			return err
		}},
		{"DisableKey", "AccessDeniedException", "kms-other-account", func() error {
			s.keyPolicy(foreign)
			_, err := s.away.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &s.key})
			return err
		}},
		{"DisableKey", "AccessDeniedException", "policy-action", func() error {
			_, err := s.admin.DisableKey(ctx, &kms.DisableKeyInput{KeyId: own.KeyMetadata.KeyId})
			return err
		}},
		{"Decrypt", "InvalidCiphertextException", "kms-ciphertext", func() error {
			_, err := s.admin.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: altered})
			return err
		}},
		{"Decrypt", "AccessDeniedException", "kms-ciphertext-key", func() error {
			cfg := once(s.Config())
			cfg.Region = "eu-west-1"
			_, err := kms.NewFromConfig(cfg).Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: enc.CiphertextBlob})
			return err
		}},
		{"Decrypt", "IncorrectKeyException", "kms-ciphertext-key", func() error {
			_, err := s.admin.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: enc.CiphertextBlob, KeyId: own.KeyMetadata.KeyId})
			return err
		}},
		{"CreateAlias", "NotAuthorizedException", "kms-alias-name", func() error {
			_, err := s.admin.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/aws/mine"), TargetKeyId: &id})
			return err
		}},
		{"CreateAlias", "AlreadyExistsException", "kms-alias-exists", func() error {
			in := &kms.CreateAliasInput{AliasName: aws.String("alias/twice"), TargetKeyId: &id}
			if _, err := s.admin.CreateAlias(ctx, in); err != nil {
				return err
			}
			_, err := s.admin.CreateAlias(ctx, in)
			return err
		}},
		{"RevokeGrant", "NotFoundException", "kms-grant-not-found", func() error {
			_, err := s.admin.RevokeGrant(ctx, &kms.RevokeGrantInput{KeyId: &id, GrantId: aws.String("none")})
			return err
		}},
		{"PutKeyPolicy", "MalformedPolicyDocumentException", "kms-policy-malformed", func() error {
			_, err := s.admin.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &id, Policy: aws.String("{")})
			return err
		}},
		{"CreateKey", "MalformedPolicyDocumentException", "kms-policy-lockout", func() error {
			_, err := s.admin.CreateKey(ctx, &kms.CreateKeyInput{Policy: aws.String(`{"Version":"2012-10-17","Statement":[` + foreign + `]}`)})
			return err
		}},
		{"Sign", "InvalidKeyUsageException", "kms-key-usage", func() error {
			_, err := s.admin.Sign(ctx, &kms.SignInput{KeyId: &id, Message: []byte("x"), SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
			return err
		}},
		{"CreateKey", "NotImplemented", "operation-not-built", func() error {
			_, err := s.admin.CreateKey(ctx, &kms.CreateKeyInput{MultiRegion: aws.Bool(true)})
			return err
		}},
		{"Encrypt", "DisabledException", "kms-key-disabled", func() error {
			if _, err := s.admin.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &id}); err != nil {
				return err
			}
			_, err := s.admin.Encrypt(ctx, &kms.EncryptInput{KeyId: &id, Plaintext: []byte("x")})
			return err
		}},
		{"Decrypt", "KMSInvalidStateException", "kms-key-state", func() error {
			if _, err := s.admin.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &id}); err != nil {
				return err
			}
			_, err := s.admin.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: enc.CiphertextBlob})
			return err
		}},
	}
	seen := []string{"kms-signature"} // in TestSigning
	for _, r := range rows {
		if got := said(r.call()); got != r.code {
			t.Errorf("%s: %s, want %s", r.operation, got, r.code)
		}
		if d := s.Last(t, r.operation); d.Reason != r.slug {
			t.Errorf("%s: the decision's reason is %q (%s), want %q", r.operation, d.Reason, d.Detail, r.slug)
		}
		seen = append(seen, r.slug)
	}
	for _, r := range reason.All() {
		if strings.HasPrefix(r.Slug, "kms-") && !slices.Contains(seen, r.Slug) {
			t.Errorf("no row ends in %s", r.Slug)
		}
	}
}
