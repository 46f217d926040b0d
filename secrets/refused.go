package secrets

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"daypass.dev"
)

func (s *session) failed(i Item, op string, err error) *Error {
	return failed(s.region, i.id(), op, err)
}

// failed turns the SDK's error into ours.
func failed(region, object, op string, err error) *Error {
	e := &Error{Object: object, Region: region, Op: op}
	var api smithy.APIError
	var response *awshttp.ResponseError
	var refused *daypass.Error
	if errors.As(err, &response) {
		e.Status, e.RequestID = response.HTTPStatusCode(), response.RequestID
	}
	switch {
	case errors.As(err, &refused): // no credentials came
		e.Op, e.Err = "", refused
	case errors.As(err, &api):
		e.Code, e.Message = api.ErrorCode(), api.ErrorMessage()
	default:
		e.Err = withoutSDK(err)
	}
	e.Slug = slugOf(e)
	return e
}

// withoutSDK drops what the SDK wraps around what happened.
func withoutSDK(err error) error {
	var op *smithy.OperationError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// slugOf finds the catalogue's row for what AWS says.
func slugOf(e *Error) string {
	switch e.Code {
	case "AccessDeniedException":
		switch {
		case e.Message == kmsDenied || strings.Contains(e.Message, " kms:"):
			return "secret-key-denied"
		case strings.Contains(e.Message, "explicit deny"):
			return "policy-explicit-deny"
		}
		return "secrets-denied"
	case "ResourceNotFoundException":
		if strings.Contains(e.Message, "specified secret value") {
			return "secret-version"
		}
		return "secret-not-found"
	case "InvalidRequestException":
		switch {
		case strings.Contains(e.Message, "default KMS service key"):
			return "secret-own-key"
		case strings.Contains(e.Message, "marked for deletion"):
			return "secret-deleted"
		}
		return "secret-version"
	case "DecryptionFailure", "KMSInvalidStateException":
		return "secret-key-unusable"
	case "ThrottlingException", "TooManyRequestsException":
		return "throttled"
	case "InvalidKeyId":
		return "parameter-key"
	case "":
		return "secrets-unreachable"
	}
	return "secrets-failed"
}

const kmsDenied = "Access to KMS is not allowed"

// explain says which permission is missing, and where it belongs.
func (s *session) explain(ctx context.Context, e *Error, i Item) *Error {
	switch e.Slug {
	case "secrets-denied":
		thing := "the secret"
		if i.Parameter {
			thing = "the parameter"
		}
		e.Hint = s.missing(e.Message, permission(e, i), thing)
	case "secret-key-denied":
		if e.Message == kmsDenied {
			s.explainKey(ctx, e, i)
		} else {
			e.Hint = s.missing(e.Message, "kms:Decrypt", "the KMS key")
		}
	}
	return e
}

// permission is the action that is missing.
func permission(e *Error, i Item) string {
	if _, rest, ok := strings.Cut(e.Message, "is not authorized to perform: "); ok {
		action, _, _ := strings.Cut(rest, " ")
		return action
	}
	if i.Parameter {
		return "ssm:GetParameters"
	}
	return "secretsmanager:GetSecretValue"
}

// missing names the policy that AWS's text says lacks the action.
func (s *session) missing(message, action, thing string) string {
	tags := ""
	if len(s.principal.Tags) > 0 {
		var pairs []string
		for _, k := range slices.Sorted(maps.Keys(s.principal.Tags)) {
			pairs = append(pairs, k+"="+s.principal.Tags[k])
		}
		tags = "; if a condition compares tags: this pod's are " + strings.Join(pairs, ", ") + ", and " + thing + " must carry the same"
	}
	switch {
	case strings.Contains(message, "no identity-based policy"):
		return "allow " + action + " in an identity policy of the pod's role" + tags
	case strings.Contains(message, "no resource-based policy"):
		if thing == "the KMS key" {
			return "allow " + action + " to the pod's role or account in the key policy of the KMS key"
		}
		return "allow " + action + " to the pod's role or account in the resource policy of " + thing + tags
	case strings.Contains(message, "no session policy"):
		return "allow " + action + " in the session policy, of the Roles Anywhere profile or of the association"
	case strings.Contains(message, "no permissions boundary"):
		return "allow " + action + " in the permissions boundary of the pod's role"
	}
	return "allow " + action + " to the pod's role" + tags
}

// explainKey finds out whose policy keeps the principal from the key, of which
// Secrets Manager says nothing: KMS itself says more when it is asked about the
// key. Where that is not to be had, the hint names both sides.
func (s *session) explainKey(ctx context.Context, e *Error, i Item) {
	e.Hint = "allow kms:Decrypt on the secret's KMS key in an identity policy of the pod's role, and in the key policy where the key is of another account"
	defer s.calls.enter(ctx)()
	secret, err := s.secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &i.Name})
	if err != nil || secret.KmsKeyId == nil {
		return
	}
	key := *secret.KmsKeyId
	if account := (Item{Name: aws.ToString(secret.ARN)}).account(); !strings.HasPrefix(key, "arn:") {
		// A bare id or alias is the secret's account's.
		kind := "key/"
		if strings.HasPrefix(key, "alias/") {
			kind = ""
		}
		key = "arn:" + strings.SplitN(*secret.ARN, ":", 3)[1] + ":kms:" + s.region + ":" + account + ":" + kind + key
	}
	_, err = s.keys.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &key})
	asked := s.failed(i, "DescribeKey", err)
	switch {
	case err == nil:
		e.Hint = "allow kms:Decrypt on " + key + " where only kms:DescribeKey is allowed: in an identity policy of the pod's role, or in the key policy"
	case asked.Status == http.StatusBadRequest && strings.Contains(asked.Message, "-based policy"):
		e.Detail = "KMS says: " + asked.Message
		e.Hint = s.missing(asked.Message, "kms:Decrypt and kms:DescribeKey on "+key, "the KMS key")
	}
}

// regionOf is that of an ARN; empty for a name.
func regionOf(name string) string {
	if p := strings.SplitN(name, ":", 6); len(p) == 6 && p[0] == "arn" {
		return p[3]
	}
	return ""
}
