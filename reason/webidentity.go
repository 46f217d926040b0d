package reason

import "slices"

const (
	invalidToken  = "InvalidIdentityToken"
	tokenNotJWT   = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
	tokenNoKey    = "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"
	tokenInvalid  = "The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements."
	webIdentityNo = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
)

// webIdentity: AssumeRoleWithWebIdentity and the OIDC providers behind it. What
// a trust policy refuses is among policies.
func webIdentity() []Reason {
	return slices.Concat(tokenForms(), issuers(), tokenKeys(), tokenTimes(), tokenClaims(), providers())
}

func tokenForms() []Reason {
	return []Reason{
		{"token-not-jwt", invalidToken, tokenNotJWT,
			"the token is not a JSON Web Token in the compact form: three parts of base64url without padding, the first two JSON objects",
			"send the ID token as the issuer gave it, without line breaks; an access token will not do"},
		{"token-encrypted", invalidToken, tokenNotJWT,
			"the token is encrypted (JWE); AWS takes tokens that are signed only",
			"let the issuer sign the token without encrypting it"},
		{"token-critical-header", invalidToken, tokenNotJWT,
			"the token's header has crit, of which AWS understands nothing",
			"let the issuer leave crit out"},
		{"token-algorithm", invalidToken, tokenInvalid,
			"the token is not signed with RS256, RS384, RS512, ES256, ES384 or ES512; a secret (HS256) or no signature (none) never counts",
			"let the issuer sign with RS256 or ES256"},
		{"token-claim-missing", invalidToken, "Missing a required claim: %s",
			"the token lacks one of iss, sub, aud, iat and exp",
			"let the issuer add the claim that the message names"},
		{"token-claim-type", invalidToken, tokenInvalid,
			"one of the claims iss, sub, aud and azp is not of the type that it must be",
			"let the issuer write iss and azp as texts, sub as a text, and aud as a text or a list of texts"},
	}
}

func issuers() []Reason {
	return []Reason{
		{"issuer-unreachable", invalidToken, tokenNoKey,
			"the issuer's discovery document or keys cannot be read, since nothing answers at its address",
			"publish both where AWS reaches them; in the sandbox, say under issuers: where they are"},
		{"issuer-slow", invalidToken, tokenNoKey,
			"the issuer's discovery document and keys did not come in time",
			"let a faster server answer for them, and try again"},
		{"issuer-certificate", invalidToken, tokenNoKey,
			"the TLS certificate of the issuer's server is neither of a CA that AWS trusts nor of one of the provider's thumbprints",
			"serve both documents under a public certificate, or give the provider the thumbprint of the last certificate of the chain"},
		{"issuer-redirect", invalidToken, tokenNoKey,
			"the issuer's server redirects to another scheme, or too often",
			"answer under the addresses themselves"},
		{"issuer-status", invalidToken, tokenNoKey,
			"the issuer's server answers the request for its discovery document or keys with another status than 200",
			"let everybody read both documents without authentication"},
		{"issuer-too-large", invalidToken, tokenNoKey,
			"the issuer's discovery document or key set is larger than the sandbox reads",
			"list only the keys that are in use"},
		{"issuer-discovery", invalidToken, tokenNoKey,
			"the issuer's discovery document is no JSON object with an https URL as jwks_uri",
			"publish a document with issuer and jwks_uri at ISSUER/.well-known/openid-configuration"},
		{"issuer-mismatch", invalidToken, tokenNoKey,
			"the discovery document names another issuer than the token",
			"let both be the same, byte by byte, slashes at the end included"},
		{"issuer-keys", invalidToken, tokenNoKey,
			"what stands at the issuer's jwks_uri is no JSON Web Key Set",
			`publish {"keys": [...]} there`},
		{"issuer-keys-many", invalidToken, tokenNoKey,
			"the issuer lists more than 100 keys of the type with which the token is signed",
			"take old keys out of the key set"},
	}
}

func tokenKeys() []Reason {
	return []Reason{
		{"token-key-ambiguous", invalidToken, tokenNoKey,
			"the token's header has no kid, and the issuer lists not exactly one key",
			"let the issuer write kid into the header"},
		{"token-key-unknown", invalidToken, tokenNoKey,
			"the issuer lists no key for signatures with the token's kid; keys without kid and keys with another use than sig do not count",
			"publish the key with its kid before signing with it; after a rotation get a new token"},
		{"token-key-type", invalidToken, tokenInvalid,
			"the key that the token names is of another type or curve than its algorithm needs",
			"let the issuer name the key with which it signed; ES256 goes with P-256, ES384 with P-384, ES512 with P-521"},
		{"token-key-ops", invalidToken, tokenInvalid,
			"the issuer's key has key_ops, with which AWS does not take it, whatever the value",
			"leave key_ops out of the key set"},
		{"token-key-unusable", invalidToken, tokenNoKey,
			"the issuer's key cannot be decoded, or has certificates (x5c) that do not agree with it, or only these",
			"publish n and e, or crv, x and y, with x5c of the same key or without x5c"},
		{"token-signature", invalidToken, tokenInvalid,
			"the token's signature is not by the key that the issuer lists",
			"check that the key set is that of the issuer, and that nothing changes the token on its way"},
	}
}

func tokenTimes() []Reason {
	return []Reason{
		{"token-timestamp", invalidToken, "Invalid timestamp in token claims.",
			"one of iat, exp and nbf is not a whole number of seconds; AWS takes no fractions",
			"let the issuer write whole seconds"},
		{"token-issued-in-future", invalidToken, "Token issued in the future: %s",
			"iat is more than 5 minutes ahead of AWS's time",
			"set the issuer's clock"},
		{"token-not-yet-valid", invalidToken, "Token not yet valid: current date/time %s must be after or equal to the not-before date/time %s",
			"nbf is more than 5 minutes ahead of AWS's time",
			"set the issuer's clock, or wait"},
		{"token-expired", "ExpiredTokenException", "Token expired: current date/time %s must be before the expiration date/time %s",
			"the token expired 5 minutes ago or earlier",
			"get a new token from the issuer, and read token files anew for each call"},
	}
}

func tokenClaims() []Reason {
	return []Reason{
		{"token-subject-null", "InternalFailure", "Unknown error validating third-party token",
			"the claim sub is null, at which AWS itself fails",
			"let the issuer write a text"},
		{"token-audience-empty", invalidToken, "Claim is not allowed to be empty: aud",
			"the claim aud is an empty list",
			"ask the issuer for a token with an audience"},
		{"token-audiences", invalidToken, "Token audience contains more than one audience while authorized party is not present",
			"the claim aud lists several audiences, and there is no azp to choose among them",
			"ask for a token with one audience"},
		{"token-source-identity", invalidToken, tokenInvalid,
			"the claim https://aws.amazon.com/source_identity is no text of 2 to 64 of the characters that a source identity has",
			"let the issuer write such a text, or leave the claim out"},
		{"token-tags", invalidToken, "principal_tags passed in claim is not in correct format.",
			"the session tags of the token are not of the form, number or size that sessions take",
			"nest each tag as a list of one text, or write it flat as https://aws.amazon.com/tags/principal_tags/KEY with a text"},
		{"token-transitive-tags", invalidToken, tokenInvalid,
			"transitive_tag_keys is no list of texts that name tags of the token, or stands there twice",
			"list keys of principal_tags there, once"},
		{"token-roles-format", invalidToken, "The roles claim is not in a supported format",
			"the claim https://aws.amazon.com/roles is neither a text nor a list",
			"write role ARNs as a list, or as a text with semicolons between them"},
		{"token-roles-none", invalidToken, "The roles claim contains no valid role ARNs",
			"the claim https://aws.amazon.com/roles holds no ARN of a role; patterns do not count",
			"write whole ARNs, or leave the claim out"},
		{"token-audience", invalidToken, "Incorrect token audience",
			"the token's audience, azp if it has that and else aud, is none of the provider's client ids",
			"ask for a token with one of the provider's client ids as audience, or add its audience to the provider"},
		{"token-role", invalidToken, "The target role ARN is not present in the roles claim of the identity token",
			"the issuer made the token for other roles",
			"ask the issuer for a token for this role"},
	}
}

func providers() []Reason {
	return []Reason{
		{"provider-missing", invalidToken, "No OpenIDConnect provider found in your account for %s",
			"the account of the role has no OIDC provider whose URL is the token's issuer, byte by byte",
			"create the provider in the role's account, with exactly the token's iss as URL"},
		{"provider-google", invalidToken, tokenInvalid,
			"the account has an OIDC provider for accounts.google.com, which is built into AWS and stops working then",
			"delete that provider, and let the trust policy name accounts.google.com as Federated"},
		{"provider-id", "AccessDenied", webIdentityNo,
			"ProviderId names a provider that AWS does not have; it is for OAuth tokens of www.amazon.com and graph.facebook.com only",
			"leave ProviderId out: for an OpenID Connect token the issuer says it all"},
		{"provider-id-amazon", invalidToken, "Provided Token is not a Login With Amazon token",
			"ProviderId is www.amazon.com, and the token is a JWT",
			"leave ProviderId out"},
		{"provider-unreachable", "OpenIdIdpCommunicationError", "Could not connect to %s",
			"the provider was created without thumbprints, and the issuer's server cannot be asked for its certificate",
			"give ThumbprintList, or let the server answer"},
	}
}
