package config

import (
	"log/slog"

	"daypass.dev/exchange"
	"daypass.dev/internal/cli"
	"daypass.dev/proof"
	"daypass.dev/refresh"
)

// FromEnvironment are the settings that the environment gives, as the flags'
// twins and the variables of AWS's SDKs. Errors are of wrong usage.
func FromEnvironment() (*Settings, error) {
	s := Defaults()
	return &s, cli.Read(s.Table()...)
}

// A Proof is what the workload shows: a certificate with its key, or a token.
type Proof struct {
	Keys   *proof.KeyFiles
	Tokens proof.TokenSource // nil where there are Keys
}

// Changed is for refresh.Source: whether a certificate was renewed.
func (p Proof) Changed() bool { return p.Keys != nil && p.Keys.Changed() }

// Proof is the one that the settings name. Errors are of wrong usage; nothing
// is read yet.
func (s *Settings) Proof(log *slog.Logger) (Proof, error) {
	bears, err := s.BearsToken()
	switch {
	case err != nil:
		return Proof{}, err
	case !bears:
		return Proof{Keys: s.Keys(log)}, nil
	}
	tokens, err := s.Tokens()
	return Proof{Tokens: tokens}, err
}

// Call is the one in which a proof is shown, and what follows to a further
// role. Errors are of wrong usage; nobody is called yet.
func (s *Settings) Call(p Proof, log *slog.Logger) (call exchange.Call, err error) {
	if p.Keys != nil {
		call, err = s.Exchange(p.Keys, log)
	} else {
		call, err = s.WebIdentity(p.Tokens)
	}
	if err != nil {
		return nil, err
	}
	return s.Chained(call)
}

// Source is all of it: the proof that the settings name, the call in which it
// is shown, and its renewal in the background, until the source is closed.
// Errors are of wrong usage; nothing is read yet and nobody called. Nil log:
// silent.
func (s *Settings) Source(log *slog.Logger) (*refresh.Source, error) {
	p, err := s.Proof(log)
	if err != nil {
		return nil, err
	}
	call, err := s.Call(p, log)
	if err != nil {
		return nil, err
	}
	return &refresh.Source{From: call, Changed: p.Changed, Log: log}, nil
}
