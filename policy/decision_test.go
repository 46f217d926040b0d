package policy

import "testing"

// The order of decision, each row one line of AWS's rules:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
// and, for the split of session, role and user, its part on resource-based
// policies, whose session and role rows are recorded with KMS grants in
// radkawar/stackd at commit 9dc356f, testdata/aws/kms/grants.json.
type decisionRow struct {
	name     string
	who      Principal
	identity string // statements: "allow", "deny", "allow deny", "other", ""
	boundary string // as identity; "none" for a boundary without statements that match
	session  string
	resource string // principal of an Allow: "user", "role", "session", "account", "*", …; "deny" before it denies
	kind     Kind   // of the resource's policy
	owner    string // of the resource
	want     bool
	by       Layer
}

const (
	theAction   = "kms:Decrypt"
	theResource = "arn:aws:kms:eu-west-1:111122223333:key/k"
)

func decisions() []decisionRow {
	return []decisionRow{
		{name: "nothing allows", who: alice(), by: ByIdentity},
		{name: "an identity policy allows", who: alice(), identity: "allow", want: true, by: ByIdentity},
		{name: "a Deny outweighs an Allow", who: alice(), identity: "allow deny", by: ByIdentity},
		{name: "another action is allowed", who: alice(), identity: "other", by: ByIdentity},
		{name: "root needs no identity policy", who: root(), want: true, by: ByNothing},
		{name: "root is denied by a resource policy", who: root(), resource: "deny *", by: ByResource},

		{name: "the boundary allows too", who: alice(), identity: "allow", boundary: "allow", want: true, by: ByIdentity},
		{name: "the boundary does not allow", who: alice(), identity: "allow", boundary: "none", by: ByBoundary},
		{name: "a boundary alone grants nothing", who: alice(), boundary: "allow", by: ByIdentity},
		{name: "the boundary denies", who: alice(), identity: "allow", boundary: "allow deny", by: ByBoundary},
		{name: "a session policy allows too", who: session(), identity: "allow", session: "allow", want: true, by: ByIdentity},
		{name: "no session policy allows", who: session(), identity: "allow", session: "none", by: BySession},
		{name: "a session policy alone grants nothing", who: session(), session: "allow", by: ByIdentity},
		{name: "a session policy denies", who: session(), identity: "allow", session: "allow deny", by: BySession},
		{name: "boundary and session policy both must allow", who: session(), identity: "allow", boundary: "none", session: "allow", by: ByBoundary},

		// Resource policies, same account.
		{name: "the resource names the user", who: alice(), resource: "user", want: true, by: ByResource},
		{name: "the resource names the user, past boundary", who: alice(), boundary: "none", resource: "user", want: true, by: ByResource},
		{name: "the resource names the session", who: session(), resource: "session", want: true, by: ByResource},
		{name: "the resource names the session, past session policy", who: session(), session: "none", resource: "session", want: true, by: ByResource},
		{name: "the resource names the session, past boundary", who: session(), boundary: "none", resource: "session", want: true, by: ByResource},
		{name: "the resource names the session, a session policy denies", who: session(), session: "deny", resource: "session", by: BySession},
		{name: "the resource names the role", who: session(), resource: "role", want: true, by: ByResource},
		{name: "the resource names the role, limited by session policy", who: session(), session: "none", resource: "role", by: BySession},
		{name: "the resource names the role, limited by boundary", who: session(), boundary: "none", resource: "role", by: ByBoundary},
		{name: "the resource names the role, a session policy denies", who: session(), session: "deny", resource: "role", by: BySession},
		{name: "the resource names the account, which decides nothing", who: alice(), resource: "account", by: ByIdentity},
		{name: "the resource names the account and identity allows", who: alice(), identity: "allow", resource: "account", want: true, by: ByIdentity},
		{name: "the resource names everybody", who: alice(), resource: "*", want: true, by: ByResource},
		// Not in AWS's table, inferred from its page on principals: a * names
		// the session itself, so that implicit denies do not limit it.
		{name: "the resource names everybody, past session policy", who: session(), session: "none", resource: "*", want: true, by: ByResource},
		{name: "the resource names somebody else", who: alice(), resource: "other", by: ByIdentity},
		{name: "the resource names somebody else, identity allows", who: alice(), identity: "allow", resource: "other", want: true, by: ByIdentity},
		{name: "the resource denies", who: alice(), identity: "allow", resource: "deny user", by: ByResource},
		{name: "the resource denies the account", who: alice(), identity: "allow", resource: "deny account", by: ByResource},
		{name: "the resource denies the role", who: session(), identity: "allow", resource: "deny role", by: ByResource},

		// Cross-account: both sides must allow.
		{name: "abroad, identity alone", who: alice(), identity: "allow", owner: abroad, by: ByResource},
		{name: "abroad, resource alone", who: alice(), resource: "user", owner: abroad, by: ByIdentity},
		{name: "abroad, both", who: alice(), identity: "allow", resource: "user", owner: abroad, want: true, by: ByResource},
		{name: "abroad, the account and identity", who: alice(), identity: "allow", resource: "account", owner: abroad, want: true, by: ByResource},
		{name: "abroad, everybody and identity", who: alice(), identity: "allow", resource: "*", owner: abroad, want: true, by: ByResource},
		{name: "abroad, boundary limits", who: alice(), identity: "allow", boundary: "none", resource: "user", owner: abroad, by: ByBoundary},
		{name: "abroad, session limits even a named session", who: session(), identity: "allow", session: "none", resource: "session", owner: abroad, by: BySession},
		{name: "abroad, root still needs the resource", who: root(), owner: abroad, by: ByResource},

		// Role trust policies and key policies must allow, even at home.
		{name: "a trust policy that names nobody here", who: alice(), identity: "allow", resource: "other", kind: Trust, by: ByTrust},
		{name: "a trust policy that names the user", who: alice(), resource: "user", kind: Trust, want: true, by: ByTrust},
		{name: "a trust policy that names the account", who: alice(), resource: "account", kind: Trust, by: ByIdentity},
		{name: "a trust policy that names the account, identity allows", who: alice(), identity: "allow", resource: "account", kind: Trust, want: true, by: ByIdentity},
		{name: "a trust policy that denies", who: alice(), identity: "allow", resource: "deny *", kind: Trust, by: ByTrust},
		{name: "a trust policy abroad that names the user", who: alice(), resource: "user", kind: Trust, owner: abroad, by: ByIdentity},
		{name: "a trust policy abroad, both", who: alice(), identity: "allow", resource: "user", kind: Trust, owner: abroad, want: true, by: ByTrust},
		{name: "a key policy that names nobody here", who: alice(), identity: "allow", resource: "other", kind: Key, by: ByKey},
		{name: "a key policy that names nobody here, for root", who: root(), resource: "other", kind: Key, by: ByKey},
		{name: "a key policy that names the account, for root", who: root(), resource: "account", kind: Key, want: true, by: ByNothing},
		{name: "a key policy that names the account, identity allows", who: alice(), identity: "allow", resource: "account", kind: Key, want: true, by: ByIdentity},
		{name: "a key policy that names the account alone", who: alice(), resource: "account", kind: Key, by: ByIdentity},
		{name: "a key policy that names the user", who: alice(), resource: "user", kind: Key, want: true, by: ByKey},
		{name: "a key policy that names the role, session limits", who: session(), session: "none", resource: "role", kind: Key, by: BySession},

		// Callers without identity policies: only the resource's policy counts.
		{name: "a service that is trusted", who: anchors(), resource: "service", kind: Trust, owner: home, want: true, by: ByTrust},
		{name: "a service that is not trusted", who: anchors(), resource: "account", kind: Trust, owner: home, by: ByTrust},
		{name: "a service is taken in by *", who: anchors(), resource: "*", kind: Trust, owner: home, want: true, by: ByTrust},
		{name: "a service that is denied", who: anchors(), resource: "deny service", kind: Trust, owner: home, by: ByTrust},
		{name: "a token of a trusted provider", who: token(), resource: "provider", kind: Trust, owner: home, want: true, by: ByTrust},
		// Recorded: radkawar/stackd, internal/services/sts/testdata/oidc/aws-trust.json.
		{name: "a token is not taken in by *", who: token(), resource: "*", kind: Trust, owner: home, by: ByTrust},
		{name: "a stranger and *", who: Principal{}, resource: "*", owner: home, want: true, by: ByResource},
		{name: "a stranger and an account", who: Principal{}, resource: "account", owner: home, by: ByResource},
		{name: "a stranger and no policy", who: Principal{}, owner: home, by: ByResource},
	}
}

func (r decisionRow) policies(t *testing.T) Policies {
	var p Policies
	if r.identity != "" {
		p.Identity = []Named{named(t, Identity, "identity", identityText(r.identity))}
	}
	if r.boundary != "" {
		b := named(t, Identity, "boundary", identityText(r.boundary))
		p.Boundary = &b
	}
	if r.session != "" {
		p.Session = []Named{named(t, Session, "session", identityText(r.session))}
	}
	if r.resource != "" {
		n := named(t, r.kind, "resource", resourceText(r))
		p.Resource = &n
	}
	return p
}

func (r decisionRow) request() Request {
	return Request{Principal: r.who, Action: r.action(), Resource: theResource, ResourceAccount: r.owner}
}

func (r decisionRow) action() string {
	if r.kind == Trust {
		return "sts:AssumeRole"
	}
	return theAction
}

func identityText(what string) string {
	allow := `{"Effect":"Allow","Action":["kms:Decrypt","sts:AssumeRole"],"Resource":"*"}`
	deny := `{"Effect":"Deny","Action":["kms:*","sts:*"],"Resource":"*"}`
	text := map[string]string{
		"allow": allow, "deny": deny, "allow deny": allow + "," + deny,
		"other": `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`, "none": `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`,
	}[what]
	return `{"Version":"2012-10-17","Statement":[` + text + `]}`
}

func resourceText(r decisionRow) string {
	principals := map[string]string{
		"user": `{"AWS":"` + alice().ARN + `"}`, "role": `{"AWS":"` + session().RoleARN + `"}`,
		"session": `{"AWS":"` + session().ARN + `"}`, "account": `{"AWS":"` + home + `"}`, "*": `{"AWS":"*"}`,
		"other": `{"AWS":"arn:aws:iam::` + home + `:user/bob"}`, "service": `{"Service":"` + anchors().Name + `"}`,
		"provider": `{"Federated":"` + token().Name + `"}`,
	}
	effect, who := "Allow", r.resource
	if len(who) > 5 && who[:5] == "deny " {
		effect, who = "Deny", who[5:]
	}
	text := `{"Effect":"` + effect + `","Principal":` + principals[who] + `,"Action":"` + r.action() + `"`
	if r.kind != Trust {
		text += `,"Resource":"*"`
	}
	return `{"Version":"2012-10-17","Statement":[` + text + `}]}`
}

func TestDecisionOrder(t *testing.T) {
	for _, r := range decisions() {
		if r.kind == Identity {
			r.kind = Resource
		}
		t.Run(r.name, func(t *testing.T) {
			d := Evaluate(r.request(), r.policies(t))
			if d.Allowed != r.want || d.Layer != r.by {
				t.Errorf("allowed %v by %q, want %v by %q\n%+v", d.Allowed, d.Layer, r.want, r.by, d)
			}
			checkWhole(t, d)
		})
	}
}

// Every layer allows somewhere and refuses somewhere, as far as it can.
func TestEveryLayerDecides(t *testing.T) {
	allows, refuses := map[Layer]bool{}, map[Layer]bool{}
	for _, r := range decisions() {
		if r.want {
			allows[r.by] = true
		} else {
			refuses[r.by] = true
		}
	}
	for _, l := range []Layer{ByIdentity, ByResource, ByTrust, ByKey, BySession, ByBoundary, ByNothing} {
		only := l == BySession || l == ByBoundary || l == ByNothing // these limit, or decide nothing
		if !refuses[l] && l != ByNothing || !allows[l] && !only || l == ByNothing && !allows[l] {
			t.Errorf("%s: allows %v, refuses %v", l, allows[l], refuses[l])
		}
	}
}

// checkWhole asks of every decision what its documentation promises.
func checkWhole(t *testing.T, d Decision) {
	t.Helper()
	if d.Allowed != (d.Reason == "") || d.Allowed != (d.Message == "") || d.Layer == "" {
		t.Errorf("reason, message or layer are amiss: %+v", d)
	}
	if !d.Allowed && (d.Detail == "" || d.Change == "") {
		t.Errorf("a refusal without detail or change: %+v", d)
	}
	if (d.Statement == 0) != (d.Line == 0) {
		t.Errorf("a statement without line: %+v", d)
	}
	if d.Explicit && (len(d.Trace) != 1 || d.Trace[0].Effect != "deny") {
		t.Errorf("a Deny that the trace does not tell: %+v", d.Trace)
	}
}

// Every form of Principal, and how closely it names whom.
func TestPrincipals(t *testing.T) {
	federated := Principal{Kind: User, Account: home, ARN: "arn:aws:sts::" + home + ":federated-user/carol", ID: home + ":carol"}
	google := Principal{Kind: WebIdentity, Name: "accounts.google.com"}
	for _, r := range []struct {
		entry string
		who   Principal
		want  grant
	}{
		{`{"AWS":"*"}`, alice(), direct}, {`"*"`, alice(), direct}, {`{"AWS":"*"}`, Principal{}, direct},
		{`{"AWS":"*"}`, token(), notNamed}, {`"*"`, google, notNamed}, {`{"AWS":"*"}`, anchors(), direct},
		{`{"AWS":"111122223333"}`, alice(), viaAccount}, {`{"AWS":"arn:aws:iam::111122223333:root"}`, alice(), viaAccount},
		{`{"AWS":"111122223333"}`, session(), viaAccount}, {`{"AWS":"arn:aws:iam::111122223333:root"}`, root(), viaAccount},
		{`{"AWS":"444455556666"}`, alice(), notNamed}, {`{"AWS":"arn:aws-cn:iam::111122223333:root"}`, alice(), notNamed},
		{`{"AWS":"arn:aws:iam::111122223333:user/alice"}`, alice(), direct},
		{`{"AWS":"arn:aws:iam::111122223333:user/Alice"}`, alice(), notNamed},
		{`{"AWS":"arn:aws:iam::111122223333:role/path/lister"}`, session(), viaRole},
		{`{"AWS":"arn:aws:iam::111122223333:role/lister"}`, session(), notNamed},
		{`{"AWS":"arn:aws:sts::111122223333:assumed-role/lister/one"}`, session(), direct},
		{`{"AWS":"arn:aws:sts::111122223333:assumed-role/lister/two"}`, session(), notNamed},
		{`{"AWS":"arn:aws:sts::111122223333:federated-user/carol"}`, federated, direct},
		{`{"AWS":"` + aliceID + `"}`, alice(), direct}, {`{"AWS":"` + roleID + `"}`, session(), viaRole},
		{`{"AWS":["444455556666","arn:aws:iam::111122223333:user/alice"]}`, alice(), direct},
		{`{"AWS":["111122223333","arn:aws:iam::111122223333:user/alice"]}`, alice(), direct}, // the closest counts
		{`{"Service":"rolesanywhere.amazonaws.com"}`, anchors(), direct},
		{`{"Service":["ec2.amazonaws.com","rolesanywhere.amazonaws.com"]}`, anchors(), direct},
		{`{"Service":"pods.eks.amazonaws.com"}`, anchors(), notNamed},
		{`{"Service":"rolesanywhere.amazonaws.com"}`, alice(), notNamed},
		{`{"Federated":"` + token().Name + `"}`, token(), direct},
		{`{"Federated":"accounts.google.com"}`, google, direct}, {`{"Federated":"accounts.google.com"}`, token(), notNamed},
		{`{"AWS":"111122223333","Service":"rolesanywhere.amazonaws.com"}`, anchors(), direct},
		{`{"CanonicalUser":"` + canonicalID + `"}`, alice(), notNamed}, // S3 knows whose it is
	} {
		text := `{"Statement":{"Effect":"Deny","%Principal":` + r.entry + `,"Action":"s3:GetObject","Resource":"*"}}`
		e := newEnv(Request{Principal: r.who}, Policies{})
		if got := parse(t, Resource, replace(text, "")).statements[0].grants(e); got != r.want {
			t.Errorf("Principal %s grants %s %d, want %d", r.entry, r.who.ARN+r.who.Name, got, r.want)
		}
		if got := parse(t, Resource, replace(text, "Not")).statements[0].grants(e); (got == direct) != (r.want == notNamed) {
			t.Errorf("NotPrincipal %s grants %s %d", r.entry, r.who.ARN+r.who.Name, got)
		}
		// With a boundary NotPrincipal of a Deny hits everybody.
		e.bounded = true
		if got := parse(t, Resource, replace(text, "Not")).statements[0].grants(e); got != direct {
			t.Errorf("NotPrincipal %s spares %s, who has a boundary", r.entry, r.who.ARN)
		}
	}
}
