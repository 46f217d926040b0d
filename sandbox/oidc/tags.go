package oidc

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"
)

// The claims by which an issuer speaks to AWS.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
const (
	tagsClaim       = "https://aws.amazon.com/tags"
	flatTags        = tagsClaim + "/principal_tags/"
	flatTransitive  = tagsClaim + "/transitive_tag_keys"
	sourceClaim     = "https://aws.amazon.com/source_identity"
	rolesClaim      = "https://aws.amazon.com/roles"
	maxTags         = 50
	misshapenTags   = "principal_tags passed in claim is not in correct format."
	misshapenRoles  = "The roles claim is not in a supported format"
	withoutRoleARNs = "The roles claim contains no valid role ARNs"
)

var (
	tagText        = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
	sourceIdentity = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	roleARN        = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+$`)
)

func (t *Token) sourceIdentity(id *Identity) error {
	raw, ok := t.claims[sourceClaim]
	if ok && (!isText(raw, &id.SourceIdentity) || !sourceIdentity.MatchString(id.SourceIdentity)) {
		return invalid("token-source-identity", unvalidated, "the claim %s is %s", sourceClaim, short(string(raw)))
	}
	return nil
}

// tags reads the session tags in both forms that AWS takes: nested, with a list
// of one text each, and flat, with a text each.
func (t *Token) tags(id *Identity) error {
	transitive, haveTransitive := t.claims[flatTransitive]
	if raw, ok := t.claims[tagsClaim]; ok {
		var nested map[string]json.RawMessage
		if err := json.Unmarshal(raw, &nested); err != nil || nested == nil {
			return invalid("token-tags", misshapenTags, "the claim %s is no object", tagsClaim)
		}
		if err := nestedTags(id, nested["principal_tags"]); err != nil {
			return err
		}
		if inner, ok := nested["transitive_tag_keys"]; ok {
			if haveTransitive {
				return invalid("token-transitive-tags", unvalidated, "transitive_tag_keys stands in the token nested and flat")
			}
			transitive, haveTransitive = inner, true
		}
	}
	for name, raw := range t.claims {
		key, ok := strings.CutPrefix(name, flatTags)
		if !ok {
			continue
		}
		var value string
		if !isText(raw, &value) {
			return invalid("token-tags", misshapenTags, "the claim %s is no text", short(name))
		}
		if err := id.addTag(key, value); err != nil {
			return err
		}
	}
	if len(id.Tags) > maxTags {
		return invalid("token-tags", unvalidated, "the token has %d session tags, a session has %d at most", len(id.Tags), maxTags)
	}
	if !haveTransitive {
		return nil
	}
	return id.addTransitive(transitive)
}

func nestedTags(id *Identity, raw json.RawMessage) error {
	if raw == nil {
		return nil
	}
	var tags map[string]json.RawMessage
	if err := json.Unmarshal(raw, &tags); err != nil || tags == nil {
		return invalid("token-tags", misshapenTags, "principal_tags is no object")
	}
	for key, value := range tags {
		one, ok := texts(value)
		if !ok || value[0] != '[' || len(one) != 1 {
			return invalid("token-tags", misshapenTags, "the tag %q is no list of one text", short(key))
		}
		if err := id.addTag(key, one[0]); err != nil {
			return err
		}
	}
	return nil
}

// addTag holds a tag to the limits of all session tags.
func (id *Identity) addTag(key, value string) error {
	n := utf8.RuneCountInString(key)
	switch {
	case n < 1 || n > 128 || utf8.RuneCountInString(value) > 256:
		return invalid("token-tags", unvalidated, "the tag %q has a key of more than 128 characters or none, or a value of more than 256", short(key))
	case !tagText.MatchString(key) || !tagText.MatchString(value) || strings.HasPrefix(strings.ToLower(key), "aws:"):
		return invalid("token-tags", unvalidated, "the tag %q begins with aws: or has characters that tags cannot have", short(key))
	case id.tagKey(key) != "":
		return invalid("token-tags", unvalidated, "the tag %q stands twice; case does not count", short(key))
	}
	if id.Tags == nil {
		id.Tags = map[string]string{}
	}
	id.Tags[key] = value
	return nil
}

// tagKey finds a tag's key as it is written, whatever the case.
func (id *Identity) tagKey(key string) string {
	for k := range id.Tags {
		if strings.EqualFold(k, key) {
			return k
		}
	}
	return ""
}

// addTransitive notes which tags go on along a chain. That STS wants them to
// name tags of the token is unchecked.
func (id *Identity) addTransitive(raw json.RawMessage) error {
	keys, ok := texts(raw)
	if !ok || raw[0] != '[' || len(keys) > maxTags {
		return invalid("token-transitive-tags", unvalidated, "transitive_tag_keys is no list of at most %d texts", maxTags)
	}
	for _, key := range keys {
		own := id.tagKey(key)
		if own == "" {
			return invalid("token-transitive-tags", unvalidated, "transitive_tag_keys names %q, which is no tag of the token", short(key))
		}
		id.TransitiveTags = append(id.TransitiveTags, own)
	}
	return nil
}

// roles reads for which roles alone the token may be used: a text in which ;
// separates them, or a list, in which STS passes over what is no text. null
// counts as nothing said.
func (t *Token) roles(id *Identity) error {
	raw, ok := t.claims[rolesClaim]
	if !ok || string(raw) == "null" {
		return nil
	}
	var candidates []string
	var text string
	var items []json.RawMessage
	switch {
	case isText(raw, &text):
		candidates = strings.Split(text, ";")
	case json.Unmarshal(raw, &items) == nil:
		for _, item := range items {
			if isText(item, &text) {
				candidates = append(candidates, text)
			}
		}
	default:
		return invalid("token-roles-format", misshapenRoles, "the claim %s is neither text nor list", rolesClaim)
	}
	for _, c := range candidates {
		if c = strings.TrimSpace(c); roleARN.MatchString(c) {
			id.roles = append(id.roles, c)
		}
	}
	id.limited = true
	if len(id.roles) == 0 {
		return invalid("token-roles-none", withoutRoleARNs, "the claim %s is %s", rolesClaim, short(string(raw)))
	}
	return nil
}
