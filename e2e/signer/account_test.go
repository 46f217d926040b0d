package signer

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"daypass.dev/e2e/kube/kubetest"
)

const (
	// trust pins the certificate's URI and the anchor.
	trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
  "Principal":{"Service":"rolesanywhere.amazonaws.com"},
  "Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],
  "Condition":{"StringEquals":{"aws:PrincipalTag/x509SAN/URI":"spiffe://e2e.example.org/ns/%s/sa/%s"},
    "ArnEquals":{"aws:SourceArn":"%s"}}}]}`
	rights = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
)

// An account is what one test has on the AWS side.
type account struct{ anchor, profile, role, bucket string }

// newAccount makes a trust anchor of these roots (PEM), and a role for one
// ServiceAccount, all named after the test.
func newAccount(t *testing.T, sandbox *kubetest.AWS, roots, name, namespace, serviceAccount string) account {
	t.Helper()
	ctx, cfg := t.Context(), sandbox.Config()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	anywhere, roles := rolesanywhere.NewFromConfig(cfg), iam.NewFromConfig(cfg)
	anchor, err := anywhere.CreateTrustAnchor(ctx, &rolesanywhere.CreateTrustAnchorInput{
		Name: aws.String(name), Enabled: aws.Bool(true), Source: bundle(roots),
	})
	must(err)
	a := account{anchor: *anchor.TrustAnchor.TrustAnchorArn, bucket: name}
	a.role, err = kubetest.MakeRole(ctx, roles, &iam.CreateRoleInput{
		RoleName: aws.String(name), AssumeRolePolicyDocument: aws.String(fmt.Sprintf(trust, namespace, serviceAccount, a.anchor)),
	})
	must(err)
	_, err = roles.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String(name), PolicyName: aws.String("s3"), PolicyDocument: aws.String(rights)})
	must(err)
	profile, err := anywhere.CreateProfile(ctx, &rolesanywhere.CreateProfileInput{
		Name: aws.String(name), Enabled: aws.Bool(true), RoleArns: []string{a.role}, DurationSeconds: aws.Int32(900),
	})
	must(err)
	a.profile = *profile.Profile.ProfileArn
	_, err = s3.NewFromConfig(cfg).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(a.bucket)})
	must(err)
	return a
}

func bundle(roots string) *types.Source {
	return &types.Source{
		SourceType: types.TrustAnchorTypeCertificateBundle, SourceData: &types.SourceDataMemberX509CertificateData{Value: roots},
	}
}
