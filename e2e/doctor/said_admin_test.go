package doctor

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"daypass.dev/sandbox/world"
)

// anyRefusals: what any service may say, and what STS says of a form.
func anyRefusals() []refusal {
	there := identity()
	there.host, there.region = "sts.cn-north-1.amazonaws.com.cn", "cn-north-1"
	assume := func(name, seconds string) wire {
		w := identity()
		w.body = "Action=AssumeRole&Version=2011-06-15&RoleArn=" + roleARN + "&RoleSessionName=" + name + "&DurationSeconds=" + seconds
		return w
	}
	faulty := func(f world.Fault) func(*caller) {
		return func(c *caller) { c.box.World.SetFaults(f) }
	}
	describe := func(c *caller) error { return only(ssm.NewFromConfig(c.admin).DescribeParameters(c.Context(), nil)) }
	return []refusal{
		written("access-key-partition", there, identity()),
		written("parameter-malformed", assume("web", "soon"), assume("web", "900")),
		written("parameter-invalid", assume("w", "900"), assume("web", "900")),
		{slug: "throttled", call: whoami, spoil: faulty(world.Fault{Throttle: true, RetryAfter: 10 * time.Minute, For: 10 * time.Minute}),
			mend: func(c *caller) { c.box.World.Advance(10 * time.Minute) }},
		{slug: "fault", silent: true, call: whoami, spoil: faulty(world.Fault{Code: "ServiceUnavailable"}), mend: func(c *caller) { c.box.World.SetFaults() }},
		{slug: "internal-failure", // its detail says where, and a full disk is not the sandbox's to mend
			spoil: func(c *caller) {
				c.box.World.SetKeeper(func([]world.Thing) error { return errors.New("no space left on device") })
			},
			call: func(c *caller) error {
				return only(iam.NewFromConfig(c.admin).CreateUser(c.Context(), &iam.CreateUserInput{UserName: aws.String("ann")}))
			},
			final: "the mend is to report it"},
		{slug: "operation-not-built", silent: true, call: describe, final: "the mend is AWS itself, or more of the sandbox"},
	}
}

// entityRefusals: IAM.
func entityRefusals() []refusal {
	by := func(c *caller) *iam.Client { return iam.NewFromConfig(c.admin) }
	const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"sts:AssumeRole"}]}`
	create := func(name string) func(*caller) error {
		return func(c *caller) error {
			return only(by(c).CreateRole(c.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(trust)}))
		}
	}
	put := func(length int) func(*caller) error {
		text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/` + strings.Repeat("x", length) + `"}]}`
		return func(c *caller) error {
			return only(by(c).PutRolePolicy(c.Context(), &iam.PutRolePolicyInput{RoleName: aws.String("reader"), PolicyName: aws.String("own"), PolicyDocument: &text}))
		}
	}
	provider := func(thumbprint string) func(*caller) error {
		return func(c *caller) error {
			return only(by(c).CreateOpenIDConnectProvider(c.Context(), &iam.CreateOpenIDConnectProviderInput{
				Url: aws.String("https://issuer.example"), ClientIDList: []string{"sts.amazonaws.com"}, ThumbprintList: []string{thumbprint}}))
		}
	}
	policy := func(c *caller) error {
		return only(by(c).CreatePolicy(c.Context(), &iam.CreatePolicyInput{PolicyName: aws.String("own"), PolicyDocument: aws.String(allRights)}))
	}
	return []refusal{
		{slug: "entity-missing", call: func(c *caller) error {
			return only(by(c).GetRole(c.Context(), &iam.GetRoleInput{RoleName: aws.String("writer")}))
		}, mend: func(c *caller) { c.must(nil, create("writer")(c)) }},
		{slug: "entity-exists", call: create("Reader"), instead: create("writer")},
		{slug: "delete-conflict", call: func(c *caller) error {
			return only(by(c).DeleteRole(c.Context(), &iam.DeleteRoleInput{RoleName: aws.String("reader")}))
		}, mend: func(c *caller) {
			c.must(by(c).DeleteRolePolicy(c.Context(), &iam.DeleteRolePolicyInput{RoleName: aws.String("reader"), PolicyName: aws.String("read")}))
		}},
		{slug: "quota-exceeded", call: put(10240), instead: put(1024)},
		{slug: "input-invalid", call: provider(strings.Repeat("a", 39)), instead: provider(strings.Repeat("a", 40))},
		{slug: "policy-not-attachable", call: func(c *caller) error {
			return only(by(c).AttachRolePolicy(c.Context(), &iam.AttachRolePolicyInput{RoleName: aws.String("reader"), PolicyArn: aws.String("arn:aws:iam::" + account + ":policy/own")}))
		}, mend: func(c *caller) { c.must(nil, policy(c)) }},
		{slug: "policy-of-aws", silent: true, call: func(c *caller) error {
			return only(by(c).CreatePolicyVersion(c.Context(), &iam.CreatePolicyVersionInput{PolicyArn: aws.String("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"), PolicyDocument: aws.String(allRights)}))
		}, instead: policy},
	}
}

// clusterRefusals: EKS. There is a cluster prod, where web in shop has a role.
func clusterRefusals() []refusal {
	by := func(c *caller) *eks.Client { return eks.NewFromConfig(c.admin) }
	cluster := func(name string) func(*caller) error {
		return func(c *caller) error {
			return only(by(c).CreateCluster(c.Context(), &eks.CreateClusterInput{Name: &name, RoleArn: aws.String(roleARN), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{}}))
		}
	}
	associate := func(cluster, namespace string) func(*caller) error {
		return func(c *caller) error {
			made, err := by(c).CreatePodIdentityAssociation(c.Context(), &eks.CreatePodIdentityAssociationInput{
				ClusterName: &cluster, Namespace: &namespace, ServiceAccount: aws.String("web"), RoleArn: aws.String(roleARN)})
			if err == nil {
				c.made = *made.Association.AssociationId
			}
			return err
		}
	}
	describe := func(id string) func(*caller) error {
		return func(c *caller) error {
			return only(by(c).DescribePodIdentityAssociation(c.Context(), &eks.DescribePodIdentityAssociationInput{ClusterName: aws.String("prod"), AssociationId: aws.String(id + c.made)}))
		}
	}
	return after(func(c *caller) {
		c.must(nil, cluster("prod")(c))
		c.must(nil, associate("prod", "shop")(c))
	}, []refusal{
		{slug: "eks-parameter", call: associate("prod", "Shop"), instead: associate("prod", "store")},
		{slug: "eks-cluster-missing", call: associate("dev", "shop"), instead: associate("prod", "store")},
		{slug: "eks-cluster-exists", call: cluster("prod"), instead: cluster("dev")},
		{slug: "eks-association-exists", call: associate("prod", "shop"), instead: func(c *caller) error {
			return only(by(c).UpdatePodIdentityAssociation(c.Context(), &eks.UpdatePodIdentityAssociationInput{
				ClusterName: aws.String("prod"), AssociationId: &c.made, RoleArn: aws.String(roleARN)}))
		}},
		{slug: "eks-association-missing", call: describe("x"), instead: func(c *caller) error {
			c.must(nil, associate("prod", "store")(c))
			return describe("")(c)
		}},
	})
}

// manyTags are n of them, from a number on.
func manyTags(from, n int) map[string]string {
	all := map[string]string{}
	for i := range n {
		all[fmt.Sprint("tag-", from+i)] = "x"
	}
	return all
}
