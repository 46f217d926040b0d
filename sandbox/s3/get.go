package s3

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"daypass.dev/policy"
	"daypass.dev/sandbox/world"
)

// overrideHeaders are the headers of an answer that a signed request may
// choose, by query parameter.
func overrideHeaders() map[string]string {
	return map[string]string{
		"response-cache-control": "Cache-Control", "response-content-disposition": "Content-Disposition",
		"response-content-encoding": "Content-Encoding", "response-content-language": "Content-Language",
		"response-content-type": "Content-Type", "response-expires": "Expires",
	}
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
	if b := x.still(p); b != nil {
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
