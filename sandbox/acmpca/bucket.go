package acmpca

import (
	"crypto/md5" // S3's ETag
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"time"

	"daypass.dev/policy"
	"daypass.dev/sandbox/world"
)

type revocation struct {
	CrlConfiguration *struct {
		Enabled                                        bool
		ExpirationInDays                               int
		CustomCname, CustomPath, S3BucketName, CrlType string
		CrlDistributionPointExtensionConfiguration     *struct{ OmitExtension bool }
	}
	OcspConfiguration *struct{ Enabled bool }
}

func revocationOf(ca *world.PrivateCA) revocation {
	var r revocation
	_ = json.Unmarshal(ca.Revocation, &r) // it was read when it was set
	return r
}

// setRevocation checks a RevocationConfiguration and keeps it as it is. It
// needs the world's lock.
func (q *request) setRevocation(owner *world.Account, ca *world.PrivateCA, text json.RawMessage) error {
	if len(text) == 0 {
		return nil
	}
	var r revocation
	if err := json.Unmarshal(text, &r); err != nil {
		return faultf("pca-parameter", "RevocationConfiguration: %v", err)
	}
	if r.OcspConfiguration != nil && r.OcspConfiguration.Enabled {
		return faultf("operation-not-built", "OCSP")
	}
	if c := r.CrlConfiguration; c != nil && c.Enabled {
		switch {
		case c.S3BucketName == "" || c.ExpirationInDays < 1 || c.ExpirationInDays > 5000:
			return faultf("pca-parameter", "a CRL needs S3BucketName and ExpirationInDays of 1 to 5000")
		case c.CrlType == "PARTITIONED":
			return faultf("operation-not-built", "partitioned CRLs")
		}
	}
	ca.Revocation = text
	if c := r.CrlConfiguration; c != nil && c.Enabled {
		return q.mayPut(owner, ca, c.S3BucketName, crlKey(ca))
	}
	return nil
}

func crlKey(ca *world.PrivateCA) string {
	key := "crl/" + ca.ID + ".crl"
	if p := revocationOf(ca).CrlConfiguration.CustomPath; p != "" {
		key = p + "/" + key
	}
	return key
}

// crlPoint is the CRL distribution point of the CA's certificates.
func crlPoint(ca *world.PrivateCA) (extension, bool) {
	c := revocationOf(ca).CrlConfiguration
	if c == nil || !c.Enabled || c.CrlDistributionPointExtensionConfiguration != nil && c.CrlDistributionPointExtensionConfiguration.OmitExtension {
		return extension{}, false
	}
	host := c.CustomCname
	if host == "" {
		host = c.S3BucketName + ".s3." + ca.Region + "." + world.Domain(ca.Region)
	}
	type name struct {
		Full []asn1.RawValue `asn1:"optional,tag:0"`
	}
	uri := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte("http://" + host + "/" + crlKey(ca))}
	points := []struct {
		Name name `asn1:"optional,tag:0"`
	}{{name{[]asn1.RawValue{uri}}}}
	return extension{Id: oidCRLPoints, Value: must(asn1.Marshal(points))}, true
}

// publish writes the CA's CRL into its bucket, if it has one. It needs the
// world's lock.
func (q *request) publish(owner *world.Account, ca *world.PrivateCA) error {
	c := revocationOf(ca).CrlConfiguration
	if c == nil || !c.Enabled || ca.Certificate == "" {
		return nil
	}
	key, err := keyOf(ca)
	if err != nil {
		return err
	}
	ca.CRLNumber++
	l := &x509.RevocationList{
		Number: big.NewInt(ca.CRLNumber), ThisUpdate: q.Time, NextUpdate: q.Time.AddDate(0, 0, c.ExpirationInDays),
	}
	for _, i := range owner.PrivateCertificates {
		if i.CA == ca.ARN && !i.Revoked.IsZero() {
			number, _ := new(big.Int).SetString(i.Serial, 16)
			l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{
				SerialNumber: number, RevocationTime: i.Revoked, ReasonCode: reasons()[i.Reason],
			})
		}
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, certificateOf(ca), key)
	if err != nil {
		return faultf("pca-import", "its CRL: %v", err)
	}
	return q.put(owner, ca, c.S3BucketName, crlKey(ca), "application/pkix-crl", der)
}

// put writes an object as Private CA, if the bucket's policy lets it. It needs
// the world's lock.
func (q *request) put(owner *world.Account, ca *world.PrivateCA, bucket, key, contentType string, data []byte) error {
	if err := q.mayPut(owner, ca, bucket, key); err != nil {
		return err
	}
	sum := md5.Sum(data)
	holder, b := q.World.Bucket(bucket)
	b.Objects[key] = &world.Object{Data: data, ContentType: contentType, ETag: `"` + hex.EncodeToString(sum[:]) + `"`, Modified: q.Time}
	q.Changed(world.Thing{Kind: "object", Account: holder.ID, Name: bucket, Key: key})
	return nil
}

// mayPut asks the bucket's policy. It needs the world's lock.
func (q *request) mayPut(owner *world.Account, ca *world.PrivateCA, bucket, key string) error {
	holder, b := q.World.Bucket(bucket)
	if b == nil {
		return faultf("pca-bucket", "there is no bucket %s", bucket)
	}
	var policies policy.Policies
	if b.Policy != nil {
		policies.Resource = &policy.Named{Name: "bucket policy of " + bucket, Document: b.Policy}
	}
	arn := "arn:" + world.PartitionOf(b.Region) + ":s3:::" + bucket
	for _, need := range [][2]string{{"s3:GetBucketAcl", arn}, {"s3:PutObject", arn + "/" + key}} {
		d := policy.Evaluate(policy.Request{
			Principal: policy.Principal{Kind: policy.Service, Name: servicePrincipal},
			Action:    need[0], Resource: need[1], ResourceAccount: holder.ID,
			Context: policy.Context{
				"aws:SourceArn": {List: []string{ca.ARN}}, "aws:SourceAccount": {List: []string{owner.ID}},
				"aws:PrincipalIsAWSService": {List: []string{"true"}}, "aws:CurrentTime": {List: []string{q.Time.Format(time.RFC3339)}},
			},
		}, policies)
		if !d.Allowed {
			return faultf("pca-bucket", "%s may not %s on %s: %s", servicePrincipal, need[0], need[1], d.Detail)
		}
	}
	return nil
}
