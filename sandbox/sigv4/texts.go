package sigv4

import (
	"maps"
	"slices"
)

// A text is AWS's answer; message may hold %[n]s for values of the case.
type text struct {
	code    string
	status  int
	message string
}

// said is what the query services and S3 say; presigned where S3 has other
// words for a signature in the query.
type said struct{ query, s3, presigned text }

// Slugs are all refusals of this package, sorted.
func Slugs() []string { return slices.Sorted(maps.Keys(texts())) }

const malformed = "The authorization header is malformed; "

func incomplete(message string) text { return text{"IncompleteSignature", 400, message} }
func mismatched(message string) text { return text{"SignatureDoesNotMatch", 403, message} }
func denied(message string) text     { return text{"AccessDenied", 403, message} }
func badHeader(message string) text {
	return text{"AuthorizationHeaderMalformed", 400, malformed + message}
}
func badQuery(message string) text    { return text{"AuthorizationQueryParametersError", 400, message} }
func badRequest(message string) text  { return text{"InvalidRequest", 400, message} }
func badArgument(message string) text { return text{"InvalidArgument", 400, message} }

func credentialParam(message string) text {
	return badQuery("Error parsing the X-Amz-Credential parameter; " + message)
}

// texts holds AWS's words by slug. Where AWS's words for a service are not
// known, those of the nearest refusal that is stand there; so for the query
// services at authentication-twice, signed-headers-malformed, presign-expires
// and what only S3 checks.
func texts() map[string]said {
	const (
		query = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
		s3    = "The request signature we calculated does not match the signature you provided. Check your key and signing method."
	)
	mismatch := said{query: mismatched(query), s3: mismatched(s3)}
	invalidToken := text{"InvalidClientTokenId", 403, "The security token included in the request is invalid."}
	unknownKey := said{query: invalidToken, s3: text{"InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records."}}
	badToken := said{query: invalidToken, s3: text{"InvalidToken", 400, "The provided token is malformed or otherwise invalid."}}
	skewed := text{"RequestTimeTooSkewed", 403, "The difference between the request time and the current time is too large."}
	v4a := text{"NotImplemented", 501, "Signature Version 4A (AWS4-ECDSA-P256-SHA256) is not implemented; sign with AWS4-HMAC-SHA256."}
	needed := badQuery("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
	onlyS3 := func(t text) said { return said{query: mismatched(query), s3: t} }

	return map[string]said{
		Missing: {query: text{"MissingAuthenticationToken", 403, "Request is missing Authentication Token"}, s3: denied("Access Denied")},
		"authentication-twice": {query: incomplete("The request signature does not conform to AWS standards."),
			s3: badArgument("Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified")},
		"algorithm-unsupported": {query: text{"MissingAuthenticationToken", 403, "Missing Authentication Token"},
			s3: badRequest("The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")},
		"signature-v4a": {query: v4a, s3: v4a},

		"authorization-malformed": {query: incomplete("The request signature does not conform to AWS standards."),
			s3: badHeader("the authorization header requires three components: Credential, SignedHeaders, and Signature."), presigned: needed},
		"authorization-incomplete": {query: incomplete("Authorization header requires '%[1]s' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization=%[2]s"),
			s3: badHeader("missing %[1]s.")},
		"presign-incomplete": {query: incomplete("AWS query-string parameters must include '%[1]s'. Re-examine the query-string parameters."), s3: needed},
		"presign-expires":    {query: incomplete("The request signature does not conform to AWS standards."), s3: badQuery("%[1]s")},
		"credential-malformed": {query: incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%[1]s'"),
			s3:        badHeader(`the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`),
			presigned: credentialParam(`the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`)},
		"signed-headers-malformed": {query: incomplete("The request signature does not conform to AWS standards."), s3: mismatched(s3)},
		"date-missing": {query: incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed with SHA-256 and encoded with Base64) Authorization=%[1]s"),
			s3: denied("AWS authentication requires a valid Date or x-amz-date header")},
		"date-malformed": {query: incomplete("Date must be in ISO-8601 'basic format'. Got '%[1]s'. See http://en.wikipedia.org/wiki/ISO_8601"),
			s3: denied("AWS authentication requires a valid Date or x-amz-date header"), presigned: badQuery(`X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`)},

		"scope-service": {query: text{"SignatureDoesNotMatch", 400, "Credential should be scoped to correct service: '%[1]s'."},
			s3:        badHeader(`incorrect service "%[2]s". This endpoint belongs to "s3".`),
			presigned: credentialParam(`incorrect service "%[2]s". This endpoint belongs to "s3".`)},
		"scope-region": {query: mismatched("Credential should be scoped to a valid region. "),
			s3:        badHeader("the region '%[2]s' is wrong; expecting '%[1]s'"),
			presigned: credentialParam("the region '%[2]s' is wrong; expecting '%[1]s'")},
		"scope-terminator": {query: mismatched("Credential should be scoped with a valid terminator: 'aws4_request'."),
			s3:        badHeader(`incorrect terminal "%[1]s". This endpoint uses "aws4_request".`),
			presigned: credentialParam(`incorrect terminal "%[1]s". This endpoint uses "aws4_request".`)},
		"scope-date": {query: text{"SignatureDoesNotMatch", 400, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP."},
			s3:        badHeader("Invalid credential date. Date is not the same as X-Amz-Date."),
			presigned: badQuery(`Invalid credential date "%[1]s". This date is not the same as X-Amz-Date: "%[2]s".`)},

		"host-not-signed": {query: mismatched("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."),
			s3: denied("There were headers present in the request which were not signed")},
		"headers-not-signed": {query: incomplete("The request signature does not conform to AWS standards. Header(s) not signed: %[1]s."),
			s3: denied("There were headers present in the request which were not signed")},
		"signed-header-absent": mismatch,

		"signature-mismatch": mismatch,
		"signature-expired":  {query: mismatched("Signature expired: %[1]s is now earlier than %[2]s (%[3]s - 15 min.)"), s3: skewed},
		"signature-not-yet":  {query: mismatched("Signature not yet current: %[1]s is still later than %[2]s (%[3]s + 15 min.)"), s3: skewed, presigned: denied("Request is not valid yet")},
		"presign-expired":    onlyS3(denied("Request has expired")),

		UnknownKey:              unknownKey,
		"access-key-inactive":   unknownKey,
		"session-token-missing": unknownKey,
		InvalidToken:            badToken,
		"session-role-gone":     badToken,
		Expired: {query: text{"ExpiredToken", 403, "The security token included in the request is expired"},
			s3: text{"ExpiredToken", 400, "The provided token has expired."}},

		"payload-hash-missing": onlyS3(badRequest("Missing required header for this request: x-amz-content-sha256")),
		"payload-hash-invalid": onlyS3(badArgument("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.")),
		"payload-mismatch":     onlyS3(text{"XAmzContentSHA256Mismatch", 400, "The provided 'x-amz-content-sha256' header does not match what was computed."}),

		"body-too-large":         {query: text{"RequestEntityTooLarge", 413, "The request body is too large."}, s3: text{"EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size"}},
		"body-incomplete":        onlyS3(text{"IncompleteBody", 400, "The request body terminated unexpectedly"}),
		"chunks-not-declared":    onlyS3(badArgument("aws-chunked encoding is not supported when x-amz-content-sha256 UNSIGNED-PAYLOAD is supplied.")),
		"decoded-length-missing": onlyS3(text{"MissingContentLength", 411, "You must provide the Content-Length HTTP header."}),
		"chunk-malformed":        onlyS3(text{"IncompleteBody", 400, "The request body terminated unexpectedly"}),
		"chunk-size":             onlyS3(text{"InvalidChunkSizeError", 403, "Only the last chunk is allowed to have a size less than 8192 bytes"}),
		"chunk-signature":        mismatch,
		"trailer-signature":      mismatch,
		"trailer-malformed":      onlyS3(text{"MalformedTrailerError", 400, "The request contained trailing data that was not well-formed or did not conform to our published schema."}),
		"checksum-not-built":     onlyS3(text{"NotImplemented", 501, "A header you provided implies functionality that is not implemented"}),
		"checksum-unsupported":   onlyS3(badRequest("The value specified in the x-amz-trailer header is not supported")),
		"checksum-invalid":       onlyS3(badRequest("Value for %[1]s header is invalid.")),
		"checksum-mismatch":      onlyS3(text{"BadDigest", 400, "The %[1]s you specified did not match the calculated checksum."}),
	}
}
