package iam

import (
	"maps"
	"slices"
	"strings"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

type userXML struct {
	Path                string
	UserName            string
	UserID              string `xml:"UserId"`
	Arn                 string
	CreateDate          string
	PermissionsBoundary *boundaryXML `xml:",omitempty"`
	Tags                *wire.List[tagXML]
}

type userResult struct{ User userXML }

func viewUser(u *world.User) userXML {
	v := userXML{
		Path: u.Path, UserName: u.Name, UserID: u.ID, Arn: u.ARN,
		CreateDate: wire.Timestamp(u.Created), PermissionsBoundary: viewBoundary(u.Boundary),
	}
	if len(u.Tags) > 0 {
		tags := viewTags(u.Tags)
		v.Tags = &tags
	}
	return v
}

func createUser(q *request) (any, error) {
	n, err := q.created("User", 64)
	if err != nil {
		return nil, err
	}
	arn := q.arn("user", n.path, n.name)
	if err := q.allow(arn, n.context); err != nil {
		return nil, err
	}
	q.World.Lock()
	defer q.World.Unlock()
	a := q.account()
	for name := range a.Users {
		if strings.EqualFold(name, n.name) {
			return nil, exists("User with name %s already exists.", n.name)
		}
	}
	if n.boundary != "" && !q.attachable(n.boundary) {
		return nil, notAttachable(n.boundary)
	}
	u := a.AddUser(n.name, n.path)
	q.Changed(world.Thing{Kind: "user", Account: a.ID, Name: u.Name})
	u.Created, u.Boundary, u.Tags = q.Time, n.boundary, n.tags
	return userResult{viewUser(u)}, nil
}

// userName is the named user or, as for AWS, the caller.
func (q *request) userName() string {
	if name := q.Get("UserName"); name != "" || q.Caller.Kind != policy.User {
		return name
	}
	return q.Caller.Name
}

// withUser authorizes the call on the named user, or else the caller, and then
// runs do on it, under the world's lock.
func (q *request) withUser(ctx policy.Context, do func(*world.Account, *world.User) (any, error)) (any, error) {
	name := q.userName()
	var v wire.Validation
	validateName(&v, "userName", name, 128)
	if err := v.Err(); err != nil {
		return nil, err
	}
	q.World.RLock()
	arn, context := q.arn("user", "/", name), policy.Context{}
	if u := q.account().Users[name]; u != nil {
		arn = u.ARN
		holderContext(context, u.Tags, u.Boundary)
	}
	q.World.RUnlock()
	maps.Copy(context, ctx)
	if err := q.allow(arn, context); err != nil {
		return nil, err
	}
	q.World.Lock()
	defer q.World.Unlock()
	a := q.account()
	u := a.Users[name]
	if u == nil {
		return nil, missing("The user with name %s cannot be found.", name)
	}
	q.Changed(world.Thing{Kind: "user", Account: a.ID, Name: u.Name})
	return do(a, u)
}

func getUser(q *request) (any, error) {
	return q.withUser(nil, func(_ *world.Account, u *world.User) (any, error) {
		return userResult{viewUser(u)}, nil
	})
}

func listUsers(q *request) (any, error) {
	prefix := q.Get("PathPrefix")
	if err := q.allow(q.arn("user", orSlash(prefix), ""), nil); err != nil {
		return nil, err
	}
	q.World.RLock()
	defer q.World.RUnlock()
	all := q.account().Users
	var found []userXML
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if strings.HasPrefix(all[name].Path, prefix) {
			v := viewUser(all[name])
			v.Tags = nil
			found = append(found, v)
		}
	}
	some, p, err := paged(q, found)
	return struct {
		Users wire.List[userXML]
		page
	}{wire.ListOf(some...), p}, err
}

func deleteUser(q *request) (any, error) {
	return q.withUser(nil, func(a *world.Account, u *world.User) (any, error) {
		switch {
		case len(u.Attached) > 0:
			return nil, conflict("Cannot delete entity, must detach all policies first.")
		case len(u.Inline) > 0:
			return nil, conflict("Cannot delete entity, must delete policies first.")
		case len(u.Keys) > 0:
			return nil, conflict("Cannot delete entity, must delete access keys first.")
		}
		delete(a.Users, u.Name)
		return nil, nil
	})
}
