package policy

// The four questions that a statement asks of a request. All must be answered
// yes; explanations ask them one by one.

func (s *statement) takesAction(e *env) bool {
	found := false
	for _, a := range s.actions {
		if a.pattern.matches(e.action) {
			found = true
			break
		}
	}
	return found != s.notAction
}

func (s *statement) takesResource(e *env) bool {
	if len(s.resources) == 0 { // a trust policy
		return true
	}
	found := false
	for i := range s.resources {
		if s.resources[i].matches(e) {
			found = true
			break
		}
	}
	return found != s.notResource
}

// takesCaller is always true in an identity policy, which names nobody.
func (s *statement) takesCaller(e *env, kind Kind) bool {
	return !kind.namesCallers() || s.grants(e) != notNamed
}

func (s *statement) takesConditions(e *env) bool {
	for i := range s.conditions {
		if !s.conditions[i].holds(e, !s.allow) {
			return false
		}
	}
	return true
}

func (s *statement) matches(e *env, kind Kind) bool {
	return s.takesAction(e) && s.takesCaller(e, kind) && s.takesResource(e) && s.takesConditions(e)
}

// A layer is all the policies of one sort that apply to a request.
type layer struct {
	name     Layer
	policies []Named
}

// A spot is a statement and where it stands.
type spot struct {
	layer  Layer
	policy Named
	*statement
}

// find returns the first statement of the wanted effect that matches; of
// Allow statements of resource policies the one that names the caller most
// closely.
func (l layer) find(e *env, allow bool) (best spot, closest grant) {
	for _, named := range l.policies {
		if named.Document == nil {
			continue
		}
		kind := named.Document.Kind
		for _, s := range named.Document.statements {
			if s.allow != allow || !s.matches(e, kind) {
				continue
			}
			g := direct
			if kind.namesCallers() {
				g = s.grants(e)
			}
			if g > closest {
				best, closest = spot{l.name, named, s}, g
			}
		}
	}
	return best, closest
}
