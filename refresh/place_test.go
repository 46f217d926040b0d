package refresh

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// must makes the staging of attacks short.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const nobody = 65534

// Each row stages a place that must not be used; the reason must be named, the
// place left as it was, and credentials be had all the same.
func TestPlacesThatDoNotFit(t *testing.T) {
	for name, c := range map[string]struct {
		stage func(t *testing.T, d *Disk, dir string)
		cause string
	}{
		"symbolic link to a good place": {func(t *testing.T, d *Disk, dir string) {
			must(t, os.Rename(dir, dir+"2"))
			must(t, os.Symlink(dir+"2", dir))
		}, "symbolic link"},
		"symbolic link, slash at the end": {func(t *testing.T, d *Disk, dir string) {
			must(t, os.Rename(dir, dir+"2"))
			must(t, os.Symlink(dir+"2", dir))
			d.Dirs = []string{dir + "/"}
		}, "symbolic link"},
		"dangling symbolic link": {func(t *testing.T, d *Disk, dir string) {
			must(t, os.Remove(dir))
			must(t, os.Symlink(dir+"2", dir))
		}, "symbolic link"},
		"open to a group":   {func(t *testing.T, d *Disk, dir string) { must(t, os.Chmod(dir, 0o750)) }, "mode is 0750"},
		"open to everybody": {func(t *testing.T, d *Disk, dir string) { must(t, os.Chmod(dir, 0o755)) }, "mode is 0755"},
		"closed to us":      {func(t *testing.T, d *Disk, dir string) { must(t, os.Chmod(dir, 0o500)) }, "mode is 0500"},
		"a file": {func(t *testing.T, d *Disk, dir string) {
			must(t, os.Remove(dir))
			must(t, os.WriteFile(dir, nil, 0o700))
		}, "not a directory"},
		"relative":         {func(t *testing.T, d *Disk, dir string) { d.Dirs = []string{"d"} }, "absolute"},
		"empty":            {func(t *testing.T, d *Disk, dir string) { d.Dirs = []string{""} }, "absolute"},
		"parent missing":   {func(t *testing.T, d *Disk, dir string) { d.Dirs = []string{dir + "/a/b"} }, "no such file"},
		"in /tmp":          {func(t *testing.T, d *Disk, dir string) { d.Dirs = []string{"/tmp/" + unique(dir)} }, "in /tmp"},
		"in /var/tmp":      {func(t *testing.T, d *Disk, dir string) { d.Dirs = []string{"/var/tmp/" + unique(dir)} }, "in /var/tmp"},
		"/tmp by dots":     {func(t *testing.T, d *Disk, dir string) { d.Dirs = []string{"/usr/../tmp/" + unique(dir)} }, "in /tmp"},
		"/tmp itself":      {func(t *testing.T, d *Disk, dir string) { d.Dirs = []string{"/tmp"} }, "in /tmp"},
		"below the home":   {func(t *testing.T, d *Disk, dir string) { d.Homes = []string{filepath.Dir(dir)} }, "home"},
		"the home itself":  {func(t *testing.T, d *Disk, dir string) { d.Homes = []string{"/", dir + "/"} }, "home"},
		"/tmp by a parent": {linkedParent, "in /tmp"},
		"another's": {func(t *testing.T, d *Disk, dir string) {
			if os.Geteuid() != 0 {
				d.Dirs = []string{"/etc"} // root's
				return
			}
			must(t, os.Chown(dir, nobody, nobody))
		}, "belongs to another user"},
		"in another's": {func(t *testing.T, d *Disk, dir string) {
			if os.Geteuid() != 0 {
				d.Dirs = []string{"/etc/daypass-test"} // ours could not be made there
				return
			}
			must(t, os.Remove(dir))
			must(t, os.Chown(filepath.Dir(dir), nobody, nobody))
		}, map[bool]string{true: "what it is in belongs to another user", false: "permission denied"}[os.Geteuid() == 0]},
	} {
		t.Run(name, func(t *testing.T) {
			up, dir := &script{}, place(t)
			d := process(up, dir)
			c.stage(t, d, dir)
			if err := fits(d.Dirs[0], d.Homes); err == nil || !strings.Contains(err.Error(), c.cause) {
				t.Errorf("fits says %v, want %q", err, c.cause)
			}
			get(t, d)
			get(t, d)
			up.expectCalls(t, "without memory", 2)
			for _, at := range append(d.Dirs, dir, dir+"2") {
				if left, _ := filepath.Glob(filepath.Join(at, fileName("k")+"*")); len(left) > 0 {
					t.Errorf("left behind %v", left)
				}
			}
			next := place(t)
			d.Homes, d.Dirs = nil, append(d.Dirs, next)
			if name != "below the home" && name != "the home itself" {
				get(t, d)
				get(t, d)
				up.expectCalls(t, "with a second place that fits", 3)
			}
		})
	}
}

// unique is a name that place made up.
func unique(dir string) string { return filepath.Base(filepath.Dir(dir)) }

func linkedParent(t *testing.T, d *Disk, dir string) {
	must(t, os.Symlink("/tmp", filepath.Join(dir, "link")))
	d.Dirs = []string{filepath.Join(dir, "link", unique(dir))}
}

// A home of "/", as some images have it, or none does not forbid everything.
func TestRootAsHomeIsPassedOver(t *testing.T) {
	up := &script{}
	d := process(up, place(t))
	d.Homes = []string{"/", "//", ""}
	get(t, d)
	get(t, d)
	up.expectCalls(t, "with / as home", 1)
}

// Each row spoils the document or its lock: nothing of it is believed, nobody
// else's file is touched, and credentials are had all the same.
func TestDocumentsThatAreNotBelieved(t *testing.T) {
	forged := func(change func(*document)) []byte {
		doc := newDocument("k", time.Now().Add(-time.Second), credentials(666, time.Now(), time.Hour))
		change(&doc)
		data, err := json.Marshal(doc)
		must(t, err)
		return data
	}
	good := forged(func(*document) {})
	content := func(data []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) { must(t, os.WriteFile(path, data, 0o600)) }
	}
	for name, c := range map[string]struct {
		stage func(t *testing.T, path string)
		mends bool // the next process finds a good document
	}{
		"symbolic link": {func(t *testing.T, path string) {
			must(t, os.WriteFile(path+".other", good, 0o600))
			must(t, os.Symlink(path+".other", path))
		}, true},
		"open to a group": {func(t *testing.T, path string) {
			must(t, os.WriteFile(path, good, 0o600))
			must(t, os.Chmod(path, 0o640))
		}, true},
		"another's": {func(t *testing.T, path string) {
			must(t, os.WriteFile(path, good, 0o600))
			if os.Geteuid() == 0 {
				must(t, os.Chown(path, nobody, nobody))
			} else {
				must(t, os.Chmod(path, 0o400))
			}
		}, true},
		"pipe":              {func(t *testing.T, path string) { must(t, syscall.Mkfifo(path, 0o600)) }, true},
		"directory":         {func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }, false},
		"empty":             {content(nil), true},
		"half":              {content(good[:len(good)/2]), true},
		"no JSON":           {content([]byte("\x00\x01")), true},
		"too long":          {content(append(good, make([]byte, maxDoc)...)), true},
		"of another key":    {content(forged(func(d *document) { d.Key = "x" })), true},
		"without key":       {content(forged(func(d *document) { d.SecretAccessKey = "" })), true},
		"without token":     {content(forged(func(d *document) { d.SessionToken = "" })), true},
		"without expiry":    {content(forged(func(d *document) { d.Expires = time.Time{} })), true},
		"expired":           {content(forged(func(d *document) { d.Asked = time.Now().Add(-time.Hour) })), true},
		"near expiry":       {content(forged(func(d *document) { d.Asked = time.Now().Add(-59 * time.Minute) })), true},
		"of the future":     {content(forged(func(d *document) { d.Asked = time.Now().Add(time.Hour) })), true},
		"backwards":         {content(forged(func(d *document) { d.Issued = d.Expires.Add(time.Hour) })), true},
		"lock is a folder":  {func(t *testing.T, path string) { must(t, os.Mkdir(lockOf(path), 0o700)) }, false},
		"lock is a link":    {func(t *testing.T, path string) { must(t, os.Symlink(path+".other", lockOf(path))) }, false},
		"lock of old times": {func(t *testing.T, path string) { must(t, os.WriteFile(lockOf(path), []byte("1234"), 0o600)) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			up, dir := &script{}, place(t)
			c.stage(t, docPath(dir))
			if c := get(t, process(up, dir)); c.AccessKeyID != "ASIA1" {
				t.Errorf("believed %s", c.AccessKeyID)
			}
			get(t, process(up, dir))
			want := 2
			if c.mends {
				want = 1
			}
			up.expectCalls(t, "after two processes", want)
			if other, err := os.ReadFile(docPath(dir) + ".other"); err == nil && string(other) != string(good) {
				t.Error("the file behind the link was changed")
			}
		})
	}
}

func lockOf(doc string) string { return strings.TrimSuffix(doc, docEnding) + lockEnding }
