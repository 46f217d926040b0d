package eks_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/smithy-go"

	"daypass.dev/sandbox/sandboxtest"
)

const (
	role   = "arn:aws:iam::111122223333:role/app"
	target = "arn:aws:iam::444455556666:role/data"
	policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`
)

type stage struct {
	*sandboxtest.Sandbox
	t *testing.T
	*eks.Client
}

func newStage(t *testing.T) *stage {
	s := &stage{Sandbox: sandboxtest.Start(t, ""), t: t}
	cfg := s.Config()
	cfg.RetryMaxAttempts = 1
	s.Client = eks.NewFromConfig(cfg)
	_, err := s.CreateCluster(t.Context(), &eks.CreateClusterInput{
		Name: aws.String("prod"), RoleArn: aws.String("arn:aws:iam::111122223333:role/eks"), ResourcesVpcConfig: &types.VpcConfigRequest{},
		Tags: map[string]string{"sandbox.daypass.dev/issuer": "https://issuer.test"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stage) create(change func(*eks.CreatePodIdentityAssociationInput)) (*types.PodIdentityAssociation, error) {
	in := &eks.CreatePodIdentityAssociationInput{
		ClusterName: aws.String("prod"), Namespace: aws.String("shop"), ServiceAccount: aws.String("web"), RoleArn: aws.String(role),
	}
	if change != nil {
		change(in)
	}
	out, err := s.CreatePodIdentityAssociation(s.t.Context(), in)
	if err != nil {
		return nil, err
	}
	return out.Association, nil
}

func TestAssociations(t *testing.T) {
	s, ctx := newStage(t), t.Context()
	cluster, err := s.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("prod")})
	if err != nil || *cluster.Cluster.Identity.Oidc.Issuer != "https://issuer.test" || cluster.Cluster.Status != types.ClusterStatusActive {
		t.Fatalf("%+v, %v", cluster, err)
	}
	a, err := s.create(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^a-[a-z0-9]{17}$`).MatchString(*a.AssociationId) ||
		*a.AssociationArn != "arn:aws:eks:us-east-1:111122223333:podidentityassociation/prod/"+*a.AssociationId ||
		*a.DisableSessionTags || a.ExternalId != nil || a.CreatedAt == nil {
		t.Errorf("%+v", a)
	}
	changed, err := s.UpdatePodIdentityAssociation(ctx, &eks.UpdatePodIdentityAssociationInput{
		ClusterName: aws.String("prod"), AssociationId: a.AssociationId, TargetRoleArn: aws.String(target),
		DisableSessionTags: aws.Bool(true), Policy: aws.String(policy),
	})
	if err != nil || aws.ToString(changed.Association.ExternalId) != "us-east-1/111122223333/prod/shop/web" || aws.ToString(changed.Association.Policy) != policy {
		t.Fatalf("%+v, %v", changed, err)
	}
	cleared, err := s.UpdatePodIdentityAssociation(ctx, &eks.UpdatePodIdentityAssociationInput{
		ClusterName: aws.String("prod"), AssociationId: a.AssociationId, TargetRoleArn: aws.String(""),
	})
	if err != nil || cleared.Association.TargetRoleArn != nil || cleared.Association.ExternalId != nil {
		t.Fatalf("%+v, %v", cleared, err)
	}
	if _, err := s.create(func(in *eks.CreatePodIdentityAssociationInput) { in.ServiceAccount = aws.String("api") }); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		namespace, account string
		want               int
	}{{"", "", 2}, {"shop", "", 2}, {"shop", "web", 1}, {"other", "", 0}} {
		in := &eks.ListPodIdentityAssociationsInput{ClusterName: aws.String("prod")}
		if row.namespace != "" {
			in.Namespace = &row.namespace
		}
		if row.account != "" {
			in.ServiceAccount = &row.account
		}
		if all, err := s.ListPodIdentityAssociations(ctx, in); err != nil || len(all.Associations) != row.want {
			t.Errorf("%q %q: %+v, %v", row.namespace, row.account, all, err)
		}
	}
	if _, err := s.DeletePodIdentityAssociation(ctx, &eks.DeletePodIdentityAssociationInput{ClusterName: aws.String("prod"), AssociationId: a.AssociationId}); err != nil {
		t.Fatal(err)
	}
	_, err = s.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: aws.String("prod"), AssociationId: a.AssociationId})
	s.refused("described after it was deleted", err, "ResourceNotFoundException", "No service account role association found for ID: "+*a.AssociationId, "eks-association-missing", "DescribePodIdentityAssociation")
}

// A call that is repeated with its token has the first answer, whatever it asks
// for now.
func TestReplay(t *testing.T) {
	s := newStage(t)
	same := func(in *eks.CreatePodIdentityAssociationInput) {
		in.ClientRequestToken = aws.String(strings.Repeat("t", 33))
	}
	first, err := s.create(same)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.create(func(in *eks.CreatePodIdentityAssociationInput) { same(in); in.ServiceAccount = aws.String("api") })
	if err != nil || *again.AssociationId != *first.AssociationId || *again.ServiceAccount != "web" {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestRefusals(t *testing.T) {
	s := newStage(t)
	first, err := s.create(nil)
	if err != nil {
		t.Fatal(err)
	}
	const invalid = "InvalidParameterException"
	for what, row := range map[string]struct {
		change           func(*eks.CreatePodIdentityAssociationInput)
		code, text, slug string
	}{
		"a second of the same": {nil, "ResourceInUseException", "Association already exists: " + *first.AssociationId, "eks-association-exists"},
		"no such cluster": {func(in *eks.CreatePodIdentityAssociationInput) { in.ClusterName = aws.String("dev") },
			"ResourceNotFoundException", "No cluster found for name: dev.", "eks-cluster-missing"},
		"a namespace in capitals": {func(in *eks.CreatePodIdentityAssociationInput) { in.Namespace = aws.String("Shop") }, invalid,
			`The parameter namespace contains invalid characters. It should conform to the regular expression "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$".`, "eks-parameter"},
		"a short token": {func(in *eks.CreatePodIdentityAssociationInput) { in.ClientRequestToken = aws.String("short") }, invalid,
			"The client request token parameter must be between 33 and 126 characters.", "eks-parameter"},
		"a policy with session tags": {func(in *eks.CreatePodIdentityAssociationInput) { in.Policy = aws.String(policy) }, invalid,
			"A session policy can only be used when session tags are disabled.", "eks-parameter"},
		"a role of another account": {func(in *eks.CreatePodIdentityAssociationInput) { in.RoleArn = aws.String(target) }, invalid,
			"Cross-account pass role is not allowed.", "eks-parameter"},
	} {
		_, err := s.create(row.change)
		s.refused(what, err, row.code, row.text, row.slug, "CreatePodIdentityAssociation")
	}
	_, err = s.CreateCluster(t.Context(), &eks.CreateClusterInput{Name: aws.String("prod"), RoleArn: aws.String(role), ResourcesVpcConfig: &types.VpcConfigRequest{}})
	s.refused("a cluster twice", err, "ResourceInUseException", "Cluster already exists with name: prod", "eks-cluster-exists", "CreateCluster")
}

func (s *stage) refused(what string, err error, code, text, slug, operation string) {
	s.t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || api.ErrorMessage() != text {
		s.t.Errorf("%s: %v", what, err)
	}
	if d := s.Last(s.t, operation); d.Reason != slug {
		s.t.Errorf("%s: the decision's reason is %q, not %q", what, d.Reason, slug)
	}
}
