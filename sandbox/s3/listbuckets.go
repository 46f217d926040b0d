package s3

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// ownerID stands for an account's canonical user id, which the world does not
// hold.
func ownerID(account string) string {
	sum := sha256.Sum256([]byte("canonical user of " + account))
	return hex.EncodeToString(sum[:])
}

type owner struct{ ID string }

func (x *exchange) listBuckets() error {
	if err := x.Authorize(world.Access{Action: "s3:ListAllMyBuckets", Resource: place{name: "*", region: x.Region}.arn(), Context: x.context(place{})}); err != nil {
		return err
	}
	limit, err := x.number("max-buckets", 1, 10000)
	if err != nil {
		return err
	}
	after, err := base64.RawURLEncoding.DecodeString(x.query.Get("continuation-token"))
	if err != nil {
		return badArgument("continuation-token", x.query.Get("continuation-token"), "The continuation token provided is incorrect")
	}
	type bucket struct{ Name, CreationDate, BucketRegion, BucketArn string }
	answer := struct {
		XMLName           xml.Name `xml:"ListAllMyBucketsResult"`
		Namespace         string   `xml:"xmlns,attr"`
		Owner             owner
		Buckets           []bucket `xml:"Buckets>Bucket"`
		ContinuationToken string   `xml:",omitempty"`
		Prefix            string   `xml:",omitempty"`
	}{Namespace: namespace, Owner: owner{ownerID(x.Caller.Account)}, Prefix: x.query.Get("prefix")}
	for _, p := range x.places() {
		if !strings.HasPrefix(p.Name, answer.Prefix) || p.Name <= string(after) && len(after) > 0 ||
			x.query.Get("bucket-region") != "" && p.Region != x.query.Get("bucket-region") {
			continue
		}
		if len(answer.Buckets) == limit {
			last := answer.Buckets[limit-1].Name
			answer.ContinuationToken = base64.RawURLEncoding.EncodeToString([]byte(last))
			break
		}
		answer.Buckets = append(answer.Buckets, bucket{p.Name, stamp(p.Created), p.Region, place{name: p.Name, region: p.Region}.arn()})
	}
	return wire.XML(x.w, http.StatusOK, answer)
}

// places are the buckets of the caller's account by name, without their
// objects.
func (x *exchange) places() []world.Bucket {
	x.World.RLock()
	defer x.World.RUnlock()
	var all []world.Bucket
	if a := x.World.Account(x.Caller.Account); a != nil {
		for _, b := range a.Buckets {
			all = append(all, world.Bucket{Name: b.Name, Region: b.Region, Created: b.Created})
		}
	}
	slices.SortFunc(all, func(a, b world.Bucket) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// number reads a query parameter that is a limit; without it, the most.
func (x *exchange) number(name string, least, most int) (int, error) {
	v := x.query.Get(name)
	if v == "" {
		return most, nil
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil || int(n) < least {
		return 0, badArgument(name, v, "Argument "+name+" must be an integer between "+strconv.Itoa(least)+" and 2147483647")
	}
	return min(int(n), most), nil
}
