package deliver

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

func TestContainerDocument(t *testing.T) {
	h := &Container{Source: always(good(), nil), Token: secretProof}
	for _, path := range []string{"/v1/credentials", "/v1/credentials/", "//v1//credentials"} {
		answer := serve(h, local("GET", path, "Authorization", secretProof))
		var got map[string]string
		if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": secretKey, "Token": secretToken,
			"Expiration": "2026-11-21T11:00:00Z", "AccountId": "111122223333",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if got := answer.Header().Get("Content-Type"); got != "application/json" {
			t.Errorf("Content-Type %q", got)
		}
	}
	for _, path := range []string{"/", "/v1", "/v1/credentials/x", "/v2/credentials", "/v1/../v1/credentials"} {
		if got := serve(h, local("GET", path, "Authorization", secretProof)); got.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
}

func TestContainerErrorsHoldTheCode(t *testing.T) {
	status := map[string]int{
		"AccessDeniedException": 403, "ThrottlingException": 429, "InternalServerError": 429,
		"CredentialsPending": 503, "CredentialsUnavailable": 500,
	}
	for code, src := range failures() {
		synctest.Test(t, func(t *testing.T) {
			answer := serve(&Container{Source: src, Token: secretProof}, local("GET", ContainerPath, "Authorization", secretProof))
			var got map[string]string
			if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if answer.Code != status[code] || got["code"] != code || got["Code"] != code || got["message"] == "" || got["message"] != got["Message"] {
				t.Errorf("%s: %d %v", code, answer.Code, got)
			}
			if got := answer.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("%s: Content-Type %q", code, got)
			}
		})
	}
}

// A token that is renewed in its file is what counts from then on.
func TestContainerReadsItsTokenAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	h := &Container{Source: always(good(), nil), TokenFile: path}
	for _, token := range []string{"first-token", "second-token"} {
		writeFile(t, path, token+"\n")
		for _, shown := range []string{"first-token", "second-token"} {
			want := http.StatusForbidden
			if shown == token {
				want = http.StatusOK
			}
			if got := serve(h, local("GET", ContainerPath, "Authorization", shown)); got.Code != want {
				t.Errorf("file holds %s, caller shows %s: %d", token, shown, got.Code)
			}
		}
	}
}
