package world

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// A Thing names what is kept as one piece. Kinds are those of Things; Account
// is empty for what belongs to none, Key is an object's in its bucket.
type Thing struct{ Kind, Account, Name, Key string }

// SetKeeper has keep called before the answer to each call that has marked
// things with Call.Changed; an error of keep becomes the call's. It must be set
// before anything is served.
func (w *World) SetKeeper(keep func([]Thing) error) { w.keeper = keep }

// Changed marks a thing that the call may have made, changed or removed, so
// that it is kept before the answer is sent.
func (c *Call) Changed(t Thing) { c.changed = append(c.changed, t) }

// Keep keeps what the call has marked.
func (c *Call) Keep() error {
	if len(c.changed) == 0 || c.World.keeper == nil {
		return nil
	}
	return c.World.keeper(c.changed)
}

// Things lists all that the world consists of but its decisions.
func (w *World) Things() []Thing {
	w.RLock()
	defer w.RUnlock()
	all := []Thing{{Kind: "world"}}
	for id, a := range w.Accounts {
		for name, k := range kinds() {
			for _, t := range k.all(a) {
				all = append(all, Thing{Kind: name, Account: id, Name: t[0], Key: t[1]})
			}
		}
	}
	return append(all, w.seal.longOnes()...)
}

// Piece writes a thing down as Restore reads it; nil if there is no such thing.
func (w *World) Piece(t Thing) ([]byte, error) {
	w.RLock()
	defer w.RUnlock()
	switch t.Kind {
	case "world":
		return json.Marshal(w.settings())
	case "session":
		return w.seal.longPiece(t.Name)
	}
	a, k := w.Accounts[t.Account], kinds()[t.Kind]
	if a == nil || k.piece == nil {
		return nil, nil
	}
	return k.piece(a, t)
}

// Restore puts what Piece has written into the world: the piece of kind "world"
// before all others, a bucket before its objects, and all before the first
// session is sealed. A long session that has ended is left out.
func (w *World) Restore(t Thing, data []byte) error {
	w.Lock()
	defer w.Unlock()
	err := fmt.Errorf("no such kind")
	switch k, ok := kinds()[t.Kind]; {
	case t.Kind == "world":
		var s settings
		if err = json.Unmarshal(data, &s); err == nil {
			w.restore(s)
		}
	case t.Kind == "session":
		err = w.seal.restoreLong(t.Name, data, w.Now())
	case ok:
		err = k.restore(w.AddAccount(t.Account), t, data)
	}
	if err != nil {
		return fmt.Errorf("restoring the %s %s%s: %w", t.Kind, t.Name, t.Key, err)
	}
	return nil
}

// settings are the world without its things.
type settings struct {
	Accounts     []string
	Partitions   map[string]string // of accounts
	Region, Home string
	SessionsLife time.Duration
	ClockOffset  time.Duration
	Issuers      map[string]Issuer
	Google       Google
	Faults       []Fault
	// Sealer is the key of session tokens.
	Sealer []byte
}

func (w *World) settings() settings {
	s := settings{
		Region: w.Region, Home: w.Home, SessionsLife: w.SessionsLife, ClockOffset: w.ClockOffset(),
		Issuers: w.issuers, Google: w.Google, Faults: w.faults.all(), Sealer: w.seal.key(),
		Partitions: map[string]string{},
	}
	for id, a := range w.Accounts {
		s.Accounts = append(s.Accounts, id)
		s.Partitions[id] = a.Partition
	}
	return s
}

func (w *World) restore(s settings) {
	maps.DeleteFunc(w.Accounts, func(id string, _ *Account) bool { return !slices.Contains(s.Accounts, id) })
	for _, id := range s.Accounts {
		w.AddAccount(id).Partition = s.Partitions[id]
	}
	w.Region, w.Home, w.SessionsLife, w.issuers = s.Region, s.Home, s.SessionsLife, s.Issuers
	s.Google.Pods, w.Google = w.Google.Pods, s.Google
	w.offset.Store(int64(s.ClockOffset))
	w.SetFaults(s.Faults...)
	copy(w.seal.master[:], s.Sealer)
}
