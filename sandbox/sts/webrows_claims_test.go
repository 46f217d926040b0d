package sts_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	tagsClaim   = "https://aws.amazon.com/tags"
	sourceClaim = "https://aws.amazon.com/source_identity"
	rolesClaim  = "https://aws.amazon.com/roles"
)

func timeRows() map[string][]row {
	at := func(claim string, d time.Duration) func(*stage) {
		return func(s *stage) { s.claim(claim, s.seconds(d)) }
	}
	is := func(claim string, value any) func(*stage) { return func(s *stage) { s.claim(claim, value) } }
	fraction := func(claim string) func(*stage) {
		return func(s *stage) { s.claim(claim, float64(s.now())+0.5) }
	}
	return map[string][]row{
		"token-timestamp": {
			{"iat with a fraction", fraction("iat"), ""},
			{"exp with a fraction", fraction("exp"), ""},
			{"nbf with a fraction", fraction("nbf"), ""},
			{"iat is null", is("iat", nil), ""},
			{"nbf is a word", is("nbf", "invalid"), ""},
			{"exp is true", is("exp", true), ""},
			{"exp is a list", is("exp", []int{1}), ""},
			{"exp beyond 64 bits", func(s *stage) { s.raw = strings.Replace(text(s.T, s.claims), `"exp":`, `"exp":99999999999`, 1) }, ""},
			{"exp with an exponent", func(s *stage) { s.raw = strings.Replace(text(s.T, s.claims), `"exp":`, `"exp":9e9,"x":`, 1) }, ""},
			{"exp twice, the last is junk", func(s *stage) { s.repeat("exp", s.seconds(time.Hour), "junk") }, ""},
		},
		"token-issued-in-future": {
			{"an hour", at("iat", time.Hour), "Token issued in the future: "},
			{"over 5 minutes", at("iat", 5*time.Minute+5*time.Second), ""},
		},
		"token-not-yet-valid": {
			{"an hour", at("nbf", time.Hour), "Token not yet valid: current date/time "},
			{"over 5 minutes", at("nbf", 5*time.Minute+5*time.Second), ""},
		},
		"token-expired": {
			{"5 minutes", at("exp", -5*time.Minute), "Token expired: current date/time "},
			{"an hour", at("exp", -time.Hour), ""},
			{"before 1970", is("exp", -1), ""},
			{"the world's clock went on", func(s *stage) { s.token = s.compact(); s.s.World.Advance(21 * time.Minute) }, ""},
			{"exp twice, the last is over", func(s *stage) { s.repeat("exp", s.seconds(time.Hour), s.seconds(-time.Hour)) }, ""},
		},
	}
}

func claimRows() map[string][]row {
	const generic = "The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements."
	is := func(claim string, value any) func(*stage) { return func(s *stage) { s.claim(claim, value) } }
	both := func(a string, av any, b string, bv any) func(*stage) {
		return func(s *stage) { s.claim(a, av); s.claim(b, bv) }
	}
	type object = map[string]any
	nested := func(tags any) object { return object{"principal_tags": tags} }
	one := func(key, value string) object { return nested(object{key: []string{value}}) }
	flat := func(key string) string { return tagsClaim + "/principal_tags/" + key }
	own := account + "role/bearer"
	return map[string][]row{
		"token-subject-null":   {{"null", is("sub", nil), ""}},
		"token-audience-empty": {{"empty list", is("aud", []string{}), ""}},
		"token-audiences": {
			{"first is the client", is("aud", []string{"client-a", "other"}), ""},
			{"second is the client", is("aud", []string{"other", "client-a"}), ""},
			{"both are clients", is("aud", []string{"client-b", "client-a"}), ""},
		},
		"token-audience": {
			{"other", is("aud", "other"), "Incorrect token audience"},
			{"case", is("aud", "Client-A"), ""},
			{"the API server's", is("aud", []string{"https://kubernetes.default.svc"}), ""},
			{"empty", is("aud", ""), generic},
			{"azp is another", is("azp", "other"), generic},
			{"azp is empty", is("azp", ""), generic},
			{"aud twice, the last counts", func(s *stage) { s.repeat("aud", "client-a", "other") }, ""},
			{"client taken from the provider", func(s *stage) {
				s.s.World.Lock()
				s.s.World.Account("111122223333").OIDCProviders["oidc.example.com/id/1"].ClientIDs = nil
				s.s.World.Unlock()
			}, ""},
		},
		"token-source-identity": {
			{"number", is(sourceClaim, 12), ""},
			{"null", is(sourceClaim, nil), ""},
			{"one character", is(sourceClaim, "a"), ""},
			{"65 characters", is(sourceClaim, strings.Repeat("a", 65)), ""},
			{"blank", is(sourceClaim, "a b"), ""},
		},
		"token-tags": {
			{"nested texts", is(tagsClaim, nested(object{"Team": "engineering"})), ""},
			{"nested, two values", is(tagsClaim, nested(object{"Team": []string{"a", "b"}})), ""},
			{"nested, no value", is(tagsClaim, nested(object{"Team": []string{}})), ""},
			{"nested numbers", is(tagsClaim, nested(object{"Team": []int{1}})), ""},
			{"a list", is(tagsClaim, nested([]string{"Team"})), ""},
			{"null", is(tagsClaim, nested(nil)), ""},
			{"a text", is(tagsClaim, "Team"), ""},
			{"flat list", is(flat("Team"), []string{"a"}), ""},
			{"flat null", is(flat("Team"), nil), ""},
			{"flat without key", is(flat(""), "a"), generic},
			{"reserved", is(tagsClaim, one("aws:Team", "a")), generic},
			{"key of 129", is(tagsClaim, one(strings.Repeat("k", 129), "a")), generic},
			{"value of 257", is(tagsClaim, one("Team", strings.Repeat("v", 257))), generic},
			{"odd characters", is(tagsClaim, one("Team", "a*")), generic},
			{"twice, by case", is(tagsClaim, nested(object{"Team": []string{"a"}, "TEAM": []string{"b"}})), generic},
			{"twice, nested and flat", both(tagsClaim, one("Team", "a"), flat("team"), "a"), generic},
			{"51", func(s *stage) {
				for i := range 51 {
					s.claim(flat(fmt.Sprint("t", i)), "v")
				}
			}, generic},
		},
		"token-transitive-tags": {
			{"a text", both(flat("Team"), "a", tagsClaim+"/transitive_tag_keys", "Team"), ""},
			{"null", is(tagsClaim, object{"transitive_tag_keys": nil}), ""},
			{"no such tag", is(tagsClaim+"/transitive_tag_keys", []string{"Team"}), ""},
			{"nested and flat", both(tagsClaim, object{"principal_tags": object{"Team": []string{"a"}}, "transitive_tag_keys": []string{"Team"}},
				tagsClaim+"/transitive_tag_keys", []string{"Team"}), ""},
		},
		"token-roles-format": {
			{"number", is(rolesClaim, 123), ""}, {"true", is(rolesClaim, true), ""}, {"object", is(rolesClaim, object{"role": own}), ""},
		},
		"token-roles-none": {
			{"empty list", is(rolesClaim, []string{}), ""},
			{"empty text", is(rolesClaim, ""), ""},
			{"pattern", is(rolesClaim, account+"role/*"), ""},
			{"case", is(rolesClaim, strings.ToUpper(own)), ""},
			{"list in a list", is(rolesClaim, [][]string{{own}}), ""},
			{"name", is(rolesClaim, "bearer"), ""},
			{"a user", is(rolesClaim, account+"user/bearer"), ""},
			{"list with commas", is(rolesClaim, account+"role/other,"+own), ""},
		},
		"token-role": {
			{"another role", is(rolesClaim, []string{account + "role/another"}), ""},
			{"another account's", is(rolesClaim, strings.Replace(own, "1111", "4444", 1)), ""},
			{"longer name", is(rolesClaim, own+"2"), ""},
			{"role that nobody has", func(s *stage) { s.claim(rolesClaim, own); s.role("nobody") }, ""},
		},
	}
}

func trustRows() map[string][]row {
	const provider = `"Principal":{"Federated":"` + providerARN + `"},`
	trust := func(more string) func(*stage) { return func(s *stage) { s.trust(more) } }
	all := func(statements string) func(*stage) { return func(s *stage) { s.trustAll(statements) } }
	when := func(condition string) func(*stage) { return trust(`,"Condition":` + condition) }
	subjectIs := func(sub string) string {
		return `{"StringEquals":{"oidc.example.com/id/1:sub":"` + sub + `"}}`
	}
	return map[string][]row{
		"role-not-found":     {{"none", func(s *stage) { s.role("nobody") }, "Not authorized to perform sts:AssumeRoleWithWebIdentity"}, {"other path", func(s *stage) { s.role("team/bearer") }, "Not authorized"}},
		"trust-no-statement": {{"Deny only", all(`{"Effect":"Deny",` + provider + `"Action":"sts:AssumeRoleWithWebIdentity","Condition":` + subjectIs("nobody") + `}`), "Not authorized to perform sts:AssumeRoleWithWebIdentity"}},
		"policy-explicit-deny": {{"by subject", all(`{"Effect":"Allow",` + provider + `"Action":"sts:AssumeRoleWithWebIdentity"},{"Effect":"Deny",` + provider + `"Action":"sts:AssumeRoleWithWebIdentity","Condition":` + subjectIs("subject") + `}`),
			"Not authorized to perform sts:AssumeRoleWithWebIdentity"}},
		"policy-principal": {
			{"AWS *", all(`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRoleWithWebIdentity"}`), "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
			{"the account", all(`{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRoleWithWebIdentity"}`), ""},
			{"another provider", all(`{"Effect":"Allow","Principal":{"Federated":"` + account + `oidc-provider/elsewhere.example.com"},"Action":"sts:AssumeRoleWithWebIdentity"}`), ""},
			{"another account's provider", all(`{"Effect":"Allow","Principal":{"Federated":"` + strings.Replace(providerARN, "111122223333", "444455556666", 1) + `"},"Action":"sts:AssumeRoleWithWebIdentity"}`), ""},
		},
		"policy-action":         {{"AssumeRole", all(`{"Effect":"Allow",` + provider + `"Action":"sts:AssumeRole"}`), ""}},
		"trust-tag-session":     {{"tags", func(s *stage) { s.role("only"); s.claim(tagsClaim+"/principal_tags/Team", "a") }, ""}},
		"trust-source-identity": {{"source identity", func(s *stage) { s.role("only"); s.claim(sourceClaim, "source") }, ""}},
		"policy-condition": {
			{"subject", when(subjectIs("system:serviceaccount:default:app")), "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
			{"audience", when(`{"StringEquals":{"oidc.example.com/id/1:aud":"client-b"}}`), ""},
			{"audience is azp", func(s *stage) {
				s.claim("azp", "client-b")
				when(`{"StringEquals":{"oidc.example.com/id/1:aud":"client-a"}}`)(s)
			}, ""},
			{"tag of the request", func(s *stage) {
				s.claim(tagsClaim+"/principal_tags/Team", "red")
				when(`{"StringEquals":{"aws:RequestTag/Team":"blue"}}`)(s)
			}, ""},
			{"session name", when(`{"StringLike":{"sts:RoleSessionName":"other-*"}}`), ""},
			{"not authorized by the issuer", when(`{"Bool":{"sts:RoleAuthorizedByIdp":"true"}}`), ""},
			{"userid is not the subject", when(`{"StringEquals":{"aws:userid":"subject"}}`), ""},
			{"type is not AssumedRole", when(`{"StringEquals":{"aws:PrincipalType":"AssumedRole"}}`), ""},
			{"account is not anonymous", when(`{"StringEquals":{"aws:PrincipalAccount":"anonymous"}}`), ""},
		},
		"policy-condition-key-missing": {
			{"https:// in the key", when(`{"StringEquals":{"` + issuerURL + `:sub":"subject"}}`), ""},
			{"no amr", when(`{"ForAnyValue:StringEquals":{"oidc.example.com/id/1:amr":"pwd"}}`), ""},
			{"a claim of its own", func(s *stage) {
				s.claim("groups", "admin")
				when(`{"StringEquals":{"oidc.example.com/id/1:groups":"admin"}}`)(s)
			}, ""},
			{"no ARN", when(`{"StringEquals":{"aws:PrincipalArn":"` + providerARN + `"}}`), ""},
		},
		"policy-condition-multivalued": {{"amr", func(s *stage) {
			s.claim("amr", []string{"pwd", "mfa"})
			when(`{"StringEquals":{"oidc.example.com/id/1:amr":"mfa"}}`)(s)
		}, ""}},
		"duration-over-role": {{"by a second", func(s *stage) { s.in.DurationSeconds = aws.Int32(7201) }, ""}},
		"packed-policy-too-large": {{"50 tags of noise", func(s *stage) {
			for i := range 50 {
				a, b := sha256.Sum256([]byte{byte(i)}), sha256.Sum256([]byte{byte(i), 1})
				s.claim(tagsClaim+"/principal_tags/k"+fmt.Sprint(i), fmt.Sprintf("%x%x", a, b))
			}
		}, "of allotted space"}},
	}
}
