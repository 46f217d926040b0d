// Package kms is the sandbox's Key Management Service: keys, aliases, key
// policies, grants, encryption contexts, and AWS's own keys of other services.
// Ciphertexts are real ones: AES-256-GCM over the encryption context, so that a
// wrong context or key fails as at AWS.
//
// Unlike AWS, a change is seen at once, key material is never rotated, and
// there are no multi-Region keys, custom key stores or imported material.
package kms

import (
	"net/http"

	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// Service answers KMS's calls; its zero value is ready.
type Service struct{}

// Serve answers one call. Errors are *world.Refusal.
func (Service) Serve(c *world.Call, w http.ResponseWriter, r *http.Request, body []byte) error {
	return wire.JSONService{Target: "TrentService", Operations: operations()}.Serve(c, w, r, body)
}

func operations() map[string]func(*world.Call, []byte) (any, error) {
	return map[string]func(*world.Call, []byte) (any, error){
		"CreateKey":                       wire.Operation(createKey),
		"DescribeKey":                     wire.Operation(describeKey),
		"ListKeys":                        wire.Operation(listKeys),
		"EnableKey":                       wire.Operation(enableKey),
		"DisableKey":                      wire.Operation(disableKey),
		"ScheduleKeyDeletion":             wire.Operation(scheduleKeyDeletion),
		"CancelKeyDeletion":               wire.Operation(cancelKeyDeletion),
		"GetKeyPolicy":                    wire.Operation(getKeyPolicy),
		"PutKeyPolicy":                    wire.Operation(putKeyPolicy),
		"TagResource":                     wire.Operation(tagResource),
		"UntagResource":                   wire.Operation(untagResource),
		"ListResourceTags":                wire.Operation(listResourceTags),
		"CreateAlias":                     wire.Operation(createAlias),
		"UpdateAlias":                     wire.Operation(updateAlias),
		"DeleteAlias":                     wire.Operation(deleteAlias),
		"ListAliases":                     wire.Operation(listAliases),
		"Encrypt":                         wire.Operation(encrypt),
		"Decrypt":                         wire.Operation(decrypt),
		"ReEncrypt":                       wire.Operation(reEncrypt),
		"GenerateDataKey":                 wire.Operation(generateDataKey),
		"GenerateDataKeyWithoutPlaintext": wire.Operation(generateDataKeyWithoutPlaintext),
		"CreateGrant":                     wire.Operation(createGrant),
		"ListGrants":                      wire.Operation(listGrants),
		"RevokeGrant":                     wire.Operation(revokeGrant),
		"RetireGrant":                     wire.Operation(retireGrant),
		"Sign":                            wire.Operation(sign),
		"Verify":                          wire.Operation(verify),
		"GetPublicKey":                    wire.Operation(getPublicKey),
	}
}

func invalid(message string) *world.Refusal {
	return wire.Refuse("kms-parameter", "ValidationException", message, message)
}

// find looks a key up by what a call names it by, and holds the caller to the
// operation on it.
func find(c *world.Call, id, operation string, encryption map[string]string) (world.Key, error) {
	if id == "" {
		return world.Key{}, invalid("1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null")
	}
	k, ok := c.World.Key(c.Caller.Account, c.Region, id)
	if !ok {
		return k, notFound(c, id)
	}
	return k, c.UseKey(world.KeyUse{Operation: operation, Key: k, Context: encryption})
}

func notFound(c *world.Call, id string) *world.Refusal {
	what := "Key '" + id + "' does not exist"
	if isAlias(id) {
		what = "Alias " + aliasARN(c.Caller.Account, c.Region, id) + " is not found."
	}
	return wire.Refuse("kms-key-not-found", "NotFoundException", what, "account "+c.Caller.Account+" has no such key in "+c.Region)
}

// change alters a key under the world's lock. The key may be gone by now.
func change(c *world.Call, k world.Key, alter func(*world.Key)) error {
	c.World.Lock()
	defer c.World.Unlock()
	live := c.World.Accounts[k.Account].Keys[k.ARN]
	if live == nil {
		return notFound(c, k.ARN)
	}
	alter(live)
	c.Changed(world.Thing{Kind: "key", Account: k.Account, Name: k.ARN})
	return nil
}

// owned is find for operations that AWS does not let other accounts make. Its
// own keys refuse them by their policies.
func owned(c *world.Call, id, operation string) (world.Key, error) {
	k, err := find(c, id, operation, nil)
	if err != nil {
		return k, err
	}
	if k.Account != c.Caller.Account {
		return k, wire.Refuse("kms-other-account", "AccessDeniedException",
			"User: "+c.Caller.ARN+" is not authorized to perform: kms:"+operation+" on resource: "+k.ARN, "this operation cannot be made from another account")
	}
	return k, nil
}
