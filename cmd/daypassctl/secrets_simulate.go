package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"daypass.dev/internal/cli"
	"daypass.dev/kube/identity"
	"daypass.dev/secrets"
)

// A simulator asks IAM what a role's policies would let a session of the
// ServiceAccount's certificate read.
type simulator struct {
	cfg     aws.Config // the operator's
	role    string
	session []iamtypes.ContextEntry
}

// simulate asks about every object of the class.
func (o *secretsOptions) simulate(ctx context.Context, class *secrets.Class, namespace, name, region string) error {
	names, err := identity.Cluster{Name: o.cluster, TrustDomain: o.trustDomain}.Names(namespace, name)
	if err != nil {
		return err
	}
	own, why := operator(ctx)
	if own == nil {
		return cli.Usagef("log in as for the AWS CLI: aws sso login, or AWS_PROFILE", "%s", why)
	}
	s := &simulator{cfg: own.Copy(), role: o.role}
	s.cfg.Region = cmp.Or(region, own.Region)
	for _, tag := range [][2]string{
		{"x509Subject/CN", names.CommonName}, {"x509Subject/OU", names.OrganizationUnit}, {"x509Subject/O", names.Organization}, {"x509SAN/URI", names.URI},
	} {
		s.session = append(s.session, entry("aws:PrincipalTag/"+tag[0], tag[1]))
	}
	for _, object := range class.Objects {
		if err := s.ask(ctx, object.Item); err != nil {
			return err
		}
	}
	return nil
}

func entry(key, value string) iamtypes.ContextEntry {
	return iamtypes.ContextEntry{ContextKeyName: &key, ContextKeyType: iamtypes.ContextKeyTypeEnumString, ContextKeyValues: []string{value}}
}

// ask is a no, as *secrets.Error, where the policies do not allow the reading.
func (s *simulator) ask(ctx context.Context, item secrets.Item) error {
	action, find := "secretsmanager:GetSecretValue", s.secret
	if item.Parameter {
		action, find = "ssm:GetParameters", s.parameter
	}
	arn, tags, err := find(ctx, item.Name)
	if err != nil {
		return fmt.Errorf("looking %s up, with your own session: %w", item.Name, err)
	}
	out, err := iam.NewFromConfig(s.cfg).SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: &s.role, ActionNames: []string{action}, ResourceArns: []string{arn}, ContextEntries: append(tags, s.session...),
	})
	if err != nil {
		return fmt.Errorf("asking IAM's policy simulator: %w", err)
	}
	for _, r := range out.EvaluationResults {
		if r.EvalDecision != iamtypes.PolicyEvaluationDecisionTypeAllowed {
			return &secrets.Error{
				Slug: "secrets-denied", Object: item.Name, Region: s.cfg.Region, Op: strings.SplitN(action, ":", 2)[1], Detail: "the policies of " + s.role + " come to " + string(r.EvalDecision),
				Hint: "allow " + action + " on " + arn + " in an identity policy of the role; look at what it says of aws:PrincipalTag and of the object's tags",
			}
		}
	}
	return nil
}

// secret finds a secret's ARN and tags. Of another account's nothing is known
// here but the ARN.
func (s *simulator) secret(ctx context.Context, name string) (arn string, tags []iamtypes.ContextEntry, err error) {
	if a := accountOf(name); a != "" && a != accountOf(s.role) {
		return name, nil, nil
	}
	out, err := secretsmanager.NewFromConfig(s.cfg).DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &name})
	if err != nil {
		return "", nil, err
	}
	for _, t := range out.Tags {
		tags = append(tags, entry("aws:ResourceTag/"+aws.ToString(t.Key), aws.ToString(t.Value)),
			entry("secretsmanager:ResourceTag/"+aws.ToString(t.Key), aws.ToString(t.Value)))
	}
	return *out.ARN, tags, nil
}

// parameter finds a parameter's ARN and tags.
func (s *simulator) parameter(ctx context.Context, name string) (arn string, tags []iamtypes.ContextEntry, err error) {
	if accountOf(name) != "" {
		return name, nil, nil // shared with the role's account, as it is known there
	}
	out, err := ssm.NewFromConfig(s.cfg).ListTagsForResource(ctx, &ssm.ListTagsForResourceInput{ResourceType: ssmtypes.ResourceTypeForTaggingParameter, ResourceId: &name})
	if err != nil {
		return "", nil, err
	}
	for _, t := range out.TagList {
		tags = append(tags, entry("aws:ResourceTag/"+aws.ToString(t.Key), aws.ToString(t.Value)), entry("ssm:resourceTag/"+aws.ToString(t.Key), aws.ToString(t.Value)))
	}
	partition := strings.SplitN(s.role, ":", 3)[1]
	return "arn:" + partition + ":ssm:" + s.cfg.Region + ":" + accountOf(s.role) + ":parameter/" + strings.TrimPrefix(name, "/"), tags, nil
}
