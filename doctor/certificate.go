package doctor

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"daypass.dev/pki"
)

// certificateOrder is the order in which AWS seems to look, so that of several
// faults the one is named that AWS refuses for.
var certificateOrder = [...]string{
	"chain-depth", "leaf-key-type", "leaf-key-size", "key-mismatch",
	"anchor-bundle", "anchor-bundle-size",
	"leaf-is-anchor", "leaf-version", "leaf-ca", "leaf-key-usage", "leaf-signature-algorithm",
	"leaf-subject-empty", "leaf-serial", "leaf-not-yet-valid", "leaf-expired",
	"chain-issuer-missing", "chain-signature", "ca-version", "ca-basic-constraints", "ca-key-usage",
	"ca-signature-algorithm", "ca-key-type", "ca-path-length", "ca-not-yet-valid", "ca-expired",
	"chain-critical-extension", "ca-name-constraints",
}

// certificate holds leaf, key, chain and anchor to the rules of Roles Anywhere.
func (d *diagnosis) certificate() {
	d.problems(StepCertificate)
	if d.Certificate == nil {
		return
	}
	e := *d.Certificate
	if e.Anchors == nil && d.Anchor != nil {
		e.Anchors = d.Anchor.Certificates
		if d.Anchor.Bundle != "" {
			e.Bundle = []byte(d.Anchor.Bundle)
		}
	}
	findings := pki.Check(e, d.Now)
	slices.SortStableFunc(findings, func(a, b pki.Finding) int { return Rank(a) - Rank(b) })
	for _, f := range findings {
		c := Check{Verdict: verdictOf(f.Verdict), Reason: f.Rule, Detail: f.On + ": " + f.Detail, Mend: f.Mend}
		d.add(c)
	}
}

// Rank is a finding's place in the order in which AWS seems to look, failures
// before all else.
func Rank(f pki.Finding) int {
	i := slices.Index(certificateOrder[:], f.Rule)
	if f.Verdict != pki.Fail || i < 0 {
		i = len(certificateOrder)
	}
	return i
}

func verdictOf(v pki.Verdict) Verdict {
	if v == pki.Skip {
		return Unknown
	}
	return Verdict(v)
}

// An Anchor is a Roles Anywhere trust anchor.
type Anchor struct {
	Look
	ARN     string
	Enabled bool
	// Type is AWS_ACM_PCA or CERTIFICATE_BUNDLE.
	Type string
	// Bundle is the PEM text of its certificates; of AWS Private CA that of the CA.
	Bundle string
	// Authority is why the Private CA that it stands for has no certificate to give;
	// empty: it has, or there is none.
	Authority string
	// Certificates are those of Bundle.
	Certificates Certificates
	// FetchesCRLs: crlDpRevocationEnabled; nil: not told.
	FetchesCRLs   *bool
	Notifications []Notification
}

// A Notification is one of a trust anchor's settings.
type Notification struct {
	Event     string // CA_CERTIFICATE_EXPIRY or END_ENTITY_CERTIFICATE_EXPIRY
	Enabled   bool
	Threshold int // days before the end
}

func (d *diagnosis) anchor() {
	a := d.Anchor
	if a == nil || !d.looked(a.Look, "trust anchor "+a.ARN, "anchor-unknown") {
		return
	}
	if !a.Enabled {
		d.fail("anchor-disabled", a.ARN+" is disabled")
	} else {
		d.pass(a.ARN + " is enabled")
	}
	if a.Authority != "" {
		d.fail("anchor-private-ca", "its Private CA: "+a.Authority)
	}
	if a.Bundle != "" && a.Certificates == nil {
		d.fail("anchor-bundle", "what it holds cannot be read as certificates")
	}
	if d.Certificate == nil || d.Certificate.Leaf == nil {
		return
	}
	leaf := d.Certificate.Leaf
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	for _, n := range a.Notifications {
		if before := time.Duration(n.Threshold) * 24 * time.Hour; n.Event == "END_ENTITY_CERTIFICATE_EXPIRY" && n.Enabled && life < before {
			d.warn("anchor-notifications", fmt.Sprintf("leaves live %s, and the trust anchor notifies %d days before their end", span(life), n.Threshold))
		}
	}
	if len(leaf.CRLDistributionPoints) > 0 && a.FetchesCRLs != nil && !*a.FetchesCRLs && !d.listed(leaf) {
		d.warn("anchor-crl-fetch", "the leaf names the revocation list "+pki.Printable(leaf.CRLDistributionPoints[0])+", and the trust anchor fetches none")
	}
}

// listed tells whether the trust anchor has a list of the leaf's CA already.
func (d *diagnosis) listed(leaf *x509.Certificate) bool {
	return d.CRLs != nil && slices.ContainsFunc(d.CRLs.Lists, func(c CRL) bool {
		return c.Enabled && c.List != nil && string(c.List.RawIssuer) == string(leaf.RawIssuer)
	})
}

// span writes a life in days or in hours.
func span(life time.Duration) string {
	if life >= 48*time.Hour {
		return fmt.Sprintf("%d days", life/(24*time.Hour))
	}
	return life.Round(time.Minute).String()
}

// sessions settles who would ask to become the role.
func (d *diagnosis) sessions() {
	switch {
	case d.Certificate != nil && d.Certificate.Leaf != nil:
		d.certificateSession(d.Certificate.Leaf)
	case d.Names != nil:
		d.certificateSession(d.Names)
	case d.Token != nil && d.Token.claims != nil:
		d.tokenSession()
	}
}

func (d *diagnosis) certificateSession(leaf *x509.Certificate) {
	if why := Unnameable(leaf); why != "" {
		d.fail("source-identity", why)
	}
	var mappings map[string][]string
	if d.Profile != nil && d.Profile.Unseen == "" {
		mappings = d.Profile.mappings()
	}
	name := ""
	if d.Settings != nil {
		name = d.Settings.SessionName
	}
	claim := AnywhereClaim(leaf, d.anchorARN(), name, mappings)
	d.session = &claim
	s := claim.Session
	d.pass(fmt.Sprintf("name %s, source identity %s, %d tags", s.Name, pki.Printable(s.SourceIdentity), len(s.Tags)))
}

func (d *diagnosis) anchorARN() string {
	if d.Anchor != nil && d.Anchor.ARN != "" {
		return d.Anchor.ARN
	}
	if d.Settings != nil {
		return d.Settings.TrustAnchorARN
	}
	return ""
}
