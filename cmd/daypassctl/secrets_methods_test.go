package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"daypass.dev/internal/cli"
	"daypass.dev/policy"
	"daypass.dev/sandbox/world"
)

// asPod is a class that pods read as who they are to the cluster.
var asPod = strings.Replace(secretClass, "region: us-east-1", `usePodIdentity: "true"
    region: us-east-1`, 1)

// signedIn gives the command the sandbox's administrator as its AWS session.
func (d *desk) signedIn() {
	d.t.Helper()
	d.t.Setenv("HOME", d.dir)
	for _, e := range d.Env() {
		name, value, _ := strings.Cut(e, "=")
		d.t.Setenv(name, value)
	}
}

// secret makes the class's secret, with a tag.
func (d *desk) secret() {
	d.t.Helper()
	if _, err := secretsmanager.NewFromConfig(d.Config()).CreateSecret(d.t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String("db"), SecretString: aws.String(`{"user":"planted"}`), Tags: []smtypes.Tag{{Key: aws.String("team"), Value: aws.String("shop")}},
	}); err != nil {
		d.t.Fatal(err)
	}
}

// rights are what the role reader may do; trust, if given, who may use it.
func (d *desk) rights(statement, trust string) {
	d.t.Helper()
	parse := func(kind policy.Kind, statement string) *policy.Document {
		doc, err := policy.Parse(kind, `{"Version":"2012-10-17","Statement":[`+statement+`]}`)
		if err != nil {
			d.t.Fatal(err)
		}
		return doc
	}
	d.World.Lock()
	defer d.World.Unlock()
	role := d.World.Accounts["111122223333"].Roles["reader"]
	if role.Inline["own"] = parse(policy.Identity, statement); trust != "" {
		role.Trust = parse(policy.Trust, trust)
	}
}

// TestSecretsCheckByEKS reads as the pod that is named, through the cluster's
// own association.
func TestSecretsCheckByEKS(t *testing.T) {
	d := newDesk(t, asPod, "")
	d.signedIn()
	d.secret()
	d.kubectl("", map[string]any{"aud": []string{"pods.eks.amazonaws.com"}, "kubernetes.io": map[string]any{
		"namespace": "shop", "serviceaccount": map[string]string{"name": "web", "uid": "a"}, "pod": map[string]string{"name": "web-0", "uid": "b"}, "node": map[string]string{"name": "n", "uid": "c"},
	}})
	d.rights(`{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/kubernetes-namespace":"${aws:ResourceTag/team}"}}}`,
		`{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}`)
	a := &world.PodAssociation{ID: "a-1", ARN: "arn:a-1", Namespace: "shop", ServiceAccount: "web", RoleARN: "arn:aws:iam::111122223333:role/reader"}
	d.World.Lock()
	d.World.Accounts["111122223333"].Clusters = map[string]*world.Cluster{"prod": {
		Name: "prod", Region: "us-east-1", ARN: "arn:aws:eks:us-east-1:111122223333:cluster/prod", Issuer: "https://issuer.test", Associations: map[string]*world.PodAssociation{a.ID: a},
	}}
	d.World.Unlock()
	d.options.method, d.options.cluster, d.options.pod = "eks", "prod", "web-0"
	out, said, code, _ := d.check()
	if code != 0 || !strings.HasPrefix(out, "shop/web mounts it, as the role of EKS's association\n") || !strings.Contains(out, "18 bytes, version ") || strings.Contains(out+said, "planted") {
		t.Errorf("exit %d: %q, %q", code, out, said)
	}
	asked, err := os.ReadFile(filepath.Join(d.dir, "asked"))
	if err != nil || !strings.Contains(string(asked), "--audience pods.eks.amazonaws.com --bound-object-kind Pod --bound-object-name web-0") {
		t.Errorf("kubectl was asked %q: %v", asked, err)
	}
	d.rights(`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`, "")
	if _, said, code, hint := d.check(); code != cli.No || !strings.Contains(said, "(secrets-denied)") || !strings.Contains(hint, "secretsmanager:GetSecretValue") {
		t.Errorf("without the right to read: %d %q %q", code, said, hint)
	}
	d.options.cluster = "other"
	if _, said, code, _ := d.check(); code != cli.No || !strings.Contains(said, "(secrets-credentials)") {
		t.Errorf("another cluster: %d %q", code, said)
	}
}

// TestSecretsCheckByCertificate has IAM's simulator asked, for a session with
// the tags of the agent's certificate.
func TestSecretsCheckByCertificate(t *testing.T) {
	class := strings.Replace(asPod, "      - objectName: db\n", "      - {objectName: /shop/p, objectType: ssmparameter}\n      - objectName: db\n", 1)
	d := newDesk(t, class, `"daypass.dev/role-arn":"arn:aws:iam::111122223333:role/reader"`)
	d.signedIn()
	d.secret()
	if _, err := ssm.NewFromConfig(d.Config()).PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: aws.String("/shop/p"), Value: aws.String("planted"), Type: ssmtypes.ParameterTypeString, Tags: []ssmtypes.Tag{{Key: aws.String("team"), Value: aws.String("shop")}},
	}); err != nil {
		t.Fatal(err)
	}
	d.options.method, d.options.cluster, d.options.trustDomain = "roles-anywhere", "prod", "prod.test"
	const tagged = `,"Condition":{"StringEquals":{"aws:PrincipalTag/x509Subject/OU":"${aws:ResourceTag/team}","aws:PrincipalTag/x509Subject/O":"prod"}}`
	secret := `{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"arn:aws:secretsmanager:us-east-1:111122223333:secret:db-??????"` + tagged + `}`
	parameter := `{"Effect":"Allow","Action":"ssm:GetParameters","Resource":"arn:aws:ssm:us-east-1:111122223333:parameter/shop/*"` + tagged + `}`
	d.rights(secret+","+parameter, "")
	out, said, code, _ := d.check()
	if code != 0 || !strings.HasPrefix(out, "the policies of arn:aws:iam::111122223333:role/reader let shop/web read all of it; nothing was read\n") || strings.Contains(out+said, "planted") {
		t.Errorf("exit %d: %q, %q", code, out, said)
	}
	for what, row := range map[string]struct{ statements, want string }{
		"no right to the secret":    {parameter, "secretsmanager:GetSecretValue"},
		"no right to the parameter": {secret, "ssm:GetParameters"},
		"another cluster's":         {strings.ReplaceAll(secret, `"prod"`, `"other"`) + "," + parameter, "secretsmanager:GetSecretValue"},
		"denied":                    {secret + "," + parameter + `,{"Effect":"Deny","Action":"ssm:*","Resource":"*"}`, "ssm:GetParameters"},
	} {
		d.rights(row.statements, "")
		if out, said, code, hint := d.check(); code != cli.No || out != "" || !strings.Contains(said, "(secrets-denied)") || !strings.Contains(hint, "allow "+row.want+" on arn:aws:") {
			t.Errorf("%s: %d %q %q %q", what, code, out, said, hint)
		}
	}
	for _, call := range []string{"GetSecretValue", "GetParameters"} {
		if slices.ContainsFunc(d.Decisions(), func(x world.Decision) bool { return x.Operation == call }) {
			t.Errorf("%s was called", call)
		}
	}
}

// TestSecretsCheckMethods: what a method needs, and the class that it is for.
func TestSecretsCheckMethods(t *testing.T) {
	rows := map[string]struct {
		class, method, cluster, pod, want string
	}{
		"eks without a pod":                {asPod, "eks", "prod", "", "--pod"},
		"eks without a cluster":            {asPod, "eks", "", "web-0", "--cluster-name"},
		"certificate without a cluster":    {asPod, "roles-anywhere", "", "", "--cluster-name"},
		"certificate without trust domain": {asPod, "roles-anywhere", "prod", "", "--trust-domain"},
		"no method":                        {asPod, "google", "", "", "is none"},
		"a class of web identity":          {secretClass, "eks", "prod", "web-0", "usePodIdentity"},
	}
	for _, what := range slices.Sorted(maps.Keys(rows)) {
		row := rows[what]
		d := newDesk(t, row.class, "")
		d.options.method, d.options.cluster, d.options.pod = row.method, row.cluster, row.pod
		if _, said, code, _ := d.check(); code != cli.Usage || !strings.Contains(said, row.want) {
			t.Errorf("%s: %d %q", what, code, said)
		}
	}
}
