package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// liveSessions are the sessions of a role, or those of one identity among them.
type liveSessions struct {
	iam            *iam.Client
	role, identity string
	// forGood refuses the identity's later sessions, too.
	forGood bool
}

// policyName is one for the role and one for each identity, so that each can be
// lifted by itself. The role's is the name that AWS's console uses.
func (s *liveSessions) policyName() string {
	if s.identity == "" {
		return "AWSRevokeOlderSessions"
	}
	sum := sha256.Sum256([]byte(s.identity))
	return "daypass-revoked-" + hex.EncodeToString(sum[:6])
}

// end refuses the sessions in all that they do. IAM may take seconds to tell
// every service. The time is AWS's own, whose clock the sessions have theirs
// from.
func (s *liveSessions) end(ctx context.Context) (before time.Time, err error) {
	role, err := s.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &s.role})
	if err != nil {
		return before, err
	}
	now, ok := awsmiddleware.GetServerTime(role.ResultMetadata)
	if !ok {
		now = time.Now()
	}
	before = now.UTC().Truncate(time.Second).Add(time.Second)
	type object = map[string]any
	condition := object{}
	if !s.forGood {
		condition["DateLessThan"] = object{"aws:TokenIssueTime": before.Format(time.RFC3339)}
	}
	if s.identity != "" {
		condition["StringEquals"] = object{"aws:SourceIdentity": s.identity}
	}
	document, err := json.Marshal(object{"Version": "2012-10-17", "Statement": []object{{
		"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition,
	}}})
	if err != nil {
		return before, err
	}
	_, err = s.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: &s.role, PolicyName: aws.String(s.policyName()), PolicyDocument: aws.String(string(document)),
	})
	if s.forGood {
		before = time.Time{}
	}
	return before, err
}

// lift takes the refusal away; that there is none is fine.
func (s *liveSessions) lift(ctx context.Context) error {
	_, err := s.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &s.role, PolicyName: aws.String(s.policyName())})
	var missing *types.NoSuchEntityException
	if errors.As(err, &missing) {
		_, err = s.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &s.role})
	}
	return err
}
