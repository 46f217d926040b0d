package world

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	tokenVersion = 1
	// maxSealed keeps a token under 2 KB in base64; what is longer is kept in
	// the world and named in the token by its hash.
	maxSealed   = 1400
	maxUnsealed = 1 << 20
)

var errToken = errors.New("not a session token of this sandbox")

// A sealer turns sessions into tokens and back. Its zero value makes its key
// when first used.
type sealer struct {
	once   sync.Once
	master [32]byte
	aead   cipher.AEAD

	mu   sync.Mutex
	long map[string]longSession // :: hash → what did not fit in a token
}

type longSession struct {
	data    []byte
	expires time.Time
}

// sealed is what stands in a token: a session, or the hash of one that is too
// long.
type sealed struct {
	Session *Session `json:"s,omitempty"`
	Hash    string   `json:"h,omitempty"`
}

func (s *sealer) init() {
	s.once.Do(func() {
		if s.master == ([32]byte{}) { // not restored
			_, _ = rand.Read(s.master[:])
		}
		key, err := hkdf.Key(sha256.New, s.master[:], nil, "session token", 32)
		if err != nil {
			panic(err) // no such size fails
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			panic(err)
		}
		if s.aead, err = cipher.NewGCM(block); err != nil {
			panic(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.long == nil {
			s.long = map[string]longSession{}
		}
	})
}

// Seal makes the keys of a session: a fresh access key id that encodes the
// account, a secret and a token of at most 2 KB that holds the session. The
// session's AccessKeyID is ignored. A token outlives the sandbox's process
// only where the world is kept.
func (w *World) Seal(s Session) (accessKeyID, secret, token string, err error) {
	accessKeyID, secret, token, _, err = w.sealed(s)
	return accessKeyID, secret, token, err
}

// sealed is Seal, and names what the world keeps of the session: its hash,
// empty for one that its token holds whole.
func (w *World) sealed(s Session) (accessKeyID, secret, token, hash string, err error) {
	w.seal.init()
	accessKeyID = NewAccessKeyID("ASIA", s.Account)
	s.AccessKeyID = ""
	plain, hash, err := w.seal.pack(s, w.Now())
	if err != nil {
		return "", "", "", "", err
	}
	head := make([]byte, 1+w.seal.aead.NonceSize())
	head[0] = tokenVersion
	_, _ = rand.Read(head[1:])
	raw := w.seal.aead.Seal(head, head[1:], plain, []byte(accessKeyID))
	return accessKeyID, w.seal.secret(accessKeyID, head[1:]), base64.StdEncoding.EncodeToString(raw), hash, nil
}

// unseal is the reverse of Seal; the error is errToken or wraps it.
func (w *World) unseal(accessKeyID, token string) (secret string, s *Session, err error) {
	w.seal.init()
	raw, err := base64.StdEncoding.DecodeString(token)
	n := w.seal.aead.NonceSize()
	if err != nil || len(raw) < 1+n || raw[0] != tokenVersion {
		return "", nil, errToken
	}
	nonce := raw[1 : 1+n]
	plain, err := w.seal.aead.Open(nil, nonce, raw[1+n:], []byte(accessKeyID))
	if err != nil {
		return "", nil, fmt.Errorf("%w, or not this access key's", errToken)
	}
	if s, err = w.seal.unpack(plain); err != nil {
		return "", nil, err
	}
	s.AccessKeyID = accessKeyID
	return w.seal.secret(accessKeyID, nonce), s, nil
}

func (s *sealer) secret(accessKeyID string, nonce []byte) string {
	b, err := hkdf.Key(sha256.New, s.master[:], append([]byte(accessKeyID), nonce...), "secret access key", 30)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(b)
}

func (s *sealer) pack(session Session, now time.Time) (plain []byte, hash string, err error) {
	data, err := deflate(sealed{Session: &session})
	if err != nil || len(data) <= maxSealed {
		return data, "", err
	}
	sum := sha256.Sum256(data)
	hash = hex.EncodeToString(sum[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	for h, l := range s.long {
		if l.expires.Before(now) {
			delete(s.long, h)
		}
	}
	s.long[hash] = longSession{data, session.Expires}
	plain, err = deflate(sealed{Hash: hash})
	return plain, hash, err
}

func (s *sealer) unpack(data []byte) (*Session, error) {
	var in sealed
	if err := inflate(data, &in); err != nil {
		return nil, err
	}
	if in.Hash != "" {
		s.mu.Lock()
		l := s.long[in.Hash]
		s.mu.Unlock()
		if err := inflate(l.data, &in); err != nil {
			return nil, err
		}
	}
	if in.Session == nil {
		return nil, errToken
	}
	return in.Session, nil
}

func deflate(v any) ([]byte, error) {
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	if err := json.NewEncoder(z).Encode(v); err != nil {
		return nil, err
	}
	err = z.Close()
	return b.Bytes(), err
}

func inflate(data []byte, v any) error {
	r := flate.NewReader(bytes.NewReader(data))
	defer r.Close()
	if err := json.NewDecoder(io.LimitReader(r, maxUnsealed)).Decode(v); err != nil {
		return errToken
	}
	return nil
}
