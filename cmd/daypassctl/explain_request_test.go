package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"daypass.dev/policy"
	"daypass.dev/reason"
	"daypass.dev/sandbox/world"
)

// getObject has the scene's session read an object in the sandbox.
func (s *scene) getObject(h http.Handler) world.Decision {
	s.t.Helper()
	w, d := s.createSession(h)
	if w.Code != http.StatusCreated {
		s.t.Fatalf("no session: %s: %s", d.Reason, d.Detail)
	}
	var in struct {
		CredentialSet []struct {
			Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &in); err != nil || len(in.CredentialSet) != 1 {
		s.t.Fatalf("%v in %s", err, w.Body)
	}
	c := in.CredentialSet[0].Credentials
	r := httptest.NewRequest(http.MethodGet, "https://s3.us-east-1.amazonaws.com/reports/q3", nil)
	sum := sha256.Sum256(nil)
	empty := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", empty)
	keys := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
	s.must(v4.NewSigner().SignHTTP(s.t.Context(), keys, r, empty, "s3", "us-east-1", sceneTime))
	_, d = s.call(h, r, nil)
	return d
}

// A limit is the policies of one scene: inline and boundary of the role,
// session policy of the profile, policy of the bucket.
type limit struct{ inline, boundary, session, bucket string }

func statement(effect, action, resource, more string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Action":"` + action + `","Resource":"` + resource + `"` + more + `}]}`
}

const sceneObjects = "arn:aws:s3:::reports/*"

// limits are one set of policies for each reason why a session may not read
// the object.
func limits() map[string]limit {
	allow := statement("Allow", "s3:GetObject", sceneObjects, "")
	other := statement("Allow", "s3:PutObject", sceneObjects, "")
	onTag := func(key string) string { return `,"Condition":{"StringEquals":{"` + key + `":"bob"}}` }
	return map[string]limit{
		"policy-explicit-deny": {
			inline: statement("Allow", "*", "*", ""),
			bucket: statement("Deny", "s3:Get*", sceneObjects, `,"Principal":"*","Condition":{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"alice"}}`),
		},
		"policy-no-allow":              {inline: statement("Deny", "s3:PutObject", "*", "")},
		"policy-action":                {inline: other},
		"policy-resource":              {inline: statement("Allow", "s3:GetObject", "arn:aws:s3:::reports/q4", "")},
		"policy-variable":              {inline: statement("Allow", "s3:GetObject", "arn:aws:s3:::reports/${aws:PrincipalTag/team}", "")},
		"policy-condition":             {inline: statement("Allow", "s3:GetObject", sceneObjects, onTag("aws:SourceIdentity"))},
		"policy-condition-key-missing": {inline: statement("Allow", "s3:GetObject", sceneObjects, onTag("aws:PrincipalTag/team"))},
		"policy-boundary":              {inline: allow, boundary: other},
		"policy-session":               {inline: allow, session: other},
	}
}

// policyReasons are the catalogue's for requests that policies refuse.
func policyReasons(t *testing.T) []string {
	var all []string
	for _, row := range reason.All() {
		ofPolicies := strings.HasPrefix(row.Slug, "policy-") || strings.HasPrefix(row.Slug, "trust-")
		if ofPolicies && row.Code == "AccessDenied" && row.Slug != "policy-of-aws" { // which is of IAM's own calls
			all = append(all, row.Slug)
		}
	}
	if len(all) < 10 {
		t.Fatalf("the catalogue has %d reasons of policies", len(all))
	}
	return all
}

// TestExplainRefusesRequestsAsTheSandbox walks the reasons of policies that the
// rules of CreateSession do not have.
func TestExplainRefusesRequestsAsTheSandbox(t *testing.T) {
	inSessions := []string{"trust-no-statement", "trust-tag-session", "trust-source-identity", "policy-principal", "policy-condition-multivalued"}
	for _, slug := range policyReasons(t) {
		if slug == "policy-cross-account" {
			continue // TestExplainAcrossAccounts
		}
		with, here := limits()[slug]
		if here == slices.Contains(inSessions, slug) || !here && len(trustScenes()[slug]) == 0 {
			t.Errorf("%s must be tried here, or as a rule of CreateSession", slug)
			continue
		}
		if !here {
			continue
		}
		t.Run(slug, func(t *testing.T) {
			s, o, d := tried(t, with)
			e, err := o.explain(sceneTime)
			s.must(err)
			if d.Reason != slug || e.Reason != slug || e.Allowed {
				t.Errorf("the sandbox names %q (%s), explain %q (%s)", d.Reason, d.Detail, e.Reason, e.Detail)
			}
			mend := strings.ReplaceAll(e.Mend, "the session policy of "+o.profileFile, "session policy 1 of 2a")
			for path, name := range map[string]string{
				o.policyFiles[0]: "inline policy p of role reader", o.boundaryFile: "managed policy " + s.role.Boundary,
				o.resourcePolicyFile: "bucket policy of reports",
			} {
				if path != "" {
					mend = strings.ReplaceAll(mend, path, name)
				}
			}
			if mend != d.Mend || mend == "" {
				t.Errorf("the sandbox would mend it by %q, explain by %q", d.Mend, mend)
			}
		})
	}
}

// tried has the scene under its limits refused by the sandbox, and returns the
// question for explain.
func tried(t *testing.T, with limit) (*scene, *explainOptions, world.Decision) {
	s := newScene(t)
	s.role.Inline["p"] = s.document(policy.Identity, with.inline)
	s.boundary, s.session, s.bucket = with.boundary, with.session, with.bucket
	d := s.getObject(s.furnish())
	o := s.files()
	o.action, o.resource = "s3:GetObject", "arn:aws:s3:::reports/q3"
	return s, o, d
}

// Allowed requests are allowed by both, by policies of either side.
func TestExplainAllowsAsTheSandbox(t *testing.T) {
	allow := statement("Allow", "s3:GetObject", "arn:aws:s3:::reports/${aws:PrincipalTag/x509Subject/CN, 'q3'}", "")
	for name, with := range map[string]limit{
		"a tag's default":  {inline: strings.Replace(allow, "x509Subject/CN", "team", 1)},
		"source identity":  {inline: statement("Allow", "s3:Get*", "*", `,"Condition":{"StringEquals":{"aws:SourceIdentity":"CN=alice","aws:PrincipalArn":"`+sceneRole+`"}}`)},
		"all three layers": {inline: statement("Allow", "*", "*", ""), boundary: statement("Allow", "s3:*", "*", ""), session: statement("Allow", "s3:GetObject", "*", "")},
		"bucket policy":    {inline: statement("Allow", "s3:PutObject", "*", ""), bucket: statement("Allow", "s3:GetObject", sceneObjects, `,"Principal":{"AWS":"`+sceneRole+`"}`)},
		"unique id":        {inline: statement("Allow", "s3:Get*", "*", `,"Condition":{"StringEquals":{"aws:userid":"AROAEXAMPLEEXAMPLEEX1:2a"}}`)},
	} {
		t.Run(name, func(t *testing.T) {
			s, o, d := tried(t, with)
			e, err := o.explain(sceneTime)
			s.must(err)
			if !d.Allowed || !e.Allowed {
				t.Errorf("the sandbox: %v %s (%s); explain: %v %s (%s)", d.Allowed, d.Reason, d.Detail, e.Allowed, e.Reason, e.Detail)
			}
		})
	}
}

// A resource of another account needs a policy of its own.
func TestExplainAcrossAccounts(t *testing.T) {
	s := newScene(t)
	s.role.Inline["p"] = s.document(policy.Identity, statement("Allow", "*", "*", ""))
	o := s.files()
	o.action, o.resource = "secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:999999999999:secret:db-AbCdEf"
	e, err := o.explain(sceneTime)
	s.must(err)
	if e.Reason != "policy-cross-account" || e.Allowed {
		t.Errorf("explain names %q (%s)", e.Reason, e.Detail)
	}
}
