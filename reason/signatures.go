package reason

const (
	noMatch      = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	badToken     = "The security token included in the request is invalid."
	noStandard   = "The request signature does not conform to AWS standards."
	notSigned    = "There were headers present in the request which were not signed"
	useAnSDK     = "sign with an AWS SDK, or build the header as Signature Version 4 describes"
	looksAltered = "look for a proxy or client that changes the request after it was signed"
)

// signatures: a request refused for its signature, clock or credentials. Codes
// and messages are those of the query services; S3 alone refuses what carries
// S3's.
func signatures() []Reason {
	return append(credentials(), append(signing(), payloads()...)...)
}

func credentials() []Reason {
	return []Reason{
		{"authentication-missing", "MissingAuthenticationToken", "Request is missing Authentication Token",
			"the request is not signed", "give the client credentials; in the sandbox, those of the file that --write-env wrote"},
		{"authentication-twice", "InvalidArgument", "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
			"the request is signed both in its headers and in its query", "do not add credentials to a presigned URL"},
		{"access-key-unknown", "InvalidClientTokenId", badToken,
			"no user has this access key", "create an access key for the user, or look whether the credentials are of another world"},
		{"access-key-partition", "InvalidClientTokenId", badToken,
			"the access key is of an account in another of AWS's partitions (aws, aws-cn, aws-us-gov) than the endpoint",
			"call an endpoint of the account's partition, or take a key of an account in this one"},
		{"session-token-invalid", "InvalidClientTokenId", badToken,
			"the session token was not issued here, or not for this access key", "take access key, secret and session token from one answer"},
		{"session-expired", "ExpiredToken", "The security token included in the request is expired",
			"the session has ended", "obtain new credentials; a refreshing client does it by itself"},
	}
}

func signing() []Reason {
	return []Reason{
		{"algorithm-unsupported", "MissingAuthenticationToken", "Missing Authentication Token",
			"the request is signed with another algorithm than AWS4-HMAC-SHA256",
			"sign with an AWS SDK; boto3 and version 1 of the AWS CLI presign S3 URLs in us-east-1 by Signature Version 2 until told: aws configure set default.s3.signature_version s3v4"},
		{"signature-v4a", "NotImplemented", "Signature Version 4A (%s) is not implemented; sign with AWS4-HMAC-SHA256.",
			"the request is signed with SigV4a, which the sandbox does not verify", "set the client's auth scheme to sigv4"},
		{"authorization-malformed", "IncompleteSignature", noStandard,
			"the Authorization header or a query parameter of the signature is repeated, unknown or not of the form name=value", useAnSDK},
		{"authorization-incomplete", "IncompleteSignature", "Authorization header requires '%s' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization=%s",
			"the Authorization header lacks Credential, SignedHeaders or Signature", useAnSDK},
		{"presign-incomplete", "IncompleteSignature", "AWS query-string parameters must include '%s'. Re-examine the query-string parameters.",
			"a presigned URL lacks one of its parameters", "use the URL whole, in quotes where a shell reads it"},
		{"presign-expires", "AuthorizationQueryParametersError", "X-Amz-Expires should be a number",
			"X-Amz-Expires is not a number of seconds from 0 to 604800", "presign for a week at most"},
		{"presign-expired", "AccessDenied", "Request has expired",
			"the time for which the URL was presigned is over", "presign it again"},
		{"credential-malformed", "IncompleteSignature", "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'",
			"the Credential is not KEY/DATE/REGION/SERVICE/aws4_request", useAnSDK},
		{"signed-headers-malformed", "IncompleteSignature", noStandard,
			"SignedHeaders is not a sorted list of lower-case header names", useAnSDK},
		{"date-missing", "IncompleteSignature", "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed with SHA-256 and encoded with Base64) Authorization=%s",
			"the request does not say when it was signed", useAnSDK},
		{"date-malformed", "IncompleteSignature", "Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601",
			"the signing time is not of the form YYYYMMDDTHHMMSSZ", useAnSDK},
		{"scope-service", "SignatureDoesNotMatch", "Credential should be scoped to correct service: '%s'.",
			"the request is signed for another service than the one that the host name stands for", "look at the endpoint URL of the client"},
		{"scope-region", "SignatureDoesNotMatch", "Credential should be scoped to a valid region. ",
			"the request is signed for another region than the one that the host name stands for; iam is scoped to us-east-1", "set the client's region to that of the endpoint"},
		{"scope-terminator", "SignatureDoesNotMatch", "Credential should be scoped with a valid terminator: 'aws4_request'.",
			"the credential scope does not end in aws4_request", useAnSDK},
		{"scope-date", "SignatureDoesNotMatch", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.",
			"the day in the credential scope is not that of X-Amz-Date", useAnSDK},
		{"host-not-signed", "SignatureDoesNotMatch", "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
			"the signature does not cover the Host header", useAnSDK},
		{"headers-not-signed", "AccessDenied", notSigned,
			"an x-amz-* header came that the signature does not cover", "sign every x-amz-* header; with a presigned URL send none that was not given when it was presigned"},
		{"signed-header-absent", "SignatureDoesNotMatch", noMatch,
			"a header that the signature covers did not arrive", looksAltered},
		{"signature-mismatch", "SignatureDoesNotMatch", noMatch,
			"the secret is not that of the access key, or the request was changed after it was signed", "compare the secret with the access key; then " + looksAltered},
		{"signature-expired", "SignatureDoesNotMatch", "Signature expired: %s is now earlier than %s (%s - 15 min.)",
			"the client's clock is more than 15 minutes behind, or the request was held back that long", "set the client's clock"},
		{"signature-not-yet", "SignatureDoesNotMatch", "Signature not yet current: %s is still later than %s (%s + 15 min.)",
			"the client's clock is more than 15 minutes ahead", "set the client's clock"},
	}
}

func payloads() []Reason {
	return []Reason{
		{"payload-hash-missing", "InvalidRequest", "Missing required header for this request: x-amz-content-sha256",
			"a signed request to S3 must say the hash of its body", useAnSDK},
		{"payload-hash-invalid", "InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
			"x-amz-content-sha256 is neither a SHA-256 in lower-case hex nor one of AWS's words for a body without one", useAnSDK},
		{"payload-mismatch", "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.",
			"the body is not the one that was signed", looksAltered},
		{"body-too-large", "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size",
			"the body is larger than the sandbox takes (64 MiB)", "send less; the sandbox keeps everything in memory"},
		{"body-incomplete", "IncompleteBody", "The request body terminated unexpectedly",
			"the body is shorter than announced", "send the request again; " + looksAltered},
		{"chunks-not-declared", "InvalidArgument", "aws-chunked encoding is not supported when x-amz-content-sha256 UNSIGNED-PAYLOAD is supplied.",
			"Content-Encoding says aws-chunked and x-amz-content-sha256 does not", useAnSDK},
		{"decoded-length-missing", "MissingContentLength", "You must provide the Content-Length HTTP header.",
			"an aws-chunked body came without x-amz-decoded-content-length", useAnSDK},
		{"chunk-malformed", "IncompleteBody", "The request body terminated unexpectedly",
			"the body is not a series of aws-chunked chunks", useAnSDK},
		{"chunk-size", "InvalidChunkSizeError", "Only the last chunk is allowed to have a size less than 8192 bytes",
			"a chunk before the last has less than 8192 bytes", "buffer at least 8 KiB before writing a chunk"},
		{"chunk-signature", "SignatureDoesNotMatch", noMatch,
			"a chunk of the body is not the one that was signed", looksAltered},
		{"trailer-signature", "SignatureDoesNotMatch", noMatch,
			"the trailer of the body is not the one that was signed", looksAltered},
		{"trailer-malformed", "MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema.",
			"what follows the last chunk is not what x-amz-trailer announced", useAnSDK},
		{"checksum-unsupported", "InvalidRequest", "The value specified in the x-amz-trailer header is not supported",
			"the trailer is not a checksum that AWS knows", useAnSDK},
		{"checksum-not-built", "NotImplemented", "A header you provided implies functionality that is not implemented",
			"the checksum is one of AWS's that the sandbox does not compute (XXHASH)", "set the client's checksum algorithm to CRC32, CRC32C, CRC64NVME, SHA1 or SHA256"},
		{"checksum-invalid", "InvalidRequest", "Value for %s header is invalid.",
			"a checksum is not base64 of the right length", useAnSDK},
		{"checksum-mismatch", "BadDigest", "The %s you specified did not match the calculated checksum.",
			"the body is not the one whose checksum was sent", looksAltered},
	}
}
