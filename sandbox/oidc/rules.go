package oidc

// Rules are the slugs of everything for which a token or its issuer can be
// refused here, in the order in which it is looked at. A test has a row for
// each.
func Rules() []string {
	return []string{
		// The token's form.
		"token-not-jwt", "token-encrypted", "token-critical-header", "token-algorithm", "token-claim-missing", "token-claim-type",
		// The issuer.
		"issuer-unreachable", "issuer-slow", "issuer-certificate", "issuer-redirect", "issuer-status", "issuer-too-large",
		"issuer-discovery", "issuer-mismatch", "issuer-keys",
		// The key and the signature.
		"issuer-keys-many", "token-key-ambiguous", "token-key-unknown", "token-key-type", "token-key-ops", "token-key-unusable",
		"token-signature",
		// What it says.
		"token-timestamp", "token-issued-in-future", "token-not-yet-valid", "token-expired",
		"token-subject-null", "token-audience-empty", "token-audiences",
		"token-source-identity", "token-tags", "token-transitive-tags", "token-roles-format", "token-roles-none",
		// What it is for.
		"token-audience", "token-role",
	}
}
