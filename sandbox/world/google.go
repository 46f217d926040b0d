package world

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// A Google is what the stand-in for Google Cloud knows. The world's lock must
// be held around it.
type Google struct {
	Accounts map[string]*GoogleAccount // :: e-mail address
	// Machine is the account of whoever asks the metadata server and is no pod:
	// an e-mail address; empty: such a machine has none.
	Machine string
	// Pods, if set, tells pods apart, as the metadata server of a GKE node does.
	// It is not kept.
	Pods func(ctx context.Context, ip string) (GooglePod, error) `json:"-"`
}

// A GoogleAccount is a Google service account.
type GoogleAccount struct {
	Email, Project string
	// ID is its unique number, as text: sub and azp of its tokens.
	ID      string
	Created time.Time
	// Bindings are its own IAM policy: members by role.
	Bindings map[string][]string
}

// Binds reports whether a member holds one of the roles on the account.
func (a *GoogleAccount) Binds(member string, roles ...string) bool {
	return slices.ContainsFunc(roles, func(role string) bool { return slices.Contains(a.Bindings[role], member) })
}

// A GooglePod is a pod as GKE's metadata server sees it. Account is what its
// ServiceAccount's annotation iam.gke.io/gcp-service-account says; empty: it
// has none.
type GooglePod struct{ Namespace, ServiceAccount, Account string }

var googleEmail = regexp.MustCompile(`^([a-z][a-z0-9-]{4,28}[a-z0-9])@([a-z][a-z0-9-]{4,28}[a-z0-9])\.iam\.gserviceaccount\.com$`)

// AddGoogleAccount makes an account of an e-mail address
// (NAME@PROJECT.iam.gserviceaccount.com, each of 6 to 30 characters), with a
// number by chance if id is empty.
func (w *World) AddGoogleAccount(email, id string) (*GoogleAccount, error) {
	m := googleEmail.FindStringSubmatch(email)
	if m == nil {
		return nil, fmt.Errorf("%.100q is not NAME@PROJECT.iam.gserviceaccount.com", email)
	}
	if id == "" {
		n, err := rand.Int(rand.Reader, new(big.Int).Exp(big.NewInt(10), big.NewInt(20), nil))
		if err != nil {
			return nil, err
		}
		id = fmt.Sprintf("1%020d", n)
	}
	if w.Google.Accounts == nil {
		w.Google.Accounts = map[string]*GoogleAccount{}
	}
	a := &GoogleAccount{Email: email, Project: m[2], ID: id, Created: w.Now(), Bindings: map[string][]string{}}
	w.Google.Accounts[email] = a
	return a, nil
}

var googleID = regexp.MustCompile(`^[0-9]{21}$`)

// google reads the accounts that the stand-in has from the start.
func (l *loader) google(n *yaml.Node) {
	l.fields(n, "google", map[string]func(*yaml.Node){
		"machine": func(n *yaml.Node) {
			l.world.Google.Machine = l.text(n)
			l.later = append(l.later, func() {
				if l.world.Google.Accounts[l.world.Google.Machine] == nil {
					l.fail(n, "add it to accounts:", "google has no account %q", n.Value)
				}
			})
		},
		"accounts": func(n *yaml.Node) { l.each(n, "google's accounts", l.googleAccount) },
	})
}

func (l *loader) googleAccount(key, n *yaml.Node) {
	id, bindings := "", map[string][]string{}
	if !l.absent(n) {
		l.fields(n, "a Google account", map[string]func(*yaml.Node){
			"id": func(n *yaml.Node) { id = l.matching(n, googleID, "an account's number", "with 21 digits, in quotes") },
			"bindings": func(n *yaml.Node) {
				l.each(n, "bindings", func(role, members *yaml.Node) {
					if !strings.HasPrefix(role.Value, "roles/") {
						l.fail(role, "write it as roles/iam.workloadIdentityUser", "%q is no role", role.Value)
					}
					bindings[role.Value] = l.texts(members, "members")
				})
			},
		})
	}
	a, err := l.world.AddGoogleAccount(key.Value, id)
	if err != nil {
		l.fail(key, "name and project have 6 to 30 characters each", "%v", err)
		return
	}
	a.Bindings = bindings
}
