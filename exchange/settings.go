package exchange

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// prepare checks the settings and makes of them the call that they mean.
func (r *RolesAnywhere) prepare() (*call, error) {
	if r.Key == nil {
		return nil, input("certificate", "", "none is given")
	}
	role, err := parseARN("role ARN", r.RoleARN, "iam", "role")
	if err != nil {
		return nil, err
	}
	anchor, err := parseARN("trust anchor ARN", r.TrustAnchorARN, "rolesanywhere", "trust-anchor")
	if err != nil {
		return nil, err
	}
	profile, err := parseARN("profile ARN", r.ProfileARN, "rolesanywhere", "profile")
	if err != nil {
		return nil, err
	}
	region, fips := plainRegion(r.Region)
	switch {
	case profile.region != anchor.region:
		return nil, input("profile ARN", "make a profile in the trust anchor's region, or an anchor in the profile's [profile-elsewhere]",
			"it is of region %s, the trust anchor of %s", profile.region, anchor.region)
	case profile.partition != anchor.partition:
		return nil, input("profile ARN", "", "it is of partition %s, the trust anchor of %s", profile.partition, anchor.partition)
	case role.partition != anchor.partition:
		return nil, input("role ARN", "", "it is of partition %s, the trust anchor of %s", role.partition, anchor.partition)
	case region != "" && region != anchor.region:
		return nil, input("region", "leave it out: the trust anchor's region is the only one that can answer",
			"it is %q, the trust anchor's is %s", region, anchor.region)
	}
	base, err := place{
		service: "rolesanywhere", region: anchor.region, partition: anchor.partition,
		fips: r.FIPS || fips, dualStack: r.DualStack, given: r.Endpoint,
	}.url()
	if err != nil {
		return nil, err
	}
	name := r.SessionName
	named := name == "" && r.DefaultSessionName != "" && !r.nameless.Load()
	if named {
		name = r.DefaultSessionName
	}
	body, err := r.body(name)
	if err != nil {
		return nil, err
	}
	client := http.DefaultClient
	if r.Client != nil {
		client = r.Client
	}
	query := url.Values{"roleArn": {r.RoleARN}, "trustAnchorArn": {r.TrustAnchorARN}, "profileArn": {r.ProfileARN}}
	return &call{
		url: base + sessionsPath + "?" + query.Encode(), region: anchor.region, body: body,
		role: role, client: withoutRedirects(client), named: named,
	}, nil
}

const sessionsPath = "/sessions"

// Limits of CreateSession; of the session's name those of STS AssumeRole.
const (
	minDuration   = 15 * time.Minute
	maxDuration   = 12 * time.Hour
	maxProperties = 50
	maxProperty   = 200
)

// checkSession says whether AWS takes these for a session; zeros it does.
func checkSession(duration time.Duration, name string) error {
	switch {
	case duration != 0 && (duration < minDuration || duration > maxDuration):
		return input("session duration", "", "%s is not between 15 minutes and 12 hours (900 to 43200 seconds)", duration)
	case duration%time.Second != 0:
		return input("session duration", "", "%s is not whole seconds", duration)
	case name != "" && !spelled(name, 2, 64, letters+digits+"_+=,.@-"):
		return input("role session name", "use 2 to 64 of A-Z a-z 0-9 _ + = , . @ -", "%q is not a session name", name)
	}
	return nil
}

// body is the request's JSON.
func (r *RolesAnywhere) body(name string) ([]byte, error) {
	if err := checkSession(r.Duration, name); err != nil {
		return nil, err
	}
	if n := len(r.InstanceProperties); n > maxProperties {
		return nil, input("instance properties", "", "%d are more than %d", n, maxProperties)
	}
	for name, value := range r.InstanceProperties {
		if !fits(name) || !fits(value) {
			return nil, input("instance properties", "", "name and value of %.40q are not both 1 to %d characters", name, maxProperty)
		}
	}
	return json.Marshal(struct {
		Duration    int64             `json:"durationSeconds,omitempty"`
		Properties  map[string]string `json:"instanceProperties,omitempty"`
		SessionName string            `json:"roleSessionName,omitempty"`
	}{int64(r.Duration / time.Second), r.InstanceProperties, name})
}

func fits(s string) bool {
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= maxProperty
}

// An arn is an Amazon Resource Name taken apart.
type arn struct{ text, partition, region, account, resource string }

func parseARN(setting, text, service, kind string) (arn, error) {
	form := "it looks like arn:aws:" + service + ":REGION:ACCOUNT:" + kind + "/ID"
	if service == "iam" {
		form = "it looks like arn:aws:iam::ACCOUNT:role/NAME"
	}
	if text == "" {
		return arn{}, input(setting, form, "none is given")
	}
	parts := strings.SplitN(text, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return arn{}, input(setting, form, "%.100q is not an ARN", text)
	}
	got, name, _ := strings.Cut(parts[5], "/")
	if parts[2] != service || got != kind {
		return arn{}, input(setting, form, "it names a %.40q of service %.40q, not a %s", got, parts[2], kind)
	}
	a := arn{text: text, partition: parts[1], region: parts[3], account: parts[4], resource: name}
	regional := service != "iam"
	switch {
	case !isPartition(a.partition):
		return arn{}, input(setting, form, "%.40q is no partition", a.partition)
	case regional && !isRegion(a.region), !regional && a.region != "":
		return arn{}, input(setting, form, "%.40q is no region for it", a.region)
	case !spelled(a.account, 12, 12, digits):
		return arn{}, input(setting, form, "%.40q is no account id of 12 digits", a.account)
	// A role's path may hold any visible ASCII; the ids of anchors and profiles
	// are UUIDs, which is not insisted on.
	case !visible(a.resource, 576):
		return arn{}, input(setting, form, "%.40q is no name of a %s", a.resource, kind)
	}
	return a, nil
}
