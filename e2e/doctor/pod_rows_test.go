package doctor

import (
	"crypto/x509"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"

	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/pki"
	"daypass.dev/setup"
)

const own = "daypass.dev/role-arn"

// annotate gives the pod's ServiceAccount annotations, each KEY=VALUE or KEY-.
func (p *patient) annotate(annotations ...string) {
	p.t.Helper()
	p.Kubectl(append([]string{"annotate", "--overwrite", "serviceaccount", p.account}, annotations...)...)
}

// given annotates it with the role of its own.
func (p *patient) given() { p.annotate(own + "=" + p.role) }

// associate writes an association for the pod's ServiceAccount, which goes with
// the test.
func (p *patient) associate(fields string) { p.associateAs(p.name, fields) }

func (p *patient) associateAs(name, fields string) {
	p.t.Helper()
	name = p.Name + "-" + name
	p.Apply("apiVersion: daypass.dev/v1alpha1\nkind: PodIdentityAssociation\nmetadata: {name: " + name + "}\nspec: {namespace: " + p.Name +
		", serviceAccount: " + p.account + ", roleArn: '" + p.role + "', " + fields + "}\n")
	p.t.Cleanup(func() { _, _ = p.Try("delete", "podidentityassociation", "--ignore-not-found", name) })
}

// byCertificate has the pod ask AWS by Roles Anywhere, with all that it needs.
func (p *patient) byCertificate() {
	p.t.Helper()
	p.certify(p.ca, nil)
	p.associate(by(p.anchor, p.profile(p.role)))
}

// uninstalled: there is nothing of daypass in the cluster.
func uninstalled() map[string]podRow {
	return map[string]podRow{
		"absent": {slug: "webhook-absent", before: (*patient).given, mend: func(p *patient) { p.associate("method: web-identity, disableSessionTags: true") }},
	}
}

// unattended: the webhook does not run.
func unattended() map[string]podRow {
	return map[string]podRow{
		"down": {slug: "webhook-down", before: func(p *patient) { p.associate("method: web-identity, disableSessionTags: true") }},
	}
}

// unsettled: the chart's settings lack what these pods need, until then.
func unsettled() map[string]podRow {
	return map[string]podRow{
		"methodless": {slug: "method-unset", after: (*patient).given},
		"sourceless": {slug: "certificate-source-unset", after: (*patient).byCertificate},
		"target": {
			slug: "agent-needed",
			after: func(p *patient) {
				p.associate("method: web-identity, disableSessionTags: true, targetRoleArn: 'arn:aws:iam::" + elsewhere + ":role/target'")
			},
			mend: func(p *patient) { p.associate("method: web-identity, disableSessionTags: true") },
		},
	}
}

// injected are pods whose identity is unclear, or could not be given to them.
func injected() map[string]podRow {
	const free = "disableSessionTags: true"
	return map[string]podRow{
		"nobody":    {often: true, slug: "identity-none", mend: (*patient).given},
		"late":      {often: true, slug: "injection-missed", after: (*patient).given},
		"malformed": {often: true, slug: "role-arn-malformed", after: func(p *patient) { p.annotate(own + "=reader") }, mend: (*patient).given},
		"two": {
			often: true, slug: "identity-disagreement", after: func(p *patient) { p.given(); p.annotate("eks.amazonaws.com/role-arn=" + p.role + "s") },
			mend: func(p *patient) { p.annotate("eks.amazonaws.com/role-arn-") },
		},
		"expiry": {
			slug: "annotation-malformed", after: func(p *patient) { p.given(); p.annotate("eks.amazonaws.com/token-expiration=soon") },
			mend: func(p *patient) { p.annotate("eks.amazonaws.com/token-expiration=3600") },
		},
		"unset": {
			slug: "roles-anywhere-unset", after: func(p *patient) { p.associate("method: roles-anywhere, " + free) },
			mend: (*patient).byCertificate,
		},
		"duplicate": {
			slug: "association-duplicate", after: func(p *patient) { p.associate(free); p.associateAs(p.name+"-2", free+", sessionName: 'other-{pod}'") },
			mend: func(p *patient) { p.Kubectl("delete", "podidentityassociation", p.Name+"-"+p.name+"-2") },
		},
		"tags": {slug: "session-tags-untrusted", after: func(p *patient) { p.associate("") }, mend: func(p *patient) { p.associate(free) }},
		"policy": {
			slug: "policy-unusable",
			after: func(p *patient) {
				p.certify(p.ca, nil)
				p.associate(by(p.anchor, p.profile(p.role)) + ", policy: '{}'")
			},
			mend: func(p *patient) {
				p.Kubectl("patch", "podidentityassociation", p.Name+"-"+p.name, "--type=json", `--patch=[{"op":"remove","path":"/spec/policy"}]`)
			},
		},
		"node": {
			slug: "annotation-node-credentials", after: func(p *patient) { p.annotate("amazonaws.com/role-arn=" + p.role) },
			mend: func(p *patient) { p.associate("method: web-identity, " + free) },
		},
		"taken": {
			often: true, slug: "name-taken", spec: "volumes: [{name: aws-iam-token, emptyDir: {}}]", after: (*patient).given,
			mendedSpec: "volumes: [{name: scratch, emptyDir: {}}]",
		},
		"port": {
			often: true, slug: "sidecar-port", container: "ports: [{containerPort: 9911}]", after: (*patient).byCertificate,
			mendedContainer: "ports: [{containerPort: 9921}]",
		},
		"nameless": {
			slug: "service-account-missing", after: func(p *patient) { p.Kubectl("delete", "serviceaccount", p.account) },
			mend: func(p *patient) { p.Apply(accountText(p.account)); p.given() },
		},
		"users": {
			slug: "token-users",
			spec: "initContainers: [{name: first, image: '" + kubetest.AWSCLI + "', imagePullPolicy: Never, command: ['true'], securityContext: {runAsUser: 1001}}]",
			after: func(p *patient) {
				p.annotate("amazonaws.com/role-arn="+p.role, "iam.gke.io/gcp-service-account="+p.google(true))
			},
			container: "securityContext: {runAsUser: 1000}", mendedContainer: "securityContext: {runAsUser: 1000}\n    env: [{name: HOME, value: /tmp}]",
		},
		"hosted": {slug: "sidecar-host-network", spec: "hostNetwork: true", after: (*patient).byCertificate},

		"keys": {
			slug: "environment-keys", before: (*patient).given,
			container: "env: [{name: AWS_ACCESS_KEY_ID, value: AKIAIOSFODNN7EXAMPLE}, {name: AWS_SECRET_ACCESS_KEY, value: none}]",
		},
		"profile": {slug: "environment-profile", before: (*patient).given, container: "env: [{name: AWS_PROFILE, value: nobody}]"},
	}
}

// tokens are pods that show AWS a token of the cluster's, and are refused.
func tokens() map[string]podRow {
	trusting := func(action, principal, condition string) func(*patient) {
		return func(p *patient) {
			issuer := strings.TrimPrefix(kube.Issuer, "https://")
			p.trust(strings.NewReplacer("ISSUER", issuer).Replace(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action +
				`","Principal":{"Federated":"arn:aws:iam::` + account + `:oidc-provider/` + principal + `"},"Condition":{"StringEquals":{` + condition + `}}}]}`))
			p.given()
		}
	}
	sound := func(p *patient) { p.trust(p.sound(account)) }
	return map[string]podRow{
		"token": {often: true, before: (*patient).given},
		"google": {often: true, before: func(p *patient) {
			p.annotate("amazonaws.com/role-arn="+p.role, "iam.gke.io/gcp-service-account="+p.google(true))
		}},
		"unbound": {
			often: true, slug: "google-not-bound", mend: (*patient).bind,
			before: func(p *patient) {
				p.annotate("amazonaws.com/role-arn="+p.role, "iam.gke.io/gcp-service-account="+p.google(false))
			},
		},
		"unknown": {
			slug: "google-account-missing", mend: func(p *patient) { p.annotate("iam.gke.io/gcp-service-account=" + p.google(true)) },
			before: func(p *patient) {
				p.annotate("amazonaws.com/role-arn="+p.role, "iam.gke.io/gcp-service-account=nobody@demo-project.iam.gserviceaccount.com")
			},
		},

		"stranger": {often: true, slug: "policy-condition", before: trusting("sts:AssumeRoleWithWebIdentity", "ISSUER", `"ISSUER:sub":"system:serviceaccount:other:stranger"`), mend: sound},
		"claim":    {slug: "policy-condition-key-missing", before: trusting("sts:AssumeRoleWithWebIdentity", "ISSUER", `"ISSUER:amr":"x"`), mend: sound},
		"action":   {slug: "policy-action", before: trusting("sts:AssumeRole", "ISSUER", `"ISSUER:aud":"sts.amazonaws.com"`), mend: sound},
		"issuer":   {slug: "policy-principal", before: trusting("sts:AssumeRoleWithWebIdentity", "oidc.example.com", `"oidc.example.com:aud":"sts.amazonaws.com"`), mend: sound},
		"denied": {
			slug: "policy-explicit-deny", mend: sound,
			before: func(p *patient) {
				p.trust(strings.Replace(p.sound(account), `"Effect": "Allow"`, `"Effect": "Deny"`, 1))
				p.given()
			},
		},
		"gone": {
			often: true, slug: "role-not-found", before: func(p *patient) { p.annotate(own + "=arn:aws:iam::" + account + ":role/no-such-role") },
			mend: (*patient).given,
		},
		"away": {
			often: true, slug: "provider-missing",
			before: func(p *patient) {
				p.unprovided()
				p.makeRole(p.ward.away(), elsewhere)
				p.given()
			},
			mend: func(p *patient) { p.provider(p.ward.away()) },
		},
		"audience": {
			slug: "token-audience", before: func(p *patient) { p.given(); p.annotate("daypass.dev/audience=elsewhere") },
			mend: func(p *patient) { p.annotate("daypass.dev/audience-") },
		},
		"powerless": {
			often: true, slug: "policy-no-allow", call: "s3api list-buckets", args: []string{"--action=s3:ListAllMyBuckets"},
			before: func(p *patient) {
				p.given()
				_, err := p.iam().DeleteRolePolicy(p.t.Context(), &iam.DeleteRolePolicyInput{RoleName: aws.String(p.called(p.name)), PolicyName: aws.String("rights")})
				p.must(err)
			},
			mend: func(p *patient) {
				p.may(s3Rights)
			},
		},
	}
}

// unprovided takes the cluster's issuer from the other account.
func (p *patient) unprovided() {
	p.t.Helper()
	_, err := p.ward.away().DeleteOpenIDConnectProvider(p.t.Context(), &iam.DeleteOpenIDConnectProviderInput{
		OpenIDConnectProviderArn: aws.String(setup.ProviderARN("aws", elsewhere, kube.Issuer)),
	})
	if none := (*iamtypes.NoSuchEntityException)(nil); !errors.As(err, &none) {
		p.must(err)
	}
}

// certificates are pods that show AWS a certificate, and are refused.
func certificates() map[string]podRow {
	spoiled := func(change func(*x509.Certificate)) func(*patient) {
		return func(p *patient) {
			p.byCertificate()
			p.certify(p.ca, change)
		}
	}
	again := func(p *patient) { p.certify(p.ca, nil) }
	sound := func(p *patient) { p.trust(p.sound(account)) }
	trusting := func(actions, condition string) func(*patient) {
		return func(p *patient) {
			p.byCertificate()
			p.trust(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` + actions + `],"Principal":{"Service":"rolesanywhere.amazonaws.com"},
				"Condition":{"ArnEquals":{"aws:SourceArn":"` + p.anchor + `"}` + condition + `}}]}`)
		}
	}
	return map[string]podRow{
		"certificate": {often: true, before: (*patient).byCertificate},

		"silent": {often: true, slug: "environment-imds", before: (*patient).byCertificate, container: "env: [{name: AWS_EC2_METADATA_DISABLED, value: 'true'}]"},

		"usage":   {often: true, slug: "leaf-key-usage", before: spoiled(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), mend: again},
		"expired": {often: true, slug: "leaf-expired", before: spoiled(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), mend: again},
		"other": {
			slug: "chain-issuer-missing", mend: again,
			before: func(p *patient) {
				p.byCertificate()
				p.certify(forger{}.issue(p.t, caTemplate("Other CA"), newKey(p.t)), nil)
			},
		},
		"nonsense":   {slug: "proof-form", before: func(p *patient) { p.byCertificate(); p.secret("nonsense", "nonsense") }, mend: again},
		"secretless": {often: true, slug: "proof-missing", before: func(p *patient) { p.associate(by(p.anchor, p.profile(p.role))) }, mend: again},
		"nowhere": {
			slug: "anchor-unknown", mend: (*patient).byCertificate,
			before: func(p *patient) {
				p.certify(p.ca, nil)
				p.associate(by(strings.Replace(p.anchor, p.anchor[len(p.anchor)-12:], "999999999999", 1), p.profile(p.role)))
			},
		},
		"disabled": {
			often: true, slug: "anchor-disabled",
			before: func(p *patient) {
				anchor := p.trustAnchor(p.name, string(pki.EncodeCertificate(p.ca.cert)))
				p.certify(p.ca, nil)
				p.associate(by(anchor, p.profile(p.role)))
				p.trust(strings.Replace(p.sound(account), p.anchor, anchor, 1))
				_, err := p.ward.anywhere().DisableTrustAnchor(p.t.Context(), &rolesanywhere.DisableTrustAnchorInput{TrustAnchorId: aws.String(last(anchor))})
				p.must(err)
				p.broken = anchor
			},
			mend: func(p *patient) {
				_, err := p.ward.anywhere().EnableTrustAnchor(p.t.Context(), &rolesanywhere.EnableTrustAnchorInput{TrustAnchorId: aws.String(last(p.broken))})
				p.must(err)
			},
		},
		"revoked": {
			slug: "certificate-revoked", mend: again,
			before: func(p *patient) {
				p.byCertificate()
				p.revoke(p.anchor, p.certify(p.ca, nil))
			},
		},
		"unprofiled": {
			slug: "profile-disabled",
			before: func(p *patient) {
				p.certify(p.ca, nil)
				p.broken = p.profile(p.role)
				p.associate(by(p.anchor, p.broken))
				_, err := p.ward.anywhere().DisableProfile(p.t.Context(), &rolesanywhere.DisableProfileInput{ProfileId: aws.String(last(p.broken))})
				p.must(err)
			},
			mend: func(p *patient) {
				_, err := p.ward.anywhere().EnableProfile(p.t.Context(), &rolesanywhere.EnableProfileInput{ProfileId: aws.String(last(p.broken))})
				p.must(err)
			},
		},
		"unlisted": {
			often: true, slug: "profile-role",
			before: func(p *patient) {
				p.certify(p.ca, nil)
				p.broken = p.profile(p.role + "s")
				p.associate(by(p.anchor, p.broken))
			},
			mend: func(p *patient) {
				_, err := p.ward.anywhere().UpdateProfile(p.t.Context(), &rolesanywhere.UpdateProfileInput{ProfileId: aws.String(last(p.broken)), RoleArns: []string{p.role}})
				p.must(err)
			},
		},
		"identity": {often: true, slug: "trust-source-identity", before: trusting(`"sts:AssumeRole","sts:TagSession"`, ""), mend: sound},
		"tagless":  {slug: "trust-tag-session", before: trusting(`"sts:AssumeRole","sts:SetSourceIdentity"`, ""), mend: sound},
	}
}

func last(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
