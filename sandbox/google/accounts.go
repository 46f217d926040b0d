package google

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"daypass.dev/sandbox/world"
)

// keptAccounts bounds what nobody has to show credentials for.
const keptAccounts = 1000

type accountJSON struct {
	Name      string `json:"name"`
	ProjectID string `json:"projectId"`
	UniqueID  string `json:"uniqueId"`
	Email     string `json:"email"`
}

func view(a *world.GoogleAccount) accountJSON {
	return accountJSON{"projects/" + a.Project + "/serviceAccounts/" + a.Email, a.Project, a.ID, a.Email}
}

// on finds the account that the path names, by its address or number, and does
// something with it under the world's lock.
func (q *request) on(do func(*world.GoogleAccount) error) error {
	q.World.Lock()
	defer q.World.Unlock()
	a := q.find()
	if a == nil {
		return refuse("google-account-missing", http.StatusNotFound, "Unknown service account", "there is no service account %.100q", q.account)
	}
	return do(a)
}

// find needs the world's lock; nil: there is none.
func (q *request) find() *world.GoogleAccount {
	for _, a := range q.World.Google.Accounts {
		if (a.Email == q.account || a.ID == q.account) && (q.project == "-" || q.project == a.Project) {
			return a
		}
	}
	return nil
}

// create makes an account.
//
// https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/create
func create(q *request) error {
	var ask struct {
		AccountID string `json:"accountId"`
	}
	if err := q.read(&ask); err != nil {
		return err
	}
	q.World.Lock()
	defer q.World.Unlock()
	email := ask.AccountID + "@" + q.project + ".iam.gserviceaccount.com"
	switch {
	case q.World.Google.Accounts[email] != nil:
		return refuse("google-account-exists", http.StatusConflict, "Service account "+ask.AccountID+" already exists within project projects/"+q.project+".", "")
	case len(q.World.Google.Accounts) >= keptAccounts:
		return refuse("google-argument", http.StatusTooManyRequests, "Quota exceeded.", "there are %d accounts", keptAccounts)
	}
	a, err := q.World.AddGoogleAccount(email, "")
	if err != nil {
		return refuse("google-argument", http.StatusBadRequest, "Request contains an invalid argument.", "%v", err)
	}
	q.Changed(world.Thing{Kind: "world"})
	return answer(q.w, view(a))
}

type bindingJSON struct {
	Role    string   `json:"role"`
	Members []string `json:"members"`
}

type policyJSON struct {
	Version  int           `json:"version"`
	Bindings []bindingJSON `json:"bindings,omitempty"`
}

func policyOf(a *world.GoogleAccount) policyJSON {
	p := policyJSON{Version: 1}
	for _, role := range slices.Sorted(maps.Keys(a.Bindings)) {
		p.Bindings = append(p.Bindings, bindingJSON{role, a.Bindings[role]})
	}
	return p
}

// setPolicy replaces an account's policy. Conditions on bindings are not built.
//
// https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/setIamPolicy
func setPolicy(q *request) error {
	var ask struct {
		Policy struct {
			Bindings []struct {
				bindingJSON
				Condition any `json:"condition"`
			} `json:"bindings"`
		} `json:"policy"`
	}
	if err := q.read(&ask); err != nil {
		return err
	}
	bindings := map[string][]string{}
	for _, b := range ask.Policy.Bindings {
		if b.Condition != nil {
			e := q.NotBuilt()
			e.Detail = "conditions of bindings are not built"
			return e
		}
		if !strings.HasPrefix(b.Role, "roles/") || len(b.Members) == 0 {
			return refuse("google-argument", http.StatusBadRequest, "Request contains an invalid argument.", "binding of role %.100q with %d members", b.Role, len(b.Members))
		}
		for _, m := range b.Members {
			if kind, name, ok := strings.Cut(m, ":"); !ok || kind != "serviceAccount" && kind != "user" && kind != "group" || name == "" {
				return refuse("google-argument", http.StatusBadRequest, "Invalid member.", "%.100q is no member", m)
			}
		}
		bindings[b.Role] = append(bindings[b.Role], b.Members...)
	}
	return q.on(func(a *world.GoogleAccount) error {
		a.Bindings = bindings
		q.Changed(world.Thing{Kind: "world"})
		return answer(q.w, policyOf(a))
	})
}

// generate is IAM Credentials' generateIdToken: a token of an account for
// whoever may create its tokens, the account itself not excepted.
//
// https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken
func (s *Service) generate(q *request) error {
	scheme, token, _ := strings.Cut(q.http.Header.Get("Authorization"), " ")
	caller := s.holder(q.Call, token)
	if !strings.EqualFold(scheme, "Bearer") || caller == "" {
		return refuse("google-access-token", http.StatusUnauthorized, "Request had invalid authentication credentials.", "the request bears no access token that this metadata server has given out and that is valid")
	}
	q.Decision.Caller = caller
	var ask struct {
		Audience     string   `json:"audience"`
		IncludeEmail bool     `json:"includeEmail"`
		Delegates    []string `json:"delegates"`
	}
	if err := q.read(&ask); err != nil {
		return err
	}
	switch {
	case ask.Audience == "":
		return refuse("google-argument", http.StatusBadRequest, "Request contains an invalid argument.", "audience is missing")
	case len(ask.Delegates) > 0:
		e := q.NotBuilt()
		e.Detail = "delegates are not built"
		return e
	case q.project != "-":
		return refuse("google-argument", http.StatusBadRequest, "Request contains an invalid argument.", "the project in the path is %.100q, and must be a hyphen", q.project)
	}
	var account world.GoogleAccount
	err := q.on(func(a *world.GoogleAccount) error {
		if !a.Binds("serviceAccount:"+caller, "roles/iam.serviceAccountTokenCreator", "roles/iam.serviceAccountOpenIdTokenCreator") {
			return refuse("google-not-token-creator", http.StatusForbidden,
				"Permission 'iam.serviceAccounts.getOpenIdToken' denied on resource (or it may not exist).",
				"serviceAccount:%s is not among the members of roles/iam.serviceAccountTokenCreator on %s", caller, a.Email)
		}
		account = *a
		return nil
	})
	if err != nil {
		return err
	}
	made, err := s.token(q.Call, account, ask.Audience, ask.IncludeEmail, nil)
	if err != nil {
		return err
	}
	return answer(q.w, map[string]string{"token": made})
}
