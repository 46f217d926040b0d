package doctor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"daypass.dev/doctor"
	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/e2e/stage"
	"daypass.dev/pki"
)

// podText is a pod with the AWS CLI, which wants credentials and says what comes
// of it.
const podText = `
apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec:
  serviceAccountName: ACCOUNT
  terminationGracePeriodSeconds: 0
  SPEC
  containers:
  - name: app
    image: IMAGE
    imagePullPolicy: Never
    command: [sh, -c, "until aws CALL; do sleep 60; done; echo well; exec sleep 3600"]
    CONTAINER
`

// A podRow is a pod of which something is broken.
type podRow struct {
	slug string // what doctor is to name; empty: nothing, for all is well
	// often: it is not for soak alone. waits: its containers have not begun.
	often, waits bool
	// before comes before the pod is made, after once it is there, so that nobody
	// refuses it at the door.
	before, after func(*patient)
	// spec and container are lines of the pod's manifest.
	spec, container string
	call            string   // what the pod does with the AWS CLI; empty: it asks who it is
	args            []string // doctor's
	// mend is what the mend says; the pod is then made anew, of mended in place of
	// spec and container. Nil: that alone mends it.
	mend                        func(*patient)
	mendedSpec, mendedContainer string
}

// A ward is a namespace with patients, and what they have at AWS.
type ward struct {
	*kubetest.Namespace
	t            *testing.T
	aws          *kubetest.AWS
	program, dir string
	ca           forger // that of the sidecars' certificates
	anchor       string // its trust anchor
	*site
}

// A site is the installed chart.
type site struct {
	test    *testing.T // that it goes with
	release *kubetest.Release
	values  string
	signer  string // the trust anchor of its signer's root
}

// chart brings it to these values.
func (s *site) chart(values string) {
	s.test.Helper()
	switch {
	case s.release == nil:
		s.release = kubetest.Chart(s.test, values)
	case s.values != values:
		s.release.Upgrade(values)
	}
	s.values = values
}

// A patient is one pod, with a ServiceAccount and a role of its name.
type patient struct {
	*ward
	podRow
	name, account, role string
	broken              string // what AWS has of it that is to be mended
}

// called is a name in AWS that no other run has.
func (w *ward) called(name string) string { return name + "-" + w.Name[len(w.Name)-6:] }

// A phase is what a cluster has for a while, and the pods that need just that.
type phase struct {
	name string
	rows map[string]podRow
	// before comes before their pods are made, meanwhile is what the platform team
	// does for all of them between the diagnosis and the mend.
	before, meanwhile func(*ward)
}

// phases are all rows, in the order in which the cluster comes to have what they
// need.
func phases() []phase {
	chart := func(values string) func(*ward) { return func(w *ward) { w.chart(values) } }
	return []phase{
		{"before anything is installed", uninstalled(), nil, chart(bare)},
		{"without a webhook", unattended(), func(w *ward) { w.chart(bare); w.scale(0) }, func(w *ward) { w.scale(1) }},
		{"with hardly any settings", unsettled(), chart(bare), chart(sidecars)},
		{"with an identity that is unclear", injected(), chart(sidecars), nil},
		{"with tokens", tokens(), chart(sidecars), nil},
		{"with sidecars", certificates(), chart(sidecars), nil},
		{"with agents", unsigned(), func(w *ward) { w.eksRole(); w.chart(agents) }, (*ward).sign},
		{"with a signer", served(), func(w *ward) { w.eksRole(); w.eksCluster(); w.sign() }, nil},
		{"with nodes without an agent", agentless(), func(w *ward) { w.sign(); w.agentsOn("nowhere") }, func(w *ward) { w.agentsOn("") }},
		{"with nodes whose port is taken", crowded(), (*ward).crowd, func(w *ward) { w.Kubectl("delete", "daemonset", "listener", "--wait"); w.agentsOn("") }},
		{"with a driver that sends no tokens", tokenless(), func(w *ward) { w.mounter(); w.tokens("null", "[]") }, (*ward).driver},
		{"with secrets", mounted(), (*ward).mounter, nil},
	}
}

// Pods of a real cluster, each with something broken for real: doctor names it,
// what the mend says mends it, and of pods that are well doctor says so. Under
// the tag soak these are all rows, else those that are marked, and every method.
func TestPods(t *testing.T) {
	w := newWard(t)
	broken, well := 0, 0
	for _, p := range phases() {
		rows := chosen(p.rows)
		if len(rows) == 0 {
			continue
		}
		for _, r := range rows {
			if r.slug == "" {
				well++
			} else {
				broken++
			}
		}
		if !t.Run(p.name, func(t *testing.T) { w.treat(t, p, rows) }) {
			return // what this one has left would be in the next one's way
		}
	}
	if broken < 20 || well < 5 {
		t.Errorf("%d pods were broken, %d well", broken, well)
	}
	t.Run("by somebody who may only look", w.looked)
}

// chosen are the rows of this run.
func chosen(rows map[string]podRow) map[string]podRow {
	these := map[string]podRow{}
	for name, r := range rows {
		if everything || r.often {
			these[name] = r
		}
	}
	return these
}

// The chart's values, from the least to all.
const (
	one      = "webhook: {replicas: 1}\ndetector: {enabled: false}\n"
	bare     = "cluster: {name: e2e, region: us-east-1}\n" + one
	sidecars = "cluster: {name: e2e, method: web-identity, region: us-east-1}\ndetector: {enabled: false}\n" +
		"webhook: {replicas: 1, certificates: {secret: '{serviceAccount}-certificate'}}\n"
	agents = "cluster: {name: e2e, trustDomain: " + trustDomain + ", method: web-identity, region: us-east-1}\n" + one +
		"node: {enabled: true, " + nodes + "}\n"
	nodes  = "ownRole: {arn: 'arn:aws:iam::" + account + ":role/daypass-node'}"
	signed = agents + "signer: {enabled: true, replicas: 1}\n"
)

// sign has the cluster's signer run, and makes a trust anchor of its root.
func (w *ward) sign() {
	w.t.Helper()
	w.chart(signed)
	if w.signer != "" {
		return
	}
	root := ""
	w.Eventually(time.Minute, "the signer's root", func() (err error) {
		if root, err = w.Try("get", "clustertrustbundle", "daypass.dev:workload:roots", "--output=jsonpath={.spec.trustBundle}"); root == "" && err == nil {
			err = errors.New("it is empty")
		}
		return err
	})
	w.signer = w.trustAnchor("signer", root)
}

// looked has a pod that is well examined by somebody who may only look at its
// namespace: doctor says what it could not see, and nothing is wrong.
func (w *ward) looked(t *testing.T) {
	w = w.in(t)
	if w.release == nil {
		w.chart(sidecars)
	}
	p := &patient{ward: w, name: "watched", account: "watched"}
	p.Apply(accountText("watched"))
	p.makeRole(w.iam(), account)
	p.given()
	p.Apply(p.pod("", ""))
	eventually(t, p.well)
	p.Kubectl("create", "serviceaccount", "looker")
	p.Kubectl("create", "rolebinding", "looker", "--clusterrole=view", "--serviceaccount="+p.Name+":looker")
	config, err := clientcmd.LoadFromFile(w.Cluster.Kubeconfig())
	w.must(err)
	for name := range config.AuthInfos {
		config.AuthInfos[name] = &api.AuthInfo{Token: strings.TrimSpace(p.Kubectl("create", "token", "looker"))}
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	w.must(clientcmd.WriteToFile(*config, file))
	r, err := p.examine(file)
	w.must(err)
	if !r.Healthy {
		t.Errorf("a false alarm: %s\n%s", cause(r), pretty(r))
	}
	if !slices.ContainsFunc(r.Checks, func(c doctor.Check) bool {
		return c.Verdict == doctor.Unknown && strings.Contains(c.Detail, "may not read")
	}) {
		t.Errorf("nothing that it could not see: %s", pretty(r))
	}
}

// scale has so many replicas of the webhook run.
func (s *site) scale(replicas int) {
	s.test.Helper()
	s.release.Kubectl("scale", "deployment/daypass-webhook", fmt.Sprint("--replicas=", replicas))
	if replicas == 0 {
		s.release.Kubectl("wait", "--for=delete", "pods", "--selector=app.kubernetes.io/component=webhook", "--timeout=1m")
		return
	}
	s.release.Kubectl("rollout", "status", "deployment/daypass-webhook", "--timeout=1m")
}

func newWard(t *testing.T) *ward {
	t.Helper()
	w := &ward{t: t, aws: kubetest.Sandbox(t), dir: t.TempDir(), site: &site{test: t}}
	kubetest.Provide(t, w.aws, kubetest.AWSCLI)
	w.Namespace = kubetest.New(t)
	w.Kubectl("delete", "namespace", kubetest.ChartNamespace, "--ignore-not-found", "--wait") // of a run that was cut short
	w.program = stage.Binary(t, "daypassctl")
	w.must(os.WriteFile(w.file(), w.aws.CA, 0o600))
	w.ca = forger{}.issue(t, caTemplate("CA of "+w.Name), newKey(t))
	w.anchor = w.trustAnchor("own", string(pki.EncodeCertificate(w.ca.cert)))
	w.provider(w.iam())
	return w
}

func (w *ward) file() string { return filepath.Join(w.dir, "aws-ca.pem") }

// in is the ward for a part of its test.
func (w *ward) in(t *testing.T) *ward {
	part := *w
	part.t = t
	return &part
}

// treat breaks, examines, mends and examines again.
func (w *ward) treat(t *testing.T, in phase, rows map[string]podRow) {
	w = w.in(t)
	if in.before != nil {
		in.before(w)
	}
	var all []*patient
	var accounts strings.Builder
	for name, r := range rows {
		all = append(all, &patient{ward: w, podRow: r, name: name, account: name})
		accounts.WriteString(accountText(name))
	}
	w.Apply(accounts.String())
	for _, p := range all {
		p.makeRole(w.iam(), account)
		if p.before != nil {
			p.before(p)
		}
	}
	start := func(text func(*patient) string) {
		var manifests []string
		for _, p := range all {
			manifests = append(manifests, text(p))
		}
		w.Apply(strings.Join(manifests, "---"))
	}
	start(func(p *patient) string {
		text := p.pod(p.spec, p.container)
		if p.after != nil { // it will be given nothing, and to see it try is dear
			text = strings.Replace(text, "until aws", "until true || aws", 1)
		}
		return text
	})
	for _, p := range all {
		if p.after != nil {
			p.after(p)
		}
	}
	// One after another: while one is examined, the others get ready.
	each := func(t *testing.T, check func(*patient) error) {
		for _, p := range all {
			t.Run(p.slug+"/"+p.name, func(t *testing.T) { eventually(t, func() error { return check(p) }) })
		}
	}
	if !t.Run("named", func(t *testing.T) { each(t, (*patient).named) }) {
		return
	}
	if in.meanwhile != nil {
		in.meanwhile(w)
	}
	remove := []string{"delete", "pod", "--wait"}
	for _, p := range all {
		if p.mend != nil {
			p.mend(p)
		}
		remove = append(remove, p.name)
	}
	w.Kubectl(remove...)
	start(func(p *patient) string { return p.pod(p.mendedSpec, p.mendedContainer) })
	t.Run("mended", func(t *testing.T) { each(t, (*patient).well) })
	w.Kubectl(append(remove, "--wait=false")...)
}

func accountText(name string) string {
	return "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: " + name + "}\n---\n"
}

func (p *patient) pod(spec, container string) string {
	call := p.call
	if call == "" {
		call = "sts get-caller-identity --query Arn --output text"
	}
	return strings.NewReplacer("NAME", p.name, "ACCOUNT", p.account, "SPEC", spec, "CONTAINER", container, "IMAGE", kubetest.AWSCLI, "CALL", call).Replace(podText)
}

// named wants doctor to name the row's reason.
func (p *patient) named() error {
	r, err := p.examine(p.kubeconfig())
	switch {
	case err != nil:
		return err
	case p.slug == "":
		return p.well()
	case r.Healthy || r.Cause.Reason != p.slug:
		return fmt.Errorf("doctor names %s\n%s", cause(r), pretty(r))
	case r.Cause.Mend == "" || r.Cause.Detail == "":
		return fmt.Errorf("no mend or no evidence: %+v", r.Cause)
	case p.waits:
		if phase, err := p.Try("get", "pod", p.name, "--output=jsonpath={.status.phase}"); err != nil || phase != "Pending" {
			p.t.Errorf("pod %s has begun without its files: %s, %v", p.name, phase, err)
		}
	}
	return nil
}

// well wants the pod to have what it wants, and doctor to find nothing.
func (p *patient) well() error {
	out, err := p.Try("logs", p.name, "--container=app")
	if err != nil {
		return err
	}
	if !strings.HasSuffix(out, "well\n") || p.call == "" && !strings.Contains(out, ":assumed-role/"+p.role[strings.LastIndexByte(p.role, '/')+1:]+"/") {
		return fmt.Errorf("the pod says %q", out)
	}
	r, err := p.examine(p.kubeconfig())
	if err == nil && !r.Healthy {
		err = fmt.Errorf("a false alarm: %s\n%s", cause(r), pretty(r))
	}
	return err
}

func (w *ward) kubeconfig() string { return w.Cluster.Kubeconfig() }

// examine runs doctor as its users do, as whoever the kubeconfig says.
func (p *patient) examine(kubeconfig string) (doctor.Report, error) {
	var r doctor.Report
	within, err := p.Cluster.Within(p.t.Context())
	if err != nil {
		return r, err
	}
	args := slices.Concat(within[1:], []string{p.program, "doctor", "pod/" + p.name, "--namespace=" + p.Name, "--output=json"}, p.args)
	cmd := exec.CommandContext(p.t.Context(), within[0], args...)
	cmd.Env = append(p.aws.Environment(p.file()), "PATH="+os.Getenv("PATH"), "HOME="+p.dir, "KUBECONFIG="+kubeconfig)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // exit code 3 where something is wrong
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		return r, fmt.Errorf("%w: %s", err, stderr.String())
	}
	return r, nil
}

func eventually(t *testing.T, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
		if err = check(); err == nil {
			return
		}
	}
	t.Error(err)
}
