package world

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"daypass.dev/policy"
)

// A Service answers one AWS service's calls. The caller has already been
// authenticated, except where Call.Caller is anonymous (CreateSession, which
// proves itself by certificate; unsigned S3). body is whole and, where the
// client streamed it in signed chunks, decoded. An error is answered in the
// service's own protocol; it is a *Refusal, anything else is a 500.
type Service interface {
	Serve(c *Call, w http.ResponseWriter, r *http.Request, body []byte) error
}

// An Operator is a Service that can name a call's operation before anybody is
// authenticated, for faults and for the record. Services of the query and JSON
// protocols need not.
type Operator interface {
	Operation(r *http.Request) string
}

// A Call is one request on its way through the sandbox.
type Call struct {
	World     *World
	Service   string // as in the credential scope: "s3"
	Region    string
	RequestID string
	Time      time.Time // the world's clock
	Caller    policy.Principal
	// Session is the caller's session; nil for users and strangers.
	Session *Session
	// Context holds the global condition keys of this request; services pass
	// their own to Authorize.
	Context policy.Context
	// Decision is the record that this call will leave.
	Decision *Decision

	changed []Thing
}

// A Session is what a sealed session token says.
type Session struct {
	AccessKeyID    string
	Account        string
	RoleName       string
	RoleARN        string
	RoleID         string
	Name           string
	Tags           map[string]string
	TransitiveTags []string
	SourceIdentity string
	Policies       []string     // documents of session policies
	ManagedARNs    []string     // of managed policies as session policies
	AnchorARN      string       // for Roles Anywhere
	WebIdentity    *WebIdentity `json:",omitempty"`
	Issued         time.Time
	Expires        time.Time
}

// A Refusal is the error that a service returns when it says no. Slug names
// the row in the catalogue of reasons; a test fails on a slug that is not
// there.
type Refusal struct {
	Slug    string
	Code    string
	Message string
	Status  int
	// Detail is the true cause with the values of this case; never sent to the
	// caller, only recorded.
	Detail string
	Mend   string // overrides the catalogue's; empty: the catalogue's
	// Fields are further elements of an S3 error, in order: name, value. Other
	// protocols leave them out.
	Fields [][2]string
	// Header goes with the answer; nil: none.
	Header http.Header
}

func (e *Refusal) Error() string { return e.Code + ": " + e.Message }

// NotBuilt is the answer to an operation that the sandbox does not have.
func (c *Call) NotBuilt() *Refusal {
	return &Refusal{
		Slug: "operation-not-built", Code: "NotImplemented", Status: http.StatusNotImplemented,
		Message: "The sandbox does not implement " + c.Service + " " + c.Decision.Operation + ".",
	}
}

func invalidToken(slug, format string, args ...any) *Refusal {
	return &Refusal{
		Slug: slug, Code: "InvalidClientTokenId", Status: 403,
		Message: "The security token included in the request is invalid.",
		Detail:  fmt.Sprintf(format, args...),
	}
}

// PolicyRefusal is the answer to a policy that IAM does not take, for an error
// of policy.Parse.
func PolicyRefusal(err error) *Refusal {
	e := &Refusal{Slug: "policy-malformed", Code: "MalformedPolicyDocument", Message: err.Error(), Status: 400}
	var s *policy.SyntaxError
	if errors.As(err, &s) {
		switch s.Code {
		case "LimitExceeded":
			e.Slug, e.Code, e.Status = "quota-exceeded", s.Code, http.StatusConflict
		case "ValidationError":
			e.Slug, e.Code = "parameter-invalid", s.Code
		}
		e.Detail, e.Mend = fmt.Sprintf("line %d, column %d: %s", s.Line, s.Column, s.Message), s.Hint
	}
	return e
}
