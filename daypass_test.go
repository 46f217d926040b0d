package daypass

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// Every way that Go has to turn a value into text, with a planted secret.
func TestSecretNeverPrintsItself(t *testing.T) {
	const planted = "planted-secret-text"
	c := Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: planted, SessionToken: planted}
	var log strings.Builder
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("x", "secret", c.SecretAccessKey, "credentials", c)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", c.SecretAccessKey, "credentials", c)
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	outputs := []string{log.String(), string(asJSON), fmt.Sprint(c), c.SecretAccessKey.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		outputs = append(outputs, fmt.Sprintf(verb, c.SecretAccessKey), fmt.Sprintf(verb, c), fmt.Sprintf(verb, &c))
	}
	for _, out := range outputs {
		if strings.Contains(out, planted) || strings.Contains(out, fmt.Sprintf("%x", planted)) {
			t.Errorf("the secret came out: %s", out)
		}
	}
	if c.SecretAccessKey.Reveal() != planted {
		t.Error("Reveal does not reveal")
	}
}

func TestLifeIsTheIssuersOwn(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if got := (Credentials{Issued: now, Expires: now.Add(time.Hour)}).Life(); got != time.Hour {
		t.Errorf("life %v, want 1h", got)
	}
	if got := (Credentials{Expires: now}).Life(); got != 0 {
		t.Errorf("life without Issued is %v, want 0", got)
	}
}

func TestWholeMissesNothing(t *testing.T) {
	whole := Credentials{AccessKeyID: "A", SecretAccessKey: "s", SessionToken: "t", Expires: time.Now()}
	if !whole.Whole() {
		t.Error("whole credentials are not whole")
	}
	for name, cut := range map[string]func(*Credentials){
		"access key id": func(c *Credentials) { c.AccessKeyID = "" },
		"secret":        func(c *Credentials) { c.SecretAccessKey = "" },
		"token":         func(c *Credentials) { c.SessionToken = "" },
		"expiry":        func(c *Credentials) { c.Expires = time.Time{} },
	} {
		c := whole
		cut(&c)
		if c.Whole() {
			t.Errorf("credentials without %s pass as whole", name)
		}
	}
}

// The outermost error that knows what to look at is the one that is heard.
func TestAdviceIsTheFirstThatIsNotEmpty(t *testing.T) {
	knows, mute := &Error{Op: "x", Code: "c", Hint: "look here"}, &Error{Op: "x", Code: "c"}
	for name, row := range map[string]struct {
		err  error
		want string
	}{
		"nothing":               {nil, ""},
		"nobody":                {errors.New("x"), ""},
		"itself":                {knows, "look here"},
		"within":                {fmt.Errorf("asking: %w", knows), "look here"},
		"within one that knows": {&InputError{Setting: "s", Err: knows, Hint: "there"}, "there"},
		"within a mute one":     {&InputError{Setting: "s", Err: knows}, "look here"},
		"behind a mute one":     {errors.Join(errors.New("x"), fmt.Errorf("asking: %w", mute), knows), "look here"},
		"mute alone":            {&InputError{Setting: "s", Err: mute}, ""},
	} {
		if got := Advice(row.err); got != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}
