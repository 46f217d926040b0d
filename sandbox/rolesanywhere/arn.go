package rolesanywhere

import (
	"strings"

	"daypass.dev/sandbox/world"
)

// An arn is an ARN of the form arn:PARTITION:SERVICE:REGION:ACCOUNT:KIND/ID.
type arn struct {
	text                     string
	service, region, account string
	kind, id                 string
}

func parseARN(text string) (arn, bool) {
	p := strings.SplitN(text, ":", 6)
	if len(p) != 6 || p[0] != "arn" || !strings.HasPrefix(p[1], "aws") || len(p[4]) != 12 || strings.Trim(p[4], "0123456789") != "" {
		return arn{}, false
	}
	kind, id, ok := strings.Cut(p[5], "/")
	if !ok || id == "" {
		return arn{}, false
	}
	return arn{text: text, service: p[2], region: p[3], account: p[4], kind: kind, id: id}, true
}

// newARN names a thing of Roles Anywhere.
func newARN(region, account, kind, id string) string {
	return "arn:" + world.PartitionOf(region) + ":rolesanywhere:" + region + ":" + account + ":" + kind + "/" + id
}
