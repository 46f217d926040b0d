package world

import (
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
	Policies       []string // documents of session policies
	ManagedARNs    []string
	AnchorARN      string // for Roles Anywhere
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
}

func (e *Refusal) Error() string { return e.Code + ": " + e.Message }

// A Decision is the record of one call: who, what, which statement, why.
type Decision struct {
	Time      time.Time       `json:"time"`
	RequestID string          `json:"requestId"`
	Service   string          `json:"service"`
	Operation string          `json:"operation"`
	Region    string          `json:"region,omitempty"`
	Caller    string          `json:"caller,omitempty"` // ARN, or certificate subject
	AccessKey string          `json:"accessKeyId,omitempty"`
	Status    int             `json:"status"`
	Allowed   bool            `json:"allowed"`
	Code      string          `json:"code,omitempty"`
	Message   string          `json:"message,omitempty"`
	Reason    string          `json:"reason,omitempty"`
	Detail    string          `json:"detail,omitempty"`
	Mend      string          `json:"mend,omitempty"`
	Checks    []policyOutcome `json:"checks,omitempty"`
	// Issued is the access key id that this call gave out.
	Issued string `json:"issued,omitempty"`
	// NotAWS lists what made this call differ from AWS by the world's own
	// options: a shortened session, a set clock, a fault.
	NotAWS []string `json:"notAws,omitempty"`
}

// policyOutcome is one authorization that a call needed.
type policyOutcome struct {
	Action    string   `json:"action"`
	Resource  string   `json:"resource"`
	Allowed   bool     `json:"allowed"`
	Layer     string   `json:"layer"`
	Policy    string   `json:"policy,omitempty"`
	Sid       string   `json:"sid,omitempty"`
	Statement int      `json:"statement,omitempty"`
	Missing   []string `json:"missing,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	Detail    string   `json:"detail,omitempty"`
	Change    string   `json:"change,omitempty"`
}
