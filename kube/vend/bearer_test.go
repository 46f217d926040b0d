package vend

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"daypass.dev"
	"daypass.dev/proof"
	"daypass.dev/refresh"
)

func tokenFor(life time.Duration) *proof.Token {
	return &proof.Token{Text: "t", Expires: time.Now().Add(life)}
}

// A pod whose token had expired when its credentials fell due gets new ones as
// soon as it shows a newer token.
func TestANewerTokenEndsThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bearer{}
		src := &refresh.Source{Changed: b.changed, From: observed{source: asked(func() (daypass.Credentials, error) {
			if _, err := b.Token(t.Context()); err != nil {
				return daypass.Credentials{}, err
			}
			now := time.Now()
			return daypass.Credentials{AccessKeyID: "a", SecretAccessKey: "s", SessionToken: "t", Issued: now, Expires: now.Add(time.Hour)}, nil
		})}}
		defer src.Close()
		b.show(tokenFor(10 * time.Minute))
		if _, err := src.Credentials(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		if _, err := src.Credentials(t.Context()); err == nil {
			t.Fatal("credentials by a token that has expired")
		}
		if !b.show(tokenFor(time.Hour)) || b.show(tokenFor(time.Minute)) {
			t.Error("the token that lasts longest is not kept")
		}
		src.Retry()
		if _, err := src.Credentials(t.Context()); err != nil {
			t.Errorf("with a newer token: %v", err)
		}
	})
}

type asked func() (daypass.Credentials, error)

// Credentials implements daypass.Source.
func (f asked) Credentials(context.Context) (daypass.Credentials, error) { return f() }
