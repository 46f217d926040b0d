package world

import (
	"time"

	"daypass.dev/policy"
)

// A Key is a KMS key. Lists and maps in it are replaced, never changed, so that
// a copy may leave the lock.
type Key struct {
	ID, ARN, Region, Account, Description string
	// Service is whose own key this is ("secretsmanager"); empty: a customer's.
	Service     string
	Spec, Usage string // "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"
	State       string // Enabled, Disabled or PendingDeletion
	Material    []byte // AES-256, or an asymmetric key in PKCS#8
	Policy      *policy.Document
	Aliases     []string // with alias/
	Grants      []Grant
	Tags        map[string]string
	Created     time.Time
	Deletion    time.Time // when PendingDeletion
}

// A Grant lets one principal use a key.
type Grant struct {
	ID, Token, Name   string
	Grantee, Retiring string // ARNs
	Issuer            string // account
	Operations        []string
	Equals, Subset    map[string]string // what the encryption context must be, or hold
	Created           time.Time
}

// A Secret is one of Secrets Manager. Versions are replaced, never changed.
type Secret struct {
	Name, ARN, Region, Description string
	Key                            string // as it was given; empty: Secrets Manager's own
	Policy                         *policy.Document
	Versions                       []SecretVersion // the oldest first
	Tags                           map[string]string
	Created, Changed, Accessed     time.Time
	Deletion                       time.Time // zero: not marked for deletion
}

// A SecretVersion is one value of a secret.
type SecretVersion struct {
	ID      string
	Text    *string // nil: binary
	Binary  []byte
	Stages  []string
	Key     string // ARN of the key that it is encrypted with
	Created time.Time
}

// A Parameter is one of Systems Manager's Parameter Store. Versions are
// replaced, never changed.
type Parameter struct {
	Name, ARN, Region, Description string
	Tier, DataType, Allowed        string
	Tags                           map[string]string
	Versions                       []ParameterVersion // the oldest first
	// Policy lets other accounts in; nil: nobody. PolicyID is its name in calls.
	Policy   *policy.Document
	PolicyID string
}

// A ParameterVersion is one value of a parameter.
type ParameterVersion struct {
	Number      int
	Type, Value string
	Key         string // ARN, of a SecureString
	KeyName     string // as it was given
	Labels      []string
	By          string // ARN of the writer
	Modified    time.Time
}
