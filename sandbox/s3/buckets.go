package s3

import (
	"bytes"
	"encoding/xml"
	"errors"
	"net/http"
	"time"

	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// first is the region whose buckets have no location constraint.
const first = "us-east-1"

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func (x *exchange) createBucket() error {
	constraint, malformed := locationConstraint(x.body)
	ctx := x.context(place{})
	if constraint != "" {
		ctx["s3:LocationConstraint"] = policyValue(constraint)
	}
	name := place{name: x.bucket, region: x.Region, account: x.Caller.Account}
	if err := x.Authorize(world.Access{Action: "s3:CreateBucket", Resource: name.arn(), Context: ctx}); err != nil {
		return err
	}
	if malformed != nil {
		return malformed
	}
	if _, err := x.checkDigests(); err != nil {
		return err
	}
	if err := x.checkLocation(constraint); err != nil {
		return err
	}
	if err := x.addBucket(name); err != nil {
		return err
	}
	location := "/" + name.name
	if name.region != first {
		location = "http://" + name.name + ".s3.amazonaws.com/"
	}
	x.w.Header().Set("Location", location)
	x.w.Header().Set("X-Amz-Bucket-Arn", name.arn())
	x.w.WriteHeader(http.StatusOK)
	return nil
}

// locationConstraint reads CreateBucketConfiguration; any other element in it
// is not built.
func locationConstraint(body []byte) (string, error) {
	var v struct {
		XMLName            xml.Name `xml:"CreateBucketConfiguration"`
		LocationConstraint string
		Rest               []struct {
			XMLName xml.Name
		} `xml:",any"`
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return "", nil
	}
	if err := xml.Unmarshal(body, &v); err != nil {
		return "", refuse("s3-xml-malformed", http.StatusBadRequest, "MalformedXML",
			"The XML you provided was not well-formed or did not validate against our published schema", err.Error())
	}
	if len(v.Rest) > 0 {
		return "", refuse("operation-not-built", http.StatusNotImplemented, "NotImplemented",
			"A header you provided implies functionality that is not implemented", "CreateBucketConfiguration has the element "+v.Rest[0].XMLName.Local)
	}
	return v.LocationConstraint, nil
}

func (x *exchange) checkLocation(constraint string) error {
	if constraint == x.Region || constraint == "" && x.Region == first {
		if constraint == first {
			return refuse("s3-location", http.StatusBadRequest, "InvalidLocationConstraint", "The specified location-constraint is not valid",
				"us-east-1 is not written as a location constraint")
		}
		return nil
	}
	shown := constraint
	if shown == "" {
		shown = "unspecified"
	}
	return refuse("s3-location", http.StatusBadRequest, "IllegalLocationConstraintException",
		"The "+shown+" location constraint is incompatible for the region specific endpoint this request was sent to.",
		"the request is for "+x.Region)
}

// addBucket makes the bucket if its name is free in all accounts. In us-east-1
// making one's own bucket again succeeds, as at AWS.
func (x *exchange) addBucket(p place) error {
	x.Changed(world.Thing{Kind: "bucket", Account: p.account, Name: p.name})
	x.World.Lock()
	defer x.World.Unlock()
	_, b := x.World.Bucket(p.name)
	a := x.World.Account(p.account)
	switch {
	case b != nil && b.Account != p.account:
		return refuse("s3-bucket-exists", http.StatusConflict, "BucketAlreadyExists",
			"The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.",
			"another account has a bucket "+p.name)
	case b != nil && (b.Region != first || p.region != first):
		return refuse("s3-bucket-owned", http.StatusConflict, "BucketAlreadyOwnedByYou",
			"Your previous request to create the named bucket succeeded and you already own it.", "the bucket is in "+b.Region)
	case b != nil:
		return nil
	case a == nil:
		return errors.New("adding bucket: the caller's account is gone")
	}
	a.Buckets[p.name] = &world.Bucket{
		Name: p.name, Region: p.region, Account: p.account, Created: x.Time, Objects: map[string]*world.Object{},
	}
	return nil
}

func (x *exchange) headBucket() error {
	p, err := x.find()
	if err == nil {
		err = x.authorize(p, "s3:ListBucket", p.arn())
	}
	if err != nil {
		return err
	}
	x.w.Header().Set("X-Amz-Access-Point-Alias", "false")
	x.w.WriteHeader(http.StatusOK)
	return nil
}

func (x *exchange) deleteBucket() error {
	p, err := x.find()
	if err == nil {
		err = x.authorize(p, "s3:DeleteBucket", p.arn())
	}
	if err != nil {
		return err
	}
	x.World.Lock()
	b := x.still(p)
	full := b != nil && len(b.Objects) > 0
	x.Changed(world.Thing{Kind: "bucket", Account: p.account, Name: p.name})
	if b != nil && !full {
		delete(x.World.Account(p.account).Buckets, p.name)
	}
	x.World.Unlock()
	switch {
	case b == nil:
		return x.noSuchBucket()
	case full:
		e := refuse("s3-bucket-not-empty", http.StatusConflict, "BucketNotEmpty", "The bucket you tried to delete is not empty", "the bucket still has objects")
		e.Fields = [][2]string{{"BucketName", p.name}}
		return e
	}
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (x *exchange) getBucketLocation() error {
	p, err := x.find()
	if err == nil {
		err = x.authorize(p, "s3:GetBucketLocation", p.arn())
	}
	if err != nil {
		return err
	}
	answer := struct {
		XMLName   xml.Name `xml:"LocationConstraint"`
		Namespace string   `xml:"xmlns,attr"`
		Region    string   `xml:",chardata"`
	}{Namespace: namespace}
	if p.region != first {
		answer.Region = p.region
	}
	return wire.XML(x.w, http.StatusOK, answer)
}
