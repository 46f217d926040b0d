package survey

import (
	"context"
	"time"

	certificatesv1beta1 "k8s.io/api/certificates/v1beta1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/doctor"
	"daypass.dev/pki"
)

// certificates are the ends of pods' certificates, by NAMESPACE/POD.
func (c *Cluster) certificates(ctx context.Context, namespace string, s *Status) map[string]time.Time {
	ends := map[string]time.Time{}
	var all certificatesv1beta1.PodCertificateRequestList
	if err := c.objects.List(ctx, &all, client.InNamespace(namespace)); err != nil {
		return ends // clusters without them have none
	}
	for _, r := range all.Items {
		key := r.Namespace + "/" + r.Spec.PodName
		if end := r.Status.NotAfter; end != nil && end.After(ends[key]) {
			ends[key] = end.Time
		}
	}
	return ends
}

// requests says what became of the pod's requests for certificates; one that was
// issued is the certificate that AWS is shown.
func (p *patient) requests(ctx context.Context) {
	var all certificatesv1beta1.PodCertificateRequestList
	if err := p.objects.List(ctx, &all, client.InNamespace(p.pod.Namespace)); err != nil {
		return
	}
	var latest *certificatesv1beta1.PodCertificateRequest
	for i, r := range all.Items {
		if r.Spec.PodUID == p.pod.UID && (latest == nil || r.CreationTimestamp.After(latest.CreationTimestamp.Time)) {
			latest = &all.Items[i]
		}
	}
	if latest == nil {
		return
	}
	for _, c := range latest.Status.Conditions {
		if c.Type == certificatesv1beta1.PodCertificateRequestConditionTypeDenied || c.Type == certificatesv1beta1.PodCertificateRequestConditionTypeFailed {
			p.say(doctor.Fail, "pod-certificate-refused", "%s refused its certificate: %s: %s", latest.Spec.SignerName, c.Reason, c.Message)
			return
		}
	}
	if latest.Status.CertificateChain == "" {
		p.say(doctor.Fail, "pod-certificate-waiting", "%s has not answered the pod's request of %s", latest.Spec.SignerName, latest.CreationTimestamp.UTC().Format(time.RFC3339))
		return
	}
	certs, err := pki.ParseCertificates([]byte(latest.Status.CertificateChain))
	if err != nil {
		return
	}
	p.evidence.Certificate = &pki.Evidence{Leaf: certs[0], Intermediates: certs[1:]}
	p.say(doctor.Pass, "", "%s issued its certificate, until %s", latest.Spec.SignerName, certs[0].NotAfter.UTC().Format(time.RFC3339))
}
