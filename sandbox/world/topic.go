package world

import (
	"regexp"
	"time"

	"go.yaml.in/yaml/v3"

	"daypass.dev/policy"
)

// A Topic is an SNS topic.
type Topic struct {
	ARN, Name, Region string
	DisplayName       string
	Policy            *policy.Document // nil: none
	Created           time.Time
}

// addTopic makes a topic in a region.
func (a *Account) addTopic(region, name string) *Topic {
	t := &Topic{ARN: "arn:" + PartitionOf(region) + ":sns:" + region + ":" + a.ID + ":" + name, Name: name, Region: region}
	a.Topics[t.ARN] = t
	return t
}

var topicName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

func (l *loader) topic(key, n *yaml.Node) {
	name := l.matching(key, topicName, "a topic's name", "with 1 to 256 letters, digits, hyphens and underscores")
	region, set := l.world.Region, func(*policy.Document) {}
	if !l.absent(n) {
		l.fields(n, "a topic", map[string]func(*yaml.Node){
			"region": func(n *yaml.Node) { region = l.matching(n, regionName, "a region", "as us-east-1") },
			"policy": func(n *yaml.Node) { l.bound(n, policy.Resource, func(d *policy.Document) { set(d) }) },
		})
	}
	l.inPartition(key, region)
	t := l.account.addTopic(region, name)
	set = func(d *policy.Document) { t.Policy = d }
}
