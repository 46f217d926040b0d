package agent

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"

	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/setup"
)

const (
	clusterName = "e2e"
	audience    = "pods.eks.amazonaws.com"
)

// values are the chart's: an agent, a signer for it, and nothing that would add
// to pods; the node's own role is for method eks.
const values = `
cluster: {name: e2e, trustDomain: e2e.test, method: web-identity, region: us-east-1}
node: {enabled: true, ownRole: {arn: "arn:aws:iam::111122223333:role/daypass-node", audience: sts.amazonaws.com}}
signer: {enabled: true}
webhook: {enabled: false}
detector: {enabled: false}
`

// TestAgent has the agent installed once, on two nodes, and pods with unmodified
// clients and nothing but the injected variables.
func TestAgent(t *testing.T) {
	s := newStage(t)
	release := kubetest.Chart(t, values)
	s.bucket()
	t.Run("web-identity", func(t *testing.T) { webIdentity(s.in(t)) })
	t.Run("roles-anywhere", func(t *testing.T) { rolesAnywhere(s.in(t), release) })
	t.Run("eks", func(t *testing.T) { eksMethod(s.in(t)) })
	t.Run("status", func(t *testing.T) { status(s.in(t)) })
	t.Run("attacks", func(t *testing.T) { attacks(s.in(t)) })
	t.Run("stolen", func(t *testing.T) { stolen(s.in(t), release) })
	t.Run("network", func(t *testing.T) { network(s.in(t)) })
	t.Run("taint", func(t *testing.T) { tainted(t, release) })
	t.Run("upgrade", func(t *testing.T) { upgrade(s.in(t), release) })
	t.Run("uninstall", func(t *testing.T) { uninstall(s.in(t), release) })
}

func webIdentity(s *stage) {
	role := s.role("web", s.rights(), setup.Token{
		ProviderARN: s.provider(), Subject: "system:serviceaccount:" + s.Name + ":app", Audience: audience,
	})
	s.account("app", "daypass.dev/role-arn="+role)
	s.everywhere("web", "app", role)
}

// everywhere runs the three clients on both nodes.
func (s *stage) everywhere(name, account, role string) {
	s.t.Helper()
	for _, node := range []string{"node1", "node2"} {
		cli := name + "-cli-" + node
		s.cli(cli, account, node)
		s.is(cli, role)
		if _, err := s.Exec(cli, "workload", "aws", "s3", "cp", "/etc/hostname", "s3://"+s.Name+"/"+node); err != nil {
			s.t.Error(err)
		}
		for kind, image := range map[string]string{"go": kubetest.GoSDK, "javascript": kubetest.JavaScript} {
			pod := name + "-" + kind + "-" + node
			s.pod(pod, account, node, image, "")
			s.Kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=2m", "pod/"+pod)
			if out := s.Kubectl("logs", pod); !strings.Contains(out, "object from-"+kind+".txt\n") {
				s.t.Errorf("%s prints %q", pod, out)
			}
		}
	}
}

// rolesAnywhere has the signer's root as trust anchor, and a role that every
// ServiceAccount of the namespace may use, by OU and O of its certificate; its
// rights reach no further than the namespace's own folder.
func rolesAnywhere(s *stage, release *kubetest.Release) {
	ctx, client := s.t.Context(), rolesanywhere.NewFromConfig(s.sandbox.Config())
	var root string
	release.Eventually(time.Minute, "the signer's root", func() error {
		var err error
		if root, err = release.Try("get", "clustertrustbundle", "daypass.dev:workload:roots", "--output=jsonpath={.spec.trustBundle}"); root == "" && err == nil {
			err = errors.New("it is empty")
		}
		return err
	})
	anchor, err := client.CreateTrustAnchor(ctx, &rolesanywhere.CreateTrustAnchorInput{
		Name: &s.Name, Enabled: aws.Bool(true),
		Source: &types.Source{SourceType: types.TrustAnchorTypeCertificateBundle, SourceData: &types.SourceDataMemberX509CertificateData{Value: root}},
	})
	s.must(err)
	role := s.trusting("anywhere", fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
		"Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],
		"Condition":{"ArnEquals":{"aws:SourceArn":"%s"},"StringEquals":{"aws:PrincipalTag/x509Subject/O":"%s","aws:PrincipalTag/x509Subject/OU":"%s"}}}]}`,
		*anchor.TrustAnchor.TrustAnchorArn, clusterName, s.Name),
		fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::%[1]s/*"},
		{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::%[1]s/${aws:PrincipalTag/x509Subject/OU}/*"},
		{"Effect":"Allow","Action":["s3:ListBucket","s3:GetObject"],"Resource":["arn:aws:s3:::%[1]s","arn:aws:s3:::%[1]s/from-*"]}]}`, s.Name))
	profile, err := client.CreateProfile(ctx, &rolesanywhere.CreateProfileInput{Name: &s.Name, Enabled: aws.Bool(true), RoleArns: []string{role}})
	s.must(err)
	s.associate("anywhere", "any", fmt.Sprintf(`roleArn: "%s", method: roles-anywhere, disableSessionTags: true,
  rolesAnywhere: {trustAnchorArn: "%s", profileArn: "%s"}`, role, *anchor.TrustAnchor.TrustAnchorArn, *profile.Profile.ProfileArn))
	s.account("any")
	s.everywhere("any", "any", role)
	s.folder("any-cli-node1", s.Name)
}

// folder wants a pod to reach its own folder of the bucket, and no other.
func (s *stage) folder(pod, own string) {
	s.t.Helper()
	if _, err := s.Exec(pod, "workload", "aws", "s3api", "put-object", "--bucket", s.Name, "--key", "other/x"); err != nil {
		s.t.Error(err)
	}
	if _, err := s.Exec(pod, "workload", "aws", "s3api", "put-object", "--bucket", s.Name, "--key", own+"/x"); err != nil {
		s.t.Error(err)
	}
	if _, err := s.Exec(pod, "workload", "aws", "s3api", "get-object", "--bucket", s.Name, "--key", own+"/x", "/tmp/x"); err != nil {
		s.t.Errorf("its own: %v", err)
	}
	if out, err := s.Exec(pod, "workload", "aws", "s3api", "get-object", "--bucket", s.Name, "--key", "other/x", "/tmp/x"); err == nil {
		s.t.Errorf("another's: %s", out)
	}
}

// eksMethod has a cluster of EKS in the local AWS whose tokens are this one's,
// and an association there and here.
func eksMethod(s *stage) {
	ctx, client := s.t.Context(), eks.NewFromConfig(s.sandbox.Config())
	cluster := s.sandbox.EKSCluster(s.t, clusterName)
	role := s.role("eks", fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::%[1]s/*"},
		{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::%[1]s/${aws:PrincipalTag/kubernetes-service-account}/*"},
		{"Effect":"Allow","Action":["s3:ListBucket","s3:GetObject"],"Resource":["arn:aws:s3:::%[1]s","arn:aws:s3:::%[1]s/from-*"]}]}`, s.Name),
		setup.Pod{ClusterARN: cluster, Namespace: s.Name, ServiceAccount: "eks"})
	_, err := client.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{
		ClusterName: aws.String(clusterName), Namespace: &s.Name, ServiceAccount: aws.String("eks"), RoleArn: &role,
	})
	s.must(err)
	s.associate("eks", "eks", `roleArn: "`+role+`", method: eks`)
	s.account("eks")
	s.everywhere("eks", "eks", role)
	s.folder("eks-cli-node1", "eks")
}
