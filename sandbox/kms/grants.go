package kms

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"slices"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// grantee is a principal that a grant can name.
var grantee = regexp.MustCompile(`^arn:aws[a-z-]*:(iam::[0-9]{12}:(root|user/[^*?]+|role/[^*?]+)|sts::[0-9]{12}:assumed-role/[^*?/]+/[^*?/]+)$`)

// grantable are the operations that a grant can allow, of those that are built.
func grantable() []string {
	return []string{"Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo",
		"Sign", "Verify", "GetPublicKey", "CreateGrant", "RetireGrant", "DescribeKey"}
}

type constraints struct {
	EncryptionContextEquals map[string]string `json:",omitempty"`
	EncryptionContextSubset map[string]string `json:",omitempty"`
}

func createGrant(c *world.Call, in struct {
	keyIn
	GranteePrincipal, RetiringPrincipal, Name string
	Operations                                []string
	Constraints                               constraints
	GrantTokens                               []string
}) (any, error) {
	if in.KeyID == "" {
		return nil, invalid("1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null")
	}
	k, ok := c.World.Key(c.Caller.Account, c.Region, in.KeyID)
	if !ok {
		return nil, notFound(c, in.KeyID)
	}
	err := c.UseKey(world.KeyUse{Operation: "CreateGrant", Key: k, More: policy.Context{
		"kms:GranteePrincipal":      {List: []string{in.GranteePrincipal}},
		"kms:GrantOperations":       {List: in.Operations, Multi: true},
		"kms:GrantIsForAWSResource": {List: []string{"false"}},
	}})
	if err == nil {
		err = k.Usable()
	}
	if err != nil {
		return nil, err
	}
	for _, p := range []string{in.GranteePrincipal, in.RetiringPrincipal} {
		if p != "" && !grantee.MatchString(p) || in.GranteePrincipal == "" {
			return nil, wire.Refuse("kms-parameter", "InvalidArnException", "ARN does not refer to a valid principal: "+p, "a grant names a user, a role, a role's session or an account")
		}
	}
	if len(in.Operations) == 0 {
		return nil, invalid("1 validation error detected: Value null at 'operations' failed to satisfy constraint: Member must not be null")
	}
	for _, op := range in.Operations {
		if !slices.Contains(grantable(), op) {
			return nil, invalid("Grant operation " + op + " is not valid")
		}
	}
	var id [32]byte
	_, _ = rand.Read(id[:])
	g := world.Grant{
		ID: hex.EncodeToString(id[:]), Token: base64.StdEncoding.EncodeToString(id[:]), Name: in.Name,
		Grantee: in.GranteePrincipal, Retiring: in.RetiringPrincipal, Issuer: c.Caller.Account, Operations: in.Operations,
		Equals: in.Constraints.EncryptionContextEquals, Subset: in.Constraints.EncryptionContextSubset, Created: c.Time,
	}
	if err := change(c, k, func(k *world.Key) { k.Grants = append(slices.Clone(k.Grants), g) }); err != nil {
		return nil, err
	}
	return map[string]string{"GrantId": g.ID, "GrantToken": g.Token}, nil
}

func listGrants(c *world.Call, in struct {
	keyIn
	Limit            int
	GrantID          string `json:"GrantId"`
	GranteePrincipal string
}) (any, error) {
	k, err := find(c, in.KeyID, "ListGrants", nil)
	if err != nil {
		return nil, err
	}
	grants := []map[string]any{}
	for _, g := range k.Grants {
		if in.GrantID != "" && g.ID != in.GrantID || in.GranteePrincipal != "" && g.Grantee != in.GranteePrincipal {
			continue
		}
		grants = append(grants, map[string]any{
			"KeyId": k.ARN, "GrantId": g.ID, "Name": g.Name, "GranteePrincipal": g.Grantee, "RetiringPrincipal": g.Retiring,
			"IssuingAccount": "arn:" + world.PartitionOf(k.Region) + ":iam::" + g.Issuer + ":root", "Operations": g.Operations, "CreationDate": wire.Epoch(g.Created),
			"Constraints": constraints{g.Equals, g.Subset},
		})
	}
	return map[string]any{"Grants": grants, "Truncated": false}, nil
}

func revokeGrant(c *world.Call, in struct {
	keyIn
	GrantID string `json:"GrantId"`
}) (any, error) {
	k, err := find(c, in.KeyID, "RevokeGrant", nil)
	if err != nil {
		return nil, err
	}
	return nil, dropGrant(c, k, in.GrantID)
}

// retireGrant may be called by the retiring principal, and by whom a policy
// allows it.
func retireGrant(c *world.Call, in struct {
	keyIn
	GrantID    string `json:"GrantId"`
	GrantToken string
}) (any, error) {
	for _, k := range keysOf(c) {
		for _, g := range k.Grants {
			if in.GrantToken != "" && g.Token != in.GrantToken || in.GrantToken == "" && (g.ID != in.GrantID || k.ARN != in.KeyID) {
				continue
			}
			if g.Retiring == "" || g.Retiring != c.Caller.ARN && g.Retiring != c.Caller.RoleARN {
				if err := c.UseKey(world.KeyUse{Operation: "RetireGrant", Key: k}); err != nil {
					return nil, err
				}
			}
			return nil, dropGrant(c, k, g.ID)
		}
	}
	return nil, noGrant(in.GrantID)
}

func dropGrant(c *world.Call, k world.Key, id string) error {
	i := slices.IndexFunc(k.Grants, func(g world.Grant) bool { return g.ID == id })
	if i < 0 {
		return noGrant(id)
	}
	return change(c, k, func(k *world.Key) {
		k.Grants = slices.DeleteFunc(slices.Clone(k.Grants), func(g world.Grant) bool { return g.ID == id })
	})
}

func noGrant(id string) *world.Refusal {
	return wire.Refuse("kms-grant-not-found", "NotFoundException", "Grant "+id+" is not found.", "the key has no such grant")
}
