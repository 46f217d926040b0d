package iam

import (
	"maps"
	"strings"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

const maxTags = 50

func tagRole(q *request) (any, error) {
	var v wire.Validation
	tags, duplicate := v.Tags(q.Members("Tags"))
	ctx := policy.Context{}
	ctx.Add(world.TagMapContext(tags))
	return roleShelf.with(q, ctx, func(_ *world.Account, r *world.Role) (any, error) {
		if err := v.Err(); err != nil {
			return nil, err
		}
		if duplicate {
			return nil, invalidInput("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		all := maps.Clone(r.Tags)
		if all == nil {
			all = map[string]string{}
		}
		for k, val := range tags {
			maps.DeleteFunc(all, func(old, _ string) bool { return strings.EqualFold(old, k) })
			all[k] = val
		}
		if len(all) > maxTags {
			return nil, overQuota("The number of tags has reached the maximum limit.")
		}
		r.Tags = all
		return nil, nil
	})
}

func untagRole(q *request) (any, error) {
	keys := q.List("TagKeys")
	ctx := policy.Context{}
	if len(keys) > 0 {
		ctx["aws:TagKeys"] = policy.Values{List: keys, Multi: true}
	}
	return roleShelf.with(q, ctx, func(_ *world.Account, r *world.Role) (any, error) {
		left := maps.Clone(r.Tags)
		for _, k := range keys {
			maps.DeleteFunc(left, func(old, _ string) bool { return strings.EqualFold(old, k) })
		}
		r.Tags = left
		return nil, nil
	})
}

func listRoleTags(q *request) (any, error) {
	return roleShelf.with(q, nil, func(_ *world.Account, r *world.Role) (any, error) {
		some, p, err := paged(q, viewTags(r.Tags).Members)
		return struct {
			Tags wire.List[tagXML]
			page
		}{wire.ListOf(some...), p}, err
	})
}
