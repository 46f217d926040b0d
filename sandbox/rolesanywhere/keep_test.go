package rolesanywhere_test

import (
	"slices"
	"testing"

	"daypass.dev/sandbox/world"
)

// Subjects are marked to be kept, by calls that are refused as well.
func TestSubjectsAreKept(t *testing.T) {
	s := newStage(t)
	var marked []world.Thing
	s.world.SetKeeper(func(things []world.Thing) error {
		marked = append(marked, things...)
		return nil
	})
	s.session()
	s.profile.Disabled = true
	s.refused("profile-disabled")
	var want world.Thing
	for id := range s.world.Account(account).Subjects {
		want = world.Thing{Kind: "subject", Account: account, Name: id}
	}
	if !slices.Equal(marked, []world.Thing{want, want}) {
		t.Errorf("marked %q, want %q twice", marked, want)
	}
}
