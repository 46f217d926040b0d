package refresh

import (
	"context"
	"errors"
	"testing"

	"daypass.dev"
)

type wrongInput struct{}

func (wrongInput) Error() string { return "wrong input" }

// refusing is a source that always fails in the same way.
type refusing struct{ err error }

func (r refusing) Credentials(context.Context) (daypass.Credentials, error) {
	return daypass.Credentials{}, r.err
}

// What to do about an error is decided by its type: the process that asked gets
// it as it came, with a memory as without one.
func TestWhoAskedGetsTheErrorAsItCame(t *testing.T) {
	_, err := process(refusing{wrongInput{}}, place(t)).Credentials(t.Context())
	if !errors.As(err, &wrongInput{}) {
		t.Errorf("got %T: %v", err, err)
	}
}
