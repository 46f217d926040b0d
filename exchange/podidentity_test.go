package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"daypass.dev"
	"daypass.dev/proof"
)

type borne string

func (b borne) Token(context.Context) (*proof.Token, error) {
	return &proof.Token{Text: daypass.Secret(b), Expires: time.Now().Add(time.Hour)}, nil
}

type given daypass.Credentials

func (g given) Credentials(context.Context) (daypass.Credentials, error) {
	return daypass.Credentials(g), nil
}

const podToken = "header.planted-token-of-a-pod.signature-of-it"

// podCall is a call to a server that answers as it is told.
func podCall(t *testing.T, answer http.HandlerFunc) *PodIdentity {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return &PodIdentity{
		Cluster: "prod", Token: borne(podToken), Region: "eu-west-1", Endpoint: s.URL, RoleARN: "arn:aws:iam::111122223333:role/team/web",
		Node: given{AccessKeyID: "ASIANODE", SecretAccessKey: "planted-secret", SessionToken: "planted-session", Expires: time.Now().Add(time.Hour)},
	}
}

func podAnswer(arn string, expires int64) string {
	return fmt.Sprintf(`{"assumedRoleUser":{"arn":%q},"credentials":{"accessKeyId":"ASIAPOD","secretAccessKey":"s","sessionToken":"t","expiration":%d}}`, arn, expires)
}

func TestPodIdentity(t *testing.T) {
	expires := time.Now().Add(6 * time.Hour).Unix()
	p := podCall(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != "POST" || r.URL.Path != "/clusters/prod/assume-role-for-pod-identity" || string(body) != `{"token":"`+podToken+`"}` {
			t.Errorf("%s %s %s", r.Method, r.URL, body)
		}
		if h := r.Header.Get("Authorization"); !strings.HasPrefix(h, "AWS4-HMAC-SHA256 Credential=ASIANODE/") || !strings.Contains(h, "/eu-west-1/eks-auth/aws4_request") {
			t.Errorf("it is signed as %q", h)
		}
		w.Header().Set("X-Amzn-Requestid", "1-2")
		_, _ = io.WriteString(w, podAnswer("arn:aws:sts::111122223333:assumed-role/web/eks-prod-x", expires))
	})
	got, err := p.Credentials(t.Context())
	if err != nil || got.AccessKeyID != "ASIAPOD" || got.Expires.Unix() != expires || got.AccountID != "111122223333" || got.RequestID != "1-2" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestPodIdentityRefusals(t *testing.T) {
	later := time.Now().Add(time.Hour).Unix()
	for name, row := range map[string]struct {
		status int
		header string
		body   string
		code   string
	}{
		"AWS says no":          {400, "AccessDeniedException", `{"message":"Unauthorized Exception! ` + podToken + `"}`, "AccessDeniedException"},
		"throttled":            {429, "ThrottlingException", `{"message":"Rate exceeded"}`, "ThrottlingException"},
		"a proxy":              {502, "", "<html>", "UnexpectedResponse"},
		"another role":         {200, "", podAnswer("arn:aws:sts::111122223333:assumed-role/admin/x", later), "UnexpectedRole"},
		"of another account":   {200, "", podAnswer("arn:aws:sts::444455556666:assumed-role/web/x", later), "UnexpectedRole"},
		"no role":              {200, "", podAnswer("", later), "UnexpectedRole"},
		"expired":              {200, "", podAnswer("arn:aws:sts::111122223333:assumed-role/web/x", 1), "InvalidResponse"},
		"an expiry that is no": {200, "", strings.Replace(podAnswer("arn:aws:sts::111122223333:assumed-role/web/x", later), fmt.Sprint(later), `"x"`, 1), "InvalidResponse"},
		"half":                 {200, "", `{"credentials":{"accessKeyId":"A"`, "InvalidResponse"},
		"empty":                {200, "", `{}`, "InvalidResponse"},
	} {
		t.Run(name, func(t *testing.T) {
			p := podCall(t, func(w http.ResponseWriter, _ *http.Request) {
				if row.header != "" {
					w.Header().Set("X-Amzn-ErrorType", row.header)
				}
				w.WriteHeader(row.status)
				_, _ = io.WriteString(w, row.body)
			})
			got, err := p.Credentials(t.Context())
			e := (*daypass.Error)(nil)
			if !errors.As(err, &e) || e.Code != row.code || got.AccessKeyID != "" {
				t.Errorf("%+v, %v", got, err)
			}
			if strings.Contains(fmt.Sprint(err), "planted") {
				t.Errorf("a secret is told: %v", err)
			}
		})
	}
}

func TestPodIdentitySettings(t *testing.T) {
	for setting, change := range map[string]func(*PodIdentity){
		"cluster name": func(p *PodIdentity) { p.Cluster = "a/b" },
		"region":       func(p *PodIdentity) { p.Region = "" },
		"role ARN":     func(p *PodIdentity) { p.RoleARN = "web" },
		"pod identity": func(p *PodIdentity) { p.Node = nil },
	} {
		p := podCall(t, func(http.ResponseWriter, *http.Request) { t.Error("it was called") })
		change(p)
		_, err := p.Credentials(t.Context())
		e := (*daypass.InputError)(nil)
		if !errors.As(err, &e) || e.Setting != setting {
			t.Errorf("%s: %v", setting, err)
		}
	}
	p := podCall(t, nil)
	p.Endpoint = ""
	for fips, want := range map[bool]string{false: "https://eks-auth.eu-west-1.api.aws", true: "https://eks-auth-fips.eu-west-1.api.aws"} {
		p.FIPS = fips
		if got, err := p.base(); err != nil || got != want {
			t.Errorf("%s, %v", got, err)
		}
	}
}

func TestNodeRole(t *testing.T) {
	answers := map[string]string{
		"PUT /latest/api/token": "session",
		"GET " + rolePath:       "node\n",
		"GET " + rolePath + "node": `{"Code":"Success","AccessKeyId":"ASIANODE","SecretAccessKey":"planted-secret","Token":"planted-token","Expiration":"` +
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"}`,
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[r.Method+" "+r.URL.Path]
		switch {
		case !ok:
			w.WriteHeader(http.StatusNotFound)
		case r.Method == "GET" && r.Header.Get("X-Aws-Ec2-Metadata-Token") != "session":
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = io.WriteString(w, text)
	}))
	defer s.Close()
	n := &NodeRole{Endpoint: s.URL}
	if got, err := n.Credentials(t.Context()); err != nil || got.AccessKeyID != "ASIANODE" || !got.Whole() {
		t.Errorf("%+v, %v", got, err)
	}
	for path, text := range map[string]string{
		"GET " + rolePath + "node": `{"Code":"Success","AccessKeyId":"ASIANODE","SecretAccessKey":"planted-secret"`,
		"GET " + rolePath:          "../../user-data",
	} {
		answers[path] = text
		if got, err := n.Credentials(t.Context()); err == nil || got.AccessKeyID != "" || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: %+v, %v", path, got, err)
		}
	}
	delete(answers, "PUT /latest/api/token")
	if _, err := n.Credentials(t.Context()); err == nil || !strings.Contains(err.Error(), "status 404") {
		t.Errorf("without a metadata service: %v", err)
	}
}
