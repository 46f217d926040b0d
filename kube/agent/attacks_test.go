package agent

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	corev1 "k8s.io/api/core/v1"

	"daypass.dev/doctor"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/vend"
	"daypass.dev/reason"
	"daypass.dev/reason/reasontest"
)

func TestAPodGetsItsRole(t *testing.T) {
	s := newStage(t)
	got := s.ask(s.sign(claims("shop", "web-1", "web")), "127.0.0.1")
	if got.status != 200 || got.AccessKeyId == "" || got.SecretAccessKey == "" || got.Token == "" || got.Expiration == "" {
		t.Fatalf("%+v", got)
	}
	if d := s.sandbox.Last(t, "AssumeRoleWithWebIdentity"); !strings.Contains(d.Caller, "system:serviceaccount:shop:web") || d.Issued != got.AccessKeyId {
		t.Errorf("%+v", d)
	}
	for _, want := range []string{`"vended"`, `"pod":"web-1"`, `"role":"` + roleARN + `"`, `"accessKeyId":"` + got.AccessKeyId + `"`, `"requestId":"`} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	if strings.Contains(s.log.String(), got.SecretAccessKey) || strings.Contains(s.log.String(), got.Token) {
		t.Error("the log holds a secret")
	}
}

// attacks are the ways to get another pod's role, or one at all, by slug.
func attacks() map[string][]attack {
	web := func() set { return claims("shop", "web-1", "web") }
	signed := func(c func() set) func(*stage) (string, string) {
		return func(s *stage) (string, string) { return s.sign(c()), "127.0.0.1" }
	}
	return map[string][]attack{
		"agent-token-malformed": {
			{"no token", func(s *stage) (string, string) { return "hello", "127.0.0.1" }},
			{"Bearer before it", func(s *stage) (string, string) { return "Bearer " + s.sign(web()), "127.0.0.1" }},
			{"alg none", func(s *stage) (string, string) { return unsigned(web()), "127.0.0.1" }},
			{"HMAC by the public key", func(s *stage) (string, string) { return hmacByPublic(s, web()), "127.0.0.1" }},
			{"two ServiceAccounts", signed(func() set { return web().with("sub", "system:serviceaccount:kube-system:admin") })},
			{"a time that is none", signed(func() set { return web().with("exp", -5) })},
		},
		"agent-token-signature": {
			{"forged by another key", func(s *stage) (string, string) { return sign(s.t, newKey(s.t), "k1", web()), "127.0.0.1" }},
			{"claims exchanged", func(s *stage) (string, string) {
				a, b := strings.Split(s.sign(web()), "."), strings.Split(s.sign(claims("kube-system", "web-1", "admin")), ".")
				return a[0] + "." + b[1] + "." + a[2], "127.0.0.1"
			}},
			{"an unknown key", func(s *stage) (string, string) { return sign(s.t, newKey(s.t), "k2", web()), "127.0.0.1" }},
		},
		"agent-token-issuer": {{"of another cluster", signed(func() set { return web().with("iss", "https://other.test") })}},
		"agent-token-audience": {
			{"for the API server", signed(func() set { return web().with("aud", []string{"https://kubernetes.default.svc"}) })},
			{"for STS", signed(func() set { return web().with("aud", "sts.amazonaws.com") })},
			{"for us and STS", signed(func() set { return web().with("aud", []string{"pods.eks.amazonaws.com", "sts.amazonaws.com"}) })},
			{"for nobody", signed(func() set { return web().with("aud", []string{}) })},
		},
		"agent-token-expired": {
			{"expired", signed(func() set { return web().with("exp", time.Now().Add(-time.Second).Unix()) })},
			{"without an end", signed(func() set { return web().with("exp", 0) })},
		},
		"agent-token-early": {{"of tomorrow", signed(func() set { return web().with("nbf", time.Now().Add(24*time.Hour).Unix()) })}},
		"agent-token-unbound": {
			{"by kubectl create token", signed(func() set { return web().bound("pod", nil) })},
			{"without a UID", signed(func() set { return web().bound("pod", set{"name": "web-1"}) })},
		},
		"agent-token-node": {{"from another node", signed(func() set { return web().bound("node", set{"name": "n2"}) })}},
		"pod-gone": {
			{"of a deleted pod", func(s *stage) (string, string) { s.without("shop", "web-1"); return s.sign(web()), "127.0.0.1" }},
			{"of a pod that was made anew", signed(func() set { return web().bound("pod", set{"name": "web-1", "uid": "older"}) })},
			{"of a pod that has ended", func(s *stage) (string, string) {
				s.pod("shop", "web-1", "web", "n1").Status.Phase = corev1.PodSucceeded
				return s.sign(web()), "127.0.0.1"
			}},
		},
		"pod-other-node": {{"of a pod elsewhere, on an old cluster", func(s *stage) (string, string) {
			s.pod("shop", "web-2", "web", "n2")
			return s.sign(claims("shop", "web-2", "web").bound("node", nil)), "127.0.0.1"
		}}},
		"pod-other-account": {{"as another ServiceAccount", func(s *stage) (string, string) {
			return s.sign(claims("shop", "web-1", "admin")), "127.0.0.1"
		}}},
		"pod-other-address": {
			{"by a neighbour", func(s *stage) (string, string) { return s.sign(web()), "127.0.0.2" }},
			{"by a neighbour, of a pod on the node's network", func(s *stage) (string, string) {
				p := s.pod("shop", "web-1", "web", "n1")
				p.Spec.HostNetwork, p.Status.PodIPs, p.Status.HostIPs = true, nil, []corev1.HostIP{{IP: "127.0.0.1"}}
				return s.sign(web()), "127.0.0.2"
			}},
		},
		"identity-none": {{"without a role", func(s *stage) (string, string) {
			s.account("shop", "web")
			return s.sign(web()), "127.0.0.1"
		}}},
		"agent-no-signer": {{"a certificate that nobody signs", func(s *stage) (string, string) {
			s.agent.Vendor.Cluster.Method = v1alpha1.RolesAnywhere
			s.agent.Vendor.Cluster.RolesAnywhere = v1alpha1.Anywhere{TrustAnchorARN: "arn:aws:rolesanywhere:us-east-1:" + account + ":trust-anchor/a", ProfileARN: "arn:aws:rolesanywhere:us-east-1:" + account + ":profile/p"}
			return s.sign(web()), "127.0.0.1"
		}}},
		"agent-method": {{"Google's", func(s *stage) (string, string) {
			s.account("shop", "web", "amazonaws.com/role-arn", roleARN, "iam.gke.io/gcp-service-account", "x@y.iam.gserviceaccount.com")
			return s.sign(web()), "127.0.0.1"
		}}},
		"annotation-node-credentials": {{"the node's role, by an annotation", func(s *stage) (string, string) {
			s.agent.Vendor.Cluster.Method = v1alpha1.EKS
			s.account("shop", "web", "daypass.dev/role-arn", "arn:aws:iam::"+account+":role/node")
			return s.sign(web()), "127.0.0.1"
		}}},
		"session-tags-untrusted": {{"tags that the pod could choose", func(s *stage) (string, string) {
			s.cluster.associations = []v1alpha1.PodIdentityAssociation{{Spec: v1alpha1.PodIdentityAssociationSpec{Namespace: "shop", ServiceAccount: "web", RoleARN: roleARN}}}
			return s.sign(web()), "127.0.0.1"
		}}},
	}
}

// An attack makes the stage ready and returns the token to show, and from where.
type attack struct {
	name string
	make func(*stage) (token, from string)
}

func TestAttacks(t *testing.T) {
	all := attacks()
	for _, slug := range vend.Rules() {
		if len(all[slug]) == 0 && slug != "agent-token-missing" { // no token, no pod: TestWithoutAToken
			t.Errorf("no attack ends in %s", slug)
		}
	}
	for _, row := range reason.All() {
		ours := strings.HasPrefix(row.Slug, "agent-") || row.Slug == "pod-gone" || strings.HasPrefix(row.Slug, "pod-other-")
		others := strings.HasPrefix(row.Slug, "agent-request-") || row.Slug == "agent-needed" || row.Slug == "agent-down" // the signer's, the webhook's, doctor's
		if ours && !others && !slices.Contains(vend.Rules(), row.Slug) && troubles()[row.Slug] == nil {
			t.Errorf("nothing ends in %s", row.Slug)
		}
	}
	for slug, rows := range all {
		for _, row := range rows {
			t.Run(slug+"/"+row.name, func(t *testing.T) {
				s := newStage(t)
				shown, from := row.make(s)
				got := s.ask(shown, from)
				if got.status < 400 || got.status >= 500 || got.status == 429 || got.AccessKeyId != "" {
					t.Errorf("%+v", got)
				}
				if !strings.Contains(got.Message, "("+slug+"): ") {
					t.Errorf("the caller is told %q, not %s", got.Message, slug)
				}
				if !strings.Contains(s.log.String(), `"reason":"`+slug+`"`) {
					t.Errorf("the log lacks %s:\n%s", slug, s.log)
				}
				if found := doctor.Recognise(got.Message); !slices.Equal(found, []string{slug}) {
					t.Errorf("doctor reads %v in %q", found, got.Message)
				}
				select {
				case told := <-s.told:
					if told != slug || strings.HasPrefix(slug, "agent-token-") || strings.HasPrefix(slug, "pod-") {
						t.Errorf("the pod is told of %s", told)
					}
				default:
					if !strings.HasPrefix(slug, "agent-token-") && !strings.HasPrefix(slug, "pod-") { // those others may have done in its name
						t.Error("the pod is told nothing")
					}
				}
				if parts := strings.Split(shown, "."); len(parts) == 3 && strings.Contains(s.log.String()+got.Message, parts[1]) {
					t.Error("the token is quoted")
				}
				if n := len(s.sandbox.Decisions()); n != 0 {
					t.Errorf("AWS was asked %d times", n)
				}
			})
		}
	}
}

// Who is no pod with a token of its own gets nothing that takes one.
func TestWithoutAToken(t *testing.T) {
	s := newStage(t)
	_, _, err := s.agent.Vendor.Source(t.Context(), vend.Caller{Namespace: "shop", Pod: "web-1", UID: "uid-of-web-1", ServiceAccount: "web"})
	if err == nil || !strings.Contains(err.Error(), "none came with the request") {
		t.Error(err)
	}
}

// Each refusal in package vend's source is one of its rules.
func TestRefusalsAreRules(t *testing.T) {
	found := reasontest.Slugs(t, "../vend", "refuse", "")
	for slug, at := range found {
		if !slices.Contains(vend.Rules(), slug) {
			t.Errorf("%s: refuses with %s, which is no rule", at, slug)
		}
	}
	for _, rule := range vend.Rules() {
		if _, ok := found[rule]; !ok {
			t.Errorf("nothing is refused for %s", rule)
		}
	}
}

func TestAuditOfAddresses(t *testing.T) {
	s := newStage(t)
	s.agent.Vendor.Addresses = vend.Audit
	if got := s.ask(s.sign(claims("shop", "web-1", "web")), "127.0.0.2"); got.status != 200 {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(s.log.String(), "another pod's token") {
		t.Error("the log does not tell")
	}
}

// A pod that asks before the kubelet has told its address waits for that, and the
// API server is not asked for it.
func TestAPodWhoseAddressComes(t *testing.T) {
	s := newStage(t)
	bare := s.pod("shop", "web-1", "web", "n1").DeepCopy()
	bare.Status.PodIPs = nil
	token := s.sign(claims("shop", "web-1", "web"))
	if got := s.ask(token, "127.0.0.1"); got.status != 200 { // from now on AWS is not waited for
		t.Fatalf("%+v", got)
	}
	s.place(bare)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if got, err := get(s.url, token, "127.0.0.1"); err != nil || got.status != 200 {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	time.Sleep(20 * time.Millisecond) // so that most have asked
	s.pod("shop", "web-1", "web", "n1")
	all.Wait()
	if s.cluster.fresh > 0 {
		t.Errorf("the API server was asked %d times", s.cluster.fresh)
	}
	s.place(bare)
	if got := s.ask(token, "127.0.0.1"); got.status < 500 {
		t.Errorf("whose address does not come: %+v", got)
	}
	ended := s.pod("shop", "web-1", "web", "n1").DeepCopy() // its address may be another's by now
	ended.Status.Phase = corev1.PodFailed
	s.place(bare)
	time.AfterFunc(20*time.Millisecond, func() { s.place(ended) })
	if got := s.ask(token, "127.0.0.1"); got.status == 200 {
		t.Errorf("who has ended meanwhile: %+v", got)
	}
}

// Who keeps the token of a pod that is gone cannot have the API server asked
// each time.
func TestAPodThatIsGoneIsAskedForOnce(t *testing.T) {
	s := newStage(t)
	s.pod("shop", "web-1", "web", "n1")
	token := s.sign(claims("shop", "web-1", "web"))
	s.without("shop", "web-1")
	for range 5 {
		if got := s.ask(token, "127.0.0.1"); got.status != 403 {
			t.Errorf("%+v", got)
		}
	}
	if s.cluster.fresh != 1 {
		t.Errorf("the API server was asked %d times", s.cluster.fresh)
	}
}

func unsigned(c set) string {
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"k1"}`))
	payload, _ := json.Marshal(c)
	return header + "." + base64.RawURLEncoding.EncodeToString(payload) + "."
}

// hmacByPublic signs by HMAC with the public key, which who mixes up algorithms
// would accept.
func hmacByPublic(s *stage, c set) string {
	public, err := x509.MarshalPKIXPublicKey(s.key.Public())
	if err != nil {
		s.t.Fatal(err)
	}
	return signBy(s.t, jose.HS256, public, "k1", c)
}
