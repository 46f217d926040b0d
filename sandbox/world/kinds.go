package world

import "encoding/json"

// A kind of things in an account: their names and keys, and how one is written
// down and restored. The world's lock must be held.
type kind struct {
	all     func(*Account) [][2]string
	piece   func(*Account, Thing) ([]byte, error)
	restore func(*Account, Thing, []byte) error
}

func kinds() map[string]kind {
	return map[string]kind{
		"role":                named(func(a *Account) map[string]*Role { return a.Roles }),
		"user":                named(func(a *Account) map[string]*User { return a.Users }),
		"policy":              named(func(a *Account) map[string]*Policy { return a.Policies }),
		"oidc-provider":       named(func(a *Account) map[string]*OIDCProvider { return a.OIDCProviders }),
		"trust-anchor":        named(func(a *Account) map[string]*Anchor { return a.Anchors }),
		"profile":             named(func(a *Account) map[string]*Profile { return a.Profiles }),
		"crl":                 named(func(a *Account) map[string]*CRL { return a.CRLs }),
		"subject":             named(func(a *Account) map[string]*Subject { return a.Subjects }),
		"cluster":             named(func(a *Account) map[string]*Cluster { return a.Clusters }),
		"private-ca":          named(func(a *Account) map[string]*PrivateCA { return a.PrivateCAs }),
		"private-certificate": named(func(a *Account) map[string]*PrivateCertificate { return a.PrivateCertificates }),
		"key":                 named(func(a *Account) map[string]*Key { return a.Keys }),
		"secret":              named(func(a *Account) map[string]*Secret { return a.Secrets }),
		"parameter":           named(func(a *Account) map[string]*Parameter { return a.Parameters }),
		"topic":               named(func(a *Account) map[string]*Topic { return a.Topics }),
		"bucket":              {all: allBuckets, piece: bucketPiece, restore: restoreBucket},
		"object":              {all: allObjects, piece: objectPiece, restore: restoreObject},
	}
}

// named is a kind of things that stand in one map and are whole in JSON.
func named[T any](of func(*Account) map[string]*T) kind {
	return kind{
		all: func(a *Account) (all [][2]string) {
			for name := range of(a) {
				all = append(all, [2]string{name})
			}
			return all
		},
		piece: func(a *Account, t Thing) ([]byte, error) {
			thing := of(a)[t.Name]
			if thing == nil {
				return nil, nil
			}
			return json.Marshal(thing)
		},
		restore: func(a *Account, t Thing, data []byte) error {
			thing := new(T)
			of(a)[t.Name] = thing
			return json.Unmarshal(data, thing)
		},
	}
}

func allBuckets(a *Account) (all [][2]string) {
	for name := range a.Buckets {
		all = append(all, [2]string{name})
	}
	return all
}

// bucketPiece leaves the objects out: each is a piece of its own.
func bucketPiece(a *Account, t Thing) ([]byte, error) {
	b := a.Buckets[t.Name]
	if b == nil {
		return nil, nil
	}
	alone := *b
	alone.Objects = nil
	return json.Marshal(alone)
}

func restoreBucket(a *Account, t Thing, data []byte) error {
	b := &Bucket{}
	a.Buckets[t.Name] = b
	err := json.Unmarshal(data, b)
	b.Objects = map[string]*Object{}
	return err
}

func allObjects(a *Account) (all [][2]string) {
	for name, b := range a.Buckets {
		for key := range b.Objects {
			all = append(all, [2]string{name, key})
		}
	}
	return all
}

func objectPiece(a *Account, t Thing) ([]byte, error) {
	b := a.Buckets[t.Name]
	if b == nil || b.Objects[t.Key] == nil {
		return nil, nil
	}
	return json.Marshal(b.Objects[t.Key])
}

func restoreObject(a *Account, t Thing, data []byte) error {
	b := a.Buckets[t.Name]
	if b == nil {
		return errNoBucket
	}
	o := &Object{}
	b.Objects[t.Key] = o
	return json.Unmarshal(data, o)
}
