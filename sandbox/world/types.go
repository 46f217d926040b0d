package world

import (
	"time"

	"daypass.dev/policy"
)

// A Role is an IAM role. ID changes when a role is made anew, so that old
// sessions are refused.
type Role struct {
	Name, Path, ARN, ID string
	Description         string
	Created             time.Time
	MaxSession          time.Duration
	Trust               *policy.Document
	Inline              map[string]*policy.Document // :: policy name
	Attached            []string                    // ARNs of managed policies
	Boundary            string                      // ARN; empty: none
	Tags                map[string]string
}

// A User is an IAM user with access keys.
type User struct {
	Name, Path, ARN, ID string
	Created             time.Time
	Inline              map[string]*policy.Document
	Attached            []string
	Boundary            string
	Tags                map[string]string
	Keys                []AccessKey
}

// An AccessKey is a user's long-term key.
type AccessKey struct {
	ID, Secret string
	Inactive   bool
	Created    time.Time
}

// A Policy is a customer-managed policy.
type Policy struct {
	Name, Path, ARN, ID string
	Created             time.Time
	Versions            []PolicyVersion // the first is the oldest
	Default             string
	Tags                map[string]string
}

// A PolicyVersion is one version of a managed policy.
type PolicyVersion struct {
	ID       string
	Document *policy.Document
	Created  time.Time
}

// An Anchor is a Roles Anywhere trust anchor.
type Anchor struct {
	ID, ARN, Region, Name string
	Type                  string // CERTIFICATE_BUNDLE or AWS_ACM_PCA
	Bundle                string // PEM; of a private CA as it was when the anchor was last given it
	PrivateCA             string // ARN
	Disabled              bool
	Notifications         map[string]Notification // :: event; of others AWS's own settings hold
	Created, Updated      time.Time
	Tags                  map[string]string
}

// A Notification is the account's own setting for one event of a trust anchor.
type Notification struct {
	Enabled   bool
	Threshold int // days before the event
}

// A Profile is a Roles Anywhere profile.
type Profile struct {
	ID, ARN, Region, Name     string
	RoleARNs                  []string
	ManagedPolicies           []string
	SessionPolicy             *policy.Document
	Duration                  time.Duration
	AcceptSessionName         bool
	RequireInstanceProperties bool
	Disabled                  bool
	Mappings                  map[string][]string // :: certificate field → specifiers
	Created, Updated          time.Time
	CreatedBy                 string
	Tags                      map[string]string
}

// A CRL is a certificate revocation list imported for one anchor.
type CRL struct {
	ID, ARN, Region, Name, AnchorARN string
	Data                             []byte // PEM or DER as imported
	Disabled                         bool
	Created, Updated                 time.Time
	Tags                             map[string]string
}

// A Subject is what Roles Anywhere remembers of an X.509 subject.
type Subject struct {
	ID, ARN, Region, Name string
	Created, LastSeen     time.Time
	Credentials           []SubjectCredential
	Properties            []InstanceProperties
}

// A SubjectCredential is one certificate that a subject has shown.
type SubjectCredential struct {
	Serial, Issuer, PEM string
	Seen                time.Time
	Failed              bool
}

// InstanceProperties are one set that a subject has sent.
type InstanceProperties struct {
	Seen   time.Time
	Failed bool
	Values map[string]string
}

// A Bucket is an S3 bucket with its objects.
type Bucket struct {
	Name, Region, Account string
	Created               time.Time
	Policy                *policy.Document
	Objects               map[string]*Object // :: key
}

// An Object is an S3 object.
type Object struct {
	Data        []byte
	ContentType string
	ETag        string
	Modified    time.Time
	Metadata    map[string]string // :: lower-case name without x-amz-meta-
	Checksums   map[string]string // :: header name → value
	Headers     map[string]string // :: Cache-Control, Content-Encoding and their kin
}
