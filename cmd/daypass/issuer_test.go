package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"daypass.dev/sandbox/world"
)

// A signer signs the tokens of a script. It stands in for every service that
// issues tokens, each by its own protocol.
type signer struct {
	key *ecdsa.PrivateKey
	// life is that of the tokens that the services issue; down lets them fail.
	life atomic.Int64
	down atomic.Bool
	// asked counts the tokens that were asked for.
	asked atomic.Int64
}

const (
	clusterIssuer = "https://oidc.example.com/id/1"
	googleIssuer  = "https://accounts.google.com"
	entraIssuer   = "https://sts.windows.net/11111111-2222-4333-8444-555555555555/"
	gitHubIssuer  = "https://token.actions.githubusercontent.com"

	plantedRequestToken = "planted-request-token-planted"
)

func newSigner() (*signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	i := &signer{key: key}
	i.life.Store(int64(time.Hour))
	return i, err
}

// jwks is the key as issuers publish it (RFC 7517).
func (i *signer) jwks() ([]byte, error) {
	point, err := i.key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		return nil, err
	}
	encode := base64.RawURLEncoding.EncodeToString
	return json.Marshal(map[string]any{"keys": []any{map[string]string{
		"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "1", "x": encode(point[1:33]), "y": encode(point[33:]),
	}}})
}

// sign makes a token that ends after life (RFC 7515, ES256).
func (i *signer) sign(life time.Duration, claims map[string]any) (string, error) {
	now := time.Now().Unix()
	claims["iat"], claims["exp"] = min(now, now+int64(life/time.Second)-1), now+int64(life/time.Second)
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"ES256","kid":"1"}`)) + "." + encode(payload)
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, digest[:])
	if err != nil {
		return "", err
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + encode(signature), nil
}

// publish lets the sandbox know the key as that of all issuers.
func (s *stage) publish(ts *testscript.TestScript) {
	keys, err := s.issuer.jwks()
	ts.Check(err)
	for _, url := range []string{clusterIssuer, googleIssuer, entraIssuer, gitHubIssuer} {
		s.aws.World.SetIssuer(url, world.Issuer{JWKS: keys})
	}
}

// jwt writes a token of the cluster's issuer into a file.
func (s *stage) jwt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: jwt FILE SUBJECT AUDIENCE [LIFE]")
	}
	life := time.Hour
	if len(args) == 4 {
		var err error
		life, err = time.ParseDuration(args[3])
		ts.Check(err)
	}
	token, err := s.issuer.sign(life, map[string]any{"iss": clusterIssuer, "sub": args[1], "aud": args[2]})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(token), 0o600))
}

// platform starts a stand-in for a service that issues tokens, and sets what
// its platform would; life, down and up change what it does.
func (s *stage) platform(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: platform google|azure|github|life DURATION|down|up")
	}
	start := func(h http.HandlerFunc) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s.issuer.down.Load() {
				http.Error(w, "out of order", http.StatusServiceUnavailable)
				return
			}
			h(w, r)
		}))
		ts.Defer(server.Close)
		return server.URL
	}
	switch args[0] {
	case "google":
		ts.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(start(s.issuer.google), "http://"))
	case "azure":
		ts.Setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", start(s.issuer.azure))
	case "github":
		ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", start(s.issuer.gitHub)+"/idtoken?api-version=2.0")
		ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", plantedRequestToken)
	case "life":
		life, err := time.ParseDuration(args[1])
		ts.Check(err)
		s.issuer.life.Store(int64(life))
	case "down", "up":
		s.issuer.down.Store(args[0] == "down")
	default:
		ts.Fatalf("no platform %q", args[0])
	}
}

func (i *signer) issue(w http.ResponseWriter, form string, claims map[string]any) {
	i.asked.Add(1)
	token, err := i.sign(time.Duration(i.life.Load()), claims)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, form, token)
}

// google stands in for Google's metadata server.
func (i *signer) google(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Metadata-Flavor", "Google")
	if r.Header.Get("Metadata-Flavor") != "Google" {
		http.Error(w, "Missing Metadata-Flavor:Google header.", http.StatusForbidden)
		return
	}
	if r.URL.Path != "/computeMetadata/v1/instance/service-accounts/default/identity" || !r.URL.Query().Has("audience") {
		http.NotFound(w, r)
		return
	}
	i.issue(w, "%s", map[string]any{"iss": googleIssuer, "aud": r.URL.Query().Get("audience"), "azp": "117", "sub": "117"})
}

// azure stands in for Azure's metadata service.
func (i *signer) azure(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/metadata/identity/oauth2/token" || r.Header.Get("Metadata") != "true" {
		http.Error(w, `{"error":"invalid_request","error_description":"Required metadata header not specified"}`, http.StatusBadRequest)
		return
	}
	i.issue(w, `{"access_token":"%s","token_type":"Bearer"}`, map[string]any{"iss": entraIssuer, "aud": r.URL.Query().Get("resource"), "sub": "identity"})
}

// gitHub stands in for the service that issues the tokens of jobs.
func (i *signer) gitHub(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+plantedRequestToken {
		http.Error(w, `{"message":"not `+r.Header.Get("Authorization")+`"}`, http.StatusUnauthorized)
		return
	}
	i.issue(w, `{"count":1,"value":"%s"}`, map[string]any{"iss": gitHubIssuer, "aud": r.URL.Query().Get("audience"), "sub": "repo:shop/reports:ref:refs/heads/main"})
}

// renewed waits until a file holds another token than a copy of it.
func renewed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: renewed FILE COPY")
	}
	old := ts.ReadFile(args[1])
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if now := ts.ReadFile(args[0]); now != old {
			if strings.Count(now, ".") != 2 {
				ts.Fatalf("%s holds %d bytes that are no token", args[0], len(now))
			}
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s is not renewed", args[0])
		}
	}
}

// asked checks how many tokens the services have issued.
func (s *stage) asked(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: [!] asked NUMBER")
	}
	if n := fmt.Sprint(s.issuer.asked.Load()); (n == args[0]) == neg {
		ts.Fatalf("%s tokens were asked for", n)
	}
}
