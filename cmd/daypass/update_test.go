package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"daypass.dev"
	"daypass.dev/deliver"
)

// counted is an AWS that counts its calls; ahead is how far its clock is.
type counted struct {
	calls       int
	life, ahead time.Duration
	err         error
}

func (i *counted) Credentials(context.Context) (daypass.Credentials, error) {
	i.calls++
	now := time.Now().Add(i.ahead)
	return daypass.Credentials{
		AccessKeyID: "ASIA" + strings.Repeat("X", i.calls%50), SecretAccessKey: "s", SessionToken: "t",
		Issued: now, Expires: now.Add(i.life),
	}, i.err
}

// TestUpdateAsksAWSInMeasure runs update for an hour against what makes others
// ask without end.
func TestUpdateAsksAWSInMeasure(t *testing.T) {
	for name, row := range map[string]struct {
		aws      counted
		fails    bool // the file cannot be written
		from, to int  // how many calls are in measure
		written  bool
	}{
		"an hour's life":                         {counted{life: time.Hour}, false, 2, 3, true},
		"a minute's life":                        {counted{life: time.Minute}, false, 110, 160, true},
		"our clock is two hours ahead":           {counted{life: time.Hour, ahead: -2 * time.Hour}, false, 2, 3, true},
		"our clock is two hours behind":          {counted{life: time.Hour, ahead: 2 * time.Hour}, false, 2, 3, true},
		"expired when issued":                    {counted{life: -time.Hour}, false, 10, 150, true},
		"no answer":                              {counted{err: errors.New("no answer")}, false, 10, 150, false},
		"refused":                                {counted{err: &daypass.Error{Code: "AccessDeniedException", Status: 403}}, false, 10, 50, false},
		"the file cannot be written for now":     {counted{life: time.Hour}, true, 3, 6, false},
		"nor with credentials that live shorter": {counted{life: 4 * time.Minute}, true, 30, 90, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				u := &updater{profiles: profiles{names: []string{"default"}}, path: filepath.Join(dir, "credentials")}
				if row.fails {
					if err := os.Mkdir(u.path, 0o700); err != nil {
						t.Fatal(err)
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				if err := u.run(ctx, &row.aws, nil, slog.New(slog.NewTextHandler(io.Discard, nil))); err != nil {
					t.Fatal(err)
				}
				if row.aws.calls < row.from || row.aws.calls > row.to {
					t.Errorf("%d calls in an hour, want %d to %d", row.aws.calls, row.from, row.to)
				}
				text, err := os.ReadFile(u.path)
				if (err == nil) != row.written {
					t.Errorf("the file holds %q, %v", text, err)
				}
			})
		})
	}
}

// What could not be written is tried again at refresh's pace, and stands in
// the file soon after somebody mended it.
func TestUpdateTriesToWriteAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &updater{profiles: profiles{names: []string{"default"}}, path: filepath.Join(t.TempDir(), "credentials")}
		if err := os.Mkdir(u.path, 0o700); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		aws, ended := &counted{life: time.Hour}, make(chan error)
		go func() { ended <- u.run(ctx, aws, nil, slog.New(slog.DiscardHandler)) }()
		time.Sleep(5 * time.Minute)
		if err := os.Remove(u.path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if text, err := os.ReadFile(u.path); err != nil || !strings.Contains(string(text), "ASIAX\n") || aws.calls != 1 {
			t.Errorf("%q, %v, after %d calls", text, err, aws.calls)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Credentials that waited for the file have lived meanwhile.
func TestUpdateCountsTheLifeThatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "credentials")
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		k := &keeper{
			from: &counted{life: time.Hour}, log: slog.New(slog.DiscardHandler),
			file: &deliver.File{Path: path, Profiles: []string{"default"}},
		}
		if _, err := k.Credentials(t.Context()); err == nil {
			t.Fatal("a directory was written")
		}
		time.Sleep(10 * time.Minute)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if got, err := k.Credentials(t.Context()); err != nil || got.Life() != 50*time.Minute {
			t.Errorf("%v is left, %v", got.Life(), err)
		}
	})
}

func TestProfilesAreNamedInTwoWays(t *testing.T) {
	p := profiles{names: []string{"default"}}
	if p.String() != "default" {
		t.Errorf("by default %s", p.String())
	}
	for _, given := range []string{"a, b", "c"} {
		if err := p.Set(given); err != nil {
			t.Fatal(err)
		}
	}
	if p.String() != "a,b,c" {
		t.Errorf("got %s", p.String())
	}
}
