package google

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"daypass.dev/sandbox/world"
)

const accountsRoot = metadataRoot + "v1/instance/service-accounts/"

func flavor(w http.ResponseWriter) {
	w.Header().Set("Metadata-Flavor", "Google")
	w.Header().Set("Server", "Metadata Server for VM (stand-in)")
}

// metadata answers as the metadata server does: only to those who say by a
// header that they mean it and have not been passed on.
//
// https://cloud.google.com/compute/docs/metadata/querying-metadata
func (s *Service) metadata(c *world.Call, w http.ResponseWriter, r *http.Request) error {
	flavor(w)
	switch {
	case r.Header.Get("Metadata-Flavor") != "Google":
		return refuse("google-metadata-flavor", http.StatusForbidden, "Missing Metadata-Flavor:Google header.", "the header Metadata-Flavor is %.40q", r.Header.Get("Metadata-Flavor"))
	case len(r.Header.Values("X-Forwarded-For")) > 0:
		return refuse("google-metadata-flavor", http.StatusForbidden, "Request with X-Forwarded-For header is not allowed.", "the request came through a proxy")
	case r.Method != http.MethodGet:
		return refuse("google-argument", http.StatusBadRequest, "Only GET is supported.", "the method is %s", r.Method)
	}
	rest, ok := strings.CutPrefix(r.URL.Path, accountsRoot)
	if !ok {
		return c.NotBuilt()
	}
	account, err := s.asker(c, r)
	if err != nil {
		return err
	}
	c.Decision.Caller = account.Email
	name, what, _ := strings.Cut(rest, "/")
	if name != "default" && name != account.Email {
		return refuse("google-account-missing", http.StatusNotFound, "Not Found", "the machine's account is %s, not %.100q", account.Email, name)
	}
	switch what {
	case "email":
		_, err = fmt.Fprint(w, account.Email)
		return err
	case "token":
		return answer(w, map[string]any{"access_token": s.grant(c, account.Email), "expires_in": int(life.Seconds()), "token_type": "Bearer"})
	case "identity":
		return s.identity(c, w, r.URL.Query(), account)
	}
	return c.NotBuilt()
}

// identity answers an ID token. A machine's in format full tells of the
// machine; a pod's does not.
func (s *Service) identity(c *world.Call, w http.ResponseWriter, query url.Values, a world.GoogleAccount) error {
	audience := query.Get("audience")
	if audience == "" {
		return refuse("google-argument", http.StatusBadRequest, "non-empty audience parameter required", "audience is missing")
	}
	full := false
	switch format := query.Get("format"); format {
	case "", "standard":
	case "full":
		full = true
	default:
		return refuse("google-argument", http.StatusBadRequest, "invalid format parameter", "format is %.40q", format)
	}
	var more map[string]any
	if full && c.World.Google.Pods == nil {
		more = map[string]any{"google": map[string]any{"compute_engine": map[string]any{
			"project_id": a.Project, "zone": "us-central1-a", "instance_name": "stand-in", "instance_id": "1",
		}}}
	}
	token, err := s.token(c, a, audience, true, more)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html")
	_, err = fmt.Fprint(w, token)
	return err
}

// asker is the account of whoever asks: of a pod the one that its
// ServiceAccount names and is bound to, of all else the machine's.
func (s *Service) asker(c *world.Call, r *http.Request) (world.GoogleAccount, error) {
	none := world.GoogleAccount{}
	c.World.RLock()
	pods, email := c.World.Google.Pods, c.World.Google.Machine
	c.World.RUnlock()
	member := ""
	if pods != nil {
		ip, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			return none, err
		}
		pod, err := pods(r.Context(), ip)
		if err != nil {
			return none, refuse("google-pod-unknown", http.StatusServiceUnavailable, "The pod is not known yet.", "%s: %v", ip, err)
		}
		who := pod.Namespace + "/" + pod.ServiceAccount
		if pod.Account == "" {
			return none, refuse("google-account-missing", http.StatusNotFound, "Not Found", "ServiceAccount %s has no annotation iam.gke.io/gcp-service-account", who)
		}
		email, member = pod.Account, "["+who+"]"
	}
	c.World.RLock()
	defer c.World.RUnlock()
	a := c.World.Google.Accounts[email]
	switch {
	case email == "":
		return none, refuse("google-account-missing", http.StatusNotFound, "Not Found", "the machine has no service account")
	case a == nil:
		return none, refuse("google-account-missing", http.StatusNotFound, "Not Found", "there is no service account %.100q", email)
	case member != "" && !a.Binds("serviceAccount:"+a.Project+".svc.id.goog"+member, "roles/iam.workloadIdentityUser"):
		return none, refuse("google-not-bound", http.StatusForbidden,
			"Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
			"serviceAccount:%s.svc.id.goog%s is not among the members of roles/iam.workloadIdentityUser on %s", a.Project, member, email)
	}
	return *a, nil
}
