package main

import (
	"context"
	"log/slog"

	"daypass.dev/deliver"
	"daypass.dev/exchange"
	"daypass.dev/proof"
)

// What a workload shows to AWS, as far as others than AWS look at it.
type shown interface {
	// in wires the call in which it is shown.
	in(o *options, log *slog.Logger) (exchange.Call, error)
	// whole says whether it can be read and fits together, without asking
	// anybody beyond this machine's disk.
	whole(ctx context.Context) error
	// changed is refresh.Source.Changed.
	changed() bool
	// ends is when it ends, as a metric; none if that is not known.
	ends(ctx context.Context) []deliver.Metric
}

// exchange wires the call, and what is shown in it.
func (o *options) exchange(log *slog.Logger) (exchange.Call, shown, error) {
	shows, err := o.shows(log)
	if err != nil {
		return nil, nil, err
	}
	call, err := o.wire(shows, log)
	return call, shows, err
}

// wire makes the call of what is shown.
func (o *options) wire(shows shown, log *slog.Logger) (exchange.Call, error) {
	call, err := shows.in(o, log)
	if err == nil {
		call, err = o.Chained(call)
	}
	return call, said(err)
}

// shows is what the settings name.
func (o *options) shows(log *slog.Logger) (shown, error) {
	bears, err := o.BearsToken()
	if err != nil {
		return nil, err
	}
	if !bears {
		return certificate{o.Keys(log)}, nil
	}
	source, err := o.Tokens()
	return token{source}, said(err)
}

type certificate struct{ *proof.KeyFiles }

func (c certificate) in(o *options, log *slog.Logger) (exchange.Call, error) {
	return o.Exchange(c.KeyFiles, log)
}

func (c certificate) whole(ctx context.Context) error {
	_, err := c.Key(ctx)
	return err
}

func (c certificate) changed() bool { return c.Changed() }

func (c certificate) ends(ctx context.Context) []deliver.Metric {
	key, err := c.Key(ctx)
	if err != nil {
		return nil
	}
	return []deliver.Metric{{Name: "daypass_certificate_expiry_timestamp_seconds",
		Help: "When the certificate ends, in Unix time.", Value: float64(key.Leaf.NotAfter.Unix())}}
}

type token struct{ proof.TokenSource }

func (t token) in(o *options, _ *slog.Logger) (exchange.Call, error) {
	return o.WebIdentity(t.TokenSource)
}

// whole looks at files only: a service that issues tokens is not asked by
// probes.
func (t token) whole(ctx context.Context) error {
	if _, ok := t.TokenSource.(*proof.TokenFile); !ok {
		return nil
	}
	_, err := t.Token(ctx)
	return err
}

func (t token) changed() bool { return false }

func (t token) ends(ctx context.Context) []deliver.Metric {
	file, ok := t.TokenSource.(*proof.TokenFile)
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
