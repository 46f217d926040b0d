package s3

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"daypass.dev/policy"
	"daypass.dev/sandbox/sigv4"
	"daypass.dev/sandbox/world"
)

const (
	metaPrefix   = "X-Amz-Meta-"
	mostMetadata = 2048 // bytes of names and values
	encryption   = "AES256"
)

// keptHeaders are stored with an object and come back with it.
func keptHeaders() []string {
	return []string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires"}
}

// overrideHeaders are the headers of an answer that a signed request may
// choose, by query parameter.
func overrideHeaders() map[string]string {
	return map[string]string{
		"response-cache-control": "Cache-Control", "response-content-disposition": "Content-Disposition",
		"response-content-encoding": "Content-Encoding", "response-content-language": "Content-Language",
		"response-content-type": "Content-Type", "response-expires": "Expires",
	}
}

func (x *exchange) putObject() error {
	p, err := x.find()
	if err == nil {
		err = x.authorize(p, "s3:PutObject", p.arn()+"/"+x.key)
	}
	if err == nil {
		err = x.checkPutHeaders()
	}
	if err != nil {
		return err
	}
	sums, err := x.checkDigests()
	if err != nil {
		return err
	}
	o, err := x.newObject(sums)
	if err != nil {
		return err
	}
	x.World.Lock()
	_, b := x.World.Bucket(p.name)
	if b != nil {
		b.Objects[x.key] = o
	}
	x.World.Unlock()
	if b == nil {
		return x.noSuchBucket()
	}
	x.w.Header().Set("Etag", o.ETag)
	x.w.Header().Set("X-Amz-Server-Side-Encryption", encryption)
	x.tellChecksums(o)
	x.w.WriteHeader(http.StatusOK)
	return nil
}

// checkPutHeaders lets pass what an object of the sandbox has anyway.
func (x *exchange) checkPutHeaders() error {
	for name, only := range map[string]string{"X-Amz-Storage-Class": "STANDARD", "X-Amz-Server-Side-Encryption": encryption} {
		if v := x.r.Header.Get(name); v != "" && v != only {
			e := refuse("s3-header-not-built", http.StatusNotImplemented, "NotImplemented",
				"A header you provided implies functionality that is not implemented", "the sandbox knows no other "+name+" than "+only)
			e.Fields = [][2]string{{"Header", name}}
			return e
		}
	}
	if v := x.r.Header.Get("X-Amz-Acl"); v != "" && v != "bucket-owner-full-control" {
		return refuse("s3-acl", http.StatusBadRequest, "AccessControlListNotSupported", "The bucket does not allow ACLs", fmt.Sprintf("x-amz-acl is %.50q", v))
	}
	return nil
}

// newObject is the object that the call brings. Without a checksum S3 computes
// one of its own.
func (x *exchange) newObject(sums map[string]string) (*world.Object, error) {
	sum := md5.Sum(x.body)
	o := &world.Object{
		Data: x.body, ContentType: x.r.Header.Get("Content-Type"), ETag: `"` + hex.EncodeToString(sum[:]) + `"`,
		Modified: x.Time, Metadata: map[string]string{}, Checksums: sums, Headers: map[string]string{},
	}
	if o.ContentType == "" {
		o.ContentType = "binary/octet-stream"
	}
	if len(sums) == 0 {
		own, err := sigv4.Checksum("crc64nvme", x.body)
		if err != nil {
			return nil, err
		}
		o.Checksums = map[string]string{"x-amz-checksum-crc64nvme": own}
	}
	size := 0
	for name := range x.r.Header {
		if key, ok := strings.CutPrefix(name, metaPrefix); ok {
			value := strings.Join(x.r.Header.Values(name), ",")
			o.Metadata[strings.ToLower(key)] = value
			size += len(key) + len(value)
		}
	}
	if size > mostMetadata {
		e := refuse("s3-metadata-too-large", http.StatusBadRequest, "MetadataTooLarge",
			"Your metadata headers exceed the maximum allowed metadata size", "there are "+strconv.Itoa(size)+" bytes of x-amz-meta-*")
		e.Fields = [][2]string{{"Size", strconv.Itoa(size)}, {"MaxSizeAllowed", strconv.Itoa(mostMetadata)}}
		return nil, e
	}
	for _, name := range keptHeaders() {
		if v := withoutChunked(x.r.Header.Values(name)); v != "" {
			o.Headers[name] = v
		}
	}
	return o, nil
}

// withoutChunked joins the values of a header and leaves out aws-chunked, which
// is of the transfer and not of the object.
func withoutChunked(values []string) string {
	var kept []string
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if part = strings.TrimSpace(part); part != "" && part != "aws-chunked" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ", ")
}

func (x *exchange) tellChecksums(o *world.Object) {
	for name, value := range o.Checksums {
		x.w.Header().Set(name, value)
	}
	x.w.Header().Set("X-Amz-Checksum-Type", "FULL_OBJECT")
}

// getObject serves GetObject and HeadObject.
func (x *exchange) getObject() error {
	p, err := x.find()
	if err == nil {
		err = x.authorize(p, "s3:GetObject", p.arn()+"/"+x.key)
	}
	if err != nil {
		return err
	}
	x.World.RLock()
	var o *world.Object
	if _, b := x.World.Bucket(p.name); b != nil {
		o = b.Objects[x.key]
	}
	x.World.RUnlock()
	if o == nil {
		// Only who may list learns that there is no such key.
		if err := x.authorize(p, "s3:ListBucket", p.arn()); err != nil {
			return err
		}
		return x.noSuchKey(p)
	}
	x.tellObject(o)
	if err := x.override(); err != nil {
		return err
	}
	if err := x.checkConditions(o); err != nil {
		return err
	}
	return x.send(o)
}

func (x *exchange) tellObject(o *world.Object) {
	h := x.w.Header()
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Type", o.ContentType)
	h.Set("Etag", o.ETag)
	h.Set("Last-Modified", o.Modified.UTC().Format(http.TimeFormat))
	h.Set("X-Amz-Server-Side-Encryption", encryption)
	for name, value := range o.Headers {
		h.Set(name, value)
	}
	for name, value := range o.Metadata {
		h.Set(metaPrefix+name, value)
	}
}

func (x *exchange) override() error {
	for param, header := range overrideHeaders() {
		if !x.query.Has(param) {
			continue
		}
		if x.Caller.Kind == policy.Anonymous {
			return refuse("s3-response-headers", http.StatusBadRequest, "InvalidRequest",
				"Request specific response headers cannot be used for anonymous GET requests.", "the unsigned query has "+param)
		}
		x.w.Header().Set(header, x.query.Get(param))
	}
	return nil
}

// checkConditions applies the If-* headers in the order of RFC 9110, 13.2.2.
func (x *exchange) checkConditions(o *world.Object) error {
	get := x.r.Header.Get
	since := func(name string) (newer, ok bool) {
		t, err := http.ParseTime(get(name))
		return err == nil && o.Modified.Truncate(time.Second).After(t), err == nil
	}
	failed := func(condition string) error {
		e := refuse("s3-precondition", http.StatusPreconditionFailed, "PreconditionFailed",
			"At least one of the pre-conditions you specified did not hold", "the object does not meet "+condition)
		e.Fields = [][2]string{{"Condition", condition}}
		return e
	}
	newer, dated := since("If-Unmodified-Since")
	switch v := get("If-Match"); {
	case v != "" && !matches(v, o.ETag):
		return failed("If-Match")
	case v == "" && dated && newer:
		return failed("If-Unmodified-Since")
	}
	newer, dated = since("If-Modified-Since")
	v := get("If-None-Match")
	if v != "" && matches(v, o.ETag) || v == "" && dated && !newer {
		return refuse("s3-precondition", http.StatusNotModified, "NotModified", "Not Modified", "the object is as the caller knows it")
	}
	return nil
}

func matches(list, etag string) bool {
	return slices.ContainsFunc(strings.Split(list, ","), func(v string) bool {
		v = strings.TrimSpace(v)
		return v == "*" || strings.Trim(v, `"`) == strings.Trim(etag, `"`)
	})
}

// send writes the object or the range that was asked for.
func (x *exchange) send(o *world.Object) error {
	part, status := o.Data, http.StatusOK
	if spec := x.r.Header.Get("Range"); spec != "" {
		from, to, ok := byteRange(spec, len(o.Data))
		switch {
		case ok && from >= to:
			e := refuse("s3-range", http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable",
				fmt.Sprintf("the object has %d bytes", len(o.Data)))
			e.Fields = [][2]string{{"RangeRequested", spec}, {"ActualObjectSize", strconv.Itoa(len(o.Data))}}
			return e
		case ok:
			part, status = o.Data[from:to], http.StatusPartialContent
			x.w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(o.Data)))
		}
	}
	if status == http.StatusOK && x.r.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" {
		x.tellChecksums(o)
	}
	x.w.Header().Set("Content-Length", strconv.Itoa(len(part)))
	x.w.WriteHeader(status)
	if x.r.Method == http.MethodHead {
		return nil
	}
	_, err := x.w.Write(part)
	return err
}

// byteRange reads a Range of one range, as the half-open [from, to). What it
// cannot read, and several ranges, do not count: not ok. An empty range cannot
// be satisfied.
func byteRange(spec string, size int) (from, to int, ok bool) {
	spec, ok = strings.CutPrefix(spec, "bytes=")
	first, last, dash := strings.Cut(spec, "-")
	if !ok || !dash {
		return 0, 0, false
	}
	if first == "" {
		n, err := strconv.ParseUint(last, 10, 31)
		return max(0, size-int(n)), size, err == nil
	}
	a, err := strconv.ParseUint(first, 10, 31)
	if err != nil {
		return 0, 0, false
	}
	if last == "" {
		return int(a), size, true
	}
	b, err := strconv.ParseUint(last, 10, 31)
	if err != nil || b < a {
		return 0, 0, false
	}
	return int(a), min(int(b)+1, size), true
}

func (x *exchange) deleteObject() error {
	p, err := x.find()
	if err == nil {
		err = x.authorize(p, "s3:DeleteObject", p.arn()+"/"+x.key)
	}
	if err != nil {
		return err
	}
	x.World.Lock()
	if _, b := x.World.Bucket(p.name); b != nil {
		delete(b.Objects, x.key)
	}
	x.World.Unlock()
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

// keys are the keys of a bucket in S3's order, that of their bytes.
func keys(b *world.Bucket) []string { return slices.Sorted(maps.Keys(b.Objects)) }
