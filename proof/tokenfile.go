package proof

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

// TokenFile is a TokenSource that reads a file each time, whole: what renews
// the token there, as Kubernetes does with a projected volume, need tell nobody.
// One newline at the end is not the token's.
type TokenFile struct {
	Path string
}

const tokenFile = "web identity token"

// Token returns the token in the file, be it expired: whose clock is right,
// those decide to whom it is shown. A file that was written a moment ago and
// holds no whole token is read again. Errors are *FileError, or ctx's.
func (f *TokenFile) Token(ctx context.Context) (*Token, error) {
	for attempt := 1; ; attempt++ {
		t, recent, err := f.read()
		if err == nil || !recent || attempt == attempts {
			return t, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// read also tells whether the file was written so shortly before that it may
// not be whole yet.
func (f *TokenFile) read() (t *Token, recent bool, err error) {
	fault := func(err error, hint string) *FileError {
		return &FileError{What: tokenFile, Path: f.Path, Err: err, Hint: hint}
	}
	if text, hint := notATokensPath(f.Path); text != "" {
		return nil, false, &FileError{What: tokenFile, Err: errors.New(text), Hint: hint} // without the path: it may be a token
	}
	file, err := os.OpenFile(f.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must hang nobody
	if err != nil {
		return nil, false, fault(bare(err), fileHint(err))
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, false, fault(bare(err), "")
	case info.IsDir():
		return nil, false, fault(errors.New("it is a directory"), "name the file in it")
	case !info.Mode().IsRegular():
		return nil, false, fault(errors.New("it is no regular file"), "pipes and devices cannot be read again when the token is renewed; name a file")
	}
	recent = time.Since(info.ModTime()) < grain
	data, err := io.ReadAll(io.LimitReader(file, MaxToken+3))
	if err != nil {
		return nil, recent, fault(bare(err), "")
	}
	text := string(data)
	if line, found := strings.CutSuffix(text, "\n"); found {
		text = strings.TrimSuffix(line, "\r")
	}
	if t, err = ParseToken(text); err != nil {
		return nil, recent, fault(err, hintOf(err))
	}
	return t, recent, nil
}

// notATokensPath tells what a setting is that cannot be a token file's path.
func notATokensPath(path string) (text, hint string) {
	switch {
	case path == "":
		return "no file is named", ""
	case strings.HasPrefix(path, "eyJ") && len(path) > 60 && !strings.ContainsAny(path, `/\`): // {" in base64, as tokens begin
		return "the setting holds the token, not its path", "write the token to a file of mode 0600 and name that"
	case len(path) > 4096, strings.ContainsAny(path, "\n\r\x00"):
		return "the setting is no path", "name the file that holds the token"
	}
	return "", ""
}

// hintOf is how to mend a mistake.
func hintOf(err error) string {
	if m := (*mistake)(nil); errors.As(err, &m) {
		return m.hint
	}
	return ""
}
