package doctor

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"daypass.dev/pki"
)

// Certificates are X.509 certificates.
type Certificates = []*x509.Certificate

// CRLs are the revocation lists of the trust anchor.
type CRLs struct {
	Look
	Lists []CRL
}

// A CRL is one imported revocation list.
type CRL struct {
	Name    string
	Enabled bool
	List    *x509.RevocationList // nil: unreadable
}

func (d *diagnosis) revocation() {
	if d.CRLs == nil || !d.looked(d.CRLs.Look, "revocation list", "anywhere-missing") {
		return
	}
	n := 0
	for _, crl := range d.CRLs.Lists {
		if !crl.Enabled {
			continue
		}
		n++
		if crl.List == nil {
			d.fail("crl-unreadable", crl.Name+" cannot be read")
			continue
		}
		d.list(crl)
	}
	if len(d.Checks) == 0 || d.Checks[len(d.Checks)-1].Step != StepRevocation {
		d.pass(fmt.Sprintf("%d enabled revocation lists of the trust anchor are current and do not list the certificate", n))
	}
}

func (d *diagnosis) list(crl CRL) {
	if end := crl.List.NextUpdate; !end.IsZero() && end.Before(d.Now) {
		d.warn("crl-stale", fmt.Sprintf("%s was to be renewed by %s", crl.Name, end.UTC().Format(time.RFC3339)))
	}
	if d.Certificate == nil || d.Certificate.Leaf == nil {
		return
	}
	for _, c := range append(Certificates{d.Certificate.Leaf}, d.Certificate.Intermediates...) {
		if string(c.RawIssuer) != string(crl.List.RawIssuer) {
			continue
		}
		if i := slices.IndexFunc(crl.List.RevokedCertificateEntries, func(r x509.RevocationListEntry) bool {
			return r.SerialNumber.Cmp(c.SerialNumber) == 0
		}); i >= 0 {
			at := crl.List.RevokedCertificateEntries[i].RevocationTime
			d.fail("certificate-revoked", fmt.Sprintf("%s lists serial number %s since %s", crl.Name, pki.HexSerial(c), at.UTC().Format(time.RFC3339)))
		}
	}
}

// A Profile is a Roles Anywhere profile, as aws rolesanywhere get-profile
// prints it.
type Profile struct {
	Look            `json:"-"`
	ARN             string   `json:"profileArn"`
	Name            string   `json:"name"`
	Enabled         bool     `json:"enabled"`
	Roles           []string `json:"roleArns"`
	SessionPolicy   string   `json:"sessionPolicy"`
	ManagedPolicies []string `json:"managedPolicyArns"`
	// Documents are those of ManagedPolicies that were seen, by ARN; one that is
	// empty says that there is no such policy.
	Documents                 map[string]string `json:"-"`
	Seconds                   int               `json:"durationSeconds"`
	AcceptSessionName         bool              `json:"acceptRoleSessionName"`
	RequireInstanceProperties bool              `json:"requireInstanceProperties"`
	// Mappings choose what of the certificate becomes session tags; nil: AWS's
	// default.
	Mappings []Mapping `json:"attributeMappings"`
	// Propagation is trusted identity propagation, which denies sessions whose
	// certificate lacks the chosen field.
	Propagation *struct {
		Status  string `json:"status"`
		Subject string `json:"subjectSource"` // x509Subject/CN or x509SAN/URI
	} `json:"tipConfiguration"`
}

// A Mapping names the specifiers of one field of certificates.
type Mapping struct {
	Field string `json:"certificateField"`
	Rules []Rule `json:"mappingRules"`
}

// A Rule is one specifier, as "CN", "URI" or "*".
type Rule struct {
	Specifier string `json:"specifier"`
}

// ParseProfile reads what aws rolesanywhere get-profile prints.
func ParseProfile(data []byte) (*Profile, error) {
	var in struct{ Profile *Profile }
	if err := json.Unmarshal(data, &in); err != nil || in.Profile == nil || in.Profile.Roles == nil {
		return nil, fmt.Errorf("it is not what aws rolesanywhere get-profile prints")
	}
	return in.Profile, nil
}

// mappings are nil where the profile tells none.
func (p *Profile) mappings() map[string][]string {
	if p.Mappings == nil {
		return nil
	}
	all := map[string][]string{}
	for _, m := range p.Mappings {
		if all[m.Field] == nil {
			all[m.Field] = []string{} // a field without specifiers yields no tags
		}
		for _, r := range m.Rules {
			all[m.Field] = append(all[m.Field], r.Specifier)
		}
	}
	return all
}

// profile follows the order of AWS's checks as the sandbox knows them.
func (d *diagnosis) profile() {
	p := d.Profile
	if p == nil || !d.looked(p.Look, "profile "+p.ARN, "profile-unknown") {
		return
	}
	before := len(d.Checks)
	if !p.Enabled {
		d.fail("profile-disabled", p.ARN+" ("+p.Name+") is disabled")
	}
	role := d.roleARN()
	if role != "" && !slices.Contains(p.Roles, role) {
		d.fail("profile-role", role+" is not among the profile's roles: "+strings.Join(p.Roles, ", "))
	}
	s := d.Settings
	if s == nil {
		s = &Settings{}
	}
	if p.RequireInstanceProperties && !s.InstanceProperties {
		d.fail("profile-properties", p.Name+" has requireInstanceProperties, and no properties are sent")
	}
	if s.SessionName != "" && !p.AcceptSessionName {
		d.fail("profile-session-name", fmt.Sprintf("the session name %q is sent, and profile %s has acceptRoleSessionName false", s.SessionName, p.Name))
	}
	for _, arn := range p.ManagedPolicies {
		if text, seen := p.Documents[arn]; seen && text == "" {
			d.fail("session-policy-not-found", p.Name+" names "+arn+", which is not there")
		}
	}
	d.propagation(p)
	if len(d.Checks) == before {
		d.pass(p.Name + " is enabled and lists the role")
	}
}

func (d *diagnosis) propagation(p *Profile) {
	if p.Propagation == nil || p.Propagation.Status != "ENABLED" || d.Certificate == nil || d.Certificate.Leaf == nil {
		return
	}
	field := p.Propagation.Subject
	if field == "" {
		field = "x509Subject/CN"
	}
	s := pki.SessionOf(d.Certificate.Leaf)
	if !slices.ContainsFunc(s.Tags, func(t pki.Tag) bool { return t.Key == field }) {
		d.fail("profile-propagation", "profile "+p.Name+" takes the identity from "+field+", which the certificate lacks")
	}
}

// duration is how long sessions live; an hour where the profile tells none.
func (d *diagnosis) duration() time.Duration {
	life := time.Hour
	if d.Profile != nil && d.Profile.Seconds > 0 {
		life = time.Duration(d.Profile.Seconds) * time.Second
	}
	if s := d.Settings; s != nil && s.Duration > 0 && (d.Profile == nil || s.Duration < life) {
		life = s.Duration
	}
	return life
}

func (d *diagnosis) roleARN() string {
	if d.Role != nil && d.Role.ARN != "" {
		return d.Role.ARN
	}
	if d.Settings != nil {
		return d.Settings.RoleARN
	}
	return ""
}
