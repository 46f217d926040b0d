package sidecar

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/pki"
)

// The role's name and its rights are those of the first story.
const (
	roleName = "iam-roles-anywhere-s3-full-access"
	rights   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
	trust    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
  "Principal":{"Service":"rolesanywhere.amazonaws.com"},
  "Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],
  "Condition":{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"%s"},
    "ArnEquals":{"aws:SourceArn":"%s"}}}]}`
)

// An account is what one test has on the AWS side, named after it.
type account struct {
	anchor, profile, role, bucket string
	certificate, key              string // PEM
}

// newAccount makes a trust anchor, a role, a profile and a bucket, and a
// certificate that the role trusts.
func newAccount(t *testing.T, sandbox *kubetest.AWS, name string) account {
	t.Helper()
	ctx, cfg := t.Context(), sandbox.Config()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	caKey, err := pki.NewKey("ec-p256")
	must(err)
	ca, err := pki.NewCA(caKey, pkix.Name{CommonName: "CA of " + name}, 24*time.Hour, time.Now())
	must(err)
	key, err := pki.NewKey("ec-p256")
	must(err)
	leaf, err := ca.Issue(pki.Leaf{Subject: pkix.Name{CommonName: name}, PublicKey: key.Public(), Lifetime: time.Hour}, time.Now())
	must(err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	a := account{
		bucket: name, certificate: string(pki.EncodeCertificate(leaf)),
		key: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	}

	anywhere := rolesanywhere.NewFromConfig(cfg)
	anchor, err := anywhere.CreateTrustAnchor(ctx, &rolesanywhere.CreateTrustAnchorInput{
		Name: aws.String(name), Enabled: aws.Bool(true),
		Source: &types.Source{
			SourceType: types.TrustAnchorTypeCertificateBundle,
			SourceData: &types.SourceDataMemberX509CertificateData{Value: string(pki.EncodeCertificate(ca.Certificate))},
		},
	})
	must(err)
	a.anchor = *anchor.TrustAnchor.TrustAnchorArn
	roles := iam.NewFromConfig(cfg)
	called := aws.String(roleName + name[len(name)-7:])
	a.role, err = kubetest.MakeRole(ctx, roles, &iam.CreateRoleInput{
		RoleName: called, AssumeRolePolicyDocument: aws.String(fmt.Sprintf(trust, name, a.anchor)),
	})
	must(err)
	_, err = roles.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: called, PolicyName: aws.String("s3"), PolicyDocument: aws.String(rights),
	})
	must(err)
	profile, err := anywhere.CreateProfile(ctx, &rolesanywhere.CreateProfileInput{
		Name: aws.String(name), Enabled: aws.Bool(true), RoleArns: []string{a.role},
	})
	must(err)
	a.profile = *profile.Profile.ProfileArn
	_, err = s3.NewFromConfig(cfg).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(a.bucket)})
	must(err)
	return a
}

// secret is a manifest of the certificate and key, as cert-manager leaves them.
func (a account) secret() string {
	indent := func(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n    ") }
	return `
apiVersion: v1
kind: Secret
metadata: {name: workload-certificate}
type: kubernetes.io/tls
stringData:
  tls.crt: |
    ` + indent(a.certificate) + `
  tls.key: |
    ` + indent(a.key) + "\n"
}

// fill puts the account's names into a manifest.
func (a account) fill(manifest string) string {
	return strings.NewReplacer(
		"TRUST-ANCHOR", a.anchor, "PROFILE-ARN", a.profile, "ROLE-ARN", a.role, "BUCKET-NAME", a.bucket,
	).Replace(manifest)
}
