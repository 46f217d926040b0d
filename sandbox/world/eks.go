package world

import (
	"strings"
	"time"

	"daypass.dev/policy"
)

// A Cluster is one of EKS, as far as Pod Identity is concerned: nothing runs in
// it here.
type Cluster struct {
	Name, Region, ARN string
	RoleARN, Version  string
	// Issuer of its ServiceAccounts' tokens.
	Issuer  string
	Created time.Time
	Tags    map[string]string
	// Associations by their ids.
	Associations map[string]*PodAssociation
	// Replayed are the ids that calls made, by their clientRequestToken.
	Replayed map[string]string
}

// A PodAssociation lets the pods of a ServiceAccount use a role.
type PodAssociation struct {
	ID, ARN                   string
	Namespace, ServiceAccount string
	RoleARN, TargetRoleARN    string
	DisableSessionTags        bool
	Policy                    *policy.Document
	Created, Modified         time.Time
	Tags                      map[string]string
}

// ExternalID is what the trust policy of an association's target role may ask
// for: REGION/ACCOUNT/CLUSTER/NAMESPACE/SERVICEACCOUNT.
func (c *Cluster) ExternalID(account string, a *PodAssociation) string {
	return strings.Join([]string{c.Region, account, c.Name, a.Namespace, a.ServiceAccount}, "/")
}

// Cluster finds a cluster of an account in a region; nil if there is none.
func (w *World) Cluster(account, region, name string) *Cluster {
	a := w.Accounts[account]
	if a == nil || a.Clusters[name] == nil || a.Clusters[name].Region != region {
		return nil
	}
	return a.Clusters[name]
}

// Next is a call that the caller of a session makes: one that AWS makes on its
// behalf, as in a chain of roles. It belongs to c's decision.
func (c *Call) Next(s *Session) *Call {
	next := *c
	next.Caller, next.Session = sessionPrincipal(s), s
	next.Context = policy.Context{}
	for _, key := range []string{"aws:CurrentTime", "aws:EpochTime", "aws:RequestedRegion", "aws:SecureTransport"} {
		if v, ok := c.Context[key]; ok {
			next.Context[key] = v
		}
	}
	c.World.AddCallerContext(next.Context, next.Caller, s)
	return &next
}
