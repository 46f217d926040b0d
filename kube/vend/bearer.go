package vend

import (
	"context"
	"errors"
	"sync"
	"time"

	"daypass.dev/proof"
)

// A bearer holds the latest token of the pods that share credentials. It is a
// proof.TokenSource: the kubelet renews a pod's token, the pod shows it when it
// asks, and until then the one before it is used.
type bearer struct {
	mu    sync.Mutex
	token *proof.Token
	used  *proof.Token // when last asked
}

var errNoToken = errors.New("the pod's token has expired, and it has not shown a newer one")

// show keeps the token that lasts longest, and tells whether it is this one.
func (b *bearer) show(t *proof.Token) bool {
	if t == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.token != nil && !t.Expires.After(b.token.Expires) {
		return false
	}
	b.token = t
	return true
}

// Token implements proof.TokenSource.
func (b *bearer) Token(context.Context) (*proof.Token, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.token == nil || !time.Now().Before(b.token.Expires) {
		return nil, errNoToken
	}
	b.used = b.token
	return b.token, nil
}

// changed tells whether there is another token than the one last used.
func (b *bearer) changed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.token != b.used
}
