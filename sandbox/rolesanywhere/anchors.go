package rolesanywhere

import (
	"cmp"

	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// The types of trust anchors.
const (
	typeBundle    = "CERTIFICATE_BUNDLE"
	typePrivateCA = "AWS_ACM_PCA"
)

type anchorSource struct {
	Type string      `json:"sourceType"`
	Data *sourceData `json:"sourceData"`
}

type sourceData struct {
	Certificates string `json:"x509CertificateData,omitempty"`
	PrivateCA    string `json:"acmPcaArn,omitempty"`
}

// read checks the anchor's certificates and sets them. One of them may have
// expired. A private CA must be of the caller's account and region; what it has
// now is the anchor's until the next call that brings the source.
func (s *anchorSource) read(q *request, into *world.Anchor) error {
	if s == nil || s.Data == nil {
		return faultf("anywhere-parameter", "source is missing")
	}
	if s.Type != typeBundle && s.Type != typePrivateCA {
		return faultf("anywhere-parameter", "sourceType is %q", s.Type)
	}
	q.World.RLock()
	defer q.World.RUnlock()
	a := &world.Anchor{ARN: q.arnOf(anchors().kind, "*"), Region: q.Region, Type: s.Type, PrivateCA: s.Data.PrivateCA}
	if s.Type == typeBundle {
		a.Bundle = s.Data.Certificates
	}
	bundle, f := bundleOf(q.World, a)
	if f != nil {
		return f
	}
	if _, f := parseBundle(bundle); f != nil {
		return f
	}
	into.Type, into.Bundle, into.PrivateCA = s.Type, bundle, s.Data.PrivateCA
	return nil
}

// bundleOf are an anchor's certificates in PEM. One of a private CA that was
// kept without them has those of the CA. It needs the world's lock. What AWS
// does when the CA is disabled is not documented; here it goes on to vouch for
// what it has issued.
func bundleOf(w *world.World, a *world.Anchor) (string, *fault) {
	if a.Type != typePrivateCA {
		return a.Bundle, nil
	}
	of, _ := parseARN(a.ARN)
	owner, ca := w.PrivateCA(a.PrivateCA)
	switch {
	case ca == nil || owner.ID != of.account || ca.Region != a.Region:
		return "", faultf("anchor-private-ca", "account %s has no private CA %s in %s", of.account, a.PrivateCA, a.Region)
	case ca.Certificate == "":
		return "", faultf("anchor-private-ca", "%s waits for its certificate", ca.ARN)
	case !ca.Removed.IsZero():
		return "", faultf("anchor-private-ca", "%s was deleted", ca.ARN)
	}
	return cmp.Or(a.Bundle, ca.Certificate), nil
}

type anchorDetail struct {
	ID            string                `json:"trustAnchorId"`
	ARN           string                `json:"trustAnchorArn"`
	Name          string                `json:"name"`
	Source        anchorSource          `json:"source"`
	Enabled       bool                  `json:"enabled"`
	CreatedAt     string                `json:"createdAt"`
	UpdatedAt     string                `json:"updatedAt"`
	Notifications []notificationSetting `json:"notificationSettings"`
	FetchesCRLs   bool                  `json:"crlDpRevocationEnabled"`
}

func describeAnchor(a *world.Anchor) any {
	source := anchorSource{a.Type, &sourceData{Certificates: a.Bundle}}
	if a.Type == typePrivateCA {
		source.Data = &sourceData{PrivateCA: a.PrivateCA}
	}
	return anchorDetail{
		ID: a.ID, ARN: a.ARN, Name: a.Name, Enabled: !a.Disabled, Source: source,
		CreatedAt: wire.Timestamp(a.Created), UpdatedAt: wire.Timestamp(a.Updated),
		Notifications: notifications(a),
	}
}

func anchors() shelf[world.Anchor] {
	return shelf[world.Anchor]{
		kind: "trust-anchor", member: "trustAnchor", list: "trustAnchors",
		of:    func(a *world.Account) map[string]*world.Anchor { return a.Anchors },
		about: func(a *world.Anchor) about { return about{a.Region, a.ID, a.Created, a.Tags} },
		show:  describeAnchor, brief: describeAnchor,
	}
}

func createAnchor(q *request) error {
	var in struct {
		Name          string         `json:"name"`
		Source        *anchorSource  `json:"source"`
		Enabled       bool           `json:"enabled"`
		Tags          []tag          `json:"tags"`
		Notifications []askedSetting `json:"notificationSettings"`
		FetchCRLs     bool           `json:"crlDpRevocationEnabled"`
	}
	if err := q.read(&in); err != nil {
		return err
	}
	id := world.NewUUID()
	arn := q.arnOf(anchors().kind, id)
	if err := q.allowedNew(arn, in.Tags); err != nil {
		return err
	}
	tags, err := withTags(nil, in.Tags)
	if err != nil {
		return err
	}
	if err := checkName(in.Name); err != nil {
		return err
	}
	a := &world.Anchor{ID: id, ARN: arn, Region: q.Region, Name: in.Name, Disabled: !in.Enabled, Created: q.Time, Updated: q.Time, Tags: tags}
	if err := in.Source.read(q, a); err != nil {
		return err
	}
	if err := fetchesNone(in.FetchCRLs); err != nil {
		return err
	}
	if a.Notifications, err = with(nil, in.Notifications); err != nil {
		return err
	}
	return anchors().add(q, a, nil)
}

// fetchesNone refuses to look for revocation lists where leaves name them: what
// AWS does when such a list cannot be had is not documented.
func fetchesNone(asked bool) error {
	if asked {
		return faultf("operation-not-built", "crlDpRevocationEnabled")
	}
	return nil
}

func updateAnchor(q *request) error {
	var in struct {
		Name      *string       `json:"name"`
		Source    *anchorSource `json:"source"`
		FetchCRLs bool          `json:"crlDpRevocationEnabled"`
	}
	if err := q.read(&in); err != nil {
		return err
	}
	if err := anchors().enter(q); err != nil {
		return err
	}
	if in.Name != nil {
		if err := checkName(*in.Name); err != nil {
			return err
		}
	}
	var brought world.Anchor
	if in.Source != nil {
		if err := in.Source.read(q, &brought); err != nil {
			return err
		}
	}
	if err := fetchesNone(in.FetchCRLs); err != nil {
		return err
	}
	return anchors().change(q, func(_ *world.Account, a *world.Anchor) error {
		if in.Name != nil {
			a.Name = *in.Name
		}
		if in.Source != nil {
			a.Type, a.Bundle, a.PrivateCA = brought.Type, brought.Bundle, brought.PrivateCA
		}
		a.Updated = q.Time
		return nil
	})
}

func getAnchor(q *request) error {
	return anchors().get(q)
}

func deleteAnchor(q *request) error {
	return anchors().one(q, func(account *world.Account, a *world.Anchor) { delete(account.Anchors, a.ID) })
}

func switchAnchor(on bool) func(*request) error {
	return func(q *request) error {
		return anchors().one(q, func(_ *world.Account, a *world.Anchor) { a.Disabled, a.Updated = !on, q.Time })
	}
}

func listAnchors(q *request) error { return anchors().all(q) }
