package kubetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

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

func (a *AWS) role(ctx context.Context, name, serviceAccount string) (string, error) {
	roles := iam.NewFromConfig(a.Config())
	who, err := sts.NewFromConfig(a.Config()).GetCallerIdentity(ctx, nil)
	if err != nil {
		return "", err
	}
	_, err = roles.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{
		Url: aws.String(kube.Issuer), ClientIDList: []string{"sts.amazonaws.com"},
	})
	if exists := (*types.EntityAlreadyExistsException)(nil); err != nil && !errors.As(err, &exists) {
		return "", err
	}
	trust, err := setup.TrustPolicy(setup.Token{
		ProviderARN: setup.ProviderARN("aws", *who.Account, kube.Issuer), Audience: "sts.amazonaws.com",
		Subject: fmt.Sprintf("system:serviceaccount:%s:%s", name, serviceAccount),
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
