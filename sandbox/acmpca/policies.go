package acmpca

import (
	"maps"
	"slices"
	"strings"

	"daypass.dev/policy"
	"daypass.dev/sandbox/world"
)

type resource struct {
	ResourceArn string
	Policy      string
}

func putPolicy(q *request) (any, error) {
	var in resource
	if err := q.read(&in); err != nil {
		return nil, err
	}
	if err := q.enter(in.ResourceArn); err != nil {
		return nil, err
	}
	doc, err := policy.Parse(policy.Resource, in.Policy)
	if err != nil {
		return nil, faultf("pca-policy", "%v", err)
	}
	return nil, q.change(in.ResourceArn, func(_ *world.Account, ca *world.PrivateCA) error {
		bound, err := doc.Bind(q.World.UniqueID)
		if err != nil {
			return faultf("pca-policy", "%v", err)
		}
		ca.Policy = bound
		return nil
	})
}

func getPolicy(q *request) (any, error) {
	var in resource
	if err := q.read(&in); err != nil {
		return nil, err
	}
	if err := q.enter(in.ResourceArn); err != nil {
		return nil, err
	}
	var text string
	err := q.view(in.ResourceArn, func(_ *world.Account, ca *world.PrivateCA) error {
		if ca.Policy == nil {
			return faultf("pca-policy-missing", "%s has none", ca.ARN)
		}
		text = ca.Policy.Text
		return nil
	})
	return map[string]string{"Policy": text}, err
}

func deletePolicy(q *request) (any, error) {
	var in resource
	if err := q.read(&in); err != nil {
		return nil, err
	}
	if err := q.enter(in.ResourceArn); err != nil {
		return nil, err
	}
	return nil, q.change(in.ResourceArn, func(_ *world.Account, ca *world.PrivateCA) error {
		ca.Policy = nil
		return nil
	})
}

// maxTags is how many a CA has at most (API reference).
const maxTags = 50

type tag struct{ Key, Value string }

type tagging struct {
	named
	Tags []tag
}

func tagContext(tags []tag) policy.Context {
	return world.TagContext(tags, func(t tag) (key, value string) { return t.Key, t.Value })
}

func withTags(before map[string]string, more []tag) (map[string]string, error) {
	all := map[string]string{}
	maps.Copy(all, before)
	for _, t := range more {
		if len(t.Key) < 1 || len(t.Key) > 128 || len(t.Value) > 256 || strings.HasPrefix(t.Key, "aws:") {
			return nil, faultf("pca-parameter", "the tag %q", t.Key)
		}
		all[t.Key] = t.Value
	}
	if len(all) > maxTags {
		return nil, faultf("pca-parameter", "there would be %d tags, more than %d", len(all), maxTags)
	}
	return all, nil
}

func tagCA(q *request) (any, error) {
	return retag(q, func(before map[string]string, given []tag) (map[string]string, error) { return withTags(before, given) })
}

func untagCA(q *request) (any, error) {
	return retag(q, func(before map[string]string, given []tag) (map[string]string, error) {
		after := maps.Clone(before)
		for _, t := range given {
			delete(after, t.Key)
		}
		return after, nil
	})
}

func retag(q *request, change func(before map[string]string, given []tag) (map[string]string, error)) (any, error) {
	var in tagging
	if err := q.read(&in); err != nil {
		return nil, err
	}
	if err := q.allowed(in.CertificateAuthorityArn, tagContext(in.Tags)); err != nil {
		return nil, err
	}
	return nil, q.change(in.CertificateAuthorityArn, func(_ *world.Account, ca *world.PrivateCA) error {
		after, err := change(ca.Tags, in.Tags)
		if err == nil {
			ca.Tags = after
		}
		return err
	})
}

func listTags(q *request) (any, error) {
	var in named
	if err := q.read(&in); err != nil {
		return nil, err
	}
	if err := q.enter(in.CertificateAuthorityArn); err != nil {
		return nil, err
	}
	tags := []tag{}
	err := q.view(in.CertificateAuthorityArn, func(_ *world.Account, ca *world.PrivateCA) error {
		for _, k := range slices.Sorted(maps.Keys(ca.Tags)) {
			tags = append(tags, tag{k, ca.Tags[k]})
		}
		return nil
	})
	return map[string]any{"Tags": tags}, err
}
