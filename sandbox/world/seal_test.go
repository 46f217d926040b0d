package world

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func session(w *World) Session {
	return Session{
		Account: "111122223333", RoleName: "r", RoleARN: "arn:aws:iam::111122223333:role/team/r", RoleID: "AROAEXAMPLE", Name: "s",
		Tags: map[string]string{"k": "v"}, TransitiveTags: []string{"k"}, SourceIdentity: "CN=x", ManagedARNs: []string{"arn:aws:iam::aws:policy/P"},
		Policies: []string{`{"Version":"2012-10-17"}`}, AnchorARN: "arn:aws:rolesanywhere:…",
		Issued: w.Now().Truncate(time.Second), Expires: w.Now().Truncate(time.Second).Add(time.Hour),
	}
}

func TestTokensHoldTheirSession(t *testing.T) {
	w := New()
	in := session(w)
	id, secret, token, err := w.Seal(in)
	if err != nil {
		t.Fatal(err)
	}
	gotSecret, out, err := w.unseal(id, token)
	if err != nil || gotSecret != secret || len(secret) != 40 {
		t.Fatalf("secret %q, want %q; %v", gotSecret, secret, err)
	}
	in.AccessKeyID = id
	if d := cmp.Diff(in, *out); d != "" {
		t.Error(d)
	}
	if account, ok := AccountOfKey(id); !ok || account != in.Account {
		t.Errorf("the key %s is of account %s", id, account)
	}
}

// Fifty tags of the longest keys and values, and a session policy of the most
// characters: the token stays under 2 KB.
func TestTokensStayShort(t *testing.T) {
	w := New()
	in := session(w)
	r := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = base32Alphabet[r.IntN(32)]
		}
		return string(b)
	}
	for i := range 50 {
		in.Tags[fmt.Sprintf("%02d%s", i, noise(126))] = noise(256)
	}
	in.Policies = []string{noise(2048)}
	id, _, token, err := w.Seal(in)
	if err != nil {
		t.Fatal(err)
	}
	if len(token) > 2048 {
		t.Errorf("the token has %d characters", len(token))
	}
	_, out, err := w.unseal(id, token)
	if err != nil {
		t.Fatal(err)
	}
	in.AccessKeyID = id
	if d := cmp.Diff(in, *out); d != "" {
		t.Error(d)
	}
	w.Advance(2 * time.Hour)
	if _, _, _, err := w.Seal(in); err != nil {
		t.Fatal(err)
	}
	if n := len(w.seal.long); n != 1 {
		t.Errorf("%d long sessions are kept after their end", n)
	}
}

func TestTokensCannotBeMade(t *testing.T) {
	w := New()
	id, _, token, err := w.Seal(session(w))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		changed := append([]byte(nil), raw...)
		changed[i] ^= 1
		if _, _, err := w.unseal(id, base64.StdEncoding.EncodeToString(changed)); err == nil {
			t.Fatalf("a token with byte %d changed is taken", i)
		}
	}
	other, _, _, err := w.Seal(session(w))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.unseal(other, token); err == nil {
		t.Error("a token is taken with another access key")
	}
	if _, _, err := New().unseal(id, token); err == nil {
		t.Error("a token is taken by another world")
	}
	for _, junk := range []string{"", "x", "AAAA", strings.Repeat("A", 5000)} {
		if _, _, err := w.unseal(id, junk); err == nil {
			t.Errorf("the token %q is taken", junk)
		}
	}
}

func TestAccountsInKeys(t *testing.T) {
	for _, account := range []string{"000000000000", "000000000001", "111122223333", "123456789012", "999999999999"} {
		for _, prefix := range []string{"AKIA", "ASIA"} {
			id := NewAccessKeyID(prefix, account)
			if got, ok := AccountOfKey(id); !ok || got != account || len(id) != 20 {
				t.Errorf("%s of %s says %s, %v", id, account, got, ok)
			}
		}
	}
	for _, id := range []string{"", "AKIA", "XXXXQAAAAAAAAAAAAAAA", "AKIA0AAAAAAAAAAAAAAA", "AKIAAAAAAAAAAAAAAAAA", "AKIAQAAAAAAA0AAAAAAA", "AKIA7777777777777777"} {
		if account, ok := AccountOfKey(id); ok {
			t.Errorf("%q is of account %s", id, account)
		}
	}
}
