package policy

import (
	"slices"
	"strings"
)

const (
	webIdentityAction = "sts:AssumeRoleWithWebIdentity"
	cognito           = "cognito-identity.amazonaws.com"
	github            = "token.actions.githubusercontent.com"
)

// sharedProviders are the identity providers that many organisations share,
// and the condition key by which a trust policy must choose one's own.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_oidc_secure-by-default.html
func sharedProviders() map[string]string {
	keys := map[string]string{
		"sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d": "sts:RoleSessionName",
	}
	for _, issuer := range []string{
		"agent.buildkite.com", "app.terraform.io", "gitlab.com",
		"oidc-configuration.audit-log.githubusercontent.com", "oidc.codefresh.io",
		"oidc.op1.openshiftapps.com/2c51blsaqa9gkjt0o9rt11mle8mmropu",
		"oidc.op1.openshiftapps.com/2f785sojlpb85i7402pk3qogugim5nfb",
		"proidc.upbound.io",
		"rh-oidc.s3.us-east-1.amazonaws.com/22ejnvnnturfmt6km08idd0nt4hekbn7",
		"rh-oidc.s3.us-east-1.amazonaws.com/23e3sd27sju1hoou6ohfs68vbno607tr",
		"rh-oidc.s3.us-east-1.amazonaws.com/23ne21h005qjl3n33d8dui5dlrmv2tmg",
		"rh-oidc.s3.us-east-1.amazonaws.com/24jrf12m5dj7ljlfb4ta2frhrcoadm26",
		"scalr.io", "studio.datachain.ai/api", github, "tokens.cloud.shisho.dev",
		"vstoken.actions.githubusercontent.com",
	} {
		keys[issuer] = issuer + ":sub"
	}
	for _, issuer := range []string{"api.pulumi.com/oidc", cognito, "oidc.vercel.com", "sandboxes.cloud"} {
		keys[issuer] = issuer + ":aud"
	}
	return keys
}

// providerControls refuses an Allow that would let in everybody who has an
// account with a shared provider. Evaluation does not ask for it: AWS checks
// only when a policy is written.
func (p *parser) providerControls(s *statement, n *node) {
	web := &env{action: units(strings.ToLower(webIdentityAction))}
	if !s.allow || !s.takesAction(web) {
		return
	}
	for _, party := range s.parties {
		if party.kind != partyFederated {
			continue
		}
		if message, hint := s.lacksControl(party.text, n.member("Condition") != nil); message != "" {
			p.fail(passResources, party.offset, message, hint)
		}
	}
}

func (s *statement) lacksControl(principal string, conditions bool) (message, hint string) {
	issuer := principal
	if _, host, found := strings.Cut(principal, ":oidc-provider/"); found {
		issuer = host
	}
	key, shared := sharedProviders()[issuer]
	switch {
	case strings.HasPrefix(issuer, github):
		keys := []string{issuer + ":sub", issuer + ":job_workflow_ref"}
		if !s.scoped(keys, scopedOnGitHub) {
			return unscoped(principal, strings.Join(keys, " or ")), "GitHub signs for everybody: add StringLike of " + keys[0] + " with your own repository, as in repo:ORG/REPO:*"
		}
	case issuer == "accounts.google.com":
		return s.lacksApplication(issuer, "aud", "oaud", "sub")
	case issuer == "www.amazon.com", issuer == "graph.facebook.com":
		return s.lacksApplication(issuer, "app_id", "sub")
	case issuer == cognito && !conditions:
		return "A condition block must be present for the Cognito provider", "add StringEquals of " + key + " with the id of your identity pool"
	case shared && !s.scoped([]string{key}, func(value string) bool { return value != "*" }):
		return unscoped(issuer, key), issuer + " signs for everybody: add StringEquals of " + key + " with your own value"
	}
	return "", ""
}

func unscoped(principal, keys string) string {
	return "Trust policy with trusted principal " + principal + " must evaluate, using StringEquals, StringLike or StringEqualsIgnoreCase, " + keys + " which is not scoped to all."
}

func scopedOnGitHub(value string) bool {
	return strings.TrimSpace(value) != "" && !strings.HasPrefix(value, "*")
}

// scoped looks for an operator block that compares one of the keys positively
// and has only values that narrow it.
func (s *statement) scoped(keys []string, narrow func(string) bool) bool {
	blocks := map[string]bool{}
	for i := range s.conditions {
		c := &s.conditions[i]
		ours := slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, c.key) })
		if !ours || !c.positiveText("StringEquals", "StringEqualsIgnoreCase", "StringLike") {
			continue
		}
		wide := slices.ContainsFunc(c.values, func(v string) bool { return !narrow(v) })
		if sound, seen := blocks[c.written]; !seen || sound {
			blocks[c.written] = !wide
		}
	}
	for _, sound := range blocks {
		if sound {
			return true
		}
	}
	return false
}

func (c *condition) positiveText(names ...string) bool {
	return !c.ifExists && slices.Contains(names, c.name)
}

// lacksApplication is the older check for providers that are built in: one of
// the claims must be compared, its name in this case of letters.
func (s *statement) lacksApplication(issuer string, claims ...string) (message, hint string) {
	for i := range s.conditions {
		c := &s.conditions[i]
		for _, claim := range claims {
			if c.key == issuer+":"+claim && c.positiveText("StringEquals", "StringEqualsIgnoreCase") {
				return "", ""
			}
		}
	}
	return "Policy trusting " + issuer + " requires a StringEquals condition on an application id",
		issuer + " signs for everybody: add StringEquals of " + issuer + ":" + claims[0] + " with your own value"
}
