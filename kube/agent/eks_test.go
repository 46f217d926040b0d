package agent

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"daypass.dev"
	"daypass.dev/doctor"
	"daypass.dev/exchange"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/policy"
	"daypass.dev/proof"
	"daypass.dev/sandbox/world"
	"daypass.dev/setup"
)

// nodeCredentials are a role's that may call EKS Auth, as EC2 would give them
// to a node of an account.
type nodeCredentials struct {
	s       *stage
	account string
}

func (n nodeCredentials) Credentials(context.Context) (daypass.Credentials, error) {
	w := n.s.sandbox.World
	w.RLock()
	role := w.Accounts[n.account].Roles["node"]
	w.RUnlock()
	now := w.Now().Truncate(time.Second)
	id, secret, token, err := w.Seal(world.Session{
		Account: n.account, RoleName: role.Name, RoleARN: role.ARN, RoleID: role.ID, Name: "i-0", Issued: now, Expires: now.Add(time.Hour),
	})
	return daypass.Credentials{AccessKeyID: id, SecretAccessKey: daypass.Secret(secret), SessionToken: daypass.Secret(token), Expires: now.Add(time.Hour)}, err
}

// eksStage is a stage whose cluster EKS knows, with an association for
// shop/web.
func eksStage(t *testing.T) (*stage, *world.PodAssociation) {
	s := newStage(t)
	s.account("shop", "web")
	const pods = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`
	s.trusting("app", pods)
	s.trusting("node", pods)
	s.trusting("data", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::`+account+`:role/app"},"Action":["sts:AssumeRole","sts:TagSession"],
		"Condition":{"StringEquals":{"sts:ExternalId":"us-east-1/`+account+`/prod/shop/web","aws:RequestTag/kubernetes-namespace":"shop"}}}]}`)
	allow, err := policy.Parse(policy.Identity, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["eks-auth:AssumeRoleForPodIdentity","sts:AssumeRole","sts:TagSession"],"Resource":"*"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	a := &world.PodAssociation{ID: "a-1", ARN: "arn:a-1", Namespace: "shop", ServiceAccount: "web", RoleARN: "arn:aws:iam::" + account + ":role/app"}
	w := s.sandbox.World
	w.Lock()
	defer w.Unlock()
	for _, name := range []string{"app", "node"} {
		w.Accounts[account].Roles[name].Inline["allow"] = allow
	}
	w.Accounts[account].Clusters["prod"] = &world.Cluster{
		Name: "prod", Region: "us-east-1", ARN: "arn:aws:eks:us-east-1:" + account + ":cluster/prod", Issuer: issuerURL,
		Associations: map[string]*world.PodAssociation{a.ID: a},
	}
	s.agent.Vendor.Cluster.Method = v1alpha1.EKS
	s.agent.Vendor.Upstream.Node = nodeCredentials{s, account}
	return s, a
}

// A cluster of EKS without any association of ours: the agent is what EKS's own
// is.
func TestEKS(t *testing.T) {
	s, _ := eksStage(t)
	got := s.ask(s.sign(claims("shop", "web-1", "web")), "127.0.0.1")
	if got.status != 200 {
		t.Fatalf("%+v", got)
	}
	life, err := time.Parse(time.RFC3339, got.Expiration)
	if err != nil || time.Until(life) < 5*time.Hour+50*time.Minute {
		t.Errorf("until %s, %v", got.Expiration, err)
	}
	d := s.sandbox.Last(t, "AssumeRoleForPodIdentity")
	if !strings.Contains(d.Caller, ":assumed-role/node/") || d.Issued != got.AccessKeyId {
		t.Errorf("%+v", d)
	}
	s.pod("shop", "web-2", "web", "n1")
	if again := s.ask(s.sign(claims("shop", "web-2", "web")), "127.0.0.1"); again.AccessKeyId == got.AccessKeyId {
		t.Error("another pod, whose tags are others, has the same credentials")
	}
}

func TestEKSTargetRole(t *testing.T) {
	s, a := eksStage(t)
	a.TargetRoleARN = "arn:aws:iam::" + account + ":role/data"
	got := s.ask(s.sign(claims("shop", "web-1", "web")), "127.0.0.1")
	life, err := time.Parse(time.RFC3339, got.Expiration)
	if got.status != 200 || err != nil || time.Until(life) > time.Hour {
		t.Errorf("%+v", got)
	}
}

// What EKS Auth refuses, by the reason in its decision.
func TestEKSRefusals(t *testing.T) {
	for slug, row := range map[string]struct {
		change func(*stage, *world.PodAssociation)
		code   string
	}{
		"eks-association-missing": {func(s *stage, a *world.PodAssociation) { a.ServiceAccount = "api" }, "ResourceNotFoundException"},
		"eks-cluster-missing":     {func(s *stage, _ *world.PodAssociation) { s.agent.Vendor.Cluster.Name = "dev" }, "ResourceNotFoundException"},
		"role-not-found":          {func(s *stage, a *world.PodAssociation) { a.RoleARN += "-2" }, "AccessDeniedException"},
		"token-issuer-other": {func(s *stage, _ *world.PodAssociation) {
			s.sandbox.World.Accounts[account].Clusters["prod"].Issuer = "https://other.test"
		}, "InvalidTokenException"},
		"policy-no-allow": {func(s *stage, _ *world.PodAssociation) {
			delete(s.sandbox.World.Accounts[account].Roles["node"].Inline, "allow")
		}, "AccessDeniedException"},
	} {
		t.Run(slug, func(t *testing.T) {
			s, a := eksStage(t)
			row.change(s, a)
			got := s.ask(s.sign(claims("shop", "web-1", "web")), "127.0.0.1")
			d := s.sandbox.Last(t, "AssumeRoleForPodIdentity")
			if got.Code != row.code || got.status < 400 || d.Reason != slug {
				t.Errorf("%+v; %s %d %s", got, d.Reason, d.Status, d.Detail)
			}
			said := got.Code + ": " + got.Message // as an SDK words it
			if found := doctor.Recognise(said); !slices.Contains(found, slug) {
				t.Errorf("doctor reads %v in %q, not %s", found, said, slug)
			}
		})
	}
}

// A token that no kubelet made does not come so far; without an agent, EKS Auth
// refuses it.
func TestEKSOfAnUnboundToken(t *testing.T) {
	s, _ := eksStage(t)
	text := s.sign(claims("shop", "web-1", "web").bound("pod", nil))
	token, err := proof.ParseToken(text)
	if err != nil {
		t.Fatal(err)
	}
	call := &exchange.PodIdentity{
		Cluster: "prod", Token: shown{token}, Node: nodeCredentials{s, account}, Region: "us-east-1", Endpoint: s.sandbox.URL, Client: s.sandbox.Client(),
	}
	_, err = call.Credentials(t.Context())
	if err == nil || strings.Contains(err.Error(), text) {
		t.Fatal(err)
	}
	if found := doctor.Recognise(err.Error()); !slices.Contains(found, "token-unbound") {
		t.Errorf("doctor reads %v in %q", found, err)
	}
	if d := s.sandbox.Last(t, "AssumeRoleForPodIdentity"); d.Reason != "token-unbound" {
		t.Errorf("%+v", d)
	}
}

type shown struct{ token *proof.Token }

func (s shown) Token(context.Context) (*proof.Token, error) { return s.token, nil }

// EKS and this cluster must mean the same role.
func TestEKSGivesAnotherRole(t *testing.T) {
	s, _ := eksStage(t)
	s.cluster.associations = []v1alpha1.PodIdentityAssociation{{Spec: v1alpha1.PodIdentityAssociationSpec{
		Namespace: "shop", ServiceAccount: "web", RoleARN: "arn:aws:iam::" + account + ":role/data", Method: v1alpha1.EKS,
	}}}
	if got := s.ask(s.sign(claims("shop", "web-1", "web")), "127.0.0.1"); got.status != 403 || got.Code != "UnexpectedRole" || got.AccessKeyId != "" {
		t.Errorf("%+v", got)
	}
}

// The trust policy that setup writes for one ServiceAccount of one cluster lets
// in its pods, and no neighbours for whom EKS has an association with the role.
func TestEKSNeighbours(t *testing.T) {
	const other = "444455556666"
	type neighbour struct {
		move      func(*stage, *world.PodAssociation)
		namespace string
		account   string
		key       string // of the condition that tells them apart
	}
	cluster := func(owner, name string) func(*stage, *world.PodAssociation) {
		return func(s *stage, a *world.PodAssociation) {
			all := s.sandbox.World.Accounts
			c := *all[account].Clusters["prod"]
			c.Name, c.ARN = name, "arn:aws:eks:us-east-1:"+owner+":cluster/"+name
			all[owner].Clusters[name] = &c
			s.agent.Vendor.Cluster.Name = name
		}
	}
	for name, n := range map[string]neighbour{
		"who is meant":           {nil, "shop", "web", ""},
		"another ServiceAccount": {func(_ *stage, a *world.PodAssociation) { a.ServiceAccount = "api" }, "shop", "api", "aws:RequestTag/kubernetes-service-account"},
		"another namespace":      {func(_ *stage, a *world.PodAssociation) { a.Namespace = "bank" }, "bank", "web", "aws:RequestTag/kubernetes-namespace"},
		"another cluster":        {cluster(account, "dev"), "shop", "web", "aws:SourceArn"},
		"without session tags":   {func(_ *stage, a *world.PodAssociation) { a.DisableSessionTags = true }, "shop", "web", "aws:RequestTag/kubernetes-"},
		// The agent's node must be of the account, whose clusters it names.
		"another account": {func(s *stage, a *world.PodAssociation) {
			node := s.sandbox.World.Accounts[account].Roles["node"]
			s.sandbox.World.AddAccount(other).AddRole("node", "/", node.Trust).Inline = node.Inline
			cluster(other, "prod")(s, a)
			s.agent.Vendor.Upstream.Node = nodeCredentials{s, other}
		}, "shop", "web", "aws:SourceAccount"},
	} {
		t.Run(name, func(t *testing.T) {
			s, a := eksStage(t)
			trust, err := setup.TrustPolicy(setup.Pod{ClusterARN: "arn:aws:eks:us-east-1:" + account + ":cluster/prod", Namespace: "shop", ServiceAccount: "web"})
			if err != nil {
				t.Fatal(err)
			}
			s.trusting("app", string(trust))
			if n.move != nil {
				n.move(s, a)
			}
			s.account(n.namespace, n.account)
			s.pod(n.namespace, "pod-1", n.account, "n1")
			got := s.ask(s.sign(claims(n.namespace, "pod-1", n.account)), "127.0.0.1")
			d := s.sandbox.Last(t, "AssumeRoleForPodIdentity")
			switch {
			case n.key == "" && got.status != 200:
				t.Errorf("refused: %s: %s", d.Reason, d.Detail)
			case n.key != "" && (got.status < 400 || got.AccessKeyId != "" || d.Allowed):
				t.Errorf("let in: %+v", d)
			case n.key != "" && (!strings.HasPrefix(d.Reason, "policy-condition") || !strings.Contains(d.Detail, n.key)):
				t.Errorf("refused for %s: %s; wanted %s", d.Reason, d.Detail, n.key)
			}
		})
	}
}
