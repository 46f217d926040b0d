package doctor

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"daypass.dev/e2e/kube/addons"
	"daypass.dev/e2e/kube/kubetest"
)

// driver has the Secrets Store CSI driver mount what daypass reads.
func (w *ward) driver() {
	w.t.Helper()
	kubetest.Addon(w.t, addons.SecretsStore)
	w.tokens("true", `[{"audience": "sts.amazonaws.com"}, {"audience": "pods.eks.amazonaws.com"}]`)
}

// tokens are those that the driver sends with a mount, and whether among its
// secrets, which it must be told only if it sends any.
func (w *ward) tokens(inSecrets, requests string) {
	w.t.Helper()
	w.Kubectl("patch", "csidriver", "secrets-store.csi.k8s.io", "--type=merge", `--patch={"spec": {"serviceAccountTokenInSecrets": `+inSecrets+`, "tokenRequests": `+requests+`}}`)
}

// mounter installs what mounts secrets.
func (w *ward) mounter() {
	w.t.Helper()
	w.sign()
	w.driver()
	w.chart(strings.Replace(signed, nodes, nodes+", secrets: {enabled: true}", 1))
}

// mounts are the two lines of a pod's manifest that mount its class.
func mounts(name string) (spec, container string) {
	return "volumes: [{name: secrets, csi: {driver: secrets-store.csi.k8s.io, readOnly: true, volumeAttributes: {secretProviderClass: " + name + "}}}]",
		"volumeMounts: [{name: secrets, mountPath: /secrets}]"
}

// class writes the pod's SecretProviderClass: its one object, with more fields,
// and more parameters.
func (p *patient) class(object, more string) {
	p.t.Helper()
	objects := "- {objectName: " + p.called(p.name) + ", objectType: secretsmanager" + object + "}"
	p.classOf(objects, more)
}

func (p *patient) classOf(objects, more string) {
	p.t.Helper()
	p.Apply("apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nmetadata: {name: " + p.name + "}\n" +
		"spec:\n  provider: aws\n  parameters:\n    region: us-east-1\n" + more + "    objects: |\n      " + strings.ReplaceAll(objects, "\n", "\n      ") + "\n")
}

// stored makes the secret of the pod's name.
func (p *patient) stored(value string) {
	p.t.Helper()
	_, err := secretsmanager.NewFromConfig(p.aws.Config()).CreateSecret(p.t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String(p.called(p.name)), SecretString: &value,
	})
	p.must(err)
}

// holds has a pod's secret stored, and its class say this of it.
func holds(value, object, more string) func(*patient) {
	return func(p *patient) {
		p.t.Helper()
		p.given()
		p.stored(value)
		p.class(object, more)
	}
}

// mounted are pods that start with secrets as files, or do not start.
func mounted() map[string]podRow {
	rows := map[string]podRow{
		"secret":    {before: holds("x", "", "")},
		"forgotten": {slug: "secret-not-found", before: func(p *patient) { p.given(); p.class("", "") }, mend: func(p *patient) { p.stored("x") }},
		"forbidden": {
			slug: "secrets-denied",
			before: func(p *patient) {
				p.given()
				p.stored("x")
				p.class("", "")
				p.may(s3Rights)
			},
			mend: func(p *patient) {
				p.may(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`)
			},
		},
		"mistrusted": {
			slug: "policy-condition",
			before: func(p *patient) {
				p.given()
				p.stored("x")
				p.class("", "")
				p.trust(strings.ReplaceAll(p.sound(account), ":"+p.account+`"`, `:stranger"`))
			},
			mend: func(p *patient) { p.trust(p.sound(account)) },
		},
		"plain": {
			slug: "secrets-json", mend: func(p *patient) { p.class("", "") },
			before: holds("x", ", jmesPath: [{path: a, objectAlias: b}]", ""),
		},
		"empty": {
			slug: "secrets-jmes-result", mend: func(p *patient) { p.class(", jmesPath: [{path: a, objectAlias: b}]", "") },
			before: holds(`{"a":"x"}`, ", jmesPath: [{path: c, objectAlias: b}]", ""),
		},
		"cut": {
			slug: "secrets-objects", mend: func(p *patient) { p.class("", "") },
			before: func(p *patient) { p.given(); p.stored("x"); p.classOf("- [", "") },
		},
		"twice": {
			slug: "secrets-collision",
			before: func(p *patient) {
				p.given()
				p.stored("x")
				one := "- {objectName: " + p.called(p.name) + ", objectType: secretsmanager, objectAlias: db}\n"
				p.classOf(one+one, "")
			},
			mend: func(p *patient) { p.class("", "") },
		},
		"spelt": {
			slug: "secrets-parameter", mend: func(p *patient) { p.class("", "") },
			before: holds("x", "", "    usePodIdentity: perhaps\n"),
		},
		"typeless": {
			slug: "secrets-object", mend: func(p *patient) { p.class("", "") },
			before: func(p *patient) { p.given(); p.stored("x"); p.classOf("- {objectName: "+p.called(p.name)+"}", "") },
		},
		"upwards": {
			slug: "secrets-path", mend: func(p *patient) { p.class(", objectAlias: db", "") },
			before: holds("x", ", objectAlias: ../db", "    pathTranslation: \"False\"\n"),
		},
		"nowhere-else": {
			slug: "secrets-region", mend: func(p *patient) { p.class("", "") },
			before: holds("x", ", objectAlias: db, failoverObject: {objectName: other}", ""),
		},
		"crooked": {
			slug: "secrets-jmespath", mend: func(p *patient) { p.class(", jmesPath: [{path: a, objectAlias: b}]", "") },
			before: holds(`{"a":"x"}`, `, jmesPath: [{path: "a[", objectAlias: b}]`, ""),
		},
		"heavy": {
			slug: "secrets-too-large", mend: func(p *patient) { p.class("", "") },
			before: func(p *patient) {
				p.given()
				p.stored(strings.Repeat("x", 64<<10))
				var all strings.Builder
				for i := range 64 {
					fmt.Fprintf(&all, "- {objectName: %s, objectType: secretsmanager, objectAlias: f%d}\n", p.called(p.name), i)
				}
				p.classOf(all.String(), "")
			},
		},
		"onward": {
			slug: "secrets-assume-role", mend: func(p *patient) { p.class("", "") },
			before: holds("x", "", "    assumeRoleArn: arn:aws:iam::"+elsewhere+":role/no-such-role\n"),
		},
		"nobody-there": {
			slug: "identity-none", mend: (*patient).given,
			before: func(p *patient) { p.stored("x"); p.class("", "") },
		},
		"unset-parameter": {
			slug: "parameter-not-found", mend: func(p *patient) { p.stored("x"); p.class("", "") },
			before: func(p *patient) {
				p.given()
				p.classOf("- {objectName: /"+p.called(p.name)+", objectType: ssmparameter, objectAlias: db}", "")
			},
		},
		"sworn": {
			slug:   "secrets-method",
			before: func(p *patient) { p.bySigner(); p.stored("x"); p.class("", "") },
			mend:   func(p *patient) { p.class("", "    usePodIdentity: \"true\"\n") },
		},
	}
	return mounting(rows)
}

// mounting has the pods mount what the class of their name says; their roles may
// read it.
func mounting(rows map[string]podRow) map[string]podRow {
	const rights = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["secretsmanager:*","ssm:*"],"Resource":"*"}]}`
	for name, r := range rows {
		spoil := r.before
		r.before = func(p *patient) { p.may(rights); spoil(p) }
		r.waits = r.slug != ""
		r.spec, r.container = mounts(name)
		r.mendedSpec, r.mendedContainer = mounts(name)
		rows[name] = r
	}
	return rows
}

// tokenless: the driver is not told to send tokens, until then.
func tokenless() map[string]podRow {
	return mounting(map[string]podRow{
		"tokenless": {slug: "secrets-no-token", before: holds("x", "", "")},
	})
}

// may gives the role these rights in place of its own.
func (p *patient) may(text string) {
	p.t.Helper()
	_, err := p.iam().PutRolePolicy(p.t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String(p.called(p.name)), PolicyName: aws.String("rights"), PolicyDocument: &text})
	p.must(err)
}
