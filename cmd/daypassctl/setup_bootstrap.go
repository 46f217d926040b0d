package main

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acmpca"
	"github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"daypass.dev/internal/cli"
	"daypass.dev/pki"
)

// bootstrapOptions say which certificate is made and where it goes.
type bootstrapOptions struct {
	ca, name, life            string
	namespace, secret, issuer string
}

func setupBootstrap() *cobra.Command {
	c := &cobra.Command{
		Use: "bootstrap", Short: "the first certificate of what issues certificates",
		Long: "Bootstrap makes the one certificate that nobody in the cluster can ask for yet.",
	}
	o := &bootstrapOptions{name: "iamra-issuer", life: "7d", namespace: "daypass", secret: "daypass-issuer-certificate", issuer: "iamra-cm-issuer"}
	sub := &cobra.Command{
		Use:   "private-ca",
		Short: "a certificate for the issuer of AWS Private CA",
		Long: `Private-ca has the private CA issue a certificate to daypass-kube's issuer, with
your own AWS session, and prints manifests for kubectl: the Secret that the
issuer reads, an AWSPCAClusterIssuer, and a cert-manager Certificate by which
the issuer renews its own certificate from then on.

Run it once; and again if the certificate has lapsed, however long ago: the
issuer takes the new one within a minute or two, without a restart. The key is
made here and kept nowhere else. It takes acm-pca:DescribeCertificateAuthority,
IssueCertificate and GetCertificate.`,
		Example: `  daypassctl setup bootstrap private-ca --ca-arn arn:aws:acm-pca:… | kubectl apply -f -`,
		Args:    cobra.NoArgs,
	}
	cli.Bind(sub,
		cli.Setting{Flag: "ca-arn", Arg: "ARN", Into: &o.ca, Help: "the private CA"},
		cli.Setting{Flag: "common-name", Arg: "NAME", Into: &o.name, Help: "common name, which the issuer's role trusts"},
		cli.Setting{Flag: "lifetime", Arg: "TIME", Into: &o.life, Help: "life of the first certificate, as 7d"},
		cli.Setting{Flag: "namespace", Arg: "NAME", Into: &o.namespace, Help: "namespace of daypass"},
		cli.Setting{Flag: "secret", Arg: "NAME", Into: &o.secret, Help: "Secret that the issuer reads"},
		cli.Setting{Flag: "issuer", Arg: "NAME", Into: &o.issuer, Help: "name of the AWSPCAClusterIssuer"})
	sub.RunE = func(c *cobra.Command, _ []string) error { return o.run(c.Context(), c.OutOrStdout()) }
	c.AddCommand(sub)
	return c
}

func (o *bootstrapOptions) run(ctx context.Context, stdout io.Writer) error {
	arn := strings.Split(o.ca, ":")
	if len(arn) != 6 || arn[2] != "acm-pca" {
		return cli.Usagef("give the ARN that aws acm-pca list-certificate-authorities shows", "--ca-arn: %.100q is no private CA", o.ca)
	}
	life, err := parseLife("lifetime", o.life)
	if err != nil {
		return err
	}
	if life < 24*time.Hour || life%(24*time.Hour) != 0 {
		return cli.Usagef("give days, as 7d", "--lifetime: %.40q is no number of days", o.life)
	}
	if f, ok := stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return cli.Usagef("pipe it into kubectl apply -f -", "the manifests hold a private key, and standard output is a terminal")
	}
	cfg, why := operator(ctx)
	if cfg == nil {
		return cli.Usagef("log in as for the AWS CLI: aws sso login, or AWS_PROFILE", "%s", why)
	}
	calls := acmpca.NewFromConfig(*cfg, func(c *acmpca.Options) { c.Region = arn[3] })
	key, chain, err := o.certificate(ctx, calls, life)
	if err != nil {
		return err
	}
	return o.write(stdout, key, chain, arn[3])
}

// certificate makes a key and has it certified; both in PEM. The key never
// leaves this process but by stdout.
func (o *bootstrapOptions) certificate(ctx context.Context, calls *acmpca.Client, life time.Duration) (key, chain []byte, err error) {
	ca, err := calls.DescribeCertificateAuthority(ctx, &acmpca.DescribeCertificateAuthorityInput{CertificateAuthorityArn: &o.ca})
	if err != nil {
		return nil, nil, err
	}
	if s := ca.CertificateAuthority.Status; s != types.CertificateAuthorityStatusActive {
		return nil, nil, cli.Nof("import the CA's certificate first, or enable the CA", "the private CA is %s", s)
	}
	signer, err := pki.NewKey("ec-p256")
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: o.name}}, signer)
	if err != nil {
		return nil, nil, err
	}
	partition := strings.Split(o.ca, ":")[1]
	issued, err := calls.IssueCertificate(ctx, &acmpca.IssueCertificateInput{
		CertificateAuthorityArn: &o.ca, Csr: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
		SigningAlgorithm: ca.CertificateAuthority.CertificateAuthorityConfiguration.SigningAlgorithm,
		TemplateArn:      aws.String("arn:" + partition + ":acm-pca:::template/EndEntityCertificate/V1"),
		Validity:         &types.Validity{Type: types.ValidityPeriodTypeDays, Value: aws.Int64(int64(life / (24 * time.Hour)))},
	})
	if err != nil {
		return nil, nil, err
	}
	get := &acmpca.GetCertificateInput{CertificateAuthorityArn: &o.ca, CertificateArn: issued.CertificateArn}
	if err := acmpca.NewCertificateIssuedWaiter(calls).Wait(ctx, get, 2*time.Minute); err != nil {
		return nil, nil, err
	}
	got, err := calls.GetCertificate(ctx, get)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return nil, nil, err
	}
	if got.Certificate == nil {
		return nil, nil, errors.New("no certificate came from Private CA")
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), []byte(*got.Certificate + "\n"), nil
}

// write prints the manifests. They are JSON, which kubectl reads as well: no
// name can be taken for something else.
func (o *bootstrapOptions) write(w io.Writer, key, chain []byte, region string) error {
	type object = map[string]any
	named := func(version, kind, namespace, name string) object {
		metadata := object{"name": name}
		if namespace != "" {
			metadata["namespace"] = namespace
		}
		return object{"apiVersion": version, "kind": kind, "metadata": metadata}
	}
	secret := named("v1", "Secret", o.namespace, o.secret)
	secret["type"] = "kubernetes.io/tls"
	secret["data"] = object{"tls.crt": base64.StdEncoding.EncodeToString(chain), "tls.key": base64.StdEncoding.EncodeToString(key)}
	issuer := named("awspca.cert-manager.io/v1beta1", "AWSPCAClusterIssuer", "", o.issuer)
	issuer["spec"] = object{"arn": o.ca, "region": region}
	renewal := named("cert-manager.io/v1", "Certificate", o.namespace, o.secret)
	renewal["spec"] = object{
		"secretName": o.secret, "commonName": o.name, "duration": "168h", "renewBefore": "112h",
		"privateKey": object{"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
		// Exactly these two: they come to the template EndEntityCertificate, to
		// which the issuer's role is held.
		"usages":    []string{"client auth", "server auth"},
		"issuerRef": object{"group": "awspca.cert-manager.io", "kind": "AWSPCAClusterIssuer", "name": o.issuer},
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(object{"apiVersion": "v1", "kind": "List", "items": []object{secret, issuer, renewal}}); err != nil {
		return fmt.Errorf("writing manifests: %w", err)
	}
	return nil
}
