package sts_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
)

func TestParameters(t *testing.T) {
	s, c, _ := start(t)
	many := func(n, size int) func(*sts.AssumeRoleInput) {
		return func(in *sts.AssumeRoleInput) {
			for i := range n {
				in.Tags = append(in.Tags, types.Tag{Key: aws.String(fmt.Sprint("key", i)), Value: aws.String(noise(i, size))})
			}
		}
	}
	for _, p := range []struct {
		name             string
		change           func(*sts.AssumeRoleInput)
		code, text, slug string
	}{
		{"name too short", func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("s") }, "ValidationError",
			"1 validation error detected: Value 's' at 'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2", "parameter-invalid"},
		{"name of odd characters", func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("a b") }, "ValidationError",
			`Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*`, "parameter-invalid"},
		{"two mistakes", func(in *sts.AssumeRoleInput) {
			in.RoleSessionName, in.DurationSeconds = aws.String("a b"), aws.Int32(43201)
		}, "ValidationError",
			"2 validation errors detected: ", "parameter-invalid"},
		{"too short", func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(899) }, "ValidationError", "greater than or equal to 900", "parameter-invalid"},
		{"too long", func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(43201) }, "ValidationError", "less than or equal to 43200", "parameter-invalid"},
		{"longer than the role", func(in *sts.AssumeRoleInput) {
			in.RoleArn, in.DurationSeconds = aws.String(account+"role/plain"), aws.Int32(3601)
		}, "ValidationError",
			"The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", "duration-over-role"},
		{"no ARN", func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String("role/of/no/account/x") }, "ValidationError", "role/of/no/account/x is invalid", "parameter-invalid"},
		{"tags twice", tags("a", "1", "A", "2"), "InvalidParameterValue", "Duplicate tag keys found.", "session-tags-duplicate"},
		{"tag of odd characters", tags("a!", "1"), "ValidationError", `[\p{L}\p{Z}\p{N}_.:/=+\-@]+`, "parameter-invalid"},
		{"51 tags", many(51, 1), "ValidationError", "less than or equal to 50", "parameter-invalid"},
		{"too much in tags", many(50, 200), "PackedPolicyTooLarge", "of allotted space", "packed-policy-too-large"},
		{"policy is junk", func(in *sts.AssumeRoleInput) { in.Policy = aws.String("{") }, "MalformedPolicyDocument", "", "policy-malformed"},
		{"policy too long", func(in *sts.AssumeRoleInput) { in.Policy = aws.String(strings.Repeat(" ", 2049)) }, "ValidationError", "'policy'", "parameter-invalid"},
		{"managed policy unknown", func(in *sts.AssumeRoleInput) {
			in.PolicyArns = []types.PolicyDescriptorType{{Arn: aws.String(account + "policy/none")}}
		}, "MalformedPolicyDocument", "", "session-policy-not-found"},
		{"managed policy of another account", func(in *sts.AssumeRoleInput) {
			in.PolicyArns = []types.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::444455556666:policy/p")}}
		}, "MalformedPolicyDocument", "", "session-policy-not-found"},
		{"eleven managed policies", func(in *sts.AssumeRoleInput) {
			in.PolicyArns = make([]types.PolicyDescriptorType, 11)
			for i := range in.PolicyArns {
				in.PolicyArns[i].Arn = aws.String("arn:aws:iam::aws:policy/AdministratorAccess")
			}
		}, "ValidationError", "policyArns", "parameter-invalid"},
	} {
		t.Run(p.name, func(t *testing.T) {
			_, err := c.AssumeRole(t.Context(), ask("all", p.change))
			refused(t, s, err, p.code, p.text, p.slug)
		})
	}
}

// noise is text that does not compress.
func noise(seed, n int) string {
	var b strings.Builder
	x := uint32(seed)*2654435761 + 1
	for range n {
		x = x*1664525 + 1013904223
		b.WriteByte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[(x>>16)%62])
	}
	return b.String()
}
