package doctor

import (
	"crypto/x509"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"

	"daypass.dev/doctor"
	"daypass.dev/pki"
	"daypass.dev/sandbox/world"
)

// A warning is something that leaves credentials to be had, and is worth a look.
type warning struct {
	slug        string
	spoil, mend func(*scene) // mend nil: sound
}

func warnings() []warning {
	trust := func(condition string) func(*scene) {
		return func(s *scene) {
			s.trust(strings.Replace(unbound, "ACTIONS", all+`,"Condition":{`+condition+`}`, 1))
		}
	}
	const bound = `"ArnEquals":{"aws:SourceArn":"` + anchorARN + `"}`
	clock := func(by time.Duration) func(*scene) {
		return func(s *scene) {
			s.kase.Operator, s.kase.Unseen = nil, "its SDK would try again and again" // by a wrong clock
			s.box.World.Advance(by)
		}
	}
	return []warning{
		{slug: "leaf-source-identity", spoil: leaf(func(c *x509.Certificate) { c.Subject.CommonName, c.Subject.OrganizationalUnit = "", []string{"shop"} })},
		{slug: "leaf-tags-dropped", spoil: leaf(func(c *x509.Certificate) { c.Subject.OrganizationalUnit = []string{"shop*"} })},
		{slug: "leaf-several-sans", spoil: leaf(func(c *x509.Certificate) {
			c.URIs = append(c.URIs, &url.URL{Scheme: "spiffe", Host: "prod", Path: "/ns/shop/sa/other"})
		})},
		{slug: "leaf-repeated-names", spoil: leaf(func(c *x509.Certificate) { c.Subject.OrganizationalUnit = []string{"shop", "web"} })},
		{slug: "leaf-client-auth", spoil: leaf(func(c *x509.Certificate) { c.ExtKeyUsage = nil })},
		{slug: "leaf-lifetime", spoil: leaf(func(c *x509.Certificate) { c.NotAfter = time.Now().AddDate(1, 0, 0) })},
		{slug: "ca-expires-soon", spoil: root(func(c *x509.Certificate) { c.NotAfter = time.Now().AddDate(0, 0, 10) })},
		{slug: "ca-crl-sign", spoil: root(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })},
		{slug: "chain-superfluous", spoil: func(s *scene) { s.certify(s.ca, leafTemplate(), newKey(s), s.below("Middle CA")) }},
		{
			slug: "crl-stale",
			spoil: func(s *scene) {
				now := time.Now()
				s.imports(s.crl(now.Add(-2*time.Hour), now.Add(-time.Hour)))
			},
			mend: func(s *scene) { s.imports(s.crl(time.Now(), time.Now().AddDate(0, 0, 7))) },
		},
		{
			slug:  "anchor-crl-fetch",
			spoil: leaf(func(c *x509.Certificate) { c.CRLDistributionPoints = []string{"http://crl.example.com/ca.crl"} }),
			mend:  func(s *scene) { s.imports(s.crl(time.Now(), time.Now().AddDate(0, 0, 7))) },
		},
		{slug: "trust-any-anchor", spoil: trust(`"StringEquals":{"aws:PrincipalTag/x509SAN/URI":"` + spiffe + `"}`)},
		{slug: "trust-not-equals", spoil: trust(bound + `,"StringNotEquals":{"aws:PrincipalTag/x509Subject/OU":"guests"}`)},
		{slug: "trust-wildcard", spoil: trust(bound + `,"StringLike":{"aws:PrincipalTag/x509SAN/URI":"spiffe://prod/ns/*/sa/web"}`)},
		{slug: "live-clock", spoil: clock(5 * time.Minute), mend: clock(-5 * time.Minute)},
		{slug: "x509-clock", spoil: clock(2 * time.Hour), mend: clock(-2 * time.Hour)},
	}
}

// crl is a list of the CA's that lists nobody.
func (s *scene) crl(from, until time.Time) []byte {
	s.Helper()
	list, err := pki.CA{Certificate: s.ca.cert, Signer: s.ca.key}.CRL(nil, 1, from, until)
	if err != nil {
		s.Fatal(err)
	}
	return list
}

const crlID = "44444444-2222-4333-8444-555555555555"

// imports gives the trust anchor a revocation list in place of any other.
func (s *scene) imports(list []byte) {
	s.inAccount(func(a *world.Account) {
		a.CRLs[crlID] = &world.CRL{ID: crlID, ARN: "arn:aws:rolesanywhere:us-east-1:" + account + ":crl/" + crlID, Region: "us-east-1", Name: "list", AnchorARN: anchorARN, Data: list}
	})
}

// What is worth a look is told, with its mend, and is no alarm: credentials are
// to be had. Once mended, it is told no more.
func TestWarnings(t *testing.T) {
	rows := warnings()
	if len(rows) == 0 {
		t.Fatal("no rows")
	}
	for _, w := range rows {
		t.Run(w.slug, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			told := func() bool {
				r := s.diagnose()
				if !r.Healthy || s.recorded() != "" {
					t.Errorf("a false alarm: %s\n%s", cause(r), pretty(r))
				}
				return slices.ContainsFunc(r.Checks, func(c doctor.Check) bool {
					return c.Verdict == doctor.Warn && c.Reason == w.slug && c.Mend != "" && c.Detail != ""
				})
			}
			if told() {
				t.Error("it is told of what is sound")
			}
			w.spoil(s)
			if !told() {
				t.Error("it is not told")
			}
			if w.mend == nil {
				w.mend = (*scene).sound
			}
			w.mend(s)
			if told() {
				t.Error("it is told after the mend")
			}
		})
	}
}

// AWS's own setting of notifications is noise for leaves of hours, until it is
// switched off.
func TestNotifications(t *testing.T) {
	s := newScene(t)
	healthy(t, s.diagnose(), noisy)
	_, err := rolesanywhere.NewFromConfig(s.box.Config()).PutNotificationSettings(t.Context(), &rolesanywhere.PutNotificationSettingsInput{
		TrustAnchorId:        aws.String(anchorID),
		NotificationSettings: []types.NotificationSetting{{Event: types.NotificationEventEndEntityCertificateExpiry, Enabled: aws.Bool(false)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	healthy(t, s.diagnose())
}
