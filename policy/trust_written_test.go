package policy

import (
	"strings"
	"testing"
)

// Refusals of trust policies, told anew from versity/versitygw,
// iamapi/policy/trust_test.go, which says that it has them from real IAM.
// Where it and the recordings below differ, the recordings stand: sts:* is
// refused, and wildcards in a required claim pass but for a lone *.
func TestTrustPoliciesAsWritten(t *testing.T) {
	for _, w := range trustRows() {
		w.check(t, Trust)
	}
}

func trustRows() []written {
	const who, act = `"Principal":{"AWS":"111122223333"}`, `"Action":"sts:AssumeRole"`
	return []written{
		{`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},` + act + `}]}`, ""},
		{`{"Version":"2008-10-17","Statement":{"Effect":"Allow",` + who + `,` + act + `}}`, ""},
		{`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"*","Service":"sts.amazonaws.com"},` + act + `}]}`, ""},
		{`{"Statement":[{"Effect":"Allow",` + who + `,"Action":["sts:AssumeRole","sts:TagSession"]}]}`, ""},
		{`{"Statement":[{"Effect":"Deny",` + who + `,"NotAction":"sts:AssumeRole"}]}`, ""},
		{`{«»invalid json`, "This policy contains invalid Json"},
		{`{"Version":«»"2020-01-01","Statement":[{"Effect":"Allow",` + who + `,` + act + `}]}`, "The policy must contain a valid version string"},
		{`{"Statement":«»[]}`, "Could not parse the policy: Statement is empty!"},
		{`«»{"Version":"2012-10-17"}`, "Could not parse the policy: Statement is empty!"},
		{`{"Statement":[{"Effect":«»"Maybe",` + who + `,` + act + `}]}`, "Invalid effect: Maybe"},
		{`{"Statement":[«»{` + who + `,` + act + `}]}`, "Missing required field Effect"},
		{`{"Statement":[«»{"Effect":"Allow",` + act + `}]}`, "Missing required field Principal"},
		{`{"Statement":[{"Effect":"Allow","Principal":«»{},` + act + `}]}`, "Missing required field Principal cannot be empty!"},
		{`{"Statement":[{"Effect":"Allow","Principal":«»{"AWS":[]},` + act + `}]}`, errNobody},
		{`{"Statement":[{"Effect":"Allow","Principal":«»{"AWS":[],"Service":[]},` + act + `}]}`, errNobody},
		{`{"Statement":[{"Effect":"Allow","Principal":{"AWS":[],"Service":"sts.amazonaws.com"},` + act + `}]}`, ""},
		{`{"Statement":[{"Effect":"Allow","Principal":«»"*",` + act + `}]}`, "Principal must be a JSON object."},
		{`{"Statement":[{"Effect":"Allow","Principal":«»["a"],` + act + `}]}`, "Syntax error in policy."},
		{`{"Statement":[{"Effect":"Allow","Principal":{"Service":«»"invalid"},` + act + `}]}`, `Invalid principal in policy: "SERVICE":"invalid"`},
		{`{"Statement":[{"Effect":"Allow","NotPrincipal":«»{"AWS":"*"},` + act + `}]}`, errAllowNot},
		{`{"Statement":[{"Effect":"Deny","NotPrincipal":«»{"AWS":"*"},` + act + `}]}`, errNotPrincipal},
		{`{"Statement":[«»{"Effect":"Allow",` + who + `}]}`, "Missing required field Action"},
		{`{"Statement":[{"Effect":"Allow",` + who + `,` + act + `,"NotAction":«»"sts:TagSession"}]}`, "Syntax error in policy."},
		{`{"Statement":[{"Effect":"Allow",` + who + `,"Action":«»"*"}]}`, errSTSOnly},
		{`{"Statement":[{"Effect":"Allow",` + who + `,"Action":"s3:GetObject"}]}`, errSTSOnly},
		{`{"Statement":[{"Effect":"Deny",` + who + `,"NotAction":"s3:GetObject"}]}`, errSTSOnly},
		{`{"Statement":[{"Effect":"Allow",` + who + `,` + act + `,"Resource":«»"*"}]}`, "Has prohibited field Resource"},
		{`{"Statement":[{"Effect":"Allow",` + who + `,` + act + `,"NotResource":"*"}]}`, "AssumeRole policy must not contain resources."},
		{`{"Statement":[{"Sid":"D","Effect":"Allow",` + who + `,` + act + `},{"Sid":«»"D","Effect":"Allow",` + who + `,` + act + `}]}`, "The Statement Ids in the policy are not unique"},
		{`{"Statement":[{«»"principal":{"AWS":"*"},"Effect":"Allow",` + act + `}]}`, "Unknown field principal"},
		{`{"Statement":[{"Sid":«»"a b","Effect":"Allow",` + who + `,` + act + `}]}`, "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"},
		// Every form of principal that is none.
		{`{"Statement":[{"Effect":"Allow","Principal":{"AWS":«»"arn:aws:iam::111122223333:role/*"},` + act + `}]}`, `Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:role/*"`},
		{`{"Statement":[{"Effect":"Allow","Principal":{"AWS":["*",«»"1234"]},` + act + `}]}`, `Invalid principal in policy: "AWS":"1234"`},
		{`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:group/g"},` + act + `}]}`, `Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:group/g"`},
		{`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:sts::111122223333:assumed-role/r"},` + act + `}]}`, `Invalid principal in policy: "AWS":"arn:aws:sts::111122223333:assumed-role/r"`},
		{`{"Statement":[{"Effect":"Allow","Principal":{"Service":"*"},` + act + `}]}`, `Invalid principal in policy: "SERVICE":"*"`},
		{`{"Statement":[{"Effect":"Allow","Principal":{"Federated":«»"token.actions.githubusercontent.com"},` + act + `}]}`, `Invalid principal in policy: "FEDERATED":"token.actions.githubusercontent.com"`},
		{`{"Statement":[{"Effect":"Allow","Principal":{«»"CanonicalUser":"` + canonicalID + `"},` + act + `}]}`, `Invalid principal in policy: "CanonicalUser"`},
		{`{"Statement":[{"Effect":"Allow","Principal":{"Everyone":"x"},` + act + `}]}`, `Invalid principal in policy: "Everyone"`},
		{`{"Statement":[{"Effect":"Allow","Principal":{"AWS":«»{}},` + act + `}]}`, "Syntax error in policy."},
	}
}

// Principals of resource policies: a bare * and canonical users are S3's.
func TestResourcePrincipalsAsWritten(t *testing.T) {
	const rest = `,"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}`
	for _, w := range []written{
		{`{"Statement":{"Effect":"Allow","Principal":"*"` + rest, ""},
		{`{"Statement":{"Sid":"with space","Effect":"Allow","Principal":{"CanonicalUser":"` + canonicalID + `"}` + rest, ""},
		{`{"Statement":{"Effect":"Allow","Principal":{"CanonicalUser":«»"me"}` + rest, `Invalid principal in policy: "CANONICALUSER":"me"`},
		{`{"Statement":{"Effect":"Allow","Principal":«»"everybody"` + rest, "Principal must be a JSON object."},
		{`{"Statement":{"Effect":"Allow","NotPrincipal":«»{"AWS":"*"}` + rest, errAllowNot},
		{`{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":"111122223333"}` + rest, ""},
	} {
		w.check(t, Resource)
	}
}

// What IAM requires of a trust policy for an identity provider that many
// share: recorded from real IAM in radkawar/stackd at commit 9dc356f,
// iam/policy/testdata/oidc_trust_controls*_aws.json.
func TestSharedProvidersAsWritten(t *testing.T) {
	type row struct {
		operator string
		value    any
		taken    bool
	}
	common := []row{
		{"StringEquals", "owned-value", true}, {"StringEquals", "*", false},
		{"StringEquals", list("*", "owned-value"), false}, {"StringEquals", []string{}, true},
		{"StringLike", "owned:*", true}, {"StringLike", "*", false}, {"StringLike", []string{}, true},
		{"StringLike", list("*", "owned-value"), false}, {"StringNotEquals", "owned-value", false},
		{"StringEqualsIfExists", "owned-value", false}, {"StringLikeIfExists", "owned:*", false},
		{"StringEqualsIgnoreCase", "owned-value", true}, {"StringEqualsIgnoreCase", list("*", "owned-value"), false},
		{"ForAnyValue:StringEquals", "owned-value", true}, {"ForAnyValue:StringEquals", list("*", "owned-value"), false},
		{"ForAllValues:StringEquals", "owned-value", true}, {"ForAllValues:StringLike", list("*", "owned-value"), false},
		{"Null", "false", false}, {"Null", "true", false}, {"NumericEquals", "1", false}, {"Bool", "true", false},
	}
	// A wildcard, two or nothing at all narrow enough for all but GitHub.
	lenient := append([]row{
		{"StringEquals", "?", true}, {"StringEquals", "**", true}, {"StringEquals", "*?", true}, {"StringEquals", "", true},
		{"StringLike", "?", true}, {"StringLike", "**", true}, {"StringLike", "*?", true}, {"StringLike", "", true},
	}, common...)
	strict := append([]row{
		{"StringLike", "??", true}, {"StringLike", "?*", true}, {"StringLike", "*??", false}, {"StringLike", "??*", true},
		{"StringLike", "*owned", false}, {"StringLike", "?owned", true}, {"StringLike", "owned*", true},
		{"StringLike", "*?owned", false}, {"StringLike", " ", false}, {"StringLike", "${aws:username}", true},
	}, common...)
	const text = "Trust policy with trusted principal %s must evaluate, using StringEquals, StringLike or StringEqualsIgnoreCase, %s which is not scoped to all."
	provider := "arn:aws:iam::123456789012:oidc-provider/"
	for _, p := range []struct {
		principal, key, named, keys string
		rows                        []row
	}{
		{cognito, cognito + ":aud", cognito, cognito + ":aud", lenient},
		{provider + "gitlab.com", "gitlab.com:sub", "gitlab.com", "gitlab.com:sub", lenient},
		{provider + "app.terraform.io", "APP.TERRAFORM.IO:SUB", "app.terraform.io", "app.terraform.io:sub", lenient},
		{provider + github, github + ":sub", provider + github, github + ":sub or " + github + ":job_workflow_ref", strict},
		{provider + github, github + ":job_workflow_ref", provider + github, github + ":sub or " + github + ":job_workflow_ref", common},
	} {
		refusal := strings.Replace(strings.Replace(text, "%s", p.named, 1), "%s", p.keys, 1)
		for _, r := range p.rows {
			w := written{text: webTrust("Allow", p.principal, conditionText(r.operator, p.key, r.value))}
			if !r.taken {
				w.message = refusal
			}
			w.check(t, Trust)
		}
		written{webTrust("Deny", p.principal, `{}`), ""}.check(t, Trust)
		// One block that narrows is enough; a key that does not spoils its own block.
		narrow, wide := `"StringEquals":{"`+p.key+`":"x"}`, `"StringLike":{"`+p.key+`":"*"}`
		written{webTrust("Allow", p.principal, `{`+narrow+`,`+wide+`}`), ""}.check(t, Trust)
	}
	for _, w := range []written{
		{webTrust("Allow", cognito, ""), "A condition block must be present for the Cognito provider"},
		{webTrust("Allow", provider+"gitlab.com/private", ""), ""},
		{webTrust("Allow", provider+"idp.example.com", ""), ""},
		{strings.ReplaceAll(webTrust("Allow", cognito, ""), webIdentityAction, "sts:TagSession"), ""},
		{strings.ReplaceAll(webTrust("Allow", cognito, ""), webIdentityAction, "sts:*"), errSTSOnly},
		{strings.ReplaceAll(webTrust("Allow", cognito, ""), webIdentityAction, "STS:assumerolewithwebidentity"), errSTSOnly},
		{webTrust("Allow", provider+github, `{"StringEquals":{"`+github+`:sub":"*","`+github+`:job_workflow_ref":"x"}}`),
			"Trust policy with trusted principal " + provider + github + " must evaluate, using StringEquals, StringLike or StringEqualsIgnoreCase, " + github + ":sub or " + github + ":job_workflow_ref which is not scoped to all."},
	} {
		w.check(t, Trust)
	}
	for _, suffix := range []string{"/private", ".example.test", "other"} {
		issuer := github + suffix
		written{webTrust("Allow", provider+issuer, `{"StringEquals":{"`+github+`:sub":"x"}}`),
			"Trust policy with trusted principal " + provider + issuer + " must evaluate, using StringEquals, StringLike or StringEqualsIgnoreCase, " + issuer + ":sub or " + issuer + ":job_workflow_ref which is not scoped to all."}.check(t, Trust)
	}
}

// The providers that IAM has built in, from the same recordings: one of some
// claims must be compared, with any value.
func TestBuiltInProvidersAsWritten(t *testing.T) {
	for issuer, claims := range map[string]map[string]bool{
		"accounts.google.com": {"aud": true, "oaud": true, "sub": true, "app_id": false, "amr": false, "email": false, "user_id": false, "id": false, "anything": false, "SUB": false},
		"www.amazon.com":      {"app_id": true, "sub": true, "aud": false, "oaud": false, "amr": false, "email": false, "SUB": false},
		"graph.facebook.com":  {"app_id": true, "sub": true, "amr": false, "email": false, "user_id": false, "id": false, "SUB": false},
	} {
		refusal := "Policy trusting " + issuer + " requires a StringEquals condition on an application id"
		expect := func(taken bool, condition string) {
			w := written{text: webTrust("Allow", issuer, condition)}
			if !taken {
				w.message = refusal
			}
			w.check(t, Trust)
		}
		first := ""
		for claim, taken := range claims {
			expect(taken, conditionText("StringEquals", issuer+":"+claim, "owned-value"))
			if taken {
				first = issuer + ":" + claim
			}
		}
		for operator, taken := range map[string]bool{
			"StringEqualsIgnoreCase": true, "ForAnyValue:StringEquals": true, "ForAllValues:StringEquals": true,
			"StringLike": false, "StringEqualsIfExists": false, "StringNotEquals": false,
		} {
			expect(taken, conditionText(operator, first, "owned-value"))
		}
		expect(true, conditionText("StringEquals", first, "*"))
		expect(true, conditionText("StringEquals", first, []string{}))
		expect(false, conditionText("StringEquals", strings.ToUpper(first), "x"))
		expect(false, "")
		written{webTrust("Deny", issuer, ""), ""}.check(t, Trust)
	}
}

// Every provider of AWS's table needs its claim.
func TestEverySharedProvider(t *testing.T) {
	all := sharedProviders()
	if len(all) != 22 {
		t.Errorf("%d shared providers, AWS's table has 22", len(all))
	}
	for issuer, key := range all {
		principal := "arn:aws:iam::123456789012:oidc-provider/" + issuer
		if issuer == cognito {
			principal = issuer
		}
		if _, err := Parse(Trust, webTrust("Allow", principal, "")); err == nil {
			t.Errorf("%s is trusted without a condition", issuer)
		}
		if _, err := Parse(Trust, webTrust("Allow", principal, conditionText("StringEquals", key, "mine"))); err != nil {
			t.Errorf("%s with %s: %v", issuer, key, err)
		}
	}
}

func webTrust(effect, principal, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return `{"Version":"2012-10-17","Statement":{"Effect":"` + effect + `","Principal":{"Federated":"` + principal +
		`"},"Action":"` + webIdentityAction + `"` + condition + `}}`
}
