package main

import (
	"errors"
	"fmt"

	"daypass.dev/internal/cli"
	"daypass.dev/sandbox/state"
	"daypass.dev/sandbox/world"
)

// open returns the world to serve and, with --state, the store it comes from,
// which the caller closes.
func (o *sandboxOptions) open() (*world.World, *state.Store, error) {
	if o.state == "" {
		w, err := o.readWorld()
		return w, nil, err
	}
	store, err := state.Open(o.state)
	switch {
	case errors.Is(err, state.ErrInUse):
		return nil, nil, cli.Usagef("end the other sandbox, or name another folder", "--state: %w", err)
	case errors.Is(err, state.ErrOpenToOthers):
		return nil, nil, cli.Usagef("it holds secrets: chmod 700 "+o.state, "--state: %w", err)
	case err != nil:
		return nil, nil, cli.Usagef("", "--state: %w", err)
	}
	w, err := o.restore(store)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return w, store, nil
}

func (o *sandboxOptions) restore(store *state.Store) (*world.World, error) {
	empty, err := store.Empty()
	if err != nil {
		return nil, err
	}
	if empty {
		return o.readWorld()
	}
	if o.world != "" {
		return nil, cli.Usagef("leave --world out to go on with what is kept there, or name a new folder",
			"--state: %s holds a world already, which --world cannot change", o.state)
	}
	w := world.New()
	if err := store.Restore(w); err != nil {
		return nil, fmt.Errorf("reading the world kept in %s: %w", o.state, err)
	}
	return w, nil
}
