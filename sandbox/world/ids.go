package world

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

const base32Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

var base32Coding = base32.StdEncoding

// NewID makes a unique id as IAM's: a prefix of four letters ("AROA", "AIDA",
// "ANPA") and 17 characters.
func NewID(prefix string) string { return prefix + randomBase32(17) }

// NewUUID makes a random UUID, for request ids and for services that name
// their things by one.
func NewUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// NewAccessKeyID makes an access key id with a prefix of "AKIA" (long-term) or
// "ASIA" (session) that encodes its account as AWS's do: the account halved in
// eight base32 characters, its parity in the ninth.
func NewAccessKeyID(prefix, account string) string {
	n, _ := strconv.ParseUint(account, 10, 64)
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n/2+accountBase)
	half := base32Alphabet[:16]
	if n%2 == 1 {
		half = base32Alphabet[16:]
	}
	var r [1]byte
	_, _ = rand.Read(r[:])
	return prefix + base32Coding.EncodeToString(b[3:]) + string(half[r[0]%16]) + randomBase32(7)
}

const accountBase = 549755813888

// AccountOfKey reads the account out of an access key id of the form that
// NewAccessKeyID makes; false if it holds none.
func AccountOfKey(id string) (string, bool) {
	if len(id) != 20 || !strings.HasPrefix(id, "AKIA") && !strings.HasPrefix(id, "ASIA") {
		return "", false
	}
	b, err := base32Coding.DecodeString(id[4:12])
	parity := strings.IndexByte(base32Alphabet, id[12])
	if err != nil || parity < 0 {
		return "", false
	}
	n := binary.BigEndian.Uint64(append(make([]byte, 3), b...))
	if n < accountBase {
		return "", false
	}
	n = (n-accountBase)*2 + uint64(parity/16)
	if n > 999999999999 {
		return "", false
	}
	return fmt.Sprintf("%012d", n), true
}

// NewSecret makes a secret access key of 40 characters.
func NewSecret() string {
	var b [30]byte
	_, _ = rand.Read(b[:])
	return base64.StdEncoding.EncodeToString(b[:])
}

func randomBase32(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	for i := range b {
		b[i] = base32Alphabet[b[i]%32]
	}
	return string(b)
}

func roleARNParts(arn string) (account, name string) {
	p := strings.SplitN(arn, ":", 6)
	if len(p) != 6 || !strings.HasPrefix(p[5], "role/") {
		return "", ""
	}
	return p[4], p[5][strings.LastIndexByte(p[5], '/')+1:]
}
