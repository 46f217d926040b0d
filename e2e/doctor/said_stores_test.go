package doctor

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"daypass.dev/sandbox/world"
)

// resourcePolicy allows a principal one action, or all of a service.
func resourcePolicy(principal, action string) *string {
	return aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + principal + `,"Action":"` + action + `","Resource":"*"}]}`)
}

// storeRefusals: calls that Secrets Manager does not take. There is a secret db.
func storeRefusals() []refusal {
	by := func(c *caller) *sm.Client { return sm.NewFromConfig(c.admin) }
	db, other := aws.String("db"), `{"AWS":"`+elsewhere+`"}`
	create := func(name string) func(*caller) error {
		return func(c *caller) error {
			return only(by(c).CreateSecret(c.Context(), &sm.CreateSecretInput{Name: &name, SecretString: aws.String("x")}))
		}
	}
	put := func(text *string) func(*caller) error {
		return func(c *caller) error {
			return only(by(c).PutResourcePolicy(c.Context(), &sm.PutResourcePolicyInput{SecretId: db, ResourcePolicy: text, BlockPublicPolicy: aws.Bool(true)}))
		}
	}
	list := func(token *string) func(*caller) error {
		return func(c *caller) error {
			return only(by(c).ListSecrets(c.Context(), &sm.ListSecretsInput{NextToken: token}))
		}
	}
	return after(func(c *caller) {
		c.must(by(c).CreateSecret(c.Context(), &sm.CreateSecretInput{Name: db, SecretString: aws.String("x")}))
	}, []refusal{
		{slug: "secret-exists", call: create("db"), instead: func(c *caller) error {
			return only(by(c).PutSecretValue(c.Context(), &sm.PutSecretValueInput{SecretId: db, SecretString: aws.String("y")}))
		}},
		{slug: "secret-parameter", call: create("a b"), instead: create("a-b")},
		{slug: "secret-policy", call: put(aws.String("{")), instead: put(resourcePolicy(other, "secretsmanager:GetSecretValue"))},
		{slug: "secret-policy-public", call: put(resourcePolicy(`"*"`, "secretsmanager:GetSecretValue")), instead: put(resourcePolicy(other, "secretsmanager:GetSecretValue"))},
		{slug: "secret-next-token", call: list(aws.String("none")), instead: list(nil)},
	})
}

// putRefusals: parameters that Parameter Store does not take. There is one, of
// the standard tier: /db.
func putRefusals() []refusal {
	by := func(c *caller) *ssm.Client { return ssm.NewFromConfig(c.admin) }
	put := func(change func(*ssm.PutParameterInput)) func(*caller) error {
		return func(c *caller) error {
			in := &ssm.PutParameterInput{Name: aws.String("/new"), Value: aws.String("v"), Type: ssmtypes.ParameterTypeString}
			change(in)
			return only(by(c).PutParameter(c.Context(), in))
		}
	}
	named := func(name string, overwrite bool) func(*caller) error {
		return put(func(in *ssm.PutParameterInput) { in.Name, in.Overwrite = &name, &overwrite })
	}
	typed := func(kind ssmtypes.ParameterType, key string) func(*caller) error {
		return put(func(in *ssm.PutParameterInput) {
			in.Type = kind
			if key != "" {
				in.KeyId = &key
			}
		})
	}
	matching := func(pattern string) func(*caller) error {
		return put(func(in *ssm.PutParameterInput) { in.AllowedPattern = &pattern })
	}
	advanced := func(c *caller) {
		c.must(nil, put(func(in *ssm.PutParameterInput) {
			in.Name, in.Tier, in.Overwrite = aws.String("/db"), ssmtypes.ParameterTierAdvanced, aws.Bool(true)
		})(c))
	}
	label := func(names string) func(*caller) error {
		return func(c *caller) error {
			return only(by(c).LabelParameterVersion(c.Context(), &ssm.LabelParameterVersionInput{Name: aws.String("/db"), Labels: strings.Split(names, "")}))
		}
	}
	share := func(c *caller, text, id, hash *string) (*ssm.PutResourcePolicyOutput, error) {
		return by(c).PutResourcePolicy(c.Context(), &ssm.PutResourcePolicyInput{
			ResourceArn: aws.String("arn:aws:ssm:us-east-1:" + account + ":parameter/db"), Policy: text, PolicyId: id, PolicyHash: hash,
		})
	}
	text := resourcePolicy(`{"AWS":"`+elsewhere+`"}`, "ssm:GetParameter")
	*text = strings.Replace(*text, `"*"`, `"arn:aws:ssm:us-east-1:`+account+`:parameter/db"`, 1)
	shared := func(c *caller) error { return only(share(c, text, nil, nil)) }
	return after(func(c *caller) {
		c.must(nil, named("/db", false)(c))
		made, err := kms.NewFromConfig(c.admin).CreateKey(c.Context(), &kms.CreateKeyInput{})
		c.must(nil, err)
		c.must(kms.NewFromConfig(c.admin).CreateAlias(c.Context(), &kms.CreateAliasInput{AliasName: aws.String("alias/own"), TargetKeyId: made.KeyMetadata.KeyId}))
	}, []refusal{
		{slug: "parameter-exists", call: named("/db", false), instead: named("/db", true)},
		{slug: "parameter-name", call: named(strings.Repeat("/x", 16), false), instead: named(strings.Repeat("/x", 15), false)},
		{slug: "parameter-type", call: typed("Number", ""), instead: typed("String", "")},
		{slug: "parameter-pattern", call: matching("^[0-9]+$"), instead: matching("^[a-z]+$")},
		{slug: "parameter-limit", call: func(c *caller) error { c.must(nil, label("abcdefghij")(c)); return label("k")(c) },
			instead: func(c *caller) error {
				c.must(by(c).UnlabelParameterVersion(c.Context(), &ssm.UnlabelParameterVersionInput{Name: aws.String("/db"), ParameterVersion: aws.Int64(1), Labels: []string{"a"}}))
				return label("k")(c)
			}},
		{slug: "parameter-key", call: typed("SecureString", "alias/none"), instead: typed("SecureString", "alias/own")},
		{slug: "parameter-policy", call: func(c *caller) error { advanced(c); return only(share(c, aws.String("{"), nil, nil)) }, instead: shared},
		{slug: "parameter-policy-tier", call: shared, mend: advanced},
		{slug: "parameter-policy-conflict",
			call: func(c *caller) error {
				advanced(c)
				return only(share(c, text, aws.String("1"), aws.String("1")))
			},
			instead: func(c *caller) error {
				made, err := share(c, text, nil, nil)
				c.must(nil, err)
				return only(share(c, text, made.PolicyId, made.PolicyHash))
			}},
		{slug: "ssm-parameter", silent: true, call: named("a b", false), instead: named("a-b", false)},
	})
}

// topicRefusals: SNS.
func topicRefusals() []refusal {
	by := func(c *caller) *sns.Client { return sns.NewFromConfig(c.admin) }
	create := func(name, policy string) func(*caller) error {
		return func(c *caller) error {
			in := &sns.CreateTopicInput{Name: &name}
			if policy != "" {
				in.Attributes = map[string]string{"Policy": policy}
			}
			return only(by(c).CreateTopic(c.Context(), in))
		}
	}
	naming := func(role string) string {
		return *resourcePolicy(`{"AWS":"`+role+`"}`, "sns:Publish")
	}
	first := "arn:aws:sns:us-east-1:" + account + ":first"
	return []refusal{
		{slug: "sns-parameter", call: create("a b", ""), instead: create("a-b", "")},
		{slug: "sns-policy", call: create("alarms", naming(roleARN+"s")), instead: create("alarms", naming(roleARN))},
		{slug: "sns-quota",
			spoil: func(c *caller) {
				c.must(nil, create("first", "")(c))
				c.inAccount(func(a *world.Account) {
					for n := range 100_000 - 1 {
						arn := first + noise(uint32(n), 8)
						a.Topics[arn] = &world.Topic{ARN: arn, Region: "us-east-1"}
					}
				})
			},
			call: create("alarms", ""),
			mend: func(c *caller) { c.must(by(c).DeleteTopic(c.Context(), &sns.DeleteTopicInput{TopicArn: &first})) }},
	}
}
