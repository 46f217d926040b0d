package proof

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func writeToken(t *testing.T, text string) *TokenFile {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	rewrite(t, path, text)
	return &TokenFile{Path: path}
}

func rewrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// aged makes a file seem to have been written long ago, so that nobody waits
// for the rest of it.
func aged(t *testing.T, path string) {
	t.Helper()
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
}

func TestOneNewlineIsNotTheTokens(t *testing.T) {
	token := jwt(ofKubernetes())
	for _, end := range []string{"", "\n", "\r\n"} {
		got, err := writeToken(t, token+end).Token(context.Background())
		if err != nil || got.Text.Reveal() != token {
			t.Errorf("%q at the end: %v", end, err)
		}
	}
	padded := ofKubernetes()
	padded["x"] = ""
	padded["x"] = strings.Repeat("x", (MaxToken-len(jwt(padded)))*3/4)
	if full := jwt(padded); len(full) < MaxToken-3 || len(full) > MaxToken {
		t.Fatalf("%d bytes", len(full))
	} else if _, err := writeToken(t, full+"\r\n").Token(context.Background()); err != nil {
		t.Errorf("the largest token: %v", err)
	}
}

func TestExpiredTokensAreForOthersToJudge(t *testing.T) {
	c := ofKubernetes()
	c["exp"] = 1000000000
	if got, err := writeToken(t, jwt(c)).Token(context.Background()); err != nil || got.Expires.Year() != 2001 {
		t.Errorf("%v, %v", got, err)
	}
}

// As kubelet renews a projected volume: ..data points to another folder.
func TestProjectedTokenIsRenewed(t *testing.T) {
	dir := t.TempDir()
	publish := func(version, token string) {
		t.Helper()
		must(t, os.Mkdir(filepath.Join(dir, version), 0o755))
		rewrite(t, filepath.Join(dir, version, "token"), token)
		must(t, os.Symlink(version, filepath.Join(dir, "..data_tmp")))
		must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	old, renewed := ofKubernetes(), ofKubernetes()
	renewed["exp"], renewed["jti"] = 1800172800, "d3e4"
	publish("..1", jwt(old))
	must(t, os.Symlink(filepath.Join("..data", "token"), filepath.Join(dir, "token")))
	f := &TokenFile{Path: filepath.Join(dir, "token")}
	first, err := f.Token(context.Background())
	must(t, err)
	publish("..2", jwt(renewed))
	second, err := f.Token(context.Background())
	must(t, err)
	if !second.Expires.After(first.Expires) || first.Identity() != second.Identity() {
		t.Errorf("first %v, then %v", first.Expires, second.Expires)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Who writes a token in place lets others see a part of it.
func TestHalfWrittenTokenIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token := jwt(ofGoogle())
		f := writeToken(t, token[:len(token)/2])
		go func() {
			time.Sleep(2*pause + pause/2)
			rewrite(t, f.Path, token)
		}()
		begin := time.Now()
		got, err := f.Token(context.Background())
		if err != nil || got.Text.Reveal() != token || time.Since(begin) != 3*pause {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
	})
}

func TestTokenFileThatStaysHalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token := jwt(ofGoogle())
		f := writeToken(t, token[:len(token)/2])
		begin := time.Now()
		wrongFile(t, f, "three parts")
		if d := time.Since(begin); d != (attempts-1)*pause {
			t.Errorf("waited %s", d)
		}
		ctx, cancel := context.WithTimeout(context.Background(), pause/2)
		defer cancel()
		if _, err := f.Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a context that ends: %v", err)
		}
	})
}

// wrongFile returns the error that reading ends in.
func wrongFile(t *testing.T, f *TokenFile, want string) *FileError {
	t.Helper()
	got, err := f.Token(context.Background())
	fe := (*FileError)(nil)
	if got != nil || !errors.As(err, &fe) || fe.What != tokenFile || !strings.Contains(err.Error(), want) {
		t.Fatalf("got %v, %v; want a FileError with %q", got, err, want)
	}
	hidesTokens(t, f.Path, err.Error()+fe.Hint)
	return fe
}

func TestTokenFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	must(t, syscall.Mkfifo(pipe, 0o600))
	for path, want := range map[string]string{
		"":                              "no file is named",
		filepath.Join(dir, "absent"):    "no such file",
		dir:                             "a directory",
		pipe:                            "no regular file",
		"/dev/null":                     "no regular file",
		jwt(ofGoogle()):                 "the token, not its path",
		jwt(ofGoogle())[:100]:           "the token, not its path",
		jwt(ofGoogle()) + "\n":          "the token, not its path",
		"tok\nen":                       "no path",
		strings.Repeat("x", 5000):       "no path",
		filepath.Join(dir, "no", "way"): "no such file",
	} {
		if e := wrongFile(t, &TokenFile{Path: path}, want); e.Hint == "" && path != "" {
			t.Errorf("%.40q: no hint", path)
		}
	}
	f := writeToken(t, "")
	for name, c := range wrongTokens() {
		if strings.HasSuffix(c.text, "\n") {
			c.text += "\n"
		}
		rewrite(t, f.Path, c.text)
		aged(t, f.Path)
		if e := wrongFile(t, f, c.want); e.Path != f.Path {
			t.Errorf("%s: path %q", name, e.Path)
		}
	}
	rewrite(t, f.Path, strings.Repeat("x", 1<<22))
	aged(t, f.Path)
	wrongFile(t, f, "larger than 20000 bytes")
	if os.Geteuid() != 0 {
		must(t, os.Chmod(f.Path, 0))
		wrongFile(t, f, "permission denied")
	}
}
