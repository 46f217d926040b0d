package doctor

import (
	"testing"

	"daypass.dev/doctor"
	"daypass.dev/policy"
	"daypass.dev/sandbox/world"
)

// requestRows break what a role that can be assumed may do with s3:GetObject of
// the report q3: by identity policies in the place of the role's own, by a
// boundary, by the profile's session policy.
func requestRows() []requestRow {
	allow := func(actions, resource string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` + actions + `],"Resource":"` + resource + `"}]}`
	}
	const get, list = `"s3:GetObject"`, `"s3:ListBucket"`
	return []requestRow{
		{slug: "policy-no-allow"},
		{slug: "policy-action", identity: allow(list, "arn:aws:s3:::reports/*")},
		{slug: "policy-resource", identity: allow(get, "arn:aws:s3:::other/*")},
		{slug: "policy-variable", identity: allow(get, "arn:aws:s3:::reports/${aws:PrincipalTag/team}")},
		{slug: "policy-boundary", identity: allow(get, "*"), boundary: allow(list, "*")},
		{slug: "policy-session", identity: allow(get, "*"), session: allow(list, "*")},
		{slug: "policy-explicit-deny", identity: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}]}`},
		{slug: "policy-condition", identity: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"other@shop"}}}]}`},
	}
}

type requestRow struct{ slug, identity, boundary, session string }

func TestWhatTheSessionMayDo(t *testing.T) {
	for _, r := range requestRows() {
		t.Run(r.slug, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.kase.Request = &doctor.Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::reports/q3"}
			parse := func(kind policy.Kind, text string) *policy.Document {
				if text == "" {
					return nil
				}
				doc, err := policy.Parse(kind, text)
				if err != nil {
					t.Fatal(err)
				}
				return doc
			}
			var own map[string]*policy.Document
			s.inAccount(func(a *world.Account) {
				if doc := parse(policy.Identity, r.boundary); doc != nil {
					a.Roles["reader"].Boundary = a.AddPolicy("bound", "/", doc).ARN
				}
				own = a.Roles["reader"].Inline
				a.Roles["reader"].Inline = map[string]*policy.Document{}
				if doc := parse(policy.Identity, r.identity); doc != nil {
					a.Roles["reader"].Inline["rights"] = doc
				}
			})
			s.profile(func(p *world.Profile) { p.SessionPolicy = parse(policy.Session, r.session) })
			if got := s.diagnose(); got.Healthy || got.Cause.Reason != r.slug || got.Cause.Step != doctor.StepRequest || got.Cause.Mend == "" {
				t.Errorf("%s\n%s", cause(got), pretty(got))
			}
			s.role(func(role *world.Role) { role.Inline, role.Boundary = own, "" })
			s.profile(func(p *world.Profile) { p.SessionPolicy = nil })
			if got := s.diagnose(); !got.Healthy {
				t.Errorf("after the mend: %s\n%s", cause(got), pretty(got))
			}
		})
	}
}
