package refresh

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"daypass.dev"
)

// Disk remembers From's credentials in a file, for many short processes of one
// user: they ask AWS once between them. Where no directory fits it works
// without memory. It is a daypass.Source and safe for concurrent use.
//
// Processes that wait for one that asks share its answer, be it an error. An
// error is remembered for a second, for as long as AWS asked to be left alone,
// and for half a minute while there are credentials to give. How old credentials are is told by the local wall clock alone, so
// that a constant error of it does no harm; where it was set back, they are
// forgotten.
type Disk struct {
	From daypass.Source
	// Key names the credentials: whatever shapes From's answer must shape it.
	// See exchange.RolesAnywhere.MemoryKey. Where it fails, From is asked.
	Key func(context.Context) (string, error)
	// Dirs are the directories that may be used, the first that fits: as
	// "/run/user/1000/daypass". The last element is made where it is missing.
	// A directory fits if it is no symbolic link, ours (effective user), 0700,
	// in one of ours or root's, and neither in /tmp or /var/tmp nor in one of
	// Homes.
	Dirs []string
	// Homes are home directories, in which nothing is ever remembered; "/" is
	// passed over.
	Homes []string
	// Log is told why memory is not used. Nil: silent.
	Log *slog.Logger
}

const (
	lockPoll = 20 * time.Millisecond
	// lockPatience is longer than a call and its repetition take. Who is still
	// waited for then has been stopped, or makes several, as to more than one
	// trust anchor or to a further role; then two ask. SDKs wait a minute for the
	// process.
	lockPatience = 35 * time.Second
	// hurry is how long a call may take while there are credentials to give.
	hurry = 5 * time.Second
)

// Credentials returns the remembered credentials if at least half of their
// life is left, else From's; where From fails, the remembered ones as long as
// they live.
func (d *Disk) Credentials(ctx context.Context) (daypass.Credentials, error) {
	begin := time.Now()
	m, ok := d.memory(ctx)
	if !ok {
		return d.From.Credentials(ctx)
	}
	doc := m.read()
	if doc.young(time.Now()) {
		return doc.credentials(), nil
	}
	unlock, err := m.lock(ctx, doc.alive(time.Now()))
	if err != nil {
		// Somebody else renews, or hangs, or there is no locking here.
		if doc = m.read(); doc.alive(time.Now()) {
			return doc.credentials(), nil
		}
		m.warn("working without remembered credentials", err)
		return d.From.Credentials(ctx)
	}
	defer unlock()
	doc = m.read() // somebody may have renewed meanwhile
	now := time.Now()
	switch {
	case doc.young(now):
		return doc.credentials(), nil
	case !doc.failedFor(begin, now):
		doc, err = m.ask(ctx, d.From, doc)
	}
	if doc.alive(time.Now()) {
		return doc.credentials(), nil
	}
	switch {
	case err != nil:
	case doc.Failure != nil: // another process asked
		err = doc.Failure.err()
	default:
		err = errUseless // they lived no longer than it took to remember them
	}
	return daypass.Credentials{}, err
}

// ask makes a new document of From's answer and remembers it. The error is
// From's own, with its type, which the document cannot keep.
func (m *memory) ask(ctx context.Context, from daypass.Source, old document) (document, error) {
	now := time.Now()
	asking := ctx
	if old.alive(now) {
		var cancel context.CancelFunc
		asking, cancel = context.WithTimeout(ctx, hurry)
		defer cancel()
	}
	creds, err := from.Credentials(asking)
	doc := newDocument(m.key, now, creds)
	if err == nil && (!creds.Whole() || !doc.alive(time.Now())) {
		err = errUseless
	}
	if err != nil {
		if ctx.Err() != nil {
			return old, ctx.Err() // the caller left: this says nothing of AWS
		}
		if doc = (document{Key: m.key}); old.alive(time.Now()) {
			doc = old
		}
		doc.Failure = newFailure(err, time.Now())
	}
	if err := m.write(doc); err != nil {
		m.warn("remembering credentials", err)
	}
	return doc, err
}

// A memory is one key's place in a directory that fits.
type memory struct {
	key  string
	path string // without an ending
	log  *slog.Logger
}

// memory returns ok = false where there is none, or nothing to name it by.
func (d *Disk) memory(ctx context.Context) (m *memory, ok bool) {
	if len(d.Dirs) == 0 {
		return nil, false
	}
	key, err := d.Key(ctx)
	if err != nil {
		return nil, false // From will say the same, and better
	}
	for _, dir := range d.Dirs {
		if err := fits(dir, d.Homes); err != nil {
			if d.Log != nil {
				level := slog.LevelWarn
				if missing(err) {
					level = slog.LevelDebug
				}
				d.Log.Log(ctx, level, "not remembering credentials here", "directory", dir, "error", err.Error())
			}
			continue
		}
		return &memory{key: key, path: filepath.Join(dir, fileName(key)), log: d.Log}, true
	}
	return nil, false
}

// lock waits for its turn; not at all if there is something to give without.
func (m *memory) lock(ctx context.Context, have bool) (unlock func(), err error) {
	l := flock.New(m.path+lockEnding, flock.SetPermissions(0o600),
		flock.SetFlag(os.O_CREATE|os.O_RDWR|noFollow))
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	var got bool
	if have {
		got, err = l.TryLock()
	} else {
		got, err = l.TryLockContext(ctx, lockPoll)
	}
	if err == nil && !got {
		err = errBusy
	}
	if err != nil {
		return nil, err
	}
	return func() { _ = l.Unlock() }, nil
}

func (m *memory) warn(what string, err error) {
	if m.log != nil {
		m.log.Warn(what, "error", err.Error())
	}
}
