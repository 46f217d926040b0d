package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	apiutil "github.com/cert-manager/cert-manager/pkg/api/util"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"github.com/cert-manager/cert-manager/pkg/client/clientset/versioned"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// patience is how long a publication waits for its certificate; the kubelet
// asks again after an error.
const patience = 20 * time.Second

// issue makes a key, has its certificate issued and returns the volume's files.
func (d *driver) issue(ctx context.Context, w *want) (map[string][]byte, error) {
	key, err := w.newKey()
	if err != nil {
		return nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &w.request, key)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	config := d.config
	if d.tokens {
		if w.token == "" {
			return nil, errors.New("the kubelet gave no token of the pod: the CSIDriver needs tokenRequests with an empty audience")
		}
		config = rest.AnonymousClientConfig(d.config)
		config.BearerToken = w.token
	}
	client, err := versioned.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	requests := client.CertmanagerV1().CertificateRequests(w.namespace)
	made, err := requests.Create(ctx, &cmapi.CertificateRequest{
		ObjectMeta: metav1.ObjectMeta{GenerateName: w.pod + "-"},
		Spec: cmapi.CertificateRequestSpec{
			Request:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}),
			IssuerRef: w.issuer, Duration: &metav1.Duration{Duration: w.duration}, IsCA: w.authority, Usages: w.usages,
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("creating the CertificateRequest: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		now, err := requests.Get(ctx, made.Name, metav1.GetOptions{})
		if err != nil {
			return nil, fmt.Errorf("reading CertificateRequest %s: %w", made.Name, err)
		}
		if apiutil.CertificateRequestIsDenied(now) || apiutil.CertificateRequestReadyReason(now) == cmapi.CertificateRequestReasonFailed {
			return nil, refused(now)
		}
		ready := apiutil.GetCertificateRequestCondition(now, cmapi.CertificateRequestConditionReady)
		if ready != nil && ready.Status == cmmeta.ConditionTrue && len(now.Status.Certificate) > 0 {
			return w.files(key, now)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("CertificateRequest %s is not issued after %s", made.Name, patience)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// refused is why a request will never be issued.
func refused(r *cmapi.CertificateRequest) error {
	for _, c := range r.Status.Conditions {
		if c.Type == cmapi.CertificateRequestConditionDenied || c.Reason == cmapi.CertificateRequestReasonFailed {
			return fmt.Errorf("CertificateRequest %s: %s: %s", r.Name, c.Reason, c.Message)
		}
	}
	return fmt.Errorf("CertificateRequest %s failed", r.Name)
}

func (w *want) newKey() (crypto.Signer, error) {
	switch w.algorithm {
	case "RSA":
		return rsa.GenerateKey(rand.Reader, max(w.bits, 2048))
	case "ECDSA":
		curve, ok := map[int]elliptic.Curve{0: elliptic.P256(), 256: elliptic.P256(), 384: elliptic.P384(), 521: elliptic.P521()}[w.bits]
		if !ok {
			return nil, fmt.Errorf("there is no ECDSA key of %d bits", w.bits)
		}
		return ecdsa.GenerateKey(curve, rand.Reader)
	case "Ed25519":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return nil, fmt.Errorf("key algorithm %q is none of RSA, ECDSA, Ed25519", w.algorithm)
}

func (w *want) files(key crypto.Signer, r *cmapi.CertificateRequest) (map[string][]byte, error) {
	block := &pem.Block{Type: "PRIVATE KEY"}
	var err error
	if rsaKey, ok := key.(*rsa.PrivateKey); ok && w.encoding == "PKCS1" {
		block = &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)}
	} else if block.Bytes, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		return nil, err
	}
	return map[string][]byte{
		w.keyFile: pem.EncodeToMemory(block), w.certificateFile: r.Status.Certificate, w.caFile: r.Status.CA,
	}, nil
}
