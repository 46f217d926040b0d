package kubetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"daypass.dev/e2e/kube"
	"daypass.dev/setup"
)

// Role makes a role that pods of a ServiceAccount in the namespace may assume
// with the cluster's own tokens and that may do anything in S3, and a bucket;
// both are named after the namespace. It returns the role's ARN.
func (a *AWS) Role(t testing.TB, n *Namespace, serviceAccount string) string {
	t.Helper()
	role, err := a.role(t.Context(), n.Name, serviceAccount)
	if err != nil {
		t.Fatal(err)
	}
	return role
}

// MakeRole makes a role, unless there is one of its name, and returns its ARN. The
// SDK repeats a call whose answer was lost on the way, as where the cluster's
// network is being changed: then the role is there. So a name must be one test's
// alone, or its roles be alike.
func MakeRole(ctx context.Context, in *iam.Client, role *iam.CreateRoleInput) (string, error) {
	_, err := in.CreateRole(ctx, role)
	if exists := (*types.EntityAlreadyExistsException)(nil); err != nil && !errors.As(err, &exists) {
		return "", err
	}
	made, err := in.GetRole(ctx, &iam.GetRoleInput{RoleName: role.RoleName})
	if err != nil {
		return "", err
	}
	return *made.Role.Arn, nil
}

// MakeProvider makes an issuer known to an account, for tokens of these
// audiences, and returns the provider's ARN. One that is there learns what it
// lacks.
func MakeProvider(ctx context.Context, in *iam.Client, issuer string, audiences ...string) (string, error) {
	made, err := in.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: &issuer, ClientIDList: audiences})
	if err == nil {
		return *made.OpenIDConnectProviderArn, nil
	}
	if exists := (*types.EntityAlreadyExistsException)(nil); !errors.As(err, &exists) {
		return "", err
	}
	all, err := in.ListOpenIDConnectProviders(ctx, nil)
	if err != nil {
		return "", err
	}
	for _, p := range all.OpenIDConnectProviderList {
		if !strings.HasSuffix(*p.Arn, ":oidc-provider/"+strings.TrimPrefix(issuer, "https://")) {
			continue
		}
		for _, audience := range audiences {
			if _, err := in.AddClientIDToOpenIDConnectProvider(ctx, &iam.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: p.Arn, ClientID: &audience}); err != nil {
				return "", err
			}
		}
		return *p.Arn, nil
	}
	return "", fmt.Errorf("there is a provider of %s, and it is not listed", issuer)
}

func (a *AWS) role(ctx context.Context, name, serviceAccount string) (string, error) {
	roles := iam.NewFromConfig(a.Config())
	provider, err := MakeProvider(ctx, roles, kube.Issuer, "sts.amazonaws.com")
	if err != nil {
		return "", err
	}
	trust, err := setup.TrustPolicy(setup.Token{
		ProviderARN: provider, Audience: "sts.amazonaws.com", Subject: fmt.Sprintf("system:serviceaccount:%s:%s", name, serviceAccount),
	})
	if err != nil {
		return "", err
	}
	arn, err := MakeRole(ctx, roles, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(string(trust))})
	if err != nil {
		return "", err
	}
	_, err = roles.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: &name, PolicyName: aws.String("s3"),
		PolicyDocument: aws.String(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}`),
	})
	if err != nil {
		return "", err
	}
	_, err = s3.NewFromConfig(a.Config()).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name})
	return arn, err
}
