package rolesanywhere

import (
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// maxCRLs is how many lists one trust anchor has at most (User Guide, quotas).
const maxCRLs = 2

type crlDetail struct {
	ID        string `json:"crlId"`
	ARN       string `json:"crlArn"`
	Name      string `json:"name"`
	Enabled   bool   `json:"enabled"`
	Data      []byte `json:"crlData"`
	AnchorARN string `json:"trustAnchorArn"`
	CreatedAt string `json:"createdAt"`
	UpdatedAt string `json:"updatedAt"`
}

func describeCRL(l *world.CRL) any {
	return crlDetail{
		ID: l.ID, ARN: l.ARN, Name: l.Name, Enabled: !l.Disabled, Data: l.Data, AnchorARN: l.AnchorARN,
		CreatedAt: wire.Timestamp(l.Created), UpdatedAt: wire.Timestamp(l.Updated),
	}
}

func crls() shelf[world.CRL] {
	return shelf[world.CRL]{
		kind: "crl", member: "crl", list: "crls",
		of:    func(a *world.Account) map[string]*world.CRL { return a.CRLs },
		about: func(l *world.CRL) about { return about{l.Region, l.ID, l.Created, l.Tags} },
		show:  describeCRL, brief: describeCRL,
	}
}

// checkCRL reads a list and, where its issuer is in the trust anchor, checks
// the issuer's signature and its right to sign lists. A list of a CA below the
// anchor is checked when a session shows that CA. What AWS checks on import is
// not documented; the sandbox takes no list that could never count.
func checkCRL(data []byte, bundle string) error {
	list, f := parseCRL(data)
	if f != nil {
		return f
	}
	cas, f := parseBundle(bundle)
	if f != nil {
		return f
	}
	if _, f := crlSigner(list, cas); f != nil {
		return f
	}
	return nil
}

// anchorBundle returns the certificates of one of the caller's anchors.
func (q *request) anchorBundle(text string) (string, error) {
	q.World.RLock()
	defer q.World.RUnlock()
	asked, ok := parseARN(text)
	if !ok || asked.kind != anchors().kind || asked.service != signingName {
		return "", faultf("anywhere-parameter", "trustAnchorArn is %q", text)
	}
	a := anchors().find(q, asked.id)
	if a == nil || a.ARN != text {
		return "", missing(text)
	}
	bundle, f := bundleOf(q.World, a)
	if f != nil {
		return "", f
	}
	return bundle, nil
}

// crlRoom refuses a further list of an anchor that has as many as it may.
func crlRoom(anchor string) func(*world.Account) error {
	return func(a *world.Account) error {
		n := 0
		for _, l := range a.CRLs {
			if l.AnchorARN == anchor {
				n++
			}
		}
		if n >= maxCRLs {
			return faultf("anywhere-limit", "%s has %d revocation lists", anchor, n)
		}
		return nil
	}
}

func importCRL(q *request) error {
	var in struct {
		Name    string `json:"name"`
		Data    []byte `json:"crlData"`
		Enabled bool   `json:"enabled"`
		Anchor  string `json:"trustAnchorArn"`
		Tags    []tag  `json:"tags"`
	}
	if err := q.read(&in); err != nil {
		return err
	}
	id := world.NewUUID()
	arn := q.arnOf(crls().kind, id)
	if err := q.allowedNew(arn, in.Tags); err != nil {
		return err
	}
	if err := checkName(in.Name); err != nil {
		return err
	}
	tags, err := withTags(nil, in.Tags)
	if err != nil {
		return err
	}
	bundle, err := q.anchorBundle(in.Anchor)
	if err != nil {
		return err
	}
	if err := checkCRL(in.Data, bundle); err != nil {
		return err
	}
	return crls().add(q, &world.CRL{
		ID: id, ARN: arn, Region: q.Region, Name: in.Name, AnchorARN: in.Anchor, Data: in.Data,
		Disabled: !in.Enabled, Created: q.Time, Updated: q.Time, Tags: tags,
	}, crlRoom(in.Anchor))
}

func updateCRL(q *request) error {
	var in struct {
		Name *string `json:"name"`
		Data []byte  `json:"crlData"`
	}
	if err := q.read(&in); err != nil {
		return err
	}
	if err := crls().enter(q); err != nil {
		return err
	}
	if in.Name != nil {
		if err := checkName(*in.Name); err != nil {
			return err
		}
	}
	if in.Data != nil {
		bundle, err := q.anchorBundle(q.anchorOfCRL())
		if err != nil {
			return err
		}
		if err := checkCRL(in.Data, bundle); err != nil {
			return err
		}
	}
	return crls().change(q, func(_ *world.Account, l *world.CRL) error {
		if in.Name != nil {
			l.Name = *in.Name
		}
		if in.Data != nil {
			l.Data = in.Data
		}
		l.Updated = q.Time
		return nil
	})
}

// anchorOfCRL is the trust anchor's ARN of the list whose id is in the path;
// empty if there is no such list.
func (q *request) anchorOfCRL() string {
	q.World.RLock()
	defer q.World.RUnlock()
	if l := crls().find(q, q.id); l != nil {
		return l.AnchorARN
	}
	return ""
}

func getCRL(q *request) error {
	return crls().get(q)
}

func deleteCRL(q *request) error {
	return crls().one(q, func(account *world.Account, l *world.CRL) { delete(account.CRLs, l.ID) })
}

func switchCRL(on bool) func(*request) error {
	return func(q *request) error {
		return crls().one(q, func(_ *world.Account, l *world.CRL) { l.Disabled, l.Updated = !on, q.Time })
	}
}

func listCRLs(q *request) error { return crls().all(q) }
