package iam

import (
	"slices"

	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

const versionsQuota = 5

type versionXML struct {
	Document         string `xml:",omitempty"`
	VersionID        string `xml:"VersionId"`
	IsDefaultVersion bool
	CreateDate       string
}

type versionResult struct{ PolicyVersion versionXML }

func viewVersion(p *world.Policy, v world.PolicyVersion, document bool) versionXML {
	x := versionXML{VersionID: v.ID, IsDefaultVersion: v.ID == p.Default, CreateDate: wire.Timestamp(v.Created)}
	if document {
		x.Document = encoded(v.Document)
	}
	return x
}

func createVersion(q *request) (any, error) {
	return q.withOwnPolicy(func(_ *world.Account, p *world.Policy) (any, error) {
		doc, err := q.managed()
		if err != nil {
			return nil, err
		}
		if len(p.Versions) >= versionsQuota {
			return nil, overQuota("A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", versionsQuota)
		}
		v := world.PolicyVersion{ID: nextVersion(p), Document: doc, Created: q.Time}
		p.Versions = append(slices.Clone(p.Versions), v)
		if q.Get("SetAsDefault") == "true" {
			p.Default = v.ID
		}
		return versionResult{viewVersion(p, v, false)}, nil
	})
}

// version finds the version that the call names.
func (q *request) version(p *world.Policy) (int, error) {
	id := q.Get("VersionId")
	var v wire.Validation
	v.Required("versionId", id)
	if err := v.Err(); err != nil {
		return 0, err
	}
	i := slices.IndexFunc(p.Versions, func(v world.PolicyVersion) bool { return v.ID == id })
	if i < 0 {
		return 0, missing("Policy %s version %s does not exist or is not attachable.", p.ARN, id)
	}
	return i, nil
}

func getVersion(q *request) (any, error) {
	return q.withPolicy(func(_ *world.Account, p *world.Policy, _ bool) (any, error) {
		i, err := q.version(p)
		if err != nil {
			return nil, err
		}
		return versionResult{viewVersion(p, p.Versions[i], true)}, nil
	})
}

func listVersions(q *request) (any, error) {
	return q.withPolicy(func(_ *world.Account, p *world.Policy, _ bool) (any, error) {
		var all []versionXML
		for _, v := range slices.Backward(p.Versions) {
			all = append(all, viewVersion(p, v, false))
		}
		some, at, err := paged(q, all)
		return struct {
			Versions wire.List[versionXML]
			page
		}{wire.ListOf(some...), at}, err
	})
}

func setDefaultVersion(q *request) (any, error) {
	return q.withOwnPolicy(func(_ *world.Account, p *world.Policy) (any, error) {
		i, err := q.version(p)
		if err != nil {
			return nil, err
		}
		p.Default = p.Versions[i].ID
		return nil, nil
	})
}

func deleteVersion(q *request) (any, error) {
	return q.withOwnPolicy(func(_ *world.Account, p *world.Policy) (any, error) {
		i, err := q.version(p)
		if err != nil {
			return nil, err
		}
		if p.Versions[i].ID == p.Default {
			return nil, conflict("Cannot delete the default version of a policy.")
		}
		p.Versions = slices.Delete(slices.Clone(p.Versions), i, i+1)
		return nil, nil
	})
}
