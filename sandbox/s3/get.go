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
	if err := x.checkOverrides(); err != nil {
		return err
	}
	x.w.Header().Set("Etag", o.ETag)
	x.w.Header().Set("Last-Modified", o.Modified.UTC().Format(http.TimeFormat))
	if err := x.checkMatch(o); err != nil {
		return err
	}
	if x.knows(o) {
		x.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return x.send(o)
}

// tellObject sets the headers of the object, those that the query names over
// its own.
func (x *exchange) tellObject(o *world.Object) {
	h := x.w.Header()
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Type", o.ContentType)
	h.Set("X-Amz-Server-Side-Encryption", encryption)
	for name, value := range o.Headers {
		h.Set(name, value)
	}
	for name, value := range o.Metadata {
		h.Set(metaPrefix+name, value)
	}
	for param, header := range overrideHeaders() {
		if x.query.Has(param) {
			h.Set(header, x.query.Get(param))
		}
	}
}

func (x *exchange) checkOverrides() error {
	for param := range overrideHeaders() {
		if x.query.Has(param) && x.Caller.Kind == policy.Anonymous {
			return refuse("s3-response-headers", http.StatusBadRequest, "InvalidRequest",
				"Request specific response headers cannot be used for anonymous GET requests.", "the unsigned query has "+param)
		}
	}
	return nil
}

// checkMatch applies If-Match, or without it If-Unmodified-Since, as RFC 9110,
// 13.2.2, says.
func (x *exchange) checkMatch(o *world.Object) error {
	condition := "If-Match"
	v := x.r.Header.Get(condition)
	failed := v != "" && !matches(v, o.ETag)
	if v == "" {
		condition = "If-Unmodified-Since"
		newer, dated := x.newer(o, condition)
		failed = dated && newer
	}
	if !failed {
		return nil
	}
	e := refuse("s3-precondition", http.StatusPreconditionFailed, "PreconditionFailed",
		"At least one of the pre-conditions you specified did not hold", "the object does not meet "+condition)
	e.Fields = [][2]string{{"Condition", condition}}
	return e
}

// knows reports whether the caller has the object already, by If-None-Match, or
// without it by If-Modified-Since.
func (x *exchange) knows(o *world.Object) bool {
	if v := x.r.Header.Get("If-None-Match"); v != "" {
		return matches(v, o.ETag)
	}
	newer, dated := x.newer(o, "If-Modified-Since")
	return dated && !newer
}

// newer reports whether the object is newer than the date in a header, and
// whether there is one that can be read.
func (x *exchange) newer(o *world.Object, header string) (newer, dated bool) {
	t, err := http.ParseTime(x.r.Header.Get(header))
	return err == nil && o.Modified.Truncate(time.Second).After(t), err == nil
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
	x.tellObject(o)
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
