package rolesanywhere

import (
	"encoding/pem"
	"maps"
	"slices"
	"time"

	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// keptPerSubject bounds what is remembered of one subject; the oldest goes.
const keptPerSubject = 100

// remember records who called and with what, under the certificate's Subject,
// in the trust anchor's account, and returns the subject's ARN. Only callers
// whom the trust anchor vouches for are remembered, revoked ones included, so
// that no stranger fills an account's subjects.
func remember(c *world.Call, who *caller, asked parameters, failed bool) string {
	c.World.Lock()
	defer c.World.Unlock()
	account := c.World.Account(asked.anchor.account)
	if account == nil {
		return ""
	}
	name := who.leaf.Subject.String()
	var s *world.Subject
	for _, other := range account.Subjects {
		if other.Name == name && other.Region == c.Region {
			s = other
		}
	}
	if s == nil {
		id := world.NewUUID()
		s = &world.Subject{
			ID: id, ARN: newARN(c.Region, account.ID, subjects().kind, id), Region: c.Region, Name: name, Created: c.Time,
		}
		account.Subjects[id] = s
	}
	c.Changed(world.Thing{Kind: "subject", Account: account.ID, Name: s.ID})
	s.LastSeen = c.Time
	s.Credentials = rememberCredential(s.Credentials, who, failed, c.Time)
	if len(asked.properties) > 0 {
		s.Properties = rememberProperties(s.Properties, asked.properties, failed, c.Time)
	}
	return s.ARN
}

func rememberCredential(kept []world.SubjectCredential, who *caller, failed bool, now time.Time) []world.SubjectCredential {
	one := world.SubjectCredential{
		Serial: who.leaf.SerialNumber.String(), Issuer: who.leaf.Issuer.String(),
		PEM:  string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: who.leaf.Raw})),
		Seen: now, Failed: failed,
	}
	kept = slices.DeleteFunc(slices.Clone(kept), func(k world.SubjectCredential) bool { return k.PEM == one.PEM })
	kept = append(kept, one)
	return kept[max(0, len(kept)-keptPerSubject):]
}

func rememberProperties(kept []world.InstanceProperties, values map[string]string, failed bool, now time.Time) []world.InstanceProperties {
	kept = slices.DeleteFunc(slices.Clone(kept), func(k world.InstanceProperties) bool { return maps.Equal(k.Values, values) })
	kept = append(kept, world.InstanceProperties{Seen: now, Failed: failed, Values: values})
	return kept[max(0, len(kept)-keptPerSubject):]
}

type subjectSummary struct {
	ARN       string `json:"subjectArn"`
	ID        string `json:"subjectId"`
	Enabled   bool   `json:"enabled"`
	Name      string `json:"x509Subject"`
	LastSeen  string `json:"lastSeenAt"`
	CreatedAt string `json:"createdAt"`
	UpdatedAt string `json:"updatedAt"`
}

type subjectDetail struct {
	subjectSummary
	Credentials []subjectCredential `json:"credentials"`
	Properties  []subjectProperties `json:"instanceProperties"`
}

type subjectCredential struct {
	Serial  string `json:"serialNumber"`
	Issuer  string `json:"issuer"`
	PEM     string `json:"x509CertificateData"`
	Seen    string `json:"seenAt"`
	Enabled bool   `json:"enabled"`
	Failed  bool   `json:"failed"`
}

type subjectProperties struct {
	Seen   string            `json:"seenAt"`
	Failed bool              `json:"failed"`
	Values map[string]string `json:"properties"`
}

func summarize(s *world.Subject) subjectSummary {
	return subjectSummary{
		ARN: s.ARN, ID: s.ID, Enabled: true, Name: s.Name, LastSeen: wire.Timestamp(s.LastSeen),
		CreatedAt: wire.Timestamp(s.Created), UpdatedAt: wire.Timestamp(s.LastSeen),
	}
}

func describeSubject(s *world.Subject) any {
	d := subjectDetail{subjectSummary: summarize(s), Credentials: []subjectCredential{}, Properties: []subjectProperties{}}
	for _, k := range s.Credentials {
		d.Credentials = append(d.Credentials, subjectCredential{k.Serial, k.Issuer, k.PEM, wire.Timestamp(k.Seen), true, k.Failed})
	}
	for _, p := range s.Properties {
		d.Properties = append(d.Properties, subjectProperties{wire.Timestamp(p.Seen), p.Failed, maps.Clone(p.Values)})
	}
	return d
}

func subjects() shelf[world.Subject] {
	return shelf[world.Subject]{
		kind: "subject", member: "subject", list: "subjects",
		of:    func(a *world.Account) map[string]*world.Subject { return a.Subjects },
		about: func(s *world.Subject) about { return about{s.Region, s.ID, s.Created, nil} },
		show:  describeSubject, brief: func(s *world.Subject) any { return summarize(s) },
	}
}

func getSubject(q *request) error {
	return subjects().get(q)
}

func listSubjects(q *request) error { return subjects().all(q) }
