package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"daypass.dev"
)

// local is a request as Guard passes it on, without a network.
func local(method, path string, header ...string) *http.Request {
	r := httptest.NewRequest(method, "http://x/", nil)
	r.URL.Path = path
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, tcpAddr("127.0.0.1:9911", nil)))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// ask gets a session token, and with it path.
func ask(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	token := serve(h, local("PUT", "/latest/api/token", headerTTL, "60"))
	if token.Code != http.StatusOK {
		t.Fatalf("token: %d %s", token.Code, token.Body)
	}
	return serve(h, local("GET", path, headerToken, token.Body.String()))
}

func TestIMDSPaths(t *testing.T) {
	imds := &IMDS{Source: always(good(), nil), RoleARN: roleARN, Region: "eu-west-1"}
	for path, want := range map[string]string{
		"/latest/meta-data":                              "iam/\nplacement/",
		"/latest/meta-data/":                             "iam/\nplacement/",
		"/latest/meta-data/iam/":                         "info\nsecurity-credentials/",
		"/latest/meta-data/iam/security-credentials":     "reports",
		"/latest/meta-data/iam/security-credentials/":    "reports",
		"//latest//meta-data///iam/security-credentials": "reports",
		"/latest/meta-data/placement/":                   "region",
		"/latest/meta-data/placement/region":             "eu-west-1",
		"/latest/meta-data/placement/region/":            "eu-west-1",
	} {
		if got := ask(t, imds, path); got.Code != http.StatusOK || got.Body.String() != want {
			t.Errorf("%s: %d %q, want %q", path, got.Code, got.Body, want)
		}
	}
	for _, path := range []string{
		"/", "/latest", "/latest/meta-data/iam/security-credentials/other", "/latest/meta-data/iam/security-credentials/reports/x",
		"/latest/meta-data/iam/security-credentials-extended/", "/latest/meta-data/iam/security-credentials-extended/reports",
		"/latest/meta-data/placement/availability-zone", "/latest/dynamic/instance-identity/document", "/latest/user-data",
		"/latest/meta-data/instance-id", "/latest/meta-data/../meta-data/", "/latest/meta-data/./iam", "/1.0/meta-data/",
		"/latest/latest/meta-data", "/meta-data", "/latest/api/token/x", "/latest/META-DATA",
	} {
		if got := ask(t, imds, path); got.Code != http.StatusNotFound {
			t.Errorf("%s: %d %q, want 404", path, got.Code, got.Body)
		}
	}
}

func TestIMDSWithoutRegion(t *testing.T) {
	if got := ask(t, &IMDS{Source: always(good(), nil), RoleARN: roleARN}, "/latest/meta-data/placement/region"); got.Code != http.StatusNotFound {
		t.Errorf("%d %q", got.Code, got.Body)
	}
}

func TestIMDSCredentials(t *testing.T) {
	imds := &IMDS{Source: always(good(), nil), RoleARN: roleARN}
	for _, path := range []string{"reports", "reports/", "/reports"} {
		answer := ask(t, imds, "/latest/meta-data/iam/security-credentials/"+path)
		var got map[string]string
		if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-11-21T10:00:00Z", "Expiration": "2026-11-21T11:00:00Z",
			"AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": secretKey, "Token": secretToken,
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		left, err := strconv.Atoi(answer.Header().Get(headerTTL))
		if err != nil || left < 58 || left > 60 {
			t.Errorf("the token's remaining life is given as %q", answer.Header().Get(headerTTL))
		}
	}
}

func TestIMDSInfo(t *testing.T) {
	var got struct{ Code, LastUpdated, InstanceProfileArn, InstanceProfileId string }
	answer := ask(t, &IMDS{Source: always(good(), nil), RoleARN: roleARN}, "/latest/meta-data/iam/info")
	if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Code != "Success" || got.InstanceProfileArn != "arn:aws:iam::111122223333:instance-profile/reports" {
		t.Errorf("%+v", got)
	}
	if !strings.HasPrefix(got.InstanceProfileId, "AIPA") || len(got.InstanceProfileId) != 21 {
		t.Errorf("id %q", got.InstanceProfileId)
	}
	if _, err := time.Parse(time.RFC3339, got.LastUpdated); err != nil {
		t.Error(err)
	}
}

func TestIMDSTokensEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		imds := &IMDS{Source: always(good(), nil), RoleARN: roleARN}
		token := serve(imds, local("PUT", "/latest/api/token", headerTTL, "60"))
		if token.Header().Get(headerTTL) != "60" {
			t.Errorf("the life asked for comes back as %q", token.Header().Get(headerTTL))
		}
		get := func() int {
			return serve(imds, local("GET", "/latest/meta-data/", headerToken, token.Body.String())).Code
		}
		time.Sleep(59 * time.Second)
		if got := get(); got != http.StatusOK {
			t.Errorf("after 59 s: %d", got)
		}
		time.Sleep(time.Second)
		if got := get(); got != http.StatusUnauthorized {
			t.Errorf("after 60 s: %d", got)
		}
	})
}

func TestIMDSTokensOfAnotherProcessAndAlteredOnes(t *testing.T) {
	one, other := &IMDS{RoleARN: roleARN}, &IMDS{RoleARN: roleARN}
	token := one.tokens.make(time.Hour)
	if other.tokens.left(token) != 0 {
		t.Error("a token of another process is taken")
	}
	for i := range len(token) {
		altered := []byte(token)
		altered[i] ^= 1
		if one.tokens.left(string(altered)) != 0 {
			t.Errorf("a token altered at %d is taken", i)
		}
	}
	if one.tokens.left(token) <= 0 {
		t.Error("the token itself is not taken")
	}
}

// failures are sources that give nothing, and the code that callers must see.
func failures() map[string]source {
	return map[string]source{
		"AccessDeniedException":  always(daypass.Credentials{}, fmt.Errorf("renewing: %w", refused)),
		"ThrottlingException":    always(daypass.Credentials{}, &daypass.Error{Op: "CreateSession", Code: "ThrottlingException", Status: 429}),
		"InternalServerError":    always(daypass.Credentials{}, &daypass.Error{Op: "CreateSession", Code: "InternalServerError", Status: 500}),
		"CredentialsPending":     hangs,
		"CredentialsUnavailable": always(daypass.Credentials{}, errors.New("reading certificate tls.crt: no such file")),
	}
}

func TestIMDSErrorsHoldTheCode(t *testing.T) {
	for code, src := range failures() {
		synctest.Test(t, func(t *testing.T) {
			answer := ask(t, &IMDS{Source: src, RoleARN: roleARN}, "/latest/meta-data/iam/security-credentials/reports")
			var got map[string]string
			if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil || answer.Code != http.StatusOK {
				t.Fatalf("%s: %d %s %v", code, answer.Code, answer.Body, err)
			}
			if got["Code"] != code || got["Message"] == "" || got["LastUpdated"] == "" || len(got) != 3 {
				t.Errorf("%s: %v", code, got)
			}
		})
	}
}

// Pending is who may still answer. A call behind that has timed out has failed,
// and is told as that.
func TestATimeoutBehindIsNotPending(t *testing.T) {
	_, err := (&net.Dialer{Timeout: time.Nanosecond}).Dial("tcp", "127.0.0.1:1")
	if err == nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	src := always(daypass.Credentials{}, fmt.Errorf("asking for a token: %w", err))
	answer := ask(t, &IMDS{Source: src, RoleARN: roleARN}, "/latest/meta-data/iam/security-credentials/reports")
	if got := answer.Body.String(); !strings.Contains(got, "CredentialsUnavailable") || !strings.Contains(got, "asking for a token: dial tcp") {
		t.Error(got)
	}
}

func TestWhatIsNotWholeIsNotServed(t *testing.T) {
	for name, mar := range map[string]func(*daypass.Credentials){
		"key id": func(c *daypass.Credentials) { c.AccessKeyID = "" },
		"secret": func(c *daypass.Credentials) { c.SecretAccessKey = "" },
		"token":  func(c *daypass.Credentials) { c.SessionToken = "" },
		"expiry": func(c *daypass.Credentials) { c.Expires = time.Time{} },
	} {
		c := good()
		mar(&c)
		src := always(c, nil)
		imds := ask(t, &IMDS{Source: src, RoleARN: roleARN}, "/latest/meta-data/iam/security-credentials/reports")
		container := serve(&Container{Source: src, Token: secretProof}, local("GET", ContainerPath, "Authorization", secretProof))
		for _, answer := range []*httptest.ResponseRecorder{imds, container} {
			if body := answer.Body.String(); strings.Contains(body, "AccessKeyId") || !strings.Contains(body, "CredentialsUnavailable") {
				t.Errorf("without %s: %d %s", name, answer.Code, body)
			}
		}
		var out strings.Builder
		if Process(&out, c) == nil || Env(&out, c) == nil || out.Len() > 0 {
			t.Errorf("without %s: printed %q", name, out.String())
		}
	}
}

// Budget: IMDS answers within 300 ms and the container endpoint within 700
// while the source hangs; on a fake clock, so that only waiting counts.
func TestHangingSourceIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ask(t, &IMDS{Source: source(hangs), RoleARN: roleARN}, "/latest/meta-data/iam/security-credentials/reports")
		if took := time.Since(start); took > 300*time.Millisecond {
			t.Errorf("IMDS waited %v", took)
		}
		start = time.Now()
		serve(&Container{Source: source(hangs), Token: secretProof}, local("GET", ContainerPath, "Authorization", secretProof))
		if took := time.Since(start); took > 700*time.Millisecond {
			t.Errorf("the container endpoint waited %v", took)
		}
		start = time.Now()
		for _, path := range []string{"/latest/meta-data/iam/security-credentials/", "/latest/meta-data/iam/info", "/latest/meta-data/placement/region"} {
			ask(t, &IMDS{Source: source(hangs), RoleARN: roleARN, Region: "eu-west-1"}, path)
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("what needs no credentials waited %v for them", took)
		}
	})
}
