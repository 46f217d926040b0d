package sns_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/smithy-go"

	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

const worldText = `
accounts:
  "111122223333":
    users:
      publisher:
        policies:
          publish:
            Version: 2012-10-17
            Statement: {Effect: Allow, Action: "sns:Publish", Resource: "arn:aws:sns:us-east-1:111122223333:orders"}
      nobody: {}
    topics:
      orders: {}
      open:
        policy:
          Version: 2012-10-17
          Statement:
            - Effect: Allow
              Principal: {AWS: ["arn:aws:iam::111122223333:user/nobody", "arn:aws:iam::444455556666:user/foreigner"]}
              Action: sns:Publish
              Resource: arn:aws:sns:us-east-1:111122223333:open
  "444455556666":
    users:
      foreigner:
        policies:
          all:
            Version: 2012-10-17
            Statement: {Effect: Allow, Action: "sns:*", Resource: "*"}
`

const (
	orders = "arn:aws:sns:us-east-1:111122223333:orders"
	open   = "arn:aws:sns:us-east-1:111122223333:open"
)

func client(s *sandboxtest.Sandbox, key world.AccessKey) *sns.Client {
	return sns.NewFromConfig(s.ConfigFor(key.ID, key.Secret, ""))
}

// as makes a key for a user.
func as(t *testing.T, s *sandboxtest.Sandbox, account, user string) *sns.Client {
	t.Helper()
	admin := s.World.Administrator(account)
	cfg := s.ConfigFor(admin.ID, admin.Secret, "")
	key, err := iam.NewFromConfig(cfg).CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &user})
	if err != nil {
		t.Fatal(err)
	}
	return sns.NewFromConfig(s.ConfigFor(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey, ""))
}

func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

func TestATopicsLife(t *testing.T) {
	s := sandboxtest.Start(t, "")
	c, ctx := client(s, s.Admin), t.Context()
	made, err := c.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("news"), Attributes: map[string]string{"DisplayName": "News"}})
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("news"), Attributes: map[string]string{"DisplayName": "News"}})
	if err != nil || *again.TopicArn != *made.TopicArn {
		t.Errorf("made again: %v, %v", again, err)
	}
	if _, err := c.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("news")}); code(err) != "InvalidParameter" {
		t.Errorf("made again, but another: %v", err)
	}
	text := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sns:Publish","Resource":"*"}}`
	if _, err := c.SetTopicAttributes(ctx, &sns.SetTopicAttributesInput{TopicArn: made.TopicArn, AttributeName: aws.String("Policy"), AttributeValue: &text}); err != nil {
		t.Error(err)
	}
	got, err := c.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: made.TopicArn})
	if err != nil || got.Attributes["Policy"] != text || got.Attributes["Owner"] != world.DefaultAccount || got.Attributes["DisplayName"] != "News" {
		t.Errorf("%v, %v", got, err)
	}
	for _, name := range []string{"a", "b"} {
		if _, err := c.CreateTopic(ctx, &sns.CreateTopicInput{Name: &name}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := c.ListTopics(ctx, nil)
	if err != nil || len(list.Topics) != 3 || !strings.HasSuffix(*list.Topics[0].TopicArn, ":a") {
		t.Errorf("%v, %v", list, err)
	}
	sent, err := c.Publish(ctx, &sns.PublishInput{
		TopicArn: made.TopicArn, Message: aws.String(`{"default": "hello"}`), MessageStructure: aws.String("json"), Subject: aws.String("It is done"),
		MessageAttributes: map[string]types.MessageAttributeValue{"kind": {DataType: aws.String("String"), StringValue: aws.String("x")}},
	})
	if err != nil || len(*sent.MessageId) != 36 {
		t.Errorf("%v, %v", sent, err)
	}
	for range 2 { // the second time there is none
		if _, err := c.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: made.TopicArn}); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Publish(ctx, &sns.PublishInput{TopicArn: made.TopicArn, Message: aws.String("m")}); code(err) != "NotFound" {
		t.Errorf("publishing into nothing: %v", err)
	}
	if _, err := c.Subscribe(ctx, &sns.SubscribeInput{TopicArn: made.TopicArn, Protocol: aws.String("sqs")}); code(err) != "NotImplemented" {
		t.Errorf("subscribing: %v", err)
	}
}

func TestWhoMayPublish(t *testing.T) {
	s := sandboxtest.Start(t, worldText)
	for _, c := range []struct {
		account, user, topic, reason string
	}{
		{"111122223333", "publisher", orders, ""},
		{"111122223333", "publisher", open, "policy-resource"},
		{"111122223333", "nobody", orders, "policy-no-allow"},
		{"111122223333", "nobody", open, ""},
		{"444455556666", "foreigner", open, ""},
		{"444455556666", "foreigner", orders, "policy-cross-account"},
	} {
		_, err := as(t, s, c.account, c.user).Publish(t.Context(), &sns.PublishInput{TopicArn: &c.topic, Message: aws.String("m")})
		d := s.Last(t, "Publish")
		if d.Reason != c.reason || (err == nil) != (c.reason == "") {
			t.Errorf("%s of %s to %s: %q, wanted %q: %v", c.user, c.account, c.topic, d.Reason, c.reason, err)
		}
		if err != nil && (code(err) != "AuthorizationError" || !strings.Contains(err.Error(), "is not authorized to perform: SNS:Publish on resource: "+c.topic)) {
			t.Errorf("in other words: %v", err)
		}
	}
}

func TestWhatIsNoMessage(t *testing.T) {
	s := sandboxtest.Start(t, worldText)
	c := client(s, s.Admin)
	m := func(change func(*sns.PublishInput)) *sns.PublishInput {
		in := &sns.PublishInput{TopicArn: aws.String(orders), Message: aws.String("m")}
		change(in)
		return in
	}
	for want, in := range map[string]*sns.PublishInput{
		"Empty message":    m(func(in *sns.PublishInput) { in.Message = aws.String("") }),
		"Message too long": m(func(in *sns.PublishInput) { in.Message = aws.String(strings.Repeat("x", 256<<10+1)) }),
		"Subject":          m(func(in *sns.PublishInput) { in.Subject = aws.String("two\nlines") }),
		"failed to parse":  m(func(in *sns.PublishInput) { in.MessageStructure = aws.String("json") }),
		"No default entry": m(func(in *sns.PublishInput) { in.MessageStructure, in.Message = aws.String("json"), aws.String("{}") }),
		"MessageStructure": m(func(in *sns.PublishInput) { in.MessageStructure = aws.String("xml") }),
		"MessageGroupId":   m(func(in *sns.PublishInput) { in.MessageGroupId = aws.String("g") }),
		"TopicArn":         m(func(in *sns.PublishInput) { in.TopicArn = aws.String("arn:aws:sns:eu-west-1:111122223333:orders") }),
		"TargetArn":        m(func(in *sns.PublishInput) { in.TargetArn = aws.String(orders) }),
		"attribute type": m(func(in *sns.PublishInput) {
			in.MessageAttributes = map[string]types.MessageAttributeValue{"a": {DataType: aws.String("Text"), StringValue: aws.String("v")}}
		}),
	} {
		if _, err := c.Publish(t.Context(), in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for name, in := range map[string]*sns.CreateTopicInput{
		"InvalidParameter": {Name: aws.String("a topic")},
		"NotImplemented":   {Name: aws.String("orders.fifo")},
	} {
		if _, err := c.CreateTopic(t.Context(), in); code(err) != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := c.SetTopicAttributes(t.Context(), &sns.SetTopicAttributesInput{TopicArn: aws.String(orders), AttributeName: aws.String("Policy"), AttributeValue: aws.String("{}")})
	if code(err) != "InvalidParameter" {
		t.Errorf("a policy that is none: %v", err)
	}
}

// A region that is full leaves room in others.
func TestQuota(t *testing.T) {
	s := sandboxtest.Start(t, "")
	s.World.Lock()
	for n := range 100_000 {
		arn := fmt.Sprint("arn:aws:sns:us-east-1:111122223333:", n)
		s.World.Account(world.DefaultAccount).Topics[arn] = &world.Topic{ARN: arn, Region: "us-east-1"}
	}
	s.World.Unlock()
	for region, full := range map[string]bool{"us-east-1": true, "eu-west-1": false} {
		_, err := sns.NewFromConfig(s.Config(), func(o *sns.Options) { o.Region = region }).CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("one-more")})
		var api smithy.APIError
		if got := errors.As(err, &api) && api.ErrorCode() == "TopicLimitExceeded"; got != full || !full && err != nil {
			t.Errorf("%s: %v", region, err)
		}
	}
}
