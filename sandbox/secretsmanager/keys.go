package secretsmanager

import (
	"errors"

	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// encryption is the context by which Secrets Manager calls KMS.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
func encryption(secretARN, versionID string) map[string]string {
	return map[string]string{"SecretARN": secretARN, "SecretVersionId": versionID}
}

// use holds the caller to an operation on the key that a version is encrypted
// with. What KMS says, Secrets Manager keeps for itself.
func use(c *world.Call, operation, keyARN, secretARN, versionID string) error {
	k, ok := c.World.Key(c.Caller.Account, c.Region, keyARN)
	if !ok {
		return unusable("there is no key " + keyARN)
	}
	if k.Service != "" && k.Account != c.Caller.Account {
		return wire.Refuse("secret-own-key", "InvalidRequestException",
			"You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.",
			"the secret is encrypted with alias/aws/secretsmanager of account "+k.Account+", which serves callers of that account only")
	}
	err := c.UseKey(world.KeyUse{Operation: operation, Key: k, Via: service, Context: encryption(secretARN, versionID)})
	var refused *world.Refusal
	if errors.As(err, &refused) {
		said := wire.Refuse("secret-key-denied", "AccessDeniedException", "Access to KMS is not allowed",
			"the caller may not "+"kms:"+operation+" with "+k.ARN+": "+refused.Message)
		if refused.Detail != "" {
			said.Detail += " (" + refused.Detail + ")"
		}
		return said
	}
	if err == nil && k.State != "Enabled" {
		return unusable(k.ARN + " is " + k.State)
	}
	return err
}

func unusable(detail string) *world.Refusal {
	return wire.Refuse("secret-key-unusable", "DecryptionFailure",
		"Secrets Manager can't decrypt the protected secret text using the provided KMS key.", detail)
}

// keyFor finds the key that new versions are encrypted with, and holds the
// caller to making a data key with it.
func keyFor(c *world.Call, account, named, secretARN, versionID string) (string, error) {
	var k world.Key
	if named == "" {
		k = c.OwnKey(service, account)
	} else {
		var ok bool
		if k, ok = c.World.Key(account, c.Region, named); !ok {
			return "", wire.Refuse("secret-key-unusable", "InvalidRequestException",
				"Secrets Manager can't find the KMS key "+named+".", "there is no such key in "+c.Region)
		}
	}
	for _, operation := range []string{"GenerateDataKey", "Decrypt"} {
		if err := use(c, operation, k.ARN, secretARN, versionID); err != nil {
			return "", err
		}
	}
	return k.ARN, nil
}
