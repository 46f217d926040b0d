package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	pca "github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	anywhere "github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"

	"daypass.dev/internal/cli"
	"daypass.dev/pki"
	"daypass.dev/sandbox/sandboxtest"
)

// A manifest is what bootstrap prints, as far as tests look.
type manifest struct {
	Items []struct {
		Kind     string
		Metadata struct{ Name, Namespace string }
		Data     map[string][]byte
		Spec     map[string]any
	}
}

// bootstrapped has a certificate made by setup bootstrap and keeps it as files.
func (e *estate) bootstrapped(ca, name string) manifest {
	e.t.Helper()
	out, err := e.run("setup", "bootstrap", "private-ca", "--ca-arn", ca, "--common-name", name)
	if err != nil {
		e.t.Fatalf("%v: %s", err, out)
	}
	var m manifest
	e.must(json.Unmarshal([]byte(out), &m))
	e.must(os.WriteFile(e.certificate(name), m.Items[0].Data["tls.crt"], 0o600))
	e.must(os.WriteFile(e.key(name), m.Items[0].Data["tls.key"], 0o600))
	return m
}

// What bootstrap prints is what the issuer, cert-manager and Roles Anywhere
// take; what has lapsed, a second run repairs.
func TestBootstrap(t *testing.T) {
	s := sandboxtest.Start(t, "")
	ca := s.PrivateCA(t, pca.CertificateAuthorityUsageModeShortLivedCertificate)
	e := newEstate(t, &anywhere.Source{SourceType: anywhere.TrustAnchorTypeAwsAcmPca, SourceData: &anywhere.SourceDataMemberAcmPcaArn{Value: ca}}, s)
	m := e.bootstrapped(ca, "iamra-issuer")
	kinds := ""
	for _, i := range m.Items {
		kinds += i.Kind + " " + i.Metadata.Namespace + "/" + i.Metadata.Name + "\n"
	}
	if want := "Secret daypass/daypass-issuer-certificate\nAWSPCAClusterIssuer /iamra-cm-issuer\nCertificate daypass/daypass-issuer-certificate\n"; kinds != want {
		t.Errorf("the manifests are\n%s", kinds)
	}
	certs, err := pki.ParseCertificates(m.Items[0].Data["tls.crt"])
	e.must(err)
	if life := certs[0].NotAfter.Sub(s.World.Now()).Round(time.Hour); certs[0].Subject.CommonName != "iamra-issuer" || life != 7*24*time.Hour {
		t.Errorf("the certificate is %s for %s", certs[0].Subject, life)
	}
	e.must(e.live("iamra-issuer")())

	s.World.Advance(30 * 24 * time.Hour)
	if _, err := e.session("iamra-issuer"); err == nil || s.Last(t, "CreateSession").Reason != "leaf-expired" {
		t.Errorf("a lapsed certificate: %v", err)
	}
	e.bootstrapped(ca, "iamra-issuer")
	e.must(e.live("iamra-issuer")())
}

func TestBootstrapRefuses(t *testing.T) {
	s := sandboxtest.Start(t, "")
	e := newEstate(t, nil, s)
	for name, args := range map[string][]string{
		"no ARN":     {},
		"another":    {"--ca-arn", "arn:aws:iam::111122223333:role/x"},
		"half a day": {"--ca-arn", "arn:aws:acm-pca:us-east-1:111122223333:certificate-authority/x", "--lifetime", "12h"},
	} {
		if out, err := e.run(append([]string{"setup", "bootstrap", "private-ca"}, args...)...); code(err) != cli.Usage || strings.Contains(out, "PRIVATE") {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}
