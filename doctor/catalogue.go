package doctor

import "slices"

// Reasons are the slugs that Diagnose finds by itself, from evidence, in the
// order in which it looks; the rest of the catalogue it knows by what AWS, or a
// sandbox's record, says. A test breaks something for each.
func Reasons() []string {
	return slices.Concat(
		[]string{
			"session-arn", "profile-elsewhere", "role-elsewhere", "anchor-region", "session-duration", "session-name",
			"environment-keys", "environment-imds", "settings-missing", "settings-malformed",
			"proof-missing", "proof-unreadable", "proof-form",
		},
		certificateOrder[:],
		[]string{
			"token-not-jwt", "token-encrypted", "token-critical-header", "token-algorithm", "token-claim-missing", "token-claim-type",
			"token-timestamp", "token-issued-in-future", "token-not-yet-valid", "token-expired",
			"token-subject-null", "token-audience-empty", "token-audiences", "token-source-identity",
			"token-tags", "token-transitive-tags", "token-roles-format", "token-roles-none",
			"live-name", "live-proxy", "live-proxy-authentication", "live-expired", "live-connection", "x509-clock", "live-clock",
			"anchor-unknown", "anchor-disabled", "anchor-private-ca", "anchor-notifications", "anchor-crl-fetch",
			"crl-unreadable", "crl-stale", "certificate-revoked",
			"profile-unknown", "profile-disabled", "profile-role", "profile-properties", "profile-session-name", "profile-propagation", "session-policy-not-found",
			"source-identity", "token-role",
			"provider-google", "provider-missing", "token-audience",
			"issuer-unreachable", "issuer-slow", "issuer-certificate", "issuer-redirect", "issuer-status", "issuer-too-large",
			"issuer-discovery", "issuer-mismatch", "issuer-keys", "issuer-keys-many",
			"token-key-ambiguous", "token-key-unknown", "token-key-type", "token-key-ops", "token-key-unusable", "token-signature",
			"role-not-found", "duration-over-role", "iam-propagation", "policy-malformed",
			"trust-any-anchor", "trust-not-equals", "trust-wildcard",
			"trust-no-statement", "policy-explicit-deny", "policy-principal", "policy-action", "trust-tag-session", "trust-source-identity",
			"policy-condition", "policy-condition-key-missing", "policy-condition-multivalued",
			"policy-no-allow", "policy-resource", "policy-variable", "policy-boundary", "policy-session",
		},
	)
}
