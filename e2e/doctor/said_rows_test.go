package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"daypass.dev/sandbox/world"
)

func refusals() []refusal {
	return slices.Concat(keyRefusals(), sessionRefusals(), rightRefusals(), objectRefusals(), secretRefusals(), parameterRefusals(), keyServiceRefusals(),
		wireRefusals(), cryptographicRefusals(), storageRefusals(), storeRefusals(), putRefusals(), topicRefusals(), anyRefusals(), entityRefusals(), clusterRefusals(), authorityRefusals(), googleRefusals())
}

// whoami is a call that every session may make, with whatever c.reader is.
func whoami(c *caller) error {
	_, err := sts.NewFromConfig(c.reader).GetCallerIdentity(c.Context(), nil)
	return err
}

// keyRefusals: the credentials themselves are refused.
func keyRefusals() []refusal {
	as := func(id, secret, token string) func(*caller) {
		return func(c *caller) { c.reader = quiet(c.box.ConfigFor(id, secret, token)) }
	}
	again := func(c *caller) { c.reader = c.session(&sts.AssumeRoleInput{}) }
	// changed is the session's credentials with one change.
	changed := func(change func(*aws.Credentials)) func(*caller) {
		return func(c *caller) {
			k, err := c.reader.Credentials.Retrieve(c.Context())
			c.must(nil, err)
			change(&k)
			as(k.AccessKeyID, k.SecretAccessKey, k.SessionToken)(c)
		}
	}
	clock := func(by time.Duration) func(*caller) { return func(c *caller) { c.box.World.Advance(by) } }
	return []refusal{
		{slug: "access-key-unknown", call: whoami, spoil: as("AKIAIOSFODNN7EXAMPLE", "none", ""), mend: again},
		{slug: "access-key-inactive", call: whoami, spoil: func(c *caller) {
			users := iam.NewFromConfig(c.admin)
			c.must(users.CreateUser(c.Context(), &iam.CreateUserInput{UserName: aws.String("ann")}))
			made, err := users.CreateAccessKey(c.Context(), &iam.CreateAccessKeyInput{UserName: aws.String("ann")})
			c.must(nil, err)
			c.must(users.UpdateAccessKey(c.Context(), &iam.UpdateAccessKeyInput{UserName: aws.String("ann"), AccessKeyId: made.AccessKey.AccessKeyId, Status: "Inactive"}))
			as(*made.AccessKey.AccessKeyId, *made.AccessKey.SecretAccessKey, "")(c)
		}, mend: again},
		{slug: "signature-mismatch", call: whoami, spoil: changed(func(k *aws.Credentials) { k.SecretAccessKey += "x" }), mend: again},
		{slug: "session-token-missing", call: whoami, spoil: changed(func(k *aws.Credentials) { k.SessionToken = "" }), mend: again},
		{slug: "session-token-invalid", call: whoami, spoil: changed(func(k *aws.Credentials) { k.SessionToken = k.SessionToken[:len(k.SessionToken)-8] }), mend: again},
		{slug: "session-expired", call: whoami, spoil: clock(time.Hour + time.Second), mend: func(c *caller) { clock(-time.Hour - time.Second)(c); again(c) }},
		{slug: "session-role-gone", call: whoami, spoil: func(c *caller) {
			c.inAccount(func(a *world.Account) {
				old := a.Roles["reader"]
				delete(a.Roles, "reader")
				a.AddRole("reader", "/", old.Trust).Inline = old.Inline
			})
		}, mend: again},
		{slug: "signature-expired", call: whoami, spoil: clock(30 * time.Minute), mend: clock(-30 * time.Minute)},
		{slug: "signature-not-yet", call: whoami, spoil: clock(-30 * time.Minute), mend: clock(30 * time.Minute)},
		{slug: "authentication-missing", call: whoami, spoil: func(c *caller) { c.reader.Credentials = aws.AnonymousCredentials{} }, mend: again},
	}
}

// sessionRefusals: a session goes on to a role, and asks for what it may not.
func sessionRefusals() []refusal {
	// going is a session of reader that goes on to it again.
	going := func(change func(*caller, *sts.AssumeRoleInput)) func(*caller) error {
		return func(c *caller) error {
			in := &sts.AssumeRoleInput{RoleArn: aws.String(roleARN), RoleSessionName: aws.String("on")}
			change(c, in)
			_, err := sts.NewFromConfig(c.reader).AssumeRole(c.Context(), in)
			return err
		}
	}
	// asked is what a row asks for, as long as nobody has mended it.
	asked := func(slug string, change func(*sts.AssumeRoleInput)) refusal {
		mended := false
		return refusal{
			slug: slug, mend: func(*caller) { mended = true },
			call: going(func(_ *caller, in *sts.AssumeRoleInput) {
				if !mended {
					change(in)
				}
			}),
		}
	}
	tags := func(keys ...string) (all []ststypes.Tag) {
		for _, k := range keys {
			all = append(all, ststypes.Tag{Key: aws.String(k), Value: aws.String("x")})
		}
		return all
	}
	plain := going(func(*caller, *sts.AssumeRoleInput) {})
	return []refusal{
		asked("duration-over-chained", func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(7200) }),
		asked("session-tags-duplicate", func(in *sts.AssumeRoleInput) { in.Tags = tags("Team", "team") }),
		asked("session-policy-not-found", func(in *sts.AssumeRoleInput) {
			in.PolicyArns = []ststypes.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::" + account + ":policy/gone")}}
		}),
		asked("policy-malformed", func(in *sts.AssumeRoleInput) { in.Policy = aws.String("{}") }),
		{slug: "source-identity-fixed", silent: true,
			spoil: func(c *caller) { c.reader = c.session(&sts.AssumeRoleInput{SourceIdentity: aws.String("ann")}) },
			call:  going(func(_ *caller, in *sts.AssumeRoleInput) { in.SourceIdentity = aws.String("bob") }),
			mend:  func(c *caller) { c.reader = c.session(&sts.AssumeRoleInput{}) }},
		{slug: "transitive-tag-fixed",
			spoil: func(c *caller) {
				c.reader = c.session(&sts.AssumeRoleInput{Tags: tags("team"), TransitiveTagKeys: []string{"team"}})
			},
			call: going(func(_ *caller, in *sts.AssumeRoleInput) {
				in.Tags, in.TransitiveTagKeys = tags("team"), []string{"team"}
			}),
			mend: func(c *caller) { c.reader = c.session(&sts.AssumeRoleInput{}) }},
		{slug: "packed-policy-too-large", call: going(func(c *caller, in *sts.AssumeRoleInput) {
			if _, mended := c.box.World.Account(account).Roles["reader"].Tags["mended"]; !mended {
				in.Policy, in.Tags = aws.String(long()), longTags()
			}
		}), mend: func(c *caller) { c.role(func(r *world.Role) { r.Tags = map[string]string{"mended": ""} }) }},
		{slug: "policy-principal", spoil: func(c *caller) {
			c.trust(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + elsewhere + `"},"Action":"sts:AssumeRole"}]}`)
		}, call: plain, mend: func(c *caller) {
			c.trust(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"sts:AssumeRole"}]}`)
		}},
	}
}

// noise is a text that does not pack well.
func noise(seed uint32, length int) string {
	var b strings.Builder
	for range length {
		seed = seed*1664525 + 1013904223
		b.WriteByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"[seed>>16%62])
	}
	return b.String()
}

func long() string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/` + noise(1, 1800) + `"}]}`
}

func longTags() (all []ststypes.Tag) {
	for i := range uint32(5) {
		all = append(all, ststypes.Tag{Key: aws.String(fmt.Sprint("team-", i)), Value: aws.String(noise(i, 250))})
	}
	return all
}

// may gives role reader these rights in place of all others.
func may(text string) func(*caller) {
	return func(c *caller) {
		c.must(iam.NewFromConfig(c.admin).PutRolePolicy(c.Context(), &iam.PutRolePolicyInput{
			RoleName: aws.String("reader"), PolicyName: aws.String("read"), PolicyDocument: aws.String(text),
		}))
	}
}

const allRights = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

// rightRefusals: the role's policies are against it.
func rightRefusals() []refusal {
	list := func(c *caller) error {
		_, err := s3.NewFromConfig(c.reader).ListBuckets(c.Context(), nil)
		return err
	}
	one := func(statement string) func(*caller) {
		return may(`{"Version":"2012-10-17","Statement":[` + statement + `]}`)
	}
	return []refusal{
		{slug: "policy-action", call: list, spoil: one(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`), mend: may(allRights)},
		{slug: "policy-resource", call: list, spoil: one(`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b"}`), mend: may(allRights)},
		{slug: "policy-condition", call: list, spoil: one(`{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}}`), mend: may(allRights)},
		{slug: "policy-explicit-deny", call: list, spoil: one(`{"Effect":"Deny","Action":"s3:*","Resource":"*"}`), mend: may(allRights)},
	}
}

// objectRefusals: the bucket or the object.
func objectRefusals() []refusal {
	client := func(c aws.Config) *s3.Client {
		return s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true })
	}
	get := func(c *caller) error {
		_, err := client(c.reader).GetObject(c.Context(), &s3.GetObjectInput{Bucket: aws.String("reports"), Key: aws.String("q3")})
		return err
	}
	bucket := func(in func(*caller) aws.Config) func(*caller) {
		return func(c *caller) {
			c.must(client(in(c)).CreateBucket(c.Context(), &s3.CreateBucketInput{Bucket: aws.String("reports")}))
		}
	}
	object := func(c *caller) {
		c.must(client(c.admin).PutObject(c.Context(), &s3.PutObjectInput{Bucket: aws.String("reports"), Key: aws.String("q3"), Body: strings.NewReader("x")}))
	}
	here := func(c *caller) aws.Config { return c.admin }
	return []refusal{
		{slug: "s3-no-such-bucket", call: get, mend: func(c *caller) { bucket(here)(c); object(c) }},
		{slug: "s3-no-such-key", call: get, spoil: bucket(here), mend: object},
		{slug: "s3-region", call: get,
			spoil: func(c *caller) {
				there := c.admin
				there.Region = "eu-west-1"
				c.must(client(there).CreateBucket(c.Context(), &s3.CreateBucketInput{
					Bucket: aws.String("reports"), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"},
				}))
			},
			mend: func(c *caller) { c.reader.Region, c.admin.Region = "eu-west-1", "eu-west-1"; object(c) }},
		{slug: "policy-cross-account",
			spoil: bucket(func(c *caller) aws.Config { return c.away }),
			call: func(c *caller) error {
				_, err := client(c.reader).ListObjectsV2(c.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("reports")})
				return err
			},
			mend: func(c *caller) {
				c.must(client(c.away).PutBucketPolicy(c.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("reports"), Policy: aws.String(
					`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"s3:ListBucket","Resource":"arn:aws:s3:::reports"}]}`)}))
			}},
		{slug: "topic-missing",
			call: func(c *caller) error {
				_, err := sns.NewFromConfig(c.reader).Publish(c.Context(), &sns.PublishInput{TopicArn: aws.String("arn:aws:sns:us-east-1:" + account + ":alarms"), Message: aws.String("x")})
				return err
			},
			mend: func(c *caller) {
				c.must(sns.NewFromConfig(c.admin).CreateTopic(c.Context(), &sns.CreateTopicInput{Name: aws.String("alarms")}))
			}},
	}
}

// secretRefusals: Secrets Manager.
func secretRefusals() []refusal {
	name := aws.String("db")
	get := func(c *caller) error {
		_, err := sm.NewFromConfig(c.reader).GetSecretValue(c.Context(), &sm.GetSecretValueInput{SecretId: name})
		return err
	}
	create := func(c *caller) {
		c.must(sm.NewFromConfig(c.admin).CreateSecret(c.Context(), &sm.CreateSecretInput{Name: name, SecretString: aws.String("x")}))
	}
	version := func(c *caller) error {
		_, err := sm.NewFromConfig(c.reader).GetSecretValue(c.Context(), &sm.GetSecretValueInput{SecretId: name, VersionStage: aws.String("BLUE")})
		return err
	}
	return []refusal{
		{slug: "secret-not-found", call: get, mend: create},
		{slug: "secret-not-found-denied", call: get,
			spoil: may(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`),
			mend:  func(c *caller) { create(c); may(allRights)(c) }},
		{slug: "secret-version", call: version, spoil: create, mend: func(c *caller) {
			made, err := sm.NewFromConfig(c.admin).PutSecretValue(c.Context(), &sm.PutSecretValueInput{SecretId: name, SecretString: aws.String("y"), VersionStages: []string{"BLUE"}})
			c.must(made, err)
		}},
		{slug: "secret-deleted", call: get,
			spoil: func(c *caller) {
				create(c)
				c.must(sm.NewFromConfig(c.admin).DeleteSecret(c.Context(), &sm.DeleteSecretInput{SecretId: name}))
			},
			mend: func(c *caller) {
				c.must(sm.NewFromConfig(c.admin).RestoreSecret(c.Context(), &sm.RestoreSecretInput{SecretId: name}))
			}},
		abroad("secret-own-key", func(c *caller, s *foreignSecret) { s.encrypt(c, "alias/aws/secretsmanager") }, func(c *caller, s *foreignSecret) { s.encrypt(c, s.key) }),
		abroad("secret-key-denied", func(c *caller, s *foreignSecret) { s.letIn(c, elsewhere) }, func(c *caller, s *foreignSecret) { s.letIn(c, elsewhere, account) }),
		abroad("secret-key-unusable",
			func(c *caller, s *foreignSecret) {
				c.must(kms.NewFromConfig(c.away).DisableKey(c.Context(), &kms.DisableKeyInput{KeyId: &s.key}))
			},
			func(c *caller, s *foreignSecret) {
				c.must(kms.NewFromConfig(c.away).EnableKey(c.Context(), &kms.EnableKeyInput{KeyId: &s.key}))
			}),
	}
}

// A foreignSecret is of the other account, with a key of its own; both let this
// account in.
type foreignSecret struct{ arn, key string }

// abroad is a refusal of such a secret, once it is spoiled.
func abroad(slug string, spoil, mend func(*caller, *foreignSecret)) refusal {
	s := &foreignSecret{}
	return refusal{
		slug: slug,
		spoil: func(c *caller) {
			key, err := kms.NewFromConfig(c.away).CreateKey(c.Context(), &kms.CreateKeyInput{})
			c.must(nil, err)
			s.key = *key.KeyMetadata.Arn
			s.letIn(c, elsewhere, account)
			there := sm.NewFromConfig(c.away)
			made, err := there.CreateSecret(c.Context(), &sm.CreateSecretInput{Name: aws.String("db"), SecretString: aws.String("x"), KmsKeyId: &s.key})
			c.must(nil, err)
			s.arn = *made.ARN
			c.must(there.PutResourcePolicy(c.Context(), &sm.PutResourcePolicyInput{SecretId: &s.arn, ResourcePolicy: aws.String(
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account + `:root"},"Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`)}))
			spoil(c, s)
		},
		call: func(c *caller) error {
			_, err := sm.NewFromConfig(c.reader).GetSecretValue(c.Context(), &sm.GetSecretValueInput{SecretId: &s.arn})
			return err
		},
		mend: func(c *caller) { mend(c, s) },
	}
}

// encrypt has the secret be encrypted with another key.
func (s *foreignSecret) encrypt(c *caller, key string) {
	c.Helper()
	c.must(sm.NewFromConfig(c.away).UpdateSecret(c.Context(), &sm.UpdateSecretInput{SecretId: &s.arn, SecretString: aws.String("x"), KmsKeyId: &key}))
}

// letIn has the key serve these accounts.
func (s *foreignSecret) letIn(c *caller, accounts ...string) {
	c.Helper()
	c.must(kms.NewFromConfig(c.away).PutKeyPolicy(c.Context(), &kms.PutKeyPolicyInput{KeyId: &s.key, PolicyName: aws.String("default"), Policy: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["` + strings.Join(accounts, `","`) + `"]},"Action":"kms:*","Resource":"*"}]}`)}))
}

// parameterRefusals: Parameter Store.
func parameterRefusals() []refusal {
	get := func(name string) func(*caller) error {
		return func(c *caller) error {
			_, err := ssm.NewFromConfig(c.reader).GetParameter(c.Context(), &ssm.GetParameterInput{Name: aws.String(name), WithDecryption: aws.Bool(true)})
			return err
		}
	}
	put := func(c *caller) {
		c.must(ssm.NewFromConfig(c.admin).PutParameter(c.Context(), &ssm.PutParameterInput{
			Name: aws.String("/shop/db"), Value: aws.String("x"), Type: ssmtypes.ParameterTypeSecureString, Overwrite: aws.Bool(true),
		}))
	}
	return []refusal{
		{slug: "parameter-not-found", call: get("/shop/db"), mend: put},
		{slug: "parameter-version", call: get("/shop/db:2"), spoil: put, mend: put},
	}
}

// keyServiceRefusals: KMS.
func keyServiceRefusals() []refusal {
	type held struct{ key, blob string }
	make := func(c *caller) held {
		made, err := kms.NewFromConfig(c.admin).CreateKey(c.Context(), &kms.CreateKeyInput{})
		c.must(nil, err)
		return held{key: *made.KeyMetadata.KeyId}
	}
	row := func(slug string, spoil, mend func(*caller, *kms.Client, *held)) refusal {
		var h held
		return refusal{
			slug:  slug,
			spoil: func(c *caller) { h = make(c); spoil(c, kms.NewFromConfig(c.admin), &h) },
			call: func(c *caller) error {
				_, err := kms.NewFromConfig(c.reader).Encrypt(c.Context(), &kms.EncryptInput{KeyId: &h.key, Plaintext: []byte("x")})
				return err
			},
			mend: func(c *caller) { mend(c, kms.NewFromConfig(c.admin), &h) },
		}
	}
	return []refusal{
		row("kms-key-disabled",
			func(c *caller, k *kms.Client, h *held) {
				c.must(k.DisableKey(c.Context(), &kms.DisableKeyInput{KeyId: &h.key}))
			},
			func(c *caller, k *kms.Client, h *held) {
				c.must(k.EnableKey(c.Context(), &kms.EnableKeyInput{KeyId: &h.key}))
			}),
		row("kms-key-state",
			func(c *caller, k *kms.Client, h *held) {
				c.must(k.ScheduleKeyDeletion(c.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &h.key}))
			},
			func(c *caller, k *kms.Client, h *held) {
				c.must(k.CancelKeyDeletion(c.Context(), &kms.CancelKeyDeletionInput{KeyId: &h.key}))
				c.must(k.EnableKey(c.Context(), &kms.EnableKeyInput{KeyId: &h.key}))
			}),
		row("kms-key-not-found",
			func(_ *caller, _ *kms.Client, h *held) { h.blob, h.key = h.key, "alias/none" },
			func(c *caller, k *kms.Client, h *held) {
				c.must(k.CreateAlias(c.Context(), &kms.CreateAliasInput{AliasName: aws.String("alias/none"), TargetKeyId: &h.blob}))
			}),
	}
}
