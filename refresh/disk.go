package refresh

import (
	"context"
	"errors"
	"log/slog"

	"daypass.dev"
)

// Disk remembers From's credentials in a file, for many short processes of one
// user: they ask AWS once between them. Where no directory fits it works
// without memory. It is a daypass.Source.
type Disk struct {
	From daypass.Source
	// Key names the credentials: whatever shapes From's answer must shape it.
	// It must not hold secrets. See exchange.RolesAnywhere.MemoryKey.
	Key func(context.Context) (string, error)
	// Dirs are the directories that may be used, the first that fits: as
	// "/run/user/1000/daypass". The last element is made where it is missing.
	// A directory fits if it is no symbolic link, ours (effective user), 0700,
	// and neither in /tmp or /var/tmp nor in one of Homes.
	Dirs []string
	// Homes are home directories, in which nothing is ever remembered.
	Homes []string
	// Log is told why memory is not used. Nil: silent.
	Log *slog.Logger
}

// Credentials returns the remembered credentials if at least half of their
// life is left, else From's; where From fails, the remembered ones as long as
// they live.
func (d *Disk) Credentials(ctx context.Context) (daypass.Credentials, error) {
	return daypass.Credentials{}, errors.New("not there yet")
}
