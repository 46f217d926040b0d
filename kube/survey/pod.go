package survey

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/doctor"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
	"daypass.dev/kube/inject"
	"daypass.dev/reason"
)

// A patient is a pod under examination.
type patient struct {
	*Cluster
	pod      *corev1.Pod
	evidence doctor.Evidence
}

func refusal(err error) *identity.Refusal {
	var r *identity.Refusal
	errors.As(err, &r)
	return r
}

// Pod collects what the cluster tells of a pod: who it is, what it was given,
// how it fares, and what it says. What AWS has, is for gather to add. The error
// says that there is no such pod, or that it cannot be seen.
func (c *Cluster) Pod(ctx context.Context, namespace, name string) (*doctor.Evidence, error) {
	p := &patient{Cluster: c, pod: &corev1.Pod{}, evidence: doctor.Evidence{Now: time.Now(), Settings: &doctor.Settings{Environment: map[string]string{}}}}
	if err := c.objects.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, p.pod); err != nil {
		return nil, fmt.Errorf("reading pod %s/%s: %w", namespace, name, err)
	}
	in := c.installation(ctx)
	p.evidence.Pod = &doctor.Pod{Namespace: namespace, Name: name}
	p.identity(ctx, in, p.webhook(ctx, in))
	p.agent(ctx)
	p.containers()
	p.events(ctx)
	p.requests(ctx)
	p.secret(ctx)
	p.environment()
	p.logs(ctx)
	return &p.evidence, nil
}

func (p *patient) say(v doctor.Verdict, slug, format string, args ...any) {
	row, _ := reason.Lookup(slug)
	p.evidence.Pod.Checks = append(p.evidence.Pod.Checks, doctor.Check{Verdict: v, Reason: slug, Detail: fmt.Sprintf(format, args...), Mend: row.Mend})
}

// webhook returns what is wrong with it, which counts once a pod lacks what it
// would have given.
func (p *patient) webhook(ctx context.Context, in installation) *identity.Refusal {
	switch d := in.webhook; {
	case in.unseen != "":
		p.say(doctor.Unknown, "", "the webhook and its settings were not seen: %s", in.unseen)
	case d == nil && p.policies(ctx):
	case d == nil:
		return &identity.Refusal{Slug: "webhook-absent", Detail: "there is no Deployment of daypass's webhook"}
	case d.Status.ReadyReplicas == 0:
		return &identity.Refusal{Slug: "webhook-down", Detail: d.Namespace + "/" + d.Name + " has no ready replica"}
	default:
		p.say(doctor.Pass, "", "%d replicas of the webhook are ready", d.Status.ReadyReplicas)
	}
	return nil
}

// policies tells whether the API server itself gives pods what they need, so that
// no webhook has to, or that this cannot be known. Only whoever rules the cluster
// can make such policies.
func (p *patient) policies(ctx context.Context) bool {
	var all admissionv1.MutatingAdmissionPolicyList
	err := p.objects.List(ctx, &all, component(""))
	switch {
	case unserved(err):
		return false
	case err != nil:
		p.say(doctor.Unknown, "", "there is no webhook, and whether policies do its work was not seen: %s", short(err))
		return true
	}
	return len(all.Items) > 0
}

// identity says who the pod is to AWS, and whether it was given the means.
func (p *patient) identity(ctx context.Context, in installation, webhook *identity.Refusal) {
	given := p.pod.Annotations[inject.Injected]
	if webhook != nil && webhook.Slug == "webhook-down" && given != "" { // it has what it needs; others may not get it
		p.say(doctor.Warn, webhook.Slug, "%s", webhook.Detail)
	}
	account := &corev1.ServiceAccount{}
	err := p.objects.Get(ctx, client.ObjectKey{Namespace: p.pod.Namespace, Name: p.pod.Spec.ServiceAccountName}, account)
	switch {
	case apierrors.IsNotFound(err):
		p.say(doctor.Fail, "service-account-missing", "there is no ServiceAccount %s in %s", p.pod.Spec.ServiceAccountName, p.pod.Namespace)
		return
	case err != nil:
		p.say(doctor.Unknown, "", "its ServiceAccount was not seen: %s", short(err))
		return
	}
	var associations v1alpha1.PodIdentityAssociationList
	if err := p.objects.List(ctx, &associations); err != nil {
		p.say(doctor.Unknown, "", "PodIdentityAssociations were not seen: %s", short(err))
	}
	if !in.known { // without the cluster's settings nothing can be resolved
		if webhook == nil && in.unseen == "" {
			p.say(doctor.Unknown, "", "who it is was not found out: none of daypass's programs is here, whose settings say it")
		}
		if webhook != nil && given == "" && isMeant(p.pod, account, associations.Items) {
			p.say(doctor.Fail, webhook.Slug, "%s, and ServiceAccount %s is to have a role", webhook.Detail, account.Name)
		}
		return
	}
	id, findings, err := identity.Resolve(p.pod, account, associations.Items, in.settings.Cluster)
	if refused := refusal(err); refused != nil {
		p.say(doctor.Fail, refused.Slug, "%s", refused.Detail)
		return
	}
	if id.Role() == "" {
		p.say(doctor.Fail, "identity-none", "neither an association nor an annotation of ServiceAccount %s gives it a role", account.Name)
		return
	}
	p.say(doctor.Pass, "", "%s by method %s, from %s", id.Role(), id.Method, spoke(findings))
	switch missed := inject.Missed(p.pod, account, associations.Items, in.settings); {
	case missed != nil && missed.Slug == "injection-missed" && webhook != nil:
		p.say(doctor.Fail, webhook.Slug, "%s, and %s", webhook.Detail, missed.Detail)
	case missed != nil:
		p.say(doctor.Fail, missed.Slug, "%s", missed.Detail)
	default:
		p.say(doctor.Pass, "", "it was given what it needs: %s", given)
	}
	p.asked(ctx, id, in.settings)
}

// isMeant tells whether anything gives the pod a role, right or wrong.
func isMeant(pod *corev1.Pod, account *corev1.ServiceAccount, associations []v1alpha1.PodIdentityAssociation) bool {
	id, _, err := identity.Resolve(pod, account, associations, identity.Cluster{})
	return err != nil || id.Role() != ""
}

// spoke names the rule that spoke.
func spoke(findings []identity.Finding) string {
	for _, f := range findings {
		if f.Role != "" && f.Association != "" {
			return "association " + f.Association
		} else if f.Role != "" {
			return "annotation " + f.Rule
		}
	}
	return "nothing"
}

// asked is what AWS will be shown and asked for.
func (p *patient) asked(ctx context.Context, id identity.Identity, s inject.Settings) {
	e := &p.evidence
	e.Settings.RoleARN, e.Settings.FurtherARN = id.RoleARN, id.TargetRoleARN
	switch id.Method {
	case v1alpha1.RolesAnywhere:
		e.Settings.TrustAnchorARN, e.Settings.ProfileARN = id.RolesAnywhere.TrustAnchorARN, id.RolesAnywhere.ProfileARN
		names, err := s.Cluster.Names(id.Namespace, id.ServiceAccount)
		if err == nil {
			e.Names = withNames(names)
		} else if refused := refusal(err); refused != nil && p.pod.Annotations[inject.Injected] == string(inject.Agent) {
			p.say(doctor.Fail, refused.Slug, "%s", refused.Detail) // what the agent would ask the signer for
		}
	case v1alpha1.WebIdentity:
		audience := id.Token.Audience
		if audience == "" {
			audience = "sts.amazonaws.com"
		}
		if issuer := p.issuer(ctx); issuer != "" {
			e.Token = doctor.ExpectedToken(issuer, "system:serviceaccount:"+id.Namespace+":"+id.ServiceAccount, audience, e.Now)
		}
	}
}

// issuer is that of the cluster's tokens; empty if it cannot be read.
func (p *patient) issuer(ctx context.Context) string {
	text, err := p.core.Discovery().RESTClient().Get().AbsPath("/.well-known/openid-configuration").DoRaw(ctx)
	if err != nil {
		p.say(doctor.Unknown, "", "the issuer of the cluster's tokens was not seen: %s", short(err))
		return ""
	}
	var doc struct {
		Issuer string `json:"issuer"`
	}
	if json.Unmarshal(text, &doc) != nil {
		return ""
	}
	return doc.Issuer
}

// withNames is a certificate that says these names and counts for nothing else.
func withNames(n identity.CertificateNames) *x509.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: n.CommonName, OrganizationalUnit: []string{n.OrganizationUnit}, Organization: []string{n.Organization}},
	}
	if uri, err := url.Parse(n.URI); err == nil {
		template.URIs = []*url.URL{uri}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	return leaf
}

// containers says which of them wait, or end again and again, and why.
func (p *patient) containers() {
	for _, s := range slices.Concat(p.pod.Status.InitContainerStatuses, p.pod.Status.ContainerStatuses) {
		switch {
		case s.State.Waiting != nil && s.State.Waiting.Reason != "PodInitializing" && s.State.Waiting.Reason != "ContainerCreating":
			p.recognised(fmt.Sprintf("container %s waits: %s %s", s.Name, s.State.Waiting.Reason, s.State.Waiting.Message))
		case s.State.Terminated != nil && s.State.Terminated.ExitCode != 0:
			p.say(doctor.Warn, "", "container %s ended with code %d: %s", s.Name, s.State.Terminated.ExitCode, s.State.Terminated.Message)
		}
	}
}

// recognised tells of a text that speaks of trouble: its reason if the text has
// but one.
func (p *patient) recognised(text string) {
	slug := ""
	if found := doctor.Recognise(text); len(found) > 0 {
		slug = found[0]
	}
	if slug == "" {
		p.say(doctor.Warn, "", "%s", text)
		return
	}
	p.say(doctor.Fail, slug, "%s", text)
}

// events are the warnings about the pod, the latest of each kind.
func (p *patient) events(ctx context.Context) {
	list, err := p.core.CoreV1().Events(p.pod.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.uid=" + string(p.pod.UID) + ",type=Warning"})
	if err != nil {
		p.say(doctor.Unknown, "", "its events were not seen: %s", short(err))
		return
	}
	slices.SortStableFunc(list.Items, func(a, b corev1.Event) int { return lastSeen(&a).Compare(lastSeen(&b)) })
	latest := map[string]string{}
	for _, e := range list.Items {
		latest[e.Reason] = e.Message
	}
	for _, kind := range slices.Sorted(maps.Keys(latest)) {
		if kind == "IdentityMissed" || kind == "Unhealthy" || kind == "BackOff" || kind == "FailedScheduling" {
			continue // told before, or no business of ours
		}
		said := doctor.Recognise(latest[kind])
		if kind == "IdentityRefused" && said == nil || slices.Contains(said, "secrets-credentials") { // the agent passes on what AWS said
			p.evidence.Answer = &doctor.Answer{Text: "the agent says: " + latest[kind]}
			continue
		}
		p.recognised("event " + kind + ": " + latest[kind])
	}
}

// environment is what SDKs in the pod read; of secrets, the name alone.
func (p *patient) environment() {
	env := p.evidence.Settings.Environment
	for _, c := range p.pod.Spec.Containers {
		for _, v := range c.Env {
			if strings.HasPrefix(v.Name, "AWS_") && !strings.Contains(v.Name, "SECRET") && !strings.Contains(v.Name, "TOKEN") && v.Name != "AWS_ACCESS_KEY_ID" {
				env[v.Name] = v.Value
			} else if v.Name == "AWS_ACCESS_KEY_ID" {
				env[v.Name] = ""
			}
		}
	}
}

// logs looks for what AWS or an SDK said, in the last lines of each container
// and the last hour: what is older may be mended since.
func (p *patient) logs(ctx context.Context) {
	const lines, recent = 200, time.Hour
	n, seconds := int64(lines), int64(recent/time.Second)
	var all said
	for _, c := range slices.Concat(p.pod.Spec.InitContainers, p.pod.Spec.Containers) {
		in, err := p.core.CoreV1().Pods(p.pod.Namespace).GetLogs(p.pod.Name, &corev1.PodLogOptions{Container: c.Name, TailLines: &n, SinceSeconds: &seconds, Timestamps: true}).Stream(ctx)
		if err != nil {
			if apierrors.IsForbidden(err) {
				p.say(doctor.Unknown, "", "the log of container %s was not seen: %s", c.Name, short(err))
			}
			continue
		}
		last, early := all.read(c.Name, in)
		_ = in.Close()
		switch {
		case last == "" || p.better():
		case early:
			p.say(doctor.Warn, "", "when the pod had no credentials yet, %s", last)
		default:
			p.evidence.Answer = &doctor.Answer{Text: last}
		}
	}
	if all.refused != "" && p.evidence.Answer != nil && !p.better() {
		p.evidence.Answer = &doctor.Answer{Text: all.refused}
	}
}

// said is what containers said, the sidecar first.
type said struct {
	refused string    // whom the sidecar turned away, which is a cause only where somebody lacks credentials
	renewed time.Time // when the sidecar last got credentials of AWS
}

// tries is for so long an SDK looks for credentials before it says that there
// are none.
const tries = 10 * time.Second

// read returns the last that a container's log, with timestamps, says of
// trouble, and whether it was said before there were credentials.
func (s *said) read(container string, log io.Reader) (last string, early bool) {
	var lastAt time.Time
	none := false // the last tells of none at all
	for scan := bufio.NewScanner(log); scan.Scan(); {
		stamp, line, _ := strings.Cut(scan.Text(), " ")
		at, _ := time.Parse(time.RFC3339Nano, stamp)
		switch {
		case strings.Contains(line, "credentials renewed"):
			s.renewed, last, none = at, "", false // what was said before is mended
		case doctor.Recognise(line) == nil:
		case strings.Contains(line, "refused a caller"):
			s.refused = fmt.Sprintf("container %s said: %.500s", container, line)
		default:
			last, lastAt, none = fmt.Sprintf("container %s said: %.500s", container, line), at, foundNone(line)
		}
	}
	return last, none && s.renewed.After(lastAt.Add(-tries))
}

// better tells that a log has spoken of AWS's own words already.
func (p *patient) better() bool {
	return p.evidence.Answer != nil && !foundNone(p.evidence.Answer.Text)
}

// foundNone tells that an SDK found no credentials at all.
func foundNone(text string) bool { return slices.Contains(doctor.Recognise(text), "injection-missed") }
