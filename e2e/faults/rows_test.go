package faults

import (
	"net/http"
	"slices"
	"time"

	"daypass.dev/e2e/stage"
	"daypass.dev/policy"
	"daypass.dev/sandbox/world"
)

// A fault is something that goes wrong on the way to AWS's answer.
type fault struct {
	name string
	// begin makes it happen, end makes it go away.
	begin func(*world.World) (end func())
	// codes are those of which callers are told one.
	codes []string
	// pause is the shortest time between two calls that refresh documents: its
	// floor, what AWS asked for, or how long a call is waited for and the floor.
	pause time.Duration
	// firsts are the shortest pauses after the first failures, where no
	// credentials have ever come: they double. What follows is no shorter.
	firsts []time.Duration
	// like is an earlier fault at which callers are answered the same, or empty.
	like string
}

// Of exchange's own codes, and of deliver's for what is none of AWS's.
const (
	invalid     = "InvalidResponse"
	unavailable = "CredentialsUnavailable"
	pending     = "CredentialsPending"
)

// faults is the list. Every test of serve's faults walks all of it.
func faults() []fault {
	const second = time.Second
	doubling := []time.Duration{second, second, 2 * second, 4 * second, 8 * second}
	refused := []time.Duration{5 * second, 10 * second}
	broken := func(name, body string) fault {
		return fault{name, strike(world.Fault{Body: &body}), []string{invalid}, second, doubling, "half-a-body"}
	}
	return []fault{
		{"refusing-by-trust-policy", untrusted, []string{"AccessDeniedException"}, second, refused, ""},
		{"refusing-by-profile", disabled, []string{"AccessDeniedException"}, second, refused, "refusing-by-trust-policy"},
		{"throttling", strike(world.Fault{Throttle: true, RetryAfter: 5 * second}), []string{"ThrottlingException"}, 5 * second,
			[]time.Duration{5 * second, 5 * second}, ""},
		{"failing", strike(world.Fault{Code: "InternalServerException", Message: "later", Status: http.StatusInternalServerError}),
			[]string{"InternalServerException"}, second, doubling, ""},
		{"hanging", strike(world.Fault{Hang: true}), []string{pending, unavailable}, 16 * second, []time.Duration{16 * second, 16 * second}, ""},
		{"resetting", strike(world.Fault{Reset: true}), []string{unavailable}, second, doubling, "hanging"},
		{"half-a-body", strike(world.Fault{HalfBody: true}), []string{invalid}, second, doubling, ""},
		broken("wrong-json", `{"credentialSet": [{"credentials": `),
		broken("no-json", `<html>a portal asks you to log in</html>`),
		broken("empty-credential-set", `{"credentialSet": []}`),
		broken("empty-key", `{"credentialSet": [{"credentials": {"accessKeyId": "", "secretAccessKey": "", `+
			`"sessionToken": "", "expiration": "2099-01-01T00:00:00Z"}}]}`),
	}
}

// unanswered: AWS gave no answer, so that the code is ours.
func (f fault) unanswered() bool { return slices.Contains(f.codes, unavailable) }

func strike(f world.Fault) func(*world.World) func() {
	f.Operation = "CreateSession"
	return func(w *world.World) func() {
		w.SetFaults(f)
		return func() { w.SetFaults() }
	}
}

func untrusted(w *world.World) func() {
	w.Lock()
	defer w.Unlock()
	role := w.Role(stage.RoleARN)
	trust := role.Trust
	role.Trust = &policy.Document{}
	return func() {
		w.Lock()
		defer w.Unlock()
		role.Trust = trust
	}
}

func disabled(w *world.World) func() {
	set := func(off bool) {
		w.Lock()
		defer w.Unlock()
		for _, p := range w.Account(w.Home).Profiles {
			p.Disabled = off
		}
	}
	set(true)
	return func() { set(false) }
}
