package rolesanywhere

// Rules are the slugs of everything for which CreateSession can be refused, in
// the order in which it looks. A test has a row for each.
func Rules() []string {
	return []string{
		// The signature.
		"x509-authorization", "x509-header", "x509-chain-header", "chain-depth",
		"x509-mldsa", "x509-algorithm", "leaf-key-type", "leaf-key-size", "x509-unsigned-header",
		"x509-date", "x509-scope", "x509-clock", "x509-serial", "x509-signature",
		// What was asked for.
		"session-body", "session-parameter", "session-arn", "session-duration", "session-name", "session-properties",
		// The trust anchor.
		"anchor-region", "anchor-unknown", "anchor-disabled", "anchor-private-ca", "anchor-bundle", "anchor-bundle-size",
		// The leaf.
		"leaf-is-anchor", "leaf-version", "leaf-ca", "leaf-key-usage", "leaf-signature-algorithm",
		"leaf-subject-empty", "leaf-serial", "leaf-not-yet-valid", "leaf-expired",
		// The path to the anchor.
		"chain-issuer-missing", "chain-signature", "ca-version", "ca-basic-constraints", "ca-key-usage",
		"ca-signature-algorithm", "ca-key-type", "ca-path-length", "ca-not-yet-valid", "ca-expired",
		"chain-critical-extension", "ca-name-constraints",
		// Revocation.
		"crl-unreadable", "crl-signature", "ca-crl-sign", revoked,
		// The profile and the role.
		"profile-elsewhere", "profile-unknown", "profile-disabled", "profile-role", "profile-properties",
		"profile-session-name", "role-elsewhere", "source-identity",
		"role-not-found", "trust-no-statement", "policy-explicit-deny", "policy-principal", "policy-action",
		"trust-tag-session", "trust-source-identity",
		"policy-condition", "policy-condition-key-missing", "policy-condition-multivalued",
		"duration-over-role", "session-policy-not-found", "packed-policy-too-large",
	}
}
