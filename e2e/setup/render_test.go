package setup

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"daypass.dev/e2e/peers"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
	"daypass.dev/setup"
)

const file = `name: prod
account: "111122223333"
region: us-east-1
trustAnchor: {certificateFile: ca.pem, sessions: 2h}
cluster: {name: prod, trustDomain: prod.example.org, method: web-identity, issuer: "https://oidc.example.com/id/1"}
roles:
  reports:
    usedBy: [{serviceAccount: shop/web}, {commonName: "o'neill"}]
    allow: [{actions: ["s3:GetObject"], resources: ["arn:aws:s3:::reports/*"]}]
    policies: [arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess]
`

const inEKS = `name: prod
account: "111122223333"
region: us-east-1
cluster: {name: prod, method: eks, arn: "arn:aws:eks:us-east-1:111122223333:cluster/prod"}
roles:
  reports:
    usedBy: [{serviceAccount: shop/web}]
`

// The rendered script, run by sh with the real AWS CLI, leaves nothing for apply
// to do, and prints the values that apply would write.
func TestTheScriptDoesWhatApplyDoes(t *testing.T) {
	cli, err := peers.AWSCLI(t.Context())
	peers.Need(t, "aws", err)
	dir := t.TempDir()
	authority(t, dir)
	for name, text := range map[string][]byte{"both.yaml": []byte(file), "eks.yaml": []byte(inEKS)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"both.yaml", "eks.yaml"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := setup.Read(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			script, err := f.Render("aws-cli")
			if err != nil {
				t.Fatal(err)
			}
			w := world.New()
			w.SetIssuer("https://oidc.example.com/id/1", world.Issuer{JWKS: []byte(`{"keys":[]}`)})
			w.Account("111122223333").Clusters["prod"] = &world.Cluster{
				Name: "prod", Region: "us-east-1", ARN: "arn:aws:eks:us-east-1:111122223333:cluster/prod",
				Associations: map[string]*world.PodAssociation{}, Replayed: map[string]string{},
			}
			box := sandboxtest.Start(t, w)
			cmd := exec.CommandContext(t.Context(), "sh", "-c", string(script))
			cmd.Env = append(box.Env(), "PATH="+filepath.Dir(cli)+":"+os.Getenv("PATH"), "HOME="+dir)
			cmd.Stderr = os.Stderr
			printed, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, script)
			}
			client := setup.NewClient(f, box.Config())
			s, err := client.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			p, err := f.Plan(s, true)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Steps) > 0 {
				t.Errorf("apply would still do %+v", p.Steps)
			}
			out, err := client.Apply(t.Context(), p, func(setup.Step) {}) // of an empty plan: what is there
			if err != nil {
				t.Fatal(err)
			}
			values, err := f.Values(out)
			if err != nil {
				t.Fatal(err)
			}
			var got, want any
			if err := yaml.Unmarshal(printed, &got); err != nil {
				t.Fatalf("%v\n%s", err, printed)
			}
			if err := yaml.Unmarshal(values, &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the values differ (-apply +script):\n%s", diff)
			}
			for _, line := range f.Commands() {
				if !strings.Contains(string(printed), "# "+line+"\n") {
					t.Errorf("the script does not print %q", line)
				}
			}
		})
	}
}
