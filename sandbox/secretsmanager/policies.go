package secretsmanager

import (
	"encoding/json"
	"errors"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

func putResourcePolicy(c *world.Call, in struct {
	secretIn
	ResourcePolicy    string
	BlockPublicPolicy bool
}) (any, error) {
	more := policy.Context{}
	if in.BlockPublicPolicy {
		more["secretsmanager:BlockPublicPolicy"] = policy.Values{List: []string{"true"}}
	}
	s, err := open(c, in.SecretID, "PutResourcePolicy", more)
	if err != nil {
		return nil, err
	}
	doc, err := policy.Parse(policy.Resource, in.ResourcePolicy)
	if err == nil {
		c.World.RLock()
		doc, err = doc.Bind(c.World.UniqueID)
		c.World.RUnlock()
	}
	if err != nil {
		e := wire.Refuse("secret-policy", "MalformedPolicyDocumentException", "This resource policy contains a syntax error or names a principal that does not exist.", err.Error())
		var s *policy.SyntaxError
		if errors.As(err, &s) {
			e.Message, e.Mend = s.Message, s.Hint
		}
		return nil, e
	}
	if in.BlockPublicPolicy && isPublic(in.ResourcePolicy) {
		return nil, wire.Refuse("secret-policy-public", "PublicPolicyException",
			"You can not attach a resource policy that grants Public access to your secret.", "a statement allows everybody without a condition")
	}
	return map[string]string{"ARN": s.ARN, "Name": s.Name}, s.change(c, func(s *world.Secret) { s.Policy = doc })
}

// isPublic finds an Allow to everybody without a condition, in a text that has
// been read as a policy already.
func isPublic(text string) bool {
	type statement struct {
		Effect    string
		Principal any
		Condition any
	}
	var doc struct{ Statement json.RawMessage }
	var all []statement
	if json.Unmarshal([]byte(text), &doc) != nil {
		return true
	}
	if json.Unmarshal(doc.Statement, &all) != nil {
		var one statement
		if json.Unmarshal(doc.Statement, &one) != nil {
			return true
		}
		all = []statement{one}
	}
	for _, s := range all {
		if s.Effect == "Allow" && s.Condition == nil && everybody(s.Principal) {
			return true
		}
	}
	return false
}

func everybody(principal any) bool {
	switch p := principal.(type) {
	case string:
		return p == "*"
	case []any:
		for _, one := range p {
			if everybody(one) {
				return true
			}
		}
	case map[string]any:
		return everybody(p["AWS"])
	}
	return false
}

func getResourcePolicy(c *world.Call, in secretIn) (any, error) {
	s, err := find(c, in.SecretID, "GetResourcePolicy", nil)
	if err != nil {
		return nil, err
	}
	answer := map[string]string{"ARN": s.ARN, "Name": s.Name}
	if s.Policy != nil {
		answer["ResourcePolicy"] = s.Policy.Text
	}
	return answer, nil
}

func deleteResourcePolicy(c *world.Call, in secretIn) (any, error) {
	s, err := open(c, in.SecretID, "DeleteResourcePolicy", nil)
	if err != nil {
		return nil, err
	}
	return map[string]string{"ARN": s.ARN, "Name": s.Name}, s.change(c, func(s *world.Secret) { s.Policy = nil })
}
