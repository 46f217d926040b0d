package kms

import (
	"regexp"
	"slices"
	"strings"

	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

var aliasName = regexp.MustCompile(`^alias/[a-zA-Z0-9/_-]{1,250}$`)

func isAlias(id string) bool {
	return strings.HasPrefix(id, "alias/") || strings.Contains(id, ":alias/")
}

func aliasARN(account, region, alias string) string {
	if strings.HasPrefix(alias, "arn:") {
		return alias
	}
	return "arn:" + world.PartitionOf(region) + ":kms:" + region + ":" + account + ":" + alias
}

// aliasIn is what calls say of an alias.
type aliasIn struct {
	AliasName   string
	TargetKeyID string `json:"TargetKeyId"`
}

func (in aliasIn) check() error {
	if strings.HasPrefix(in.AliasName, "alias/aws/") {
		return wire.Refuse("kms-alias-name", "NotAuthorizedException", "The alias "+in.AliasName+" is reserved for AWS.", "names after alias/aws/ are AWS's own")
	}
	if !aliasName.MatchString(in.AliasName) {
		return wire.Refuse("kms-alias-name", "InvalidAliasNameException", "Alias must start with the prefix \"alias/\" and hold letters, digits, /, _ and - only.", in.AliasName)
	}
	return nil
}

// onAlias holds the caller to the operation on the alias itself; KMS asks for
// it beside the same on the key.
func onAlias(c *world.Call, operation, alias string) error {
	return c.Authorize(world.Access{
		Action: "kms:" + operation, Resource: aliasARN(c.Caller.Account, c.Region, alias), ResourceAccount: c.Caller.Account,
	})
}

func createAlias(c *world.Call, in aliasIn) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	if err := onAlias(c, "CreateAlias", in.AliasName); err != nil {
		return nil, err
	}
	k, err := owned(c, in.TargetKeyID, "CreateAlias")
	if err != nil {
		return nil, err
	}
	if _, taken := c.World.Key(k.Account, k.Region, in.AliasName); taken {
		return nil, wire.Refuse("kms-alias-exists", "AlreadyExistsException",
			"An alias with the name "+aliasARN(k.Account, k.Region, in.AliasName)+" already exists", "the alias stands for a key already")
	}
	return nil, change(c, k, func(k *world.Key) { k.Aliases = append(slices.Clone(k.Aliases), in.AliasName) })
}

func updateAlias(c *world.Call, in aliasIn) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	if err := onAlias(c, "UpdateAlias", in.AliasName); err != nil {
		return nil, err
	}
	was, err := owned(c, in.AliasName, "UpdateAlias")
	if err != nil {
		return nil, err
	}
	k, err := owned(c, in.TargetKeyID, "UpdateAlias")
	if err != nil {
		return nil, err
	}
	if err := change(c, was, withoutAlias(in.AliasName)); err != nil {
		return nil, err
	}
	return nil, change(c, k, func(k *world.Key) { k.Aliases = append(slices.Clone(k.Aliases), in.AliasName) })
}

func deleteAlias(c *world.Call, in struct{ AliasName string }) (any, error) {
	if err := (aliasIn{AliasName: in.AliasName}).check(); err != nil {
		return nil, err
	}
	if err := onAlias(c, "DeleteAlias", in.AliasName); err != nil {
		return nil, err
	}
	k, err := owned(c, in.AliasName, "DeleteAlias")
	if err != nil {
		return nil, err
	}
	return nil, change(c, k, withoutAlias(in.AliasName))
}

func withoutAlias(name string) func(*world.Key) {
	return func(k *world.Key) {
		k.Aliases = slices.DeleteFunc(slices.Clone(k.Aliases), func(a string) bool { return a == name })
	}
}

func listAliases(c *world.Call, in struct {
	keyIn
	Limit int
}) (any, error) {
	if err := c.Authorize(world.Access{Action: "kms:ListAliases", Resource: "*"}); err != nil {
		return nil, err
	}
	type row struct {
		Name   string `json:"AliasName"`
		ARN    string `json:"AliasArn"`
		Target string `json:"TargetKeyId"`
	}
	rows := []row{}
	for _, k := range keysOf(c) {
		if in.KeyID != "" && in.KeyID != k.ID && in.KeyID != k.ARN {
			continue
		}
		for _, a := range k.Aliases {
			rows = append(rows, row{a, aliasARN(k.Account, k.Region, a), k.ID})
		}
	}
	return map[string]any{"Aliases": rows, "Truncated": false}, nil
}
