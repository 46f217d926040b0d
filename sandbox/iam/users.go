package iam

import (
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
	if err := q.allowNew(arn, n.context); err != nil {
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

func getUser(q *request) (any, error) {
	return userShelf.with(q, nil, func(_ *world.Account, u *world.User) (any, error) {
		return userResult{viewUser(u)}, nil
	})
}

func listUsers(q *request) (any, error) {
	some, p, err := listed(q, userShelf, func(u *world.User) userXML {
		v := viewUser(u)
		v.Tags = nil
		return v
	})
	return struct {
		Users wire.List[userXML]
		page
	}{wire.ListOf(some...), p}, err
}

func deleteUser(q *request) (any, error) {
	return userShelf.with(q, nil, func(a *world.Account, u *world.User) (any, error) {
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
