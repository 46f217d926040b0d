package world

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"daypass.dev/policy"
)

func TestDecisionsAreKeptInOrder(t *testing.T) {
	w := New()
	var told []string
	w.OnDecision(func(d Decision) { told = append(told, d.RequestID) })
	for i := range keptDecisions + 5 {
		w.Record(Decision{RequestID: fmt.Sprint(i)})
	}
	all := w.Decisions()
	if len(all) != keptDecisions || all[0].RequestID != "5" || all[len(all)-1].RequestID != fmt.Sprint(keptDecisions+4) {
		t.Errorf("%d kept, from %s to %s", len(all), all[0].RequestID, all[len(all)-1].RequestID)
	}
	if len(told) != keptDecisions+5 || told[7] != "7" {
		t.Errorf("%d told", len(told))
	}
}

func TestADecisionIsOneLine(t *testing.T) {
	d := Decision{
		Status: 403, Service: "sts", Operation: "Assume\nRole\x1b[2J", Caller: "arn", Code: "AccessDenied", Reason: "slug",
		Detail: "why", Mend: "how", NotAWS: []string{"fault: hang"},
	}
	got := d.String()
	want := "00:00:00 403 sts Assume·Role·[2J by arn: AccessDenied [slug] why; mend: how (not as AWS: fault: hang)"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// A session's tags hide its role's of the same key, whatever the case.
func TestCallerContext(t *testing.T) {
	w := New()
	a := w.Account(DefaultAccount)
	r := a.AddRole("r", "/", nil)
	r.Tags = map[string]string{"Team": "role", "own": "role"}
	s := &Session{
		Account: a.ID, RoleName: "r", RoleARN: r.ARN, RoleID: r.ID, Name: "s",
		Tags: map[string]string{"team": "session"}, SourceIdentity: "CN=x", Issued: w.Now(),
	}
	ctx := policy.Context{}
	w.AddCallerContext(ctx, sessionPrincipal(s), s)
	for key, want := range map[string]string{
		"aws:PrincipalTag/team": "session", "aws:PrincipalTag/own": "role", "aws:SourceIdentity": "CN=x",
		"aws:PrincipalArn": r.ARN, "aws:PrincipalType": "AssumedRole", "aws:userid": r.ID + ":s", "aws:PrincipalAccount": a.ID,
		"aws:MultiFactorAuthPresent": "false",
	} {
		if got := strings.Join(ctx[key].List, ","); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if _, ok := ctx["aws:PrincipalTag/Team"]; ok {
		t.Error("the role's tag stands beside the session's")
	}
}

func TestPassRole(t *testing.T) {
	w := New()
	a := w.Account(DefaultAccount)
	u := a.AddUser("u", "/")
	doc, err := policy.Parse(policy.Identity, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:PassRole",
		"Resource":"arn:aws:iam::111122223333:role/r","Condition":{"StringEquals":{"iam:PassedToService":"rolesanywhere.amazonaws.com"}}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	u.Inline["p"] = doc
	for _, c := range []struct {
		role, service string
		want          bool
	}{{"r", "rolesanywhere.amazonaws.com", true}, {"r", "ec2.amazonaws.com", false}, {"other", "rolesanywhere.amazonaws.com", false}} {
		call := &Call{World: w, Caller: userPrincipal(a, u), Decision: &Decision{}}
		err := call.PassRole("arn:aws:iam::111122223333:role/"+c.role, c.service)
		if (err == nil) != c.want || len(call.Decision.Checks) != 1 || call.Decision.Checks[0].Action != "iam:PassRole" {
			t.Errorf("%+v: %v, checks %+v", c, err, call.Decision.Checks)
		}
	}
}

// Under -race this finds what is touched without the lock.
func TestAtOnce(t *testing.T) {
	w := New()
	k := w.Administrator(DefaultAccount)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				_, p, s, err := w.Identify(k.ID, "")
				if err != nil {
					t.Error(err)
					return
				}
				c := &Call{World: w, Caller: p, Session: s, Decision: &Decision{}}
				if err := c.Authorize(Access{Action: "iam:GetRole", Resource: "*"}); err != nil {
					t.Error(err)
				}
				w.Record(*c.Decision)
				w.SetFaults(Fault{Reset: true, Count: 1})
				w.NextFault("s3", "")
				w.Lock()
				w.Account(DefaultAccount).Users["sandbox-administrator"].Tags = map[string]string{"k": "v"}
				w.Unlock()
			}
		})
	}
	all.Wait()
}
