package s3

import (
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"unicode/utf8"
)

const longestKey = 1024 // bytes of UTF-8

// labels is the form of a bucket's name: labels of lower-case letters, digits
// and hyphens, joined by dots.
const labels = `^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`

// checkNames refuses names that no bucket and no object can have.
func (x *exchange) checkNames() error {
	if why := wrongBucketName(x.bucket); x.bucket != "" && why != "" {
		e := refuse("s3-bucket-name", http.StatusBadRequest, "InvalidBucketName", "The specified bucket is not valid.", why)
		e.Fields = [][2]string{{"BucketName", x.bucket}}
		return e
	}
	switch {
	case len(x.key) > longestKey:
		return refuse("s3-key-name", http.StatusBadRequest, "KeyTooLongError", "Your key is too long", "the key has more than 1024 bytes")
	case !utf8.ValidString(x.key):
		return refuse("s3-key-name", http.StatusBadRequest, "InvalidURI", "Couldn't parse the specified URI.", "the key is not UTF-8")
	}
	return nil
}

// wrongBucketName says what is wrong with a name by AWS's rules for general
// purpose buckets; empty if nothing is.
func wrongBucketName(name string) string {
	switch {
	case len(name) < 3 || len(name) > 63:
		return "a bucket's name has 3 to 63 characters"
	case !regexp.MustCompile(labels).MatchString(name):
		return "a bucket's name has lower-case letters, digits, dots and hyphens, and begins and ends each label with a letter or digit"
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return "a bucket's name must not look like an IP address"
	}
	for _, p := range []string{"xn--", "sthree-", "amzn-s3-demo-"} {
		if strings.HasPrefix(name, p) {
			return "a bucket's name must not begin with " + p
		}
	}
	for _, s := range []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"} {
		if strings.HasSuffix(name, s) {
			return "a bucket's name must not end with " + s
		}
	}
	return ""
}
