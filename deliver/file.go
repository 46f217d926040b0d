package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"daypass.dev"
	"daypass.dev/internal/atomicfile"
)

// File writes credentials into profiles of AWS's shared credentials file:
// https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
//
// Readers see the old file or the new, never a part. Several processes may
// write profiles of one file at once: they hold a lock, the file's name with
// ".lock". Other programs, as aws configure, do not know of it: what they
// write at the same moment may be lost.
type File struct {
	// Path is the file; where it is a symbolic link, the link stays and the
	// file that it leads to is replaced. A directory that is missing is made
	// with mode 0700.
	Path string
	// Profiles are the names of one or more profiles that all get the same.
	Profiles []string
	// Log is told what is written. Nil: silent.
	Log *slog.Logger
}

const (
	maxCredentials = 4 << 20
	// filePatience is far longer than a write takes.
	filePatience = 10 * time.Second
)

// Check says whether there are profiles, and whether they have names that all
// SDKs read as they are written: nil or a *FileError.
func (f *File) Check() error {
	if len(f.Profiles) == 0 {
		return f.fault(errors.New("no profile is named"), "")
	}
	for _, name := range f.Profiles {
		if name == "" || strings.ContainsFunc(name, notInName) || strings.TrimFunc(name, blank) != name {
			return f.fault(fmt.Errorf("%.80q is no name of a profile", name), "use letters, digits and _ . - / @ : + %")
		}
	}
	return nil
}

func notInName(r rune) bool {
	return r < ' ' || r == 0x7f || r == '\ufffd' || strings.ContainsRune("[]#;,'\"\\", r)
}

// Write puts c into the profiles, and leaves every other byte of the file as
// it is. A new file gets mode 0600; one that is there its old mode without
// what goes beyond that, and its old owner. Nothing is written where nothing
// would change.
//
// Errors are *FileError for what somebody must mend; any other may pass.
func (f *File) Write(ctx context.Context, c daypass.Credentials) error {
	if err := f.Check(); err != nil {
		return err
	}
	entries := entries(c)
	if !c.Whole() {
		return errNotWhole
	}
	for _, e := range entries {
		if strings.ContainsFunc(e.value, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return fmt.Errorf("%s is not text that a file can hold", e.name)
		}
	}
	path, err := f.target()
	if err != nil {
		return f.sorted(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return f.sorted(err)
	}
	unlock, err := lockBeside(ctx, path)
	if err != nil {
		return f.sorted(err)
	}
	defer unlock()
	return f.sorted(f.replace(path, entries))
}

// replace is called with the lock held.
func (f *File) replace(path string, entries []entry) error {
	old, info, err := f.read(path)
	if err != nil {
		return err
	}
	text := old
	for _, profile := range f.Profiles {
		if text, err = withProfile(text, profile, entries); err != nil {
			return f.fault(err, "take the spaces at the start of that line away")
		}
	}
	if text == old {
		return nil
	}
	atomicfile.Sweep(path, 0) // nobody else writes: the lock is held
	if info == nil {
		err = atomicfile.Write(path, []byte(text), 0o600)
	} else {
		err = atomicfile.Replace(path, []byte(text), info.Mode().Perm()&0o600, info)
	}
	if err == nil && f.Log != nil {
		f.Log.Info("credentials written", "file", path, "profiles", strings.Join(f.Profiles, ","))
	}
	return err
}

// target is the file to replace: Path, or where its links lead, which need not
// be there yet.
func (f *File) target() (string, error) {
	path, err := filepath.Abs(f.Path)
	if err != nil {
		return "", err
	}
	for range 40 {
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink == 0 {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		next, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(next) {
			dir, err := filepath.EvalSymlinks(filepath.Dir(path))
			if err != nil {
				return "", err
			}
			next = filepath.Join(dir, next)
		}
		path = next
	}
	return "", f.fault(errors.New("its symbolic links lead nowhere"), "")
}

// read reads the file; without one, info is nil.
func (f *File) read(path string) (text string, info fs.FileInfo, err error) {
	const another = "name another file with AWS_SHARED_CREDENTIALS_FILE"
	if info, err = os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", nil, nil
	} else if err != nil {
		return "", nil, err
	}
	if !info.Mode().IsRegular() {
		return "", nil, f.fault(errors.New("it is no regular file"), another)
	}
	r, err := os.Open(path)
	if err != nil {
		return "", nil, err
	}
	defer r.Close()
	if info, err = r.Stat(); err != nil { // whose this one is, whatever path leads to by now
		return "", nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, maxCredentials+1))
	switch text = string(data); {
	case err != nil:
		return "", nil, err
	case len(text) > maxCredentials:
		return "", nil, f.fault(fmt.Errorf("it is larger than %d bytes", maxCredentials), another)
	case strings.ContainsRune(text, 0):
		return "", nil, f.fault(errors.New("it holds a NUL byte, so it is no text, or UTF-16"), another)
	case strings.HasPrefix(text, "\ufeff"):
		return "", nil, f.fault(errors.New("it begins with a byte order mark, which SDKs stumble over"), "save it as UTF-8 without one")
	}
	return text, info, nil
}

var errLocked = errors.New("another process keeps it locked")

// lockBeside waits for the lock of path. Its file stays, because taking it
// away would let two in.
func lockBeside(ctx context.Context, path string) (unlock func(), err error) {
	lock := flock.New(path+".lock", flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeoutCause(ctx, filePatience, errLocked)
	defer cancel()
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return func() { _ = lock.Unlock() }, nil
}

// A FileError says why the shared credentials file cannot be written until
// somebody has done something about it. It quotes nothing that is in there.
type FileError struct {
	Path string
	Err  error
	// Hint tells how to mend it, in one line; empty if nothing is known.
	Hint string
}

func (e *FileError) Error() string {
	return "writing credentials file " + e.Path + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// Advice returns the hint.
func (e *FileError) Advice() string { return e.Hint }

func (f *File) fault(err error, hint string) error {
	return &FileError{Path: f.Path, Err: err, Hint: hint}
}

// sorted tells errors that somebody must mend from those that may pass.
func (f *File) sorted(err error) error {
	fault := (*FileError)(nil)
	switch {
	case err == nil || errors.As(err, &fault):
		return err
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return f.fault(err, "run as the file's owner, who must be able to write its directory, too")
	case errors.Is(err, syscall.EBUSY):
		return f.fault(err, "mount the file's directory instead of the file: a mounted file cannot be replaced")
	}
	return fmt.Errorf("writing credentials file %s: %w", f.Path, err)
}
