package agent

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"daypass.dev/deliver"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
	"daypass.dev/kube/vend"
	"daypass.dev/policy"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

const (
	issuerURL = "https://issuer.test"
	account   = "111122223333"
	roleARN   = "arn:aws:iam::" + account + ":role/web"
)

// A cluster is what the agent can know, as Kubernetes would tell it.
type cluster struct {
	mu           sync.Mutex
	pods         map[string]*corev1.Pod            // :: NAMESPACE/NAME
	accounts     map[string]*corev1.ServiceAccount // :: NAMESPACE/NAME
	associations []v1alpha1.PodIdentityAssociation
	fresh        int // how often the API server itself was asked
}

func (c *cluster) Pod(_ context.Context, namespace, name string, fresh bool) (*corev1.Pod, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if fresh {
		c.fresh++
	}
	return c.pods[namespace+"/"+name], nil
}

func (c *cluster) Lookup(_ context.Context, namespace, name string) (*corev1.ServiceAccount, []v1alpha1.PodIdentityAssociation, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.accounts[namespace+"/"+name], c.associations, nil
}

// stage is an agent on node n1 whose upstream is the sandbox.
type stage struct {
	t       *testing.T
	key     *rsa.PrivateKey
	cluster *cluster
	sandbox *sandboxtest.Sandbox
	agent   *Agent
	url     string
	log     *lines
	told    chan string // slugs of refusals that pods are told of
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, key: clusterKey(), log: &lines{}, told: make(chan string, 100)}
	s.cluster = &cluster{pods: map[string]*corev1.Pod{}, accounts: map[string]*corev1.ServiceAccount{}}
	s.sandbox = sandboxtest.Start(t, "")
	keys, err := json.Marshal(s.keys())
	if err != nil {
		t.Fatal(err)
	}
	s.sandbox.World.SetIssuer(issuerURL, world.Issuer{JWKS: keys})
	s.provider()
	log := slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.agent = &Agent{
		Tokens: &vend.Tokens{Node: "n1", Log: log, Fetch: func(context.Context) (vend.Issuer, error) {
			return vend.Issuer{URL: issuerURL, Keys: s.keys()}, nil
		}},
		Vendor: &vend.Vendor{
			Cluster: identity.Cluster{Name: "prod", TrustDomain: "prod.test", Method: v1alpha1.WebIdentity},
			Node:    "n1", Directory: s.cluster, Log: log,
			Upstream: vend.Upstream{Region: "us-east-1", Client: s.sandbox.Client(), STSEndpoint: s.sandbox.URL, EKSAuthEndpoint: s.sandbox.URL, RolesAnywhereEndpoint: s.sandbox.URL},
		},
		Audit: log, Log: log, Refused: func(_ vend.Caller, why *identity.Refusal) { s.told <- why.Slug },
	}
	t.Cleanup(func() { _ = s.agent.Vendor.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := deliver.Server(s.agent.Handler(), nil)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	s.url = "http://" + l.Addr().String() + "/v1/credentials"
	s.account("shop", "web", "daypass.dev/role-arn", roleARN)
	s.role("web", "shop:web")
	s.pod("shop", "web-1", "web", "n1")
	return s
}

// clusterKey signs the tokens of all stages: to make one takes long.
var clusterKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (s *stage) keys() jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: s.key.Public(), KeyID: "k1", Algorithm: "RS256", Use: "sig"}}}
}

// provider makes the issuer known to the account.
func (s *stage) provider() {
	w := s.sandbox.World
	w.Lock()
	defer w.Unlock()
	w.Accounts[account].OIDCProviders["issuer.test"] = &world.OIDCProvider{
		URL: "issuer.test", ARN: "arn:aws:iam::" + account + ":oidc-provider/issuer.test", ClientIDs: []string{"pods.eks.amazonaws.com"},
	}
}

// role makes one that trusts a ServiceAccount's tokens: NAMESPACE:NAME.
func (s *stage) role(name, subject string) {
	s.trusting(name, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity",
		"Principal":{"Federated":"arn:aws:iam::`+account+`:oidc-provider/issuer.test"},
		"Condition":{"StringEquals":{"issuer.test:sub":"system:serviceaccount:`+subject+`","issuer.test:aud":"pods.eks.amazonaws.com"}}}]}`)
}

func (s *stage) trusting(name, trust string) {
	s.t.Helper()
	doc, err := policy.Parse(policy.Trust, trust)
	if err != nil {
		s.t.Fatal(err)
	}
	w := s.sandbox.World
	w.Lock()
	defer w.Unlock()
	w.Accounts[account].AddRole(name, "/", doc)
}

func (s *stage) account(namespace, name string, annotations ...string) {
	a := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: map[string]string{}}}
	for i := 0; i+1 < len(annotations); i += 2 {
		a.Annotations[annotations[i]] = annotations[i+1]
	}
	s.cluster.mu.Lock()
	defer s.cluster.mu.Unlock()
	s.cluster.accounts[namespace+"/"+name] = a
}

// pod makes one with the address 127.0.0.1 and its name as UID.
func (s *stage) pod(namespace, name, account, node string) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("uid-of-" + name)},
		Spec:       corev1.PodSpec{ServiceAccountName: account, NodeName: node},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{{IP: "127.0.0.1"}}},
	}
	s.place(p)
	return p
}

func (s *stage) place(p *corev1.Pod) {
	s.cluster.mu.Lock()
	defer s.cluster.mu.Unlock()
	s.cluster.pods[p.Namespace+"/"+p.Name] = p
}

func (s *stage) without(namespace, name string) {
	s.cluster.mu.Lock()
	defer s.cluster.mu.Unlock()
	delete(s.cluster.pods, namespace+"/"+name)
}

// A set are claims.
type set map[string]any

// claims are those that the kubelet's token of a pod has.
func claims(namespace, pod, account string) set {
	now := time.Now()
	return set{
		"iss": issuerURL, "sub": "system:serviceaccount:" + namespace + ":" + account, "aud": []string{"pods.eks.amazonaws.com"},
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": "1",
		"kubernetes.io": set{
			"namespace": namespace, "serviceaccount": set{"name": account, "uid": "a"},
			"pod": set{"name": pod, "uid": "uid-of-" + pod}, "node": set{"name": "n1", "uid": "n"},
		},
	}
}

// with changes one claim.
func (c set) with(name string, value any) set {
	c = maps.Clone(c)
	c[name] = value
	return c
}

// bound changes one of the claims of Kubernetes' own.
func (c set) bound(name string, value any) set {
	return c.with("kubernetes.io", c["kubernetes.io"].(set).with(name, value))
}

func (s *stage) sign(c set) string { return sign(s.t, s.key, "k1", c) }

func sign(t testing.TB, key any, id string, c set) string {
	t.Helper()
	return signBy(t, jose.RS256, key, id, c)
}

func signBy(t testing.TB, algorithm jose.SignatureAlgorithm, key any, id string, c set) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// An answer is what a pod was told.
type answer struct {
	status                                          int
	AccessKeyId, SecretAccessKey, Token, Expiration string
	Code, Message                                   string
}

// ask asks the agent from an address of this machine.
func (s *stage) ask(token, from string) answer {
	s.t.Helper()
	a, err := get(s.url, token, from)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func get(url, token, from string) (answer, error) {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	client := &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Authorization", token)
	response, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: response.StatusCode}
	return a, json.Unmarshal(text, &a)
}

// lines is what was logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
