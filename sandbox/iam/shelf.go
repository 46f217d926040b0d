package iam

import (
	"maps"
	"slices"
	"strings"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// A shelf is one kind of thing that an account has by name: roles, users.
type shelf[T any] struct {
	kind    string // "role": in ARNs, parameters and messages
	longest int    // characters of a name that is asked for
	name    func(*request) string
	of      func(*world.Account) map[string]*T
	about   func(*T) about
}

// about is what all kinds have.
type about struct {
	arn, path, boundary string
	tags                map[string]string
}

var (
	roleShelf = shelf[world.Role]{
		"role", 64, func(q *request) string { return q.Get("RoleName") },
		func(a *world.Account) map[string]*world.Role { return a.Roles },
		func(r *world.Role) about { return about{r.ARN, r.Path, r.Boundary, r.Tags} },
	}
	userShelf = shelf[world.User]{
		"user", 128, (*request).userName,
		func(a *world.Account) map[string]*world.User { return a.Users },
		func(u *world.User) about { return about{u.ARN, u.Path, u.Boundary, u.Tags} },
	}
)

// with authorizes the call on the thing that it names and then runs do on it,
// under the world's lock. Unless the operation only reads, the thing counts as
// changed.
func (s shelf[T]) with(q *request, ctx policy.Context, do func(*world.Account, *T) (any, error)) (any, error) {
	name := s.name(q)
	var v wire.Validation
	validateName(&v, s.kind+"Name", name, s.longest)
	if err := v.Err(); err != nil {
		return nil, err
	}
	if err := s.allow(q, name, ctx); err != nil {
		return nil, err
	}
	if q.reads() {
		q.World.RLock()
		defer q.World.RUnlock()
	} else {
		q.World.Lock()
		defer q.World.Unlock()
	}
	a := q.account()
	thing := s.of(a)[name]
	if thing == nil {
		return nil, missing("The %s with name %s cannot be found.", s.kind, name)
	}
	if !q.reads() {
		q.Changed(world.Thing{Kind: s.kind, Account: a.ID, Name: name})
	}
	return do(a, thing)
}

// reads reports whether the operation changes nothing.
func (q *request) reads() bool {
	return strings.HasPrefix(q.Decision.Operation, "Get") || strings.HasPrefix(q.Decision.Operation, "List")
}

// allow authorizes the call on a thing that need not exist.
func (s shelf[T]) allow(q *request, name string, ctx policy.Context) error {
	q.World.RLock()
	arn, context := q.arn(s.kind, "/", name), policy.Context{}
	if thing := s.of(q.account())[name]; thing != nil {
		about := s.about(thing)
		arn = about.arn
		holderContext(context, about.tags, about.boundary)
	}
	q.World.RUnlock()
	maps.Copy(context, ctx)
	return q.allow(arn, context)
}

// listed is a page of the shelf's things below PathPrefix, by name.
func listed[T, V any](q *request, s shelf[T], show func(*T) V) ([]V, page, error) {
	prefix := q.Get("PathPrefix")
	if err := q.allow(q.arn(s.kind, orSlash(prefix), ""), nil); err != nil {
		return nil, page{}, err
	}
	q.World.RLock()
	defer q.World.RUnlock()
	all := s.of(q.account())
	var found []V
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if strings.HasPrefix(s.about(all[name]).path, prefix) {
			found = append(found, show(all[name]))
		}
	}
	return paged(q, found)
}

func orSlash(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

func holderContext(ctx policy.Context, tags map[string]string, boundary string) {
	for k, v := range tags {
		ctx["aws:ResourceTag/"+k] = values(v)
		ctx["iam:ResourceTag/"+k] = values(v)
	}
	if boundary != "" {
		ctx["iam:PermissionsBoundary"] = values(boundary)
	}
}
