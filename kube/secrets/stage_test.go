package secrets

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/go-jose/go-jose/v4"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	driver "sigs.k8s.io/secrets-store-csi-driver/provider/v1alpha1"

	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
	"daypass.dev/kube/vend"
	"daypass.dev/policy"
	"daypass.dev/sandbox"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
	"daypass.dev/secrets"
)

const (
	issuerURL = "https://issuer.test"
	account   = "111122223333"
)

// A cluster is what the provider can know, as Kubernetes would tell it: every
// pod of the namespace shop runs on n1 as the ServiceAccount that its name
// begins with, and every ServiceAccount has the role of its own name; sworn has
// it by certificate.
type cluster struct{}

func (cluster) Pod(_ context.Context, namespace, name string, _ bool) (*corev1.Pod, error) {
	of, _, ok := strings.Cut(name, "-")
	if !ok || namespace != "shop" {
		return nil, nil
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("uid-of-" + name)},
		Spec:       corev1.PodSpec{ServiceAccountName: of, NodeName: "n1"}, Status: corev1.PodStatus{Phase: corev1.PodPending},
	}, nil
}

func (cluster) Lookup(_ context.Context, namespace, name string) (*corev1.ServiceAccount, []v1alpha1.PodIdentityAssociation, error) {
	if name == "none" {
		return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}, nil, nil
	}
	if name == "sworn" {
		return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}, []v1alpha1.PodIdentityAssociation{{Spec: v1alpha1.PodIdentityAssociationSpec{
			Namespace: namespace, ServiceAccount: name, RoleARN: "arn:aws:iam::" + account + ":role/sworn", Method: v1alpha1.RolesAnywhere, DisableSessionTags: true,
			RolesAnywhere: &v1alpha1.Anywhere{TrustAnchorARN: "arn:aws:rolesanywhere:us-east-1:" + account + ":trust-anchor/a", ProfileARN: "arn:aws:rolesanywhere:us-east-1:" + account + ":profile/p"},
		}}}, nil
	}
	return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name, Annotations: map[string]string{"eks.amazonaws.com/role-arn": "arn:aws:iam::" + account + ":role/" + name},
	}}, nil, nil
}

// clusterKey signs the tokens of all stages: to make one takes long.
var clusterKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// A stage is the provider on its socket, with the sandbox upstream.
type stage struct {
	*sandboxtest.Sandbox
	t          *testing.T
	provider   *Provider
	client     driver.CSIDriverProviderClient
	secrets    *secretsmanager.Client
	parameters *ssm.Client
	log        *strings.Builder
	// before may answer calls to AWS in the sandbox's place.
	before atomic.Pointer[func(http.ResponseWriter, *http.Request) (done bool)]

	mu   sync.Mutex
	told []string // slugs of failures
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, log: &strings.Builder{}}
	w := world.New()
	aws := sandbox.New(w)
	s.Sandbox = sandboxtest.StartHandler(t, w, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if f := s.before.Load(); f == nil || !(*f)(rw, r) {
			aws.ServeHTTP(rw, r)
		}
	}))
	keys := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: clusterKey().Public(), KeyID: "k1", Algorithm: "RS256", Use: "sig"}}}
	text, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	s.World.SetIssuer(issuerURL, world.Issuer{JWKS: text})
	s.World.Lock()
	s.World.Accounts[account].OIDCProviders["issuer.test"] = &world.OIDCProvider{
		URL: "issuer.test", ARN: "arn:aws:iam::" + account + ":oidc-provider/issuer.test", ClientIDs: []string{"sts.amazonaws.com", "pods.eks.amazonaws.com"},
	}
	s.World.Unlock()
	log := slog.New(slog.NewTextHandler(&locked{w: s.log}, nil))
	vendor := func() *vend.Vendor {
		v := &vend.Vendor{
			Cluster: identity.Cluster{Name: "prod", TrustDomain: "prod.test", Method: v1alpha1.WebIdentity}, Node: "n1", Directory: cluster{}, Log: log,
			Upstream: vend.Upstream{Region: "us-east-1", Client: s.Client(), STSEndpoint: s.URL},
		}
		t.Cleanup(func() { _ = v.Close() })
		return v
	}
	s.provider = &Provider{
		Tokens: &vend.Tokens{Node: "n1", Log: log, Fetch: func(context.Context) (vend.Issuer, error) {
			return vend.Issuer{URL: issuerURL, Keys: keys}, nil
		}},
		Identity: vendor(), Web: vendor(), Cluster: "prod", Region: "us-east-1", Log: log,
		Reader: &secrets.Reader{Endpoint: s.URL, Client: s.Client(), Log: log},
		Failed: func(_ vend.Caller, slug, _ string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.told = append(s.told, slug)
		},
	}
	s.secrets, s.parameters = secretsmanager.NewFromConfig(s.Config()), ssm.NewFromConfig(s.Config())
	s.client = s.serve()
	for _, role := range []string{"web", "other"} {
		s.role(role, `{"Effect":"Allow","Action":["secretsmanager:*","ssm:*","sts:AssumeRole"],"Resource":"*"}`)
	}
	return s
}

type locked struct {
	mu sync.Mutex
	w  *strings.Builder
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// serve has the provider answer, and returns a client as the driver has it.
func (s *stage) serve() driver.CSIDriverProviderClient {
	s.t.Helper()
	dir := s.t.TempDir()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.provider.Serve(ctx, dir) }()
	conn, err := grpc.NewClient("unix:"+filepath.Join(dir, "aws.sock"), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = conn.Close()
		stop()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	})
	return driver.NewCSIDriverProviderClient(conn)
}

// role makes one for the ServiceAccount of its name, whatever the audience.
func (s *stage) role(name string, rights ...string) {
	s.t.Helper()
	s.roleFor(name, name, rights...)
}

func (s *stage) roleFor(serviceAccount, name string, rights ...string) {
	s.t.Helper()
	parse := func(kind policy.Kind, statements string) *policy.Document {
		doc, err := policy.Parse(kind, `{"Version":"2012-10-17","Statement":[`+statements+`]}`)
		if err != nil {
			s.t.Fatal(err)
		}
		return doc
	}
	s.World.Lock()
	defer s.World.Unlock()
	role := s.World.Accounts[account].AddRole(name, "/", parse(policy.Trust, `{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity",
		"Principal":{"Federated":"arn:aws:iam::`+account+`:oidc-provider/issuer.test"},
		"Condition":{"StringEquals":{"issuer.test:sub":"system:serviceaccount:shop:`+serviceAccount+`"}}}`))
	if len(rights) > 0 {
		role.Inline["own"] = parse(policy.Identity, strings.Join(rights, ","))
	}
}

func (s *stage) secret(name, value string) {
	s.t.Helper()
	if _, err := s.secrets.CreateSecret(s.t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String(value)}); err != nil {
		s.t.Fatal(err)
	}
}

// token is as the kubelet makes one.
func (s *stage) token(pod, audience string) string {
	s.t.Helper()
	of, _, _ := strings.Cut(pod, "-")
	now := time.Now()
	payload, err := json.Marshal(map[string]any{
		"iss": issuerURL, "sub": "system:serviceaccount:shop:" + of, "aud": []string{audience}, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"kubernetes.io": map[string]any{
			"namespace": "shop", "serviceaccount": map[string]string{"name": of, "uid": "a"},
			"pod": map[string]string{"name": pod, "uid": "uid-of-" + pod}, "node": map[string]string{"name": "n1", "uid": "n"},
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: clusterKey(), KeyID: "k1"}}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// tokens are those of both audiences, as the kubelet hands them over.
func (s *stage) tokens(pod string) string {
	s.t.Helper()
	all := map[string]map[string]string{}
	for _, audience := range []string{"sts.amazonaws.com", "pods.eks.amazonaws.com"} {
		all[audience] = map[string]string{"token": s.token(pod, audience), "expirationTimestamp": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}
	}
	text, err := json.Marshal(all)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// attributes are what the driver sends for a pod: parameters, NAME and VALUE in
// turn, and what it and the kubelet add.
func (s *stage) attributes(pod string, parameters ...string) map[string]string {
	s.t.Helper()
	of, _, _ := strings.Cut(pod, "-")
	all := map[string]string{
		"secretProviderClass": "class", "csi.storage.k8s.io/ephemeral": "true", podNamespace: "shop", podName: pod, podUID: "uid-of-" + pod, podAccount: of,
		podTokens: s.tokens(pod),
	}
	for i := 0; i+1 < len(parameters); i += 2 {
		all[parameters[i]] = parameters[i+1]
	}
	return all
}

// ask sends a request as the driver does.
func (s *stage) ask(attributes map[string]string) (*driver.MountResponse, error) {
	s.t.Helper()
	text, err := json.Marshal(attributes)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.client.Mount(s.t.Context(), &driver.MountRequest{
		Attributes: string(text), Secrets: "{}", Permission: "420", TargetPath: "/var/lib/kubelet/pods/" + attributes[podUID] + "/volumes/kubernetes.io~csi/secrets/mount",
	})
}

// mount is ask that must succeed: files by path.
func (s *stage) mount(pod string, parameters ...string) map[string]*driver.File {
	s.t.Helper()
	out, err := s.ask(s.attributes(pod, parameters...))
	if err != nil {
		s.t.Fatal(err)
	}
	files := map[string]*driver.File{}
	for _, f := range out.Files {
		files[f.Path] = f
	}
	return files
}
