package vend

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// claims are those of a token that a kubelet has projected for a pod.
//
// https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#schema-for-service-account-private-claims
type claims struct {
	Issuer     string   `json:"iss"`
	Subject    string   `json:"sub"`
	Audience   audience `json:"aud"`
	Expires    seconds  `json:"exp"`
	Issued     seconds  `json:"iat"`
	NotBefore  seconds  `json:"nbf"`
	Kubernetes struct {
		Namespace      string `json:"namespace"`
		ServiceAccount object `json:"serviceaccount"`
		Pod            object `json:"pod"`
		Node           object `json:"node"` // from Kubernetes 1.30 on
	} `json:"kubernetes.io"`
}

type object struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

// audience is one text or several (RFC 7519 section 4.1.3).
type audience []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audience) UnmarshalJSON(data []byte) error {
	var one string
	if err := json.Unmarshal(data, &one); err == nil {
		*a = []string{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(a))
}

// seconds since 1970.
type seconds float64

func (s seconds) time() time.Time { return time.Unix(int64(s), 0).UTC() }

func readClaims(payload []byte) (*claims, error) {
	c := &claims{}
	if err := json.Unmarshal(payload, c); err != nil {
		return nil, errors.New("it is not the JSON of claims") // err may quote it
	}
	for _, t := range []seconds{c.Expires, c.Issued, c.NotBefore} {
		if t < 0 || t > lastSecond {
			return nil, errors.New("a time is none")
		}
	}
	return c, nil
}

// lastSecond is the end of the year 9999.
const lastSecond = 253402300799

// check holds verified claims to what a pod of this node must show.
func (c *claims) check(issuer, node string, now time.Time) error {
	k := &c.Kubernetes
	switch {
	case c.Issuer != issuer:
		return refuse("agent-token-issuer", "its issuer is %.200q, the cluster's is %q", c.Issuer, issuer)
	case len(c.Audience) != 1 || !slices.Contains(c.Audience, Audience):
		return refuse("agent-token-audience", "it is for %.200q, not for %s alone", strings.Join(c.Audience, " "), Audience)
	case c.Expires == 0 || !now.Before(c.Expires.time()):
		return refuse("agent-token-expired", "it ended at %s, and by this node's clock it is %s", stamp(c.Expires.time()), stamp(now))
	case now.Add(drift).Before(c.NotBefore.time()) || now.Add(drift).Before(c.Issued.time()):
		return refuse("agent-token-early", "it begins at %s, and by this node's clock it is %s", stamp(max(c.NotBefore, c.Issued).time()), stamp(now))
	case k.Namespace == "" || k.ServiceAccount.Name == "" || k.Pod.Name == "" || k.Pod.UID == "":
		return refuse("agent-token-unbound", "it is not bound to a pod")
	case c.Subject != "system:serviceaccount:"+k.Namespace+":"+k.ServiceAccount.Name:
		return refuse("agent-token-malformed", "its claims sub and kubernetes.io name different ServiceAccounts")
	case k.Node.Name != "" && k.Node.Name != node:
		return refuse("agent-token-node", "its pod is on node %.80q, this is %s", k.Node.Name, node)
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
