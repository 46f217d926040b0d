package oidc

import (
	"encoding/json"
	"strings"
	"time"
)

// A Pod is what a token of a Kubernetes cluster says of the pod that it is
// bound to; empty where it says nothing.
type Pod struct {
	Namespace, ServiceAccount, Name, UID string
	// Subject and Audience are sub and aud, of several those with blanks between.
	Subject, Audience string
}

// Pod reads the claims by which EKS Auth knows a pod, and holds the token's
// times to the given one; that EKS bears with clocks as STS does is unchecked.
// The signature must have been verified.
func (t *Token) Pod(now time.Time) (*Pod, error) {
	if err := t.checkTimes(now); err != nil {
		return nil, err
	}
	type named struct{ Name, UID string }
	var in struct {
		Namespace           string
		ServiceAccount, Pod named
	}
	_ = json.Unmarshal(t.claims["kubernetes.io"], &in) // what cannot be read says nothing
	p := &Pod{Namespace: in.Namespace, ServiceAccount: in.ServiceAccount.Name, Name: in.Pod.Name, UID: in.Pod.UID}
	isText(t.claims["sub"], &p.Subject)
	audiences, _ := texts(t.claims["aud"])
	p.Audience = strings.Join(audiences, " ")
	return p, nil
}
