package setup

import (
	"strings"
	"testing"

	"daypass.dev/policy"
)

const (
	anchorARN = "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/0f1e2d3c-0000-4000-8000-000000000001"
	issuer    = "oidc.example.com/cluster"
)

// asks are the requests that AWS makes of a role's trust policy.
type ask struct {
	principal policy.Principal
	action    string
	context   map[string]string
}

func (a ask) with(key, value string) ask {
	context := map[string]string{key: value}
	for k, v := range a.context {
		if k != key {
			context[k] = v
		}
	}
	a.context = context
	return a
}

func allowed(t *testing.T, text []byte, a ask) bool {
	t.Helper()
	doc, err := policy.Parse(policy.Trust, string(text))
	if err != nil {
		t.Fatal(err)
	}
	var ctx policy.Context
	for k, v := range a.context {
		ctx.Set(k, v)
	}
	return policy.Evaluate(policy.Request{
		Principal: a.principal, Action: a.action, Resource: "arn:aws:iam::111122223333:role/r",
		ResourceAccount: "111122223333", Context: ctx,
	}, policy.Policies{Resource: &policy.Named{Name: "trust", Document: doc}}).Allowed
}

// Each key of each request is changed in turn: nobody but the one who was named
// gets in, and the one who was named does with every action.
func TestTrustPolicyLetsInOneWorkloadAlone(t *testing.T) {
	provider := ProviderARN("aws", "111122223333", "https://"+issuer)
	rows := map[string]struct {
		grant   Grant
		actions []string
		ask     ask
	}{
		"certificate": {
			Certificate{TrustAnchorARN: anchorARN, URI: "spiffe://prod/ns/shop/sa/web"},
			[]string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"},
			ask{policy.Principal{Kind: policy.Service, Name: "rolesanywhere.amazonaws.com"}, "", map[string]string{
				"aws:SourceArn": anchorARN, "aws:SourceAccount": "111122223333", "aws:PrincipalTag/x509SAN/URI": "spiffe://prod/ns/shop/sa/web",
			}},
		},
		"certificate by common name": {
			Certificate{TrustAnchorARN: anchorARN, CommonName: "backup"},
			[]string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"},
			ask{policy.Principal{Kind: policy.Service, Name: "rolesanywhere.amazonaws.com"}, "", map[string]string{
				"aws:SourceArn": anchorARN, "aws:SourceAccount": "111122223333", "aws:PrincipalTag/x509Subject/CN": "backup",
			}},
		},
		"token": {
			Token{ProviderARN: provider, Subject: "system:serviceaccount:shop:web", Audience: "sts.amazonaws.com"},
			[]string{"sts:AssumeRoleWithWebIdentity"},
			ask{policy.Principal{Kind: policy.WebIdentity, Name: provider, Account: "111122223333"}, "", map[string]string{
				issuer + ":sub": "system:serviceaccount:shop:web", issuer + ":aud": "sts.amazonaws.com",
			}},
		},
		"google": {
			GoogleAccount{UniqueID: "112233445566778899000", Audience: "gtoken"},
			[]string{"sts:AssumeRoleWithWebIdentity"},
			ask{policy.Principal{Kind: policy.WebIdentity, Name: "accounts.google.com"}, "", map[string]string{
				"accounts.google.com:sub": "112233445566778899000", "accounts.google.com:aud": "112233445566778899000", "accounts.google.com:oaud": "gtoken",
			}},
		},
		"pod": {
			Pod{ClusterARN: "arn:aws:eks:eu-central-1:111122223333:cluster/prod", Namespace: "shop", ServiceAccount: "web"},
			[]string{"sts:AssumeRole", "sts:TagSession"},
			ask{policy.Principal{Kind: policy.Service, Name: "pods.eks.amazonaws.com"}, "", map[string]string{
				"aws:SourceArn": "arn:aws:eks:eu-central-1:111122223333:cluster/prod", "aws:SourceAccount": "111122223333",
				"aws:RequestTag/kubernetes-namespace": "shop", "aws:RequestTag/kubernetes-service-account": "web",
			}},
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			text, err := TrustPolicy(row.grant)
			if err != nil {
				t.Fatal(err)
			}
			for _, action := range row.actions {
				a := row.ask
				a.action = action
				if !allowed(t, text, a) {
					t.Errorf("%s is refused\n%s", action, text)
				}
				for key, value := range a.context {
					for _, other := range []string{value + "x", "x" + value, strings.ToUpper(value) + "X", value[:len(value)-1], "*"} {
						if allowed(t, text, a.with(key, other)) {
							t.Errorf("%s with %s = %q is let in\n%s", action, key, other, text)
						}
					}
				}
				stranger := a
				stranger.principal.Name += "x"
				if allowed(t, text, stranger) {
					t.Errorf("%s by %s is let in", action, stranger.principal.Name)
				}
			}
		})
	}
}

func TestTrustPolicyRefusesWhatNamesNobody(t *testing.T) {
	for name, grants := range map[string][]Grant{
		"nobody":            nil,
		"no name":           {Certificate{TrustAnchorARN: anchorARN}},
		"a pattern":         {Certificate{TrustAnchorARN: anchorARN, URI: "spiffe://prod/ns/*/sa/web"}},
		"a variable":        {Certificate{TrustAnchorARN: anchorARN, CommonName: "${aws:username}"}},
		"any anchor":        {Certificate{TrustAnchorARN: "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/*", URI: "spiffe://a"}},
		"no audience":       {Token{ProviderARN: ProviderARN("aws", "111122223333", issuer), Subject: "s"}},
		"an issuer's URL":   {Token{ProviderARN: "https://" + issuer, Subject: "s", Audience: "a"}},
		"an e-mail address": {GoogleAccount{UniqueID: "a@b.iam.gserviceaccount.com", Audience: "gtoken"}},
		"any cluster":       {Pod{ClusterARN: "arn:aws:eks:eu-central-1:111122223333:cluster/*", Namespace: "a", ServiceAccount: "b"}},
		"no namespace":      {Pod{ClusterARN: "arn:aws:eks:eu-central-1:111122223333:cluster/prod", ServiceAccount: "b"}},
	} {
		if text, err := TrustPolicy(grants...); err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
}
