package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"

	"daypass.dev"
	"daypass.dev/pki"
	"daypass.dev/reason"
)

// refused tries three certificates that must not pass, and prints AWS's words
// beside the true cause, which only the sandbox's record knows.
func (s *stage) refused(ctx context.Context) error {
	fmt.Fprintln(s.out, "\nThree that are refused, in AWS's words and in truth:")
	for _, try := range []struct {
		what string
		make func(context.Context) (crypto.Signer, *x509.Certificate, error)
		want string // the reason's slug
	}{
		{"a leaf of the same CA for another name", s.otherName, "policy-condition"},
		{"a leaf without keyUsage digitalSignature", s.withoutDigitalSignature, "leaf-key-usage"},
		{"a leaf that the CA has revoked", s.revoked, "certificate-revoked"},
	} {
		key, leaf, err := try.make(ctx)
		if err != nil {
			return err
		}
		_, err = s.exchange(ctx, key, leaf)
		var said *daypass.Error
		if !errors.As(err, &said) {
			return fmt.Errorf("%s was not refused by AWS: %v", try.what, err)
		}
		all := s.world.Decisions()
		d := all[len(all)-1]
		if d.Reason != try.want {
			return fmt.Errorf("%s was refused as %s, not as %s", try.what, d.Reason, try.want)
		}
		why, _ := reason.Lookup(d.Reason)
		mend := d.Mend
		if mend == "" {
			mend = why.Mend
		}
		fmt.Fprintf(s.out, "\n  %s\n", try.what)
		fmt.Fprintf(s.out, "    AWS says  %s: %s\n", said.Code, said.Message)
		fmt.Fprintf(s.out, "    because   %s (%s)\n", d.Detail, d.Reason)
		fmt.Fprintf(s.out, "    mend      %s\n", mend)
	}
	return nil
}

func (s *stage) otherName(context.Context) (crypto.Signer, *x509.Certificate, error) {
	return s.leaf("otherContainer")
}

// withoutDigitalSignature goes around pki, which issues no such leaf.
func (s *stage) withoutDigitalSignature(context.Context) (crypto.Signer, *x509.Certificate, error) {
	key, err := pki.NewKey("ec-p256")
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: demoName},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageKeyEncipherment,
	}, s.ca.Certificate, key.Public(), s.ca.Signer)
	if err != nil {
		return nil, nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return key, leaf, err
}

// revoked issues a good leaf, revokes it, and tells Roles Anywhere.
func (s *stage) revoked(ctx context.Context) (crypto.Signer, *x509.Certificate, error) {
	key, leaf, err := s.leaf(demoName)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	list, err := s.ca.CRL([]pki.Revoked{{Serial: leaf.SerialNumber, Time: now}}, 1, now, now.Add(24*time.Hour))
	if err != nil {
		return nil, nil, err
	}
	_, err = rolesanywhere.NewFromConfig(s.admin()).ImportCrl(ctx, &rolesanywhere.ImportCrlInput{
		Name: aws.String("demo"), Enabled: aws.Bool(true), CrlData: list, TrustAnchorArn: aws.String(s.anchorARN),
	})
	return key, leaf, err
}
