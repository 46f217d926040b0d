package deliver

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
)

// foreign returns a file without the sections that are the profile's for any
// SDK.
func foreign(text, profile string) (kept string) {
	line := regexp.MustCompile(`[^\r\n]*(\r\n|\r|\n)?`)
	header := regexp.MustCompile(`^[\x00-\x20\p{Z}\x{85}]*\[`)
	own := regexp.MustCompile(header.String() + `[\x00-\x20\p{Z}\x{85}]*` + profile + `[\x00-\x20\p{Z}\x{85}]*\]`)
	inside := false
	for _, l := range line.FindAllString(text, -1) {
		if header.MatchString(l) {
			inside = own.MatchString(l)
		}
		if !inside {
			kept += l
		}
	}
	return kept
}

// FuzzCredentialsFile puts a profile into any text. All else must survive byte
// for byte, except that a last line may get the end that it lacked; and the Go
// SDK must read the profile, and every other as before.
func FuzzCredentialsFile(f *testing.F) {
	for _, row := range profileRows() {
		f.Add(row.before)
	}
	f.Add("[default]\na\x1c=\x85\n[other]\r aws_access_key_id=x")
	f.Add("[a]\r")
	f.Add("[a]\n\r")
	f.Add("\x80=\"")
	f.Fuzz(func(t *testing.T, before string) {
		after, err := withProfile(before, "default", entries(good()))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "line ") {
				t.Fatal(err)
			}
			return
		}
		if again, err := withProfile(after, "default", entries(good())); err != nil || again != after {
			t.Fatalf("not the same the second time: %v\n%q\n%q", err, after, again)
		}
		was, is := foreign(before, "default"), foreign(after, "default")
		if rest, ok := strings.CutPrefix(is, was); !ok || strings.Trim(rest, "\r\n") != "" {
			t.Fatalf("other profiles were\n%q, are\n%q", was, is)
		}
		theSame(t, before, after)
	})
}

// theSame asks the Go SDK.
func theSame(t *testing.T, before, after string) {
	t.Helper()
	dir := t.TempDir()
	old, now := filepath.Join(dir, "old"), filepath.Join(dir, "now")
	for path, text := range map[string]string{old: before, now: after} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func(path, profile string) (_ config.SharedConfig, err error) {
		defer func() { // a value of one quotation mark is too much for the SDK
			if r := recover(); r != nil {
				err = fmt.Errorf("panic: %v", r)
			}
		}()
		return config.LoadSharedConfigProfile(t.Context(), profile, func(o *config.LoadSharedConfigOptions) {
			o.CredentialsFiles, o.ConfigFiles = []string{path}, []string{}
		})
	}
	for _, profile := range []string{"test", "other", "a", "b"} {
		was, wasErr := read(old, profile)
		is, isErr := read(now, profile)
		was.Credentials.Source, is.Credentials.Source = "", ""
		if was.Credentials != is.Credentials || was.Region != is.Region || (wasErr == nil) != (isErr == nil) {
			t.Fatalf("profile %s was %+v, is %+v (%v, %v)", profile, was.Credentials, is.Credentials, wasErr, isErr)
		}
	}
}

func TestForeignSeesWhatChanges(t *testing.T) {
	const text = "# c\n[a]\nx=1\n[default]\ny=1\n[b]\r\nz=1"
	if got, want := foreign(text, "default"), "# c\n[a]\nx=1\n[b]\r\nz=1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
