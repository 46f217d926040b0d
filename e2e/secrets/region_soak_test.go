//go:build soak

package secrets

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"daypass.dev/e2e/kube/kubetest"
)

// TestTheNodesRegion has neither class nor chart say where: each pod reads in
// the region that its node's label names.
func TestTheNodesRegion(t *testing.T) {
	s := newStage(t)
	regions := map[string]string{"node1": "eu-west-1", "node2": "us-west-2"}
	for node, region := range regions {
		s.Kubectl("label", "node", node, "--overwrite", "topology.kubernetes.io/region="+region)
		t.Cleanup(func() {
			if _, err := s.Try("label", "node", node, "topology.kubernetes.io/region-"); err != nil {
				t.Log(err)
			}
		})
	}
	kubetest.Chart(t, strings.Replace(values, ", region: us-east-1", "", 1))
	s.account("web", "eks.amazonaws.com/role-arn", s.role("web", "web", "", s.reads()))
	name := s.Name + "/where"
	s.class("where", "objects: |", `  - {objectName: "`+name+`", objectType: secretsmanager, objectAlias: where}`)
	for node, region := range regions {
		there := s.sandbox.Config()
		there.Region = region
		_, err := secretsmanager.NewFromConfig(there).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String(region)})
		s.must(err)
		s.Apply(strings.Replace(podWith("on-"+node, "web", "where"), `"spec": {`, `"spec": {"nodeName": "`+node+`", `, 1))
	}
	for node, region := range regions {
		s.Wait("pod/on-"+node, "Ready", 3*time.Minute)
		if got := s.file("on-"+node, "where"); got != region {
			t.Errorf("%s in %s reads of %q", node, region, got)
		}
	}
}
