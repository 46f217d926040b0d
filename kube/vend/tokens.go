package vend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"k8s.io/apimachinery/pkg/types"

	"daypass.dev"
	"daypass.dev/proof"
)

// Audience is whom pods' tokens for the agent are for. It is never one of the
// API server's, nor that of STS: a token that somebody else may be shown must
// not open the agent.
const Audience = "pods.eks.amazonaws.com"

// Tokens check what pods show, by the keys with which the cluster signs tokens
// of ServiceAccounts. They are safe for concurrent use and must not be copied
// after use.
type Tokens struct {
	// Fetch asks the API server for its issuer and keys.
	Fetch func(context.Context) (Issuer, error)
	// Node is this node's name.
	Node string
	// Log is told when the keys cannot be fetched. Nil: silent.
	Log *slog.Logger

	mu      sync.Mutex
	known   Issuer
	fetched time.Time // when known was fetched
	asked   time.Time // when last tried
	flight  chan struct{}
	failure error
}

// An Issuer is who signs tokens.
type Issuer struct {
	// URL is the claim iss.
	URL  string
	Keys jose.JSONWebKeySet
}

const (
	// stale keys are fetched anew while they are used.
	stale = 5 * time.Minute
	// between two tries of fetching keys: a token of an unknown key costs nobody
	// more than that.
	between = 5 * time.Second
	// drift is how far the clocks of API server and node may differ.
	drift = time.Minute
)

// Caller checks a token in full and says whose it is; where its pod is, is for
// the Vendor to look up. An error is a *identity.Refusal; any other means that
// the cluster's keys cannot be had now. No error quotes the token.
func (t *Tokens) Caller(ctx context.Context, text string) (Caller, error) {
	if len(text) > proof.MaxToken {
		return Caller{}, refuse("agent-token-malformed", "it is larger than %d bytes", proof.MaxToken)
	}
	signed, err := jose.ParseSignedCompact(text, algorithms())
	if err != nil {
		return Caller{}, refuse("agent-token-malformed", "it is not a JSON Web Token that is signed by RSA or ECDSA")
	}
	keyID := signed.Signatures[0].Header.KeyID
	issuer, err := t.issuer(ctx, keyID)
	if err != nil {
		return Caller{}, err
	}
	payload, ok := verify(signed, issuer.Keys.Key(keyID))
	if !ok {
		return Caller{}, refuse("agent-token-signature", "none of the cluster's keys has signed it; it names key %.80q", keyID)
	}
	claims, err := readClaims(payload)
	if err != nil {
		return Caller{}, refuse("agent-token-malformed", "its claims cannot be read")
	}
	if err := claims.check(issuer.URL, t.Node, time.Now()); err != nil {
		return Caller{}, err
	}
	pod := claims.Kubernetes
	return Caller{
		Namespace: pod.Namespace, Pod: pod.Pod.Name, UID: types.UID(pod.Pod.UID), ServiceAccount: pod.ServiceAccount.Name,
		Token: &proof.Token{
			Text: daypass.Secret(text), Expires: claims.Expires.time(), Issuer: claims.Issuer, Subject: claims.Subject, Audience: claims.Audience,
		},
	}, nil
}

// algorithms are those with which API servers can sign.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.ES384, jose.ES512, jose.RS384, jose.RS512}
}

func verify(signed *jose.JSONWebSignature, keys []jose.JSONWebKey) ([]byte, bool) {
	for _, key := range keys {
		if !key.IsPublic() || key.Use != "" && key.Use != "sig" {
			continue
		}
		if key.Algorithm != "" && key.Algorithm != signed.Signatures[0].Header.Algorithm {
			continue
		}
		if payload, err := signed.Verify(key.Key); err == nil {
			return payload, true
		}
	}
	return nil, false
}

// issuer returns the issuer, with the key of that id if there is one.
func (t *Tokens) issuer(ctx context.Context, keyID string) (Issuer, error) {
	t.mu.Lock()
	have := len(t.known.Keys.Key(keyID)) > 0
	if have && time.Since(t.fetched) < stale {
		defer t.mu.Unlock()
		return t.known, nil
	}
	if t.flight == nil && (t.asked.IsZero() || time.Since(t.asked) >= between) {
		t.asked, t.flight = time.Now(), make(chan struct{})
		go t.fetch(t.flight)
	}
	flight := t.flight
	t.mu.Unlock()
	if flight != nil && !have {
		select {
		case <-flight:
		case <-ctx.Done():
			return Issuer{}, fmt.Errorf("waiting for the cluster's keys: %w", context.Cause(ctx))
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failure != nil && len(t.known.Keys.Key(keyID)) == 0 {
		return Issuer{}, t.failure
	}
	return t.known, nil
}

// fetch keeps the keys that it has where it cannot get others.
func (t *Tokens) fetch(done chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), between)
	defer cancel()
	issuer, err := t.Fetch(ctx)
	if err == nil && (issuer.URL == "" || len(issuer.Keys.Keys) == 0) {
		err = errors.New("the API server names no issuer, or no key")
	}
	if err != nil {
		err = fmt.Errorf("fetching the cluster's keys: %w", err)
		if t.Log != nil {
			t.Log.Warn("fetching the cluster's keys", "error", err.Error())
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	defer close(done)
	t.flight, t.failure = nil, err
	if err == nil {
		t.known, t.fetched = issuer, time.Now()
	}
}

// Ready is nil once the cluster's keys are known, be they not the newest.
func (t *Tokens) Ready(ctx context.Context) error {
	t.mu.Lock()
	known := len(t.known.Keys.Keys) > 0
	t.mu.Unlock()
	if known {
		return nil
	}
	issuer, err := t.issuer(ctx, "")
	if err == nil && len(issuer.Keys.Keys) == 0 {
		err = errors.New("the cluster's keys are not known yet")
	}
	return err
}

// ParseIssuer reads an API server's discovery document and keys.
func ParseIssuer(discovery, keys []byte) (Issuer, error) {
	var d struct {
		Issuer string `json:"issuer"`
	}
	var i Issuer
	if err := json.Unmarshal(discovery, &d); err != nil {
		return i, fmt.Errorf("reading the discovery document: %w", err)
	}
	if err := json.Unmarshal(keys, &i.Keys); err != nil {
		return i, fmt.Errorf("reading the keys: %w", err)
	}
	i.URL = d.Issuer
	return i, nil
}
