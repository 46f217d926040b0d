package ssm

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

const (
	secure      = "SecureString"
	maxVersions = 100
	maxStandard = 4096 // bytes of a value
	maxAdvanced = 8192
)

var (
	parameterName = regexp.MustCompile(`^[a-zA-Z0-9_./-]+$`)
	labelName     = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,100}$`)
)

type tag struct{ Key, Value string }

func tagContext(tags []tag) policy.Context {
	return world.TagContext(tags, func(t tag) (key, value string) { return t.Key, t.Value })
}

type putIn struct {
	Name, Value, Type, Description, AllowedPattern, Tier, DataType string
	KeyID                                                          string `json:"KeyId"`
	Overwrite                                                      bool
	Tags                                                           []tag
}

func putParameter(c *world.Call, in putIn) (any, error) {
	at := place{c.Caller.Account, c.Region, in.Name}
	was, there, err := find(c, "PutParameter", at, in.Tags...)
	if err != nil {
		return nil, err
	}
	if err := c.AuthorizeTags("ssm:AddTagsToResource", at.arn(), tagContext(in.Tags)); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	p, err := in.onto(c, at, was, there)
	if err != nil {
		return nil, err
	}
	v := p.Versions[len(p.Versions)-1]
	if v.Type == secure {
		if v.Key, v.KeyName, err = encryptionKey(c, v.KeyName, p.Tier, at); err != nil {
			return nil, err
		}
	}
	in.Type, in.KeyID = v.Type, v.KeyName
	// KMS is asked without the lock, so others may have put meanwhile.
	c.World.Lock()
	defer c.World.Unlock()
	all := c.World.Accounts[at.account].Parameters
	live, there := all[at.arn()]
	if there {
		was = *live
	}
	if p, err = in.onto(c, at, was, there); err != nil {
		return nil, err
	}
	last := &p.Versions[len(p.Versions)-1]
	last.Key = v.Key
	all[p.ARN] = &p
	c.Changed(world.Thing{Kind: "parameter", Account: at.account, Name: p.ARN})
	return map[string]any{"Version": last.Number, "Tier": p.Tier}, nil
}

// onto is the parameter with the new version, whose key is still to be found; p
// is what there was, if something was there.
func (in putIn) onto(c *world.Call, at place, p world.Parameter, there bool) (world.Parameter, error) {
	switch {
	case there && !in.Overwrite:
		return p, wire.Refuse("parameter-exists", "ParameterAlreadyExists",
			"The parameter already exists. To overwrite this value, set the overwrite option in the request to true.", in.Name+" is there")
	case !there && in.Type == "":
		return p, invalid("A parameter type is required when you create a parameter.")
	case there && len(in.Tags) > 0:
		return p, invalid("Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag.")
	}
	if !there {
		p = world.Parameter{Name: in.Name, ARN: at.arn(), Region: c.Region, Tier: "Standard", DataType: "text", Tags: map[string]string{}}
		for _, t := range in.Tags {
			p.Tags[t.Key] = t.Value
		}
	}
	if err := in.settle(&p); err != nil {
		return p, err
	}
	v := world.ParameterVersion{Type: in.Type, Value: in.Value, By: c.Caller.ARN, Modified: c.Time, Number: 1}
	if n := len(p.Versions); n > 0 {
		v.Number = p.Versions[n-1].Number + 1
		if v.Type == "" {
			v.Type = p.Versions[n-1].Type
		}
		if in.KeyID == "" {
			in.KeyID = p.Versions[n-1].KeyName
		}
	}
	if v.Type == secure {
		v.KeyName = in.KeyID
	} else if in.KeyID != "" && !there {
		return p, wire.Refuse("parameter-key", "InvalidKeyId", "KeyId is required for SecureString type parameter only.", "the parameter is a "+v.Type)
	}
	p.Versions = append(slices.Clone(p.Versions), v)
	if len(p.Versions) > maxVersions {
		if len(p.Versions[0].Labels) > 0 {
			return p, wire.Refuse("parameter-limit", "ParameterMaxVersionLimitExceeded",
				"You attempted to create a new version of "+in.Name+" by calling the PutParameter API with the overwrite flag. Version 1, the oldest version, can't be deleted because it has a label associated with it.", "move the label first")
		}
		p.Versions = p.Versions[1:]
	}
	return p, nil
}

// check holds a new value to what needs no knowledge of the old one.
func (in putIn) check() error {
	lower := strings.ToLower(strings.TrimPrefix(in.Name, "/"))
	switch {
	case !parameterName.MatchString(in.Name) || len(in.Name) > 1011:
		return invalid("Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_")
	case strings.HasPrefix(lower, "aws"):
		return wire.Refuse("parameter-name", "AccessDeniedException", "No access to reserved parameter name: "+in.Name+".", "names after aws are AWS's own")
	case strings.HasPrefix(lower, "ssm"):
		return invalid("Parameter name: can't be prefixed with \"ssm\" (case-insensitive).")
	case strings.Contains(in.Name, "/") && !strings.HasPrefix(in.Name, "/"):
		return invalid("Parameter name must be a fully qualified name.")
	case strings.Count(in.Name, "/") > 15:
		return wire.Refuse("parameter-name", "HierarchyLevelLimitExceededException", "The hierarchy can have a maximum of 15 levels.", in.Name)
	case in.Value == "":
		return invalid("1 validation error detected: Value at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case !slices.Contains([]string{"", "String", "StringList", secure}, in.Type):
		return wire.Refuse("parameter-type", "UnsupportedParameterType", "The parameter type is not supported.", "the types are String, StringList and SecureString")
	case !slices.Contains([]string{"", "text"}, in.DataType):
		return invalid("The following data type is not supported by the sandbox: %s", in.DataType)
	}
	return nil
}

// settle takes over tier, pattern and description, and holds the value to them.
func (in putIn) settle(p *world.Parameter) error {
	switch in.Tier {
	case "":
	case "Intelligent-Tiering":
		if len(in.Value) > maxStandard {
			p.Tier = "Advanced"
		}
	case "Standard":
		if p.Tier == "Advanced" {
			return invalid("This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier.")
		}
	case "Advanced":
		p.Tier = in.Tier
	default:
		return invalid("1 validation error detected: Value '%s' at 'tier' failed to satisfy constraint: Member must satisfy enum value set: [Standard, Advanced, Intelligent-Tiering]", in.Tier)
	}
	most, tier := maxStandard, "Standard"
	if p.Tier == "Advanced" {
		most, tier = maxAdvanced, "Advanced"
	}
	if len(in.Value) > most {
		return invalid("%s tier parameters support a maximum parameter value of %d characters.", tier, most)
	}
	if in.AllowedPattern != "" {
		p.Allowed = in.AllowedPattern
	}
	if in.Description != "" {
		p.Description = in.Description
	}
	if p.Allowed == "" {
		return nil
	}
	form, err := regexp.Compile(p.Allowed)
	if err != nil {
		return wire.Refuse("ssm-parameter", "InvalidAllowedPatternException", "The request does not meet the regular expression requirement.", err.Error())
	}
	if !form.MatchString(in.Value) {
		return wire.Refuse("parameter-pattern", "ParameterPatternMismatchException", "Parameter value, cannot be validated against allowedPattern: "+p.Allowed, "the value does not match")
	}
	return nil
}

// encryptionKey finds the key of a SecureString and holds the caller to it. That
// the advanced tier takes kms:GenerateDataKey beside kms:Encrypt is from AWS's
// user guide (awsdocs/aws-systems-manager-user-guide, pull request 105); in
// which order it asks is unchecked.
func encryptionKey(c *world.Call, named, tier string, at place) (arn, name string, err error) {
	if named == "" || named == "alias/aws/ssm" {
		named = "alias/aws/ssm"
		c.OwnKey(service, at.account)
	}
	k, ok := c.World.Key(at.account, at.region, named)
	if !ok {
		return "", "", wire.Refuse("parameter-key", "InvalidKeyId", "Invalid keyId "+named, "there is no such key in "+at.region)
	}
	if tier == "Advanced" {
		if err := use(c, "GenerateDataKey", k.ARN, at); err != nil {
			return "", "", err
		}
	}
	return k.ARN, named, use(c, "Encrypt", k.ARN, at)
}

func labelParameterVersion(c *world.Call, in struct {
	Name             string
	ParameterVersion int
	Labels           []string
}) (any, error) {
	at, number, err := versionOf(c, "LabelParameterVersion", in.Name, in.ParameterVersion)
	if err != nil {
		return nil, err
	}
	bad, good := []string{}, []string{}
	for _, l := range in.Labels {
		if !labelName.MatchString(l) || strings.HasPrefix(strings.ToLower(l), "aws") || strings.HasPrefix(strings.ToLower(l), "ssm") || l[0] >= '0' && l[0] <= '9' {
			bad = append(bad, l)
		} else {
			good = append(good, l)
		}
	}
	return map[string]any{"InvalidLabels": bad, "ParameterVersion": number}, change(c, at, func(p *world.Parameter) error {
		versions := slices.Clone(p.Versions)
		for i, v := range versions {
			labels := slices.DeleteFunc(slices.Clone(v.Labels), func(l string) bool { return slices.Contains(good, l) })
			if v.Number == number {
				labels = append(labels, good...)
			}
			if len(labels) > 10 {
				return wire.Refuse("parameter-limit", "ParameterVersionLabelLimitExceeded", "A parameter version can have maximum 10 labels.", "the version has more")
			}
			versions[i].Labels = labels
		}
		p.Versions = versions
		return nil
	})
}

func unlabelParameterVersion(c *world.Call, in struct {
	Name             string
	ParameterVersion int
	Labels           []string
}) (any, error) {
	at, number, err := versionOf(c, "UnlabelParameterVersion", in.Name, in.ParameterVersion)
	if err != nil {
		return nil, err
	}
	removed, missing := []string{}, slices.Clone(in.Labels)
	err = change(c, at, func(p *world.Parameter) error {
		p.Versions = slices.Clone(p.Versions)
		for i, v := range p.Versions {
			if v.Number != number {
				continue
			}
			p.Versions[i].Labels = slices.DeleteFunc(slices.Clone(v.Labels), func(l string) bool { return slices.Contains(in.Labels, l) })
			for _, l := range v.Labels {
				if slices.Contains(in.Labels, l) {
					removed = append(removed, l)
					missing = slices.DeleteFunc(missing, func(m string) bool { return m == l })
				}
			}
		}
		return nil
	})
	return map[string]any{"RemovedLabels": removed, "InvalidLabels": missing}, err
}

// versionOf finds a parameter and the number of a version of it; 0 is the latest.
func versionOf(c *world.Call, action, name string, number int) (place, int, error) {
	at, _ := locate(c, name)
	p, ok, err := find(c, action, at)
	if err != nil {
		return at, 0, err
	}
	if !ok {
		return at, 0, notFound(at)
	}
	for _, v := range p.Versions {
		if v.Number == number {
			return at, number, nil
		}
	}
	if number == 0 {
		return at, p.Versions[len(p.Versions)-1].Number, nil
	}
	return at, 0, noVersion(at, "")
}

func deleteParameter(c *world.Call, in struct{ Name string }) (any, error) {
	at, _ := locate(c, in.Name)
	_, ok, err := find(c, "DeleteParameter", at)
	if err == nil && !ok {
		err = notFound(at)
	}
	if err != nil {
		return nil, err
	}
	drop(c, at)
	return nil, nil
}

func drop(c *world.Call, at place) {
	c.World.Lock()
	defer c.World.Unlock()
	delete(c.World.Accounts[at.account].Parameters, at.arn())
	c.Changed(world.Thing{Kind: "parameter", Account: at.account, Name: at.arn()})
}

func deleteParameters(c *world.Call, in struct{ Names []string }) (any, error) {
	deleted, missing := []string{}, []string{}
	for _, name := range in.Names {
		at, _ := locate(c, name)
		_, ok, err := find(c, "DeleteParameters", at)
		switch {
		case err != nil:
			return nil, err
		case ok:
			drop(c, at)
			deleted = append(deleted, name)
		default:
			missing = append(missing, name)
		}
	}
	return map[string]any{"DeletedParameters": deleted, "InvalidParameters": missing}, nil
}

type taggedIn struct {
	ResourceType string
	ResourceID   string `json:"ResourceId"`
}

// tagged finds the parameter that is to be tagged.
func (in taggedIn) tagged(c *world.Call, action string, carried ...tag) (place, world.Parameter, error) {
	if in.ResourceType != "Parameter" {
		return place{}, world.Parameter{}, wire.Refuse("ssm-parameter", "InvalidResourceType", "The resource type is not valid. The sandbox has parameters only.", in.ResourceType)
	}
	at, _ := locate(c, in.ResourceID)
	p, ok, err := find(c, action, at, carried...)
	if err == nil && !ok {
		err = wire.Refuse("parameter-not-found", "InvalidResourceId", "The resource ID is not valid.", at.name+" is not there")
	}
	return at, p, err
}

func addTagsToResource(c *world.Call, in struct {
	taggedIn
	Tags []tag
}) (any, error) {
	at, _, err := in.tagged(c, "AddTagsToResource", in.Tags...)
	if err != nil {
		return nil, err
	}
	return struct{}{}, change(c, at, func(p *world.Parameter) error {
		all := maps.Clone(p.Tags)
		for _, t := range in.Tags {
			all[t.Key] = t.Value
		}
		p.Tags = all
		return nil
	})
}

func removeTagsFromResource(c *world.Call, in struct {
	taggedIn
	TagKeys []string
}) (any, error) {
	at, _, err := in.tagged(c, "RemoveTagsFromResource")
	if err != nil {
		return nil, err
	}
	return struct{}{}, change(c, at, func(p *world.Parameter) error {
		all := maps.Clone(p.Tags)
		maps.DeleteFunc(all, func(k, _ string) bool { return slices.Contains(in.TagKeys, k) })
		p.Tags = all
		return nil
	})
}

func listTagsForResource(c *world.Call, in taggedIn) (any, error) {
	_, p, err := in.tagged(c, "ListTagsForResource")
	if err != nil {
		return nil, err
	}
	tags := []tag{}
	for _, k := range slices.Sorted(maps.Keys(p.Tags)) {
		tags = append(tags, tag{k, p.Tags[k]})
	}
	return map[string]any{"TagList": tags}, nil
}
