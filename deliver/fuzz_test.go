package deliver

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Requests as SDKs send them, taken from their wire.
var seeds = []string{
	"PUT /latest/api/token HTTP/1.1\r\nHost: 127.0.0.1:9911\r\nUser-Agent: aws-sdk-go-v2/1.47.7 ua/2.1 os/linux lang/go#1.26.8 ft/ec2-imds\r\nContent-Length: 0\r\nX-Aws-Ec2-Metadata-Token-Ttl-Seconds: 300\r\nAccept-Encoding: gzip\r\n\r\n",
	"PUT /latest/api/token HTTP/1.1\r\nHost: 127.0.0.1:9911\r\nAccept-Encoding: identity\r\nx-aws-ec2-metadata-token-ttl-seconds: 21600\r\nUser-Agent: Boto3/1.43.11 md/Botocore#1.43.11\r\nContent-Length: 0\r\n\r\n",
	"PUT /latest/api/token HTTP/1.1\r\nx-aws-ec2-metadata-token-ttl-seconds: 21600\r\nHost: localhost:9911\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
	"GET /latest/meta-data/iam/security-credentials/ HTTP/1.1\r\nHost: 127.0.0.1:9911\r\nX-Aws-Ec2-Metadata-Token: TOKEN\r\n\r\n",
	"GET //latest/meta-data/iam/security-credentials/reports HTTP/1.1\r\nHost: [::1]:9911\r\nx-aws-ec2-metadata-token: TOKEN\r\n\r\n",
	"GET /latest/meta-data/placement/availability-zone HTTP/1.1\r\nHost: 127.0.0.1:9911\r\nX-aws-ec2-metadata-token: TOKEN\r\n\r\n",
	"GET /latest/dynamic/instance-identity/document HTTP/1.0\r\n\r\n",
	"GET /v1/credentials HTTP/1.1\r\nHost: 127.0.0.1:9911\r\nAccept: application/json\r\nAuthorization: AUTH\r\n\r\n",
	"GET /v1/credentials?x=1#y HTTP/1.1\r\nHost: localhost:9911\r\nauthorization: AUTH\r\nconnection: close\r\n\r\n",
	"GET http://169.254.169.254/latest/meta-data/ HTTP/1.1\r\nHost: 169.254.169.254\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n",
	"POST /latest/api/token HTTP/1.1\r\nHost: 127.0.0.1:9911\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}

// overGuard reads raw as the server would and hands it to h behind the guard.
// It is nil where raw is no request.
func overGuard(h http.Handler, raw string) (*http.Request, *httptest.ResponseRecorder) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		return nil, nil
	}
	r.RemoteAddr = "127.0.0.1:4711"
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, tcpAddr("127.0.0.1:9911", nil)))
	w := httptest.NewRecorder()
	Guard(h, nil).ServeHTTP(w, r)
	return r, w
}

// harmless is what must hold for any request: no redirect, and no secret but
// to a caller that has shown what it must, to our own address.
func harmless(t *testing.T, r *http.Request, w *httptest.ResponseRecorder, entitled bool) {
	if w.Code/100 == 3 || w.Header().Get("Location") != "" {
		t.Errorf("redirected: %d %v", w.Code, w.Header())
	}
	body := w.Body.String()
	if strings.Contains(body, secretProof) {
		t.Errorf("the authorization token came out")
	}
	if !strings.Contains(body, secretKey) {
		return
	}
	if !entitled || w.Code != http.StatusOK || r.Method != http.MethodGet || r.Header["X-Forwarded-For"] != nil || r.Header["Origin"] != nil ||
		r.Host != "127.0.0.1:9911" && !strings.EqualFold(r.Host, "localhost:9911") && r.Host != "[::ffff:127.0.0.1]:9911" {
		t.Errorf("credentials for %s %s, Host %q, %v", r.Method, r.URL, r.Host, r.Header)
	}
}

func FuzzIMDS(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	h := &IMDS{Source: always(good(), nil), RoleARN: roleARN, Region: "eu-west-1"}
	token := h.tokens.make(maxTokenTTL * 1e9)
	f.Fuzz(func(t *testing.T, raw string) {
		r, w := overGuard(h, strings.ReplaceAll(raw, "TOKEN", token))
		if r != nil {
			harmless(t, r, w, r.Header.Get(headerToken) == token)
		}
	})
}

func FuzzContainer(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	h := &Container{Source: always(good(), nil), Token: secretProof}
	f.Fuzz(func(t *testing.T, raw string) {
		r, w := overGuard(h, strings.ReplaceAll(raw, "AUTH", secretProof))
		if r != nil {
			harmless(t, r, w, r.Header.Get("Authorization") == secretProof)
		}
	})
}

// The seeds themselves must reach what they are for, or the fuzzing is of
// refusals only.
func TestSeedsReachCredentials(t *testing.T) {
	h := &IMDS{Source: always(good(), nil), RoleARN: roleARN}
	c := &Container{Source: always(good(), nil), Token: secretProof}
	token := h.tokens.make(maxTokenTTL * 1e9)
	var tokens, imds, container int
	for _, seed := range seeds {
		raw := strings.NewReplacer("TOKEN", token, "AUTH", secretProof, "[::1]", "127.0.0.1").Replace(seed)
		if r, w := overGuard(h, raw); r != nil && w.Code == http.StatusOK {
			if r.Method == http.MethodPut {
				tokens++
			} else if strings.Contains(w.Body.String(), secretKey) {
				imds++
			}
		}
		if _, w := overGuard(c, raw); w != nil && strings.Contains(w.Body.String(), secretKey) {
			container++
		}
	}
	if tokens < 3 || imds < 1 || container < 2 {
		t.Errorf("%d tokens, %d from IMDS, %d from the container endpoint", tokens, imds, container)
	}
}
