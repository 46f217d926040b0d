package main

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"daypass.dev/deliver"
	"daypass.dev/internal/cli"
	"daypass.dev/refresh"
)

// A namedRole is a role that serve has under a name.
type namedRole struct{ name, arn string }

// roles are what --role gives, by which several are served. The variable gives
// them with spaces between, because a role's name may hold a comma.
type roles []namedRole

// Set adds roles.
func (r *roles) Set(text string) error {
	const hint = "as in: --role reports=arn:aws:iam::111122223333:role/reports"
	for one := range strings.FieldsSeq(text) {
		name, arn, ok := strings.Cut(one, "=")
		if !ok || name == "" || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			return cli.Usagef(hint, "%.80q is not NAME=ARN, with a name of letters, digits, - and _", one)
		}
		for _, other := range *r {
			if other.name == name {
				return cli.Usagef(hint, "two roles have the name %s", name)
			}
		}
		*r = append(*r, namedRole{name, arn})
	}
	return nil
}

func (r *roles) String() string { return "" }

// Type stands for the value in help.
func (r *roles) Type() string { return "NAME=ARN" }

// A roleServed is a role that is kept fresh.
type roleServed struct {
	namedRole
	source *refresh.Source
}

// path is what stands before all paths of the role.
func (r roleServed) path() string {
	if r.name == "" {
		return ""
	}
	return deliver.RolePath(r.name)
}

// rolesServed are all roles of one serve: a single one without a name, or
// several with.
type rolesServed []roleServed

// rolesServed wires the call for each role, which all show the same proof.
func (o *options) rolesServed(named roles, log *slog.Logger) (rolesServed, shown, error) {
	if len(named) > 0 && o.RoleARN+o.ChainRoleARN != "" {
		return nil, shown{}, cli.Usagef("leave one of them out; variables count, too",
			"--role names the roles to serve, so that --role-arn and --chain-role-arn mean nothing")
	}
	if len(named) == 0 {
		named = roles{{"", o.RoleARN}}
	}
	p, err := o.Proof(log)
	if err != nil {
		return nil, shown{}, said(err)
	}
	var all rolesServed
	for _, role := range named {
		its, itsLog := *o, log
		its.RoleARN = role.arn
		if role.name != "" {
			itsLog = log.With("name", role.name)
		}
		call, err := its.Call(p, itsLog)
		if err != nil {
			return nil, shown{}, said(err)
		}
		all = append(all, roleServed{role, &refresh.Source{From: call, Changed: p.Changed, Log: itsLog}})
	}
	return all, shown{p}, nil
}

// atFirst is how long serve waits for its first credentials before it answers
// anybody: Go's IMDS client, for one, does not ask again.
const atFirst = 2 * time.Second

// begin starts to renew, which logs what comes of it, and waits for what comes
// first, be it an error.
func (all rolesServed) begin(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, atFirst)
	defer cancel()
	var first sync.WaitGroup
	for _, r := range all {
		first.Go(func() { _, _ = r.source.Credentials(ctx) })
	}
	first.Wait()
	debug.FreeOSMemory() // reading the system's roots left 2 MB behind
}

func (all rolesServed) close() {
	for _, r := range all {
		_ = r.source.Close()
	}
}

// answer speaks both protocols for a single role, and the containers' for
// several. IMDS has no way to name a role that every SDK goes: Go's and
// JavaScript's leave out a path in the endpoint, and of several names in its
// list some take the first and others none.
func (all rolesServed) answer(o *options, tokenFile string, log *slog.Logger) http.Handler {
	byName := map[string]http.Handler{}
	for _, r := range all {
		container := &deliver.Container{Source: r.source, TokenFile: tokenFile, RoleARN: r.arn, Log: log}
		if r.name == "" {
			return byPath(&deliver.IMDS{Source: r.source, RoleARN: r.arn, Region: o.ServedRegion(), Log: log}, container)
		}
		byName[r.name] = container
	}
	return &deliver.Roles{Of: byName, Log: log}
}

func (all rolesServed) health(shows shown) *deliver.Health {
	return &deliver.Health{
		Ready: shows.whole,
		Metrics: func() []deliver.Metric {
			remaining, calls, failures := []deliver.Metric{}, []deliver.Metric{}, []deliver.Metric{}
			for _, r := range all {
				status := r.source.Status()
				remaining = append(remaining, deliver.Metric{Name: "daypass_credentials_remaining_seconds", Role: r.name,
					Help: "Life left in the credentials held; 0 if there are none.", Value: status.Remaining.Seconds()})
				calls = append(calls, deliver.Metric{Name: "daypass_exchange_calls_total", Role: r.name, Counter: true,
					Help: "Calls to AWS for credentials.", Value: float64(status.Calls)})
				failures = append(failures, deliver.Metric{Name: "daypass_exchange_failures_total", Role: r.name, Counter: true,
					Help: "Calls to AWS that gave no credentials.", Value: float64(status.Failures)})
			}
			return append(append(append(shows.ends(context.Background()), remaining...), calls...), failures...)
		},
	}
}
