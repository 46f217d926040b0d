package iam

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

var (
	entityName = regexp.MustCompile(`^[\w+=,.@-]+$`)
	entityPath = regexp.MustCompile(`^(/|/[!-~]+/)$`)
)

type roleXML struct {
	Path                     string
	RoleName                 string
	RoleID                   string `xml:"RoleId"`
	Arn                      string
	CreateDate               string
	AssumeRolePolicyDocument string
	Description              string       `xml:",omitempty"`
	MaxSessionDuration       int          `xml:",omitempty"`
	PermissionsBoundary      *boundaryXML `xml:",omitempty"`
	Tags                     *wire.List[tagXML]
}

type boundaryXML struct{ PermissionsBoundaryType, PermissionsBoundaryArn string }

type tagXML struct{ Key, Value string }

type roleResult struct{ Role roleXML }

// viewRole shows a role. The lock must be held.
func viewRole(r *world.Role) roleXML {
	v := roleXML{
		Path: r.Path, RoleName: r.Name, RoleID: r.ID, Arn: r.ARN, CreateDate: wire.Timestamp(r.Created),
		AssumeRolePolicyDocument: encoded(r.Trust), Description: r.Description,
		MaxSessionDuration: int(r.MaxSession / time.Second), PermissionsBoundary: viewBoundary(r.Boundary),
	}
	if len(r.Tags) > 0 {
		tags := viewTags(r.Tags)
		v.Tags = &tags
	}
	return v
}

func viewBoundary(arn string) *boundaryXML {
	if arn == "" {
		return nil
	}
	return &boundaryXML{"PermissionsBoundaryPolicy", arn}
}

func viewTags(tags map[string]string) wire.List[tagXML] {
	var l wire.List[tagXML]
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		l.Members = append(l.Members, tagXML{k, tags[k]})
	}
	return l
}

// created reads what CreateRole, CreateUser and CreatePolicy have alike.
type created struct {
	name, path, boundary string
	tags                 map[string]string
	context              policy.Context
}

func (q *request) created(kind string, maxName int) (created, error) {
	n := created{name: q.Get(kind + "Name"), path: q.Get("Path"), boundary: q.Get("PermissionsBoundary"), context: policy.Context{}}
	if n.path == "" {
		n.path = "/"
	}
	var v wire.Validation
	validateName(&v, strings.ToLower(kind)+"Name", n.name, maxName)
	v.Length("path", n.path, 1, 512)
	v.Pattern("path", n.path, entityPath, `(/)|(/[!-~]+/)`)
	var duplicate bool
	n.tags, duplicate = v.Tags(q.Members("Tags"))
	if err := v.Err(); err != nil {
		return n, err
	}
	if duplicate {
		return n, invalidInput("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
	}
	if n.boundary != "" {
		n.context["iam:PermissionsBoundary"] = values(n.boundary)
	}
	n.context.Add(world.TagMapContext(n.tags))
	return n, nil
}

func validateName(v *wire.Validation, field, name string, max int) {
	v.Required(field, name)
	v.Length(field, name, 1, max)
	v.Pattern(field, name, entityName, `[\w+=,.@-]+`)
}

func (q *request) maxSession() (time.Duration, error) {
	seconds, given, err := q.Int("MaxSessionDuration")
	if err != nil || !given {
		return time.Hour, err
	}
	var v wire.Validation
	v.Range("maxSessionDuration", seconds, 3600, 43200)
	return time.Duration(seconds) * time.Second, v.Err()
}

func createRole(q *request) (any, error) {
	n, err := q.created("Role", 64)
	if err != nil {
		return nil, err
	}
	arn := q.arn("role", n.path, n.name)
	if err := q.allowNew(arn, n.context); err != nil {
		return nil, err
	}
	life, err := q.maxSession()
	if err != nil {
		return nil, err
	}
	q.World.Lock()
	defer q.World.Unlock()
	trust, err := q.trust("AssumeRolePolicyDocument")
	if err != nil {
		return nil, err
	}
	a := q.account()
	for name := range a.Roles {
		if strings.EqualFold(name, n.name) {
			return nil, exists("Role with name %s already exists.", n.name)
		}
	}
	if n.boundary != "" && !q.attachable(n.boundary) {
		return nil, notAttachable(n.boundary)
	}
	r := a.AddRole(n.name, n.path, trust)
	q.Changed(world.Thing{Kind: "role", Account: a.ID, Name: r.Name})
	r.Description, r.Created, r.MaxSession = q.Get("Description"), q.Time, life
	r.Boundary, r.Tags = n.boundary, n.tags
	return roleResult{viewRole(r)}, nil
}

// trust parses a trust policy and binds it to the users and roles that it
// names, which must exist.
func (q *request) trust(parameter string) (*policy.Document, error) {
	doc, err := q.document(policy.Trust, parameter)
	if err != nil {
		return nil, err
	}
	if doc, err = doc.Bind(q.World.UniqueID); err != nil {
		return nil, world.PolicyRefusal(err)
	}
	return doc, nil
}

func getRole(q *request) (any, error) {
	return roleShelf.with(q, nil, func(_ *world.Account, r *world.Role) (any, error) {
		return roleResult{viewRole(r)}, nil
	})
}

func listRoles(q *request) (any, error) {
	some, p, err := listed(q, roleShelf, func(r *world.Role) roleXML {
		v := viewRole(r)
		v.Tags = nil
		return v
	})
	return struct {
		Roles wire.List[roleXML]
		page
	}{wire.ListOf(some...), p}, err
}

func updateRole(q *request) (any, error) {
	return roleShelf.with(q, nil, func(_ *world.Account, r *world.Role) (any, error) {
		if q.Has("MaxSessionDuration") {
			life, err := q.maxSession()
			if err != nil {
				return nil, err
			}
			r.MaxSession = life
		}
		if q.Has("Description") {
			r.Description = q.Get("Description")
		}
		return struct{}{}, nil
	})
}

func deleteRole(q *request) (any, error) {
	return roleShelf.with(q, nil, func(a *world.Account, r *world.Role) (any, error) {
		if len(r.Attached) > 0 {
			return nil, conflict("Cannot delete entity, must detach all policies first.")
		}
		if len(r.Inline) > 0 {
			return nil, conflict("Cannot delete entity, must delete policies first.")
		}
		delete(a.Roles, r.Name)
		return nil, nil
	})
}

func updateTrust(q *request) (any, error) {
	return roleShelf.with(q, nil, func(_ *world.Account, r *world.Role) (any, error) {
		doc, err := q.trust("PolicyDocument")
		if err != nil {
			return nil, err
		}
		r.Trust = doc
		return nil, nil
	})
}
