package s3

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// A level is what a call is about.
type level int

const (
	ofService level = iota
	ofBucket
	ofObject
)

// An operation is one call of S3 that is built.
type operation struct {
	name, method string
	level        level
	sub          string   // the query parameter that selects it; empty: none
	params       []string // further query parameters that it takes
	headers      []string // x-amz-* and conditional headers that it takes, beyond those that all take
	serve        func(*exchange) error
}

// operations are all that is built; of those that match, the first
// counts, so that those with a subresource come before those without.
func operations() []operation {
	overrides := slices.Sorted(maps.Keys(overrideHeaders()))
	conditions := []string{"x-amz-checksum-mode", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "range"}
	return []operation{
		{name: "ListBuckets", method: http.MethodGet, level: ofService,
			params: []string{"max-buckets", "continuation-token", "prefix", "bucket-region"}, serve: (*exchange).listBuckets},

		{name: "GetBucketLocation", method: http.MethodGet, level: ofBucket, sub: "location", serve: (*exchange).getBucketLocation},
		{name: "GetBucketPolicy", method: http.MethodGet, level: ofBucket, sub: "policy", serve: (*exchange).getBucketPolicy},
		{name: "PutBucketPolicy", method: http.MethodPut, level: ofBucket, sub: "policy",
			headers: []string{"x-amz-confirm-remove-self-bucket-access", "x-amz-sdk-checksum-algorithm"}, serve: (*exchange).putBucketPolicy},
		{name: "DeleteBucketPolicy", method: http.MethodDelete, level: ofBucket, sub: "policy", serve: (*exchange).deleteBucketPolicy},
		{name: "ListObjectsV2", method: http.MethodGet, level: ofBucket, sub: "list-type",
			params: []string{"prefix", "delimiter", "max-keys", "encoding-type", "continuation-token", "start-after", "fetch-owner"}, serve: (*exchange).listObjectsV2},
		{name: "CreateBucket", method: http.MethodPut, level: ofBucket, serve: (*exchange).createBucket},
		{name: "HeadBucket", method: http.MethodHead, level: ofBucket, serve: (*exchange).headBucket},
		{name: "DeleteBucket", method: http.MethodDelete, level: ofBucket, serve: (*exchange).deleteBucket},
		{name: "ListObjects", method: http.MethodGet, level: ofBucket,
			params: []string{"prefix", "delimiter", "max-keys", "encoding-type", "marker"}, serve: (*exchange).listObjectsV1},

		{name: "PutObject", method: http.MethodPut, level: ofObject,
			headers: []string{"x-amz-sdk-checksum-algorithm", "x-amz-storage-class", "x-amz-acl", "x-amz-server-side-encryption"}, serve: (*exchange).putObject},
		{name: "GetObject", method: http.MethodGet, level: ofObject, params: overrides, headers: conditions, serve: (*exchange).getObject},
		{name: "HeadObject", method: http.MethodHead, level: ofObject, params: overrides, headers: conditions, serve: (*exchange).getObject},
		{name: "DeleteObject", method: http.MethodDelete, level: ofObject, serve: (*exchange).deleteObject},
	}
}

// match finds the operation of a request; nil and a name made of method and
// subresource if it is not built, or asks for more than is built.
func match(r *http.Request) (*operation, string) {
	bucket, key := address(r)
	at := ofObject
	switch {
	case bucket == "":
		at = ofService
	case key == "":
		at = ofBucket
	}
	query := r.URL.Query()
	for _, op := range operations() {
		if op.method != r.Method || op.level != at || op.sub != "" && !query.Has(op.sub) {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(query)) {
			if !isCommonParam(name) && name != op.sub && !slices.Contains(op.params, name) {
				return nil, r.Method + " ?" + name
			}
		}
		return &op, op.name
	}
	return nil, r.Method
}

// isCommonParam reports whether any call may have the query parameter: SDKs add
// x-id, and AWS ignores what begins with x-; a presigned URL has its own.
func isCommonParam(name string) bool {
	return strings.HasPrefix(strings.ToLower(name), "x-")
}

// checkHeaders refuses what asks for something that is not built.
func (x *exchange) checkHeaders(op *operation) error {
	for _, name := range slices.Sorted(maps.Keys(x.r.Header)) {
		name = strings.ToLower(name)
		if !needsSupport(name) || slices.Contains(op.headers, name) {
			continue
		}
		if op.method == http.MethodPut && (strings.HasPrefix(name, "x-amz-checksum-") || strings.HasPrefix(name, "x-amz-meta-")) {
			continue
		}
		e := refuse("s3-header-not-built", http.StatusNotImplemented, "NotImplemented",
			"A header you provided implies functionality that is not implemented", op.name+" does not take the header "+name+" here")
		e.Fields = [][2]string{{"Header", name}}
		return e
	}
	return nil
}

// needsSupport reports whether a header changes what a call does; those of
// signing, of SDKs and of HTTP itself do not.
func needsSupport(name string) bool {
	switch name {
	case "x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-decoded-content-length", "x-amz-trailer",
		"x-amz-user-agent", "x-amz-te", "x-amz-expected-bucket-owner":
		return false
	case "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "range":
		return true
	}
	return strings.HasPrefix(name, "x-amz-")
}
