package agent

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/setup"
)

// status: an association says when AWS last gave credentials for it.
func status(s *stage) {
	role := s.role("seen", s.rights(), setup.Token{
		ProviderARN: s.provider(), Subject: "system:serviceaccount:" + s.Name + ":seen", Audience: audience,
	})
	s.account("seen")
	s.associate("seen", "seen", `roleArn: "`+role+`", disableSessionTags: true`)
	last := func() string {
		return s.Kubectl("get", "podidentityassociation", s.Name+"-seen", "--output=jsonpath={.status.lastOK}")
	}
	if at := last(); at != "" {
		s.t.Errorf("before anybody asked: %s", at)
	}
	begin := time.Now().Add(-time.Second)
	s.cli("seen", "seen", "node1")
	s.is("seen", role)
	s.Eventually(20*time.Second, "an association with lastOK", func() error {
		at, err := time.Parse(time.RFC3339, last())
		if err == nil && at.Before(begin.Truncate(time.Second)) {
			err = fmt.Errorf("%s, before %s", at, begin)
		}
		return err
	})
}

// associations: of their status the agent may write lastOK alone.
func associations(s *stage, release *kubetest.Release) {
	s.associate("mine", "mine", `roleArn: "arn:aws:iam::`+home+`:role/mine"`)
	a := &v1alpha1.PodIdentityAssociation{ObjectMeta: metav1.ObjectMeta{Name: s.Name + "-mine"}}
	now := metav1.Now().Format(time.RFC3339)
	const policy = "changes nothing else"
	by := s.as(release)
	for _, row := range []struct{ what, patch, refused string }{
		{"its method", `{"status":{"method":"eks"}}`, policy},
		{"its reason", `{"status":{"reason":"identity-none"}}`, policy},
		{"what was observed", `{"status":{"observedGeneration":7}}`, policy},
		{"a condition", `{"status":{"conditions":[{"type":"Ready","status":"True","reason":"X","message":"","lastTransitionTime":"` + now + `"}]}}`, policy},
		{"lastOK", `{"status":{"lastOK":"` + now + `"}}`, ""},
		{"lastOK again, and its reason", `{"status":{"lastOK":"` + now + `","reason":"identity-none"}}`, policy},
	} {
		err := by.Status().Patch(s.t.Context(), a.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(row.patch)))
		if row.refused == "" && err != nil || row.refused != "" && (err == nil || !strings.Contains(err.Error(), row.refused)) {
			s.t.Errorf("%s: %v", row.what, err)
		}
	}
	// The API server takes of a write to status the status alone.
	if err := by.Status().Patch(s.t.Context(), a.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"serviceAccount":"*"},"metadata":{"labels":{"a":"b"}}}`))); err != nil {
		s.t.Error(err)
	}
	if out := s.Kubectl("get", "podidentityassociation", a.Name, "--output=jsonpath={.spec.serviceAccount} {.metadata.labels} {.status.reason}"); strings.TrimSpace(out) != "mine" {
		s.t.Errorf("it is %q now", out)
	}
	if err := by.Patch(s.t.Context(), a.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"serviceAccount":"*"}}`))); err == nil {
		s.t.Error("its spec was changed")
	}
}
