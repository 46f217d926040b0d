package doctor

import (
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
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

// certified is a pod's own volume with a certificate of the cluster's signer.
func certified(more string) string {
	return "volumes: [{name: certificate, projected: {sources: [{podCertificate: {signerName: daypass.dev/workload, keyType: ECDSAP256, credentialBundlePath: bundle.pem" + more + "}}]}}]"
}

const certificateMount = "volumeMounts: [{name: certificate, mountPath: /certificate}]"

// unsigned: there is an agent, and nobody who signs for it.
func unsigned() map[string]podRow {
	return map[string]podRow{
		"signerless": {
			slug: "agent-no-signer", before: func(p *patient) { p.associate(by(p.anchor, p.profile(p.role))) },
			mend: func(p *patient) { p.bySigner() },
		},
		"clusterless": {
			slug: "eks-cluster-missing", before: func(p *patient) { p.noCluster(); p.associate("method: eks") },
			mend: func(p *patient) { p.eksCluster(); p.eksAssociate() },
		},
		"waiting": {
			slug: "pod-certificate-waiting", before: (*patient).given,
			spec: certified(""), container: certificateMount, mendedSpec: certified(""), mendedContainer: certificateMount,
		},
	}
}

// bySigner has the pod ask AWS with what the cluster's signer signs.
func (p *patient) bySigner() {
	p.t.Helper()
	p.associate(by(p.signer, p.profile(p.role)))
	p.trust(strings.Replace(p.sound(account), p.anchor, p.signer, 1))
}

// agentless: the agents run elsewhere, until then.
func agentless() map[string]podRow {
	return map[string]podRow{"lonely": {slug: "agent-down", before: (*patient).bySigner}}
}

// crowded: another program has the agents' port, until then.
func crowded() map[string]podRow {
	return map[string]podRow{"crowded": {slug: "agent-port", before: (*patient).bySigner}}
}

// agentsOn has the agents run on the nodes of this name alone, and nowhere else;
// empty: on all.
func (s *site) agentsOn(name string) {
	s.test.Helper()
	s.nodes(name)
	if name == "" {
		s.release.Kubectl("rollout", "status", "daemonset/daypass-node", "--timeout=2m")
		return
	}
	s.release.Kubectl("wait", "--for=delete", "pods", "--selector=app.kubernetes.io/component=node", "--timeout=1m")
}

func (s *site) nodes(name string) {
	s.test.Helper()
	selector := "null"
	if name != "" {
		selector = `{"kubernetes.io/hostname": "` + name + `"}`
	}
	s.release.Kubectl("patch", "daemonset", "daypass-node", "--type=merge", `--patch={"spec": {"template": {"spec": {"nodeSelector": `+selector+`}}}}`)
}

// crowd has a program listen on port 80 of all addresses of the nodes, and then
// the agents come.
func (w *ward) crowd() {
	w.sign()
	w.agentsOn("nowhere")
	w.Apply(strings.ReplaceAll(`
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: listener}
spec:
  selector: {matchLabels: {app: listener}}
  template:
    metadata: {labels: {app: listener}}
    spec:
      hostNetwork: true
      terminationGracePeriodSeconds: 0
      containers: [{name: listener, image: IMAGE, args: [-c, exec busybox httpd -f -p 80]}]
`, "IMAGE", kube.BusyboxImage))
	w.Kubectl("rollout", "status", "daemonset/listener", "--timeout=1m")
	w.nodes("")
}

// shows are the lines of a pod that asks the agent with a token of its own
// choice, from this volume.
func shows(volume string) (spec, container string) {
	return "volumes: [{name: mine, " + volume + "}]", "env: [{name: AWS_CONTAINER_CREDENTIALS_FULL_URI, value: 'http://169.254.170.23/v1/credentials'}, " +
		"{name: AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, value: /mine/token}]\n    volumeMounts: [{name: mine, mountPath: /mine}]"
}

// showing are pods that the agent refuses for the token that they show, and
// serves with the one that injection gives them.
func showing() map[string]podRow {
	held := func(token func(p *patient) string) func(*patient) { // in a Secret
		return func(p *patient) {
			p.bySigner()
			p.Kubectl("create", "secret", "generic", p.name, "--from-literal=token="+token(p))
		}
	}
	handmade := func(p *patient) string {
		return strings.TrimSpace(p.Kubectl("create", "token", p.account, "--audience=pods.eks.amazonaws.com"))
	}
	rows := map[string]podRow{
		"foreign":  {slug: "agent-token-audience", before: (*patient).bySigner},
		"garbled":  {slug: "agent-token-malformed", before: (*patient).bySigner},
		"handmade": {slug: "agent-token-unbound", before: held(handmade)},
		"tampered": {slug: "agent-token-signature", before: held(func(p *patient) string {
			text := handmade(p)
			return text[:len(text)-20] + strings.Repeat("A", 20)
		})},
		"legacy": {slug: "agent-token-issuer", before: func(p *patient) {
			p.bySigner()
			p.Apply("apiVersion: v1\nkind: Secret\ntype: kubernetes.io/service-account-token\nmetadata: {name: " + p.name + ", annotations: {kubernetes.io/service-account.name: " + p.account + "}}\n")
			p.Eventually(time.Minute, "a token that never ends", func() error {
				if out, err := p.Try("get", "secret", p.name, "--output=jsonpath={.data.token}"); err != nil || out == "" {
					return fmt.Errorf("%q, %w", out, err)
				}
				return nil
			})
		}},
	}
	for name, r := range rows {
		volume := "secret: {secretName: " + name + "}"
		switch name {
		case "foreign":
			volume = "projected: {sources: [{serviceAccountToken: {audience: sts.amazonaws.com, path: token}}]}"
		case "garbled":
			volume = "downwardAPI: {items: [{path: token, fieldRef: {fieldPath: metadata.name}}]}"
		}
		r.spec, r.container = shows(volume)
		rows[name] = r
	}
	return rows
}

// served are pods that the agent of their node serves, or refuses.
func served() map[string]podRow {
	rows := map[string]podRow{
		"agent": {often: true, before: func(p *patient) { p.bySigner() }},
		"eks":   {often: true, before: func(p *patient) { p.eksAssociate(); p.associate("method: eks") }},
		"demanding": {
			often: true, slug: "pod-request-annotations", before: (*patient).given,
			spec: certified(", userAnnotations: {daypass.dev/wish: more}"), container: certificateMount,
			mendedSpec: certified(""), mendedContainer: certificateMount,
		},
		"unassociated": {
			often: true, slug: "eks-association-missing", before: func(p *patient) { p.associate("method: eks") }, mend: (*patient).eksAssociate,
		},
		"long": {
			slug: "certificate-uri-long",
			before: func(p *patient) {
				p.account = strings.Repeat("long-", 47) + "name"
				p.Apply(accountText(p.account))
				p.associate(by(p.signer, p.profile(p.role)))
			},
			mend: func(p *patient) {
				p.account = p.name
				p.bySigner()
			},
		},
	}
	maps.Copy(rows, showing())
	return rows
}
