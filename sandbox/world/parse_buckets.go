package world

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"regexp"

	"go.yaml.in/yaml/v3"

	"daypass.dev/policy"
)

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func (l *loader) bucket(key, n *yaml.Node) {
	name := l.matching(key, bucketName, "a bucket's name", "with 3 to 63 lower-case letters, digits, dots and hyphens")
	if _, taken := l.world.Bucket(name); taken != nil {
		l.fail(key, "names of buckets are one for all accounts; choose another", "there is a bucket %s already", name)
	}
	b := &Bucket{Name: name, Region: l.world.Region, Account: l.account.ID, Objects: map[string]*Object{}}
	l.account.Buckets[name] = b
	defer func() { l.inPartition(key, b.Region) }()
	if l.absent(n) {
		return
	}
	l.fields(n, "a bucket", map[string]func(*yaml.Node){
		"region": func(n *yaml.Node) { b.Region = l.matching(n, regionName, "a region", "as us-east-1") },
		"policy": func(n *yaml.Node) { l.bound(n, policy.Resource, func(d *policy.Document) { b.Policy = d }) },
		"objects": func(n *yaml.Node) {
			l.each(n, "objects", func(key, value *yaml.Node) { b.Objects[key.Value] = l.object(value) })
		},
	})
}

// object is a text, or a mapping that says more.
func (l *loader) object(n *yaml.Node) *Object {
	o := &Object{ContentType: "binary/octet-stream"}
	if n.Kind == yaml.ScalarNode {
		o.Data = []byte(n.Value)
	} else {
		known := l.fileOr("text", func(_ *yaml.Node, data []byte) { o.Data = data })
		known["file"] = known["textFile"]
		delete(known, "textFile")
		known["base64"] = func(n *yaml.Node) {
			data, err := base64.StdEncoding.DecodeString(l.text(n))
			if err != nil {
				l.fail(n, "write standard base64 on one line", "this is not base64: %v", err)
			}
			o.Data = data
		}
		known["contentType"] = func(n *yaml.Node) { o.ContentType = l.text(n) }
		l.fields(n, "an object", known)
	}
	sum := md5.Sum(o.Data) // what S3 calls an ETag
	o.ETag = `"` + hex.EncodeToString(sum[:]) + `"`
	return o
}
