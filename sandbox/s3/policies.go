package s3

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"daypass.dev/policy"
	"daypass.dev/sandbox/world"
)

func policyValue(v string) policy.Values { return policy.Values{List: []string{v}} }

// policyCall finds the bucket and holds the call to the action. Callers of
// another account may never touch the policy, whatever it says.
func (x *exchange) policyCall(action string) (place, error) {
	p, err := x.find()
	if err == nil {
		err = x.authorize(p, action, p.arn())
	}
	if err != nil {
		return p, err
	}
	if p.account != x.Caller.Account {
		e := refuse("s3-policy-other-account", http.StatusMethodNotAllowed, "MethodNotAllowed",
			"The specified method is not allowed against this resource.", "the caller is of account "+x.Caller.Account+", the bucket of "+p.account)
		e.Fields = [][2]string{{"Method", x.r.Method}, {"ResourceType", "BUCKETPOLICY"}}
		return p, e
	}
	return p, nil
}

func (x *exchange) getBucketPolicy() error {
	p, err := x.policyCall("s3:GetBucketPolicy")
	if err != nil {
		return err
	}
	if p.policy == nil {
		e := refuse("s3-no-bucket-policy", http.StatusNotFound, "NoSuchBucketPolicy", "The bucket policy does not exist", "the bucket has no policy")
		e.Fields = [][2]string{{"BucketName", p.name}}
		return e
	}
	x.w.Header().Set("Content-Type", "application/json")
	_, err = x.w.Write([]byte(p.policy.Text))
	return err
}

func (x *exchange) putBucketPolicy() error {
	p, err := x.policyCall("s3:PutBucketPolicy")
	if err != nil {
		return err
	}
	if _, err := x.checkDigests(); err != nil {
		return err
	}
	doc, err := x.readPolicy(p, string(x.body))
	if err != nil {
		return err
	}
	return x.setPolicy(p, doc)
}

func (x *exchange) deleteBucketPolicy() error {
	p, err := x.policyCall("s3:DeleteBucketPolicy")
	if err != nil {
		return err
	}
	return x.setPolicy(p, nil)
}

func (x *exchange) setPolicy(p place, doc *policy.Document) error {
	x.World.Lock()
	b := x.still(p)
	if b != nil {
		b.Policy = doc
		x.Changed(world.Thing{Kind: "bucket", Account: p.account, Name: p.name})
	}
	x.World.Unlock()
	if b == nil {
		return x.noSuchBucket()
	}
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

// readPolicy reads a policy as S3 does when it is put: it must speak of this
// bucket, and of users and roles that exist, to whom it is bound.
func (x *exchange) readPolicy(p place, text string) (*policy.Document, error) {
	doc, err := policy.Parse(policy.Resource, text)
	if err != nil {
		return nil, malformedPolicy("", err)
	}
	if r := foreignResource(p, text); r != "" {
		e := malformedPolicy("Policy has invalid resource", errors.New("the resource "+r+" is not of the bucket "+p.name))
		e.Mend = "name " + p.arn() + " or " + p.arn() + "/*"
		return nil, e
	}
	x.World.RLock()
	defer x.World.RUnlock()
	bound, err := doc.Bind(x.World.UniqueID)
	if err != nil {
		return nil, malformedPolicy("Invalid principal in policy", err)
	}
	return bound, nil
}

// malformedPolicy is S3's refusal of a policy; an empty message is the error's.
func malformedPolicy(message string, err error) *world.Refusal {
	e := refuse("s3-policy-malformed", http.StatusBadRequest, "MalformedPolicy", message, err.Error())
	var s *policy.SyntaxError
	if errors.As(err, &s) {
		e.Message, e.Mend = s.Message, s.Hint
	}
	if message != "" {
		e.Message = message
	}
	return e
}

// foreignResource finds a resource that is neither the bucket nor in it. The
// text has been read as a policy already.
func foreignResource(p place, text string) string {
	var doc struct {
		Statement oneOrMany[struct{ Resource, NotResource oneOrMany[string] }]
	}
	if json.Unmarshal([]byte(text), &doc) != nil {
		return text
	}
	for _, s := range doc.Statement {
		for _, r := range append(s.Resource, s.NotResource...) {
			if r != p.arn() && !strings.HasPrefix(r, p.arn()+"/") {
				return r
			}
		}
	}
	return ""
}

// oneOrMany is a JSON value that may stand alone or in a list.
type oneOrMany[T any] []T

func (m *oneOrMany[T]) UnmarshalJSON(b []byte) error {
	var one T
	if json.Unmarshal(b, &one) == nil {
		*m = oneOrMany[T]{one}
		return nil
	}
	return json.Unmarshal(b, (*[]T)(m))
}
