package kms

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

type tag struct{ TagKey, TagValue string }

type createKeyIn struct {
	Policy, Description, KeyUsage, KeySpec, CustomerMasterKeySpec, Origin string
	BypassPolicyLockoutSafetyCheck, MultiRegion                           bool
	Tags                                                                  []tag
}

func createKey(c *world.Call, in createKeyIn) (any, error) {
	carried := tagContext(in.Tags)
	if err := c.Authorize(world.Access{Action: "kms:CreateKey", Resource: "*", Context: carried}); err != nil {
		return nil, err
	}
	if err := c.AuthorizeTags("kms:TagResource", "*", carried); err != nil {
		return nil, err
	}
	if in.MultiRegion || in.Origin != "" && in.Origin != "AWS_KMS" {
		return nil, c.NotBuilt()
	}
	k := world.NewKey(c.Caller.Account, c.Region, c.Time)
	k.Description, k.Tags = in.Description, tags(in.Tags)
	if in.KeySpec == "" {
		in.KeySpec = in.CustomerMasterKeySpec
	}
	if err := material(c, &k, in.KeySpec, in.KeyUsage); err != nil {
		return nil, err
	}
	if in.Policy == "" {
		in.Policy = `{"Version":"2012-10-17","Id":"key-default-1","Statement":[{"Sid":"Enable IAM User Permissions","Effect":"Allow",` +
			`"Principal":{"AWS":"arn:` + world.PartitionOf(k.Region) + `:iam::` + k.Account + `:root"},"Action":"kms:*","Resource":"*"}]}`
	}
	doc, err := readPolicy(c, k, in.Policy, in.BypassPolicyLockoutSafetyCheck)
	if err != nil {
		return nil, err
	}
	k.Policy = doc
	c.World.Lock()
	defer c.World.Unlock()
	c.World.Accounts[k.Account].Keys[k.ARN] = &k
	c.Changed(world.Thing{Kind: "key", Account: k.Account, Name: k.ARN})
	return map[string]any{"KeyMetadata": metadata(k)}, nil
}

// material makes the key that a spec names.
func material(c *world.Call, k *world.Key, spec, usage string) error {
	var key any
	var err error
	switch spec {
	case "", "SYMMETRIC_DEFAULT":
		if usage != "" && usage != k.Usage {
			return invalid("KeyUsage " + usage + " is not compatible with KeySpec SYMMETRIC_DEFAULT")
		}
		return nil
	case "RSA_2048", "RSA_3072", "RSA_4096":
		key, err = rsa.GenerateKey(rand.Reader, map[string]int{"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}[spec])
	case "ECC_NIST_P256", "ECC_NIST_P384":
		curve := elliptic.P256()
		if spec == "ECC_NIST_P384" {
			curve = elliptic.P384()
		}
		key, err = ecdsa.GenerateKey(curve, rand.Reader)
	default:
		return c.NotBuilt()
	}
	if err != nil {
		return err
	}
	if usage == "" {
		return invalid("You must specify a KeyUsage value for an asymmetric KMS key.")
	}
	if usage != "SIGN_VERIFY" {
		return c.NotBuilt()
	}
	k.Spec, k.Usage = spec, usage
	k.Material, err = x509.MarshalPKCS8PrivateKey(key)
	return err
}

func tags(list []tag) map[string]string {
	all := map[string]string{}
	for _, t := range list {
		all[t.TagKey] = t.TagValue
	}
	return all
}

func tagContext(list []tag) policy.Context {
	return world.TagContext(list, func(t tag) (key, value string) { return t.TagKey, t.TagValue })
}

func metadata(k world.Key) map[string]any {
	m := map[string]any{
		"AWSAccountId": k.Account, "Arn": k.ARN, "KeyId": k.ID, "CreationDate": wire.Epoch(k.Created), "Description": k.Description,
		"Enabled": k.State == "Enabled", "KeyState": k.State, "KeyUsage": k.Usage, "KeySpec": k.Spec, "CustomerMasterKeySpec": k.Spec,
		"KeyManager": "CUSTOMER", "Origin": "AWS_KMS", "MultiRegion": false,
	}
	if k.Service != "" {
		m["KeyManager"] = "AWS"
	}
	if k.State == "PendingDeletion" {
		m["DeletionDate"] = wire.Epoch(k.Deletion)
	}
	if k.Usage == "SIGN_VERIFY" {
		m["SigningAlgorithms"] = slices.Sorted(maps.Keys(algorithms(k.Spec)))
	} else {
		m["EncryptionAlgorithms"] = []string{"SYMMETRIC_DEFAULT"}
	}
	return m
}

type keyIn struct {
	KeyID string `json:"KeyId"`
}

func describeKey(c *world.Call, in struct {
	keyIn
	GrantTokens []string
}) (any, error) {
	// An alias of AWS's own makes the key, as at AWS.
	if service, ok := strings.CutPrefix(in.KeyID, "alias/aws/"); ok && slices.Contains([]string{"secretsmanager", "ssm"}, service) {
		c.OwnKey(service, c.Caller.Account)
	}
	k, err := find(c, in.KeyID, "DescribeKey", nil)
	if err != nil {
		return nil, err
	}
	return map[string]any{"KeyMetadata": metadata(k)}, nil
}

func listKeys(c *world.Call, _ struct{ Limit int }) (any, error) {
	if err := c.Authorize(world.Access{Action: "kms:ListKeys", Resource: "*"}); err != nil {
		return nil, err
	}
	type row struct {
		ID  string `json:"KeyId"`
		ARN string `json:"KeyArn"`
	}
	rows := []row{}
	for _, k := range keysOf(c) {
		rows = append(rows, row{k.ID, k.ARN})
	}
	return map[string]any{"Keys": rows, "Truncated": false}, nil
}

// keysOf copies the keys of the caller's account in the call's region.
func keysOf(c *world.Call) []world.Key {
	c.World.RLock()
	defer c.World.RUnlock()
	var all []world.Key
	for _, k := range c.World.Accounts[c.Caller.Account].Keys {
		if k.Region == c.Region && !k.Gone(c.Time) {
			all = append(all, *k)
		}
	}
	slices.SortFunc(all, func(a, b world.Key) int { return strings.Compare(a.ID, b.ID) })
	return all
}

func enableKey(c *world.Call, in keyIn) (any, error) { return setState(c, in, "EnableKey", "Enabled") }
func disableKey(c *world.Call, in keyIn) (any, error) {
	return setState(c, in, "DisableKey", "Disabled")
}

func setState(c *world.Call, in keyIn, operation, state string) (any, error) {
	k, err := owned(c, in.KeyID, operation)
	if err != nil {
		return nil, err
	}
	if k.State == "PendingDeletion" {
		return nil, k.Usable()
	}
	return nil, change(c, k, func(k *world.Key) { k.State = state })
}

func scheduleKeyDeletion(c *world.Call, in struct {
	keyIn
	PendingWindowInDays *int
}) (any, error) {
	k, err := owned(c, in.KeyID, "ScheduleKeyDeletion")
	if err != nil {
		return nil, err
	}
	days := 30
	if in.PendingWindowInDays != nil {
		days = *in.PendingWindowInDays
	}
	if days < 7 || days > 30 {
		return nil, invalid("1 validation error detected: Value at 'pendingWindowInDays' failed to satisfy constraint: Member must have value between 7 and 30")
	}
	if k.State == "PendingDeletion" {
		return nil, k.Usable()
	}
	end := c.Time.Add(time.Duration(days) * 24 * time.Hour)
	err = change(c, k, func(k *world.Key) { k.State, k.Deletion = "PendingDeletion", end })
	if err != nil {
		return nil, err
	}
	return map[string]any{"KeyId": k.ARN, "DeletionDate": wire.Epoch(end), "KeyState": "PendingDeletion", "PendingWindowInDays": days}, nil
}

func cancelKeyDeletion(c *world.Call, in keyIn) (any, error) {
	k, err := owned(c, in.KeyID, "CancelKeyDeletion")
	if err != nil {
		return nil, err
	}
	if k.State != "PendingDeletion" {
		return nil, wire.Refuse("kms-key-state", "KMSInvalidStateException", k.ARN+" is not pending deletion.", "the key is "+k.State)
	}
	if err := change(c, k, func(k *world.Key) { k.State, k.Deletion = "Disabled", time.Time{} }); err != nil {
		return nil, err
	}
	return map[string]any{"KeyId": k.ARN}, nil
}

// readPolicy reads a key policy as KMS does: its principals must exist, and the
// caller must be able to change it again.
func readPolicy(c *world.Call, k world.Key, text string, locksOut bool) (*policy.Document, error) {
	doc, err := policy.Parse(policy.Key, text)
	if err == nil {
		c.World.RLock()
		doc, err = doc.Bind(c.World.UniqueID)
		c.World.RUnlock()
	}
	if err != nil {
		e := wire.Refuse("kms-policy-malformed", "MalformedPolicyDocumentException", err.Error(), err.Error())
		var s *policy.SyntaxError
		if errors.As(err, &s) {
			e.Mend = s.Hint
		}
		return nil, e
	}
	if locksOut {
		return doc, nil
	}
	k.Policy = doc
	quiet := *c
	quiet.Decision = nil
	if err := quiet.UseKey(world.KeyUse{Operation: "PutKeyPolicy", Key: k}); err != nil {
		return nil, wire.Refuse("kms-policy-lockout", "MalformedPolicyDocumentException",
			"The new key policy will not allow you to update the key policy in the future.", "the caller could not put a key policy again: "+err.Error())
	}
	return doc, nil
}

type keyPolicyIn struct {
	keyIn
	PolicyName string
}

func (in keyPolicyIn) check() error {
	if in.PolicyName != "" && in.PolicyName != "default" {
		return wire.Refuse("kms-key-not-found", "NotFoundException", "No such policy exists", "a key's only policy is called default")
	}
	return nil
}

func getKeyPolicy(c *world.Call, in keyPolicyIn) (any, error) {
	k, err := find(c, in.KeyID, "GetKeyPolicy", nil)
	if err == nil {
		err = in.check()
	}
	if err != nil {
		return nil, err
	}
	return map[string]string{"Policy": k.Policy.Text, "PolicyName": "default"}, nil
}

func putKeyPolicy(c *world.Call, in struct {
	keyPolicyIn
	Policy                         string
	BypassPolicyLockoutSafetyCheck bool
}) (any, error) {
	k, err := owned(c, in.KeyID, "PutKeyPolicy")
	if err == nil {
		err = in.check()
	}
	if err != nil {
		return nil, err
	}
	doc, err := readPolicy(c, k, in.Policy, in.BypassPolicyLockoutSafetyCheck)
	if err != nil {
		return nil, err
	}
	return nil, change(c, k, func(k *world.Key) { k.Policy = doc })
}

func tagResource(c *world.Call, in struct {
	keyIn
	Tags []tag
}) (any, error) {
	k, err := owned(c, in.KeyID, "TagResource")
	if err != nil {
		return nil, err
	}
	return nil, change(c, k, func(k *world.Key) {
		all := maps.Clone(k.Tags)
		maps.Copy(all, tags(in.Tags))
		k.Tags = all
	})
}

func untagResource(c *world.Call, in struct {
	keyIn
	TagKeys []string
}) (any, error) {
	k, err := owned(c, in.KeyID, "UntagResource")
	if err != nil {
		return nil, err
	}
	return nil, change(c, k, func(k *world.Key) {
		all := maps.Clone(k.Tags)
		maps.DeleteFunc(all, func(key, _ string) bool { return slices.Contains(in.TagKeys, key) })
		k.Tags = all
	})
}

func listResourceTags(c *world.Call, in struct {
	keyIn
	Limit int
}) (any, error) {
	k, err := find(c, in.KeyID, "ListResourceTags", nil)
	if err != nil {
		return nil, err
	}
	list := []tag{}
	for _, key := range slices.Sorted(maps.Keys(k.Tags)) {
		list = append(list, tag{key, k.Tags[key]})
	}
	return map[string]any{"Tags": list, "Truncated": false}, nil
}
