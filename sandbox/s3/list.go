package s3

import (
	"encoding/base64"
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

const mostKeys = 1000

// A listed object, as both versions of ListObjects show it.
type listed struct {
	Key, LastModified, ETag string
	ChecksumAlgorithm       []string
	ChecksumType            string
	Size                    int
	StorageClass            string
	Owner                   *owner `xml:",omitempty"`
}

type commonPrefix struct{ Prefix string }

// A page is what both versions answer.
type page struct {
	Contents       []listed
	CommonPrefixes []commonPrefix
	IsTruncated    bool
	last           string // key or common prefix, not encoded
}

func (x *exchange) listObjectsV2() error {
	p, limit, err := x.listCall()
	if err != nil {
		return err
	}
	if x.query.Get("list-type") != "2" {
		return badArgument("list-type", x.query.Get("list-type"), "Invalid List Type specified in Query")
	}
	after := x.query.Get("start-after")
	token := x.query.Get("continuation-token")
	if x.query.Has("continuation-token") {
		last, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || len(last) == 0 {
			return badArgument("continuation-token", token, "The continuation token provided is incorrect")
		}
		after = string(last)
	}
	pg := x.page(p, after, limit, x.query.Get("fetch-owner") == "true")
	answer := struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		Namespace             string   `xml:"xmlns,attr"`
		Name, Prefix          string
		Delimiter             string `xml:",omitempty"`
		MaxKeys, KeyCount     int
		EncodingType          string `xml:",omitempty"`
		ContinuationToken     string `xml:",omitempty"`
		NextContinuationToken string `xml:",omitempty"`
		StartAfter            string `xml:",omitempty"`
		page
	}{
		Namespace: namespace, Name: p.name, Prefix: x.encoded(x.query.Get("prefix")), Delimiter: x.encoded(x.query.Get("delimiter")),
		MaxKeys: limit, KeyCount: len(pg.Contents) + len(pg.CommonPrefixes), EncodingType: x.query.Get("encoding-type"),
		ContinuationToken: token, StartAfter: x.encoded(x.query.Get("start-after")), page: pg,
	}
	if pg.IsTruncated {
		answer.NextContinuationToken = base64.RawURLEncoding.EncodeToString([]byte(pg.last))
	}
	return wire.XML(x.w, http.StatusOK, answer)
}

func (x *exchange) listObjectsV1() error {
	p, limit, err := x.listCall()
	if err != nil {
		return err
	}
	pg := x.page(p, x.query.Get("marker"), limit, true)
	answer := struct {
		XMLName      xml.Name `xml:"ListBucketResult"`
		Namespace    string   `xml:"xmlns,attr"`
		Name, Prefix string
		Marker       string
		NextMarker   string `xml:",omitempty"`
		Delimiter    string `xml:",omitempty"`
		MaxKeys      int
		EncodingType string `xml:",omitempty"`
		page
	}{
		Namespace: namespace, Name: p.name, Prefix: x.encoded(x.query.Get("prefix")), Marker: x.encoded(x.query.Get("marker")),
		Delimiter: x.encoded(x.query.Get("delimiter")), MaxKeys: limit, EncodingType: x.query.Get("encoding-type"), page: pg,
	}
	if pg.IsTruncated && answer.Delimiter != "" {
		answer.NextMarker = x.encoded(pg.last)
	}
	return wire.XML(x.w, http.StatusOK, answer)
}

// listCall authorizes a listing and reads its limit.
func (x *exchange) listCall() (place, int, error) {
	p, err := x.find()
	if err == nil {
		err = x.authorize(p, "s3:ListBucket", p.arn())
	}
	if err != nil {
		return p, 0, err
	}
	if v := x.query.Get("encoding-type"); v != "" && v != "url" {
		return p, 0, badArgument("encoding-type", v, "Invalid Encoding Method specified in Request")
	}
	limit, err := x.number("max-keys", 0, mostKeys)
	return p, limit, err
}

// page collects what follows after, up to limit. Keys that share what stands
// between prefix and delimiter become one common prefix.
func (x *exchange) page(p place, after string, limit int, owners bool) page {
	prefix, delimiter := x.query.Get("prefix"), x.query.Get("delimiter")
	var pg page
	x.World.RLock()
	defer x.World.RUnlock()
	b := x.still(p)
	if b == nil {
		return pg
	}
	for _, key := range keys(b) {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		entry := key
		i := -1
		if delimiter != "" {
			i = strings.Index(rest, delimiter)
		}
		if i >= 0 {
			entry = prefix + rest[:i+len(delimiter)]
		}
		if key <= after || i >= 0 && (entry == after || entry == pg.last) {
			continue
		}
		if len(pg.Contents)+len(pg.CommonPrefixes) == limit {
			pg.IsTruncated = limit > 0
			break
		}
		pg.last = entry
		if i >= 0 {
			pg.CommonPrefixes = append(pg.CommonPrefixes, commonPrefix{x.encoded(entry)})
			continue
		}
		pg.Contents = append(pg.Contents, x.listed(key, b.Objects[key], p, owners))
	}
	return pg
}

func (x *exchange) listed(key string, o *world.Object, p place, owners bool) listed {
	l := listed{
		Key: x.encoded(key), LastModified: stamp(o.Modified), ETag: o.ETag, ChecksumType: "FULL_OBJECT",
		Size: len(o.Data), StorageClass: "STANDARD",
	}
	for name := range o.Checksums {
		l.ChecksumAlgorithm = append(l.ChecksumAlgorithm, strings.ToUpper(strings.TrimPrefix(name, "x-amz-checksum-")))
	}
	slices.Sort(l.ChecksumAlgorithm)
	if owners {
		l.Owner = &owner{ownerID(p.account)}
	}
	return l
}

// encoded is a key or prefix as the answer shows it: percent-encoded but for
// slashes if the caller asked for it.
func (x *exchange) encoded(s string) string {
	if x.query.Get("encoding-type") != "url" {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(s), "+", "%20"), "%2F", "/")
}

// keys are the keys of a bucket in S3's order, that of their bytes.
func keys(b *world.Bucket) []string { return slices.Sorted(maps.Keys(b.Objects)) }
