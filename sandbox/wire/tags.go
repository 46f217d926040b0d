package wire

import (
	"regexp"
	"strconv"
	"strings"
)

var tagText = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

const (
	tagPattern = `[\p{L}\p{Z}\p{N}_.:/=+\-@]`
	maxTags    = 50
)

// Tags reads tags, members with Key and Value, holds them to the limits that
// iam and sts share (50 tags, keys of 1 to 128 characters, values of 0 to 256),
// and says whether a key stands twice, whatever its case. Nil if there are
// none.
func (v *Validation) Tags(members []Form) (tags map[string]string, duplicate bool) {
	if len(members) > maxTags {
		v.addf("Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to %d", maxTags)
	}
	seen := map[string]bool{}
	for i, m := range members {
		key, value := m.Get("Key"), m.Get("Value")
		v.TagKey("tags."+strconv.Itoa(i+1)+".member.key", key)
		at := "tags." + strconv.Itoa(i+1) + ".member.value"
		v.Length(at, value, 0, 256)
		v.Pattern(at, value, tagText, tagPattern+"*")
		duplicate = duplicate || seen[strings.ToLower(key)]
		seen[strings.ToLower(key)] = true
		if tags == nil {
			tags = map[string]string{}
		}
		tags[key] = value
	}
	return tags, duplicate
}

// TagKey holds one tag's key to the same limits.
func (v *Validation) TagKey(field, key string) {
	v.Required(field, key)
	v.Length(field, key, 1, 128)
	v.Pattern(field, key, tagText, tagPattern+"+")
	if strings.HasPrefix(strings.ToLower(key), "aws:") {
		v.add(field, key, "Member must not begin with the reserved prefix aws:")
	}
}
