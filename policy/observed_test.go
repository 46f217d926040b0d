package policy

import "testing"

// Answers of real IAM, recorded by others and told here anew: each row names a
// condition, what the request's key held, and whether an Allow under that
// condition admitted and a Deny under it refused. The policies were session
// policies, in which STS lets malformed values stand.
//
// Sources, in radkawar/stackd at commit 9dc356f:
const (
	recordedValues  = "testdata/aws/iam/condition_values.json"
	recordedSets    = "testdata/aws/iam/condition_sets.json"
	recordedStrings = "testdata/aws/iam/condition_strings.json"
	recordedIP      = "testdata/aws/iam/condition_ip.json"
)

// A recorded row holds for an Allow and a Deny alike, but for onlyDeny.
type recorded struct {
	operator string
	wanted   any
	actual   any // nil: the key is missing
	matched  answer
}

type answer string

const (
	yes      answer = "yes"
	no       answer = "no"
	onlyDeny answer = "only in a Deny"
)

const (
	newYear = "2030-01-01T00:00:00Z"
	users   = "arn:aws:iam::*:user/*"
	roles   = "arn:aws:iam::*:role/*"
	user    = "arn:aws:iam::123456789012:user/test"
	role    = "arn:aws:iam::123456789012:role/test"
	deseret = "\U00010400" // a capital letter beyond the basic plane
	small   = "\U00010428" // its small form
)

func recordings() map[string][]recorded {
	return map[string][]recorded{
		recordedValues: {
			{"NumericEquals", "1", "1", yes}, {"NumericEquals", "1", "2", no},
			{"NumericEquals", "1", "no-number", no}, {"NumericEquals", "1", "", no},
			{"NumericEquals", "1", "01", yes}, {"NumericEquals", "1", "+1", yes},
			{"NumericEquals", "1", "1.0", yes}, {"NumericEquals", "1", "1e0", yes},
			{"NumericEquals", "1", "NaN", no}, {"NumericEquals", "1", "Infinity", no},
			{"NumericEquals", "01", "1", yes}, {"NumericEquals", "+1", "1", yes},
			{"NumericEquals", "1.", "1", yes}, {"NumericEquals", "NaN", "1", no},
			{"NumericEquals", "NaN", "no-number", no},
			{"NumericEquals", "9007199254740993", "9007199254740992", no},
			{"NumericLessThan", "9007199254740993", "9007199254740992", yes},
			{"NumericNotEquals", "1", "1", no}, {"NumericNotEquals", "1", "2", yes},
			{"NumericNotEquals", "1", "no-number", yes}, {"NumericNotEquals", "1", "", yes},
			{"NumericNotEquals", "1", "01", no}, {"NumericNotEquals", "1", "+1", no},
			{"NumericNotEquals", "1", "1.0", no}, {"NumericNotEquals", "1", "1e0", no},
			{"NumericNotEquals", "1", "NaN", yes}, {"NumericNotEquals", "1", "Infinity", yes},
			{"NumericNotEquals", "NaN", "1", yes}, {"NumericNotEquals", "NaN", "no-number", yes},

			{"ForAnyValue:NumericEquals", "1", list("no-number"), no},
			{"ForAnyValue:NumericEquals", "1", list("no-number", "1"), yes},
			{"ForAnyValue:NumericEquals", "1", list("no-number", "2"), no},
			{"ForAnyValue:NumericEquals", "1", list("1", "2"), yes},
			{"ForAllValues:NumericEquals", "1", list("no-number"), no},
			{"ForAllValues:NumericEquals", "1", list("no-number", "1"), no},
			{"ForAllValues:NumericEquals", "1", list("no-number", "2"), no},
			{"ForAllValues:NumericEquals", "1", list("1", "2"), no},
			{"ForAnyValue:NumericNotEquals", "1", list("no-number"), yes},
			{"ForAnyValue:NumericNotEquals", "1", list("no-number", "1"), yes},
			{"ForAnyValue:NumericNotEquals", "1", list("no-number", "2"), yes},
			{"ForAnyValue:NumericNotEquals", "1", list("1", "2"), yes},
			{"ForAllValues:NumericNotEquals", "1", list("no-number"), yes},
			{"ForAllValues:NumericNotEquals", "1", list("no-number", "1"), no},
			{"ForAllValues:NumericNotEquals", "1", list("no-number", "2"), yes},
			{"ForAllValues:NumericNotEquals", "1", list("1", "2"), no},

			{"DateEquals", newYear, newYear, yes}, {"DateEquals", newYear, "2030-01-02T00:00:00Z", no},
			{"DateEquals", newYear, "not-a-date", no}, {"DateEquals", newYear, "", no},
			{"DateEquals", newYear, "1893456000", yes}, {"DateEquals", newYear, "2030-01-01", yes},
			{"DateEquals", newYear, "+1893456000", yes}, {"DateEquals", newYear, "2030-01-01T00:00:00", yes},
			{"DateEquals", newYear, "2030-01-01T00:00:00.0001Z", yes},
			{"DateEquals", "2030-01-01T00:00:00.1231Z", "2030-01-01T00:00:00.1239Z", yes},
			{"DateEquals", "not-a-date", newYear, no}, {"DateEquals", "not-a-date", "not-a-date", no},
			{"DateNotEquals", newYear, newYear, no}, {"DateNotEquals", newYear, "2030-01-02T00:00:00Z", yes},
			{"DateNotEquals", newYear, "not-a-date", yes}, {"DateNotEquals", newYear, "", yes},
			{"DateNotEquals", newYear, "1893456000", no}, {"DateNotEquals", newYear, "2030-01-01", no},
			{"DateNotEquals", "not-a-date", newYear, yes}, {"DateNotEquals", "not-a-date", "not-a-date", yes},

			{"Bool", "true", "true", yes}, {"Bool", "true", "false", no}, {"Bool", "true", "True", yes},
			{"Bool", "true", "TRUE", yes}, {"Bool", "true", "yes", no}, {"Bool", "true", "1", no},
			{"Bool", "true", "", no}, {"Bool", "true", " true ", no},
			{"Bool", "false", "true", no}, {"Bool", "false", "false", yes}, {"Bool", "false", "True", no},
			{"Bool", "false", "TRUE", no}, {"Bool", "false", "yes", yes}, {"Bool", "false", "1", yes},
			{"Bool", "false", "", yes}, {"Bool", "false", " true ", yes},
			{"Bool", "TRUE", "true", yes}, {"Bool", "False", "false", yes}, {"Bool", "yes", "false", yes},

			{"BinaryEquals", "YQ==", "YQ==", yes}, {"BinaryEquals", "YQ==", "Yg==", no},
			{"BinaryEquals", "YQ==", "YQ", no}, {"BinaryEquals", "YQ==", "YR==", no},
			{"BinaryEquals", "YQ==", "no-binary", no}, {"BinaryEquals", "YQ==", "", no},
			{"BinaryEquals", "YQ==", " YQ== ", no},

			{"ArnLike", users, user, yes}, {"ArnLike", users, role, no},
			{"ArnLike", users, "not-an-arn", no}, {"ArnLike", users, "", no},
			{"ArnNotLike", users, user, no}, {"ArnNotLike", users, role, yes},
			{"ArnNotLike", users, "not-an-arn", no}, {"ArnNotLike", users, "", no},
			{"ArnLike", "not-an-arn", user, onlyDeny}, {"ArnLike", "not-an-arn", "not-an-arn", no},
			{"ArnNotLike", "not-an-arn", user, onlyDeny}, {"ArnNotLike", "not-an-arn", "not-an-arn", no},
			{"ArnLike", list("not-an-arn", users), user, onlyDeny}, {"ArnLike", list(users, "not-an-arn"), user, yes},
			{"ArnLike", list("not-an-arn", roles), user, onlyDeny}, {"ArnLike", list(roles, "not-an-arn"), user, onlyDeny},
			{"ArnNotLike", list("not-an-arn", users), user, onlyDeny}, {"ArnNotLike", list(users, "not-an-arn"), user, no},
			{"ArnNotLike", list("not-an-arn", roles), user, onlyDeny}, {"ArnNotLike", list(roles, "not-an-arn"), user, onlyDeny},

			{"Null", "yes", "present", yes}, {"Null", "TRUE", "present", no},
		},
		recordedSets: {
			{"StringEquals", "team", nil, no}, {"StringEquals", "team", list("team"), no},
			{"StringEquals", "team", list("env"), no}, {"StringEquals", "team", list("team", "env"), no},
			{"StringNotEquals", "team", nil, yes}, {"StringNotEquals", "team", list("team"), no},
			{"StringNotEquals", "team", list("env"), no}, {"StringNotEquals", "team", list("team", "env"), no},
			{"StringEqualsIfExists", "team", nil, yes}, {"StringEqualsIfExists", "team", list("team"), no},
			{"StringEqualsIfExists", "team", list("env"), no}, {"StringEqualsIfExists", "team", list("team", "env"), no},
			{"StringNotEqualsIfExists", "team", nil, yes}, {"StringNotEqualsIfExists", "team", list("team"), no},
			{"StringNotEqualsIfExists", "team", list("env"), no}, {"StringNotEqualsIfExists", "team", list("team", "env"), no},
			{"ForAnyValue:StringEquals", "team", nil, no}, {"ForAnyValue:StringEquals", "team", list("team"), yes},
			{"ForAnyValue:StringEquals", "team", list("env"), no}, {"ForAnyValue:StringEquals", "team", list("team", "env"), yes},
			{"ForAllValues:StringEquals", "team", nil, yes}, {"ForAllValues:StringEquals", "team", list("team"), yes},
			{"ForAllValues:StringEquals", "team", list("env"), no}, {"ForAllValues:StringEquals", "team", list("team", "env"), no},
			{"ForAnyValue:StringNotEquals", "team", nil, no}, {"ForAnyValue:StringNotEquals", "team", list("team"), no},
			{"ForAnyValue:StringNotEquals", "team", list("env"), yes}, {"ForAnyValue:StringNotEquals", "team", list("team", "env"), yes},
			{"ForAllValues:StringNotEquals", "team", nil, yes}, {"ForAllValues:StringNotEquals", "team", list("team"), no},
			{"ForAllValues:StringNotEquals", "team", list("env"), yes}, {"ForAllValues:StringNotEquals", "team", list("team", "env"), no},
			{"Null", "true", "", no}, {"Null", "true", "capture", no}, {"Null", "true", nil, yes},
			{"Null", "false", "", yes}, {"Null", "false", "capture", yes}, {"Null", "false", nil, no},
			{"StringEquals", "", "", yes}, {"StringEquals", "", "capture", no}, {"StringEquals", "", nil, no},
			{"ForAllValues:StringEquals", "capture", "", no}, {"ForAllValues:StringEquals", "capture", "capture", yes},
			{"ForAllValues:StringEquals", "capture", nil, yes},
			{"ForAnyValue:StringEquals", "", "", yes}, {"ForAnyValue:StringEquals", "", "capture", no},
			{"ForAnyValue:StringEquals", "", nil, no},
		},
		recordedStrings: {
			{"StringEqualsIgnoreCase", "prod", "PrOd", yes}, {"StringNotEqualsIgnoreCase", "prod", "PrOd", no},
			{"StringEqualsIgnoreCase", "I", "ı", no}, {"StringNotEqualsIgnoreCase", "I", "ı", yes},
			{"StringEqualsIgnoreCase", "i", "İ", no}, {"StringNotEqualsIgnoreCase", "i", "İ", yes},
			{"StringEqualsIgnoreCase", "K", "\u212a", yes}, {"StringNotEqualsIgnoreCase", "K", "\u212a", no},
			{"StringEqualsIgnoreCase", "s", "ſ", no}, {"StringNotEqualsIgnoreCase", "s", "ſ", yes},
			{"StringEqualsIgnoreCase", "ß", "ẞ", yes}, {"StringNotEqualsIgnoreCase", "ß", "ẞ", no},
			{"StringEqualsIgnoreCase", "ß", "SS", no}, {"StringNotEqualsIgnoreCase", "ß", "SS", yes},
			{"StringEqualsIgnoreCase", "Σ", "ς", no}, {"StringNotEqualsIgnoreCase", "Σ", "ς", yes},
			{"StringEqualsIgnoreCase", "Σ", "σ", yes}, {"StringNotEqualsIgnoreCase", "Σ", "σ", no},
			{"StringEqualsIgnoreCase", "ΟΣ", "ος", yes}, {"StringNotEqualsIgnoreCase", "ΟΣ", "ος", no},
			{"StringEqualsIgnoreCase", "ΟΣ", "οσ", no}, {"StringNotEqualsIgnoreCase", "ΟΣ", "οσ", yes},
			{"StringEqualsIgnoreCase", "ΟΣΑ", "οσα", yes}, {"StringNotEqualsIgnoreCase", "ΟΣΑ", "οσα", no},
			{"StringEqualsIgnoreCase", "É", "é", yes},
			{"StringLike", "a[b]", "ab", no}, {"StringNotLike", "a[b]", "ab", yes},
			{"StringEquals", deseret, deseret, yes}, {"StringNotEquals", deseret, deseret, no},
			{"StringEquals", deseret, small, no}, {"StringNotEquals", deseret, small, yes},
			{"ForAnyValue:StringEqualsIgnoreCase", "S", list("ſ"), no}, {"ForAllValues:StringEqualsIgnoreCase", "S", list("ſ"), no},
			{"ForAnyValue:StringEqualsIgnoreCase", "ΟΣ", list("ος"), yes}, {"ForAllValues:StringEqualsIgnoreCase", "ΟΣ", list("ος"), yes},
			{"ForAnyValue:StringLike", "a?", list("a" + deseret), no}, {"ForAllValues:StringLike", "a?", list("a" + deseret), no},
			{"ForAnyValue:StringLike", "a??", list("a" + deseret), yes}, {"ForAllValues:StringLike", "a??", list("a" + deseret), yes},
		},
		recordedIP: networks(),
	}
}

// networks are recorded for IpAddress and NotIpAddress each; a request's
// address or a network that cannot be read has an answer of its own.
func networks() []recorded {
	var rows []recorded
	both := func(network, address string, match, negated answer) {
		rows = append(rows, recorded{"IpAddress", network, address, match}, recorded{"NotIpAddress", network, address, negated})
	}
	for _, in := range [][2]string{
		{"192.0.2.0/24", "192.0.2.0"}, {"192.0.2.0/24", "192.0.2.255"}, {"192.0.2.0/24", "192.000.2.1"},
		{"192.0.2.5/24", "192.0.2.1"}, {"192.0.2.0/31", "192.0.2.1"}, {"192.0.2.1", "192.0.2.1"},
		{"192.0.2.0/0", "203.0.113.1"}, {"192.000.002.0/24", "192.0.2.1"}, {"192.000.002.1", "192.0.2.1"},
		{"192.0.2.0/024", "192.0.2.1"}, {"192.0.2.0/+24", "192.0.2.1"}, {"::/0", "2001:db8::1"},
		{"2001:db8::1", "2001:db8::1"}, {"2001:db8::/64", "2001:db8:0:0:ffff:ffff:ffff:ffff"},
		{"2001:DB8::/064", "2001:0db8:0000:0000:0000:0000:0000:0001"}, {"2001:db8::/64", "2001:db8:::1"},
	} {
		both(in[0], in[1], yes, no)
	}
	for _, out := range [][2]string{
		{"192.0.2.0/24", "192.0.3.1"}, {"192.0.2.0/31", "192.0.2.2"}, {"192.0.2.1", "192.0.2.2"},
		{"192.0.2.0/0", "2001:db8::1"}, {"2001:db8::1", "2001:db8::2"}, {"2001:db8::1/128", "2001:db8::2"},
		{"2001:db8::/64", "2001:db8:0:1::"},
		// Networks that cannot be read, or IPv6 networks with bits beyond the prefix.
		{"2001:db8::5/64", "2001:db8::1"}, {"2001:db8::192.0.2.0/120", "2001:db8::c000:201"},
		{"192.0.2.0/33", "192.0.2.1"}, {"2001:db8::/129", "2001:db8::1"}, {"not-an-ip", "192.0.2.1"},
	} {
		both(out[0], out[1], no, yes)
	}
	for _, bad := range [][2]string{
		{"192.0.2.0/24", "not-an-ip"}, {"192.0.2.0/24", ""}, {"192.0.2.0/24", "192.0.2.1/32"},
		{"2001:db8::/64", "2001:db8::192.0.2.1"}, {"not-an-ip", "not-an-ip"},
	} {
		both(bad[0], bad[1], no, no)
	}
	return rows
}

func TestRecordedAnswersOfIAM(t *testing.T) {
	rows := 0
	for source, all := range recordings() {
		for _, r := range all {
			rows++
			ctx := Context{}
			if v, ok := values(r.actual); ok {
				ctx["aws:RequestTag/value"] = v
			}
			text := conditionText(r.operator, "aws:RequestTag/value", r.wanted)
			if got, want := underAllow(t, Session, text, ctx), r.matched == yes; got != want {
				t.Errorf("%s: key %q: an Allow under %s admits: %v, recorded %v", source, r.actual, text, got, want)
			}
			if got, want := underDeny(t, Session, text, ctx), r.matched != no; got != want {
				t.Errorf("%s: key %q: a Deny under %s refuses: %v, recorded %v", source, r.actual, text, got, want)
			}
		}
	}
	if rows < 250 {
		t.Errorf("%d rows, want 250", rows)
	}
	t.Logf("%d rows, each tried in an Allow and in a Deny", rows)
}

// Variables in values, from the same recordings.
func TestRecordedVariables(t *testing.T) {
	for _, r := range []struct {
		source, operator, wanted string
		tags                     map[string]string
		matched                  answer
	}{
		{recordedSets, "StringEquals", "${aws:TagKeys}", map[string]string{"value": "value"}, no},
		{recordedSets, "StringEquals", "${aws:TagKeys}", map[string]string{"value": "value", "env": "env"}, no},
		{recordedSets, "StringEquals", "${aws:TagKeys, 'fallback'}", map[string]string{"value": "value"}, no},
		{recordedSets, "StringEquals", "${aws:TagKeys, 'fallback'}", map[string]string{"value": "fallback"}, no},
		{recordedSets, "StringNotEquals", "${aws:TagKeys}", map[string]string{"value": "value"}, yes},
		{recordedSets, "StringNotEquals", "${aws:TagKeys, 'fallback'}", map[string]string{"value": "fallback"}, yes},
		{recordedStrings, "StringEqualsIgnoreCase", "${aws:RequestTag/pattern}", map[string]string{"pattern": "S", "value": "ſ"}, no},
		{recordedStrings, "StringEqualsIgnoreCase", "${aws:RequestTag/pattern}", map[string]string{"pattern": "ΟΣ", "value": "ος"}, yes},
		{recordedStrings, "StringEqualsIgnoreCase", "${aws:RequestTag/pattern}", map[string]string{"pattern": deseret, "value": small}, no},
		{recordedStrings, "StringLike", "${aws:RequestTag/pattern}?", map[string]string{"pattern": deseret, "value": deseret + "x"}, yes},
		{recordedValues, "ArnLike", "${aws:RequestTag/pattern}", map[string]string{"pattern": "not-an-arn", "value": user}, onlyDeny},
		{recordedValues, "ArnLike", "${aws:RequestTag/pattern}", map[string]string{"pattern": "not-an-arn", "value": "not-an-arn"}, no},
		{recordedValues, "ArnNotLike", "${aws:RequestTag/pattern}", map[string]string{"pattern": "not-an-arn", "value": user}, onlyDeny},
		{recordedValues, "ArnNotLike", "${aws:RequestTag/pattern}", map[string]string{"pattern": "not-an-arn", "value": "not-an-arn"}, no},
	} {
		ctx := Context{}
		var keys []string
		for k, v := range r.tags {
			ctx.Set("aws:RequestTag/"+k, v)
			keys = append(keys, k)
		}
		ctx.SetMulti("aws:TagKeys", keys...)
		text := conditionText(r.operator, "aws:RequestTag/value", r.wanted)
		if got, want := underAllow(t, Session, text, ctx), r.matched == yes; got != want {
			t.Errorf("%s: tags %v: an Allow under %s admits: %v, recorded %v", r.source, r.tags, text, got, want)
		}
		if got, want := underDeny(t, Session, text, ctx), r.matched != no; got != want {
			t.Errorf("%s: tags %v: a Deny under %s refuses: %v, recorded %v", r.source, r.tags, text, got, want)
		}
	}
}
