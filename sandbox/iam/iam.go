// Package iam is the sandbox's Identity and Access Management: roles, users
// with access keys, managed and inline policies, permissions boundaries, OpenID
// Connect providers, tags, and the policy simulator. Every operation is
// authorized under its own action on the ARN of what it touches, path included,
// before it looks whether that exists. Everything else answers NotImplemented.
package iam

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// Namespace is the xmlns of the service's answers.
const Namespace = "https://iam.amazonaws.com/doc/2010-05-08/"

// Service answers the calls of iam.
type Service struct{}

// A request is one call with its parameters.
type request struct {
	*world.Call
	wire.Form
	http *http.Request
}

// operations are all that are built. A result of nil is an answer without one.
var operations = map[string]func(*request) (any, error){
	"CreateRole":             createRole,
	"GetRole":                getRole,
	"ListRoles":              listRoles,
	"UpdateRole":             updateRole,
	"DeleteRole":             deleteRole,
	"UpdateAssumeRolePolicy": updateTrust,
	"TagRole":                tagRole,
	"UntagRole":              untagRole,
	"ListRoleTags":           listRoleTags,

	"PutRolePolicy":                 roles.putInline,
	"GetRolePolicy":                 roles.getInline,
	"DeleteRolePolicy":              roles.deleteInline,
	"ListRolePolicies":              roles.listInline,
	"AttachRolePolicy":              roles.attach,
	"DetachRolePolicy":              roles.detach,
	"ListAttachedRolePolicies":      roles.listAttached,
	"PutRolePermissionsBoundary":    roles.putBoundary,
	"DeleteRolePermissionsBoundary": roles.deleteBoundary,

	"PutUserPolicy":                 users.putInline,
	"GetUserPolicy":                 users.getInline,
	"DeleteUserPolicy":              users.deleteInline,
	"ListUserPolicies":              users.listInline,
	"AttachUserPolicy":              users.attach,
	"DetachUserPolicy":              users.detach,
	"ListAttachedUserPolicies":      users.listAttached,
	"PutUserPermissionsBoundary":    users.putBoundary,
	"DeleteUserPermissionsBoundary": users.deleteBoundary,

	"CreateUser": createUser,
	"GetUser":    getUser,
	"ListUsers":  listUsers,
	"DeleteUser": deleteUser,

	"CreateAccessKey": createKey,
	"ListAccessKeys":  listKeys,
	"UpdateAccessKey": updateKey,
	"DeleteAccessKey": deleteKey,

	"CreatePolicy":            createPolicy,
	"GetPolicy":               getPolicy,
	"ListPolicies":            listPolicies,
	"DeletePolicy":            deletePolicy,
	"CreatePolicyVersion":     createVersion,
	"GetPolicyVersion":        getVersion,
	"ListPolicyVersions":      listVersions,
	"SetDefaultPolicyVersion": setDefaultVersion,
	"DeletePolicyVersion":     deleteVersion,

	"SimulateCustomPolicy":    simulateCustom,
	"SimulatePrincipalPolicy": simulatePrincipal,

	"CreateOpenIDConnectProvider":             createOIDCProvider,
	"GetOpenIDConnectProvider":                getOIDCProvider,
	"ListOpenIDConnectProviders":              listOIDCProviders,
	"DeleteOpenIDConnectProvider":             deleteOIDCProvider,
	"UpdateOpenIDConnectProviderThumbprint":   updateThumbprints,
	"AddClientIDToOpenIDConnectProvider":      addClientID,
	"RemoveClientIDFromOpenIDConnectProvider": removeClientID,
	"TagOpenIDConnectProvider":                tagOIDCProvider,
	"UntagOpenIDConnectProvider":              untagOIDCProvider,
	"ListOpenIDConnectProviderTags":           listOIDCProviderTags,
}

// Serve answers one call.
func (Service) Serve(c *world.Call, w http.ResponseWriter, r *http.Request, body []byte) error {
	form, err := wire.ParseForm(r, body)
	if err != nil {
		return err
	}
	run, ok := operations[c.Decision.Operation]
	if !ok {
		return c.NotBuilt()
	}
	result, err := run(&request{c, form, r})
	if err != nil {
		return err
	}
	return wire.Query(w, c, Namespace, result)
}

// allow authorizes the call's own action.
func (q *request) allow(resource string, ctx policy.Context) error {
	return q.Authorize(world.Access{Action: "iam:" + q.Decision.Operation, Resource: resource, Context: ctx})
}

// allowNew authorizes the making of a thing, and the tagging of it if ctx says
// that it comes with tags: to CreateRole belongs iam:TagRole.
func (q *request) allowNew(resource string, ctx policy.Context) error {
	if err := q.allow(resource, ctx); err != nil {
		return err
	}
	return q.AuthorizeTags("iam:Tag"+strings.TrimPrefix(q.Decision.Operation, "Create"), resource, ctx)
}

// account is the caller's. The lock must be held.
func (q *request) account() *world.Account { return q.World.Account(q.Caller.Account) }

// arn makes the ARN of a thing of the caller's account.
func (q *request) arn(kind, path, name string) string {
	return "arn:" + world.PartitionOf(q.Region) + ":iam::" + q.Caller.Account + ":" + kind + path + name
}

// document parses a policy that the call brings.
func (q *request) document(kind policy.Kind, parameter string) (*policy.Document, error) {
	text := q.Get(parameter)
	var v wire.Validation
	field := strings.ToLower(parameter[:1]) + parameter[1:]
	v.Required(field, text)
	v.Length(field, text, 1, 131072)
	if err := v.Err(); err != nil {
		return nil, err
	}
	doc, err := policy.Parse(kind, text)
	if err != nil {
		return nil, world.PolicyRefusal(err)
	}
	return doc, nil
}

// encoded is how IAM sends policies: percent-encoded as in RFC 3986.
func encoded(doc *policy.Document) string {
	return strings.ReplaceAll(url.QueryEscape(doc.Text), "+", "%20")
}

// A page is a part of a list.
type page struct {
	IsTruncated bool
	Marker      string `xml:",omitempty"`
}

// paged cuts a sorted list to what Marker and MaxItems ask for.
func paged[T any](q *request, all []T) ([]T, page, error) {
	max, given, err := q.Int("MaxItems")
	if err != nil {
		return nil, page{}, err
	}
	if !given {
		max = 100
	}
	var v wire.Validation
	v.Range("maxItems", max, 1, 1000)
	if err := v.Err(); err != nil {
		return nil, page{}, err
	}
	from := 0
	if m := q.Get("Marker"); m != "" {
		if from, err = strconv.Atoi(m); err != nil || from < 1 || from > len(all) {
			return nil, page{}, wire.Invalid("Invalid Marker.")
		}
	}
	end := min(from+max, len(all))
	var p page
	if end < len(all) {
		p = page{IsTruncated: true, Marker: strconv.Itoa(end)}
	}
	return slices.Clone(all[from:end]), p, nil
}

func values(v string) policy.Values { return policy.Values{List: []string{v}} }
