package pki

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMapped(t *testing.T) {
	whole := Session{
		Name: "2a", SourceIdentity: "CN=web",
		Tags: []Tag{
			{"x509Subject/CN", "web"}, {"x509Subject/OU", "shop"}, {"x509Issuer/CN", "ca"},
			{"x509SAN/DNS", "a.example.org"}, {"x509SAN/URI", "spiffe://a"}, {"x509SAN/Name/CN", "dir"},
		},
		Dropped: []Tag{{"x509Subject/O", "R&D"}, {"x509SAN/Name/O", "A&B"}},
	}
	for _, row := range []struct {
		name     string
		mappings map[string][]string
		tags     []Tag
		dropped  []Tag
	}{
		{"none is the default", nil, whole.Tags, whole.Dropped},
		{"empty maps nothing", map[string][]string{}, nil, nil},
		{"the default written out", map[string][]string{"x509Issuer": {"*"}, "x509SAN": {"DNS", "URI", "Name/*"}, "x509Subject": {"*"}}, whole.Tags, whole.Dropped},
		{"one attribute", map[string][]string{"x509Subject": {"OU"}}, []Tag{{"x509Subject/OU", "shop"}}, nil},
		{"a field without specifiers", map[string][]string{"x509Subject": {}, "x509Issuer": {"CN"}}, []Tag{{"x509Issuer/CN", "ca"}}, nil},
		{"a star means nothing for alternative names", map[string][]string{"x509SAN": {"*"}}, nil, nil},
		{"directory names", map[string][]string{"x509SAN": {"Name/*"}}, []Tag{{"x509SAN/Name/CN", "dir"}}, []Tag{{"x509SAN/Name/O", "A&B"}}},
		{"directory names, short", map[string][]string{"x509SAN": {"Name"}}, []Tag{{"x509SAN/Name/CN", "dir"}}, []Tag{{"x509SAN/Name/O", "A&B"}}},
		{"one of a directory name", map[string][]string{"x509SAN": {"Name/CN", "URI"}}, []Tag{{"x509SAN/URI", "spiffe://a"}, {"x509SAN/Name/CN", "dir"}}, nil},
		{"a tag that STS does not take", map[string][]string{"x509Subject": {"O"}}, nil, []Tag{{"x509Subject/O", "R&D"}}},
	} {
		want := Session{Name: "2a", SourceIdentity: "CN=web", Tags: row.tags, Dropped: row.dropped}
		if diff := cmp.Diff(want, whole.Mapped(row.mappings)); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
}
