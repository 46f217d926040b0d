package iam

import (
	"slices"

	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

const keysQuota = 2

type keyXML struct {
	UserName        string
	AccessKeyID     string `xml:"AccessKeyId"`
	Status          string
	SecretAccessKey string `xml:",omitempty"`
	CreateDate      string
}

func viewKey(u *world.User, k world.AccessKey) keyXML {
	v := keyXML{UserName: u.Name, AccessKeyID: k.ID, Status: "Active", CreateDate: wire.Timestamp(k.Created)}
	if k.Inactive {
		v.Status = "Inactive"
	}
	return v
}

func createKey(q *request) (any, error) {
	return userShelf.with(q, nil, func(a *world.Account, u *world.User) (any, error) {
		if len(u.Keys) >= keysQuota {
			return nil, overQuota("Cannot exceed quota for AccessKeysPerUser: %d", keysQuota)
		}
		k := world.AccessKey{ID: world.NewAccessKeyID("AKIA", a.ID), Secret: world.NewSecret(), Created: q.Time}
		u.Keys = append(slices.Clone(u.Keys), k)
		v := viewKey(u, k)
		v.SecretAccessKey = k.Secret
		return struct{ AccessKey keyXML }{v}, nil
	})
}

func listKeys(q *request) (any, error) {
	return userShelf.with(q, nil, func(_ *world.Account, u *world.User) (any, error) {
		var all []keyXML
		for _, k := range u.Keys {
			all = append(all, viewKey(u, k))
		}
		some, p, err := paged(q, all)
		return struct {
			AccessKeyMetadata wire.List[keyXML]
			page
		}{wire.ListOf(some...), p}, err
	})
}

// key finds the named access key of a user.
func (q *request) key(u *world.User) (int, error) {
	id := q.Get("AccessKeyId")
	var v wire.Validation
	v.Required("accessKeyId", id)
	v.Length("accessKeyId", id, 16, 128)
	if err := v.Err(); err != nil {
		return 0, err
	}
	i := slices.IndexFunc(u.Keys, func(k world.AccessKey) bool { return k.ID == id })
	if i < 0 {
		return 0, missing("The Access Key with id %s cannot be found.", id)
	}
	return i, nil
}

func updateKey(q *request) (any, error) {
	return userShelf.with(q, nil, func(_ *world.Account, u *world.User) (any, error) {
		i, err := q.key(u)
		if err != nil {
			return nil, err
		}
		status := q.Get("Status")
		if status != "Active" && status != "Inactive" {
			return nil, wire.Invalid("1 validation error detected: Value '" + status +
				"' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [Active, Inactive]")
		}
		keys := slices.Clone(u.Keys)
		keys[i].Inactive = status == "Inactive"
		u.Keys = keys
		return nil, nil
	})
}

func deleteKey(q *request) (any, error) {
	return userShelf.with(q, nil, func(_ *world.Account, u *world.User) (any, error) {
		i, err := q.key(u)
		if err != nil {
			return nil, err
		}
		u.Keys = slices.Delete(slices.Clone(u.Keys), i, i+1)
		return nil, nil
	})
}
