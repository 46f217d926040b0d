package sts

import (
	"slices"

	"daypass.dev/sandbox/oidc"
)

// WebIdentityRules are the slugs of everything for which
// AssumeRoleWithWebIdentity can be refused, roughly in the order in which it
// looks. A test has a row for each.
func WebIdentityRules() []string {
	return slices.Concat(
		[]string{
			"parameter-malformed", "parameter-invalid", "policy-malformed",
			"provider-id-amazon", "provider-id", "operation-not-built", "provider-google", "provider-missing",
		},
		oidc.Rules(),
		[]string{
			"role-not-found", "trust-no-statement", "policy-explicit-deny", "policy-principal", "policy-action",
			"trust-tag-session", "trust-source-identity",
			"policy-condition", "policy-condition-key-missing", "policy-condition-multivalued",
			"duration-over-role", "session-policy-not-found", "packed-policy-too-large",
		},
	)
}
