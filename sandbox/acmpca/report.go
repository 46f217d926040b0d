package acmpca

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// reportEvery is how often one CA can be reported on (User Guide, "audit
// reports").
const reportEvery = 30 * time.Minute

// A reported certificate, as AWS's audit reports have it.
type reported struct {
	AccountID        string `json:"awsAccountId"`
	CertificateARN   string `json:"certificateArn"`
	Serial           string `json:"serial"`
	Subject          string `json:"subject"`
	NotBefore        string `json:"notBefore"`
	NotAfter         string `json:"notAfter"`
	IssuedAt         string `json:"issuedAt"`
	RevokedAt        string `json:"revokedAt,omitempty"`
	RevocationReason string `json:"revocationReason,omitempty"`
	TemplateARN      string `json:"templateArn"`
}

func createReport(q *request) (any, error) {
	var in struct {
		named
		S3BucketName              string
		AuditReportResponseFormat string
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	if err := q.enter(in.CertificateAuthorityArn); err != nil {
		return nil, err
	}
	if in.AuditReportResponseFormat != "JSON" && in.AuditReportResponseFormat != "CSV" {
		return nil, faultf("pca-parameter", "AuditReportResponseFormat is %q, not JSON or CSV", in.AuditReportResponseFormat)
	}
	id := world.NewUUID()
	key := "audit-report/"
	err := q.change(in.CertificateAuthorityArn, func(owner *world.Account, ca *world.PrivateCA) error {
		key += ca.ID + "/" + id + "." + strings.ToLower(in.AuditReportResponseFormat)
		for _, r := range ca.Reports {
			if q.Time.Sub(r.Created) < reportEvery {
				return faultf("pca-report-recent", "the last one is %s old", q.Time.Sub(r.Created).Round(time.Second))
			}
		}
		data, contentType, err := written(reportOn(owner, ca), in.AuditReportResponseFormat)
		if err != nil {
			return err
		}
		if err := q.put(owner, ca, in.S3BucketName, key, contentType, data); err != nil {
			return err
		}
		if ca.Reports == nil {
			ca.Reports = map[string]*world.AuditReport{}
		}
		ca.Reports[id] = &world.AuditReport{Bucket: in.S3BucketName, Key: key, Created: q.Time}
		return nil
	})
	return map[string]string{"AuditReportId": id, "S3Key": key}, err
}

func reportOn(owner *world.Account, ca *world.PrivateCA) []reported {
	const layout = "2006-01-02T15:04:05-0700"
	all := []reported{}
	for _, c := range owner.PrivateCertificates {
		if c.CA != ca.ARN {
			continue
		}
		r := reported{
			AccountID: owner.ID, CertificateARN: c.ARN, Serial: colons(c.Serial), Subject: c.Subject,
			NotBefore: c.NotBefore.Format(layout), NotAfter: c.NotAfter.Format(layout), IssuedAt: c.Issued.Format(layout),
			TemplateARN: c.Template,
		}
		if !c.Revoked.IsZero() {
			r.RevokedAt, r.RevocationReason = c.Revoked.Format(layout), c.Reason
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b reported) int { return strings.Compare(a.IssuedAt+a.Serial, b.IssuedAt+b.Serial) })
	return all
}

func colons(serial string) string {
	var pairs []string
	for i := 0; i+1 < len(serial); i += 2 {
		pairs = append(pairs, serial[i:i+2])
	}
	return strings.Join(pairs, ":")
}

func written(all []reported, format string) (data []byte, contentType string, err error) {
	if format == "JSON" {
		data, err = json.Marshal(all)
		return data, "application/json", err
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"awsAccountId", "certificateArn", "serial", "subject", "notBefore", "notAfter", "issuedAt", "revokedAt", "revocationReason", "templateArn"})
	for _, r := range all {
		_ = w.Write([]string{r.AccountID, r.CertificateARN, r.Serial, r.Subject, r.NotBefore, r.NotAfter, r.IssuedAt, r.RevokedAt, r.RevocationReason, r.TemplateARN})
	}
	w.Flush()
	return b.Bytes(), "text/csv", w.Error()
}

func describeReport(q *request) (any, error) {
	var in struct {
		named
		AuditReportID string `json:"AuditReportId"`
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	if err := q.enter(in.CertificateAuthorityArn); err != nil {
		return nil, err
	}
	answer := map[string]any{"AuditReportStatus": "SUCCESS"}
	err := q.view(in.CertificateAuthorityArn, func(_ *world.Account, ca *world.PrivateCA) error {
		r := ca.Reports[in.AuditReportID]
		if r == nil {
			return faultf("pca-missing", "%s has no audit report %s", ca.ARN, in.AuditReportID)
		}
		answer["S3BucketName"], answer["S3Key"], answer["CreatedAt"] = r.Bucket, r.Key, wire.Epoch(r.Created)
		return nil
	})
	return answer, err
}
