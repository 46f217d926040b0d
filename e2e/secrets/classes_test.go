package secrets

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// A class is a whole SecretProviderClass in the shape of those that people
// publish, and what its mount must hold. NS stands for the namespace, ARN and
// VERSION for the secret's ARN and its first version.
type class struct {
	name, parameters string
	files            map[string]string
}

const login = `{"username":"admin","password":"hunter2","host":{"name":"db.example"}}`

func classes() []class {
	return []class{
		{"name-only", `
    objects: |
      - objectName: "NS/login"
        objectType: "secretsmanager"`, map[string]string{"NS_login": login}},
		{"arn", `
    objects: |
      - objectName: "ARN"
        objectAlias: "db-login"`, map[string]string{"db-login": login}},
		{"aliases", `
    objects: |
        - objectName: "NS/login"
          objectType: "secretsmanager"
          objectAlias: login.json
        - objectName: "NS/plain"
          objectType: "secretsmanager"
          objectAlias: plain.txt`, map[string]string{"login.json": login, "plain.txt": "plain"}},
		{"jmes", `
    region: us-east-1
    objects: |
      - objectName: "NS/login"
        objectType: "secretsmanager"
        jmesPath:
          - path: username
            objectAlias: dbusername
          - path: password
            objectAlias: dbpassword
          - path: host.name
            objectAlias: dbhost`, map[string]string{"dbusername": "admin", "dbpassword": "hunter2", "dbhost": "db.example"}},
		{"parameters", `
    objects: |
      - objectName: "/NS/one"
        objectType: "ssmparameter"
      - objectName: "/NS/two"
        objectType: "ssmparameter"
        objectAlias: "two"`, map[string]string{"_NS_one": "first", "two": "second"}},
		{"both-services", `
    objects: |
      - objectName: "NS/plain"
        objectType: "secretsmanager"
        objectAlias: "secret"
      - objectName: "/NS/one"
        objectType: "ssmparameter"
        objectAlias: "parameter"`, map[string]string{"secret": "plain", "parameter": "first"}},
		{"folders", `
    pathTranslation: "False"
    objects: |
      - objectName: "NS/login"
        objectType: "secretsmanager"
      - objectName: "/NS/one"
        objectType: "ssmparameter"`, map[string]string{"NS/login": login, "NS/one": "first"}},
		{"dashes", `
    pathTranslation: "-"
    objects: |
      - objectName: "NS/login"
        objectType: "secretsmanager"`, map[string]string{"NS-login": login}},
		{"pinned", `
    objects: |
      - objectName: "NS/rotated"
        objectType: "secretsmanager"
        objectVersion: "VERSION"
        objectAlias: "then"
      - objectName: "NS/rotated"
        objectType: "secretsmanager"
        objectAlias: "now"`, map[string]string{"then": "old", "now": "new"}},
		{"labelled", `
    objects: |
      - objectName: "NS/rotated"
        objectType: "secretsmanager"
        objectVersionLabel: "AWSPREVIOUS"
        objectAlias: "previous"
      - objectName: "/NS/one"
        objectType: "ssmparameter"
        objectVersion: "1"
        objectAlias: "version-one"`, map[string]string{"previous": "old", "version-one": "first"}},
		{"modes", `
    objects: |
      - objectName: "NS/plain"
        objectType: "secretsmanager"
        filePermission: "0440"
        objectAlias: "plain"`, map[string]string{"plain": "plain"}},
		{"failover", `
    region: us-east-1
    failoverRegion: us-west-2
    objects: |
      - objectName: "NS/plain"
        objectType: "secretsmanager"
        objectAlias: "plain"
        failoverObject:
          objectName: "NS/plain-west"`, map[string]string{"plain": "plain"}},
		{"identity", `
    usePodIdentity: "true"
    preferredAddressType: ipv4
    objects: |
      - objectName: "NS/plain"
        objectType: "secretsmanager"`, map[string]string{"NS_plain": "plain"}},
	}
}

// mountClasses has a pod for each class, all at once.
func mountClasses(s *stage) {
	ctx := s.t.Context()
	s.secret("login", login)
	s.secret("plain", "plain")
	rotated := s.secret("rotated", "old")
	d, err := s.secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String(s.Name + "/login")})
	s.must(err)
	arn := *d.ARN
	d, err = s.secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &rotated})
	s.must(err)
	version := ""
	for version = range d.VersionIdsToStages {
	}
	_, err = s.secrets.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &rotated, SecretString: aws.String("new")})
	s.must(err)
	parameters := ssm.NewFromConfig(s.sandbox.Config())
	for name, value := range map[string]string{"one": "first", "two": "second"} {
		_, err := parameters.PutParameter(ctx, &ssm.PutParameterInput{Name: aws.String("/" + s.Name + "/" + name), Value: aws.String(value), Type: ssmtypes.ParameterTypeSecureString})
		s.must(err)
	}
	s.account("classes", "eks.amazonaws.com/role-arn", s.role("classes", "classes", "", s.reads()))
	fill := strings.NewReplacer("NS", s.Name, "ARN", arn, "VERSION", version)
	for _, c := range classes() {
		s.Apply("apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nmetadata: {name: " + c.name + "}\nspec:\n  provider: aws\n  parameters:" + fill.Replace(c.parameters) + "\n")
		s.mounts(c.name, "classes", c.name)
	}
	for _, c := range classes() {
		s.Wait("pod/"+c.name, "Ready", 3*time.Minute)
		for path, want := range c.files {
			if got := s.file(c.name, fill.Replace(path)); got != fill.Replace(want) {
				s.t.Errorf("%s: %s is %q, want %q", c.name, path, got, want)
			}
		}
	}
}

// rotated has a running pod see a new value, whole, without a restart, while one
// that is pinned to a version stays as it is.
func rotated(s *stage) {
	name := s.secret("turning", strings.Repeat("a", 1000))
	d, err := s.secrets.DescribeSecret(s.t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &name})
	s.must(err)
	version := ""
	for version = range d.VersionIdsToStages {
	}
	s.account("turning", "eks.amazonaws.com/role-arn", s.role("turning", "turning", "", s.reads()))
	s.class("turning", `objects: |`, `  - {objectName: "`+name+`", objectType: secretsmanager, objectAlias: value}`,
		`  - {objectName: "`+name+`", objectType: secretsmanager, objectAlias: pinned, objectVersion: "`+version+`"}`)
	s.mounts("turning", "turning", "turning")
	s.Wait("pod/turning", "Ready", 3*time.Minute)
	_, err = s.secrets.PutSecretValue(s.t.Context(), &secretsmanager.PutSecretValueInput{SecretId: &name, SecretString: aws.String(strings.Repeat("b", 1000))})
	s.must(err)
	s.Eventually(4*time.Minute, "the new value", func() error {
		switch got := s.file("turning", "value"); got {
		case strings.Repeat("b", 1000):
			return nil
		case strings.Repeat("a", 1000):
			return fmt.Errorf("it is the old one")
		default:
			s.t.Fatalf("neither old nor new: %q", got)
			return nil
		}
	})
	if got := s.file("turning", "pinned"); got != strings.Repeat("a", 1000) {
		s.t.Errorf("the pinned version is %.10q…", got)
	}
	if out := s.Kubectl("get", "pod", "turning", "--output=jsonpath={.status.containerStatuses[0].restartCount}"); out != "0" {
		s.t.Errorf("restarted %s times", out)
	}
	// What can no longer be read stays as it was, and an event says why.
	_, err = s.secrets.DeleteSecret(s.t.Context(), &secretsmanager.DeleteSecretInput{SecretId: &name})
	s.must(err)
	s.event("turning", "marked for deletion", "(secret-deleted)")
	if got := s.file("turning", "value"); got != strings.Repeat("b", 1000) {
		s.t.Errorf("after it was deleted: %.10q…", got)
	}
}

// synced has the driver keep a Kubernetes Secret of a mounted file.
func synced(s *stage) {
	name := s.secret("synced", "to be synced")
	s.account("synced", "eks.amazonaws.com/role-arn", s.role("synced", "synced", "", s.reads()))
	s.Apply(`
apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata: {name: synced}
spec:
  provider: aws
  parameters:
    objects: |
      - {objectName: "` + name + `", objectType: secretsmanager, objectAlias: value}
  secretObjects:
  - secretName: of-the-driver
    type: Opaque
    data: [{objectName: value, key: password}]
`)
	s.mounts("synced", "synced", "synced")
	s.Wait("pod/synced", "Ready", 3*time.Minute)
	s.Eventually(2*time.Minute, "the Secret", func() error {
		out, err := s.Try("get", "secret", "of-the-driver", "--output=go-template={{.data.password | base64decode}}")
		if err == nil && out != "to be synced" {
			err = fmt.Errorf("it holds %q", out)
		}
		return err
	})
}
