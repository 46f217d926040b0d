// Package eks is the part of EKS's control plane in the sandbox that Pod
// Identity needs: clusters, of which nothing runs, and their associations. A
// cluster's issuer, which EKS makes up, is here what its tag
// sandbox.daypass.dev/issuer says.
//
// Comments say "unchecked" where AWS's text is silent and nobody has reported
// what AWS does.
package eks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"daypass.dev/policy"
	"daypass.dev/sandbox/world"
)

// issuerTag is the tag of CreateCluster that names the issuer of a cluster's
// tokens. No AWS has it.
const issuerTag = "sandbox.daypass.dev/issuer"

// An endpoint is one call: method and path, with * for a name or id.
type endpoint struct {
	name, method, path string
	run                func(*request) error
}

func endpoints() []endpoint {
	return []endpoint{
		{"CreateCluster", "POST", "/clusters", createCluster},
		{"ListClusters", "GET", "/clusters", listClusters},
		{"DescribeCluster", "GET", "/clusters/*", describeCluster},
		{"DeleteCluster", "DELETE", "/clusters/*", deleteCluster},
		{"CreatePodIdentityAssociation", "POST", "/clusters/*/pod-identity-associations", create},
		{"ListPodIdentityAssociations", "GET", "/clusters/*/pod-identity-associations", list},
		{"DescribePodIdentityAssociation", "GET", "/clusters/*/pod-identity-associations/*", describe},
		{"UpdatePodIdentityAssociation", "POST", "/clusters/*/pod-identity-associations/*", update},
		{"DeletePodIdentityAssociation", "DELETE", "/clusters/*/pod-identity-associations/*", remove},
	}
}

// route finds the call and the names in the path.
func route(r *http.Request) (endpoint, []string) {
	path := strings.Split(r.URL.EscapedPath(), "/")
	for _, e := range endpoints() {
		if names, ok := fits(strings.Split(e.path, "/"), path); ok && e.method == r.Method {
			return e, names
		}
	}
	return endpoint{}, nil
}

// fits returns what stands in the place of each *.
func fits(pattern, path []string) (names []string, ok bool) {
	if len(pattern) != len(path) {
		return nil, false
	}
	for i, part := range pattern {
		if part != "*" {
			if part != path[i] {
				return nil, false
			}
			continue
		}
		name, err := url.PathUnescape(path[i])
		if err != nil || name == "" {
			return nil, false
		}
		names = append(names, name)
	}
	return names, true
}

// Service answers EKS's calls; its zero value is ready.
type Service struct{}

var _ world.Operator = Service{}

// Operation names the call.
func (Service) Operation(r *http.Request) string {
	if e, _ := route(r); e.name != "" {
		return e.name
	}
	return r.Method + " " + r.URL.Path
}

// A request is one call. id is the association's, where the path has one.
type request struct {
	*world.Call
	w           http.ResponseWriter
	r           *http.Request
	body        []byte
	cluster, id string
}

// Serve answers one call. An error is a *world.Refusal.
func (Service) Serve(c *world.Call, w http.ResponseWriter, r *http.Request, body []byte) error {
	e, names := route(r)
	if e.run == nil {
		return c.NotBuilt()
	}
	q := &request{Call: c, w: w, r: r, body: body}
	if len(names) > 0 {
		q.cluster = names[0]
	}
	if len(names) > 1 {
		q.id = names[1]
	}
	return e.run(q)
}

// read decodes the body; a member that is not known is ignored.
func (q *request) read(into any) error {
	if len(q.body) == 0 {
		return nil
	}
	if err := json.Unmarshal(q.body, into); err != nil {
		return parameter("The request's body cannot be read.", "%v", err)
	}
	return nil
}

// allowed asks whether the caller may do the operation to a cluster, or to an
// association of it, which is another resource.
func (q *request) allowed(resource string, more policy.Context) error {
	return q.Authorize(world.Access{Action: "eks:" + q.Decision.Operation, Resource: resource, Context: more})
}

// tagAction is asked for where a cluster or an association is made with tags.
const tagAction = "eks:TagResource"

func (q *request) clusterARN(name string) string {
	return fmt.Sprintf("arn:%s:eks:%s:%s:cluster/%s", world.PartitionOf(q.Region), q.Region, q.Caller.Account, name)
}

func (q *request) associationARN(id string) string {
	return fmt.Sprintf("arn:%s:eks:%s:%s:podidentityassociation/%s/%s", world.PartitionOf(q.Region), q.Region, q.Caller.Account, q.cluster, id)
}

// within runs change on the cluster under the world's lock.
func (q *request) within(change func(*world.Cluster) error) error {
	q.World.Lock()
	defer q.World.Unlock()
	c := q.World.Cluster(q.Caller.Account, q.Region, q.cluster)
	if c == nil {
		return noCluster(q.cluster)
	}
	return change(c)
}

// kept marks the cluster as changed.
func (q *request) kept() {
	q.Changed(world.Thing{Kind: "cluster", Account: q.Caller.Account, Name: q.cluster})
}

func parameter(message, format string, args ...any) *world.Refusal {
	return &world.Refusal{
		Slug: "eks-parameter", Code: "InvalidParameterException", Status: http.StatusBadRequest,
		Message: message, Detail: fmt.Sprintf(format, args...),
	}
}

func noCluster(name string) *world.Refusal {
	return &world.Refusal{
		Slug: "eks-cluster-missing", Code: "ResourceNotFoundException", Status: http.StatusNotFound,
		Message: "No cluster found for name: " + name + ".",
	}
}
