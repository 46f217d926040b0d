package proof

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"daypass.dev"
)

// The servers here stand in for services of Google, Azure and GitHub: they
// speak their protocols over a socket, as documented, and issue tokens whose
// signatures nobody verifies.

const (
	plantedAccess  = "ya29.planted-access-token"
	plantedRequest = "planted-request-token"
	machineAccount = "machine@shop.iam.gserviceaccount.com"
	chosenAccount  = "reports@shop.iam.gserviceaccount.com"
	chosenClient   = "77777777-2222-4333-8444-555555555555"
)

// A standIn is a server and what it was asked.
type standIn struct {
	*httptest.Server
	calls atomic.Int64
	// instead answers in place of the service; nil: as it is documented.
	instead atomic.Pointer[http.HandlerFunc]
}

// answer lets something else answer from now on.
func (s *standIn) answer(h http.HandlerFunc) { s.instead.Store(&h) }

func stand(t testing.TB, service http.HandlerFunc, tls bool) *standIn {
	s := &standIn{}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		if instead := s.instead.Load(); instead != nil {
			(*instead)(w, r)
			return
		}
		service(w, r)
	})
	if s.Server = httptest.NewUnstartedServer(handler); tls {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *standIn) host() string { return strings.TrimPrefix(s.URL, "http://") }

// googleMetadata stands in for the metadata server of a machine with a service
// account. It answers only those who send Metadata-Flavor, and nobody's proxy.
func googleMetadata(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Metadata-Flavor", "Google")
	if r.Header.Get("Metadata-Flavor") != "Google" || r.Header.Get("X-Forwarded-For") != "" {
		http.Error(w, "Missing Metadata-Flavor:Google header.", http.StatusForbidden)
		return
	}
	switch r.URL.Path {
	case metadataAccount + "identity":
		audience := r.URL.Query().Get("audience")
		if audience == "" {
			http.Error(w, "non-empty audience parameter required", http.StatusBadRequest)
			return
		}
		c := ofGoogle()
		c["aud"] = audience
		if r.URL.Query().Get("format") != "full" {
			delete(c, "email")
			delete(c, "email_verified")
		}
		_, _ = io.WriteString(w, jwt(c))
	case metadataAccount + "token":
		fmt.Fprintf(w, `{"access_token":%q,"expires_in":3599,"token_type":"Bearer"}`, plantedAccess)
	default:
		http.NotFound(w, r)
	}
}

// googleIAM stands in for IAM Credentials, where the machine's account may get
// identity tokens of one other.
func googleIAM(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code, message string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"code":%d,"message":%q,"status":%q}}`, status, message, code)
	}
	var ask struct {
		Audience     string
		IncludeEmail bool
	}
	switch err := json.NewDecoder(r.Body).Decode(&ask); {
	case r.Header.Get("Authorization") != "Bearer "+plantedAccess:
		refuse(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
	case r.Method != http.MethodPost || err != nil || ask.Audience == "":
		refuse(400, "INVALID_ARGUMENT", "Invalid request")
	case r.URL.Path != "/v1/projects/-/serviceAccounts/"+chosenAccount+":generateIdToken":
		refuse(403, "PERMISSION_DENIED", "Permission 'iam.serviceAccounts.getOpenIdToken' denied on resource (or it may not exist).")
	default:
		c := ofGoogle()
		c["aud"], c["email"] = ask.Audience, chosenAccount
		if !ask.IncludeEmail {
			delete(c, "email")
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"token": jwt(c)})
	}
}

// azureMetadata stands in for the metadata service of a machine with a managed
// identity of its own and one that is chosen by its client id.
func azureMetadata(w http.ResponseWriter, r *http.Request) {
	refuse := func(text string) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":"invalid_request","error_description":%q}`, text)
	}
	q := r.URL.Query()
	switch {
	case r.URL.Path != "/metadata/identity/oauth2/token":
		http.NotFound(w, r)
	case r.Header.Get("Metadata") != "true":
		refuse("Required metadata header not specified")
	case q.Get("api-version") != "2018-02-01" || q.Get("resource") == "":
		refuse("A required parameter is missing")
	case q.Has("client_id") && q.Get("client_id") != chosenClient:
		refuse("Identity not found")
	default:
		c := ofEntra()
		c["aud"] = q.Get("resource")
		if q.Has("client_id") {
			c["appid"] = chosenClient
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"access_token": jwt(c), "expires_in": "86399", "token_type": "Bearer", "resource": q.Get("resource")})
	}
}

// gitHubActions stands in for the service that issues the tokens of jobs.
func gitHubActions(w http.ResponseWriter, r *http.Request) {
	switch q := r.URL.Query(); {
	case r.Header.Get("Authorization") != "Bearer "+plantedRequest:
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"message":"The token is not authorized"}`)
	case r.URL.Path != "/runs/7/idtoken" || q.Get("api-version") != "2.0":
		http.NotFound(w, r)
	default:
		c := ofGitHub()
		if q.Has("audience") {
			c["aud"] = q.Get("audience")
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"count": 1, "value": jwt(c)})
	}
}

// A placed source has its stand-in; where it asks two services, the latter.
type placed struct {
	source TokenSource
	asks   *standIn
	secret string // that the call carries
}

const audienceOfAll = "api://daypass audience & more"

// sources are all sources that ask a service, each with its stand-ins.
func sources(t testing.TB) map[string]placed {
	metadata := stand(t, googleMetadata, false)
	iam := stand(t, googleIAM, true)
	behind := stand(t, googleMetadata, false)
	azure := stand(t, azureMetadata, false)
	github := stand(t, gitHubActions, true)
	return map[string]placed{
		"google": {&Google{Audience: audienceOfAll, MetadataHost: metadata.host()}, metadata, ""},
		"google account": {&Google{Audience: audienceOfAll, Account: chosenAccount, MetadataHost: behind.host(),
			Client: iam.Client(), iam: iam.URL}, iam, plantedAccess},
		"azure": {&Azure{Audience: audienceOfAll, MetadataURL: azure.URL + "/"}, azure, ""},
		"github": {&GitHub{Audience: audienceOfAll, RequestURL: github.URL + "/runs/7/idtoken?" + url.Values{"api-version": {"2.0"}}.Encode(),
			RequestToken: daypass.Secret(plantedRequest), Client: github.Client()}, github, plantedRequest},
	}
}
