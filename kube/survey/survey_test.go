package survey

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"daypass.dev/doctor"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
	"daypass.dev/kube/inject"
)

func pod(annotations map[string]string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Annotations: annotations},
		Spec:       corev1.PodSpec{ServiceAccountName: "web", Containers: []corev1.Container{{Name: "app"}}},
	}
}

func account(annotations map[string]string) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Annotations: annotations}}
}

const roleARN = "arn:aws:iam::111122223333:role/reader"

func settings() inject.Settings {
	return inject.Settings{Cluster: identity.Cluster{Name: "prod", TrustDomain: "prod.example.org", Method: v1alpha1.WebIdentity}}
}

// A row of status says who the pod is, or why it is nobody.
func TestWorkloads(t *testing.T) {
	annotated := map[string]string{"daypass.dev/role-arn": roleARN}
	given := map[string]string{inject.Injected: "cluster-token"}
	for name, row := range map[string]struct {
		pod              *corev1.Pod
		account          *corev1.ServiceAccount
		method           v1alpha1.Method
		reason, wantRole string
	}{
		"nobody":            {pod(nil), account(nil), v1alpha1.WebIdentity, "", ""},
		"given":             {pod(given), account(annotated), v1alpha1.WebIdentity, "", roleARN},
		"missed":            {pod(nil), account(annotated), v1alpha1.WebIdentity, "injection-missed", roleARN},
		"no method":         {pod(nil), account(annotated), "", "method-unset", ""},
		"malformed":         {pod(nil), account(map[string]string{"daypass.dev/role-arn": "reader"}), v1alpha1.WebIdentity, "role-arn-malformed", ""},
		"no roles anywhere": {pod(nil), account(annotated), v1alpha1.RolesAnywhere, "roles-anywhere-unset", ""},
	} {
		s := settings()
		s.Cluster.Method = row.method
		got := workload(row.pod, row.account, nil, s)
		if got.Reason != row.reason || row.wantRole != "" && got.Role != row.wantRole {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// The names that a pod's certificate will have decide about a trust policy
// before there is a certificate.
func TestExpectedNames(t *testing.T) {
	names, err := settings().Cluster.Names("shop", "web")
	if err != nil {
		t.Fatal(err)
	}
	const anchor = "arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/11111111-2222-4333-8444-555555555555"
	trust := func(uri string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},
			"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],
			"Condition":{"StringEquals":{"aws:PrincipalTag/x509SAN/URI":"` + uri + `"},"ArnEquals":{"aws:SourceArn":"` + anchor + `"}}}]}`
	}
	e := doctor.Evidence{
		Now: time.Now(), Names: withNames(names), Settings: &doctor.Settings{RoleARN: roleARN, TrustAnchorARN: anchor},
		Role: &doctor.Role{ARN: roleARN, Trust: trust("spiffe://prod.example.org/ns/shop/sa/web")},
	}
	if r := doctor.Diagnose(e); !r.Healthy {
		t.Errorf("%+v", r.Cause)
	}
	e.Role.Trust = trust("spiffe://prod.example.org/ns/shop/sa/other")
	if r := doctor.Diagnose(e); r.Healthy || r.Cause.Reason != "policy-condition" {
		t.Errorf("%+v", r.Cause)
	}
}

// The same for the token that the cluster will give.
func TestExpectedToken(t *testing.T) {
	const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/oidc.example.com"},
		"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"oidc.example.com:sub":"system:serviceaccount:shop:web","oidc.example.com:aud":"sts.amazonaws.com"}}}]}`
	e := doctor.Evidence{
		Now: time.Now(), Settings: &doctor.Settings{RoleARN: roleARN}, Role: &doctor.Role{ARN: roleARN, Trust: trust},
		Provider: &doctor.Provider{ClientIDs: []string{"sts.amazonaws.com"}},
		Token:    doctor.ExpectedToken("https://oidc.example.com", "system:serviceaccount:shop:web", "sts.amazonaws.com", time.Now()),
	}
	if r := doctor.Diagnose(e); !r.Healthy {
		t.Errorf("%+v", r.Cause)
	}
	e.Token = doctor.ExpectedToken("https://oidc.example.com", "system:serviceaccount:other:web", "sts.amazonaws.com", time.Now())
	if r := doctor.Diagnose(e); r.Healthy || r.Cause.Reason != "policy-condition" {
		t.Errorf("%+v", r.Cause)
	}
}

// What an SDK says that began to look before the sidecar had credentials is no
// cause; what it says later is.
func TestWhatContainersSay(t *testing.T) {
	const renewed = `2026-01-02T10:00:27.103097953Z time=2026-01-02T10:00:27.102Z level=INFO msg="credentials renewed" accessKeyId=ASIAEXAMPLE` + "\n"
	const none = " Unable to locate credentials. You can configure credentials by running \"aws configure\".\n"
	for name, row := range map[string]struct {
		sidecar, app string
		last, early  bool
	}{
		"nothing":                 {renewed, "2026-01-02T10:00:30Z well\n", false, false},
		"before":                  {renewed, "2026-01-02T10:00:20Z" + none, true, true},
		"begun before":            {renewed, "2026-01-02T10:00:27.319528502Z" + none, true, true},
		"later":                   {renewed, "2026-01-02T10:01:27Z" + none, true, false},
		"without a sidecar":       {"", "2026-01-02T10:00:20Z" + none, true, false},
		"of AWS, whenever it was": {renewed, "2026-01-02T10:00:20Z An error occurred (AccessDenied) when calling the ListBuckets operation: Access Denied\n", true, false},
	} {
		var s said
		s.read("daypass", strings.NewReader(row.sidecar))
		last, early := s.read("app", strings.NewReader(row.app))
		if last != "" != row.last || early != row.early || last != "" && !strings.HasPrefix(last, "container app said: ") {
			t.Errorf("%s: %q, early %v", name, last, early)
		}
	}
}
