package policy

import (
	"strings"
	"testing"
)

// The manual of operators: for each what it takes in, what it does not, and
// one form each of IfExists, ForAnyValue and ForAllValues. Rows without a
// source are the documented definitions:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
type operatorRow struct {
	operator string
	wanted   any
	actual   any // nil: missing
	holds    bool
}

const (
	finance  = "arn:aws:someservice:*:111122223333:finance/*"
	document = "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"
)

func manual() []operatorRow {
	return []operatorRow{
		// Text, with regard to case; * and ? are themselves.
		{"StringEquals", "prod", "prod", true},
		{"StringEquals", "prod", "Prod", false},
		{"StringEquals", "prod*", "production", false},
		{"StringEquals", list("dev", "prod"), "prod", true}, // any of the values
		{"StringEquals", "prod", nil, false},
		{"StringEqualsIfExists", "prod", nil, true},
		{"StringEqualsIfExists", "prod", "dev", false},
		{"ForAnyValue:StringEquals", list("dev", "prod"), list("qa", "prod"), true},
		{"ForAnyValue:StringEquals", list("dev", "prod"), list("qa"), false},
		{"ForAllValues:StringEquals", list("dev", "prod"), list("prod", "dev"), true},
		{"ForAllValues:StringEquals", list("dev", "prod"), list("prod", "qa"), false},
		{"StringNotEquals", "prod", "dev", true},
		{"StringNotEquals", "prod", "prod", false},
		{"StringNotEquals", list("dev", "prod"), "prod", false}, // none of the values
		{"StringNotEquals", "prod", nil, true},
		{"StringNotEqualsIfExists", "prod", nil, true},
		{"StringNotEqualsIfExists", "prod", "prod", false},
		{"ForAnyValue:StringNotEquals", "prod", list("prod", "qa"), true},
		{"ForAnyValue:StringNotEquals", "prod", list("prod"), false},
		{"ForAllValues:StringNotEquals", "prod", list("qa", "dev"), true},
		{"ForAllValues:StringNotEquals", "prod", list("qa", "prod"), false},

		{"StringEqualsIgnoreCase", "prod", "PrOd", true},
		{"StringEqualsIgnoreCase", "prod", "dev", false},
		{"StringEqualsIgnoreCase", "Ο\u0301Σ\u0301!", "ο\u0301ς\u0301!", true}, // marks are passed over
		{"StringEqualsIgnoreCaseIfExists", "prod", nil, true},
		{"ForAnyValue:StringEqualsIgnoreCase", "prod", list("QA", "PROD"), true},
		{"ForAllValues:StringEqualsIgnoreCase", "prod", list("PROD", "QA"), false},
		{"StringNotEqualsIgnoreCase", "prod", "DEV", true},
		{"StringNotEqualsIgnoreCase", "prod", "PROD", false},
		{"StringNotEqualsIgnoreCaseIfExists", "prod", nil, true},
		{"ForAnyValue:StringNotEqualsIgnoreCase", "prod", list("PROD"), false},
		{"ForAllValues:StringNotEqualsIgnoreCase", "prod", list("QA"), true},

		// * is any run of characters, ? any one; case counts.
		{"StringLike", "team-?/*", "team-a/nested/path", true},
		{"StringLike", "team-?/*", "team-ab/x", false},
		{"StringLike", "Team*", "team", false},
		{"StringLike", "prod", "production", false},
		{"StringLike", "a*c", "a\nb\nc", true},
		{"StringLike", "*a*b*c", "xxaxxbxxbxxc", true},
		{"StringLikeIfExists", "a*", nil, true},
		{"ForAnyValue:StringLike", "a*", list("b", "ab"), true},
		{"ForAllValues:StringLike", "a*", list("b", "ab"), false},
		{"StringNotLike", list("dev*", "prod*"), "staging", true},
		{"StringNotLike", list("dev*", "prod*"), "production", false},
		{"StringNotLikeIfExists", "a*", nil, true},
		{"ForAnyValue:StringNotLike", "a*", list("ab"), false},
		{"ForAllValues:StringNotLike", "a*", list("b"), true},

		{"NumericEquals", 10, "1e1", true},
		{"NumericEquals", "0.1", "1e-2", false},
		{"NumericEqualsIfExists", 10, nil, true},
		{"ForAnyValue:NumericEquals", 10, list("1", "10"), true},
		{"ForAllValues:NumericEquals", 10, list("1", "10"), false},
		{"NumericNotEquals", list("10", "20"), "30", true},
		{"NumericNotEquals", list("10", "20"), "20", false},
		{"NumericNotEqualsIfExists", 10, nil, true},
		{"ForAnyValue:NumericNotEquals", 10, list("10"), false},
		{"ForAllValues:NumericNotEquals", 10, list("9", "11"), true},
		{"NumericLessThan", 10, "9", true},
		{"NumericLessThan", 10, "10", false},
		{"NumericLessThan", 10, "ten", false},
		{"NumericLessThanIfExists", 10, nil, true},
		{"ForAnyValue:NumericLessThan", 10, list("11", "9"), true},
		{"ForAllValues:NumericLessThan", 10, list("11", "9"), false},
		{"NumericLessThanEquals", 10, "10", true},
		{"NumericLessThanEquals", 10, "10.01", false},
		{"NumericLessThanEqualsIfExists", 10, nil, true},
		{"ForAnyValue:NumericLessThanEquals", 10, list("11"), false},
		{"ForAllValues:NumericLessThanEquals", 10, list("10", "-4"), true},
		{"NumericGreaterThan", 10, "11", true},
		{"NumericGreaterThan", 10, "10", false},
		{"NumericGreaterThanIfExists", 10, nil, true},
		{"ForAnyValue:NumericGreaterThan", 10, list("11", "9"), true},
		{"ForAllValues:NumericGreaterThan", 10, list("11", "9"), false},
		{"NumericGreaterThanEquals", 10, "10", true},
		{"NumericGreaterThanEquals", 10, "9.99", false},
		{"NumericGreaterThanEqualsIfExists", 10, nil, true},
		{"ForAnyValue:NumericGreaterThanEquals", 10, list("9"), false},
		{"ForAllValues:NumericGreaterThanEquals", 10, list("10", "11"), true},

		// Dates are ISO 8601 or seconds since 1970, to the millisecond.
		{"DateEquals", "2025-01-01T00:00:00Z", "2025-01-01T01:00:00+01:00", true},
		{"DateEquals", "2025-01-01T00:00:00Z", "1735689600", true},
		{"DateEquals", "1969-12-31T23:59:59.5Z", "-0.5", true},
		{"DateEquals", "2025-01-01T00:00:00Z", "2024-12-31T19:30:00-04:30", true},
		{"DateEquals", "2025-01-01", "2025-01-01T00:00:00.001Z", false},
		{"DateEqualsIfExists", "2025-01-01", nil, true},
		{"ForAnyValue:DateEquals", "2025-01-01", list("2025-01-02", "2025-01-01"), true},
		{"ForAllValues:DateEquals", "2025-01-01", list("2025-01-02", "2025-01-01"), false},
		{"DateNotEquals", "2025-01-01", "2025-01-02", true},
		{"DateNotEquals", "2025-01-01", "2025-01-01T00:00:00Z", false},
		{"DateNotEqualsIfExists", "2025-01-01", nil, true},
		{"ForAnyValue:DateNotEquals", "2025-01-01", list("2025-01-01"), false},
		{"ForAllValues:DateNotEquals", "2025-01-01", list("2025-01-02"), true},
		{"DateLessThan", "2025-01-01", "2024-12-31T23:59:59Z", true},
		{"DateLessThan", "2025-01-01", "2025-01-01", false},
		{"DateLessThanIfExists", "2025-01-01", nil, true},
		{"ForAnyValue:DateLessThan", "2025-01-01", list("2025-01-01", "2024-01-01"), true},
		{"ForAllValues:DateLessThan", "2025-01-01", list("2025-01-01", "2024-01-01"), false},
		{"DateLessThanEquals", "2025-01-01", "2025-01-01", true},
		{"DateLessThanEquals", "2025-01-01", "2025-01-02", false},
		{"DateLessThanEqualsIfExists", "2025-01-01", nil, true},
		{"ForAnyValue:DateLessThanEquals", "2025-01-01", list("2025-01-02"), false},
		{"ForAllValues:DateLessThanEquals", "2025-01-01", list("2025-01-01"), true},
		{"DateGreaterThan", "2025-01-01", "2025-01-02", true},
		{"DateGreaterThan", "2025-01-01", "2025-01-01", false},
		{"DateGreaterThanIfExists", "2025-01-01", nil, true},
		{"ForAnyValue:DateGreaterThan", "2025-01-01", list("2024-01-01", "2025-01-02"), true},
		{"ForAllValues:DateGreaterThan", "2025-01-01", list("2024-01-01", "2025-01-02"), false},
		{"DateGreaterThanEquals", "2025-01-01", "2025-01-01", true},
		{"DateGreaterThanEquals", "2025-01-01", "2024-12-31", false},
		{"DateGreaterThanEqualsIfExists", "2025-01-01", nil, true},
		{"ForAnyValue:DateGreaterThanEquals", "2025-01-01", list("2024-12-31"), false},
		{"ForAllValues:DateGreaterThanEquals", "2025-01-01", list("2025-01-01"), true},

		{"Bool", true, "true", true},
		{"Bool", "true", "false", false},
		{"Bool", "false", nil, false}, // missing is not false
		{"BoolIfExists", "false", nil, true},
		{"ForAnyValue:Bool", "true", list("false", "true"), true},
		{"ForAllValues:Bool", "true", list("false", "true"), false},

		{"BinaryEquals", "aGVsbG8=", "aGVsbG8=", true},
		{"BinaryEquals", "aGVsbG8=", "d29ybGQ=", false},
		{"BinaryEqualsIfExists", "aGVsbG8=", nil, true},
		{"ForAnyValue:BinaryEquals", "aGVsbG8=", list("d29ybGQ=", "aGVsbG8="), true},
		{"ForAllValues:BinaryEquals", "aGVsbG8=", list("d29ybGQ=", "aGVsbG8="), false},

		{"IpAddress", list("192.0.2.0/24", "2001:db8::/32"), "2001:db8::123", true},
		{"IpAddress", "192.0.2.0/24", "::ffff:192.0.2.7", true}, // an IPv4 address in IPv6's clothes
		{"IpAddress", "192.0.2.0/24", "2001:db8::1", false},
		{"IpAddress", "0:2001:db8::/48", ":2001:db8::1", true}, // an empty group is 0
		{"IpAddress", "::/0", "2001:db8::1::2", false},
		{"IpAddress", "::/0", "fe80::1%eth0", false},
		{"IpAddressIfExists", "192.0.2.0/24", nil, true},
		{"ForAnyValue:IpAddress", "192.0.2.0/24", list("10.0.0.1", "192.0.2.1"), true},
		{"ForAllValues:IpAddress", "192.0.2.0/24", list("10.0.0.1", "192.0.2.1"), false},
		{"NotIpAddress", list("192.0.2.0/24", "198.51.100.0/24"), "203.0.113.1", true},
		{"NotIpAddress", list("192.0.2.0/24", "198.51.100.0/24"), "198.51.100.2", false},
		{"NotIpAddressIfExists", "192.0.2.0/24", nil, true},
		{"ForAnyValue:NotIpAddress", "192.0.2.0/24", list("192.0.2.1"), false},
		{"ForAllValues:NotIpAddress", "192.0.2.0/24", list("10.0.0.1"), true},

		// ARNs are compared part by part: the documented example that tells
		// StringLike and ArnLike apart.
		{"StringLike", finance, document, true},
		{"ArnLike", finance, document, false},
		{"ArnLike", finance, "arn:aws:someservice:us-east-2:111122223333:finance/document.txt", true},
		{"ArnLike", "*", document, true},
		{"ArnLike", "arn:aws:lambda:*:*:function:team-*", "arn:aws:lambda:us-east-1:111122223333:function:team-a:live", true},
		{"ArnLike", "arn:aws:iam::*:role/Team-*", "arn:aws:iam::111122223333:role/team-a", false},
		{"ArnLike", "${aws:PrincipalTag/missing}", user, false},
		{"ArnLikeIfExists", finance, nil, true},
		{"ForAnyValue:ArnLike", roles, list(user, role), true},
		{"ForAllValues:ArnLike", roles, list(user, role), false},
		{"ArnEquals", "arn:aws:iam::*:role/team-*", "arn:aws:iam::111122223333:role/team-a", true}, // as ArnLike
		{"ArnEquals", finance, document, false},
		{"ArnEqualsIfExists", finance, nil, true},
		{"ForAnyValue:ArnEquals", roles, list(user), false},
		{"ForAllValues:ArnEquals", roles, list(role), true},
		{"ArnNotLike", roles, user, true},
		{"ArnNotLike", roles, role, false},
		{"ArnNotLikeIfExists", roles, nil, true},
		{"ForAnyValue:ArnNotLike", roles, list(role, user), true},
		{"ForAllValues:ArnNotLike", roles, list(role, user), false},
		{"ArnNotEquals", finance, document, true},
		{"ArnNotEquals", roles, role, false},
		{"ArnNotEqualsIfExists", roles, nil, true},
		{"ForAnyValue:ArnNotEquals", roles, list(role), false},
		{"ForAllValues:ArnNotEquals", roles, list(user), true},

		// Null asks whether the key is missing.
		{"Null", "true", nil, true},
		{"Null", "true", "x", false},
		{"Null", "false", "", true},
		{"Null", false, list("x"), true},
		{"Null", "false", nil, false},
		{"ForAnyValue:Null", "true", nil, true},
		{"ForAllValues:Null", "true", list("x"), false},

		// An empty list of values takes in nothing, not even by negation.
		{"StringEquals", []string{}, "x", false},
		{"StringNotEquals", []string{}, "x", false},
		{"StringNotEquals", []string{}, nil, false},
		{"StringNotEqualsIfExists", []string{}, nil, true},
		{"ForAllValues:StringNotEquals", []string{}, nil, true},
		{"ForAllValues:StringNotEquals", []string{}, list("x"), false},
		{"ForAnyValue:StringNotEquals", []string{}, list("x"), false},
	}
}

func TestEveryOperator(t *testing.T) {
	seen := map[string]map[bool]bool{}
	for _, r := range manual() {
		ctx := Context{}
		if v, ok := values(r.actual); ok {
			ctx["AWS:principaltag/KEY"] = v // keys know no case
		}
		text := conditionText(r.operator, "aws:PrincipalTag/key", r.wanted)
		if got := underAllow(t, Identity, text, ctx); got != r.holds {
			t.Errorf("%s, key %q: Allow admits: %v", text, r.actual, got)
		}
		if got := underDeny(t, Identity, text, ctx); got != r.holds {
			t.Errorf("%s, key %q: Deny refuses: %v", text, r.actual, got)
		}
		if seen[r.operator] == nil {
			seen[r.operator] = map[bool]bool{}
		}
		seen[r.operator][r.holds] = true
	}
	for _, op := range operators() {
		if !seen[op.name][true] || !seen[op.name][false] {
			t.Errorf("%s lacks a row that holds or one that does not", op.name)
		}
		for _, form := range []string{"ForAnyValue:" + op.name, "ForAllValues:" + op.name, op.name + "IfExists"} {
			if op.name != nullOperator && len(seen[form]) == 0 {
				t.Errorf("%s has no row", form)
			}
		}
		delete(seen, op.name)
	}
	for form := range seen {
		if c, hint := readOperator(form); hint != "" || c.quantifier == one && !c.ifExists {
			t.Errorf("rows of %s, which is no form of a listed operator", form)
		}
	}
}

// A key that AWS defines as multivalued matches no operator for one value,
// whichever it is, and so does a key that holds several.
func TestMultivaluedKeysNeedASetOperator(t *testing.T) {
	wanted := map[string]string{"Numeric": "1", "Date": "2025-01-01", "Bool": "true", "Binary": "YQ==", "Ip": "::/0", "NotIp": "::/0", "Arn": "*"}
	for _, op := range operators() {
		if op.name == nullOperator {
			continue
		}
		value := "x"
		for prefix, v := range wanted {
			if strings.HasPrefix(op.name, prefix) {
				value = v
			}
		}
		for _, v := range []Values{{List: []string{value}, Multi: true}, {List: []string{value, value}}} {
			for _, name := range []string{op.name, op.name + "IfExists"} {
				if underAllow(t, Identity, conditionText(name, "k", value), Context{"k": v}) {
					t.Errorf("%s matches %+v", name, v)
				}
			}
		}
	}
}

// Values as IAM stores them, from radkawar/stackd at commit 9dc356f:
// policy_storage in condition_values.json and condition_ip.json.
func TestValuesAsWritten(t *testing.T) {
	rows := map[string]map[string]bool{
		"NumericEquals": {"01": true, "NaN": false, "no-number": false},
		"Bool":          {"TRUE": true, "yes": true},
		"DateEquals":    {"not-a-date": false},
		"ArnLike":       {"not-an-arn": false},
		"BinaryEquals":  {"no-binary": false},
		"Null":          {"yes": true},
		"IpAddress": {
			"not-an-ip": false, "192.0.2.0/24": true, "192.0.2.5/24": true, "192.0.2.0/31": true, "192.0.2.1": true,
			"192.0.2.0/0": true, "192.000.002.0/24": true, "192.000.002.1": true, "192.0.2.0/024": true,
			"192.0.2.0/+24": true, "::ffff:192.0.2.0/120": false, "::ffff:c000:200/120": true,
			"::ffff:192.0.2.1": false, "::ffff:192.0.2.0/24": false, "::192.0.2.0/120": false, "::/0": true,
			"2001:db8::1": true, "2001:db8::1/128": true, "2001:db8::/64": true, "2001:db8::5/64": false,
			"2001:DB8::/064": true, "2001:db8::192.0.2.0/120": false, "192.0.2.0/33": false, "2001:db8::/129": false,
			"2001:db8::5/127": false, "2001:db8::4/127": true, "2001:db8::1/0": false, "2001:db8:::1/128": true,
			"2001:db8::1:/128": true,
		},
	}
	for operator, all := range rows {
		for value, taken := range all {
			text := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:TagUser","Resource":"*","Condition":` +
				conditionText(operator, "aws:RequestTag/value", value) + `}}`
			if _, err := Parse(Identity, text); (err == nil) != taken {
				t.Errorf("%s of %q: %v, IAM takes it: %v", operator, value, err, taken)
			}
			// STS lets stand what IAM does not store, but for binary values.
			if _, err := Parse(Session, text); (err == nil) != (taken || operator != "BinaryEquals") {
				t.Errorf("%s of %q in a session policy: %v", operator, value, err)
			}
		}
	}
}
