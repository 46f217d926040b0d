// Package agent serves the pods of a node their credentials, at the addresses
// and by the contract that AWS's SDKs know of EKS:
//
//	http://169.254.170.23/v1/credentials    and    http://[fd00:ec2::23]/v1/credentials
//
// Agent answers requests: it knows from the token which pod asks, and from
// package vend what that pod gets. Link gives the node the addresses, and keeps
// other machines away from them. Program is both, and the node's taint.
package agent

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"daypass.dev"
	"daypass.dev/deliver"
	"daypass.dev/kube/identity"
	"daypass.dev/kube/vend"
	"daypass.dev/reason"
)

// An Agent answers pods. Its fields must not change once it is used.
type Agent struct {
	Tokens *vend.Tokens
	Vendor *vend.Vendor
	// Refused is told of each request of a known pod that is refused, by the
	// agent or by AWS, whose code is in the place of a slug then; nil: nobody is.
	// It must return at once.
	Refused func(pod vend.Caller, why *identity.Refusal)
	// Audit is told of every answer that holds credentials: who got which. Nil:
	// silent.
	Audit *slog.Logger
	// Log is told of requests that are refused. Nil: silent.
	Log *slog.Logger
}

// Handler is what listens on the agent's addresses.
func (a *Agent) Handler() http.Handler {
	return deliver.Guard(&deliver.Pod{Source: a.source, Log: a.Log}, a.Log)
}

// source finds out who asks.
func (a *Agent) source(ctx context.Context, token daypass.Secret, from netip.Addr) (daypass.Source, error) {
	caller, err := a.Tokens.Caller(ctx, token.Reveal())
	if err != nil {
		return nil, a.said(nil, err)
	}
	caller.From = from
	src, id, err := a.Vendor.Source(ctx, caller)
	if err != nil {
		return nil, a.said(&caller, err)
	}
	return &audited{a, src, caller, id}, nil
}

// An audited source tells who got what.
type audited struct {
	agent  *Agent
	source daypass.Source
	caller vend.Caller
	id     identity.Identity
}

// Credentials implements daypass.Source.
func (s *audited) Credentials(ctx context.Context) (daypass.Credentials, error) {
	got, err := s.source.Credentials(ctx)
	if err != nil {
		return got, s.agent.said(&s.caller, err)
	}
	if s.agent.Audit != nil {
		role := s.id.Role()
		if role == "" {
			role = got.RoleARN
		}
		s.agent.Audit.LogAttrs(ctx, slog.LevelInfo, "vended",
			slog.String("namespace", s.caller.Namespace), slog.String("pod", s.caller.Pod), slog.String("uid", string(s.caller.UID)),
			slog.String("serviceAccount", s.caller.ServiceAccount), slog.String("from", s.caller.From.String()),
			slog.String("method", string(s.id.Method)), slog.String("rule", s.id.Rule), slog.String("role", role),
			slog.String("accessKeyId", got.AccessKeyID), slog.Time("expires", got.Expires), slog.String("requestId", got.RequestID))
	}
	return got, nil
}

// said tells of a refusal, and phrases it for the caller. A pod whose token was
// not accepted is not known, so that nobody but the log is told.
func (a *Agent) said(pod *vend.Caller, err error) error {
	var why *identity.Refusal
	aws := (*daypass.Error)(nil)
	switch {
	case errors.As(err, &why):
		if pod != nil && a.Refused != nil && !strings.HasPrefix(why.Slug, "pod-") { // of those the pod itself has done nothing
			a.Refused(*pod, why)
		}
		if a.Log != nil {
			a.Log.Warn("refused a pod", append(who(pod), "reason", why.Slug, "why", why.Detail)...)
		}
		return &daypass.Error{
			Op: "AssumeRoleForPodIdentity", Code: codeOf(why.Slug), Message: why.Detail + mend(why.Slug), Status: statusOf(why.Slug),
		}
	case errors.As(err, &aws) && !aws.Temporary() && pod != nil && a.Refused != nil:
		text := aws.Error()
		if aws.Hint != "" {
			text += ": " + aws.Hint
		}
		a.Refused(*pod, &identity.Refusal{Slug: aws.Code, Detail: text})
	}
	return err
}

func who(pod *vend.Caller) []any {
	if pod == nil {
		return nil
	}
	return []any{"namespace", pod.Namespace, "pod", pod.Pod}
}

// mend is " (SLUG): how to mend it".
func mend(slug string) string {
	row, _ := reason.Lookup(slug)
	return " (" + slug + "): " + row.Mend
}

// codeOf is the code of EKS Auth that comes nearest.
func codeOf(slug string) string {
	switch slug {
	case "agent-token-expired":
		return "ExpiredTokenException"
	case "identity-none":
		return "ResourceNotFoundException"
	}
	if len(slug) > 11 && slug[:11] == "agent-token" {
		return "InvalidTokenException"
	}
	return "AccessDeniedException"
}

func statusOf(slug string) int {
	switch codeOf(slug) {
	case "ResourceNotFoundException":
		return http.StatusNotFound
	case "AccessDeniedException":
		return http.StatusForbidden
	}
	return http.StatusBadRequest
}
