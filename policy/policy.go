// Package policy is the IAM policy language: Parse reads documents as IAM does
// when they are written, Evaluate decides requests as AWS does when they
// arrive, and a Decision says why. It does no I/O and knows no service: who
// asks, which keys the request carries and which policies apply are the
// caller's to say, and what it says is trusted.
//
// The rules are AWS's documentation's; where recordings of real IAM differ from
// it or go further, they stand, and the tests name them. Not here: service and
// resource control policies, VPC endpoint policies, ACLs, KMS grants, and the
// federated users of GetFederationToken.
package policy

// A Kind says where a document is attached; it decides what IAM lets it hold.
type Kind int

// The kinds. A boundary is of kind Identity, and so may a session policy be.
const (
	Identity Kind = iota
	Resource
	Trust
	Key // a KMS key policy
	// Session is an inline session policy: STS lets pass some values of
	// conditions that IAM refuses to store (numbers, dates, networks and ARNs
	// that are none), which then match nothing.
	Session
)

// namesCallers tells kinds whose statements have a Principal.
func (k Kind) namesCallers() bool { return k == Resource || k == Trust || k == Key }

// A Named document has a name that a decision can cite, as
// "inline policy s3-list of role bucketlister".
type Named struct {
	Name     string
	Document *Document
}

// A Principal is who asks.
type Principal struct {
	Kind PrincipalKind
	// Account is the twelve-digit account; empty for services and strangers.
	Account string
	// ARN is the caller's own: of the user, the root, the role session.
	ARN string
	// ID is the unique id: AIDA…, AROA…:session, the account for root.
	ID string
	// RoleARN and RoleID are set for role sessions.
	RoleARN string
	RoleID  string
	// Name is the service ("rolesanywhere.amazonaws.com") or the identity
	// provider (its ARN, or "accounts.google.com"); of a user it is the
	// friendly name, which decides nothing.
	Name string
}

// A PrincipalKind is a form of principal.
type PrincipalKind int

// The kinds of principal.
const (
	Anonymous PrincipalKind = iota
	Root
	User
	RoleSession
	Service
	WebIdentity
)

// A Context holds the condition keys of one request. Names are compared
// without regard to case. Its zero value is ready for use by Set.
type Context map[string]Values

// Values are what one condition key holds; without any the key is missing.
// Multi marks a key that AWS defines as multivalued (aws:TagKeys), even with
// one value.
type Values struct {
	List  []string
	Multi bool
}

// A Request is what a caller wants.
type Request struct {
	Principal Principal
	Action    string // "s3:GetObject"
	Resource  string // an ARN, or "*"
	// ResourceAccount owns the resource; empty means the caller's account.
	ResourceAccount string
	Context         Context
}

// Policies are all that apply to one request.
type Policies struct {
	Identity []Named
	Boundary *Named
	// Session policies: nil means that the session has none; else one of them
	// must allow. One without a document allows nothing.
	Session []Named
	// Resource is the resource's own policy; its document's Kind says whether
	// an explicit allow is needed (Trust, Key).
	Resource *Named
}

// A Layer is the kind of policy that decided.
type Layer string

// The layers, in words for people.
const (
	ByIdentity Layer = "identity policy"
	ByResource Layer = "resource policy"
	ByTrust    Layer = "role trust policy"
	ByKey      Layer = "key policy"
	BySession  Layer = "session policy"
	ByBoundary Layer = "permissions boundary"
	ByNothing  Layer = "no policy"
)

// A Decision says whether and why.
type Decision struct {
	Allowed  bool
	Explicit bool // refused by a Deny statement
	Layer    Layer
	// Policy, Sid, Statement (counted from 1) and Line name the statement that
	// decided, or that came nearest; zero where there is none.
	Policy    string
	Sid       string
	Statement int
	Line      int
	// Missing are condition keys that were asked for and not in the request.
	Missing []string
	// Reason is a slug of the catalogue; empty when allowed.
	Reason string
	// Detail says in one sentence what differed: the key, its value, what was
	// wanted.
	Detail string
	// Change is the smallest change that would allow, in one sentence.
	Change string
	// Message is AWS's own denial text, without the code.
	Message string
	// Trace holds, in the order of evaluation, what each layer said. It ends
	// at an explicit Deny.
	Trace []Finding
}

// A Finding is what one layer said to a request.
type Finding struct {
	Layer Layer
	// Effect is "allow", "deny", or empty where no statement matched; then the
	// rest is zero.
	Effect    string
	Policy    string
	Sid       string
	Statement int
	// The statement's braces, in characters counted from 1.
	Line, Column       int
	EndLine, EndColumn int
}
