package deliver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"daypass.dev"
)

func put(t *testing.T, path string, profiles ...string) error {
	t.Helper()
	return (&File{Path: path, Profiles: profiles}).Write(t.Context(), good())
}

func holds(t *testing.T, path, want string) {
	t.Helper()
	if text, err := os.ReadFile(path); err != nil || string(text) != want {
		t.Errorf("%s holds %q, %v, want %q", path, text, err, want)
	}
}

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

func TestNewFileAndDirectoryAreTheirOwnersOnly(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := filepath.Join(t.TempDir(), "new", ".aws")
	path := filepath.Join(dir, "credentials")
	if err := put(t, path, "default"); err != nil {
		t.Fatal(err)
	}
	holds(t, path, filled("[default]\n"+ours))
	if got := mode(t, path); got != 0o600 {
		t.Errorf("the file's mode is %v", got)
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if got := mode(t, d); got != os.ModeDir|0o700 {
			t.Errorf("the mode of %s is %v", d, got)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "config"), nil, 0o600); err != nil {
		t.Errorf("the directory cannot be used: %v", err)
	}
}

func TestModeIsKeptWhereItIsStricter(t *testing.T) {
	for before, after := range map[os.FileMode]os.FileMode{0o600: 0o600, 0o400: 0o400, 0o644: 0o600, 0o440: 0o400, 0o777: 0o600} {
		path := filepath.Join(t.TempDir(), "credentials")
		writeFile(t, path, "[a]\nx = 1\n")
		if err := os.Chmod(path, before); err != nil {
			t.Fatal(err)
		}
		if err := put(t, path, "default"); err != nil {
			t.Fatal(err)
		}
		if got := mode(t, path); got != after {
			t.Errorf("%v became %v, want %v", before, got, after)
		}
	}
}

func TestOwnerIsKept(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can write another user's file")
	}
	path := filepath.Join(t.TempDir(), "credentials")
	writeFile(t, path, "")
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if err := put(t, path, "default"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Sys().(*syscall.Stat_t).Uid != 65534 || info.Size() == 0 {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestLinksStay(t *testing.T) {
	for name, link := range map[string]string{
		"absolute": "DIR/real/credentials", "relative": "../real/credentials", "through two": "hop", "to a file that is not there yet": "../real/new",
	} {
		dir := t.TempDir()
		for _, d := range []string{"real", "aws"} {
			if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		writeFile(t, filepath.Join(dir, "real", "credentials"), "# mine\n")
		path := filepath.Join(dir, "aws", "credentials")
		for at, to := range map[string]string{path: link, filepath.Join(dir, "aws", "hop"): "../real/credentials"} {
			if err := os.Symlink(strings.ReplaceAll(to, "DIR", dir), at); err != nil {
				t.Fatal(err)
			}
		}
		if err := put(t, path, "default"); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := "# mine\n\n[default]\n" + ours
		if strings.HasSuffix(link, "new") {
			want = "[default]\n" + ours
		}
		holds(t, path, filled(want))
		if mode(t, path)&os.ModeSymlink == 0 {
			t.Errorf("%s: the link is a link no more", name)
		}
	}
}

// Two dots lead up from where the link really is.
func TestLinkInALinkedDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "real", "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	for at, to := range map[string]string{"aws": "real/deep", "real/deep/credentials": "../elsewhere"} {
		if err := os.Symlink(to, filepath.Join(dir, at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := put(t, filepath.Join(dir, "aws", "credentials"), "default"); err != nil {
		t.Fatal(err)
	}
	holds(t, filepath.Join(dir, "real", "elsewhere"), filled("[default]\n"+ours))
}

func TestLinksThatLeadNowhere(t *testing.T) {
	loop := filepath.Join(t.TempDir(), "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	if err := put(t, loop, "default"); err == nil || !strings.Contains(err.Error(), "lead nowhere") {
		t.Errorf("a loop of links: %v", err)
	}
}

func TestFileIsWrittenOnlyWhenItChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	var before os.FileInfo
	for range 2 {
		if err := put(t, path, "a", "b"); err != nil {
			t.Fatal(err)
		}
		after, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if before != nil && !os.SameFile(before, after) {
			t.Error("it was written although nothing had changed")
		}
		before = after
	}
	holds(t, path, filled("[a]\n"+ours+"\n[b]\n"+ours))
}

// TestWhatMustBeMended lists every *FileError; each leaves all as it was.
func TestWhatMustBeMended(t *testing.T) {
	dir := t.TempDir()
	at := func(name, text string) string {
		path := filepath.Join(dir, name)
		writeFile(t, path, text)
		return path
	}
	for _, row := range []struct {
		want, path string
		profiles   []string
	}{
		{"no profile is named", at("a", "x"), nil},
		{"no name of a profile", at("a", "x"), []string{"good", "a]b"}},
		{"no name of a profile", at("a", "x"), []string{""}},
		{"no name of a profile", at("a", "x"), []string{" a"}},
		{"no name of a profile", at("a", "x"), []string{"a\nb"}},
		{"no name of a profile", at("a", "x"), []string{"a,b"}},
		{"no name of a profile", at("a", "x"), []string{"a\xff"}},
		{"no regular file", dir, []string{"default"}},
		{"NUL byte", at("b", "[\x00d\x00"), []string{"default"}},
		{"byte order mark", at("c", "\ufeff[default]\n"), []string{"default"}},
		{"larger than 4194304 bytes", at("d", strings.Repeat("#\n", maxCredentials/2+1)), []string{"default"}},
		{"line 3 is indented", at("e", "[default]\naws_session_token = x\n y\n"), []string{"default"}},
	} {
		before, _ := os.ReadFile(row.path)
		err := put(t, row.path, row.profiles...)
		fault := (*FileError)(nil)
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), row.path) {
			t.Errorf("%s: %v", row.want, err)
		}
		if after, _ := os.ReadFile(row.path); string(after) != string(before) {
			t.Errorf("%s: the file has changed", row.want)
		}
	}
	for name, fail := range map[string]error{"EROFS": syscall.EROFS, "EBUSY": syscall.EBUSY, "EACCES": syscall.EACCES} {
		fault := (*FileError)(nil)
		if err := (&File{}).sorted(&os.PathError{Op: "rename", Err: fail}); !errors.As(err, &fault) || fault.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (&File{}).sorted(syscall.ENOSPC); errors.As(err, new(*FileError)) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk may pass: %v", err)
	}
}

func TestCredentialsThatBreakTheFileAreNotWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	for name, change := range map[string]func(*daypass.Credentials){
		"a newline":  func(c *daypass.Credentials) { c.SecretAccessKey = "a\n[default]\ncredential_process = evil" },
		"a space":    func(c *daypass.Credentials) { c.AccessKeyID = "a # b" },
		"no ASCII":   func(c *daypass.Credentials) { c.SessionToken = "ä" },
		"not whole":  func(c *daypass.Credentials) { c.SessionToken = "" },
		"no expiry":  func(c *daypass.Credentials) { c.Expires = time.Time{} },
		"tabulators": func(c *daypass.Credentials) { c.SecretAccessKey = "a\tb" },
	} {
		c := good()
		change(&c)
		err := (&File{Path: path, Profiles: []string{"default"}}).Write(t.Context(), c)
		if err == nil {
			t.Errorf("%s: written", name)
			continue
		}
		nothingPlanted(t, err.Error())
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("there is a file")
	}
}

func TestLockThatIsHeldIsNotWaitedForForEver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	other := flock.New(path + ".lock")
	if ok, err := other.TryLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	f := &File{Path: path, Profiles: []string{"default"}}
	if err := f.Write(ctx, good()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while another holds the lock: %v", err)
	}
	go func() { time.Sleep(50 * time.Millisecond); _ = other.Unlock() }()
	if err := f.Write(t.Context(), good()); err != nil {
		t.Errorf("once it lets go: %v", err)
	}
}

// Every writer has a profile of its own, and a File of its own as processes
// have; a reader never sees less than what was there before.
func TestManyWritersOfOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	const start = "# mine\n[foreign]\nregion = x"
	writeFile(t, path, start)
	const writers, rounds = 8, 20
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			f := &File{Path: path, Profiles: []string{fmt.Sprint("p", w)}}
			for n := range rounds {
				c := good()
				c.AccessKeyID = fmt.Sprintf("ASIA%d", n)
				if err := f.Write(t.Context(), c); err != nil {
					t.Error(err)
				}
			}
		})
	}
	end := make(chan struct{})
	var read sync.WaitGroup
	read.Go(func() {
		for size := 0; ; {
			text, err := os.ReadFile(path)
			if err != nil || !strings.HasPrefix(string(text), start) || len(text) < size {
				t.Errorf("a reader saw %q, %v", text, err)
				return
			}
			size = len(text) - writers // keys' numbers have one digit or two, but never fewer than before
			select {
			case <-end:
				return
			default:
			}
		}
	})
	all.Wait()
	close(end)
	read.Wait()
	text, _ := os.ReadFile(path)
	for w := range writers {
		want := strings.Replace(filled(fmt.Sprintf("\n[p%d]\n", w)+ours), good().AccessKeyID, fmt.Sprintf("ASIA%d", rounds-1), 1)
		if strings.Count(string(text), want) != 1 {
			t.Errorf("profile p%d is not as it was written last:\n%s", w, text)
		}
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 2 {
		t.Errorf("the directory holds %v, %v; want the file and its lock", left, err)
	}
}

func TestWhatKilledWritersLeftIsSweptAway(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".credentials.123456789", ".credentials.swp", ".credentials.", ".credentials.1.2", "credentials.123", ".other.123"} {
		writeFile(t, filepath.Join(dir, name), secretKey)
	}
	if err := put(t, filepath.Join(dir, "credentials"), "default"); err != nil {
		t.Fatal(err)
	}
	var left []string
	all, _ := os.ReadDir(dir)
	for _, e := range all {
		left = append(left, e.Name())
	}
	if got, want := strings.Join(left, " "), ".credentials. .credentials.1.2 .credentials.swp .other.123 credentials credentials.123 credentials.lock"; got != want {
		t.Errorf("left: %s, want %s", got, want)
	}
}
