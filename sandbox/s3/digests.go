package s3

import (
	"crypto/md5"
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strings"

	"daypass.dev/sandbox/sigv4"
)

const checksumPrefix = "X-Amz-Checksum-"

// checkDigests verifies Content-MD5 and the one checksum that a PUT may have
// as a header or trailer, and returns the latter; nil if there is none.
func (x *exchange) checkDigests() (map[string]string, error) {
	if v := x.r.Header.Get("Content-Md5"); v != "" {
		if err := checkMD5(v, x.body); err != nil {
			return nil, err
		}
	}
	sums := map[string]string{}
	for _, from := range []http.Header{x.r.Header, x.r.Trailer} {
		for _, name := range slices.Sorted(maps.Keys(from)) {
			if !strings.HasPrefix(name, checksumPrefix) {
				continue
			}
			if err := sigv4.VerifyChecksum(strings.ToLower(name), from.Get(name), x.body); err != nil {
				return nil, err
			}
			sums[strings.ToLower(name)] = from.Get(name)
		}
	}
	if len(sums) > 1 {
		return nil, refuse("s3-checksums", http.StatusBadRequest, "InvalidRequest",
			"Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.", "there is more than one checksum")
	}
	want := strings.ToLower(checksumPrefix + x.r.Header.Get("X-Amz-Sdk-Checksum-Algorithm"))
	if _, ok := sums[want]; !ok && want != strings.ToLower(checksumPrefix) {
		return nil, refuse("s3-checksums", http.StatusBadRequest, "InvalidRequest",
			"x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
			"the checksum "+want+" did not come")
	}
	return sums, nil
}

func checkMD5(value string, body []byte) error {
	sum := md5.Sum(body)
	got, err := base64.StdEncoding.DecodeString(value)
	if err != nil || len(got) != len(sum) {
		return refuse("s3-content-md5", http.StatusBadRequest, "InvalidDigest", "The Content-MD5 you specified was invalid.", "Content-MD5 is not base64 of 16 bytes")
	}
	if want := base64.StdEncoding.EncodeToString(sum[:]); want != value {
		e := refuse("s3-content-md5", http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received.", "the body's MD5 is "+want)
		e.Fields = [][2]string{{"ExpectedDigest", value}, {"CalculatedDigest", want}}
		return e
	}
	return nil
}
