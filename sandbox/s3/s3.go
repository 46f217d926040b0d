// Package s3 is the sandbox's S3: buckets, objects and bucket policies, in
// path style and virtual-host style. Every call is held to the caller's
// policies and the bucket's; a stranger gets what the bucket policy gives it.
// Operations, query parameters and x-amz-* headers that are not built answer
// NotImplemented.
//
// Unlike AWS, a new bucket has no public access block, no default retention and
// no owner controls to be set; ACLs are off, as on AWS's new buckets.
package s3

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"daypass.dev/policy"
	"daypass.dev/sandbox/world"
)

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// Service answers S3's calls; its zero value is ready.
type Service struct{}

// Operation names the call as AWS does; one that is not built is named by
// method and subresource.
func (Service) Operation(r *http.Request) string {
	_, name := match(r)
	return name
}

// Serve answers one call. Errors are *world.Refusal or *sigv4.Error.
func (Service) Serve(c *world.Call, w http.ResponseWriter, r *http.Request, body []byte) error {
	op, name := match(r)
	c.Decision.Operation = name
	if op == nil {
		return c.NotBuilt()
	}
	x := &exchange{Call: c, w: w, r: r, body: body, query: r.URL.Query()}
	x.bucket, x.key = address(r)
	if err := x.checkHeaders(op); err != nil {
		return err
	}
	if err := x.checkNames(); err != nil {
		return err
	}
	return op.serve(x)
}

// An exchange is one call with what S3 reads out of it.
type exchange struct {
	*world.Call
	w           http.ResponseWriter
	r           *http.Request
	body        []byte
	query       url.Values
	bucket, key string
}

// A place is a bucket as it was found, copied out of the lock.
type place struct {
	name, region, account string
	created               time.Time
	policy                *policy.Document
}

func (p place) arn() string { return "arn:" + world.PartitionOf(p.region) + ":s3:::" + p.name }

// find looks the bucket up and holds the call to its region and owner.
func (x *exchange) find() (place, error) {
	x.World.RLock()
	_, b := x.World.Bucket(x.bucket)
	var p place
	if b != nil {
		p = place{b.Name, b.Region, b.Account, b.Created, b.Policy}
	}
	x.World.RUnlock()
	if b == nil {
		return p, x.noSuchBucket()
	}
	if x.Region != "" && x.Region != p.region {
		return p, x.elsewhere(p)
	}
	x.w.Header().Set("X-Amz-Bucket-Region", p.region)
	if want := x.r.Header.Get("X-Amz-Expected-Bucket-Owner"); want != "" && want != p.account {
		return p, refuse("s3-other-owner", http.StatusForbidden, "AccessDenied", "Access Denied",
			"the bucket belongs to account "+p.account+", x-amz-expected-bucket-owner says "+want)
	}
	return p, nil
}

// still returns the bucket that was found, under the lock that the caller
// holds; nil if it is gone, or another's of the same name by now.
func (x *exchange) still(p place) *world.Bucket {
	_, b := x.World.Bucket(p.name)
	if b == nil || b.Account != p.account || !b.Created.Equal(p.created) {
		return nil
	}
	return b
}

// authorize holds the caller to an action on a resource of the bucket.
func (x *exchange) authorize(p place, action, resource string) error {
	a := world.Access{Action: action, Resource: resource, ResourceAccount: p.account, Context: x.context(p)}
	if p.policy != nil {
		a.ResourcePolicy = &policy.Named{Name: "bucket policy of " + p.name, Document: p.policy}
	}
	err := x.Authorize(a)
	if denied, ok := err.(*world.Refusal); ok && p.account != x.Caller.Account {
		// S3 explains itself only to callers of the bucket's own account.
		denied.Message = "Access Denied"
	}
	return err
}

// context holds S3's own condition keys.
func (x *exchange) context(p place) policy.Context {
	ctx := policy.Context{}
	set := func(key, value string) {
		ctx[key] = policy.Values{List: []string{value}}
	}
	if p.account != "" {
		set("s3:ResourceAccount", p.account)
	}
	for _, name := range []string{"prefix", "delimiter", "max-keys"} {
		if x.query.Has(name) {
			set("s3:"+name, x.query.Get(name))
		}
	}
	for _, name := range []string{"x-amz-acl", "x-amz-storage-class", "x-amz-server-side-encryption", "x-amz-content-sha256"} {
		if v := x.r.Header.Get(name); v != "" {
			set("s3:"+name, v)
		}
	}
	switch {
	case x.Caller.Kind == policy.Anonymous:
	case x.r.Header.Get("Authorization") != "":
		set("s3:authType", "REST-HEADER")
		set("s3:signatureversion", "AWS4-HMAC-SHA256")
	default:
		set("s3:authType", "REST-QUERY-STRING")
		set("s3:signatureversion", "AWS4-HMAC-SHA256")
	}
	return ctx
}

// address finds bucket and key: the bucket in the host name before ".s3." of
// one of AWS's names, or before ".localhost"; else in the path. The bucket is
// empty for a call to the service itself.
func address(r *http.Request) (bucket, key string) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	if b := hostBucket(r.Host); b != "" {
		return b, path
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}

func hostBucket(host string) string {
	host = strings.ToLower(host)
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	if b, ok := strings.CutSuffix(host, ".localhost"); ok {
		return b
	}
	labels := strings.Split(host, ".")
	if !slices.Contains(labels, "amazonaws") && !strings.HasSuffix(host, ".api.aws") {
		return ""
	}
	for i := len(labels) - 1; i > 0; i-- {
		if labels[i] == "s3" || labels[i] == "s3-fips" {
			return strings.Join(labels[:i], ".")
		}
	}
	return ""
}
