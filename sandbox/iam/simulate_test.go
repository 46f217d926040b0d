package iam_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// Policies of the rows below, each on one line.
const (
	allowGet = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`
	denyGet  = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}]}`
	allowPut = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}]}`
	objectA  = "arn:aws:s3:::simulated/a"
	objectB  = "arn:aws:s3:::simulated/b"
)

// with is a policy of one statement with a condition.
func with(effect, action, resource, condition string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Action":"` + action + `","Resource":"` + resource + `","Condition":` + condition + `}]}`
}

// shown is a result in one line: resource, decision, statements, missing keys,
// boundary, details; then those of each resource.
func shown(r types.EvaluationResult) string {
	var b strings.Builder
	part := func(name, decision string, matched []types.Statement, missing []string, boundary *types.PermissionsBoundaryDecisionDetail, details map[string]types.PolicyEvaluationDecisionType) {
		fmt.Fprintf(&b, "[%s %s", name, decision)
		for _, m := range matched {
			fmt.Fprintf(&b, "; %s (%s) %d:%d-%d:%d", *m.SourcePolicyId, m.SourcePolicyType, m.StartPosition.Line, m.StartPosition.Column, m.EndPosition.Line, m.EndPosition.Column)
		}
		if len(missing) > 0 {
			fmt.Fprintf(&b, "; missing %s", strings.Join(missing, ","))
		}
		if boundary != nil {
			fmt.Fprintf(&b, "; boundary %v", boundary.AllowedByPermissionsBoundary)
		}
		for _, k := range []string{"IAM Policy", "Resource Policy"} {
			if d, ok := details[k]; ok {
				fmt.Fprintf(&b, "; %s %s", k, d)
			}
		}
		b.WriteString("]")
	}
	part(aws.ToString(r.EvalResourceName), string(r.EvalDecision), r.MatchedStatements, r.MissingContextValues, r.PermissionsBoundaryDecisionDetail, r.EvalDecisionDetails)
	for _, one := range r.ResourceSpecificResults {
		part(*one.EvalResourceName, string(one.EvalResourceDecision), one.MatchedStatements, one.MissingContextValues, one.PermissionsBoundaryDecisionDetail, one.EvalDecisionDetails)
	}
	return b.String()
}

func entry(name string, kind types.ContextKeyTypeEnum, values ...string) types.ContextEntry {
	return types.ContextEntry{ContextKeyName: aws.String(name), ContextKeyType: kind, ContextKeyValues: values}
}

// Answers that AWS gave, told again with other names: recordings of 2026-09-11
// in testdata/aws/iam of radkawar/stackd, simulation.json and conditions.json,
// whose case each row names; those without a name follow from the API reference.
func TestSimulateCustomPolicy(t *testing.T) {
	const multi = "arn:aws:s3:::${BucketName}/${KeyName}"
	one := "PolicyInputList.1 (IAM Policy) 1:38-1:95"
	boundary := "PermissionsBoundaryPolicyInputList.1 (Permissions Boundary Policy) 1:38-1:94"
	grant := func(principal string) *string {
		return aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::simulated/*","Principal":` + principal + `}]}`)
	}
	caller := aws.String("arn:aws:iam::" + home + ":user/ann")
	both := []string{objectA, objectB}
	_, c := start(t)
	for _, row := range []struct {
		source string
		in     iam.SimulateCustomPolicyInput
		want   string
	}{
		{"custom_default_resource", iam.SimulateCustomPolicyInput{PolicyInputList: []string{allowGet}}, "[* allowed; " + one + "]"},
		{"custom_single_resource", iam.SimulateCustomPolicyInput{PolicyInputList: []string{allowGet}, ResourceArns: []string{objectA}},
			"[" + objectA + " allowed; " + one + "][" + objectA + " allowed; " + one + "]"},
		{"custom_two_resources_allowed", iam.SimulateCustomPolicyInput{PolicyInputList: []string{allowGet}, ResourceArns: both},
			"[" + multi + " allowed; " + one + "][" + objectA + " allowed; " + one + "][" + objectB + " allowed; " + one + "]"},
		{"custom_two_resources_mixed", iam.SimulateCustomPolicyInput{PolicyInputList: []string{strings.Replace(allowGet, `"*"`, `"`+objectA+`"`, 1)}, ResourceArns: both},
			"[" + multi + " implicitDeny; PolicyInputList.1 (IAM Policy) 1:38-1:118][" + objectA + " allowed; PolicyInputList.1 (IAM Policy) 1:38-1:118][" + objectB + " implicitDeny]"},
		{"explicit_deny_precedence", iam.SimulateCustomPolicyInput{PolicyInputList: []string{
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"},{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}]}`}},
			"[* explicitDeny; PolicyInputList.1 (IAM Policy) 1:95-1:152]"},
		{"principal_user_sources (pretty-printed)", iam.SimulateCustomPolicyInput{PolicyInputList: []string{
			"{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n    {\n      \"Effect\": \"Allow\",\n      \"Action\": \"s3:GetObject\",\n      \"Resource\": \"*\",\n      \"Sid\": \"Pretty\"\n    }\n  ]\n}"}},
			"[* allowed; PolicyInputList.1 (IAM Policy) 3:17-9:6]"},
		{"", iam.SimulateCustomPolicyInput{PolicyInputList: []string{
			"{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": {\n    \"Effect\": \"Allow\",\n    \"Action\": \"s3:GetObject\",\n    \"Resource\": \"*\"\n  }\n}"}},
			"[* allowed; PolicyInputList.1 (IAM Policy) 3:16-7:4]"}, // as the API reference's sample answer has it
		{"empty_policy_list", iam.SimulateCustomPolicyInput{PolicyInputList: []string{}}, "[* implicitDeny]"},
		{"", iam.SimulateCustomPolicyInput{PolicyInputList: []string{allowGet, allowGet}}, "[* allowed; " + one + "; PolicyInputList.2 (IAM Policy) 1:38-1:95]"},

		{"missing_irrelevant_action", iam.SimulateCustomPolicyInput{PolicyInputList: []string{with("Allow", "s3:PutObject", "*", `{"StringEquals":{"x:missing":"yes"}}`)}, ResourceArns: []string{objectA}},
			"[" + objectA + " implicitDeny; missing x:missing][" + objectA + " implicitDeny; missing x:missing]"},
		{"missing_deny", iam.SimulateCustomPolicyInput{PolicyInputList: []string{with("Deny", "s3:GetObject", "*", `{"StringEquals":{"x:missing":"yes"}}`)}}, "[* implicitDeny; missing x:missing]"},
		{"missing_with_other_allow_deny", iam.SimulateCustomPolicyInput{PolicyInputList: []string{allowGet, with("Deny", "s3:GetObject", "*", `{"StringEquals":{"x:missing":"yes"}}`)}}, "[* allowed; " + one + "]"},
		{"negated_if_exists_absent_key", iam.SimulateCustomPolicyInput{PolicyInputList: []string{allowGet, with("Deny", "s3:GetObject", "*", `{"StringNotEqualsIfExists":{"aws:PrincipalTag/team":"trusted"}}`)}},
			"[* explicitDeny; PolicyInputList.2 (IAM Policy) 1:38-1:170]"},
		{"missing_resource_variable", iam.SimulateCustomPolicyInput{PolicyInputList: []string{strings.Replace(allowGet, `"*"`, `"arn:aws:s3:::simulated/${aws:username}"`, 1)}}, "[* implicitDeny; missing aws:username]"},
		{"missing_operator_Null_false", iam.SimulateCustomPolicyInput{PolicyInputList: []string{with("Allow", "s3:GetObject", "*", `{"Null":{"x:missing":"false"}}`)}}, "[* implicitDeny; missing x:missing]"},
		{"for_all_values_present_mixed_set", iam.SimulateCustomPolicyInput{
			PolicyInputList: []string{with("Allow", "s3:GetObject", "*", `{"ForAllValues:StringEquals":{"aws:TagKeys":["owner","team"]}}`)},
			ContextEntries:  []types.ContextEntry{entry("aws:TagKeys", "stringList", "owner", "unexpected")}}, "[* implicitDeny]"},
		{"baseline_userid_null_false", iam.SimulateCustomPolicyInput{PolicyInputList: []string{with("Allow", "s3:GetObject", "*", `{"StringEquals":{"aws:userid":"STUB_PRINCIPAL_FOR_POLICY_SIMULATOR"}}`)}},
			"[* allowed; PolicyInputList.1 (IAM Policy) 1:38-1:177]"},
		{"baseline_userid_null_true", iam.SimulateCustomPolicyInput{PolicyInputList: []string{with("Allow", "s3:GetObject", "*", `{"Null":{"aws:userid":"true"}}`)}}, "[* implicitDeny; missing aws:userid]"},

		{"boundary_allow", iam.SimulateCustomPolicyInput{PolicyInputList: []string{allowGet}, PermissionsBoundaryPolicyInputList: []string{allowGet}}, "[* allowed; " + one + "; boundary true]"},
		{"boundary_implicit", iam.SimulateCustomPolicyInput{PolicyInputList: []string{allowGet}, PermissionsBoundaryPolicyInputList: []string{allowPut}, ResourceArns: []string{objectA}},
			"[" + objectA + " implicitDeny; boundary false][" + objectA + " implicitDeny; boundary false]"},
		{"boundary_deny", iam.SimulateCustomPolicyInput{PolicyInputList: []string{allowGet}, PermissionsBoundaryPolicyInputList: []string{denyGet}}, "[* explicitDeny; " + boundary + "; boundary false]"},
		{"boundary_deny_over_identity_deny", iam.SimulateCustomPolicyInput{PolicyInputList: []string{denyGet}, PermissionsBoundaryPolicyInputList: []string{denyGet}},
			"[* explicitDeny; PolicyInputList.1 (IAM Policy) 1:38-1:94; " + boundary + "; boundary false]"},
		{"boundary_missing_context", iam.SimulateCustomPolicyInput{PolicyInputList: []string{allowGet}, PermissionsBoundaryPolicyInputList: []string{with("Allow", "s3:GetObject", "*", `{"StringEquals":{"x:boundary":"yes"}}`)}},
			"[* implicitDeny; missing x:boundary; boundary false]"},

		{"resource_policy_owner_cross", iam.SimulateCustomPolicyInput{PolicyInputList: []string{}, ResourceArns: []string{objectA}, ResourcePolicy: grant(`{"AWS":"*"}`), CallerArn: caller, ResourceOwner: aws.String("arn:aws:iam::999999999999:root")},
			"[" + objectA + " implicitDeny; IAM Policy implicitDeny; Resource Policy allowed][" + objectA + " implicitDeny; IAM Policy implicitDeny; Resource Policy allowed]"},
		{"resource_policy_owner_user", iam.SimulateCustomPolicyInput{PolicyInputList: []string{}, ResourceArns: []string{objectA}, ResourcePolicy: grant(`{"AWS":"*"}`), CallerArn: caller},
			"[" + objectA + " allowed; ResourcePolicy (Resource Policy) 1:38-1:142][" + objectA + " allowed; ResourcePolicy (Resource Policy) 1:38-1:142]"},
		{"", iam.SimulateCustomPolicyInput{PolicyInputList: []string{allowGet}, ResourceArns: []string{objectA}, ResourcePolicy: grant(`{"AWS":"arn:aws:iam::111122223333:user/bob"}`), CallerArn: caller},
			"[" + objectA + " allowed; " + one + "][" + objectA + " allowed; " + one + "]"},
	} {
		if row.in.ActionNames == nil {
			row.in.ActionNames = []string{"s3:GetObject"}
		}
		out, err := c.SimulateCustomPolicy(t.Context(), &row.in)
		if err != nil {
			t.Errorf("%s: %v", row.source, err)
			continue
		}
		if got := shown(out.EvaluationResults[0]); got != row.want || len(out.EvaluationResults) != 1 || out.IsTruncated {
			t.Errorf("%s:\ngot  %s\nwant %s", row.source, got, row.want)
		}
	}
}

// What AWS refuses of a simulation, in its words; sources as above.
func TestSimulateRefusals(t *testing.T) {
	s, c := start(t)
	ask := func(change func(*iam.SimulateCustomPolicyInput)) error {
		in := &iam.SimulateCustomPolicyInput{PolicyInputList: []string{allowGet}, ActionNames: []string{"s3:GetObject"}}
		change(in)
		_, err := c.SimulateCustomPolicy(t.Context(), in)
		return err
	}
	context := func(entries ...types.ContextEntry) func(*iam.SimulateCustomPolicyInput) {
		return func(in *iam.SimulateCustomPolicyInput) { in.ContextEntries = entries }
	}
	policies := func(texts ...string) func(*iam.SimulateCustomPolicyInput) {
		return func(in *iam.SimulateCustomPolicyInput) { in.PolicyInputList = texts }
	}
	resources := func(arns ...string) func(*iam.SimulateCustomPolicyInput) {
		return func(in *iam.SimulateCustomPolicyInput) { in.ResourceArns = arns }
	}
	onBucket := func(caller, owner, document string) func(*iam.SimulateCustomPolicyInput) {
		return func(in *iam.SimulateCustomPolicyInput) {
			in.ResourceArns, in.ResourcePolicy = []string{objectA}, aws.String(document)
			if caller != "" {
				in.CallerArn = aws.String(caller)
			}
			if owner != "" {
				in.ResourceOwner = aws.String(owner)
			}
		}
	}
	const (
		ann    = "arn:aws:iam::" + home + ":user/ann"
		bucket = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"` + objectA + `"}]}`
	)
	for _, row := range []struct {
		change        func(*iam.SimulateCustomPolicyInput)
		code, message string
	}{
		{func(in *iam.SimulateCustomPolicyInput) { in.ActionNames = []string{"GetObject"} }, "InvalidInput", "The action is invalid since it is missing names"},
		{func(in *iam.SimulateCustomPolicyInput) { in.ActionNames = []string{} }, "ValidationError", "Value null at 'actionNames'"},
		{resources("not-an-arn"), "InvalidInput", "ResourceNames are not in a valid ARN format: not-an-arn."},
		{resources("arn:aws:s3"), "InvalidInput", "ResourceNames are not in a valid ARN format: arn:aws:s3."},
		{policies("{"), "InvalidInput", "Policy input list item 1 has invalid content"},
		{policies(allowGet, `{"Version":"2099-01-01","Statement":[]}`), "InvalidInput", "Policy input list item 2 has invalid content"},
		{func(in *iam.SimulateCustomPolicyInput) {
			in.PermissionsBoundaryPolicyInputList = []string{allowGet, allowGet}
		}, "InvalidInput", "The list of Permissions Boundary policies cannot exceed 1 items."},
		{context(types.ContextEntry{ContextKeyName: aws.String("x:key"), ContextKeyValues: []string{"yes"}}), "InvalidInput", "Context key x:key has invalid type null."},
		{context(types.ContextEntry{ContextKeyName: aws.String("x:key"), ContextKeyType: "string"}), "InvalidInput", "Context values for context key x:key cannot be null or empty."},
		{context(types.ContextEntry{ContextKeyType: "string", ContextKeyValues: []string{"yes"}}), "InvalidInput", "ContextKeyName cannot be null or empty."},
		{context(entry("x:key", "string", "a", "b")), "InvalidInput", "Context key string expected a single value, but received 2."},
		{context(entry("x:key", "unknown", "a")), "ValidationError", "Value at 'contextEntries.1.member.contextKeyType' failed to satisfy constraint: Member must satisfy enum value set: ["},
		{context(entry("x:key", "string", "a"), entry("X:KEY", "string", "b")), "InvalidInput", "Duplicate context key: X:KEY."},
		{context(entry("x:key", "numeric", "0x10")), "InvalidInput", "Invalid context value for key x:key: expected numeric format."},
		{context(entry("x:key", "numericList", "1", "Infinity")), "InvalidInput", "expected numeric format."},
		{context(entry("x:key", "date", "tomorrow")), "InvalidInput", "Invalid context value for key x:key: expected DateTime format."},
		{context(entry("x:key", "ip", "999.0.0.1")), "InvalidInput", "Invalid context value for key x:key: expected IP address."},
		{context(entry("x:key", "binary", "!base64")), "InvalidInput", "Invalid context value for key x:key: expected base-64 encoded binary format."},
		{func(in *iam.SimulateCustomPolicyInput) { in.Marker = aws.String("not-a-simulation-marker") }, "InvalidInput", "Invalid marker for pagination."},
		{func(in *iam.SimulateCustomPolicyInput) { in.MaxItems = aws.Int32(1001) }, "ValidationError", "Value '1001' at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to 1000"},
		{onBucket("", "", bucket), "InvalidInput", "Invalid caller - Caller cannot be null or empty."},
		{onBucket("arn:aws:sts::"+home+":assumed-role/r/s", "", bucket), "InvalidInput", "Invalid caller - Caller must be an IAM user, role or group in this context."},
		{onBucket(ann, "999999999999", bucket), "InvalidInput", "'999999999999' is not a valid as a Resource Owner."},
		{onBucket(ann, "", "{"), "InvalidInput", "Resource policy has invalid content"},
		{func(in *iam.SimulateCustomPolicyInput) { onBucket(ann, "", bucket)(in); in.ResourceArns = nil }, "InvalidInput", "Invalid Entity Arn: * does not clearly define entity type and name."},
		{func(in *iam.SimulateCustomPolicyInput) { in.ResourceHandlingOption = aws.String("EC2-VPC-EBS") }, "NotImplemented", "SimulateCustomPolicy"},
	} {
		err := ask(row.change)
		refused(t, err, row.code, row.message)
		if d := s.Last(t, "SimulateCustomPolicy"); d.Code != row.code {
			t.Errorf("%s: recorded as %s", row.message, d.Code)
		}
	}
	// Where a policy is wrong stands in the record, though AWS does not say it.
	_ = ask(policies(`{"Version":"2012-10-17","Statement":[{"Effect":"allow","Action":"s3:*","Resource":"*"}]}`))
	if d := s.Last(t, "SimulateCustomPolicy"); !strings.Contains(d.Detail, "line 1, column 48") || !strings.Contains(d.Mend, "Effect is Allow or Deny") {
		t.Errorf("detail %q, mend %q", d.Detail, d.Mend)
	}
}

// Values that AWS takes for their types, and an entry without any member.
func TestSimulateTakesContext(t *testing.T) {
	_, c := start(t)
	for _, e := range []types.ContextEntry{
		{}, entry("abcde", "string", "yes"), entry("x:key", "string", ""), entry("x:key", "numeric", "01.00"), entry("x:key", "numeric", "+1"),
		entry("x:key", "numeric", "1e9999"), entry("x:key", "date", "2035"), entry("x:key", "boolean", "yes"), entry("x:key", "ip", "192.0.2.7"),
	} {
		_, err := c.SimulateCustomPolicy(t.Context(), &iam.SimulateCustomPolicyInput{
			PolicyInputList: []string{allowGet}, ActionNames: []string{"s3:GetObject"}, ContextEntries: []types.ContextEntry{e},
		})
		if err != nil {
			t.Errorf("%v: %v", e.ContextKeyValues, err)
		}
	}
}

// Pages count actions; a marker behind the last is an empty page
// (pagination_first, pagination_changed_actions).
func TestSimulatePages(t *testing.T) {
	_, c := start(t)
	in := &iam.SimulateCustomPolicyInput{
		PolicyInputList: []string{allowGet}, ActionNames: []string{"s3:PutObject", "s3:GetObject", "s3:DeleteObject"},
		ResourceArns: []string{objectA, objectB}, MaxItems: aws.Int32(2),
	}
	var got []string
	for pages := iam.NewSimulateCustomPolicyPaginator(c, in); pages.HasMorePages(); {
		out := must[*iam.SimulateCustomPolicyOutput](t)(pages.NextPage(t.Context()))
		for _, r := range out.EvaluationResults {
			got = append(got, *r.EvalActionName+" "+string(r.EvalDecision))
		}
		got = append(got, "|")
	}
	if want := []string{"s3:PutObject implicitDeny", "s3:GetObject allowed", "|", "s3:DeleteObject implicitDeny", "|"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	in.ActionNames, in.Marker = []string{"s3:PutObject"}, aws.String("2")
	out := must[*iam.SimulateCustomPolicyOutput](t)(c.SimulateCustomPolicy(t.Context(), in))
	if len(out.EvaluationResults) != 0 || out.IsTruncated {
		t.Errorf("behind the last page: %d results, more: %v", len(out.EvaluationResults), out.IsTruncated)
	}
}
