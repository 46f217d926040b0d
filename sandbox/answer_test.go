package sandbox_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"daypass.dev/sandbox"
	"daypass.dev/sandbox/world"
)

// witness notes how many decisions there are when the first byte comes.
type witness struct {
	*httptest.ResponseRecorder
	world *world.World
	seen  int
}

func (w *witness) WriteHeader(status int) {
	w.seen = len(w.world.Decisions())
	w.ResponseRecorder.WriteHeader(status)
}

type serviceFunc func(w http.ResponseWriter) error

func (f serviceFunc) Serve(_ *world.Call, w http.ResponseWriter, _ *http.Request, _ []byte) error {
	return f(w)
}

func ask(f serviceFunc) (*witness, world.Decision) {
	w := world.New()
	r := httptest.NewRequest("POST", "/", strings.NewReader("Action=AssumeRoleWithSAML"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a := &witness{ResponseRecorder: httptest.NewRecorder(), world: w}
	sandbox.WithService(w, "sts", f).ServeHTTP(a, r)
	return a, w.Decisions()[0]
}

func TestRecordedBeforeAnswered(t *testing.T) {
	a, d := ask(func(w http.ResponseWriter) error {
		_, err := io.WriteString(w, strings.Repeat("x", 1<<20))
		return err
	})
	if a.seen != 1 || a.Body.Len() != 1<<20 || a.Header().Get("Content-Length") != "1048576" || !d.Allowed {
		t.Errorf("%d decisions at the first byte, %d bytes, %+v", a.seen, a.Body.Len(), d)
	}
	if a, d := ask(func(http.ResponseWriter) error { return nil }); a.Code != 200 || d.Status != 200 {
		t.Errorf("a service that writes nothing: %d, %+v", a.Code, d)
	}
}

func TestAnErrorReplacesWhatWasWritten(t *testing.T) {
	a, d := ask(func(w http.ResponseWriter) error {
		_, _ = io.WriteString(w, "half an answer")
		return errors.New("broken")
	})
	if a.Code != 500 || strings.Contains(a.Body.String(), "half") || d.Status != 500 || d.Allowed {
		t.Errorf("%d %s, %+v", a.Code, a.Body, d)
	}
}
