package rolesanywhere

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"daypass.dev/policy"
	"daypass.dev/sandbox/world"
)

// An operation is one call of the control plane: method and path as in the API
// reference, "*" for an id, and what it does. A nil run is not built.
type operation struct {
	name, method, path string
	run                func(*request) error
}

func operations() []operation {
	return []operation{
		{"CreateTrustAnchor", "POST", "/trustanchors", createAnchor},
		{"ListTrustAnchors", "GET", "/trustanchors", listAnchors},
		{"GetTrustAnchor", "GET", "/trustanchor/*", getAnchor},
		{"UpdateTrustAnchor", "PATCH", "/trustanchor/*", updateAnchor},
		{"DeleteTrustAnchor", "DELETE", "/trustanchor/*", deleteAnchor},
		{"EnableTrustAnchor", "POST", "/trustanchor/*/enable", switchAnchor(true)},
		{"DisableTrustAnchor", "POST", "/trustanchor/*/disable", switchAnchor(false)},
		{"CreateProfile", "POST", "/profiles", createProfile},
		{"ListProfiles", "GET", "/profiles", listProfiles},
		{"GetProfile", "GET", "/profile/*", getProfile},
		{"UpdateProfile", "PATCH", "/profile/*", updateProfile},
		{"DeleteProfile", "DELETE", "/profile/*", deleteProfile},
		{"EnableProfile", "POST", "/profile/*/enable", switchProfile(true)},
		{"DisableProfile", "POST", "/profile/*/disable", switchProfile(false)},
		{"PutAttributeMapping", "PUT", "/profiles/*/mappings", putMapping},
		{"DeleteAttributeMapping", "DELETE", "/profiles/*/mappings", deleteMapping},
		{"ImportCrl", "POST", "/crls", importCRL},
		{"ListCrls", "GET", "/crls", listCRLs},
		{"GetCrl", "GET", "/crl/*", getCRL},
		{"UpdateCrl", "PATCH", "/crl/*", updateCRL},
		{"DeleteCrl", "DELETE", "/crl/*", deleteCRL},
		{"EnableCrl", "POST", "/crl/*/enable", switchCRL(true)},
		{"DisableCrl", "POST", "/crl/*/disable", switchCRL(false)},
		{"ListSubjects", "GET", "/subjects", listSubjects},
		{"GetSubject", "GET", "/subject/*", getSubject},
		{"TagResource", "POST", "/TagResource", tagResource},
		{"UntagResource", "POST", "/UntagResource", untagResource},
		{"ListTagsForResource", "GET", "/ListTagsForResource", listTags},
		{"PutNotificationSettings", "PATCH", "/put-notifications-settings", putNotifications},
		{"ResetNotificationSettings", "PATCH", "/reset-notifications-settings", resetNotifications},
	}
}

// route finds the operation and the id in the path.
func route(r *http.Request) (operation, string) {
	path := strings.Split(r.URL.Path, "/")
	for _, op := range operations() {
		pattern := strings.Split(op.path, "/")
		if op.method != r.Method || len(pattern) != len(path) {
			continue
		}
		id, matches := "", true
		for i := range pattern {
			if pattern[i] == "*" {
				id = path[i]
			} else if pattern[i] != path[i] {
				matches = false
			}
		}
		if matches {
			return op, id
		}
	}
	return operation{}, ""
}

// A request is one call of the control plane.
type request struct {
	*world.Call
	w    http.ResponseWriter
	r    *http.Request
	body []byte
	op   string
	id   string
}

func control(c *world.Call, w http.ResponseWriter, r *http.Request, body []byte) error {
	op, id := route(r)
	if op.run == nil {
		return c.NotBuilt()
	}
	err := op.run(&request{Call: c, w: w, r: r, body: body, op: op.name, id: id})
	var f *fault
	if errors.As(err, &f) {
		return f.refusal()
	}
	return err
}

// Error lets the control plane's functions return faults among other errors.
func (f *fault) Error() string { return f.slug + ": " + f.detail }

// account is the caller's, in which everything lies that it can reach here. It
// must be called with the world locked; nil if the account is gone.
func (q *request) account() *world.Account { return q.World.Account(q.Caller.Account) }

// arnOf names one of the caller's own things in this region.
func (q *request) arnOf(kind, id string) string {
	return newARN(q.Region, q.Caller.Account, kind, id)
}

// allowed asks whether the caller may do the operation to a resource with
// these tags. Lists are asked for as KIND/*, and what is to be made by its
// future ARN: so a policy on KIND/* allows both, as AWS's own example does.
func (q *request) allowed(resource string, tags map[string]string, more policy.Context) error {
	ctx := policy.Context{}
	for k, v := range tags {
		ctx["aws:ResourceTag/"+k] = policy.Values{List: []string{v}}
	}
	for k, v := range more {
		ctx[k] = v
	}
	return q.Authorize(world.Access{Action: signingName + ":" + q.op, Resource: resource, Context: ctx})
}

// allowedNew asks whether the caller may make a resource, with these tags.
func (q *request) allowedNew(arn string, tags []tag) error {
	carried := tagContext(tags)
	if err := q.allowed(arn, nil, carried); err != nil {
		return err
	}
	return q.AuthorizeTags(signingName+":TagResource", arn, carried)
}

// read decodes the body; a member that is not known is ignored.
func (q *request) read(into any) error {
	members, err := object(q.body)
	if err != nil {
		return faultf("anywhere-body", "%v", err)
	}
	if members == nil {
		return nil
	}
	if err := json.Unmarshal(q.body, into); err != nil {
		return faultf("anywhere-body", "%v", err)
	}
	return nil
}

// checkID holds the id in the path against the model's pattern.
func (q *request) checkID() error {
	groups := strings.Split(q.id, "-")
	sizes := []int{8, 4, 4, 4, 12}
	if len(groups) != len(sizes) {
		return faultf("anywhere-parameter", "the id is %q", q.id)
	}
	for i, g := range groups {
		if len(g) != sizes[i] || strings.Trim(g, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
			return faultf("anywhere-parameter", "the id is %q", q.id)
		}
	}
	return nil
}

func missing(arn string) error { return faultf("anywhere-missing", "there is no %s", arn) }

// checkName holds a name against [ a-zA-Z0-9-_]{1,255}.
func checkName(name string) error {
	for _, r := range name {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" -_", r)) {
			return faultf("anywhere-parameter", "name is %q", name)
		}
	}
	if len(name) < 1 || len(name) > 255 {
		return faultf("anywhere-parameter", "name has %d characters", len(name))
	}
	return nil
}
