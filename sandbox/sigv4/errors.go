package sigv4

import "daypass.dev/sandbox/world"

// Slugs of the catalogue that callers need by name, to phrase with New what
// they find while they look up a key.
const (
	Missing      = "authentication-missing"
	UnknownKey   = "access-key-unknown"
	InvalidToken = "session-token-invalid"
	Expired      = "session-expired"
)

// A Protocol decides how a refusal is phrased.
type Protocol int

// The protocols of AWS's services: query (iam, sts, sns), JSON 1.0 and 1.1
// (kms, ssm), REST with JSON (rolesanywhere, eks) and S3's REST with XML.
const (
	Query Protocol = iota
	JSON
	RESTJSON
	S3
)

// An Error says why a request's authentication was refused.
type Error struct {
	// Slug names the row in the catalogue of reasons.
	Slug string
	// Detail is the true cause with the values of this case, for the decision
	// record; it holds no secret and no expected signature.
	Detail string
}

// New is a refusal for one of the package's slugs.
func New(slug, detail string) *Error { return &Error{Slug: slug, Detail: detail} }

func (e *Error) Error() string { return e.Slug + ": " + e.Detail }

// Refusal phrases the error as the protocol's services do.
func (e *Error) Refusal(p Protocol) *world.Refusal {
	return &world.Refusal{Slug: e.Slug, Detail: e.Detail, Status: 403}
}
