package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acmpca"
	pca "github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"daypass.dev/internal/cli"
	"daypass.dev/pki/cadir"
)

// revocationLists are those of one trust anchor.
type revocationLists struct {
	config   aws.Config
	anywhere *rolesanywhere.Client
	anchor   string
}

const (
	// Private CA writes its list within half an hour of a revocation (User Guide).
	listPatience, listPoll = 45 * time.Minute, 10 * time.Second
	maxList                = 300_000 // of ImportCrl
)

// A revoking revokes a leaf at its CA and returns the CA's list, in PEM.
type revoking func(context.Context) ([]byte, error)

// list finds out how a leaf is revoked at its CA, and changes nothing yet.
func (o *revokeOptions) list(ctx context.Context, l *revocationLists, leaf *x509.Certificate) (revoking, error) {
	if o.ca != "" {
		return o.ownList(leaf)
	}
	parts := strings.SplitN(l.anchor, "/", 2)
	out, err := l.anywhere.GetTrustAnchor(ctx, &rolesanywhere.GetTrustAnchorInput{TrustAnchorId: aws.String(parts[len(parts)-1])})
	if err != nil {
		return nil, err
	}
	from, ok := out.TrustAnchor.Source.SourceData.(*types.SourceDataMemberAcmPcaArn)
	if !ok {
		return nil, cli.Usagef("give the CA's folder by --ca, or import a list of your own CA with aws rolesanywhere import-crl",
			"the trust anchor's CA is not AWS Private CA")
	}
	return l.privateList(ctx, from.Value, leaf)
}

// ownList enters a leaf into the list of a CA's folder.
func (o *revokeOptions) ownList(leaf *x509.Certificate) (revoking, error) {
	life, err := parseLife("lifetime", o.life)
	if err != nil {
		return nil, err
	}
	d, err := cadir.Open(o.ca)
	if err != nil {
		return nil, refusal(err)
	}
	return func(ctx context.Context) ([]byte, error) {
		if _, err := d.RevokeCertificate(ctx, leaf, time.Now()); err != nil {
			return nil, refusal(err)
		}
		if _, err := d.WriteCRL(ctx, life, time.Now()); err != nil {
			return nil, refusal(err)
		}
		return readFile("revocation list", d.File(cadir.CRLFile))
	}, nil
}

// privateList revokes a leaf at its private CA, and waits until it stands on
// the list that the CA keeps in S3.
func (l *revocationLists) privateList(ctx context.Context, ca string, leaf *x509.Certificate) (revoking, error) {
	calls := acmpca.NewFromConfig(l.config)
	about, err := calls.DescribeCertificateAuthority(ctx, &acmpca.DescribeCertificateAuthorityInput{CertificateAuthorityArn: &ca})
	if err != nil {
		return nil, err
	}
	var crl *pca.CrlConfiguration
	if r := about.CertificateAuthority.RevocationConfiguration; r != nil {
		crl = r.CrlConfiguration
	}
	if crl == nil || !aws.ToBool(crl.Enabled) || crl.S3BucketName == nil {
		return nil, cli.Nof("let the CA keep one: aws acm-pca update-certificate-authority --revocation-configuration …; meanwhile --role with --identity refuses the certificate's sessions for good",
			"the private CA keeps no revocation list")
	}
	key := "crl/" + ca[strings.LastIndexByte(ca, '/')+1:] + ".crl"
	if path := aws.ToString(crl.CustomPath); path != "" {
		key = path + "/" + key
	}
	return func(ctx context.Context) ([]byte, error) {
		return l.listed(ctx, calls, ca, *crl.S3BucketName, key, leaf)
	}, nil
}

func (l *revocationLists) listed(ctx context.Context, calls *acmpca.Client, ca, bucket, key string, leaf *x509.Certificate) ([]byte, error) {
	_, err := calls.RevokeCertificate(ctx, &acmpca.RevokeCertificateInput{
		CertificateAuthorityArn: &ca, CertificateSerial: aws.String(leaf.SerialNumber.Text(16)), RevocationReason: pca.RevocationReasonUnspecified,
	})
	var before *pca.RequestAlreadyProcessedException
	if err != nil && !errors.As(err, &before) {
		return nil, err
	}
	for end := time.Now().Add(listPatience); ; {
		data, listed, err := l.fetch(ctx, bucket, key, leaf)
		if err != nil {
			return nil, err
		}
		if listed {
			return data, nil
		}
		if time.Now().After(end) {
			return nil, errors.New("the certificate is revoked, and the private CA's list in s3://" + bucket + "/" + key + " does not say so after " + listPatience.String())
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(listPoll):
		}
	}
}

// fetch reads a CA's list, as PEM, and whether a leaf stands on it.
func (l *revocationLists) fetch(ctx context.Context, bucket, key string, leaf *x509.Certificate) (data []byte, listed bool, err error) {
	// Path style, unless the endpoint is AWS's own.
	store := s3.NewFromConfig(l.config, func(s *s3.Options) {
		s.UsePathStyle = s.BaseEndpoint != nil && !ofAWS(*s.BaseEndpoint)
		s.DisableLogOutputChecksumValidationSkipped = true // the list is signed
	})
	out, err := store.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	var none *s3types.NoSuchKey
	if errors.As(err, &none) { // a CA's first list comes with its first revocation
		return nil, false, nil
	}
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "AccessDenied" {
		return nil, false, cli.Nof("it takes s3:GetObject, and s3:ListBucket to be told that a first list is not there yet; then run it again",
			"reading s3://%s/%s: %w", bucket, key, err)
	}
	if err != nil {
		return nil, false, err
	}
	defer out.Body.Close()
	der, err := io.ReadAll(io.LimitReader(out.Body, maxList+1))
	if err != nil {
		return nil, false, err
	}
	if len(der) > maxList {
		return nil, false, cli.Nof("meanwhile --role with --identity refuses the certificate's sessions for good",
			"the private CA's list is longer than the %d bytes that Roles Anywhere takes", maxList)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, false, err
	}
	for _, e := range list.RevokedCertificateEntries {
		listed = listed || e.SerialNumber.Cmp(leaf.SerialNumber) == 0
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), listed, nil
}

func ofAWS(endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && strings.HasSuffix(u.Hostname(), ".amazonaws.com")
}

// listName is what revoke's lists are called in AWS.
const listName = "daypass-revoke"

// bring imports a list for the trust anchor, or puts it in the place of the one
// that an earlier call has imported; its ARN.
func (l *revocationLists) bring(ctx context.Context, data []byte) (string, error) {
	all := rolesanywhere.NewListCrlsPaginator(l.anywhere, &rolesanywhere.ListCrlsInput{})
	for all.HasMorePages() {
		page, err := all.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, c := range page.Crls {
			if aws.ToString(c.TrustAnchorArn) != l.anchor || aws.ToString(c.Name) != listName {
				continue
			}
			out, err := l.anywhere.UpdateCrl(ctx, &rolesanywhere.UpdateCrlInput{CrlId: c.CrlId, CrlData: data})
			if err != nil {
				return "", err
			}
			if !aws.ToBool(c.Enabled) {
				if _, err := l.anywhere.EnableCrl(ctx, &rolesanywhere.EnableCrlInput{CrlId: c.CrlId}); err != nil {
					return "", err
				}
			}
			return aws.ToString(out.Crl.CrlArn), nil
		}
	}
	out, err := l.anywhere.ImportCrl(ctx, &rolesanywhere.ImportCrlInput{
		Name: aws.String(listName), CrlData: data, Enabled: aws.Bool(true), TrustAnchorArn: &l.anchor,
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.Crl.CrlArn), nil
}
