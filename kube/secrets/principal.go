package secrets

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"daypass.dev"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
	"daypass.dev/kube/vend"
	"daypass.dev/proof"
	"daypass.dev/reason"
	"daypass.dev/secrets"
)

// principal is who the pod is to AWS, with credentials that are there.
func (p *Provider) principal(ctx context.Context, r *request) (secrets.Principal, error) {
	vendor, caller, err := p.caller(ctx, r)
	if err != nil {
		return secrets.Principal{}, err
	}
	source, id, err := vendor.Source(ctx, caller)
	if id.Method != "" && !r.class.PodIdentity && id.Method != v1alpha1.WebIdentity { // before what that method lacks here
		return secrets.Principal{}, &secrets.Error{Slug: "secrets-method", Detail: fmt.Sprintf(
			"ServiceAccount %s/%s has the method %s, which takes no token for %s", id.Namespace, id.ServiceAccount, id.Method, forSTS)}
	}
	if err != nil {
		return secrets.Principal{}, err
	}
	creds, err := source.Credentials(ctx)
	if err != nil {
		return secrets.Principal{}, err
	}
	// What AWS's answers depend on, without the pod's name: all pods of the
	// ServiceAccount read the same.
	key, err := json.Marshal([]any{r.class.PodIdentity, id})
	if err != nil {
		return secrets.Principal{}, err
	}
	return secrets.Principal{
		Key: string(key), Source: source, Tags: p.tags(id), Account: cmp.Or(creds.AccountID, accountOf(creds.RoleARN), accountOf(id.Role())),
	}, nil
}

func accountOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[4]
	}
	return ""
}

// caller is the pod as the driver names it, or as its token says.
func (p *Provider) caller(ctx context.Context, r *request) (*vend.Vendor, vend.Caller, error) {
	if !r.class.PodIdentity {
		text, err := r.token(forSTS)
		if err != nil {
			return nil, vend.Caller{}, err
		}
		caller := r.pod
		if caller.Token, err = proof.ParseToken(text); err != nil {
			return nil, vend.Caller{}, wrongRequest("the token for %s: %v", forSTS, err)
		}
		return p.Web, caller, nil
	}
	text, err := r.token(vend.Audience)
	if err != nil {
		return nil, vend.Caller{}, err
	}
	caller, err := p.Tokens.Caller(ctx, text)
	if err != nil {
		return nil, vend.Caller{}, err
	}
	if caller.Namespace != r.pod.Namespace || caller.Pod != r.pod.Pod || caller.UID != r.pod.UID || caller.ServiceAccount != r.pod.ServiceAccount {
		return nil, vend.Caller{}, wrongRequest("the token is of pod %s/%s, the request of %s/%s", caller.Namespace, caller.Pod, r.pod.Namespace, r.pod.Pod)
	}
	return p.Identity, caller, nil
}

// tags are the session tags that the pod's credentials carry, as far as they are
// known here; nil: none.
func (p *Provider) tags(id identity.Identity) map[string]string {
	switch {
	case id.Method == v1alpha1.EKS && !id.DisableSessionTags:
		return map[string]string{"kubernetes-namespace": id.Namespace, "kubernetes-service-account": id.ServiceAccount, "eks-cluster-name": p.Cluster}
	case id.Method == v1alpha1.RolesAnywhere && id.TargetRoleARN == "":
		return map[string]string{"x509Subject/OU": id.Namespace, "x509Subject/O": p.Cluster}
	}
	return nil
}

// refused makes one line of why a pod gets nothing, for its event, and tells it.
func (p *Provider) refused(r *request, err error) error {
	slug, code := slugOf(err)
	message := describe(err)
	if p.Log != nil {
		p.Log.Warn("not mounted", "namespace", r.pod.Namespace, "pod", r.pod.Pod, "reason", slug, "error", message)
	}
	if p.Failed != nil && r.pod.Pod != "" {
		p.Failed(r.pod, slug, message)
	}
	return status.Error(code, message)
}

// slugOf finds the reason, and gRPC's code for it. The code must be one that a
// kubelet takes as final: after others, as Unavailable and Aborted, it leaves the
// folder, and a driver that rotates then takes that for a mount and lets the pod
// start with nothing in it.
func slugOf(err error) (string, codes.Code) {
	var e *secrets.Error
	var no *identity.Refusal
	var aws *daypass.Error
	switch {
	case errors.As(err, &e):
		switch {
		case e.Code != "":
			return e.Slug, codes.PermissionDenied
		case e.Slug == "secrets-unreachable":
			return e.Slug, codes.Internal
		}
		return e.Slug, codes.InvalidArgument
	case errors.As(err, &no):
		return no.Slug, codes.PermissionDenied
	case errors.As(err, &aws):
		return "secrets-credentials", codes.PermissionDenied
	}
	return "secrets-unreachable", codes.Internal
}

// most is how many causes one line names.
const most = 3

// describe puts causes and mends on one line.
func describe(err error) string {
	var all []string
	for i, one := range causes(err) {
		if i == most {
			all = append(all, fmt.Sprintf("and %d more", len(causes(err))-most))
			break
		}
		slug, _ := slugOf(one)
		row, _ := reason.Lookup(slug)
		line := one.Error()
		if hint := cmp.Or(daypass.Advice(one), row.Mend); hint != "" {
			line += "; hint: " + hint
		}
		all = append(all, line+" ("+slug+")")
	}
	return strings.Join(strings.Fields(strings.Join(all, " | ")), " ")
}

// causes takes joined errors apart.
func causes(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, one := range joined.Unwrap() {
			all = append(all, causes(one)...)
		}
		return all
	}
	return []error{err}
}
