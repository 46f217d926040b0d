// Package signatures joins the two hands that sign and verify CreateSession:
// what the client signs the sandbox takes, and what was changed on the way it
// refuses.
package signatures

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"daypass.dev"
	"daypass.dev/e2e/stage"
	"daypass.dev/exchange"
	"daypass.dev/pki"
	"daypass.dev/proof"
	"daypass.dev/sandbox"
	"daypass.dev/sandbox/world"
)

// A wire is a transport into the sandbox's handler that may change a request.
type wire struct {
	handler http.Handler
	change  func(*http.Request)
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	in := httptest.NewRequest(r.Method, r.URL.RequestURI(), bytes.NewReader(body))
	in.Host, in.Header = r.URL.Host, r.Header.Clone()
	if w.change != nil {
		w.change(in)
	}
	out := httptest.NewRecorder()
	w.handler.ServeHTTP(out, in)
	return out.Result(), nil
}

// start makes a world whose profile takes session names, and a client in it.
func start(t testing.TB, kind string) (*world.World, *exchange.RolesAnywhere, *wire) {
	t.Helper()
	files := stage.Make(t, 0, kind)
	text, err := os.ReadFile(files.File("world.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.Parse("world.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	line := &wire{handler: sandbox.New(w)}
	return w, &exchange.RolesAnywhere{
		Key:     &proof.KeyFiles{Certificate: files.File("tls.crt"), PrivateKey: files.File("tls.key")},
		RoleARN: stage.RoleARN, TrustAnchorARN: stage.AnchorARN, ProfileARN: stage.ProfileARN,
		Client: &http.Client{Transport: line},
	}, line
}

// FuzzSignedByUsVerifiedBySandbox sends whatever parameters the client lets
// through: the sandbox must never doubt the signature. Then one byte of the
// same request is changed: it must never be granted.
func FuzzSignedByUsVerifiedBySandbox(f *testing.F) {
	f.Add("reports", "pod", "web-0", int64(3600), uint16(0), byte(1))
	f.Add("a=b,c.d@e-f_+", "key with blank", "ü/%20?&=", int64(900), uint16(77), byte(0x20))
	f.Add("", "", "", int64(0), uint16(400), byte(0x80))
	w, client, line := start(f, "ec-p256")
	f.Fuzz(func(t *testing.T, name, property, value string, seconds int64, at uint16, flip byte) {
		client.SessionName, client.Duration = name, time.Duration(seconds%43200)*time.Second
		client.InstanceProperties = nil
		if property != "" {
			client.InstanceProperties = map[string]string{property: value}
		}
		line.change = nil
		_, err := client.Credentials(t.Context())
		var input *daypass.InputError
		if errors.As(err, &input) {
			return // the client itself refused
		}
		if err != nil {
			d := w.Decisions()
			t.Fatalf("%v (%s)", err, d[len(d)-1].Detail)
		}
		if flip == 0 {
			return
		}
		changed := false
		line.change = func(r *http.Request) { changed = flipByte(r, int(at), flip) }
		if _, err := client.Credentials(t.Context()); err == nil && changed {
			t.Fatalf("granted although byte %d was changed by %#x", at, flip)
		}
	})
}

// flipByte changes one byte of the signed headers' values or of the query, and
// reports whether the request is another than before.
func flipByte(r *http.Request, at int, flip byte) bool {
	parts := []string{r.URL.RawQuery, r.Header.Get("X-Amz-Date"), r.Header.Get("X-Amz-X509"), r.Header.Get("Authorization")}
	for i, p := range parts {
		if at >= len(p) {
			at -= len(p)
			continue
		}
		b := []byte(p)
		b[at] ^= flip
		if i == 3 && strings.EqualFold(string(b), p) {
			return false // the signature's hexadecimal digits in the other case
		}
		switch i {
		case 0:
			r.URL.RawQuery = string(b)
			r.RequestURI = r.URL.Path + "?" + string(b)
		case 1:
			r.Header.Set("X-Amz-Date", string(b))
		case 2:
			r.Header.Set("X-Amz-X509", string(b))
		case 3:
			r.Header.Set("Authorization", string(b))
		}
		return true
	}
	return false
}

// Every kind of key that pki makes signs what the sandbox takes.
func TestEveryKindOfKey(t *testing.T) {
	kinds := pki.KeyTypes()
	if len(kinds) == 0 {
		t.Fatal("no kinds of key")
	}
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			_, client, _ := start(t, kind)
			got, err := client.Credentials(t.Context())
			if err != nil || !got.Whole() {
				t.Fatalf("%v, %v", got, err)
			}
		})
	}
}

// The refusal that a client sees is AWS's, the cause stands in the record.
func TestAChangedBodyIsRefused(t *testing.T) {
	w, client, line := start(t, "rsa-2048")
	line.change = func(r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(`{"durationSeconds":43200}`))
	}
	_, err := client.Credentials(t.Context())
	var said *daypass.Error
	if !errors.As(err, &said) || said.Code != "AccessDeniedException" {
		t.Fatalf("got %v", err)
	}
	if d := w.Decisions(); d[len(d)-1].Reason == "" || d[len(d)-1].Allowed {
		t.Errorf("recorded as %+v", d[len(d)-1])
	}
}
