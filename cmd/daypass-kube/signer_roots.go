package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/acmpca"
	pcatypes "github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/spf13/cobra"

	"daypass.dev/internal/cli"
	"daypass.dev/internal/sdk"
	signing "daypass.dev/kube/signer"
	"daypass.dev/pki"
)

// awsPatience is how long AWS has to answer once.
const awsPatience = time.Minute

// A kmsKey signs with a key that never leaves AWS KMS: ECDSA on a NIST curve or
// RSA (PKCS #1 v1.5). It is a crypto.Signer.
type kmsKey struct {
	client *kms.Client
	id     string
	public crypto.PublicKey
}

func newKMSKey(ctx context.Context, cfg aws.Config, id string) (*kmsKey, error) {
	region, err := regionOf(id, "kms")
	if err != nil {
		return nil, err
	}
	k := &kmsKey{client: kms.NewFromConfig(cfg, func(o *kms.Options) { o.Region = region }), id: id}
	out, err := k.client.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &id})
	if err != nil {
		return nil, fmt.Errorf("reading the root's public key from KMS: %w", err)
	}
	if k.public, err = x509.ParsePKIXPublicKey(out.PublicKey); err != nil {
		return nil, errors.New("reading the root's public key from KMS: it is of a kind not known")
	}
	return k, nil
}

func (k *kmsKey) Public() crypto.PublicKey { return k.public }

// Sign implements crypto.Signer for SHA-256, SHA-384 and SHA-512.
func (k *kmsKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	algorithm, ok := map[crypto.Hash]string{crypto.SHA256: "SHA_256", crypto.SHA384: "SHA_384", crypto.SHA512: "SHA_512"}[opts.HashFunc()]
	if _, pss := opts.(*rsa.PSSOptions); !ok || pss {
		return nil, errors.New("KMS is not asked for this kind of signature")
	}
	switch k.public.(type) {
	case *ecdsa.PublicKey:
		algorithm = "ECDSA_" + algorithm
	case *rsa.PublicKey:
		algorithm = "RSASSA_PKCS1_V1_5_" + algorithm
	default:
		return nil, errors.New("the KMS key is neither ECDSA nor RSA")
	}
	ctx, cancel := context.WithTimeout(context.Background(), awsPatience)
	defer cancel()
	out, err := k.client.Sign(ctx, &kms.SignInput{
		KeyId: &k.id, Message: digest, MessageType: kmstypes.MessageTypeDigest, SigningAlgorithm: kmstypes.SigningAlgorithmSpec(algorithm),
	})
	if err != nil {
		return nil, fmt.Errorf("signing by KMS: %w", err)
	}
	return out.Signature, nil
}

// A privateCA is a general-purpose AWS Private CA that certifies the replicas'
// issuing CAs. It is a signer.Root.
type privateCA struct {
	client    *acmpca.Client
	arn       string
	algorithm pcatypes.SigningAlgorithm
}

// newPrivateCA also returns the root above the CA, or the CA itself.
func newPrivateCA(ctx context.Context, cfg aws.Config, id string) (*privateCA, *x509.Certificate, error) {
	region, err := regionOf(id, "acm-pca")
	if err != nil {
		return nil, nil, err
	}
	p := &privateCA{client: acmpca.NewFromConfig(cfg, func(o *acmpca.Options) { o.Region = region }), arn: id}
	out, err := p.client.DescribeCertificateAuthority(ctx, &acmpca.DescribeCertificateAuthorityInput{CertificateAuthorityArn: &id})
	if err != nil {
		return nil, nil, fmt.Errorf("reading the private CA: %w", err)
	}
	ca := out.CertificateAuthority
	if ca.UsageMode == pcatypes.CertificateAuthorityUsageModeShortLivedCertificate {
		return nil, nil, errors.New("the private CA is of mode SHORT_LIVED_CERTIFICATE, which signs no CAs: take one of mode GENERAL_PURPOSE")
	}
	if ca.CertificateAuthorityConfiguration == nil {
		return nil, nil, errors.New("the private CA has no configuration")
	}
	p.algorithm = ca.CertificateAuthorityConfiguration.SigningAlgorithm
	held, err := p.client.GetCertificateAuthorityCertificate(ctx, &acmpca.GetCertificateAuthorityCertificateInput{CertificateAuthorityArn: &id})
	if err != nil {
		return nil, nil, fmt.Errorf("reading the private CA's certificate: %w", err)
	}
	chain, err := pki.ParseCertificates([]byte(aws.ToString(held.Certificate) + "\n" + aws.ToString(held.CertificateChain)))
	if err != nil {
		return nil, nil, fmt.Errorf("reading the private CA's certificate: %w", err)
	}
	return p, chain[len(chain)-1], nil
}

// IssueCA implements signer.Root.
func (p *privateCA) IssueCA(ctx context.Context, key crypto.Signer, name pkix.Name, life time.Duration) (pki.CA, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: name}, key)
	if err != nil {
		return pki.CA{}, err
	}
	sum := sha256.Sum256(der)
	end := time.Now().Add(life).Unix()
	issued, err := p.client.IssueCertificate(ctx, &acmpca.IssueCertificateInput{
		CertificateAuthorityArn: &p.arn, SigningAlgorithm: p.algorithm,
		Csr:              pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
		TemplateArn:      aws.String("arn:" + strings.Split(p.arn, ":")[1] + ":acm-pca:::template/SubordinateCACertificate_PathLen0/V1"),
		Validity:         &pcatypes.Validity{Type: pcatypes.ValidityPeriodTypeAbsolute, Value: &end},
		IdempotencyToken: aws.String(hex.EncodeToString(sum[:16])), // an SDK's retry costs no second certificate
	})
	if err != nil {
		return pki.CA{}, fmt.Errorf("asking the private CA: %w", err)
	}
	which := &acmpca.GetCertificateInput{CertificateAuthorityArn: &p.arn, CertificateArn: issued.CertificateArn}
	out, err := acmpca.NewCertificateIssuedWaiter(p.client, func(o *acmpca.CertificateIssuedWaiterOptions) {
		o.MinDelay, o.MaxDelay = 500*time.Millisecond, 5*time.Second
	}).WaitForOutput(ctx, which, awsPatience)
	if err != nil {
		return pki.CA{}, fmt.Errorf("waiting for the private CA: %w", err)
	}
	chain, err := pki.ParseCertificates([]byte(aws.ToString(out.Certificate) + "\n" + aws.ToString(out.CertificateChain)))
	if err != nil {
		return pki.CA{}, fmt.Errorf("reading what the private CA has issued: %w", err)
	}
	ca := pki.CA{Certificate: chain[0], Signer: key, Above: chain[1:]}
	return ca, ca.Check(time.Now())
}

// regionOf is the region in an ARN of a service.
func regionOf(text, service string) (string, error) {
	parsed, err := arn.Parse(text)
	if err != nil || parsed.Service != service || parsed.Region == "" {
		return "", fmt.Errorf("%.200q is no ARN of %s", text, service)
	}
	return parsed.Region, nil
}

// localRoot reads a certificate file, the root's certificate first, and its key
// from a file or from KMS. All certificates of the file are to be trusted.
func localRoot(ctx context.Context, certificate, key string, calls func() (aws.Config, error)) (pki.CA, []*x509.Certificate, error) {
	text, err := cli.ReadFile(certificate, cli.Small)
	if err != nil {
		return pki.CA{}, nil, fmt.Errorf("reading the root's certificate: %w", err)
	}
	trust, err := pki.ParseCertificates(text)
	if err != nil {
		return pki.CA{}, nil, fmt.Errorf("reading the root's certificate %s: %w", certificate, err)
	}
	ca := pki.CA{Certificate: trust[0]}
	if strings.HasPrefix(key, "arn:") {
		cfg, err := calls()
		if err != nil {
			return pki.CA{}, nil, err
		}
		if ca.Signer, err = newKMSKey(ctx, cfg, key); err != nil {
			return pki.CA{}, nil, err
		}
	} else {
		if text, err = cli.ReadFile(key, cli.Small); err != nil {
			return pki.CA{}, nil, fmt.Errorf("reading the root's key: %w", err)
		}
		if ca.Signer, err = pki.ParseKey(text); err != nil {
			return pki.CA{}, nil, fmt.Errorf("reading the root's key %s: %w", key, err)
		}
	}
	return ca, trust, ca.Check(time.Now())
}

// signerRoot makes the certificate of a root whose key is in KMS.
func signerRoot() *cobra.Command {
	var cluster, key string
	c := &cobra.Command{
		Use:   "root",
		Short: "make the certificate of a root whose key is in AWS KMS",
		Long: `Root has a KMS key (ECC_NIST_P256, ECC_NIST_P384 or RSA, for signing) sign a
root's certificate of five years for itself, and prints it: for --root-certificate
and for the trust anchor. Run it once, with AWS credentials that may kms:Sign and
kms:GetPublicKey.`,
		Example: `  daypass-kube signer root --cluster-name prod --root-key arn:aws:kms:eu-west-1:111122223333:key/… > root.pem`,
		Args:    cobra.NoArgs,
	}
	cli.Bind(c,
		cli.Setting{Flag: "cluster-name", Arg: "NAME", Into: &cluster, Help: "stands in the root's name (O)"},
		cli.Setting{Flag: "root-key", Arg: "ARN", Into: &key, Help: "the KMS key"})
	c.RunE = func(c *cobra.Command, _ []string) error {
		if cluster == "" || key == "" {
			return cli.Usagef("give both", "--cluster-name or --root-key is missing")
		}
		cfg, err := sdk.Load(c.Context())
		if err != nil {
			return fmt.Errorf("reading the AWS SDK's settings: %w", err)
		}
		signs, err := newKMSKey(c.Context(), cfg, key)
		if err != nil {
			return err
		}
		root, err := signing.NewRoot(signs, cluster, time.Now())
		if err != nil {
			return err
		}
		_, err = c.OutOrStdout().Write(pki.EncodeCertificate(root.Certificate))
		return err
	}
	return c
}
