package world

import (
	"encoding/json"
	"errors"
	"time"
)

var errNoBucket = errors.New("its bucket is not there")

// keptSession is a long session as it is written down.
type keptSession struct {
	Data    []byte
	Expires time.Time
}

// key is the key of all tokens.
func (s *sealer) key() []byte {
	s.init()
	return s.master[:]
}

func (s *sealer) longOnes() (all []Thing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for hash := range s.long {
		all = append(all, Thing{Kind: "session", Name: hash})
	}
	return all
}

func (s *sealer) longPiece(hash string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.long[hash]
	if !ok {
		return nil, nil
	}
	return json.Marshal(keptSession{l.data, l.expires})
}

func (s *sealer) restoreLong(hash string, data []byte, now time.Time) error {
	var k keptSession
	if err := json.Unmarshal(data, &k); err != nil || k.Expires.Before(now) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.long == nil {
		s.long = map[string]longSession{}
	}
	s.long[hash] = longSession{k.Data, k.Expires}
	return nil
}
