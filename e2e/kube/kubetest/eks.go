package kubetest

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"daypass.dev/e2e/kube"
	"daypass.dev/setup"
)

// EKSCluster makes a cluster of EKS, unless there is one of its name, whose
// tokens are this cluster's, and the role daypass-node, with which the agents
// may ask EKS for its pods' credentials. It returns the cluster's ARN.
func (a *AWS) EKSCluster(t testing.TB, name string) string {
	t.Helper()
	arn, err := a.eksCluster(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return arn
}

func (a *AWS) eksCluster(ctx context.Context, name string) (string, error) {
	clusters, roles := eks.NewFromConfig(a.Config()), iam.NewFromConfig(a.Config())
	_, err := clusters.CreateCluster(ctx, &eks.CreateClusterInput{
		Name: &name, RoleArn: aws.String("arn:aws:iam::111122223333:role/eks"), ResourcesVpcConfig: &types.VpcConfigRequest{},
		Tags: map[string]string{"sandbox.daypass.dev/issuer": kube.Issuer},
	})
	if taken := (*types.ResourceInUseException)(nil); err != nil && !errors.As(err, &taken) {
		return "", err
	}
	made, err := clusters.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &name})
	if err != nil {
		return "", err
	}
	provider, err := MakeProvider(ctx, roles, kube.Issuer, "sts.amazonaws.com")
	if err != nil {
		return "", err
	}
	trust, err := setup.TrustPolicy(setup.Token{ProviderARN: provider, Subject: "system:serviceaccount:daypass:daypass-node", Audience: "sts.amazonaws.com"})
	if err != nil {
		return "", err
	}
	role := aws.String("daypass-node")
	if _, err := MakeRole(ctx, roles, &iam.CreateRoleInput{RoleName: role, AssumeRolePolicyDocument: aws.String(string(trust))}); err != nil {
		return "", err
	}
	_, err = roles.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: role, PolicyName: aws.String("eks"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"eks-auth:AssumeRoleForPodIdentity","Resource":"` + *made.Cluster.Arn + `"}]}`)})
	return *made.Cluster.Arn, err
}
