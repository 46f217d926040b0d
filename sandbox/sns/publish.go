package sns

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"daypass.dev/sandbox/world"
)

// largest is how many bytes a message has with its attributes.
const largest = 256 << 10

var (
	subject  = regexp.MustCompile(`^[!-~][ -~]{0,99}$`)
	dataType = regexp.MustCompile(`^(String|Number|Binary|String\.Array)(\.[A-Za-z0-9_.-]+)?$`)
)

// publish checks a message, and then has nobody to send it to.
func (q *request) publish() (any, error) {
	if q.Get("PhoneNumber") != "" {
		e := q.NotBuilt()
		e.Detail = "messages to telephones are not built"
		return nil, e
	}
	arn := q.Get("TopicArn")
	if target := q.Get("TargetArn"); target != "" {
		if arn != "" {
			return nil, invalid("TopicArn or TargetArn Reason: no value for required parameter")
		}
		arn = target
	}
	if _, err := q.topic(arn); err != nil {
		return nil, err
	}
	if err := q.checkMessage(); err != nil {
		return nil, err
	}
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	return struct{ MessageId string }{fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])}, nil
}

func (q *request) checkMessage() error {
	message := q.Get("Message")
	size := len(message)
	for _, a := range q.Entries("MessageAttributes") {
		name, kind := a.Get("Name"), a.Get("Value.DataType")
		if name == "" || !dataType.MatchString(kind) {
			return &world.Refusal{
				Slug: "sns-parameter", Code: "ParameterValueInvalid", Status: 400,
				Message: "The message attribute '" + name + "' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.",
			}
		}
		size += len(name) + len(kind) + len(a.Get("Value.StringValue")) + len(a.Get("Value.BinaryValue"))
	}
	switch structure := q.Get("MessageStructure"); {
	case message == "":
		return invalid("Empty message")
	case size > largest:
		return invalid("Message too long")
	case q.Get("Subject") != "" && !subject.MatchString(q.Get("Subject")):
		return invalid("Subject")
	case q.Get("MessageGroupId") != "" || q.Get("MessageDeduplicationId") != "":
		return invalid("MessageGroupId Reason: The request includes MessageGroupId parameter that is not valid for this topic type")
	case structure == "json":
		var by map[string]any
		if err := json.Unmarshal([]byte(message), &by); err != nil {
			return invalid("Message Structure - JSON message body failed to parse")
		}
		if _, ok := by["default"].(string); !ok {
			return invalid("Message Structure - No default entry in JSON message body")
		}
	case structure != "":
		return invalid("MessageStructure")
	}
	return nil
}

func (q *request) owner(t world.Topic) string { return strings.Split(t.ARN, ":")[4] }
