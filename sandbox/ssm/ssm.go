// Package ssm is the Parameter Store of the sandbox's Systems Manager: types,
// versions, labels, hierarchies, and SecureStrings that need a KMS key. The
// rest of Systems Manager is not built, nor are parameter policies, and
// references to Secrets Manager. Parameters are shared with other accounts by
// resource policies, which need not be RAM's.
package ssm

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

const service = "ssm"

// Service answers Parameter Store's calls; its zero value is ready.
type Service struct{}

// Serve answers one call. Errors are *world.Refusal.
func (Service) Serve(c *world.Call, w http.ResponseWriter, r *http.Request, body []byte) error {
	return wire.JSONService{Target: "AmazonSSM", Operations: operations()}.Serve(c, w, r, body)
}

func operations() map[string]func(*world.Call, []byte) (any, error) {
	return map[string]func(*world.Call, []byte) (any, error){
		"PutParameter":            wire.Operation(putParameter),
		"GetParameter":            wire.Operation(getParameter),
		"GetParameters":           wire.Operation(getParameters),
		"GetParametersByPath":     wire.Operation(getParametersByPath),
		"GetParameterHistory":     wire.Operation(getParameterHistory),
		"LabelParameterVersion":   wire.Operation(labelParameterVersion),
		"UnlabelParameterVersion": wire.Operation(unlabelParameterVersion),
		"DeleteParameter":         wire.Operation(deleteParameter),
		"DeleteParameters":        wire.Operation(deleteParameters),
		"AddTagsToResource":       wire.Operation(addTagsToResource),
		"RemoveTagsFromResource":  wire.Operation(removeTagsFromResource),
		"ListTagsForResource":     wire.Operation(listTagsForResource),
		"PutResourcePolicy":       wire.Operation(putResourcePolicy),
		"GetResourcePolicies":     wire.Operation(getResourcePolicies),
		"DeleteResourcePolicy":    wire.Operation(deleteResourcePolicy),
	}
}

func invalid(format string, args ...any) *world.Refusal {
	message := fmt.Sprintf(format, args...)
	return wire.Refuse("ssm-parameter", "ValidationException", message, message)
}

// A place is where a parameter is, or would be.
type place struct{ account, region, name string }

func (p place) arn() string {
	return "arn:" + world.PartitionOf(p.region) + ":ssm:" + p.region + ":" + p.account + ":parameter/" + strings.TrimPrefix(p.name, "/")
}

// locate reads a name or an ARN, with the selector (":3", ":label") that may
// follow it.
func locate(c *world.Call, id string) (at place, selector string) {
	at = place{account: c.Caller.Account, region: c.Region, name: id}
	if p := strings.SplitN(id, ":", 6); len(p) == 6 && p[0] == "arn" && p[2] == "ssm" {
		name, ok := strings.CutPrefix(p[5], "parameter/")
		if ok {
			at = place{p[4], p[3], name}
		}
	}
	if i := strings.IndexByte(at.name, ':'); i >= 0 {
		at.name, selector = at.name[:i], at.name[i:]
	}
	return at, selector
}

// authorize holds the caller to an action on a parameter, be it there or not,
// by a call that carries tags or none.
func authorize(c *world.Call, action string, at place, p world.Parameter, carried ...tag) error {
	ctx := tagContext(carried)
	for k, v := range p.Tags {
		ctx["ssm:resourceTag/"+k] = policy.Values{List: []string{v}}
		ctx["aws:ResourceTag/"+k] = policy.Values{List: []string{v}}
	}
	a := world.Access{Action: "ssm:" + action, Resource: at.arn(), ResourceAccount: at.account, Context: ctx}
	if p.Policy != nil {
		a.ResourcePolicy = &policy.Named{Name: "resource policy of " + at.arn(), Document: p.Policy}
	}
	return c.Authorize(a)
}

// find copies a parameter out of the lock and holds the caller to the action.
// ok is false for one that is not there, which the caller may know.
func find(c *world.Call, action string, at place, carried ...tag) (p world.Parameter, ok bool, err error) {
	c.World.RLock()
	if a := c.World.Accounts[at.account]; a != nil {
		if there := a.Parameters[at.arn()]; there != nil && there.Region == c.Region {
			p, ok = *there, true
		}
	}
	c.World.RUnlock()
	return p, ok, authorize(c, action, at, p, carried...)
}

func notFound(at place) *world.Refusal {
	return wire.Refuse("parameter-not-found", "ParameterNotFound", "", "account "+at.account+" has no parameter "+at.name+" in "+at.region)
}

// change alters a parameter under the world's lock, unless alter refuses. It may
// be gone by now.
func change(c *world.Call, at place, alter func(*world.Parameter) error) error {
	c.World.Lock()
	defer c.World.Unlock()
	p := c.World.Accounts[at.account].Parameters[at.arn()]
	if p == nil {
		return notFound(at)
	}
	if err := alter(p); err != nil {
		return err
	}
	c.Changed(world.Thing{Kind: "parameter", Account: at.account, Name: at.arn()})
	return nil
}

// use holds the caller to an operation on the key of a SecureString, and passes
// on what KMS says, as Systems Manager does.
func use(c *world.Call, operation, key string, at place) error {
	k, ok := c.World.Key(at.account, at.region, key)
	if !ok {
		return wire.Refuse("parameter-key", "InvalidKeyId", "Invalid keyId "+key, "there is no such key in "+at.region)
	}
	err := c.UseKey(world.KeyUse{Operation: operation, Key: k, Via: service, Context: map[string]string{"PARAMETER_ARN": at.arn()}})
	if err == nil {
		err = k.Usable()
	}
	var refused *world.Refusal
	if !errors.As(err, &refused) {
		return err
	}
	said := *refused
	said.Message += " (Service: AWSKMS; Status Code: 400; Error Code: " + refused.Code + "; Request ID: " + c.RequestID + "; Proxy: null)"
	if refused.Slug == "kms-key-disabled" || refused.Slug == "kms-key-state" {
		said.Code = "InvalidKeyId"
	}
	return &said
}
