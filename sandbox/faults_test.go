package sandbox_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

// post sends an unsigned call, which is refused where no fault strikes.
func post(s *sandboxtest.Sandbox) (*http.Response, []byte, error) {
	c := s.Client()
	c.Timeout = 500 * time.Millisecond
	r, err := c.Post(s.URL+"/", "application/x-www-form-urlencoded", strings.NewReader("Action=AssumeRoleWithSAML"))
	if err != nil {
		return nil, nil, err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return r, text, err
}

func TestFaults(t *testing.T) {
	s := sandboxtest.Start(t, "")
	empty, odd := "", `{"credentialSet":[]}`
	for _, c := range []struct {
		name  string
		fault world.Fault
		check func(r *http.Response, text []byte, err error) bool
		note  string
	}{
		{"throttling", world.Fault{Throttle: true, RetryAfter: 1500 * time.Millisecond}, func(r *http.Response, text []byte, err error) bool {
			return err == nil && r.StatusCode == 400 && r.Header.Get("Retry-After") == "2" && bytes.Contains(text, []byte("<Code>Throttling</Code>"))
		}, "fault: throttling"},
		{"error", world.Fault{Code: "ServiceUnavailable", Message: "later", Status: 503}, func(r *http.Response, text []byte, err error) bool {
			return err == nil && r.StatusCode == 503 && bytes.Contains(text, []byte("<Code>ServiceUnavailable</Code><Message>later</Message>"))
		}, "fault: error ServiceUnavailable with status 503"},
		{"latency", world.Fault{Latency: 50 * time.Millisecond, Code: "X"}, func(r *http.Response, _ []byte, err error) bool {
			return err == nil && r.StatusCode == 500
		}, "fault: latency 50ms, error X with status 500"},
		{"hang", world.Fault{Hang: true}, func(_ *http.Response, _ []byte, err error) bool {
			var timeout interface{ Timeout() bool }
			return errors.As(err, &timeout) && timeout.Timeout()
		}, "fault: hang"},
		{"reset", world.Fault{Reset: true}, func(_ *http.Response, _ []byte, err error) bool {
			return errors.Is(err, syscall.ECONNRESET)
		}, "fault: connection reset"},
		{"empty body", world.Fault{Body: &empty}, func(r *http.Response, text []byte, err error) bool {
			return err == nil && r.StatusCode == 200 && len(text) == 0
		}, "fault: a body of 0 bytes"},
		{"odd body", world.Fault{Body: &odd}, func(r *http.Response, text []byte, err error) bool {
			return err == nil && r.StatusCode == 200 && string(text) == odd
		}, "fault: a body of 20 bytes"},
		{"half body", world.Fault{HalfBody: true}, func(r *http.Response, text []byte, err error) bool {
			return errors.Is(err, io.ErrUnexpectedEOF) && r.StatusCode == 501 && len(text) == int(r.ContentLength)/2
		}, "fault: half the body"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.World.SetFaults(c.fault)
			before := len(s.Decisions())
			r, text, err := post(s)
			if !c.check(r, text, err) {
				t.Errorf("answer %+v, body %q, error %v", r, text, err)
			}
			d := awaitDecision(t, s, before)
			if len(d.NotAWS) != 1 || d.NotAWS[0] != c.note {
				t.Errorf("marked %q, want %q", d.NotAWS, c.note)
			}
		})
	}
	s.World.SetFaults()
	if r, _, err := post(s); err != nil || r.StatusCode != http.StatusNotImplemented {
		t.Errorf("without faults: %+v, %v", r, err)
	}
}

// awaitDecision waits for a record that comes only after the connection is
// gone.
func awaitDecision(t *testing.T, s *sandboxtest.Sandbox, after int) world.Decision {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if all := s.Decisions(); len(all) > after {
			return all[after]
		}
	}
	t.Fatal("no decision was recorded")
	return world.Decision{}
}
