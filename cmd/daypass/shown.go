package main

import (
	"context"
	"log/slog"

	"daypass.dev/config"
	"daypass.dev/deliver"
	"daypass.dev/exchange"
	"daypass.dev/proof"
)

// What a workload shows to AWS, as far as others than AWS look at it.
type shown struct{ config.Proof }

// exchange wires the call, and what is shown in it.
func (o *options) exchange(log *slog.Logger) (exchange.Call, shown, error) {
	p, err := o.Proof(log)
	if err != nil {
		return nil, shown{}, said(err)
	}
	call, err := o.Call(p, log)
	return call, shown{p}, said(err)
}

// whole says whether it can be read and fits together, without asking anybody
// beyond this machine's disk: a service that issues tokens is not asked by
// probes.
func (s shown) whole(ctx context.Context) error {
	var err error
	if s.Keys != nil {
		_, err = s.Keys.Key(ctx)
	} else if file, ok := s.Tokens.(*proof.TokenFile); ok {
		_, err = file.Token(ctx)
	}
	return err
}

// ends is when it ends, as a metric; none if that is not known.
func (s shown) ends(ctx context.Context) []deliver.Metric {
	if s.Keys != nil {
		key, err := s.Keys.Key(ctx)
		if err != nil {
			return nil
		}
		return []deliver.Metric{{Name: "daypass_certificate_expiry_timestamp_seconds",
			Help: "When the certificate ends, in Unix time.", Value: float64(key.Leaf.NotAfter.Unix())}}
	}
	file, ok := s.Tokens.(*proof.TokenFile)
	if !ok {
		return nil
	}
	now, err := file.Token(ctx)
	if err != nil {
		return nil
	}
	return []deliver.Metric{{Name: "daypass_token_expiry_timestamp_seconds",
		Help: "When the token in the file ends, in Unix time.", Value: float64(now.Expires.Unix())}}
}
