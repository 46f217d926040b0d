package policy

import (
	"encoding/json"
	"strings"
	"testing"
)

func parse(t testing.TB, kind Kind, text string) *Document {
	t.Helper()
	d, err := Parse(kind, text)
	if err != nil {
		t.Fatalf("Parse(%s): %v", text, err)
	}
	return d
}

func named(t testing.TB, kind Kind, name, text string) Named {
	t.Helper()
	return Named{Name: name, Document: parse(t, kind, text)}
}

// Who asks in these tests.
const (
	home    = "111122223333"
	abroad  = "444455556666"
	aliceID = "AIDAALICEEXAMPLE1234"
	roleID  = "AROAROLEEXAMPLE12345"
)

func alice() Principal {
	return Principal{Kind: User, Account: home, ARN: "arn:aws:iam::" + home + ":user/alice", ID: aliceID, Name: "alice"}
}

func root() Principal {
	return Principal{Kind: Root, Account: home, ARN: "arn:aws:iam::" + home + ":root", ID: home}
}

func session() Principal {
	return Principal{
		Kind: RoleSession, Account: home, ARN: "arn:aws:sts::" + home + ":assumed-role/lister/one", ID: roleID + ":one",
		RoleARN: "arn:aws:iam::" + home + ":role/path/lister", RoleID: roleID,
	}
}

func anchors() Principal { return Principal{Kind: Service, Name: "rolesanywhere.amazonaws.com"} }

func token() Principal {
	return Principal{Kind: WebIdentity, Name: "arn:aws:iam::" + home + ":oidc-provider/issuer.example"}
}

// values makes the values of a key: nil for none, a string for one, a list for
// a key that AWS defines as multivalued.
func values(v any) (Values, bool) {
	switch v := v.(type) {
	case string:
		return Values{List: []string{v}}, true
	case []string:
		return Values{List: v, Multi: true}, len(v) > 0
	}
	return Values{}, false
}

// list is a key with several values.
func list(v ...string) []string { return v }

// condition is one condition on a key in a policy of the 2012 version; a
// value may be a string, a list or anything that JSON can write.
func conditionText(operator, key string, value any) string {
	b, err := json.Marshal(map[string]any{operator: map[string]any{key: value}})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// underAllow reports whether an Allow under the condition admits, underDeny
// whether a Deny under it refuses what another statement allows.
func underAllow(t *testing.T, kind Kind, condition string, ctx Context) bool {
	t.Helper()
	return evaluate(t, kind, `{"Effect":"Allow","Action":"*","Resource":"*","Condition":`+condition+`}`, ctx).Allowed
}

func underDeny(t *testing.T, kind Kind, condition string, ctx Context) bool {
	t.Helper()
	return evaluate(t, kind, `{"Effect":"Allow","Action":"*","Resource":"*"},
		{"Effect":"Deny","Action":"*","Resource":"*","Condition":`+condition+`}`, ctx).Explicit
}

func evaluate(t *testing.T, kind Kind, statements string, ctx Context) Decision {
	t.Helper()
	doc := named(t, kind, "p", `{"Version":"2012-10-17","Statement":[`+statements+`]}`)
	return Evaluate(Request{Principal: alice(), Action: "iam:TagUser", Resource: "*", Context: ctx}, Policies{Identity: []Named{doc}})
}

const canonicalID = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"

// replace puts a word in the place of %.
func replace(text, word string) string { return strings.Replace(text, "%", word, 1) }
