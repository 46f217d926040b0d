package survey

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/doctor"
)

// certifiedBy is how a CertificateRequest of cert-manager names the Certificate
// that it is of.
const certifiedBy = "cert-manager.io/certificate-name"

// wanting tells why cert-manager has not issued the pod's certificate, which a
// Secret is to hold, or cert-manager's CSI driver (empty) asks for. It is false
// where nothing can be told: there is no cert-manager, say.
func (p *patient) wanting(ctx context.Context, secret string) bool {
	var of []string // Certificates
	if secret != "" {
		for _, c := range p.certManager(ctx, "Certificate") {
			if name, _, _ := unstructured.NestedString(c.Object, "spec", "secretName"); name == secret {
				of = append(of, c.GetName())
			}
		}
	}
	var latest *unstructured.Unstructured
	all := p.certManager(ctx, "CertificateRequest")
	for i, r := range all {
		mine := slices.Contains(of, r.GetAnnotations()[certifiedBy]) ||
			slices.ContainsFunc(r.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return secret == "" && o.UID == p.pod.UID })
		if at := r.GetCreationTimestamp(); mine && (latest == nil || at.After(latest.GetCreationTimestamp().Time)) {
			latest = &all[i]
		}
	}
	if latest == nil {
		return false
	}
	verdict := doctor.Fail
	if secret == "" && p.pod.Status.Phase != corev1.PodPending {
		verdict = doctor.Warn // it runs with the one before
	}
	conditions, _, _ := unstructured.NestedSlice(latest.Object, "status", "conditions")
	for _, one := range conditions {
		c, ok := one.(map[string]any)
		if !ok || c["type"] != "Ready" || c["status"] != "False" {
			continue
		}
		message, _, _ := unstructured.NestedString(c, "message")
		slug := "proof-missing"
		if said := doctor.Recognise(message); len(said) > 0 { // our issuer names its reason
			slug = said[0]
		}
		p.say(verdict, slug, "CertificateRequest %s, for the pod's certificate, is not answered: %s", latest.GetName(), message)
		return true
	}
	return false
}

// certManager lists objects of cert-manager in the pod's namespace; none where
// there is no cert-manager. It says so where they may not be read.
func (p *patient) certManager(ctx context.Context, kind string) []unstructured.Unstructured {
	var list unstructured.UnstructuredList
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: "cert-manager.io", Version: "v1", Kind: kind + "List"})
	if err := p.objects.List(ctx, &list, client.InNamespace(p.pod.Namespace)); err != nil {
		if !unserved(err) && !runtime.IsNotRegisteredError(err) {
			p.say(doctor.Unknown, "", "%ss of cert-manager were not seen: %s", kind, short(err))
		}
		return nil
	}
	return list.Items
}
