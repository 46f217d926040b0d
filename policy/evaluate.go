package policy

// Evaluate decides a request as AWS does when it arrives: an explicit Deny in
// any policy refuses; then the resource's policy, the identity policies, the
// boundary and the session policies are asked, in the order that AWS
// documents. It does not decide what needs no permission at all
// (sts:GetCallerIdentity) and knows no service control policies.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func Evaluate(r Request, p Policies) Decision {
	j := newJudge(r, p)
	for _, l := range j.layers() {
		if at, g := l.find(j.env, false); g != notNamed {
			j.note(at, "deny")
			return j.refuseExplicitly(at)
		}
	}
	j.ask()
	decided, missing := j.decide()
	if missing.name == "" {
		return j.allow(decided)
	}
	return j.refuse(missing)
}

// A judge holds one evaluation: who asks, what each layer answered.
type judge struct {
	*env
	identity, boundary, session, resource layer
	limits                                Policies
	answers                               map[Layer]spot // of layers that allow
	grant                                 grant
	trace                                 []Finding
}

func newJudge(r Request, p Policies) *judge {
	j := &judge{env: newEnv(r, p), limits: p, answers: map[Layer]spot{}}
	j.identity = layer{ByIdentity, p.Identity}
	j.session = layer{BySession, p.Session}
	j.boundary = layer{name: ByBoundary}
	j.resource = layer{name: ByResource}
	if p.Boundary != nil {
		j.boundary.policies = []Named{*p.Boundary}
	}
	if p.Resource != nil {
		j.resource.policies = []Named{*p.Resource}
		if d := p.Resource.Document; d != nil {
			j.resource.name = layerOf(d.Kind)
		}
	}
	return j
}

func layerOf(kind Kind) Layer {
	switch kind {
	case Trust:
		return ByTrust
	case Key:
		return ByKey
	}
	return ByResource
}

func (j *judge) layers() []layer {
	return []layer{j.resource, j.identity, j.boundary, j.session}
}

// ask notes for each layer whether and where it allows.
func (j *judge) ask() {
	for _, l := range j.layers() {
		at, g := l.find(j.env, true)
		if l.name == j.resource.name {
			j.grant = g
		}
		if g != notNamed {
			j.answers[l.name] = at
			j.note(at, "allow")
		} else if len(l.policies) > 0 {
			j.trace = append(j.trace, Finding{Layer: l.name})
		}
	}
}

// decide returns the layer whose statement allowed, or the one whose allow is
// missing.
func (j *judge) decide() (decided Layer, missing layer) {
	resource := j.resource.name
	switch {
	case !j.hasIdentity():
		if j.grant != direct {
			return "", j.resource
		}
		return resource, layer{}
	case j.crossAccount():
		if l := j.lacking(); l.name != "" {
			return "", l
		}
		if j.grant == notNamed {
			return "", j.resource
		}
		return resource, layer{}
	case j.grant == direct:
		return resource, layer{}
	case j.grant == viaRole:
		if l := j.limit(); l.name != "" {
			return "", l
		}
		return resource, layer{}
	case j.grant == notNamed && (resource == ByTrust || resource == ByKey):
		return "", j.resource
	}
	return ByIdentity, j.lacking()
}

// hasIdentity tells callers that an account knows, and that can have identity
// policies, from services, federated users and strangers.
func (j *judge) hasIdentity() bool {
	switch j.request.Principal.Kind {
	case Root, User, RoleSession:
		return true
	}
	return false
}

func (j *judge) crossAccount() bool {
	owner := j.request.ResourceAccount
	return owner != "" && owner != j.request.Principal.Account
}

// lacking returns the first layer on the caller's side that does not allow.
func (j *judge) lacking() layer {
	_, ok := j.answers[ByIdentity]
	if !ok && j.request.Principal.Kind != Root { // root needs no policy
		return j.identity
	}
	return j.limit()
}

// limit returns the boundary or the session policies if they are there and do
// not allow.
func (j *judge) limit() layer {
	if _, ok := j.answers[ByBoundary]; !ok && j.limits.Boundary != nil {
		return j.boundary
	}
	if _, ok := j.answers[BySession]; !ok && j.limits.Session != nil {
		return j.session
	}
	return layer{}
}

func (j *judge) note(at spot, effect string) {
	j.trace = append(j.trace, Finding{
		Layer: at.layer, Effect: effect, Policy: at.policy.Name,
		Sid: at.sid, Statement: at.number,
		Line: at.line, Column: at.column, EndLine: at.endLine, EndColumn: at.endColumn,
	})
}

func (j *judge) allow(by Layer) Decision {
	at, ok := j.answers[by]
	if !ok { // root
		return Decision{Allowed: true, Layer: ByNothing, Trace: j.trace}
	}
	return Decision{
		Allowed: true, Layer: by, Trace: j.trace,
		Policy: at.policy.Name, Sid: at.sid, Statement: at.number, Line: at.line,
	}
}
