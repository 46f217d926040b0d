package world

import (
	"maps"
	"slices"
	"strings"
	"time"

	"daypass.dev/policy"
)

// AddCallerContext adds the condition keys that say who the caller is: its
// ARN, account, kind, tags (a session's over its role's), source identity, the
// age of its session and whose token began it.
func (w *World) AddCallerContext(ctx policy.Context, p policy.Principal, s *Session) {
	set := func(key, value string) {
		if value != "" {
			ctx[key] = policy.Values{List: []string{value}}
		}
	}
	set("aws:PrincipalAccount", p.Account)
	set("aws:userid", p.ID)
	arn, kind := p.ARN, "User"
	switch p.Kind {
	case policy.Root:
		kind = "Account"
	case policy.RoleSession:
		arn, kind = p.RoleARN, "AssumedRole"
	case policy.User:
		set("aws:username", p.Name)
	}
	set("aws:PrincipalArn", arn)
	set("aws:PrincipalType", kind)
	for k, v := range w.principalTags(p, s) {
		ctx["aws:PrincipalTag/"+k] = policy.Values{List: []string{v}}
	}
	if s == nil {
		return
	}
	set("aws:SourceIdentity", s.SourceIdentity)
	set("aws:TokenIssueTime", s.Issued.Format(time.RFC3339))
	set("aws:MultiFactorAuthPresent", "false")
	if s.WebIdentity != nil {
		maps.Copy(ctx, s.WebIdentity.conditions())
	}
}

// principalTags are the tags of the user or role, with the session's own over
// those of the same key, whatever its case.
func (w *World) principalTags(p policy.Principal, s *Session) map[string]string {
	tags := map[string]string{}
	lower := map[string]string{} // :: key in lower case → key
	add := func(from map[string]string) {
		for k, v := range from {
			if old, ok := lower[strings.ToLower(k)]; ok {
				delete(tags, old)
			}
			tags[k], lower[strings.ToLower(k)] = v, k
		}
	}
	w.RLock()
	if a := w.Accounts[p.Account]; a != nil {
		switch {
		case p.Kind == policy.User && a.Users[p.Name] != nil:
			add(a.Users[p.Name].Tags)
		case s != nil && a.Roles[s.RoleName] != nil:
			add(a.Roles[s.RoleName].Tags)
		}
	}
	w.RUnlock()
	if s != nil {
		add(s.Tags)
	}
	return tags
}

// TagMapContext is TagContext for tags by their keys.
func TagMapContext(tags map[string]string) policy.Context {
	return TagContext(slices.Sorted(maps.Keys(tags)), func(k string) (key, value string) { return k, tags[k] })
}

// TagContext are the condition keys of tags that a request carries.
func TagContext[T any](tags []T, of func(T) (key, value string)) policy.Context {
	ctx := policy.Context{}
	var keys []string
	for _, t := range tags {
		key, value := of(t)
		ctx["aws:RequestTag/"+key] = policy.Values{List: []string{value}}
		keys = append(keys, key)
	}
	if keys != nil {
		ctx["aws:TagKeys"] = policy.Values{List: keys, Multi: true}
	}
	return ctx
}
