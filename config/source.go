package config

import (
	"log/slog"

	"daypass.dev/exchange"
	"daypass.dev/internal/cli"
	"daypass.dev/refresh"
)

// FromEnvironment are the settings that the environment gives, as the flags'
// twins and the variables of AWS's SDKs. Errors are of wrong usage.
func FromEnvironment() (*Settings, error) {
	s := Defaults()
	return &s, cli.Read(s.Table()...)
}

// Source is all of it: the proof that the settings name, the call in which it
// is shown, and its renewal in the background, until the source is closed.
// Errors are of wrong usage; nothing is read yet and nobody called. Nil log:
// silent.
func (s *Settings) Source(log *slog.Logger) (*refresh.Source, error) {
	bears, err := s.BearsToken()
	if err != nil {
		return nil, err
	}
	src := &refresh.Source{Log: log}
	var call exchange.Call
	if bears {
		tokens, err := s.Tokens()
		if err != nil {
			return nil, err
		}
		call, err = s.WebIdentity(tokens)
		if err != nil {
			return nil, err
		}
	} else {
		keys := s.Keys(log)
		src.Changed = keys.Changed
		if call, err = s.Exchange(keys, log); err != nil {
			return nil, err
		}
	}
	if src.From, err = s.Chained(call); err != nil {
		return nil, err
	}
	return src, nil
}
