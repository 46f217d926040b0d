package sdk

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// seen has each request answered by itself, and keeps whether its body had a
// WriteTo, and what was read of it.
type seen struct {
	writes bool
	body   string
}

func (s *seen) Do(r *http.Request) (*http.Response, error) {
	_, s.writes = r.Body.(io.WriterTo)
	text, err := io.ReadAll(r.Body)
	s.body = string(text)
	w := httptest.NewRecorder()
	w.WriteHeader(http.StatusForbidden)
	return w.Result(), err
}

// The SDK's bodies have the WriteTo that does harm, and a Patient client sends
// the same without it. Once the first is not so any more, this package can go.
func TestPatient(t *testing.T) {
	for _, patient := range []bool{false, true} {
		s := &seen{}
		c := aws.Config{Region: "us-east-1", HTTPClient: s, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")}
		if patient {
			c.HTTPClient = Patient{s}
		}
		_, _ = sts.NewFromConfig(c).GetCallerIdentity(t.Context(), nil) // refused
		if s.writes == patient || !strings.Contains(s.body, "Action=GetCallerIdentity") {
			t.Errorf("patient %v: body %q, with a WriteTo: %v", patient, s.body, s.writes)
		}
	}
}

// Load's clients call AWS, with a CA bundle or without.
func TestLoad(t *testing.T) {
	called := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		called = true
		w.WriteHeader(http.StatusForbidden)
	}))
	defer server.Close()
	for name, value := range map[string]string{
		"AWS_CA_BUNDLE": "", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_REGION": "us-east-1",
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL": server.URL,
	} {
		t.Setenv(name, value)
	}
	c, err := Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sts.NewFromConfig(c).GetCallerIdentity(t.Context(), nil); err == nil || !called {
		t.Errorf("called: %v, %v", called, err)
	}
}
