package exchange

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"daypass.dev"
	"daypass.dev/proof"
)

// The whole way over TLS: what AWS documents goes out, credentials come in.
func TestCreateSession(t *testing.T) {
	key := newKey(t)
	date := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const wantBody = `{"durationSeconds":900,"instanceProperties":{"node":"n1"},"roleSessionName":"pod-1"}`
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if got := r.Method + " " + r.URL.Path; got != "POST /sessions" {
			t.Errorf("called %s", got)
		}
		want := url.Values{"roleArn": {roleARN}, "trustAnchorArn": {anchorARN}, "profileArn": {profileARN}}
		if diff := cmp.Diff(want, r.URL.Query()); diff != "" {
			t.Errorf("query (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(wantBody, string(body)); diff != "" {
			t.Errorf("body (-want +got):\n%s", diff)
		}
		signedBy(t, r, key.Leaf, string(body))
		w.Header().Set("Date", date.Format(http.TimeFormat))
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, success(date.Add(15*time.Minute)))
	}))
	defer server.Close()
	r := &RolesAnywhere{
		Key: key, RoleARN: roleARN, TrustAnchorARN: anchorARN, ProfileARN: profileARN,
		Duration: 15 * time.Minute, SessionName: "pod-1", InstanceProperties: map[string]string{"node": "n1"},
		Region: "eu-west-1", Endpoint: server.URL + "/", Client: server.Client(),
	}
	got, err := r.Credentials(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := daypass.Credentials{
		AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: plantedKey, SessionToken: plantedToken,
		Issued: date, Expires: date.Add(15 * time.Minute), RoleARN: roleARN, AccountID: "123456789012",
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got.Life() != 15*time.Minute || !got.Whole() {
		t.Errorf("life is %s, whole %t", got.Life(), got.Whole())
	}
}

func TestWithoutOptionsTheBodyIsEmptyJSON(t *testing.T) {
	f := &fake{respond: func(r *http.Request) *http.Response {
		if body, err := io.ReadAll(r.Body); err != nil || string(body) != "{}" {
			t.Errorf("body is %q, %v", body, err)
		}
		return nil
	}}
	if _, err := source(t, f).Credentials(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestEndpointsOfPartitions(t *testing.T) {
	for anchor, want := range map[string]string{
		"arn:aws:rolesanywhere:eu-west-1:":            "https://rolesanywhere.eu-west-1.amazonaws.com/sessions?",
		"arn:aws-us-gov:rolesanywhere:us-gov-west-1:": "https://rolesanywhere.us-gov-west-1.amazonaws.com/sessions?",
		"arn:aws-cn:rolesanywhere:cn-north-1:":        "https://rolesanywhere.cn-north-1.amazonaws.com.cn/sessions?",
	} {
		partition := strings.Split(anchor, ":")[1]
		r := &RolesAnywhere{
			Key: newKey(t), RoleARN: "arn:" + partition + ":iam::123456789012:role/r",
			TrustAnchorARN: anchor + "123456789012:trust-anchor/1", ProfileARN: anchor + "123456789012:profile/1",
		}
		call, err := r.prepare()
		if err != nil || !strings.HasPrefix(call.url, want) {
			t.Errorf("%s: got %+v, %v", anchor, call, err)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	f := &fake{respond: func(*http.Request) *http.Response {
		return reply(307, "", "Location", "https://elsewhere.example/sessions")
	}}
	if e := refused(t, source(t, f)); e.Code != codeUnexpected || e.Status != 307 {
		t.Errorf("got %+v", e)
	}
	if n := f.calls.Load(); n != 1 {
		t.Errorf("%d calls", n)
	}
}

// deaf never answers.
type deaf struct{}

func (deaf) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, &url.Error{Op: "Post", URL: "x", Err: errors.New("connection refused")}
}

func TestNoAnswerIsNoAWSError(t *testing.T) {
	r := source(t, nil)
	r.Client = &http.Client{Transport: deaf{}}
	_, err := r.Credentials(context.Background())
	if de := (*daypass.Error)(nil); err == nil || errors.As(err, &de) {
		t.Fatalf("got %v", err)
	}
	const host = "rolesanywhere.eu-west-1.amazonaws.com"
	if s := err.Error(); !strings.Contains(s, host) || !strings.Contains(s, "refused") || strings.Contains(s, "roleArn") {
		t.Errorf("error is %q", s)
	}
}

// broken is a proof that cannot be had.
type broken struct{}

func (broken) Key(context.Context) (*proof.Key, error) {
	return nil, &proof.FileError{What: "certificate", Err: errors.New("it is empty")}
}

func TestErrorsOfTheProofComeThrough(t *testing.T) {
	r := source(t, &fake{})
	r.Key = broken{}
	fe := (*proof.FileError)(nil)
	if _, err := r.Credentials(context.Background()); !errors.As(err, &fe) {
		t.Errorf("Credentials: got %v", err)
	}
	if _, err := r.MemoryKey(context.Background()); !errors.As(err, &fe) {
		t.Errorf("MemoryKey: got %v", err)
	}
}

func TestChainDeeperThanAWSTakes(t *testing.T) {
	f := &fake{}
	r := source(t, f)
	key := newKey(t)
	for range 6 {
		key.Chain = append(key.Chain, key.Leaf)
	}
	r.Key = key
	_, err := r.Credentials(context.Background())
	if ie := (*daypass.InputError)(nil); !errors.As(err, &ie) || ie.Setting != "intermediates" || f.calls.Load() != 0 {
		t.Errorf("got %v after %d calls", err, f.calls.Load())
	}
	key.Chain = key.Chain[:5]
	if _, err := r.Credentials(context.Background()); err != nil {
		t.Errorf("a chain of five: %v", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	f := &fake{}
	r := source(t, f)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := r.Credentials(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := f.calls.Load(); n != 20 {
		t.Errorf("%d calls, want 20", n)
	}
}

func TestMemoryKeyChangesWithAllThatShapesTheAnswer(t *testing.T) {
	base := source(t, nil)
	key := func(r *RolesAnywhere) string {
		t.Helper()
		k, err := r.MemoryKey(context.Background())
		if err != nil || len(k) != 64 {
			t.Fatalf("got %q, %v", k, err)
		}
		return k
	}
	clone := func(change func(*RolesAnywhere)) *RolesAnywhere {
		c := &RolesAnywhere{Key: base.Key, RoleARN: roleARN, TrustAnchorARN: anchorARN, ProfileARN: profileARN, Client: through("")}
		change(c)
		return c
	}
	same := key(base)
	for name, change := range map[string]func(*RolesAnywhere){
		"nothing":     func(*RolesAnywhere) {},
		"region said": func(r *RolesAnywhere) { r.Region = "eu-west-1" },
		"client":      func(r *RolesAnywhere) { r.Client = through("") },
		"AWS's own endpoint said": func(r *RolesAnywhere) {
			r.Endpoint = "https://rolesanywhere.eu-west-1.amazonaws.com"
		},
	} {
		if key(clone(change)) != same {
			t.Errorf("%s: the key differs", name)
		}
	}
	seen := map[string]string{same: "nothing"}
	for name, change := range map[string]func(*RolesAnywhere){
		"leaf":         func(r *RolesAnywhere) { r.Key = newKey(t) },
		"role":         func(r *RolesAnywhere) { r.RoleARN += "2" },
		"anchor":       func(r *RolesAnywhere) { r.TrustAnchorARN += "2" },
		"profile":      func(r *RolesAnywhere) { r.ProfileARN += "2" },
		"duration":     func(r *RolesAnywhere) { r.Duration = time.Hour },
		"session name": func(r *RolesAnywhere) { r.SessionName = "ab" },
		"properties":   func(r *RolesAnywhere) { r.InstanceProperties = map[string]string{"a": "b"} },
		"endpoint":     func(r *RolesAnywhere) { r.Endpoint = "https://127.0.0.1:7777" },
		"proxy":        func(r *RolesAnywhere) { r.Client = through("127.0.0.1:7777") },
	} {
		k := key(clone(change))
		if other, taken := seen[k]; taken {
			t.Errorf("%s gives the same key as %s", name, other)
		}
		seen[k] = name
	}
}

var _ daypass.Source = (*RolesAnywhere)(nil)
