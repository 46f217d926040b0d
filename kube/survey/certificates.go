package survey

import (
	"context"
	"crypto/x509"
	"time"

	certs "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/doctor"
	"daypass.dev/kube/inject"
	"daypass.dev/pki"
)

// podRequests lists PodCertificateRequests in the version that the cluster has:
// v1, or before 1.37 v1beta1, whose fields are the same but for two that
// kubelets have not filled since 1.36. Clusters that have neither have none.
func (c *Cluster) podRequests(ctx context.Context, namespace string) ([]certs.PodCertificateRequest, error) {
	for _, version := range []string{"v1", "v1beta1"} {
		var all unstructured.UnstructuredList
		all.SetGroupVersionKind(schema.GroupVersionKind{Group: certs.GroupName, Version: version, Kind: "PodCertificateRequestList"})
		err := c.objects.List(ctx, &all, client.InNamespace(namespace))
		if unserved(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		requests := make([]certs.PodCertificateRequest, len(all.Items))
		for i, r := range all.Items {
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(r.Object, &requests[i]); err != nil {
				return nil, err
			}
		}
		return requests, nil
	}
	return nil, nil
}

// unserved tells a kind that the cluster has not.
func unserved(err error) bool { return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) }

// certificates are the ends of pods' certificates, by NAMESPACE/POD.
func (c *Cluster) certificates(ctx context.Context, namespace string) (map[string]time.Time, error) {
	ends := map[string]time.Time{}
	all, err := c.podRequests(ctx, namespace)
	for _, r := range all {
		key := r.Namespace + "/" + r.Spec.PodName
		if end := r.Status.NotAfter; end != nil && end.After(ends[key]) {
			ends[key] = end.Time
		}
	}
	return ends, err
}

// requests says what became of the pod's requests for certificates; one that was
// issued is the certificate that AWS is shown.
func (p *patient) requests(ctx context.Context) {
	all, err := p.podRequests(ctx, p.pod.Namespace)
	if err != nil {
		p.say(doctor.Unknown, "", "its requests for certificates were not seen: %s", short(err))
		return
	}
	var latest *certs.PodCertificateRequest
	for i, r := range all {
		if r.Spec.PodUID == p.pod.UID && (latest == nil || r.CreationTimestamp.After(latest.CreationTimestamp.Time)) {
			latest = &all[i]
		}
	}
	if latest == nil {
		return
	}
	for _, c := range latest.Status.Conditions {
		if c.Type == certs.PodCertificateRequestConditionTypeDenied || c.Type == certs.PodCertificateRequestConditionTypeFailed {
			slug := "pod-certificate-refused"
			if said := doctor.Recognise(c.Message); len(said) == 1 { // our signer names its reason
				slug = said[0]
			}
			p.say(doctor.Fail, slug, "%s refused its certificate: %s: %s", latest.Spec.SignerName, c.Reason, c.Message)
			return
		}
	}
	if latest.Status.CertificateChain == "" {
		p.say(doctor.Fail, "pod-certificate-waiting", "%s has not answered the pod's request of %s", latest.Spec.SignerName, latest.CreationTimestamp.UTC().Format(time.RFC3339))
		return
	}
	chain, err := pki.ParseCertificates([]byte(latest.Status.CertificateChain))
	if err != nil {
		return
	}
	if p.evidence.Settings.TrustAnchorARN != "" { // else it is the pod's own affair
		p.shown(chain)
	}
	p.say(doctor.Pass, "", "%s issued its certificate, until %s", latest.Spec.SignerName, chain[0].NotAfter.UTC().Format(time.RFC3339))
}

// shown is what AWS is shown.
func (p *patient) shown(chain []*x509.Certificate) {
	p.evidence.Certificate, p.evidence.Names = &pki.Evidence{Leaf: chain[0], Intermediates: chain[1:]}, nil
}

// secret looks at the certificate in a Secret that injection has given the pod;
// of the key beside it nothing is read.
func (p *patient) secret(ctx context.Context) {
	name := ""
	for _, v := range p.pod.Spec.Volumes {
		switch {
		case v.Name == inject.CertificateVolume && v.Secret != nil:
			name = v.Secret.SecretName
		case v.CSI != nil && v.CSI.Driver == "csi.cert-manager.io":
			p.wanting(ctx, "")
		}
	}
	if name == "" {
		return
	}
	var s corev1.Secret
	err := p.objects.Get(ctx, client.ObjectKey{Namespace: p.pod.Namespace, Name: name}, &s)
	switch {
	case apierrors.IsNotFound(err) && p.wanting(ctx, name):
		return
	case apierrors.IsNotFound(err):
		p.say(doctor.Fail, "proof-missing", "there is no Secret %s, which is to hold its certificate", name)
		return
	case err != nil:
		p.say(doctor.Unknown, "", "its certificate in Secret %s was not seen: %s", name, short(err))
		return
	}
	chain, err := pki.ParseCertificates(s.Data[corev1.TLSCertKey])
	if err != nil || len(chain) == 0 {
		p.say(doctor.Fail, "proof-form", "%s in Secret %s holds no certificate", corev1.TLSCertKey, name)
		return
	}
	p.shown(chain)
	p.say(doctor.Pass, "", "its certificate is in Secret %s, until %s", name, chain[0].NotAfter.UTC().Format(time.RFC3339))
}
