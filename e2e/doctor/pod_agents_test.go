package doctor

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"daypass.dev/e2e/kube"
)

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
