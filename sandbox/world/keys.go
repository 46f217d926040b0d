package world

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"daypass.dev/policy"
)

// Key finds a KMS key as KMS does: by ARN or alias ARN, else by id or alias
// ("alias/prod") in the account. ok is false if the region has none such.
func (w *World) Key(account, region, id string) (k Key, ok bool) {
	if p := strings.SplitN(id, ":", 6); len(p) == 6 && p[0] == "arn" && p[2] == "kms" {
		account, id = p[4], strings.TrimPrefix(p[5], "key/")
		if p[3] != region {
			return Key{}, false
		}
	}
	w.RLock()
	defer w.RUnlock()
	a := w.Accounts[account]
	if a == nil {
		return Key{}, false
	}
	for _, k := range a.Keys {
		if k.Region == region && (k.ID == id || slices.Contains(k.Aliases, id)) && !k.Gone(w.Now()) {
			return *k, true
		}
	}
	return Key{}, false
}

// OwnKey returns AWS's own key of a service ("secretsmanager", "ssm") in the
// call's region, which comes into being at its first use.
func (c *Call) OwnKey(service, account string) Key {
	alias := "alias/aws/" + service
	if k, ok := c.World.Key(account, c.Region, alias); ok {
		return k
	}
	k := NewKey(account, c.Region, c.Time)
	k.Service, k.Aliases = service, []string{alias}
	k.Description = "Default key that protects what " + service + " keeps when no other key is defined"
	k.Policy = ownKeyPolicy(service, account, c.Region)
	c.World.Lock()
	defer c.World.Unlock()
	a := c.World.Accounts[account]
	for _, there := range a.Keys { // somebody else may have made it meanwhile
		if there.Region == c.Region && slices.Contains(there.Aliases, alias) {
			return *there
		}
	}
	a.Keys[k.ARN] = &k
	c.Changed(Thing{Kind: "key", Account: account, Name: k.ARN})
	return k
}

// NewKey makes a symmetric key, as yet without a policy and in no account.
func NewKey(account, region string, now time.Time) Key {
	id := NewUUID()
	k := Key{
		ID: id, ARN: "arn:" + PartitionOf(region) + ":kms:" + region + ":" + account + ":key/" + id, Region: region, Account: account,
		Spec: "SYMMETRIC_DEFAULT", Usage: "ENCRYPT_DECRYPT", State: "Enabled", Created: now, Material: make([]byte, 32),
	}
	_, _ = rand.Read(k.Material)
	return k
}

// ownKeyPolicy is that of AWS's managed keys: everybody in the account by way
// of the service, and nobody else.
// https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-cmk
func ownKeyPolicy(service, account, region string) *policy.Document {
	via := map[string]any{"StringEquals": map[string]string{
		"kms:CallerAccount": account, "kms:ViaService": service + "." + region + "." + Domain(region),
	}}
	text, _ := json.Marshal(map[string]any{
		"Version": "2012-10-17", "Id": "auto-" + service + "-1",
		"Statement": []any{
			map[string]any{
				"Sid": "AllowThroughTheService", "Effect": "Allow", "Principal": map[string]string{"AWS": "*"}, "Resource": "*",
				"Action":    []string{"kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey"},
				"Condition": via,
			},
			map[string]any{
				"Sid": "AllowLookingAtIt", "Effect": "Allow", "Resource": "*",
				"Principal": map[string]string{"AWS": "arn:" + PartitionOf(region) + ":iam::" + account + ":root"},
				"Action":    []string{"kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"},
			},
		},
	})
	doc, err := policy.Parse(policy.Key, string(text))
	if err != nil {
		panic(err) // of our own text: the first test would find it
	}
	return doc
}

// A KeyUse is what a caller wants of a KMS key.
type KeyUse struct {
	Operation string // "Decrypt"
	Key       Key
	// Via is the service on whose behalf ("secretsmanager"); empty: none.
	Via string
	// Context is the encryption context.
	Context map[string]string
	// More holds further condition keys.
	More policy.Context
}

// UseKey decides whether the call's caller may use a key: by its policy, then
// by its grants. The error is a *Refusal, AccessDenied in AWS's words, or one
// that says that the key is not Enabled.
func (c *Call) UseKey(u KeyUse) error {
	a := Access{
		Action: "kms:" + u.Operation, Resource: u.Key.ARN, ResourceAccount: u.Key.Account, Context: u.conditions(c),
		ResourcePolicy: &policy.Named{Name: "key policy of " + u.Key.ID, Document: u.Key.Policy},
	}
	err := c.Authorize(a)
	var refused *Refusal
	if errors.As(err, &refused) && refused.Slug != "policy-explicit-deny" {
		if doc := u.granted(c.Caller); doc != nil {
			a.ResourcePolicy = &policy.Named{Name: "grants of key " + u.Key.ID, Document: doc}
			err = c.Authorize(a)
		}
	}
	return err
}

func (u KeyUse) conditions(c *Call) policy.Context {
	ctx := policy.Context{}
	maps.Copy(ctx, u.More)
	set := func(key string, multi bool, values ...string) {
		ctx[key] = policy.Values{List: values, Multi: multi}
	}
	set("kms:CallerAccount", false, c.Caller.Account)
	set("kms:KeySpec", false, u.Key.Spec)
	set("kms:KeyUsage", false, u.Key.Usage)
	if len(u.Key.Aliases) > 0 {
		set("kms:ResourceAliases", true, u.Key.Aliases...)
	}
	if u.Via != "" {
		set("kms:ViaService", false, u.Via+"."+c.Region+"."+Domain(c.Region))
		set("aws:ViaAWSService", false, "true")
	}
	for k, v := range u.Context {
		set("kms:EncryptionContext:"+k, false, v)
	}
	if len(u.Context) > 0 {
		set("kms:EncryptionContextKeys", true, slices.Sorted(maps.Keys(u.Context))...)
	}
	for k, v := range u.Key.Tags {
		set("aws:ResourceTag/"+k, false, v)
	}
	return ctx
}

// granted writes the grants to the caller that fit as the key policy that they
// amount to: one to a session's own ARN outdoes what session policy and boundary
// leave out, one to its role does not, and a Deny stands above all.
func (u KeyUse) granted(caller policy.Principal) *policy.Document {
	var grantees []string
	for _, g := range u.Key.Grants {
		whole := strings.HasSuffix(g.Grantee, ":iam::"+caller.Account+":root")
		if (whole || g.Grantee == caller.ARN || g.Grantee == caller.RoleARN) && !slices.Contains(grantees, g.Grantee) &&
			slices.Contains(g.Operations, u.Operation) && g.fits(u.Context) {
			grantees = append(grantees, g.Grantee)
		}
	}
	if len(grantees) == 0 || caller.Account == "" {
		return nil
	}
	text, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": map[string]any{
		"Effect": "Allow", "Principal": map[string]any{"AWS": grantees}, "Action": "kms:" + u.Operation, "Resource": "*",
	}})
	doc, err := policy.Parse(policy.Key, string(text))
	if err != nil {
		return nil // CreateGrant takes no such grantee
	}
	return doc
}

func (g Grant) fits(ctx map[string]string) bool {
	if g.Equals != nil && !maps.Equal(g.Equals, ctx) {
		return false
	}
	for k, v := range g.Subset {
		if got, ok := ctx[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// Usable is nil for an enabled key, and otherwise KMS's refusal.
func (k Key) Usable() error {
	switch k.State {
	case "Enabled":
		return nil
	case "Disabled":
		return &Refusal{
			Slug: "kms-key-disabled", Code: "DisabledException", Status: http.StatusBadRequest, Message: k.ARN + " is disabled.",
		}
	}
	return &Refusal{
		Slug: "kms-key-state", Code: "KMSInvalidStateException", Status: http.StatusBadRequest, Message: k.ARN + " is pending deletion.",
	}
}
