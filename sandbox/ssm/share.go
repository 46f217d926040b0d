package ssm

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// shared is what calls say of a parameter's resource policy. AWS keeps several
// for each parameter; here there is one.
type shared struct {
	ResourceARN string `json:"ResourceArn"`
	Policy      string
	PolicyID    string `json:"PolicyId"`
	PolicyHash  string
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// holds says whether a call names the policy that it changes.
func (in shared) holds(p *world.Parameter) error {
	if p.Policy != nil && in.PolicyID == p.PolicyID && in.PolicyHash == hashOf(p.Policy.Text) || p.Policy == nil && in.PolicyID == "" {
		return nil
	}
	return wire.Refuse("parameter-policy-conflict", "ResourcePolicyConflictException", "The hash provided in the call doesn't match the stored hash.",
		"the call names policy "+in.PolicyID+" with another hash than what is there, if one is")
}

// putResourcePolicy lets other accounts read a parameter, which must be of the
// advanced tier; where AWS looks at that, is unchecked.
func putResourcePolicy(c *world.Call, in shared) (any, error) {
	at, p, err := in.find(c, "PutResourcePolicy")
	if err != nil {
		return nil, err
	}
	if p.Tier != "Advanced" {
		return nil, wire.Refuse("parameter-policy-tier", "ResourcePolicyInvalidParameterException", "The resource must be a parameter in the advanced tier.", at.name+" is of the tier "+p.Tier)
	}
	doc, err := policy.Parse(policy.Resource, in.Policy)
	if err == nil {
		c.World.RLock()
		doc, err = doc.Bind(c.World.UniqueID)
		c.World.RUnlock()
	}
	if err != nil {
		return nil, wire.Refuse("parameter-policy", "MalformedResourcePolicyDocumentException", "The specified policy document is malformed or invalid.", err.Error())
	}
	answer := map[string]string{"PolicyHash": hashOf(doc.Text)}
	return answer, change(c, at, func(p *world.Parameter) error {
		if err := in.holds(p); err != nil {
			return err
		}
		p.Policy, p.PolicyID = doc, cmp.Or(p.PolicyID, world.NewUUID())
		answer["PolicyId"] = p.PolicyID
		return nil
	})
}

func getResourcePolicies(c *world.Call, in shared) (any, error) {
	_, p, err := in.find(c, "GetResourcePolicies")
	if err != nil {
		return nil, err
	}
	all := []map[string]string{}
	if p.Policy != nil {
		all = append(all, map[string]string{"Policy": p.Policy.Text, "PolicyId": p.PolicyID, "PolicyHash": hashOf(p.Policy.Text)})
	}
	return map[string]any{"Policies": all}, nil
}

func deleteResourcePolicy(c *world.Call, in shared) (any, error) {
	at, _, err := in.find(c, "DeleteResourcePolicy")
	if err != nil {
		return nil, err
	}
	return struct{}{}, change(c, at, func(p *world.Parameter) error {
		if err := in.holds(p); err != nil {
			return err
		}
		p.Policy, p.PolicyID = nil, ""
		return nil
	})
}

func (in shared) find(c *world.Call, action string) (place, world.Parameter, error) {
	at, _ := locate(c, in.ResourceARN)
	p, ok, err := find(c, action, at)
	if err == nil && !ok {
		err = wire.Refuse("parameter-not-found", "ResourceNotFoundException", "The specified parameter to be shared could not be found.", at.name+" is not there")
	}
	return at, p, err
}
