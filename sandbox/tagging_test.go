package sandbox_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acmpca"
	pca "github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	anywhere "github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"daypass.dev/sandbox/sandboxtest"
)

const (
	anyRole = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	listing = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}`
	aRole   = "arn:aws:iam::111122223333:role/app"
)

// A maker makes a thing called name, with the tag team=shop or without tags.
type maker struct {
	operation string
	// create and tag are the actions that it needs, tag only with tags.
	create, tag string
	call        func(c aws.Config, name string, tagged bool) error
}

// tags is a list of one tag, or none.
func tags[T any](tagged bool, of func(key, value *string) T) []T {
	if !tagged {
		return nil
	}
	return []T{of(aws.String("team"), aws.String("shop"))}
}

func iamTag(key, value *string) iamtypes.Tag      { return iamtypes.Tag{Key: key, Value: value} }
func anywhereTag(key, value *string) anywhere.Tag { return anywhere.Tag{Key: key, Value: value} }
func mapped(tagged bool) (of map[string]string) {
	return map[bool]map[string]string{true: {"team": "shop"}}[tagged]
}
func failed[T any](_ T, err error) error           { return err }
func pcaTag(key, value *string) pca.Tag            { return pca.Tag{Key: key, Value: value} }
func kmsTag(key, value *string) kmstypes.Tag       { return kmstypes.Tag{TagKey: key, TagValue: value} }
func secretTag(key, value *string) smtypes.Tag     { return smtypes.Tag{Key: key, Value: value} }
func parameterTag(key, value *string) ssmtypes.Tag { return ssmtypes.Tag{Key: key, Value: value} }

func makers(t *testing.T, s *sandboxtest.Sandbox) []maker {
	ctx := t.Context()
	ca, crl := authority(t)
	admin := rolesanywhere.NewFromConfig(s.Config())
	source := &anywhere.Source{SourceType: anywhere.TrustAnchorTypeCertificateBundle, SourceData: &anywhere.SourceDataMemberX509CertificateData{Value: ca}}
	anchor, err := admin.CreateTrustAnchor(ctx, &rolesanywhere.CreateTrustAnchorInput{Name: aws.String("first"), Source: source})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := eks.NewFromConfig(s.Config()).CreateCluster(ctx, &eks.CreateClusterInput{Name: aws.String("first"), RoleArn: aws.String(aRole), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{}}); err != nil {
		t.Fatal(err)
	}
	return []maker{
		{"CreateRole", "iam:CreateRole", "iam:TagRole", func(c aws.Config, name string, tagged bool) error {
			return failed(iam.NewFromConfig(c).CreateRole(ctx, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(anyRole), Tags: tags(tagged, iamTag)}))
		}},
		{"CreateUser", "iam:CreateUser", "iam:TagUser", func(c aws.Config, name string, tagged bool) error {
			return failed(iam.NewFromConfig(c).CreateUser(ctx, &iam.CreateUserInput{UserName: &name, Tags: tags(tagged, iamTag)}))
		}},
		{"CreatePolicy", "iam:CreatePolicy", "iam:TagPolicy", func(c aws.Config, name string, tagged bool) error {
			return failed(iam.NewFromConfig(c).CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: &name, PolicyDocument: aws.String(listing), Tags: tags(tagged, iamTag)}))
		}},
		{"CreateOpenIDConnectProvider", "iam:CreateOpenIDConnectProvider", "iam:TagOpenIDConnectProvider", func(c aws.Config, name string, tagged bool) error {
			return failed(iam.NewFromConfig(c).CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{
				Url: aws.String("https://" + name + ".example.com"), ClientIDList: []string{"sts.amazonaws.com"}, ThumbprintList: []string{strings.Repeat("a", 40)}, Tags: tags(tagged, iamTag),
			}))
		}},
		{"CreateTrustAnchor", "rolesanywhere:CreateTrustAnchor", "rolesanywhere:TagResource", func(c aws.Config, name string, tagged bool) error {
			return failed(rolesanywhere.NewFromConfig(c).CreateTrustAnchor(ctx, &rolesanywhere.CreateTrustAnchorInput{Name: &name, Source: source, Tags: tags(tagged, anywhereTag)}))
		}},
		{"CreateProfile", "rolesanywhere:CreateProfile", "rolesanywhere:TagResource", func(c aws.Config, name string, tagged bool) error {
			return failed(rolesanywhere.NewFromConfig(c).CreateProfile(ctx, &rolesanywhere.CreateProfileInput{Name: &name, RoleArns: []string{aRole}, Tags: tags(tagged, anywhereTag)}))
		}},
		{"ImportCrl", "rolesanywhere:ImportCrl", "rolesanywhere:TagResource", func(c aws.Config, name string, tagged bool) error {
			return failed(rolesanywhere.NewFromConfig(c).ImportCrl(ctx, &rolesanywhere.ImportCrlInput{Name: &name, TrustAnchorArn: anchor.TrustAnchor.TrustAnchorArn, CrlData: crl, Tags: tags(tagged, anywhereTag)}))
		}},
		{"CreateCluster", "eks:CreateCluster", "eks:TagResource", func(c aws.Config, name string, tagged bool) error {
			return failed(eks.NewFromConfig(c).CreateCluster(ctx, &eks.CreateClusterInput{Name: &name, RoleArn: aws.String(aRole), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{}, Tags: mapped(tagged)}))
		}},
		{"CreatePodIdentityAssociation", "eks:CreatePodIdentityAssociation", "eks:TagResource", func(c aws.Config, name string, tagged bool) error {
			return failed(eks.NewFromConfig(c).CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{
				ClusterName: aws.String("first"), Namespace: aws.String("shop"), ServiceAccount: &name, RoleArn: aws.String(aRole), Tags: mapped(tagged),
			}))
		}},
		{"CreateCertificateAuthority", "acm-pca:CreateCertificateAuthority", "acm-pca:TagCertificateAuthority", func(c aws.Config, name string, tagged bool) error {
			return failed(acmpca.NewFromConfig(c).CreateCertificateAuthority(ctx, &acmpca.CreateCertificateAuthorityInput{
				CertificateAuthorityType: pca.CertificateAuthorityTypeRoot, Tags: tags(tagged, pcaTag),
				CertificateAuthorityConfiguration: &pca.CertificateAuthorityConfiguration{
					KeyAlgorithm: pca.KeyAlgorithmEcPrime256v1, SigningAlgorithm: pca.SigningAlgorithmSha256withecdsa, Subject: &pca.ASN1Subject{CommonName: &name},
				},
			}))
		}},
		{"CreateKey", "kms:CreateKey", "kms:TagResource", func(c aws.Config, _ string, tagged bool) error {
			return failed(kms.NewFromConfig(c).CreateKey(ctx, &kms.CreateKeyInput{BypassPolicyLockoutSafetyCheck: true, Tags: tags(tagged, kmsTag)}))
		}},
		{"CreateSecret", "secretsmanager:CreateSecret", "secretsmanager:TagResource", func(c aws.Config, name string, tagged bool) error {
			return failed(secretsmanager.NewFromConfig(c).CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &name, Tags: tags(tagged, secretTag)}))
		}},
		{"PutParameter", "ssm:PutParameter", "ssm:AddTagsToResource", func(c aws.Config, name string, tagged bool) error {
			return failed(ssm.NewFromConfig(c).PutParameter(ctx, &ssm.PutParameterInput{Name: &name, Value: aws.String("v"), Type: ssmtypes.ParameterTypeString, Tags: tags(tagged, parameterTag)}))
		}},
	}
}

// authority is a CA as PEM and an empty revocation list of it.
func authority(t *testing.T) (ca string, list []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte("key"),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	list, err = x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.Add(time.Hour)}, template, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), list
}

// TestMadeWithTags makes one of each thing that can be made with tags, as users
// who lack one right: without tags nobody asks for the action that tags, with
// tags it is needed, by its own name and with the tags in the conditions.
func TestMadeWithTags(t *testing.T) {
	s := sandboxtest.Start(t, "")
	const pass = `{"Effect":"Allow","Action":"iam:PassRole","Resource":"*"}`
	as := func(name, statements string) aws.Config {
		return s.User(t, s.World.Home, name, `{"Version":"2012-10-17","Statement":[`+statements+`]}`)
	}
	for _, m := range makers(t, s) {
		t.Run(m.operation, func(t *testing.T) {
			create := `{"Effect":"Allow","Action":"` + m.create + `","Resource":"*"}`
			tag := func(team string) string {
				return `{"Effect":"Allow","Action":"` + m.tag + `","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"` + team + `"},"ForAllValues:StringEquals":{"aws:TagKeys":"team"}}}`
			}
			id := strings.ToLower(m.operation)
			untagging := as("untagging-"+m.operation, create+","+pass)
			if err := m.call(untagging, id+"-1", false); err != nil {
				t.Errorf("without tags: %v", err)
			}
			for what, c := range map[string]aws.Config{
				"without the right to tag":        untagging,
				"with the right to other tags":    as("other-"+m.operation, create+","+tag("bank")+","+pass),
				"with the right to tag forbidden": as("forbidden-"+m.operation, create+","+tag("shop")+","+pass+`,{"Effect":"Deny","Action":"`+m.tag+`","Resource":"*"}`),
			} {
				err := m.call(c, id+"-2", true)
				var e smithy.APIError
				if !errors.As(err, &e) || !strings.HasPrefix(e.ErrorCode(), "AccessDenied") || !strings.Contains(e.ErrorMessage(), "not authorized to perform: "+m.tag+" on resource") {
					t.Errorf("%s: %v", what, err)
				}
				d := s.Last(t, m.operation)
				if len(d.Checks) == 0 || d.Checks[len(d.Checks)-1].Action != m.tag || d.Reason == "" || d.Mend == "" {
					t.Errorf("%s: recorded %+v", what, d)
				}
			}
			if err := m.call(as("tagging-"+m.operation, create+","+tag("shop")+","+pass), id+"-2", true); err != nil {
				t.Errorf("with both rights: %v", err)
			}
			if err := m.call(as("only-"+m.operation, tag("shop")+","+pass), id+"-3", true); err == nil {
				t.Error("with the right to tag alone it was made")
			}
		})
	}
}
