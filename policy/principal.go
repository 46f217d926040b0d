package policy

import (
	"regexp"
	"strings"
)

// A party is one entry of Principal or NotPrincipal.
type party struct {
	kind string // AWS, Service, Federated, CanonicalUser
	text string
	// id holds the unique id of the user or role that the entry named when it
	// was bound; then the ARN no longer counts.
	id     string
	offset int
}

// The members of a Principal object.
const (
	partyAWS       = "AWS"
	partyService   = "Service"
	partyFederated = "Federated"
	partyCanonical = "CanonicalUser"
)

// A grant says how closely a resource policy names the caller.
type grant int

const (
	notNamed grant = iota
	// viaAccount leaves the decision to the caller's identity policies.
	viaAccount
	// viaRole names the role of a session: boundary and session policies limit.
	viaRole
	// direct names the user, the session itself, the service, the provider or
	// everybody: nothing but an explicit Deny limits.
	direct
)

var (
	accountID = regexp.MustCompile(`^[0-9]{12}$`)
	uniqueID  = regexp.MustCompile(`^A(ROA|IDA)[A-Z0-9]{12,}$`)
	awsARN    = regexp.MustCompile(`^arn:aws[a-z-]*:(iam::[0-9]{12}:(root|user/[^*?]+|role/[^*?]+)|sts::[0-9]{12}:(assumed-role/[^*?/]+/[^*?/]+|federated-user/[^*?]+))$`)
	provider  = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:(oidc-provider|saml-provider)/[^*?]+$`)
	service   = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*\.amazonaws\.com(\.cn)?$`)
	canonical = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// builtInProviders are the identity providers that have no ARN.
func builtInProviders() []string {
	return []string{"accounts.google.com", "cognito-identity.amazonaws.com", "graph.facebook.com", "www.amazon.com"}
}

// names tells how p stands to caller.
func (p party) names(caller Principal) grant {
	switch p.kind {
	case partyService:
		return directIf(caller.Kind == Service && caller.Name == p.text)
	case partyFederated:
		return directIf(caller.Kind == WebIdentity && caller.Name == p.text)
	case partyAWS:
		// AWS:"*" does not admit a caller who is known only by his token.
		if caller.Kind != WebIdentity {
			return p.namesAWS(caller)
		}
	}
	return notNamed
}

func (p party) namesAWS(caller Principal) grant {
	switch {
	case p.text == "*":
		return direct
	case caller.Kind != Root && caller.Kind != User && caller.Kind != RoleSession:
		return notNamed
	case p.text == caller.Account || p.text == rootOf(caller):
		return viaAccount
	}
	id := p.id
	if id == "" && uniqueID.MatchString(p.text) {
		id = p.text
	}
	if id != "" {
		return nearer(id == caller.ID, id == caller.RoleID)
	}
	return nearer(p.text == caller.ARN, p.text == caller.RoleARN)
}

func nearer(self, role bool) grant {
	switch {
	case self:
		return direct
	case role:
		return viaRole
	}
	return notNamed
}

func directIf(match bool) grant {
	if match {
		return direct
	}
	return notNamed
}

// rootOf is the ARN that stands for the caller's account.
func rootOf(caller Principal) string {
	_, rest, _ := strings.Cut(caller.ARN, ":")
	partition, _, _ := strings.Cut(rest, ":")
	return "arn:" + partition + ":iam::" + caller.Account + ":root"
}

// grants returns the closest way in which a statement's Principal or
// NotPrincipal takes in the caller.
func (s *statement) grants(e *env) grant {
	best := notNamed
	for _, p := range s.parties {
		best = max(best, p.names(e.request.Principal))
	}
	if !s.notPrincipal {
		return best
	}
	// A Deny with NotPrincipal hits every principal that has a permissions
	// boundary, whatever it lists.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
	return directIf(best == notNamed || e.bounded && !s.allow)
}

// entry is how Principal would name the caller, for explanations.
func entry(caller Principal) string {
	switch caller.Kind {
	case Service:
		return `"Service": ` + quote(caller.Name)
	case WebIdentity:
		return `"Federated": ` + quote(caller.Name)
	case RoleSession:
		return `"AWS": ` + quote(caller.RoleARN)
	case Anonymous:
		return `"AWS": "*"`
	}
	return `"AWS": ` + quote(caller.ARN)
}
