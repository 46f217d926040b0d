package iam

import (
	"maps"
	"slices"
	"strings"

	"daypass.dev/policy"
)

// A lender is the user or role whose policies a simulation goes by, copied.
type lender struct {
	arn, kind, name string
	inline          map[string]*policy.Document
	attached        []source
	boundary        *source
}

// lender finds a user or role of the caller's account; nil if there is none.
// There are no groups here.
func (q *request) lender(arn, kind, name string) *lender {
	if part := strings.Split(arn, ":"); len(part) < 5 || part[4] != q.Caller.Account {
		return nil
	}
	q.World.RLock()
	defer q.World.RUnlock()
	l := &lender{kind: kind, name: name}
	var attached []string
	var boundary string
	a := q.account()
	switch u, r := a.Users[name], a.Roles[name]; {
	case kind == "user" && u != nil:
		l.arn, l.inline, attached, boundary = u.ARN, maps.Clone(u.Inline), u.Attached, u.Boundary
	case kind == "role" && r != nil:
		l.arn, l.inline, attached, boundary = r.ARN, maps.Clone(r.Inline), r.Attached, r.Boundary
	default:
		return nil
	}
	for _, arn := range attached {
		l.attached = append(l.attached, q.managedSource(arn))
	}
	if boundary != "" {
		b := q.managedSource(boundary)
		l.boundary = &b
	}
	return l
}

// managedSource cites a managed policy by its friendly name (recorded). The
// lock must be held.
func (q *request) managedSource(arn string) source {
	return source{arn[strings.LastIndexByte(arn, '/')+1:], q.World.ManagedPolicy(arn)}
}

// lend adds the lender's policies before those that the call brings; a boundary
// that the call brings stands for the lender's own.
func (l *lender) lend(s *simulation) {
	brought := s.policies.Identity
	s.policies.Identity = nil
	for _, name := range slices.Sorted(maps.Keys(l.inline)) {
		s.policies.Identity = append(s.policies.Identity, s.cite(l.kind+"_"+l.name+"_"+name, l.inline[name]))
	}
	for _, m := range l.attached {
		s.policies.Identity = append(s.policies.Identity, s.cite(m.id, m.doc))
	}
	s.policies.Identity = append(s.policies.Identity, brought...)
	if s.policies.Boundary == nil && l.boundary != nil {
		b := s.cite(l.boundary.id, l.boundary.doc)
		s.policies.Boundary = &b
	}
}
