package rolesanywhere

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// The limits of a resource's tags (API reference, Tag).
const (
	maxTags   = 200
	maxTagKey = 128
)

type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// withTags adds tags to those that are there, in a new map.
func withTags(before map[string]string, more []tag) (map[string]string, error) {
	all := maps.Clone(before)
	if all == nil {
		all = map[string]string{}
	}
	for _, t := range more {
		if n := utf8.RuneCountInString(t.Key); n < 1 || n > maxTagKey || strings.HasPrefix(strings.ToLower(t.Key), "aws:") || !tagAlphabet(t.Key) {
			return nil, faultf("anywhere-parameter", "a tag's key is %q", t.Key)
		}
		if utf8.RuneCountInString(t.Value) > maxTagValue || !tagAlphabet(t.Value) {
			return nil, faultf("anywhere-parameter", "the value of tag %q is too long or has characters that tags may not have", t.Key)
		}
		all[t.Key] = t.Value
	}
	if len(all) > maxTags {
		return nil, faultf("anywhere-tags", "there would be %d tags", len(all))
	}
	return all, nil
}

// tagContext are the condition keys of tags that a request carries.
func tagContext(tags []tag) policy.Context {
	return world.TagContext(tags, func(t tag) (key, value string) { return t.Key, t.Value })
}

// tagged finds the tags of the resource that an ARN names; nil if there is no
// such thing. It needs the world's lock.
func (q *request) tagged(text string) *map[string]string {
	asked, _ := parseARN(text)
	if text != q.arnOf(asked.kind, asked.id) {
		return nil
	}
	switch asked.kind {
	case anchors().kind:
		if a := anchors().find(q, asked.id); a != nil {
			return &a.Tags
		}
	case profiles().kind:
		if p := profiles().find(q, asked.id); p != nil {
			return &p.Tags
		}
	case crls().kind:
		if l := crls().find(q, asked.id); l != nil {
			return &l.Tags
		}
	}
	return nil
}

// onTags authorizes an operation on a resource's tags and changes them.
// Subjects have none here.
func (q *request) onTags(resource string, ctx policy.Context, change func(map[string]string) (map[string]string, error)) (map[string]string, error) {
	q.World.RLock()
	var before map[string]string
	if tags := q.tagged(resource); tags != nil {
		before = maps.Clone(*tags)
	}
	q.World.RUnlock()
	if err := q.allowed(resource, before, ctx); err != nil {
		return nil, err
	}
	q.World.Lock()
	defer q.World.Unlock()
	tags := q.tagged(resource)
	if tags == nil {
		return nil, missing(resource)
	}
	after, err := change(*tags)
	if err != nil {
		return nil, err
	}
	if maps.Equal(*tags, after) {
		return maps.Clone(after), nil
	}
	*tags = after
	asked, _ := parseARN(resource)
	q.Changed(world.Thing{Kind: asked.kind, Account: q.account().ID, Name: asked.id})
	return maps.Clone(after), nil
}

func tagResource(q *request) error {
	var in struct {
		Resource string `json:"resourceArn"`
		Tags     []tag  `json:"tags"`
	}
	if err := q.read(&in); err != nil {
		return err
	}
	_, err := q.onTags(in.Resource, tagContext(in.Tags), func(before map[string]string) (map[string]string, error) {
		return withTags(before, in.Tags)
	})
	if err != nil {
		return err
	}
	return wire.JSON(q.w, http.StatusCreated, struct{}{})
}

func untagResource(q *request) error {
	var in struct {
		Resource string   `json:"resourceArn"`
		Keys     []string `json:"tagKeys"`
	}
	if err := q.read(&in); err != nil {
		return err
	}
	ctx := policy.Context{"aws:TagKeys": {List: in.Keys, Multi: true}}
	_, err := q.onTags(in.Resource, ctx, func(before map[string]string) (map[string]string, error) {
		after := maps.Clone(before)
		for _, k := range in.Keys {
			delete(after, k)
		}
		return after, nil
	})
	if err != nil {
		return err
	}
	return wire.JSON(q.w, http.StatusOK, struct{}{})
}

func listTags(q *request) error {
	same := func(before map[string]string) (map[string]string, error) { return before, nil }
	tags, err := q.onTags(q.r.URL.Query().Get("resourceArn"), nil, same)
	if err != nil {
		return err
	}
	list := []tag{}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, tag{k, tags[k]})
	}
	return wire.JSON(q.w, http.StatusOK, map[string]any{"tags": list})
}
