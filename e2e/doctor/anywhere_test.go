package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"daypass.dev/doctor"
	"daypass.dev/pki"
	"daypass.dev/sandbox/world"
)

func TestRolesAnywhere(t *testing.T) {
	rows := append(certificateRows(), append(accountRows(), workloadRows()...)...)
	if len(rows) < 40 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, r := range rows {
		t.Run(r.slug+"/"+r.name, func(t *testing.T) {
			t.Parallel()
			r.run(t, newScene(t))
		})
	}
}

func TestAHealthyCertificateIsLeftAlone(t *testing.T) {
	s := newScene(t)
	s.kase.Request = &doctor.Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::reports/q3"}
	healthy(t, s.diagnose(), noisy)
	s.kase.Operator, s.kase.Unseen = nil, "nobody looks"
	healthy(t, s.diagnose())
	s.kase.Operator, s.kase.Ask = nil, false
	healthy(t, s.diagnose())
}

// leaf is a leaf of the CA with one change.
func leaf(change func(*x509.Certificate)) func(*scene) {
	return func(s *scene) {
		template := leafTemplate()
		change(template)
		s.certify(s.ca, template, newKey(s))
	}
}

// root is a CA in the anchor's place with one change, and a leaf of it.
func root(change func(*x509.Certificate)) func(*scene) {
	return func(s *scene) {
		template := caTemplate("Test CA")
		change(template)
		ca := forger{}.issue(s, template, newKey(s))
		s.anchors(ca)
		s.certify(ca, leafTemplate(), newKey(s))
	}
}

func (s *scene) below(name string) forger { return s.ca.issue(s, caTemplate(name), newKey(s)) }

func certificateRows() []row {
	return []row{
		{slug: "leaf-key-usage", name: "absent", spoil: leaf(func(c *x509.Certificate) { c.KeyUsage = 0 })},
		{slug: "leaf-key-usage", name: "keyEncipherment", spoil: leaf(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment })},
		{slug: "leaf-version", name: "openssl without extensions", spoil: func(s *scene) { s.version1() }},
		{slug: "leaf-ca", spoil: leaf(func(c *x509.Certificate) { c.IsCA = true })},
		{slug: "leaf-signature-algorithm", spoil: leaf(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 })},
		{slug: "leaf-subject-empty", spoil: leaf(func(c *x509.Certificate) { c.Subject = pkix.Name{} })},
		{slug: "leaf-not-yet-valid", spoil: leaf(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) })},
		{slug: "leaf-expired", spoil: leaf(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })},
		{slug: "leaf-serial", record: "leaf-serial", spoil: leaf(func(c *x509.Certificate) { c.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 167) })},
		{slug: "leaf-key-size", spoil: func(s *scene) {
			key, err := rsa.GenerateKey(rand.Reader, 1024)
			if err != nil {
				s.Fatal(err)
			}
			s.certify(s.ca, leafTemplate(), key)
		}},
		{slug: "leaf-key-type", record: "-", spoil: func(s *scene) {
			key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
			if err != nil {
				s.Fatal(err)
			}
			s.certify(s.ca, leafTemplate(), key)
		}},
		{slug: "key-mismatch", record: "-", spoil: func(s *scene) {
			pem, err := pki.EncodeKey(newKey(s))
			if err != nil {
				s.Fatal(err)
			}
			s.write("tls.key", pem)
		}},
		{slug: "leaf-is-anchor", spoil: func(s *scene) {
			s.certify(forger{}, caTemplate("Test CA"), newKey(s))
			s.anchors(s.leaf)
		}},
		{slug: "chain-issuer-missing", name: "intermediate not sent", spoil: func(s *scene) { s.certify(s.below("Middle CA"), leafTemplate(), newKey(s)) }},
		{slug: "chain-issuer-missing", name: "another CA", spoil: func(s *scene) { s.anchors(forger{}.issue(s, caTemplate("Other CA"), newKey(s))) }},
		{slug: "chain-signature", name: "a CA made anew", spoil: func(s *scene) { s.anchors(forger{}.issue(s, caTemplate("Test CA"), newKey(s))) }},
		{slug: "chain-depth", record: "-", spoil: func(s *scene) {
			var chain []forger
			for range 6 {
				chain = append(chain, s.below("Middle CA"))
			}
			s.certify(chain[0], leafTemplate(), newKey(s), chain...)
		}},
		{slug: "ca-basic-constraints", spoil: root(func(c *x509.Certificate) { c.IsCA = false })},
		{slug: "ca-version", spoil: func(s *scene) {
			s.openssl("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout old.key -subj /CN=OldCA -out old.csr",
				"x509 -req -in old.csr -signkey old.key -days 1 -out old.pem",
				"req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls.key -subj /CN=web@shop -addext keyUsage=digitalSignature -out tls.csr",
				"x509 -req -in tls.csr -copy_extensions copyall -CA old.pem -CAkey old.key -set_serial 7 -days 1 -out tls.crt")
			data, err := os.ReadFile(s.file("old.pem"))
			if err != nil {
				s.Fatal(err)
			}
			s.inAccount(func(a *world.Account) { a.Anchors[anchorID].Bundle = string(data) })
		}},
		{slug: "anchor-bundle", spoil: func(s *scene) {
			s.inAccount(func(a *world.Account) { a.Anchors[anchorID].Bundle = "hello" })
		}},
		{slug: "ca-key-usage", spoil: root(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })},
		{slug: "ca-signature-algorithm", spoil: root(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 })},
		{slug: "ca-expired", spoil: root(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })},
		{slug: "ca-not-yet-valid", spoil: root(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) })},
		{slug: "ca-path-length", spoil: func(s *scene) {
			template := caTemplate("Test CA")
			template.MaxPathLenZero = true
			ca := forger{}.issue(s, template, newKey(s))
			middle := ca.issue(s, caTemplate("Middle CA"), newKey(s))
			s.anchors(ca)
			s.certify(middle, leafTemplate(), newKey(s), middle)
		}},
		{slug: "ca-key-type", spoil: func(s *scene) {
			key, err := rsa.GenerateKey(rand.Reader, 1024)
			if err != nil {
				s.Fatal(err)
			}
			ca := forger{}.issue(s, caTemplate("Test CA"), key)
			s.anchors(ca)
			s.certify(ca, leafTemplate(), newKey(s))
		}},
		{slug: "chain-critical-extension", spoil: leaf(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55555, 1}, Critical: true, Value: []byte{5, 0}}}
		})},
		{slug: "ca-name-constraints", spoil: root(func(c *x509.Certificate) {
			c.PermittedDNSDomainsCritical, c.PermittedURIDomains = true, []string{"mine.example"}
		})},
		{slug: "anchor-bundle-size", spoil: func(s *scene) { s.anchors(s.ca, s.ca, s.ca) }},
	}
}

const unbound = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":ACTIONS}]}`

const all = `["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]`

func accountRows() []row {
	trust := func(actions string) func(*scene) {
		return func(s *scene) { s.trust(strings.ReplaceAll(unbound, "ACTIONS", actions)) }
	}
	with := func(more string) func(*scene) {
		return func(s *scene) { s.trust(strings.ReplaceAll(unbound, `ACTIONS`, all+","+more)) }
	}
	return []row{
		{slug: "anchor-unknown",
			spoil: func(s *scene) {
				s.kase.Settings.TrustAnchorARN = strings.Replace(anchorARN, "11111111", "99999999", 1)
			},
			mend: func(s *scene) { s.kase.Settings.TrustAnchorARN = anchorARN }},
		{slug: "iam-propagation", record: "fault", // which stands for an IAM that does not know the role yet
			spoil: func(s *scene) {
				s.role(func(r *world.Role) { r.Created = s.box.World.Now() })
				s.box.World.SetFaults(world.Fault{Operation: "CreateSession", For: 59 * time.Second,
					Code: "AccessDeniedException", Message: "Unable to assume role for " + roleARN, Status: http.StatusForbidden})
			},
			mend: func(s *scene) { s.box.World.Advance(time.Minute) }},
		{slug: "anchor-disabled",
			spoil: func(s *scene) { s.inAccount(func(a *world.Account) { a.Anchors[anchorID].Disabled = true }) },
			mend:  func(s *scene) { s.inAccount(func(a *world.Account) { a.Anchors[anchorID].Disabled = false }) }},
		{slug: "certificate-revoked", spoil: func(s *scene) {
			list, err := pki.CA{Certificate: s.ca.cert, Signer: s.ca.key}.CRL([]pki.Revoked{{Serial: s.leaf.cert.SerialNumber, Time: time.Now()}}, 1, time.Now(), time.Now().AddDate(0, 0, 7))
			if err != nil {
				s.Fatal(err)
			}
			s.inAccount(func(a *world.Account) {
				a.CRLs["c"] = &world.CRL{ID: "c", ARN: strings.Replace(anchorARN, "trust-anchor/", "crl/", 1), Region: "us-east-1", Name: "list", AnchorARN: anchorARN, Data: list}
			})
		}},
		{slug: "profile-unknown",
			spoil: func(s *scene) {
				s.kase.Settings.ProfileARN = strings.Replace(profileARN, "22222222", "99999999", 1)
			},
			mend: func(s *scene) { s.kase.Settings.ProfileARN = profileARN }},
		{slug: "profile-elsewhere",
			spoil: func(s *scene) {
				s.kase.Settings.ProfileARN = strings.Replace(profileARN, account, "444455556666", 1)
			},
			mend: func(s *scene) { s.kase.Settings.ProfileARN = profileARN }},
		{slug: "profile-elsewhere", name: "another region", record: "-",
			spoil: func(s *scene) {
				s.kase.Settings.ProfileARN = strings.Replace(profileARN, "us-east-1", "eu-west-1", 1)
			},
			mend: func(s *scene) { s.kase.Settings.ProfileARN = profileARN }},
		{slug: "profile-disabled",
			spoil: func(s *scene) { s.profile(func(p *world.Profile) { p.Disabled = true }) },
			mend:  func(s *scene) { s.profile(func(p *world.Profile) { p.Disabled = false }) }},
		{slug: "session-policy-not-found",
			spoil: func(s *scene) {
				s.profile(func(p *world.Profile) { p.ManagedPolicies = []string{"arn:aws:iam::" + account + ":policy/gone"} })
			},
			mend: func(s *scene) {
				s.inAccount(func(a *world.Account) { a.AddPolicy("gone", "/", readReports(s)) })
			}},
		{slug: "anchor-private-ca", name: "none",
			spoil: func(s *scene) { s.private("99999999-2222-4333-8444-555555555555") },
			mend:  (*scene).bundled},
		{slug: "anchor-private-ca", name: "without a certificate",
			spoil: func(s *scene) { s.private(s.privateCA()) },
			mend: func(s *scene) {
				s.inAccount(func(a *world.Account) {
					a.PrivateCAs[authorityID].Certificate = string(pki.EncodeCertificate(s.ca.cert))
				})
			}},
		{slug: "profile-role",
			spoil: func(s *scene) { s.profile(func(p *world.Profile) { p.RoleARNs = []string{roleARN + "s"} }) },
			mend:  func(s *scene) { s.profile(func(p *world.Profile) { p.RoleARNs = []string{roleARN} }) }},
		{slug: "profile-properties",
			spoil: func(s *scene) { s.profile(func(p *world.Profile) { p.RequireInstanceProperties = true }) },
			mend:  func(s *scene) { s.kase.Settings.InstanceProperties = "room=7" }},
		{slug: "profile-session-name",
			spoil: func(s *scene) {
				s.profile(func(p *world.Profile) { p.AcceptSessionName = false })
				s.kase.Settings.RoleSessionName = "nightly"
			},
			mend: func(s *scene) { s.profile(func(p *world.Profile) { p.AcceptSessionName = true }) }},
		{slug: "role-elsewhere",
			spoil: func(s *scene) {
				other := strings.Replace(roleARN, account, "444455556666", 1)
				s.profile(func(p *world.Profile) { p.RoleARNs = append(p.RoleARNs, other) })
				s.kase.Settings.RoleARN = other
			},
			mend: func(s *scene) { s.kase.Settings.RoleARN = roleARN }},
		{slug: "role-not-found",
			spoil: func(s *scene) {
				s.profile(func(p *world.Profile) { p.RoleARNs = append(p.RoleARNs, roleARN+"s") })
				s.kase.Settings.RoleARN = roleARN + "s"
			},
			mend: func(s *scene) { s.kase.Settings.RoleARN = roleARN }},
		{slug: "duration-over-role",
			spoil: func(s *scene) {
				s.profile(func(p *world.Profile) { p.Duration = 2 * time.Hour })
				s.kase.Settings.SessionDuration = 2 * time.Hour
			},
			mend: func(s *scene) { s.kase.Settings.SessionDuration = time.Hour }},
		{slug: "source-identity", name: "an umlaut", spoil: leaf(func(c *x509.Certificate) { c.Subject.CommonName = "web*shop" })},
		{slug: "trust-tag-session", spoil: trust(`["sts:AssumeRole","sts:SetSourceIdentity"]`)},
		{slug: "trust-source-identity", spoil: trust(`["sts:AssumeRole","sts:TagSession"]`)},
		{slug: "policy-action", spoil: trust(`["sts:TagSession","sts:SetSourceIdentity"]`)},
		{slug: "policy-principal", spoil: func(s *scene) {
			s.trust(strings.ReplaceAll(strings.Replace(unbound, "rolesanywhere", "ec2", 1), "ACTIONS", all))
		}},
		{slug: "policy-condition", name: "another URI", spoil: with(`"Condition":{"StringEquals":{"aws:PrincipalTag/x509SAN/URI":"spiffe://prod/ns/shop/sa/other"}}`)},
		{slug: "policy-condition", name: "another anchor", spoil: with(`"Condition":{"ArnEquals":{"aws:SourceArn":"` + strings.Replace(anchorARN, "11111111", "99999999", 1) + `"}}`)},
		{slug: "policy-condition-key-missing", name: "no such name", spoil: with(`"Condition":{"StringEquals":{"aws:PrincipalTag/x509Subject/OU":"shop"}}`)},
		{slug: "policy-condition-key-missing", name: "the mapping leaves it out", spoil: func(s *scene) {
			s.profile(func(p *world.Profile) { p.Mappings = map[string][]string{"x509SAN": {}} })
		}, mend: func(s *scene) { s.profile(func(p *world.Profile) { p.Mappings = nil }) }},
		{slug: "policy-explicit-deny", spoil: func(s *scene) {
			s.trust(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":` + all + `},` +
				`{"Effect":"Deny","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"web@shop"}}}]}`)
		}},
	}
}

func workloadRows() []row {
	return []row{
		{slug: "proof-missing", record: "-", spoil: func(s *scene) { _ = os.Remove(s.file("tls.crt")) }},
		{slug: "proof-missing", name: "its text for its path", record: "-",
			spoil: func(s *scene) {
				s.kase.Settings.Certificate = string(pki.EncodeCertificate(s.leaf.cert))
			},
			mend: func(s *scene) { s.kase.Settings.Certificate = s.file("tls.crt") }},
		{slug: "proof-form", name: "DER", record: "-", spoil: func(s *scene) { s.write("tls.crt", s.leaf.cert.Raw) }},
		{slug: "proof-form", name: "the key is no key", record: "-", spoil: func(s *scene) { s.write("tls.key", []byte("secret\n")) }},
		{slug: "settings-missing", record: "-",
			spoil: func(s *scene) { s.kase.Settings.ProfileARN = "" },
			mend:  func(s *scene) { s.kase.Settings.ProfileARN = profileARN }},
		{slug: "settings-malformed", record: "-",
			spoil: func(s *scene) { s.kase.Settings.InstanceProperties = "=7" },
			mend:  func(s *scene) { s.kase.Settings.InstanceProperties = "room=7" }},
		{slug: "session-arn", record: "-",
			spoil: func(s *scene) { s.kase.Settings.RoleARN = "reader" },
			mend:  func(s *scene) { s.kase.Settings.RoleARN = roleARN }},
		{slug: "session-duration", record: "-",
			spoil: func(s *scene) { s.kase.Settings.SessionDuration = time.Minute },
			mend:  func(s *scene) { s.kase.Settings.SessionDuration = time.Hour }},
		{slug: "session-name", record: "-",
			spoil: func(s *scene) { s.kase.Settings.RoleSessionName = "a/b" },
			mend:  func(s *scene) { s.kase.Settings.RoleSessionName = "a-b" }},
		{slug: "settings-malformed", name: "a long property", record: "-",
			spoil: func(s *scene) { s.kase.Settings.InstanceProperties = "room=" + strings.Repeat("7", 201) },
			mend:  func(s *scene) { s.kase.Settings.InstanceProperties = "room=" + strings.Repeat("7", 200) }},
		{slug: "settings-malformed", name: "many properties", record: "-",
			spoil: func(s *scene) {
				for i := range 51 {
					s.kase.Settings.InstanceProperties += strings.Repeat("x", i+1) + "=1,"
				}
				s.kase.Settings.InstanceProperties = strings.TrimSuffix(s.kase.Settings.InstanceProperties, ",")
			},
			mend: func(s *scene) {
				_, s.kase.Settings.InstanceProperties, _ = strings.Cut(s.kase.Settings.InstanceProperties, ",")
			}},
		{slug: "proof-unreadable", record: "-",
			spoil: func(s *scene) { s.unreadable("tls.key") },
			mend: func(s *scene) {
				if err := os.Chmod(s.file("tls.key"), 0o600); err != nil {
					s.Fatal(err)
				}
			}},
		{slug: "anchor-region", record: "-",
			spoil: func(s *scene) { s.kase.Settings.Region = "eu-west-1" },
			mend:  func(s *scene) { s.kase.Settings.Region = "" }},
		{slug: "live-name", record: "-",
			spoil: func(s *scene) { s.kase.Settings.Endpoint = "https://rolesanywhere.invalid" },
			mend:  func(s *scene) { s.kase.Settings.Endpoint = s.box.URL }},
		{slug: "live-connection", name: "nobody listens", record: "-",
			spoil: func(s *scene) { s.kase.Settings.Endpoint = "https://127.0.0.1:1" },
			mend:  func(s *scene) { s.kase.Settings.Endpoint = s.box.URL }},
		{slug: "live-expired", record: "-", spoil: expired,
			mend: func(s *scene) { s.kase.Settings.Endpoint, s.kase.Settings.CABundle = s.box.URL, s.box.CAFile }},
		{slug: "live-connection", name: "not trusted", record: "-",
			spoil: func(s *scene) { s.kase.Settings.CABundle = s.file("ca.pem") },
			mend:  func(s *scene) { s.kase.Settings.CABundle = s.box.CAFile }},
	}
}

// version1 has openssl make what it makes without extensions: version 1.
func (s *scene) version1() {
	s.Helper()
	key, err := pki.EncodeKey(s.ca.key)
	if err != nil {
		s.Fatal(err)
	}
	s.write("ca.key", key)
	s.openssl("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls.key -subj /CN=web@shop -out tls.csr",
		"x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -set_serial 7 -days 1 -out tls.crt")
}

func (s *scene) openssl(commands ...string) {
	s.Helper()
	for _, args := range commands {
		cmd := exec.CommandContext(s.Context(), "openssl", strings.Fields(args)...)
		cmd.Dir = s.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			s.Fatalf("openssl %s: %v\n%s", args, err, out)
		}
	}
}

// What AWS accepts is at most worth a look, whatever our rules say.
func TestAWSKnowsItsRulesBetter(t *testing.T) {
	s := newScene(t)
	s.box.World.Advance(-2 * time.Hour)
	s.certify(s.ca, func() *x509.Certificate { c := leafTemplate(); c.NotBefore = c.NotBefore.Add(-5 * time.Hour); return c }(), newKey(s))
	ca := caTemplate("Old CA")
	ca.NotBefore = ca.NotBefore.Add(-5 * time.Hour)
	old := forger{}.issue(s, ca, newKey(s))
	s.anchors(old)
	template := leafTemplate()
	template.NotBefore = template.NotBefore.Add(-5 * time.Hour)
	s.certify(old, template, newKey(s))
	r := s.diagnose() // the local clock is two hours wrong, and daypass corrects it
	if !r.Healthy {
		t.Fatalf("%s\n%s", cause(r), pretty(r))
	}
	warned := false
	for _, c := range r.Checks {
		warned = warned || c.Verdict == doctor.Warn && c.Reason == "x509-clock"
	}
	if !warned {
		t.Errorf("the clock is not told\n%s", pretty(r))
	}
}
