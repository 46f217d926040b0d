// Package world is what the sandbox knows: accounts and all that is in them,
// the clock, the faults asked for, and the record of every decision. Services
// read and change it under its lock and answer in their own protocols.
//
// Locking: Account, Bucket and everything reached through Accounts need Lock
// or RLock held by the caller; Identify, Seal, Authorize, AssumeRole and Record
// take it themselves and must be called without it. Documents are never
// changed once parsed, so pointers to them may leave the lock.
package world

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// defaultRegion is the region of a world that names none.
const defaultRegion = "us-east-1"

// A World is one sandbox's whole state. Services hold Lock (or RLock) while
// they touch Accounts; neither is held while a signature is checked, a policy
// is evaluated on copies, or a fault waits.
type World struct {
	sync.RWMutex
	Accounts map[string]*Account // :: account id → account
	// Region is where things are that name no region of their own.
	Region string
	// Home is the account of those who name none.
	Home string
	// SessionsLife shortens every session, so that tests see several lives of
	// a credential; zero: as AWS. Marked in each decision.
	SessionsLife time.Duration
	// Google is what the stand-in for Google Cloud knows.
	Google Google

	issuers map[string]Issuer // :: issuer's URL; replaced, never changed

	offset atomic.Int64 // of the world's clock from the machine's, nanoseconds
	seal   sealer
	log    decisionLog
	faults faultSet
	keeper func([]Thing) error // nil: nothing is kept
}

// New returns a world with one empty account, DefaultAccount.
func New() *World {
	w := &World{Accounts: map[string]*Account{}, Region: defaultRegion, Home: DefaultAccount}
	w.AddAccount(DefaultAccount)
	return w
}

// An Account holds everything that belongs to one AWS account. Maps are keyed
// by name or id as said.
type Account struct {
	ID string
	// Partition is one of Partitions; empty: aws. It is set before anything is
	// made in the account, since ARNs hold it.
	Partition string

	Roles    map[string]*Role   // :: name
	Users    map[string]*User   // :: name
	Policies map[string]*Policy // :: ARN of a managed policy
	Anchors  map[string]*Anchor // :: id
	Profiles map[string]*Profile
	CRLs     map[string]*CRL
	Subjects map[string]*Subject
	Buckets  map[string]*Bucket // :: name; names are global, see World.Bucket
	// OIDCProviders are keyed by the issuer's URL without https://.
	OIDCProviders map[string]*OIDCProvider
	Clusters      map[string]*Cluster   // :: name
	PrivateCAs    map[string]*PrivateCA // :: id
	// PrivateCertificates are keyed by their ids: the CA's, a slash, the serial.
	PrivateCertificates map[string]*PrivateCertificate
	Keys                map[string]*Key       // :: ARN
	Secrets             map[string]*Secret    // :: ARN
	Parameters          map[string]*Parameter // :: ARN
	Topics              map[string]*Topic     // :: ARN
}

// AddAccount makes an empty account, or returns the one that is there.
func (w *World) AddAccount(id string) *Account {
	if a := w.Accounts[id]; a != nil {
		return a
	}
	a := &Account{
		ID: id, Roles: map[string]*Role{}, Users: map[string]*User{}, Policies: map[string]*Policy{},
		Anchors: map[string]*Anchor{}, Profiles: map[string]*Profile{}, CRLs: map[string]*CRL{},
		Subjects: map[string]*Subject{}, Buckets: map[string]*Bucket{},
		OIDCProviders: map[string]*OIDCProvider{},
		Clusters:      map[string]*Cluster{},
		PrivateCAs:    map[string]*PrivateCA{}, PrivateCertificates: map[string]*PrivateCertificate{},
		Keys: map[string]*Key{}, Secrets: map[string]*Secret{}, Parameters: map[string]*Parameter{},
		Topics: map[string]*Topic{},
	}
	w.Accounts[id] = a
	return a
}

// Account returns an account, nil if there is none.
func (w *World) Account(id string) *Account { return w.Accounts[id] }

// Bucket finds a bucket by its global name; nil, nil if there is none.
func (w *World) Bucket(name string) (*Account, *Bucket) {
	for _, a := range w.Accounts {
		if b := a.Buckets[name]; b != nil {
			return a, b
		}
	}
	return nil, nil
}

// Role finds a role by its ARN, path included; nil if there is none.
func (w *World) Role(arn string) *Role {
	account, name := roleARNParts(arn)
	a := w.Accounts[account]
	if a == nil || a.Roles[name] == nil || a.Roles[name].ARN != arn {
		return nil
	}
	return a.Roles[name]
}

// UniqueID returns the unique id of the user or role that has an ARN now;
// empty if there is none.
func (w *World) UniqueID(arn string) string {
	if r := w.Role(arn); r != nil {
		return r.ID
	}
	p := strings.SplitN(arn, ":", 6)
	if len(p) != 6 || w.Accounts[p[4]] == nil {
		return ""
	}
	for _, u := range w.Accounts[p[4]].Users {
		if u.ARN == arn {
			return u.ID
		}
	}
	return ""
}

// Now is the world's time, to which every signature, certificate and session
// is held.
func (w *World) Now() time.Time { return time.Now().Add(time.Duration(w.offset.Load())).UTC() }

// SetTime sets the world's clock, which then runs on.
func (w *World) SetTime(t time.Time) { w.offset.Store(int64(time.Until(t))) }

// Advance moves the world's clock by d.
func (w *World) Advance(d time.Duration) { w.offset.Add(int64(d)) }

// ClockOffset is how far the world's clock is ahead of the machine's.
func (w *World) ClockOffset() time.Duration { return time.Duration(w.offset.Load()) }
