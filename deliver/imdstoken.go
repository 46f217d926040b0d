package deliver

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"sync"
	"time"
)

// maxTokenTTL is IMDSv2's, six hours in seconds.
const maxTokenTTL = 21600

// tokens makes and checks IMDSv2 session tokens. They are sealed with a key
// that only this process has, so none is stored however many are asked for.
// Their clock is the process's own: setting the machine's does not matter.
type tokens struct {
	once  sync.Once
	macs  sync.Pool // of hash.Hash, all with the one key
	start time.Time
}

const tokenHead = 8 + 16 // when it ends, and what makes it unlike any other

func (t *tokens) init() {
	t.once.Do(func() {
		key := make([]byte, sha256.Size)
		rand.Read(key) // never fails, by its documentation
		t.macs.New = func() any { return hmac.New(sha256.New, key) }
		t.start = time.Now()
	})
}

func (t *tokens) make(ttl time.Duration) string {
	t.init()
	var head [tokenHead]byte
	binary.BigEndian.PutUint64(head[:8], uint64(time.Since(t.start)+ttl))
	rand.Read(head[8:])
	return base64.URLEncoding.EncodeToString(t.seal(head[:]))
}

// left is how long the token still lives; zero if it is no token of ours.
func (t *tokens) left(token string) time.Duration {
	t.init()
	var raw [tokenHead + sha256.Size]byte
	if len(token) != base64.URLEncoding.EncodedLen(len(raw)) {
		return 0
	}
	n, err := base64.URLEncoding.Strict().Decode(raw[:], []byte(token))
	if err != nil || n != len(raw) || !hmac.Equal(raw[:], t.seal(raw[:tokenHead])) {
		return 0
	}
	return max(0, time.Duration(binary.BigEndian.Uint64(raw[:8]))-time.Since(t.start))
}

func (t *tokens) seal(head []byte) []byte {
	mac := t.macs.Get().(hash.Hash)
	defer t.macs.Put(mac)
	mac.Reset()
	mac.Write(head)
	return mac.Sum(append(make([]byte, 0, tokenHead+sha256.Size), head...))
}
