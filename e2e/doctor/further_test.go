package doctor

import (
	"testing"

	"daypass.dev/doctor"
	"daypass.dev/policy"
	"daypass.dev/sandbox/world"
)

const furtherARN = "arn:aws:iam::" + account + ":role/target"

// goOn has the workload go on to a further role, which lets it.
func (s *scene) goOn() {
	s.Helper()
	s.kase.Settings.ChainRoleARN, s.kase.Settings.STSEndpoint = furtherARN, s.box.URL
	s.further(`"Principal":{"AWS":"` + account + `"},"Action":["sts:AssumeRole","sts:SetSourceIdentity"]`)
	s.may(`"Action":["sts:AssumeRole","sts:SetSourceIdentity"],"Resource":"` + furtherARN + `"`)
}

// further makes the further role, with this in its trust policy.
func (s *scene) further(statement string) {
	s.Helper()
	doc, err := policy.Parse(policy.Trust, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",`+statement+`}]}`)
	if err != nil {
		s.Fatal(err)
	}
	s.inAccount(func(a *world.Account) {
		if a.Roles["target"] == nil {
			a.AddRole("target", "/", doc)
		}
		a.Roles["target"].Trust, a.Roles["target"].Inline = doc, map[string]*policy.Document{"read": readReports(s)}
	})
}

// may gives the first role this right and no other.
func (s *scene) may(statement string) {
	s.Helper()
	doc, err := policy.Parse(policy.Identity, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",`+statement+`}]}`)
	if err != nil {
		s.Fatal(err)
	}
	s.role(func(r *world.Role) { r.Inline = map[string]*policy.Document{"on": doc} })
}

func furtherRows() []row {
	const trusting = `"Principal":{"AWS":"` + account + `"},"Action":["sts:AssumeRole","sts:SetSourceIdentity"]`
	then := func(spoil func(*scene)) func(*scene) {
		return func(s *scene) { s.goOn(); spoil(s) }
	}
	trust := func(statement string) func(*scene) {
		return then(func(s *scene) { s.further(statement) })
	}
	all := []row{
		{slug: "role-not-found", spoil: then(func(s *scene) { s.kase.Settings.ChainRoleARN += "s" })},
		{slug: "policy-action", spoil: then(func(s *scene) { s.may(`"Action":"s3:GetObject","Resource":"*"`) })},
		{slug: "policy-resource", spoil: then(func(s *scene) { s.may(`"Action":"sts:*","Resource":"` + roleARN + `"`) })},
		{slug: "policy-principal", spoil: trust(`"Principal":{"AWS":"444455556666"},"Action":["sts:AssumeRole","sts:SetSourceIdentity"]`)},
		{slug: "trust-source-identity", spoil: trust(`"Principal":{"AWS":"` + account + `"},"Action":"sts:AssumeRole"`)},
		{slug: "policy-condition-key-missing", spoil: trust(trusting + `,"Condition":{"StringEquals":{"sts:ExternalId":"seven"}}`),
			mend: func(s *scene) { s.kase.Settings.ExternalID = "seven" }},
		{slug: "policy-condition", spoil: func(s *scene) {
			trust(trusting + `,"Condition":{"StringEquals":{"sts:ExternalId":"seven"}}`)(s)
			s.kase.Settings.ExternalID = "eight"
		}, mend: func(s *scene) { s.kase.Settings.ExternalID = "seven" }},
	}
	for i := range all {
		if all[i].mend == nil {
			all[i].mend = (*scene).goOn
		}
	}
	return all
}

// A role that is reached by another: both ends of the way are looked at.
func TestFurtherRole(t *testing.T) {
	for _, r := range furtherRows() {
		t.Run(r.slug, func(t *testing.T) {
			t.Parallel()
			r.run(t, newScene(t))
		})
	}
	s := newScene(t)
	s.goOn()
	s.kase.Request = &doctor.Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::reports/q3"}
	healthy(t, s.diagnose(), noisy)
}
