package survey

import (
	"context"
	"testing"

	certs "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"daypass.dev/doctor"
	"daypass.dev/kube/inject"
)

// checksOf are what a patient's checks say of a cluster with these objects.
func checksOf(t *testing.T, pod *corev1.Pod, by func(*patient), objects ...client.Object) []doctor.Check {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := clientscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	p := &patient{
		Cluster: &Cluster{objects: fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()},
		pod:     pod, evidence: doctor.Evidence{Pod: &doctor.Pod{}},
	}
	by(p)
	return p.evidence.Pod.Checks
}

// having is what a cluster knows of PodCertificateRequests: one version.
func having(version string, c client.Client) client.Client {
	return interceptor.NewClient(c.(client.WithWatch), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if gvk := list.GetObjectKind().GroupVersionKind(); gvk.Group == certs.GroupName && gvk.Version != version {
				return &meta.NoKindMatchError{GroupKind: gvk.GroupKind(), SearchedVersions: []string{gvk.Version}}
			}
			return c.List(ctx, list, opts...)
		},
	})
}

// What became of a pod's request for a certificate, in whichever version the
// cluster has them.
func TestRequestsForCertificates(t *testing.T) {
	p := pod(nil)
	p.UID = "uid"
	for _, version := range []string{"v1", "v1beta1"} {
		request := func(condition, uid string) client.Object {
			text := "{kind: PodCertificateRequest, metadata: {namespace: shop, name: r}, spec: {signerName: daypass.dev/workload, podName: web, podUID: " + uid + "}, status: {notAfter: '2026-01-02T10:00:00Z'"
			if condition != "" {
				text += ", conditions: [{type: " + condition + ", status: 'True', reason: Because, message: of something}]"
			}
			o := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(text+"}}"), &o.Object); err != nil {
				t.Fatal(err)
			}
			o.SetAPIVersion(certs.GroupName + "/" + version)
			return o
		}
		look := func(p *patient) {
			p.objects = having(version, p.objects)
			p.requests(t.Context())
			ends, err := p.certificates(t.Context(), "shop")
			if end, ok := ends["shop/web"]; !ok || end.UTC().Hour() != 10 || err != nil {
				t.Errorf("%s: ends %v, %v", version, ends, err)
			}
		}
		for condition, want := range map[string]string{"": "pod-certificate-waiting", "Denied": "pod-certificate-refused", "Failed": "pod-certificate-refused"} {
			got := checksOf(t, p, look, request(condition, "uid"))
			if len(got) != 1 || got[0].Verdict != doctor.Fail || got[0].Reason != want || got[0].Mend == "" {
				t.Errorf("%s %q: %+v, want %s", version, condition, got, want)
			}
		}
		if got := checksOf(t, p, look, request("Denied", "another")); len(got) != 0 {
			t.Errorf("%s, another pod's: %+v", version, got)
		}
	}
	none := func(p *patient) { p.objects = having("", p.objects); p.requests(t.Context()) }
	if got := checksOf(t, p, none); len(got) != 0 {
		t.Errorf("a cluster that has no such requests: %+v", got)
	}
}

// A Secret that is to hold the certificate, and what is wrong with it.
func TestCertificatesInSecrets(t *testing.T) {
	p := pod(nil)
	p.Spec.Volumes = []corev1.Volume{{Name: inject.CertificateVolume, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "web-certificate"}}}}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-certificate"}, Data: map[string][]byte{corev1.TLSCertKey: []byte("nonsense")}}
	look := func(p *patient) { p.secret(t.Context()) }
	if got := checksOf(t, p, look); len(got) != 1 || got[0].Reason != "proof-missing" {
		t.Errorf("without it: %+v", got)
	}
	if got := checksOf(t, p, look, secret); len(got) != 1 || got[0].Reason != "proof-form" {
		t.Errorf("with nonsense: %+v", got)
	}
	if got := checksOf(t, pod(nil), look, secret); len(got) != 0 {
		t.Errorf("a pod without the volume: %+v", got)
	}
}

// Where cert-manager is to make the certificate, what its issuer says of the
// latest request is the cause.
func TestCertificatesOfCertManager(t *testing.T) {
	object := func(text string) client.Object {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
			t.Fatal(err)
		}
		o.SetAPIVersion("cert-manager.io/v1")
		o.SetNamespace("shop")
		return o
	}
	request := func(name, made, status, message, of string) client.Object {
		return object("{kind: CertificateRequest, metadata: {name: " + name + ", creationTimestamp: '2026-01-02T" + made + "Z', " + of + "}, " +
			"status: {conditions: [{type: Approved, status: 'True'}, {type: Ready, status: '" + status + "', message: '" + message + "'}]}}")
	}
	certificate := object("{kind: Certificate, metadata: {name: web}, spec: {secretName: web-certificate}}")
	const ofWeb, ofOther = "annotations: {cert-manager.io/certificate-name: web}", "annotations: {cert-manager.io/certificate-name: other}"
	const ofPod = "ownerReferences: [{apiVersion: v1, kind: Pod, name: web, uid: uid}]"
	const refused = "AccessDeniedException: no (issuer-access): allow it"
	bySecret, byDriver := pod(nil), pod(nil)
	bySecret.Spec.Volumes = []corev1.Volume{{Name: inject.CertificateVolume, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "web-certificate"}}}}
	byDriver.UID, byDriver.Status.Phase = "uid", corev1.PodPending
	byDriver.Spec.Volumes = []corev1.Volume{{Name: "certificate", VolumeSource: corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "csi.cert-manager.io"}}}}
	running := byDriver.DeepCopy() // a renewal is under way, or was refused
	running.Status.Phase = corev1.PodRunning
	if got := checksOf(t, running, func(p *patient) { p.secret(t.Context()) }, request("a", "10:00:00", "False", refused, ofPod)); len(got) != 1 ||
		got[0].Verdict != doctor.Warn || got[0].Reason != "issuer-access" {
		t.Errorf("the driver's, of a pod that runs: %+v", got)
	}
	for name, row := range map[string]struct {
		pod     *corev1.Pod
		objects []client.Object
		want    string // empty: nothing is said
	}{
		"refused":                  {bySecret, []client.Object{certificate, request("a", "10:00:00", "False", refused, ofWeb)}, "issuer-access"},
		"refused after an answer":  {bySecret, []client.Object{certificate, request("a", "10:00:00", "True", "issued", ofWeb), request("b", "11:00:00", "False", refused, ofWeb)}, "issuer-access"},
		"answered a moment ago":    {bySecret, []client.Object{certificate, request("a", "10:00:00", "False", refused, ofWeb), request("b", "11:00:00", "True", "issued", ofWeb)}, "proof-missing"},
		"another issuer's words":   {bySecret, []client.Object{certificate, request("a", "10:00:00", "False", "not today", ofWeb)}, "proof-missing"},
		"another Certificate's":    {bySecret, []client.Object{certificate, request("a", "10:00:00", "False", refused, ofOther)}, "proof-missing"},
		"the driver's":             {byDriver, []client.Object{request("a", "10:00:00", "False", refused, ofPod)}, "issuer-access"},
		"the driver's, answered":   {byDriver, []client.Object{request("a", "10:00:00", "True", "issued", ofPod)}, ""},
		"the driver's, of another": {byDriver, []client.Object{certificate, request("a", "10:00:00", "False", refused, ofWeb)}, ""},
	} {
		got := checksOf(t, row.pod, func(p *patient) { p.secret(t.Context()) }, row.objects...)
		if row.want == "" && len(got) > 0 || row.want != "" && (len(got) != 1 || got[0].Verdict != doctor.Fail || got[0].Reason != row.want || got[0].Mend == "") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
