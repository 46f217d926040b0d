package sandbox_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"daypass.dev/internal/sdk"
	"daypass.dev/policy"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

// A home is an account in a partition, and where it calls.
type home struct{ partition, account, region, key string }

func homes() []home {
	return []home{
		{"aws", "111122223333", "eu-west-1", "AKIAPARTITIONAWS0000"},
		{"aws-cn", "222233334444", "cn-north-1", "AKIAPARTITIONCN00000"},
		{"aws-us-gov", "333344445555", "us-gov-east-1", "AKIAPARTITIONGOV0000"},
	}
}

const partitionSecret = "a secret of the partitions' users"

func partitionWorld() string {
	var b strings.Builder
	b.WriteString("accounts:\n")
	for _, h := range homes() {
		fmt.Fprintf(&b, `  "%s":
    partition: %s
    users: {root: {attached: ["arn:%s:iam::aws:policy/AdministratorAccess"], accessKeys: [{id: %s, secret: %q}]}}
`, h.account, h.partition, h.partition, h.key, partitionSecret)
	}
	return b.String()
}

// at is a client's settings: AWS's own host names, by way of the proxy.
func (h home) at(s *sandboxtest.Sandbox, region string) aws.Config {
	return aws.Config{
		Region: region, HTTPClient: sdk.Patient{HTTPClient: s.ProxyClient()}, Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: credentials.NewStaticCredentialsProvider(h.key, partitionSecret, ""),
	}
}

// In every partition the SDK's own endpoints answer, and ARNs are of it.
func TestPartitions(t *testing.T) {
	var known []string
	s := sandboxtest.Start(t, partitionWorld())
	for _, h := range homes() {
		known = append(known, h.partition)
		t.Run(h.partition, func(t *testing.T) {
			config := h.at(s, h.region)
			arns := map[string]string{}
			see := func(what, arn *string, err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
				arns[*what] = *arn
			}
			name := aws.String("x")
			roles, tokens := iam.NewFromConfig(config), sts.NewFromConfig(config)
			who, err := tokens.GetCallerIdentity(t.Context(), nil)
			see(aws.String(":iam::"+h.account+":user/root"), who.Arn, err)
			trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + *who.Arn + `"},"Action":"sts:AssumeRole"}]}`
			role, err := roles.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: &trust})
			if err != nil {
				t.Fatal(err)
			}
			see(aws.String(":iam::"+h.account+":role/x"), role.Role.Arn, err)
			administer := "arn:" + h.partition + ":iam::aws:policy/AdministratorAccess"
			if _, err = roles.AttachRolePolicy(t.Context(), &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: &administer}); err != nil {
				t.Fatal(err)
			}
			session, err := tokens.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: role.Role.Arn, RoleSessionName: aws.String("one")})
			if err != nil {
				t.Fatal(err)
			}
			see(aws.String(":sts::"+h.account+":assumed-role/x/one"), session.AssumedRoleUser.Arn, err)
			key, err := kms.NewFromConfig(config).CreateKey(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			see(aws.String(":kms:"+h.region+":"+h.account+":key/"+*key.KeyMetadata.KeyId), key.KeyMetadata.Arn, err)
			for suffix, arn := range arns {
				if arn != "arn:"+h.partition+suffix {
					t.Errorf("%s is not arn:%s%s", arn, h.partition, suffix)
				}
			}
			s.World.Lock()
			bucket := "reports-" + h.partition
			s.World.Account(h.account).Buckets[bucket] = &world.Bucket{
				Name: bucket, Region: h.region, Account: h.account, Objects: map[string]*world.Object{"q3": {Data: []byte("up")}},
			}
			s.World.Unlock()
			config.Credentials = credentials.NewStaticCredentialsProvider(
				*session.Credentials.AccessKeyId, *session.Credentials.SecretAccessKey, *session.Credentials.SessionToken)
			store := s3.NewFromConfig(config)
			if _, err := store.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("q3")}); err != nil {
				t.Error(err)
			}
			d := s.Last(t, "GetObject")
			if want := "arn:" + h.partition + ":s3:::" + bucket + "/q3"; len(d.Checks) == 0 || d.Checks[0].Resource != want {
				t.Errorf("checked %+v, want %s", d.Checks, want)
			}
		})
	}
	if !slices.Equal(known, world.Partitions()) {
		t.Errorf("tried %v of %v", known, world.Partitions())
	}
}

// No key and no policy counts in another partition.
func TestPartitionsAreApart(t *testing.T) {
	s := sandboxtest.Start(t, partitionWorld())
	for _, of := range homes() {
		for _, at := range homes() {
			if of == at {
				continue
			}
			config := of.at(s, at.region)
			for what, call := range map[string]func() error{
				"sts": func() error { _, err := sts.NewFromConfig(config).GetCallerIdentity(t.Context(), nil); return err },
				"iam": func() error { _, err := iam.NewFromConfig(config).ListRoles(t.Context(), nil); return err },
				"s3":  func() error { _, err := s3.NewFromConfig(config).ListBuckets(t.Context(), nil); return err },
				"kms": func() error { _, err := kms.NewFromConfig(config).ListKeys(t.Context(), nil); return err },
			} {
				err, all := call(), s.Decisions()
				if said := smithy.APIError(nil); !errors.As(err, &said) || all[len(all)-1].Reason != "access-key-partition" {
					t.Errorf("%s of %s in %s: %v, %s", what, of.partition, at.partition, err, all[len(all)-1].Reason)
				}
			}
		}
		foreign := homes()[0].partition
		if of.partition == foreign {
			foreign = homes()[1].partition
		}
		_, err := iam.NewFromConfig(of.at(s, of.region)).AttachUserPolicy(t.Context(), &iam.AttachUserPolicyInput{
			UserName: aws.String("root"), PolicyArn: aws.String("arn:" + foreign + ":iam::aws:policy/AdministratorAccess"),
		})
		if err == nil {
			t.Errorf("a policy of %s was attached in %s", foreign, of.partition)
		}
	}
}

// A role is assumed in its own partition alone, whomever its trust policy names.
func TestRolesOfOtherPartitions(t *testing.T) {
	s := sandboxtest.Start(t, partitionWorld())
	trust, err := policy.Parse(policy.Trust, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range homes() {
		s.World.Lock()
		role := s.World.Account(of.account).AddRole("open", "/", trust).ARN
		s.World.Unlock()
		for _, by := range homes() {
			_, err := sts.NewFromConfig(by.at(s, by.region)).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("one")})
			d := s.Last(t, "AssumeRole")
			if of == by {
				if err != nil {
					t.Errorf("%s: %v", of.partition, err)
				}
			} else if err == nil || d.Reason != "role-not-found" {
				t.Errorf("a role of %s from %s: %v, %s", of.partition, by.partition, err, d.Reason)
			}
		}
	}
}
