package world

import (
	"encoding/json"
	"strings"
	"time"

	"daypass.dev/policy"
)

// A PrivateCA is a certificate authority of AWS Private CA. Its key never
// leaves the world.
type PrivateCA struct {
	ID, ARN, Region string
	Type            string // ROOT or SUBORDINATE
	UsageMode       string
	// Configuration and Revocation are as the caller gave them.
	Configuration, Revocation json.RawMessage
	Key                       []byte // PKCS#8
	CSR                       string // PEM
	Certificate, Chain        string // PEM; empty until imported
	Policy                    *policy.Document
	Disabled                  bool
	Created, Updated          time.Time
	// Removed is when it was deleted, Restorable until when that can be undone;
	// zero: it was not.
	Removed, Restorable time.Time
	CRLNumber           int64
	Tags                map[string]string
	Reports             map[string]*AuditReport // :: id
	// Token is the idempotency token that it was made with.
	Token string
}

// An AuditReport lists a private CA's certificates in an S3 object.
type AuditReport struct {
	Bucket, Key string
	Created     time.Time
}

// A PrivateCertificate was issued by a private CA.
type PrivateCertificate struct {
	ID, ARN, CA string // CA is the authority's ARN
	PEM, Chain  string
	Template    string
	Issued      time.Time
	// Ready is when it can be had.
	Ready     time.Time
	Subject   string
	Serial    string // hex
	NotBefore time.Time
	NotAfter  time.Time
	// Revoked is when it was, and Reason why; zero: it was not.
	Revoked time.Time
	Reason  string
	// Token is the idempotency token that it was asked for with.
	Token string
}

// PrivateCA finds a private CA by its ARN; nil, nil if there is none. Deleted
// ones are found too, until they are gone.
func (w *World) PrivateCA(arn string) (*Account, *PrivateCA) {
	p := strings.SplitN(arn, ":", 6)
	if len(p) != 6 {
		return nil, nil
	}
	a := w.Accounts[p[4]]
	if a == nil {
		return nil, nil
	}
	ca := a.PrivateCAs[strings.TrimPrefix(p[5], "certificate-authority/")]
	if ca == nil || ca.ARN != arn || ca.Gone(w.Now()) {
		return nil, nil
	}
	return a, ca
}
