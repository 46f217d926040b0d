package sns

import (
	"net/http"
	"regexp"
	"unicode/utf8"

	"daypass.dev/policy"
	"daypass.dev/sandbox/world"
)

var topicName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

// quota is how many topics an account has in a region.
const quota = 100000

// entries are a map of the query protocol: NAME.entry.N.key and .value.
func (q *request) entries(name string) map[string]string {
	all := map[string]string{}
	for _, m := range q.Entries(name) {
		all[m.Get("key")] = m.Get("value")
	}
	return all
}

// create makes a topic, or finds the one that is there if it is the same.
func (q *request) create() (any, error) {
	name := q.Get("Name")
	arn := "arn:" + world.PartitionOf(q.Region) + ":sns:" + q.Region + ":" + q.Caller.Account + ":" + name
	if err := q.allow(arn, "", nil); err != nil {
		return nil, err
	}
	if len(q.Members("Tags")) > 0 || q.Get("DataProtectionPolicy") != "" || len(name) > 5 && name[len(name)-5:] == ".fifo" {
		e := q.NotBuilt()
		e.Detail = "tags, data protection policies and FIFO topics are not built"
		return nil, e
	}
	if !topicName.MatchString(name) {
		return nil, invalid("Topic Name")
	}
	made := &world.Topic{ARN: arn, Name: name, Region: q.Region, Created: q.Time}
	for attribute, value := range q.entries("Attributes") {
		if err := q.set(made, attribute, value); err != nil {
			return nil, err
		}
	}
	q.World.Lock()
	defer q.World.Unlock()
	a := q.World.AddAccount(q.Caller.Account)
	switch old := a.Topics[arn]; {
	case old == nil:
	case old.DisplayName != made.DisplayName || text(old.Policy) != text(made.Policy):
		return nil, invalid("Attributes Reason: Topic already exists with different attributes")
	default:
		return topicARN{arn}, nil
	}
	if len(a.Topics) >= quota && inRegion(a, q.Region) >= quota {
		return nil, &world.Refusal{Slug: "sns-quota", Code: "TopicLimitExceeded", Status: http.StatusForbidden, Message: "Topic limit exceeded"}
	}
	a.Topics[arn] = made
	q.Changed(world.Thing{Kind: "topic", Account: a.ID, Name: arn})
	return topicARN{arn}, nil
}

func inRegion(a *world.Account, region string) (n int) {
	for _, t := range a.Topics {
		if t.Region == region {
			n++
		}
	}
	return n
}

func text(d *policy.Document) string {
	if d == nil {
		return ""
	}
	return d.Text
}

// set checks an attribute and writes it into a topic that is not yet, or no
// longer, in the world.
func (q *request) set(t *world.Topic, attribute, value string) error {
	switch attribute {
	case "DisplayName":
		if utf8.RuneCountInString(value) > 100 {
			return invalid("DisplayName Reason: Display name must be at most 100 characters long")
		}
		t.DisplayName = value
		return nil
	case "Policy":
		doc, err := policy.Parse(policy.Resource, value)
		if err == nil {
			q.World.RLock()
			doc, err = doc.Bind(q.World.UniqueID)
			q.World.RUnlock()
		}
		if err != nil {
			return &world.Refusal{
				Slug: "sns-policy", Code: "InvalidParameter", Status: http.StatusBadRequest,
				Message: "Invalid parameter: Policy Error: " + err.Error(), Detail: err.Error(),
			}
		}
		t.Policy = doc
		return nil
	}
	e := q.NotBuilt()
	e.Detail = "the attribute " + attribute + " is not built"
	return e
}

func (q *request) setAttribute() error {
	t, err := q.topic(q.Get("TopicArn"))
	if err != nil {
		return err
	}
	if err := q.set(&t, q.Get("AttributeName"), q.Get("AttributeValue")); err != nil {
		return err
	}
	return q.change(t, func(_ *world.Account, kept *world.Topic) { *kept = t })
}

// delete is content with a topic that is not there.
func (q *request) delete() error {
	t, err := q.topic(q.Get("TopicArn"))
	if e, ok := err.(*world.Refusal); ok && e.Slug == "topic-missing" {
		return nil
	}
	if err != nil {
		return err
	}
	return q.change(t, func(a *world.Account, _ *world.Topic) { delete(a.Topics, t.ARN) })
}

type entry struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

func (q *request) attributes() (any, error) {
	t, err := q.topic(q.Get("TopicArn"))
	if err != nil {
		return nil, err
	}
	all := []entry{
		{"TopicArn", t.ARN}, {"Owner", q.owner(t)}, {"DisplayName", t.DisplayName},
		{"SubscriptionsConfirmed", "0"}, {"SubscriptionsPending", "0"}, {"SubscriptionsDeleted", "0"},
	}
	if t.Policy != nil {
		all = append(all, entry{"Policy", t.Policy.Text})
	}
	return struct {
		Attributes struct {
			Entries []entry `xml:"entry"`
		}
	}{struct {
		Entries []entry `xml:"entry"`
	}{all}}, nil
}
