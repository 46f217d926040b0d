package inject

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"daypass.dev/kube/identity"
	"daypass.dev/reason/reasontest"
)

// The page on injection names whatever a user may write or meet.
func TestThePageNamesAll(t *testing.T) {
	text, err := os.ReadFile("../../docs/injection.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	names := append(identity.Rules()[1:], Label, Injected, eksOptOut, gtokenOptOut,
		tokenVolume, agentVolume, CertificateVolume, googleVolume, googleFirst, googleRefresh, sidecarName,
		tokenAudience, agentAudience, googleAudience, string(ClusterToken), string(Agent), string(Sidecar), string(GoogleToken))
	for _, a := range []string{"audience", "token-expiration", "sts-regional-endpoints", "skip-containers"} {
		names = append(names, "daypass.dev/"+a)
	}
	for slug := range reasontest.Slugs(t, ".", "refuse", "") {
		names = append(names, slug)
	}
	variable := regexp.MustCompile(`"name":"([A-Z0-9_]+)"`)
	for _, g := range goldens(t) { // what any pod is given, and why any is refused
		result, err := g.run(g.pod)
		if why := (*identity.Refusal)(nil); errors.As(err, &why) {
			names = append(names, why.Slug)
		}
		for _, o := range result.Patch {
			if !strings.Contains(o.Path, "/env") {
				continue
			}
			value, err := json.Marshal(o.Value)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range variable.FindAllSubmatch(value, -1) {
				names = append(names, string(m[1]))
			}
		}
	}
	if len(names) < 300 {
		t.Fatalf("%d names", len(names))
	}
	for _, name := range names {
		if !strings.Contains(page, name) {
			t.Errorf("docs/injection.md does not name %s", name)
		}
	}
}
