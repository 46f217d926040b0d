// Package google is a stand-in for as much of Google Cloud as a workload needs
// to reach AWS with a Google service account: the metadata server of a machine
// and of a GKE node, IAM's service accounts, IAM Credentials' generateIdToken,
// and the keys of accounts.google.com, which are its own. Once it has issued a
// token, the sandbox's STS takes these keys for Google's, and says so in each
// decision.
//
// It was written from Google's documentation and has never been held to the
// real thing. It asks nobody who creates accounts or changes their policies
// for credentials, and knows no permission but those on one account. Texts of
// errors are its own where the documentation gives none.
package google

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"

	"daypass.dev/sandbox/world"
)

// Service answers for Google. Its zero value is ready; its key is made with the
// first token.
type Service struct {
	mu     sync.Mutex
	key    *signer
	access map[string]granted // :: access token
}

// hosts are the names that the stand-in answers to.
func hosts() []string {
	return []string{"metadata.google.internal", "accounts.google.com", "www.googleapis.com", "iam.googleapis.com", "iamcredentials.googleapis.com"}
}

// Asked reports whether a request is for Google: by its host, without port, or
// by a path that only a metadata server has.
func Asked(host, path string) bool {
	for _, h := range hosts() {
		if strings.EqualFold(host, h) {
			return true
		}
	}
	return strings.HasPrefix(path, metadataRoot)
}

const (
	discoveryPath = "/.well-known/openid-configuration"
	keysPath      = "/oauth2/v3/certs"
	metadataRoot  = "/computeMetadata/"
)

// Operation names the call: by the service account's method, or by what is
// asked of the metadata server.
func (s *Service) Operation(r *http.Request) string {
	switch {
	case strings.HasPrefix(r.URL.Path, metadataRoot):
		return "metadata " + r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	case r.URL.Path == discoveryPath:
		return "discovery"
	case r.URL.Path == keysPath:
		return "keys"
	}
	_, method, called := strings.Cut(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:], ":")
	switch {
	case called:
		return method
	case r.Method == http.MethodPost:
		return "create"
	}
	return "get"
}

// Serve answers one call.
func (s *Service) Serve(c *world.Call, w http.ResponseWriter, r *http.Request, body []byte) error {
	switch {
	case strings.HasPrefix(r.URL.Path, metadataRoot):
		return s.metadata(c, w, r)
	case r.URL.Path == discoveryPath || r.URL.Path == keysPath:
		return s.publish(c, w, r)
	}
	account, ok := strings.CutPrefix(r.URL.Path, "/v1/projects/")
	if !ok {
		return c.NotBuilt()
	}
	project, rest, _ := strings.Cut(account, "/")
	name, found := strings.CutPrefix(rest, "serviceAccounts")
	if !found {
		return c.NotBuilt()
	}
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "/"), ":")
	q := &request{Call: c, w: w, http: r, project: project, account: name, body: body}
	switch c.Decision.Operation {
	case "generateIdToken":
		return s.generate(q)
	case "create":
		return create(q)
	case "get":
		return q.on(func(a *world.GoogleAccount) error { return answer(w, view(a)) })
	case "getIamPolicy":
		return q.on(func(a *world.GoogleAccount) error { return answer(w, policyOf(a)) })
	case "setIamPolicy":
		return setPolicy(q)
	}
	return c.NotBuilt()
}

// A request is a call of a REST API.
type request struct {
	*world.Call
	w                http.ResponseWriter
	http             *http.Request
	project, account string
	body             []byte
}

func (q *request) read(into any) error {
	if err := json.Unmarshal(q.body, into); err != nil {
		return refuse("google-argument", http.StatusBadRequest, "Invalid JSON payload received.", "reading the request: %v", err)
	}
	return nil
}

func answer(w http.ResponseWriter, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_, err = w.Write(text)
	return err
}
