package s3

import (
	"fmt"
	"net/http"

	"daypass.dev/sandbox/world"
)

func refuse(slug string, status int, code, message, detail string) *world.Refusal {
	return &world.Refusal{Slug: slug, Status: status, Code: code, Message: message, Detail: detail}
}

func (x *exchange) noSuchBucket() *world.Refusal {
	e := refuse("s3-no-such-bucket", http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist",
		"no account has a bucket "+x.bucket)
	e.Fields = [][2]string{{"BucketName", x.bucket}}
	return e
}

func (x *exchange) noSuchKey(p place) *world.Refusal {
	e := refuse("s3-no-such-key", http.StatusNotFound, "NoSuchKey", "The specified key does not exist.",
		"the bucket "+p.name+" has no object "+x.key)
	e.Fields = [][2]string{{"Key", x.key}}
	return e
}

// elsewhere sends the caller to the bucket's region.
func (x *exchange) elsewhere(p place) *world.Refusal {
	x.w.Header().Set("X-Amz-Bucket-Region", p.region)
	e := refuse("s3-region", http.StatusMovedPermanently, "PermanentRedirect",
		"The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.",
		fmt.Sprintf("the bucket is in %s, the request is for %s", p.region, x.Region))
	e.Fields = [][2]string{{"Endpoint", p.name + ".s3." + p.region + "." + world.Domain(p.region)}, {"Bucket", p.name}}
	return e
}

func badArgument(name, value, message string) *world.Refusal {
	e := refuse("s3-argument", http.StatusBadRequest, "InvalidArgument", message, fmt.Sprintf("%s is %.100q", name, value))
	e.Fields = [][2]string{{"ArgumentName", name}, {"ArgumentValue", value}}
	return e
}
