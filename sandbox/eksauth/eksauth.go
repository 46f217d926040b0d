// Package eksauth is EKS Auth in the sandbox: AssumeRoleForPodIdentity, by which
// a node of an EKS cluster gets credentials of the role that an association
// gives one of its pods.
//
// Comments say "unchecked" where AWS's text is silent and nobody has reported
// what AWS does.
package eksauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"daypass.dev/policy"
	"daypass.dev/sandbox/oidc"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

const (
	operation        = "AssumeRoleForPodIdentity"
	servicePrincipal = "pods.eks.amazonaws.com"
	// audience of the tokens is the same text.
	audience = servicePrincipal
	// life of credentials; those of a target role are a chain's.
	life, targetLife = 6 * time.Hour, 59 * time.Minute
)

// Service answers EKS Auth's one call. Its zero value is ready; it keeps the
// keys of issuers.
type Service struct{ issuers oidc.Issuers }

var _ world.Operator = (*Service)(nil)

// Operation names the call.
func (*Service) Operation(r *http.Request) string {
	if _, ok := clusterOf(r); ok {
		return operation
	}
	return r.Method + " " + r.URL.Path
}

func clusterOf(r *http.Request) (string, bool) {
	path := strings.Split(r.URL.Path, "/")
	if r.Method != http.MethodPost || len(path) != 4 || path[1] != "clusters" || path[3] != "assume-role-for-pod-identity" {
		return "", false
	}
	return path[2], true
}

// Serve answers one call. An error is a *world.Refusal.
func (s *Service) Serve(c *world.Call, w http.ResponseWriter, r *http.Request, body []byte) error {
	name, ok := clusterOf(r)
	if !ok {
		return c.NotBuilt()
	}
	var in struct{ Token string }
	if err := json.Unmarshal(body, &in); err != nil || in.Token == "" {
		return refuse("eks-parameter", "InvalidParameterException", http.StatusBadRequest, "The request has no token.", "the body is not the JSON of a token")
	}
	answer, err := s.assume(c, r.Context(), name, in.Token)
	if err != nil {
		return phrased(err)
	}
	return wire.JSON(w, http.StatusOK, answer)
}

// assume looks at the node's right, the cluster, the token, the association and
// the role, in this order, which is unchecked.
func (s *Service) assume(c *world.Call, ctx context.Context, name, text string) (any, error) {
	c.World.RLock()
	found := c.World.Cluster(c.Caller.Account, c.Region, name)
	var cluster world.Cluster
	if found != nil {
		cluster = *found
	}
	c.World.RUnlock()
	arn := cluster.ARN
	if found == nil {
		arn = fmt.Sprintf("arn:%s:eks:%s:%s:cluster/%s", world.PartitionOf(c.Region), c.Region, c.Caller.Account, name)
	}
	if err := c.Authorize(world.Access{Action: "eks-auth:" + operation, Resource: arn}); err != nil {
		return nil, err
	}
	if found == nil {
		return nil, refuse("eks-cluster-missing", "ResourceNotFoundException", http.StatusNotFound,
			"No cluster found for name: "+name+".", "account "+c.Caller.Account+" has no cluster "+name+" in "+c.Region)
	}
	pod, err := s.pod(c, ctx, cluster.Issuer, text)
	if err != nil {
		return nil, err
	}
	c.World.RLock()
	var association world.PodAssociation
	for _, a := range found.Associations {
		if a.Namespace == pod.Namespace && a.ServiceAccount == pod.ServiceAccount {
			association = *a
		}
	}
	c.World.RUnlock()
	if association.ID == "" {
		return nil, refuse("eks-association-missing", "ResourceNotFoundException", http.StatusNotFound, // the words are unchecked
			"No service account role association found.", "cluster "+name+" has no association for "+pod.Namespace+"/"+pod.ServiceAccount)
	}
	issued, err := session(c, &cluster, &association, pod)
	if err != nil {
		return nil, err
	}
	return answer(pod, &association, issued), nil
}

// pod verifies a token by the keys of the cluster's issuer.
func (s *Service) pod(c *world.Call, ctx context.Context, issuer, text string) (*oidc.Pod, error) {
	token, err := oidc.Parse(text)
	if err != nil {
		return nil, err
	}
	if token.Issuer != issuer {
		return nil, refuse("token-issuer-other", "InvalidTokenException", http.StatusBadRequest, "The token's issuer is not the cluster's.",
			fmt.Sprintf("the token is of %q, the cluster's issuer is %q", token.Issuer, issuer))
	}
	at, mapped := c.World.Issuer(issuer)
	if mapped {
		c.Decision.NotAWS = append(c.Decision.NotAWS, "issuer "+issuer+" from the world's own keys")
	}
	keys, err := s.issuers.Keys(ctx, oidc.Source{Issuer: issuer, At: at}, token, c.Time)
	if err != nil {
		return nil, err
	}
	if err := token.Verify(keys); err != nil {
		return nil, err
	}
	pod, err := token.Pod(c.Time)
	if err != nil {
		return nil, err
	}
	if pod.Name == "" || pod.UID == "" || pod.Subject != "system:serviceaccount:"+pod.Namespace+":"+pod.ServiceAccount {
		return nil, refuse("token-unbound", "InvalidTokenException", http.StatusBadRequest, "The token is not bound to a pod.",
			fmt.Sprintf("sub is %.200q, and kubernetes.io names pod %.80q of %.80q", pod.Subject, pod.Name, pod.Namespace))
	}
	if pod.Audience != audience {
		return nil, refuse("token-audience", "InvalidTokenException", http.StatusBadRequest, "The token's audience is not "+audience+".",
			fmt.Sprintf("aud is %q", pod.Audience))
	}
	return pod, nil
}

// session assumes the association's role as EKS, and the target role by it.
func session(c *world.Call, cluster *world.Cluster, a *world.PodAssociation, pod *oidc.Pod) (*world.Issued, error) {
	ask := world.Assume{
		RoleARN: a.RoleARN, SessionName: sessionName(cluster.Name, pod.Name), Duration: life, OwnLife: true,
		As: &policy.Principal{Kind: policy.Service, Name: servicePrincipal},
		Context: policy.Context{
			"aws:SourceArn":     {List: []string{cluster.ARN}},
			"aws:SourceAccount": {List: []string{c.Caller.Account}},
		},
	}
	if !a.DisableSessionTags {
		ask.Tags = map[string]string{
			"eks-cluster-arn": cluster.ARN, "eks-cluster-name": cluster.Name, "kubernetes-namespace": pod.Namespace,
			"kubernetes-service-account": pod.ServiceAccount, "kubernetes-pod-name": pod.Name, "kubernetes-pod-uid": pod.UID,
		}
		for key := range ask.Tags {
			ask.TransitiveTags = append(ask.TransitiveTags, key)
		}
	}
	target := a.TargetRoleARN != ""
	if a.Policy != nil && !target {
		ask.Policies = []*policy.Document{a.Policy}
	}
	issued, err := c.AssumeRole(ask)
	if err != nil || !target {
		return issued, err
	}
	chained := world.Assume{
		RoleARN: a.TargetRoleARN, SessionName: ask.SessionName, Duration: targetLife, OwnLife: true,
		Context: policy.Context{"sts:ExternalId": {List: []string{cluster.ExternalID(c.Caller.Account, a)}}},
	}
	if a.Policy != nil {
		chained.Policies = []*policy.Document{a.Policy}
	}
	return c.Next(&issued.Session).AssumeRole(chained)
}

// sessionName is eks-CLUSTER-POD-UUID; where AWS cuts it is unchecked.
func sessionName(cluster, pod string) string {
	return "eks-" + cluster[:min(len(cluster), 11)] + "-" + strings.ReplaceAll(pod[:min(len(pod), 11)], ".", "-") + "-" + world.NewUUID()
}

func answer(pod *oidc.Pod, a *world.PodAssociation, got *world.Issued) any {
	return map[string]any{
		"subject":                map[string]string{"namespace": pod.Namespace, "serviceAccount": pod.ServiceAccount},
		"audience":               audience,
		"podIdentityAssociation": map[string]string{"associationArn": a.ARN, "associationId": a.ID},
		"assumedRoleUser":        map[string]string{"arn": got.ARN(), "assumeRoleId": got.RoleID + ":" + got.Name},
		"credentials": map[string]any{
			"accessKeyId": got.AccessKeyID, "secretAccessKey": got.Secret, "sessionToken": got.Token, "expiration": got.Expires.Unix(),
		},
	}
}

// phrased says in EKS Auth's words what other parts refused.
func phrased(err error) error {
	var e *world.Refusal
	if !errors.As(err, &e) {
		return err
	}
	said := *e
	switch e.Code {
	case "AccessDenied":
		said.Code, said.Status = "AccessDeniedException", http.StatusBadRequest
		if !strings.Contains(e.Message, "eks-auth:") {
			said.Message = "Unauthorized Exception! EKS does not have permissions to assume the associated role."
			said.Detail = e.Message + ": " + e.Detail
		}
	case "InvalidIdentityToken", "IDPCommunicationError":
		said.Code, said.Status = "InvalidTokenException", http.StatusBadRequest
	case "ExpiredTokenException":
		said.Status = http.StatusBadRequest
		said.Message = "The token included in the request is expired: " + e.Message
	case "PackedPolicyTooLarge", "ValidationError":
		said.Code, said.Status = "InvalidRequestException", http.StatusBadRequest
	}
	return &said
}

func refuse(slug, code string, status int, message, detail string) *world.Refusal {
	return &world.Refusal{Slug: slug, Code: code, Status: status, Message: message, Detail: detail}
}
