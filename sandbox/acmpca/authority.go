package acmpca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"
	"time"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

const (
	root        = "ROOT"
	subordinate = "SUBORDINATE"
	general     = "GENERAL_PURPOSE"
	shortLived  = "SHORT_LIVED_CERTIFICATE"
)

// The states of a CA (API reference, CertificateAuthority).
const (
	creating = "CREATING"
	pending  = "PENDING_CERTIFICATE"
	active   = "ACTIVE"
	disabled = "DISABLED"
	expired  = "EXPIRED"
	deleted  = "DELETED"
)

// status is the CA's at a time.
func status(ca *world.PrivateCA, now time.Time) string {
	switch {
	case !ca.Removed.IsZero():
		return deleted
	case now.Before(ca.Created.Add(issuing)):
		return creating
	case ca.Certificate == "":
		return pending
	case ca.Disabled:
		return disabled
	case now.After(certificateOf(ca).NotAfter):
		return expired
	}
	return active
}

// certificateOf parses what importCertificate has taken.
func certificateOf(ca *world.PrivateCA) *x509.Certificate {
	c, err := parseCertificate([]byte(ca.Certificate))
	if err != nil {
		panic(err) // it was parsed when it was imported
	}
	return c
}

func parseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, faultf("pca-import", "there is no PEM block CERTIFICATE")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, faultf("pca-import", "%v", err)
	}
	return c, nil
}

func keyOf(ca *world.PrivateCA) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(ca.Key)
	if err != nil {
		return nil, err
	}
	return key.(crypto.Signer), nil
}

type configuration struct {
	KeyAlgorithm, SigningAlgorithm string
	Subject                        *subject
	CsrExtensions                  json.RawMessage
}

func newKey(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case "RSA_2048":
		return rsa.GenerateKey(rand.Reader, 2048)
	case "RSA_3072":
		return rsa.GenerateKey(rand.Reader, 3072)
	case "RSA_4096":
		return rsa.GenerateKey(rand.Reader, 4096)
	case "EC_prime256v1":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EC_secp384r1":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "EC_secp521r1":
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	}
	return nil, faultf("pca-key-algorithm", "KeyAlgorithm is %q", algorithm)
}

// signatureAlgorithm is what a name of the API means for a key.
func signatureAlgorithm(name string, key crypto.PublicKey) (x509.SignatureAlgorithm, error) {
	_, isRSA := key.(*rsa.PublicKey)
	for _, a := range []struct {
		name  string
		rsa   bool
		means x509.SignatureAlgorithm
	}{
		{"SHA256WITHRSA", true, x509.SHA256WithRSA},
		{"SHA384WITHRSA", true, x509.SHA384WithRSA},
		{"SHA512WITHRSA", true, x509.SHA512WithRSA},
		{"SHA256WITHRSA_PSS", true, x509.SHA256WithRSAPSS},
		{"SHA384WITHRSA_PSS", true, x509.SHA384WithRSAPSS},
		{"SHA512WITHRSA_PSS", true, x509.SHA512WithRSAPSS},
		{"SHA256WITHECDSA", false, x509.ECDSAWithSHA256},
		{"SHA384WITHECDSA", false, x509.ECDSAWithSHA384},
		{"SHA512WITHECDSA", false, x509.ECDSAWithSHA512},
	} {
		if a.name == name && a.rsa == isRSA {
			return a.means, nil
		}
	}
	return 0, faultf("pca-signing-algorithm", "SigningAlgorithm is %q and the CA's key is a %T", name, key)
}

func create(q *request) (any, error) {
	var in struct {
		Configuration    json.RawMessage `json:"CertificateAuthorityConfiguration"`
		Type             string          `json:"CertificateAuthorityType"`
		UsageMode        string
		Revocation       json.RawMessage `json:"RevocationConfiguration"`
		IdempotencyToken string
		Tags             []tag
		// KeyStorageSecurityStandard means nothing where there is no HSM.
		KeyStorageSecurityStandard string
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	// It has no ARN yet: policies name it by a star (service authorization
	// reference).
	carried := tagContext(in.Tags)
	if err := q.Authorize(world.Access{Action: "acm-pca:CreateCertificateAuthority", Resource: "*", Context: carried}); err != nil {
		return nil, err
	}
	if in.UsageMode == "" {
		in.UsageMode = general
	}
	if in.Type != root && in.Type != subordinate {
		return nil, faultf("pca-parameter", "CertificateAuthorityType is %q", in.Type)
	}
	if in.UsageMode != general && in.UsageMode != shortLived {
		return nil, faultf("pca-parameter", "UsageMode is %q", in.UsageMode)
	}
	ca := &world.PrivateCA{
		ID: world.NewUUID(), Region: q.Region, Type: in.Type, UsageMode: in.UsageMode, Token: in.IdempotencyToken,
		Configuration: in.Configuration, Created: q.Time, Updated: q.Time,
	}
	ca.ARN = arnPrefix(q.Region) + q.Caller.Account + ":certificate-authority/" + ca.ID
	if err := q.AuthorizeTags("acm-pca:TagCertificateAuthority", ca.ARN, carried); err != nil {
		return nil, err
	}
	if err := q.fill(ca); err != nil {
		return nil, err
	}
	var err error
	if ca.Tags, err = withTags(nil, in.Tags); err != nil {
		return nil, err
	}
	arn, err := q.add(ca, in.Revocation)
	return map[string]string{"CertificateAuthorityArn": arn}, err
}

// fill makes key and CSR as the configuration says.
func (q *request) fill(ca *world.PrivateCA) error {
	var c configuration
	if err := json.Unmarshal(ca.Configuration, &c); err != nil || c.Subject == nil {
		return faultf("pca-parameter", "CertificateAuthorityConfiguration is missing, or has no Subject")
	}
	if len(c.CsrExtensions) > 0 {
		return faultf("operation-not-built", "CsrExtensions of CreateCertificateAuthority")
	}
	name, err := c.Subject.encode()
	if err != nil {
		return err
	}
	key, err := newKey(c.KeyAlgorithm)
	if err != nil {
		return err
	}
	algorithm, err := signatureAlgorithm(c.SigningAlgorithm, key.Public())
	if err != nil {
		return err
	}
	if ca.Key, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		return err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{RawSubject: name, SignatureAlgorithm: algorithm}, key)
	if err != nil {
		return err
	}
	ca.CSR = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	return nil
}

// add puts a new CA into the caller's account and returns its ARN, or that of
// the one that the same token has made.
func (q *request) add(ca *world.PrivateCA, revocation json.RawMessage) (string, error) {
	q.World.Lock()
	defer q.World.Unlock()
	account := q.World.Account(q.Caller.Account)
	for _, other := range account.PrivateCAs {
		if ca.Token != "" && other.Token == ca.Token && other.Region == ca.Region && q.Time.Sub(other.Created) < tokenLife {
			return other.ARN, nil
		}
	}
	if err := q.setRevocation(account, ca, revocation); err != nil {
		return "", err
	}
	account.PrivateCAs[ca.ID] = ca
	q.Changed(world.Thing{Kind: "private-ca", Account: account.ID, Name: ca.ID})
	return ca.ARN, nil
}

func arnPrefix(region string) string {
	return "arn:" + world.PartitionOf(region) + ":acm-pca:" + region + ":"
}

// show is the API's CertificateAuthority.
func show(owner *world.Account, ca *world.PrivateCA, now time.Time) map[string]any {
	d := map[string]any{
		"Arn": ca.ARN, "OwnerAccount": owner.ID, "Type": ca.Type, "UsageMode": ca.UsageMode, "Status": status(ca, now),
		"CreatedAt": wire.Epoch(ca.Created), "LastStateChangeAt": wire.Epoch(ca.Updated),
		"CertificateAuthorityConfiguration": ca.Configuration, "KeyStorageSecurityStandard": "FIPS_140_2_LEVEL_3_OR_HIGHER",
		"RevocationConfiguration": json.RawMessage(`{"CrlConfiguration":{"Enabled":false},"OcspConfiguration":{"Enabled":false}}`),
	}
	if ca.Revocation != nil {
		d["RevocationConfiguration"] = ca.Revocation
	}
	if ca.Certificate != "" {
		c := certificateOf(ca)
		d["NotBefore"], d["NotAfter"], d["Serial"] = wire.Epoch(c.NotBefore), wire.Epoch(c.NotAfter), c.SerialNumber.String()
	}
	if !ca.Restorable.IsZero() {
		d["RestorableUntil"] = wire.Epoch(ca.Restorable)
	}
	return d
}

type named struct{ CertificateAuthorityArn string }

func describe(q *request) (any, error) {
	var in named
	if err := q.read(&in); err != nil {
		return nil, err
	}
	if err := q.enter(in.CertificateAuthorityArn); err != nil {
		return nil, err
	}
	var shown any
	err := q.view(in.CertificateAuthorityArn, func(owner *world.Account, ca *world.PrivateCA) error {
		shown = show(owner, ca, q.Time)
		return nil
	})
	return map[string]any{"CertificateAuthority": shown}, err
}

func list(q *request) (any, error) {
	if err := q.Authorize(world.Access{Action: "acm-pca:ListCertificateAuthorities", Resource: "*", Context: policy.Context{}}); err != nil {
		return nil, err
	}
	q.World.RLock()
	defer q.World.RUnlock()
	var cas []*world.PrivateCA
	owner := q.World.Account(q.Caller.Account)
	for _, ca := range owner.PrivateCAs {
		if ca.Region == q.Region && !ca.Gone(q.Time) {
			cas = append(cas, ca)
		}
	}
	slices.SortFunc(cas, func(a, b *world.PrivateCA) int {
		return strings.Compare(a.Created.Format(time.RFC3339Nano)+a.ID, b.Created.Format(time.RFC3339Nano)+b.ID)
	})
	shown := []any{}
	for _, ca := range cas {
		shown = append(shown, show(owner, ca, q.Time))
	}
	return map[string]any{"CertificateAuthorities": shown}, nil
}
