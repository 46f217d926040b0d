package acmpca_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acmpca"
	"github.com/aws/aws-sdk-go-v2/service/acmpca/types"
)

// A deleted CA can be restored until its date; then it is not there.
func TestCAsGoAtTheirDate(t *testing.T) {
	s := newStage(t)
	arn := s.pending(acmpca.CreateCertificateAuthorityInput{})
	s.csr(arn) // once it is made
	remove := func() {
		t.Helper()
		_, err := s.pca.DeleteCertificateAuthority(t.Context(), &acmpca.DeleteCertificateAuthorityInput{CertificateAuthorityArn: &arn, PermanentDeletionTimeInDays: aws.Int32(7)})
		s.must(err)
	}
	restore := func() error {
		_, err := s.pca.RestoreCertificateAuthority(t.Context(), &acmpca.RestoreCertificateAuthorityInput{CertificateAuthorityArn: &arn})
		return err
	}
	remove()
	s.World.Advance(7*24*time.Hour - time.Minute)
	if got := s.describe(arn).Status; got != types.CertificateAuthorityStatusDeleted {
		t.Errorf("before its date it is %s", got)
	}
	s.must(restore())
	remove()
	s.World.Advance(7*24*time.Hour + time.Minute)
	s.refused("RestoreCertificateAuthority", "pca-missing", restore())
	all, err := s.pca.ListCertificateAuthorities(t.Context(), nil)
	s.must(err)
	if len(all.CertificateAuthorities) != 0 {
		t.Errorf("after its date %s is listed", arn)
	}
}
