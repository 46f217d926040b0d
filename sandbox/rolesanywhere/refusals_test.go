package rolesanywhere_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"daypass.dev/reason"
	"daypass.dev/sandbox/rolesanywhere"
)

// A row spoils a stage in one way for which the call must be refused.
type row struct {
	name  string
	spoil func(*stage)
}

// rows are the refusals by the rule that must refuse.
func rows() map[string][]row {
	all := map[string][]row{}
	for _, some := range []map[string][]row{signatureRows(), parameterRows(), leafRows(), chainRows(), revocationRows(), profileRows(), trustRows()} {
		for slug, list := range some {
			all[slug] = append(all[slug], list...)
		}
	}
	return all
}

func TestEveryRuleRefuses(t *testing.T) {
	all := rows()
	rules := rolesanywhere.Rules()
	if len(rules) == 0 {
		t.Fatal("there are no rules")
	}
	for _, slug := range rules {
		if len(all[slug]) == 0 {
			t.Errorf("rule %s has no row", slug)
		}
	}
	for _, slug := range slices.Sorted(maps.Keys(all)) {
		if !slices.Contains(rules, slug) {
			t.Errorf("the row for %s is of no rule", slug)
		}
		for _, r := range all[slug] {
			t.Run(slug+"/"+r.name, func(t *testing.T) {
				s := newStage(t)
				r.spoil(s)
				d := s.refused(slug)
				if d.Operation != "CreateSession" || d.Service != "rolesanywhere" {
					t.Errorf("recorded as %s %s", d.Service, d.Operation)
				}
			})
		}
	}
}

// TestTheStageIsSound keeps the rows honest: unspoiled, the call succeeds.
func TestTheStageIsSound(t *testing.T) {
	newStage(t).session()
}

// TestMessagesAreAWS holds answers against the code and words of AWS that its
// users have reported.
func TestMessagesAreAWS(t *testing.T) {
	unable := "Unable to assume role for " + roleARN + "."
	for slug, want := range map[string]string{
		"leaf-key-usage":        "Untrusted certificate. Insufficient certificate",
		"leaf-version":          "Untrusted certificate. Insufficient certificate",
		"leaf-ca":               "Untrusted certificate. Insufficient certificate",
		"chain-issuer-missing":  "Untrusted signing certificate",
		"chain-signature":       "Untrusted signing certificate",
		"ca-key-usage":          "Untrusted signing certificate",
		"x509-signature":        "Invalid signature",
		"x509-clock":            "Invalid signature",
		"anchor-unknown":        "Specified Trust Anchor wasn't found.",
		"anchor-disabled":       "Trust anchor is disabled",
		"certificate-revoked":   "Certificate revoked",
		"profile-unknown":       "Invalid or empty profile provided.",
		"profile-disabled":      "Profile is disabled",
		"profile-role":          "Requested Role isn't one of those listed in the Profile",
		"profile-session-name":  "Not authorized to set roleSessionName.",
		"policy-condition":      unable,
		"policy-action":         unable,
		"trust-tag-session":     unable,
		"trust-source-identity": unable,
		"duration-over-role":    unable + " The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
	} {
		s := newStage(t)
		rows()[slug][0].spoil(s)
		w, d := s.send()
		if d.Reason != slug || d.Message != want || d.Code != "AccessDeniedException" || w.Code != http.StatusForbidden {
			t.Errorf("%s: %d %s %q for %s, want 403 AccessDeniedException %q", slug, w.Code, d.Code, d.Message, d.Reason, want)
		}
		if w.Header().Get("X-Amzn-Errortype") != d.Code || !strings.Contains(w.Body.String(), `"message":`) {
			t.Errorf("%s: the answer is %v %s", slug, w.Header(), w.Body)
		}
	}
}

// TestCodesFitTheirStatus walks all rows for the codes that CreateSession has.
func TestCodesFitTheirStatus(t *testing.T) {
	status := map[string]int{"AccessDeniedException": 403, "ValidationException": 400, "NotImplemented": 501}
	for slug, list := range rows() {
		s := newStage(t)
		list[0].spoil(s)
		w, d := s.send()
		if w.Code != status[d.Code] || d.Code == "" {
			t.Errorf("%s: %d %s", slug, w.Code, d.Code)
		}
		if _, ok := reason.Lookup(d.Reason); !ok {
			t.Errorf("%s is not in the catalogue", d.Reason)
		}
	}
}

func signatureRows() map[string][]row {
	header := func(name, value string) func(*stage) {
		return func(s *stage) { s.spoil = func(r *http.Request) { r.Header.Set(name, value) } }
	}
	return map[string][]row{
		"x509-authorization": {
			{"missing", func(s *stage) { s.spoil = func(r *http.Request) { r.Header.Del("Authorization") } }},
			{"twice", func(s *stage) {
				s.spoil = func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }
			}},
			{"malformed", header("Authorization", "AWS4-X509-ECDSA-SHA256 Credential=42")},
			{"a signed header that did not arrive", func(s *stage) {
				s.headers = func(h map[string]string) { h["x-extra"] = "1" }
				s.spoil = func(r *http.Request) { r.Header.Del("X-Extra") }
			}},
		},
		"x509-header": {
			{"missing", func(s *stage) { s.spoil = func(r *http.Request) { r.Header.Del("X-Amz-X509") } }},
			{"twice", func(s *stage) {
				s.spoil = func(r *http.Request) { r.Header.Add("X-Amz-X509", r.Header.Get("X-Amz-X509")) }
			}},
			{"not base64", func(s *stage) { s.leafHeader = "%%%" }},
			{"not DER", func(s *stage) { s.leafHeader = "AAAA" }},
			{"PEM", func(s *stage) { s.leafHeader = strings.ReplaceAll(pemOf(s.leaf), "\n", "") }},
			{"empty", header("X-Amz-X509", "")},
		},
		"x509-chain-header": {
			{"not base64", func(s *stage) { s.links = "%%%" }},
			{"empty link", func(s *stage) { s.links = "," }},
			{"twice", func(s *stage) {
				s.chain = append(s.chain, s.ca.cert)
				s.spoil = func(r *http.Request) { r.Header.Add("X-Amz-X509-Chain", "x") }
			}},
		},
		"chain-depth": {{"six", func(s *stage) {
			for range 6 {
				s.chain = append(s.chain, s.ca.cert)
			}
		}}},
		"x509-mldsa": {{"asked", func(s *stage) { s.algorithm = "AWS4-X509-MLDSA" }}},
		"x509-algorithm": {
			{"HMAC", func(s *stage) { s.algorithm = "AWS4-HMAC-SHA256" }},
			{"unknown hash", func(s *stage) { s.algorithm = "AWS4-X509-ECDSA-SHA384" }},
			{"of the other key", func(s *stage) { s.algorithm = "AWS4-X509-RSA-SHA256" }},
		},
		"leaf-key-type": {
			{"Ed25519", func(s *stage) { s.useEd25519() }},
			{"P-224", func(s *stage) { s.useP224() }},
		},
		"leaf-key-size": {{"RSA 1024", func(s *stage) { s.useRSA(1024) }}},
		"x509-unsigned-header": {
			{"content-type", func(s *stage) { s.unsigned = "content-type" }},
			{"host", func(s *stage) { s.unsigned = "host" }},
			{"x-amz-date", func(s *stage) { s.unsigned = "x-amz-date" }},
			{"x-amz-x509", func(s *stage) { s.unsigned = "x-amz-x509" }},
			{"x-amz-x509-chain", func(s *stage) { s.unsigned = "x-amz-x509-chain"; s.chain = append(s.chain, s.ca.cert) }},
		},
		"x509-date": {
			{"other form", header("X-Amz-Date", "2026-06-01T12:00:00Z")},
			{"missing", func(s *stage) { s.spoil = func(r *http.Request) { r.Header.Del("X-Amz-Date") } }},
		},
		"x509-scope": {
			{"another region", func(s *stage) { s.scope = "eu-west-1/rolesanywhere" }},
			{"another service", func(s *stage) { s.scope = "us-east-1/sts" }},
			{"another day", func(s *stage) {
				s.spoil = func(r *http.Request) {
					a := r.Header.Get("Authorization")
					r.Header.Set("Authorization", strings.Replace(a, "/20260601/", "/20260602/", 1))
				}
			}},
		},
		"x509-clock": {
			{"too old", func(s *stage) { s.world.Advance(15*minute + second) }},
			{"too new", func(s *stage) { s.signedAt = noon.Add(15*minute + 5*second) }},
		},
		"x509-serial": {
			{"hex", func(s *stage) { s.serial = "2a" }},
			{"leading zero", func(s *stage) { s.serial = "042" }},
			{"another", func(s *stage) { s.serial = "43" }},
		},
		"x509-signature": {
			{"another key", func(s *stage) { s.key = newAuthority(s.t, "other", nil).key }},
			{"body", func(s *stage) {
				s.spoil = func(r *http.Request) { r.Body = http.NoBody }
			}},
			{"the digest not hashed", func(s *stage) { s.sign = func([]byte) []byte { return []byte("\x30\x00") } }},
			{"RSA", func(s *stage) {
				s.useRSA(2048)
				s.sign = func([]byte) []byte { return make([]byte, 256) }
			}},
			{"capital hex", func(s *stage) {
				s.spoil = func(r *http.Request) {
					start, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
					r.Header.Set("Authorization", start+"Signature="+strings.ToUpper(signature))
				}
			}},
		},
	}
}

func parameterRows() map[string][]row {
	body := func(text string) func(*stage) { return func(s *stage) { s.body = text } }
	query := func(name, value string) func(*stage) { return func(s *stage) { s.query.Set(name, value) } }
	return map[string][]row{
		"session-body": {
			{"not JSON", body(`durationSeconds=900`)},
			{"a list", body(`[]`)},
			{"null", body(`null`)},
			{"two objects", body(`{}{}`)},
			{"a string for a number", body(`{"durationSeconds":"900"}`)},
			{"a fraction", body(`{"durationSeconds":900.5}`)},
			{"numbers as properties", body(`{"instanceProperties":{"a":1}}`)},
		},
		"session-parameter": {
			{"missing", func(s *stage) { s.query.Del("roleArn") }},
			{"twice", func(s *stage) { s.query.Add("profileArn", profileARN+"x") }},
			{"query and body differ", body(`{"roleArn":"arn:aws:iam::111122223333:role/other"}`)},
			{"null counts as absent", func(s *stage) { s.query.Del("roleArn"); s.body = `{"roleArn":null}` }},
			{"the case of names counts", func(s *stage) { s.query.Del("roleArn"); s.body = `{"RoleArn":"` + roleARN + `"}` }},
		},
		"session-arn": {
			{"no ARN", query("roleArn", "reader")},
			{"another service", query("profileArn", roleARN)},
			{"another kind", query("trustAnchorArn", profileARN)},
			{"no account", query("roleArn", "arn:aws:iam:::role/reader")},
			{"a user", query("roleArn", "arn:aws:iam::111122223333:user/reader")},
		},
		"session-duration": {
			{"899", body(`{"durationSeconds":899}`)},
			{"43201", body(`{"durationSeconds":43201}`)},
			{"negative", body(`{"durationSeconds":-900}`)},
		},
		"session-name": {
			{"one character", body(`{"roleSessionName":"a"}`)},
			{"empty", body(`{"roleSessionName":""}`)},
			{"65 characters", body(`{"roleSessionName":"` + strings.Repeat("a", 65) + `"}`)},
			{"a slash", body(`{"roleSessionName":"a/b"}`)},
		},
		"session-properties": {
			{"51", body(`{"instanceProperties":{` + manyProperties(51) + `}}`)},
			{"an empty value", body(`{"instanceProperties":{"a":""}}`)},
			{"an empty name", body(`{"instanceProperties":{"":"a"}}`)},
			{"201 characters", body(`{"instanceProperties":{"a":"` + strings.Repeat("ü", 201) + `"}}`)},
		},
	}
}

func manyProperties(n int) string {
	var list []string
	for i := range n {
		list = append(list, `"k`+strings.Repeat("x", i)+`":"v"`)
	}
	return strings.Join(list, ",")
}
