package s3

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"

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
	b := x.still(p)
	if b != nil {
		b.Objects[x.key] = o
		x.Changed(world.Thing{Kind: "object", Account: p.account, Name: p.name, Key: x.key})
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

func (x *exchange) deleteObject() error {
	p, err := x.find()
	if err == nil {
		err = x.authorize(p, "s3:DeleteObject", p.arn()+"/"+x.key)
	}
	if err != nil {
		return err
	}
	x.World.Lock()
	if b := x.still(p); b != nil {
		delete(b.Objects, x.key)
		x.Changed(world.Thing{Kind: "object", Account: p.account, Name: p.name, Key: x.key})
	}
	x.World.Unlock()
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}
