package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/go-jose/go-jose/v4"

	"daypass.dev/config"
	"daypass.dev/internal/cli"
	"daypass.dev/policy"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

const secretClass = `
apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata: {name: db}
spec:
  provider: aws
  parameters:
    region: us-east-1
    objects: |
      - objectName: db
        objectType: secretsmanager
        jmesPath: [{path: user, objectAlias: user}]
`

// A desk has a class in a file, a kubectl that prints a ServiceAccount and a
// token of it, and AWS.
type desk struct {
	*sandboxtest.Sandbox
	t       *testing.T
	dir     string
	key     *ecdsa.PrivateKey // the issuer's
	options secretsOptions
}

func newDesk(t *testing.T, class, annotations string) *desk {
	t.Helper()
	d := &desk{Sandbox: sandboxtest.Start(t, world.New()), t: t, dir: t.TempDir()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d.key = key
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	d.World.SetIssuer("https://issuer.test", world.Issuer{JWKS: keys})
	trust, err := policy.Parse(policy.Trust, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity",
		"Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/issuer.test"},"Condition":{"StringEquals":{"issuer.test:sub":"system:serviceaccount:shop:web"}}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	d.World.Lock()
	d.World.Accounts["111122223333"].OIDCProviders["issuer.test"] = &world.OIDCProvider{
		URL: "issuer.test", ARN: "arn:aws:iam::111122223333:oidc-provider/issuer.test", ClientIDs: []string{"sts.amazonaws.com"},
	}
	d.World.Accounts["111122223333"].AddRole("reader", "/", trust)
	d.World.Unlock()
	d.write("class.yaml", class, 0o600)
	d.kubectl(annotations, map[string]any{"aud": []string{"sts.amazonaws.com"}})
	t.Setenv("PATH", d.dir+":"+os.Getenv("PATH"))
	d.options = secretsOptions{file: filepath.Join(d.dir, "class.yaml"), as: "shop/web", aws: config.Defaults(), method: "web-identity"}
	d.options.aws.AnyEndpoint, d.options.aws.CABundle = d.URL, d.CAFile
	return d
}

// kubectl is one that prints a ServiceAccount with these annotations, and a token
// of it with these claims.
func (d *desk) kubectl(annotations string, claims map[string]any) {
	d.t.Helper()
	now := time.Now().Unix()
	claims["iss"], claims["sub"], claims["iat"], claims["exp"] = "https://issuer.test", "system:serviceaccount:shop:web", now, now+600
	payload, err := json.Marshal(claims)
	if err != nil {
		d.t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: d.key, KeyID: "k"}}, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		d.t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		d.t.Fatal(err)
	}
	d.write("kubectl", "#!/bin/sh\necho \"$@\" >> "+filepath.Join(d.dir, "asked")+"\ncase \"$1 $2 $3\" in\n'create token web') echo "+token+" ;;\n'get serviceaccount web') echo '{\"metadata\":{\"annotations\":{"+annotations+"}}}' ;;\n*) echo no such thing >&2; exit 1 ;;\nesac\n", 0o700)
}

func (d *desk) write(name, text string, mode os.FileMode) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), mode); err != nil {
		d.t.Fatal(err)
	}
}

// check runs the command; code is its exit code.
func (d *desk) check() (stdout, stderr string, code int, hint string) {
	var out, warned strings.Builder
	err := d.options.run(d.t.Context(), &out, &warned)
	var known *cli.Error
	if errors.As(err, &known) {
		code, hint = known.Code, known.Hint
	} else if err != nil {
		code = cli.Failed
	}
	if err != nil {
		warned.WriteString(err.Error())
	}
	return out.String(), warned.String(), code, hint
}

func TestSecretsCheck(t *testing.T) {
	d := newDesk(t, secretClass+"    flavour: sweet\n", `"eks.amazonaws.com/role-arn":"arn:aws:iam::111122223333:role/reader"`)
	client := secretsmanager.NewFromConfig(d.Config())
	if _, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("db"), SecretString: aws.String(`{"user":"planted"}`)}); err != nil {
		t.Fatal(err)
	}
	if out, _, code, hint := d.check(); code != cli.No || out != "" || !strings.Contains(hint, "allow secretsmanager:GetSecretValue in an identity policy") {
		t.Errorf("without the right to read: %d %q %q", code, out, hint)
	}
	rights, err := policy.Parse(policy.Identity, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	d.World.Lock()
	d.World.Accounts["111122223333"].Roles["reader"].Inline["own"] = rights
	d.World.Unlock()
	out, warned, code, _ := d.check()
	if code != 0 || !strings.HasPrefix(out, "shop/web mounts it, as arn:aws:iam::111122223333:role/reader\ndb  db user  18 bytes, version ") || !strings.Contains(warned, "flavour means nothing") {
		t.Errorf("exit %d: %q, %q", code, out, warned)
	}
	if strings.Contains(out+warned, "planted") {
		t.Error("the value is printed")
	}
	d.options.as = ""
	if out, _, code, _ := d.check(); code != 0 || out != "db  db user\n" {
		t.Errorf("the class alone: %d %q", code, out)
	}
}

func TestSecretsCheckMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		class, as string
		code      int
		text      string
	}{
		"a class that is wrong": {strings.Replace(secretClass, "objectAlias: user", "objectAlias: db", 1), "", cli.No, "made twice"},
		"another provider":      {strings.Replace(secretClass, "provider: aws", "provider: vault", 1), "", cli.Usage, `for provider "vault"`},
		"no YAML":               {"a: [", "", cli.Usage, "reading"},
		"no ServiceAccount":     {secretClass, "web", cli.Usage, "no ServiceAccount"},
		"no role":               {secretClass, "shop/web", cli.No, "names no role"},
		"nobody":                {secretClass, "shop/none", cli.Failed, "no such thing"},
	} {
		d := newDesk(t, c.class, "")
		d.options.as = c.as
		if _, said, code, _ := d.check(); code != c.code || !strings.Contains(said, c.text) {
			t.Errorf("%s: %d %q", name, code, said)
		}
	}
}
