package sigv4

import "net/http"

// Canonical is the canonical request of r: of its raw request target, the
// named headers (lower case, sorted) and the payload hash. With s3 the path is
// taken as sent; otherwise it is normalised and encoded once more. A presigned
// query is taken without X-Amz-Signature. The error, an *Error, names a signed
// header that the request lacks.
func Canonical(r *http.Request, signedHeaders []string, payloadHash string, s3 bool) (string, error) {
	return "", nil
}

// StringToSign is what the signature is made over: the algorithm, the date as
// in X-Amz-Date, the scope, and the hash of the canonical request.
func StringToSign(algorithm, date, scope, canonical string) string { return "" }
