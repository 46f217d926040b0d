package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"daypass.dev/internal/cli"
	"daypass.dev/sandbox/sandboxtest"
)

// associate runs a command of associations as the sandbox's administrator.
func associate(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	c := root()
	var out bytes.Buffer
	c.SetIn(strings.NewReader(stdin))
	c.SetOut(&out)
	c.SetErr(&bytes.Buffer{})
	c.SetArgs(append([]string{"associations"}, args...))
	err := c.ExecuteContext(t.Context())
	return out.String(), err
}

func newEKS(t *testing.T) *eks.Client {
	t.Helper()
	s := sandboxtest.Start(t, "")
	for _, v := range s.Env() {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	client := eks.NewFromConfig(s.Config())
	for _, name := range []string{"prod", "new"} {
		if _, err := client.CreateCluster(t.Context(), &eks.CreateClusterInput{
			Name: &name, RoleArn: aws.String("arn:aws:iam::111122223333:role/eks"), ResourcesVpcConfig: &types.VpcConfigRequest{},
		}); err != nil {
			t.Fatal(err)
		}
	}
	return client
}

const (
	podRole   = "arn:aws:iam::111122223333:role/web"
	podTarget = "arn:aws:iam::444455556666:role/data"
	podPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`
)

// What was imported from one cluster and exported to another is the same there.
func TestAssociationsThereAndBack(t *testing.T) {
	client, ctx := newEKS(t), t.Context()
	for _, in := range []eks.CreatePodIdentityAssociationInput{
		{Namespace: aws.String("shop"), ServiceAccount: aws.String("web"), Tags: map[string]string{"team": "shop"}},
		{Namespace: aws.String("shop"), ServiceAccount: aws.String("data"), TargetRoleArn: aws.String(podTarget),
			DisableSessionTags: aws.Bool(true), Policy: aws.String(podPolicy)},
	} {
		in.ClusterName, in.RoleArn = aws.String("prod"), aws.String(podRole)
		if _, err := client.CreatePodIdentityAssociation(ctx, &in); err != nil {
			t.Fatal(err)
		}
	}
	manifests, err := associate(t, "", "import", "--cluster-name", "prod")
	if err != nil || strings.Count(manifests, "kind: PodIdentityAssociation\n") != 2 || !strings.Contains(manifests, "name: shop.web\n") {
		t.Fatalf("%v\n%s", err, manifests)
	}
	for _, step := range []struct{ flag, done string }{{"--dry-run", "created"}, {"", "created"}, {"", "unchanged"}} {
		args := []string{"export", "--cluster-name", "new", "-"}
		if step.flag != "" {
			args = append(args, step.flag)
		}
		out, err := associate(t, manifests, args...)
		if err != nil || strings.Count(out, step.done) != 2 {
			t.Errorf("%q: %v\n%s", step.flag, err, out)
		}
	}
	again, err := associate(t, "", "import", "--cluster-name", "new")
	if err != nil || again != manifests {
		t.Errorf("%v\n%s\nis not\n%s", err, again, manifests)
	}
	out, err := associate(t, strings.Replace(manifests, podRole, podRole+"-2", 1), "export", "--cluster-name", "new", "-", "-o", "json")
	if err != nil || strings.Count(out, `"done": "updated"`) != 1 {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestAssociationsThatEKSCannotHave(t *testing.T) {
	newEKS(t)
	manifest := func(fields string) string {
		return "apiVersion: daypass.dev/v1alpha1\nkind: PodIdentityAssociation\nmetadata: {name: x}\nspec: {namespace: shop, roleArn: \"" + podRole + "\", " + fields + "}\n"
	}
	for fields, why := range map[string]string{
		`serviceAccount: "web*"`:                           "EKS knows no wildcards",
		`serviceAccount: web, method: roles-anywhere`:      "its method is roles-anywhere",
		`serviceAccount: web, sessionName: "{pod}"`:        "EKS names sessions itself",
		`serviceAccount: web, policy: '` + podPolicy + `'`: "a policy needs disableSessionTags: true",
	} {
		out, err := associate(t, manifest(fields), "export", "--cluster-name", "new", "-")
		var told *cli.Error
		if !errors.As(err, &told) || told.Code != cli.No || !strings.Contains(out, leftOut) || !strings.Contains(out, why) {
			t.Errorf("%s: %v\n%s", fields, err, out)
		}
	}
}

func TestAssociationsWrongInput(t *testing.T) {
	newEKS(t)
	file := filepath.Join(t.TempDir(), "pod.yaml")
	if err := os.WriteFile(file, []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"import"}, {"import", "--cluster-name", "a b"}, {"export", "--cluster-name", "new", "/nowhere"},
		{"export", "--cluster-name", "new", file}, {"export", "--cluster-name", "new", "-"}, {"export", "--cluster-name", "new", "-o", "xml", "-"},
	} {
		var told *cli.Error
		if out, err := associate(t, "", args...); !errors.As(err, &told) || told.Code != cli.Usage {
			t.Errorf("%v: %v %s", args, err, out)
		}
	}
	if _, err := associate(t, "", "import", "--cluster-name", "old"); err == nil || !strings.Contains(err.Error(), "No cluster found for name: old.") {
		t.Errorf("a cluster that is not there: %v", err)
	}
}

func FuzzAssociations(f *testing.F) {
	f.Add([]byte("apiVersion: daypass.dev/v1alpha1\nkind: PodIdentityAssociation\nspec: {namespace: a, serviceAccount: b, roleArn: c}\n"))
	f.Add([]byte("kind: List\nitems: [{kind: Pod}]\n---\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := parseAssociations(text)
		if err == nil && len(all) == 0 {
			t.Error("nothing, and no error")
		}
	})
}
