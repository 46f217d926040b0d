package doctor

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// cryptographicRefusals: calls that KMS does not take, of a key with the alias
// alias/own, whose ARN is c.made, and of one that signs, alias/sign.
func cryptographicRefusals() []refusal {
	var (
		own, sign = aws.String("alias/own"), aws.String("alias/sign")
		x         = []byte("x")
	)
	policy := func(accounts string) *string {
		return aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":[` + accounts + `]},"Action":"kms:*","Resource":"*"}]}`)
	}
	const both = `"` + account + `","` + elsewhere + `"`
	by := func(c *caller) *kms.Client { return kms.NewFromConfig(c.admin) }
	encrypt := func(n int) func(*caller) error {
		return func(c *caller) error {
			return only(by(c).Encrypt(c.Context(), &kms.EncryptInput{KeyId: own, Plaintext: make([]byte, n)}))
		}
	}
	signing := func(key *string) func(*caller) error {
		return func(c *caller) error {
			return only(by(c).Sign(c.Context(), &kms.SignInput{KeyId: key, Message: x, SigningAlgorithm: kmstypes.SigningAlgorithmSpecEcdsaSha256}))
		}
	}
	disable := func(c *caller, as aws.Config) error {
		return only(kms.NewFromConfig(as).DisableKey(c.Context(), &kms.DisableKeyInput{KeyId: &c.made}))
	}
	create := func(policy *string) func(*caller) error {
		return func(c *caller) error {
			return only(by(c).CreateKey(c.Context(), &kms.CreateKeyInput{Policy: policy}))
		}
	}
	put := func(policy *string) func(*caller) error {
		return func(c *caller) error {
			return only(by(c).PutKeyPolicy(c.Context(), &kms.PutKeyPolicyInput{KeyId: &c.made, Policy: policy}))
		}
	}
	alias := func(name string) func(*caller) error {
		return func(c *caller) error {
			return only(by(c).CreateAlias(c.Context(), &kms.CreateAliasInput{AliasName: &name, TargetKeyId: &c.made}))
		}
	}
	revoke := func(c *caller, grant string) error {
		return only(by(c).RevokeGrant(c.Context(), &kms.RevokeGrantInput{KeyId: &c.made, GrantId: &grant}))
	}
	// decrypt has what was encrypted altered, and asks in a region.
	decrypt := func(region string, alter func([]byte)) func(*caller) error {
		return func(c *caller) error {
			made, err := by(c).Encrypt(c.Context(), &kms.EncryptInput{KeyId: own, Plaintext: x})
			c.must(nil, err)
			alter(made.CiphertextBlob)
			there := c.admin
			there.Region = region
			return only(kms.NewFromConfig(there).Decrypt(c.Context(), &kms.DecryptInput{CiphertextBlob: made.CiphertextBlob}))
		}
	}
	verify := func(message string) func(*caller) error {
		return func(c *caller) error {
			const how = kmstypes.SigningAlgorithmSpecEcdsaSha256
			made, err := by(c).Sign(c.Context(), &kms.SignInput{KeyId: sign, Message: []byte(message), SigningAlgorithm: how})
			c.must(nil, err)
			return only(by(c).Verify(c.Context(), &kms.VerifyInput{KeyId: sign, Message: x, Signature: made.Signature, SigningAlgorithm: how}))
		}
	}
	intact := func([]byte) {}
	return after(func(c *caller) {
		made, err := by(c).CreateKey(c.Context(), &kms.CreateKeyInput{Policy: policy(both)})
		c.must(nil, err)
		c.made = *made.KeyMetadata.Arn
		signs, err := by(c).CreateKey(c.Context(), &kms.CreateKeyInput{KeySpec: kmstypes.KeySpecEccNistP256, KeyUsage: kmstypes.KeyUsageTypeSignVerify})
		c.must(nil, err)
		for name, key := range map[*string]*string{own: made.KeyMetadata.KeyId, sign: signs.KeyMetadata.KeyId} {
			c.must(by(c).CreateAlias(c.Context(), &kms.CreateAliasInput{AliasName: name, TargetKeyId: key}))
		}
	}, []refusal{
		{slug: "kms-key-usage", call: signing(own), instead: signing(sign)},
		{slug: "kms-parameter", silent: true, call: encrypt(4097), instead: encrypt(4096)},
		{slug: "kms-other-account",
			call:    func(c *caller) error { return disable(c, c.away) },
			instead: func(c *caller) error { return disable(c, c.admin) }},
		{slug: "kms-policy-malformed", call: put(aws.String("{")), instead: put(policy(both))},
		{slug: "kms-policy-lockout", call: create(policy(`"` + elsewhere + `"`)), instead: create(policy(both))},
		{slug: "kms-alias-name", call: alias("alias/aws/mine"), instead: alias("alias/mine")},
		{slug: "kms-alias-exists", call: alias(*own), instead: func(c *caller) error {
			return only(by(c).UpdateAlias(c.Context(), &kms.UpdateAliasInput{AliasName: own, TargetKeyId: &c.made}))
		}},
		{slug: "kms-grant-not-found", call: func(c *caller) error { return revoke(c, strings.Repeat("0", 64)) }, instead: func(c *caller) error {
			c.must(by(c).CreateGrant(c.Context(), &kms.CreateGrantInput{KeyId: &c.made, GranteePrincipal: aws.String(roleARN), Operations: []kmstypes.GrantOperation{"Decrypt"}}))
			all, err := by(c).ListGrants(c.Context(), &kms.ListGrantsInput{KeyId: &c.made})
			c.must(nil, err)
			return revoke(c, *all.Grants[0].GrantId)
		}},
		{slug: "kms-ciphertext", call: decrypt("us-east-1", func(b []byte) { b[len(b)-1] ^= 1 }), instead: decrypt("us-east-1", intact)},
		{slug: "kms-ciphertext-key", call: decrypt("eu-west-1", intact), instead: decrypt("us-east-1", intact)},
		{slug: "kms-signature", call: verify("else"), instead: verify("x")},
	})
}
