// Package sns is the sandbox's Simple Notification Service, as far as
// publishing goes: topics with their policies, and Publish, which checks a
// message and lets it go, for there are no subscriptions. A topic has no policy
// before it is given one; AWS gives it one that says what holds without.
// Everything else answers NotImplemented. Where the order of checks and the
// texts are not documented they are unchecked.
package sns

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// Namespace is the xmlns of the service's answers.
const Namespace = "http://sns.amazonaws.com/doc/2010-03-31/"

// Service answers the calls of sns.
type Service struct{}

// A request is one call with its parameters.
type request struct {
	*world.Call
	wire.Form
}

// Serve answers one call.
func (Service) Serve(c *world.Call, w http.ResponseWriter, r *http.Request, body []byte) error {
	form, err := wire.ParseForm(r, body)
	if err != nil {
		return err
	}
	q := &request{c, form}
	var result any
	switch c.Decision.Operation {
	case "CreateTopic":
		result, err = q.create()
	case "DeleteTopic":
		err = q.delete()
	case "GetTopicAttributes":
		result, err = q.attributes()
	case "SetTopicAttributes":
		err = q.setAttribute()
	case "ListTopics":
		result, err = q.list()
	case "Publish":
		result, err = q.publish()
	default:
		return c.NotBuilt()
	}
	if err != nil {
		return err
	}
	return wire.Query(w, c, Namespace, result)
}

func invalid(message string) error {
	return &world.Refusal{Slug: "sns-parameter", Code: "InvalidParameter", Status: http.StatusBadRequest, Message: "Invalid parameter: " + message, Detail: message}
}

func missing(arn string) error {
	return &world.Refusal{Slug: "topic-missing", Code: "NotFound", Status: http.StatusNotFound, Message: "Topic does not exist", Detail: "there is no topic " + arn}
}

// allow authorizes the call's action on a topic, which need not exist. SNS has
// a code of its own for the refusal.
func (q *request) allow(arn, owner string, own *policy.Document) error {
	a := world.Access{Action: "SNS:" + q.Decision.Operation, Resource: arn, ResourceAccount: owner}
	if own != nil {
		a.ResourcePolicy = &policy.Named{Name: "policy of " + arn, Document: own}
	}
	err := q.Authorize(a)
	if e, ok := err.(*world.Refusal); ok && e.Code == "AccessDenied" {
		said := *e
		said.Code = "AuthorizationError"
		return &said
	}
	return err
}

// topic finds the topic that a parameter names and holds the call to its
// policies. That it does not exist is said to those who may touch it.
func (q *request) topic(arn string) (world.Topic, error) {
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "sns" || parts[3] != q.Region || parts[4] == "" || parts[5] == "" {
		return world.Topic{}, invalid("TopicArn")
	}
	q.World.RLock()
	var found world.Topic
	if a := q.World.Account(parts[4]); a != nil && a.Topics[arn] != nil {
		found = *a.Topics[arn]
	}
	q.World.RUnlock()
	if err := q.allow(arn, parts[4], found.Policy); err != nil {
		return world.Topic{}, err
	}
	if found.ARN == "" {
		return world.Topic{}, missing(arn)
	}
	return found, nil
}

// change does something with a topic that topic has found, under the lock.
func (q *request) change(t world.Topic, do func(*world.Account, *world.Topic)) error {
	q.World.Lock()
	defer q.World.Unlock()
	account := strings.Split(t.ARN, ":")[4]
	a := q.World.Account(account)
	if a.Topics[t.ARN] == nil {
		return missing(t.ARN)
	}
	do(a, a.Topics[t.ARN])
	q.Changed(world.Thing{Kind: "topic", Account: account, Name: t.ARN})
	return nil
}

type topicARN struct{ TopicArn string }

// pageOf is how many topics SNS lists at once.
const pageOf = 100

func (q *request) list() (any, error) {
	if err := q.allow("*", "", nil); err != nil {
		return nil, err
	}
	from := 0
	if t := q.Get("NextToken"); t != "" {
		var err error
		if from, err = strconv.Atoi(t); err != nil || from < 0 {
			return nil, invalid("NextToken Reason: token was not given out")
		}
	}
	q.World.RLock()
	defer q.World.RUnlock()
	var all []topicARN
	if a := q.World.Account(q.Caller.Account); a != nil {
		for arn, t := range a.Topics {
			if t.Region == q.Region {
				all = append(all, topicARN{arn})
			}
		}
	}
	slices.SortFunc(all, func(a, b topicARN) int { return strings.Compare(a.TopicArn, b.TopicArn) })
	from = min(from, len(all))
	end, next := min(from+pageOf, len(all)), ""
	if end < len(all) {
		next = strconv.Itoa(end)
	}
	return struct {
		Topics    wire.List[topicARN]
		NextToken string `xml:",omitempty"`
	}{wire.ListOf(all[from:end]...), next}, nil
}
