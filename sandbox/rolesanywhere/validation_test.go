package rolesanywhere_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
)

// TestAnchorsRules creates anchors that CreateSession could never use.
func TestAnchorsRules(t *testing.T) {
	d := newDesk(t)
	ca := func(change func(*x509.Certificate)) string { return pemOf(newAuthority(t, "CA", change).cert) }
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ slug, bundle, message string }{
		{"ca-basic-constraints", pemOf(d.leaf), "Incorrect basic constraints for CA certificate"},
		{"ca-basic-constraints", ca(func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid = false, false
			c.KeyUsage = x509.KeyUsageCertSign
		}), "Incorrect basic constraints for CA certificate"},
		{"ca-key-usage", ca(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), "keyCertSign"},
		{"ca-version", pemOf(d.ca.issueV1(t, d.ca.cert.Subject, d.ca.key.Public())), "version 3"},
		{"ca-signature-algorithm", ca(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }), "SHA-256"},
		{"ca-key-type", pemOf(d.ca.issue(t, caTemplate("Ed CA"), public)), "RSA"},
		{"anchor-bundle", "hello", "PEM"},
		{"anchor-bundle", "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", "PEM"},
		{"anchor-bundle", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "PEM"},
		{"anchor-bundle-size", strings.Repeat(pemOf(d.ca.cert), 3), "2 certificates"},
		{"anchor-bundle-size", strings.Repeat(" ", 8001), "8000"},
	} {
		_, err := d.CreateTrustAnchor(t.Context(), &rolesanywhere.CreateTrustAnchorInput{Name: aws.String("a"), Source: bundle(c.bundle)})
		last := d.sandbox.Last(t, "CreateTrustAnchor")
		if code(err) != "ValidationException" || last.Reason != c.slug || last.Status != http.StatusBadRequest || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: %v, for %s", c.slug, err, last.Reason)
		}
		_, err = d.UpdateTrustAnchor(t.Context(), &rolesanywhere.UpdateTrustAnchorInput{TrustAnchorId: &d.anchor.ID, Source: bundle(c.bundle)})
		if code(err) != "ValidationException" || d.sandbox.Last(t, "UpdateTrustAnchor").Reason != c.slug {
			t.Errorf("%s on update: %v", c.slug, err)
		}
	}
	if n := len(d.world.Account(account).Anchors); n != 1 || d.anchor.Bundle != pemOf(d.ca.cert) {
		t.Errorf("%d anchors; the first holds %s", n, d.anchor.Bundle)
	}
	expired := ca(func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Hour) })
	if _, err := d.CreateTrustAnchor(t.Context(), &rolesanywhere.CreateTrustAnchorInput{Name: aws.String("a"), Source: bundle(expired)}); err != nil {
		t.Errorf("an expired CA, which only sessions are refused for: %v", err)
	}
}

// TestValidation has a row for each way in which members of the control plane
// can be wrong.
func TestValidation(t *testing.T) {
	d := newDesk(t)
	anchor := func(change func(*rolesanywhere.CreateTrustAnchorInput)) func(*rolesanywhere.Client) error {
		return func(c *rolesanywhere.Client) error {
			in := &rolesanywhere.CreateTrustAnchorInput{Name: aws.String("a"), Source: bundle(pemOf(d.ca.cert))}
			change(in)
			_, err := c.CreateTrustAnchor(t.Context(), in)
			return err
		}
	}
	profile := func(change func(*rolesanywhere.CreateProfileInput)) func(*rolesanywhere.Client) error {
		return func(c *rolesanywhere.Client) error {
			in := &rolesanywhere.CreateProfileInput{Name: aws.String("p"), RoleArns: []string{roleARN}}
			change(in)
			_, err := c.CreateProfile(t.Context(), in)
			return err
		}
	}
	get := func(id string) func(*rolesanywhere.Client) error {
		return func(c *rolesanywhere.Client) error {
			_, err := c.GetTrustAnchor(t.Context(), &rolesanywhere.GetTrustAnchorInput{TrustAnchorId: &id})
			return err
		}
	}
	list := func(in *rolesanywhere.ListProfilesInput) func(*rolesanywhere.Client) error {
		return func(c *rolesanywhere.Client) error {
			_, err := c.ListProfiles(t.Context(), in)
			return err
		}
	}
	crl := func(change func(*rolesanywhere.ImportCrlInput)) func(*rolesanywhere.Client) error {
		return func(c *rolesanywhere.Client) error {
			in := &rolesanywhere.ImportCrlInput{Name: aws.String("l"), TrustAnchorArn: aws.String(anchorARN), CrlData: d.ca.crl(t, d.ca.key)}
			change(in)
			_, err := c.ImportCrl(t.Context(), in)
			return err
		}
	}
	tags := func(n int, prefix string) []types.Tag {
		var all []types.Tag
		for i := range n {
			all = append(all, types.Tag{Key: aws.String(prefix + strconv.Itoa(i)), Value: aws.String("v")})
		}
		return all
	}
	put := func(settings ...types.NotificationSetting) func(*rolesanywhere.Client) error {
		return func(c *rolesanywhere.Client) error {
			if settings == nil {
				settings = []types.NotificationSetting{}
			}
			_, err := c.PutNotificationSettings(t.Context(), &rolesanywhere.PutNotificationSettingsInput{TrustAnchorId: &d.anchor.ID, NotificationSettings: settings})
			return err
		}
	}
	invalid := "anywhere-parameter"
	for name, c := range map[string]struct {
		slug, code string
		call       func(*rolesanywhere.Client) error
	}{
		"anchor's name":      {invalid, "ValidationException", anchor(func(in *rolesanywhere.CreateTrustAnchorInput) { in.Name = aws.String("a/b") })},
		"anchor's long name": {invalid, "ValidationException", anchor(func(in *rolesanywhere.CreateTrustAnchorInput) { in.Name = aws.String(strings.Repeat("a", 256)) })},
		"no name":            {invalid, "ValidationException", anchor(func(in *rolesanywhere.CreateTrustAnchorInput) { in.Name = aws.String("") })},
		"unknown type":       {invalid, "ValidationException", anchor(func(in *rolesanywhere.CreateTrustAnchorInput) { in.Source.SourceType = "SELF_SIGNED_REPOSITORY" })},
		"no source":          {invalid, "ValidationException", anchor(func(in *rolesanywhere.CreateTrustAnchorInput) { in.Source = &types.Source{} })},
		"no private CA": {"anchor-private-ca", "ValidationException", anchor(func(in *rolesanywhere.CreateTrustAnchorInput) {
			in.Source = &types.Source{SourceType: types.TrustAnchorTypeAwsAcmPca, SourceData: &types.SourceDataMemberAcmPcaArn{Value: "arn:aws:acm-pca:us-east-1:111122223333:certificate-authority/x"}}
		})},
		"a notification without a threshold": {invalid, "ValidationException", anchor(func(in *rolesanywhere.CreateTrustAnchorInput) {
			in.NotificationSettings = []types.NotificationSetting{{Enabled: aws.Bool(true), Event: types.NotificationEventCaCertificateExpiry}}
		})},
		"lists that leaves name": {"operation-not-built", "NotImplemented", anchor(func(in *rolesanywhere.CreateTrustAnchorInput) { in.CrlDpRevocationEnabled = aws.Bool(true) })},
		"201 tags":               {"anywhere-tags", "TooManyTagsException", anchor(func(in *rolesanywhere.CreateTrustAnchorInput) { in.Tags = tags(201, "k") })},
		"reserved tag":           {invalid, "ValidationException", anchor(func(in *rolesanywhere.CreateTrustAnchorInput) { in.Tags = tags(1, "aws:") })},
		"a tag's value": {invalid, "ValidationException", anchor(func(in *rolesanywhere.CreateTrustAnchorInput) {
			in.Tags = []types.Tag{{Key: aws.String("a"), Value: aws.String("(b)")}}
		})},
		"profile's life, short": {invalid, "ValidationException", profile(func(in *rolesanywhere.CreateProfileInput) { in.DurationSeconds = aws.Int32(899) })},
		"profile's life, long":  {invalid, "ValidationException", profile(func(in *rolesanywhere.CreateProfileInput) { in.DurationSeconds = aws.Int32(43201) })},
		"session policy":        {invalid, "ValidationException", profile(func(in *rolesanywhere.CreateProfileInput) { in.SessionPolicy = aws.String("{}") })},
		"251 roles":             {invalid, "ValidationException", profile(func(in *rolesanywhere.CreateProfileInput) { in.RoleArns = make([]string, 251) })},
		"51 policies":           {invalid, "ValidationException", profile(func(in *rolesanywhere.CreateProfileInput) { in.ManagedPolicyArns = make([]string, 51) })},
		"no role":               {invalid, "ValidationException", profile(func(in *rolesanywhere.CreateProfileInput) { in.RoleArns = []string{"reader"} })},
		"another account's role": {"pass-role-elsewhere", "AccessDeniedException", profile(func(in *rolesanywhere.CreateProfileInput) {
			in.RoleArns = []string{"arn:aws:iam::999999999999:role/r"}
		})},
		"id":                        {invalid, "ValidationException", get("no-uuid")},
		"id's characters":           {invalid, "ValidationException", get("11111111-1111-4111-8111-11111111111_")},
		"unknown id":                {"anywhere-missing", "ResourceNotFoundException", get("33333333-3333-4333-8333-333333333333")},
		"next token":                {invalid, "ValidationException", list(&rolesanywhere.ListProfilesInput{NextToken: aws.String("%%")})},
		"page size":                 {invalid, "ValidationException", list(&rolesanywhere.ListProfilesInput{PageSize: aws.Int32(0)})},
		"crl's anchor":              {invalid, "ValidationException", crl(func(in *rolesanywhere.ImportCrlInput) { in.TrustAnchorArn = aws.String(profileARN) })},
		"crl's anchor gone":         {"anywhere-missing", "ResourceNotFoundException", crl(func(in *rolesanywhere.ImportCrlInput) { in.TrustAnchorArn = aws.String(anchorARN + "0") })},
		"large crl":                 {"crl-unreadable", "ValidationException", crl(func(in *rolesanywhere.ImportCrlInput) { in.CrlData = bytes.Repeat([]byte("a"), 300001) })},
		"no notifications":          {invalid, "ValidationException", put()},
		"a year and more":           {invalid, "ValidationException", put(types.NotificationSetting{Enabled: aws.Bool(false), Event: types.NotificationEventCaCertificateExpiry, Threshold: aws.Int32(361)})},
		"a notification of nothing": {invalid, "ValidationException", put(types.NotificationSetting{Enabled: aws.Bool(false), Event: "CRL_EXPIRY"})},
		"a notification for nobody": {invalid, "ValidationException", put(types.NotificationSetting{Enabled: aws.Bool(false), Event: types.NotificationEventCaCertificateExpiry, Channel: "EMAIL"})},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.call(d.Client)
			all := d.sandbox.Decisions()
			if last := all[len(all)-1]; code(err) != c.code || last.Reason != c.slug || last.Detail == "" {
				t.Errorf("%v, for %s (%s)", err, last.Reason, last.Detail)
			}
		})
	}
}

// TestPassRoleIsAskedForEachRole tries to list a role that may not be passed,
// or not to this service.
func TestPassRoleIsAskedForEachRole(t *testing.T) {
	d := newDesk(t)
	for name, statement := range map[string]string{
		"another role":    strings.Replace(passRole, roleARN, roleARN+"2", 1),
		"another service": strings.Replace(passRole, "rolesanywhere.amazonaws.com", "ec2.amazonaws.com", 1),
	} {
		c := d.as(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"rolesanywhere:*","Resource":"*"},` + statement + `]}`)
		_, err := c.CreateProfile(t.Context(), &rolesanywhere.CreateProfileInput{Name: aws.String("p"), RoleArns: []string{roleARN}})
		if code(err) != "AccessDeniedException" || !strings.Contains(err.Error(), "iam:PassRole") {
			t.Errorf("%s: CreateProfile: %v", name, err)
		}
		_, err = c.UpdateProfile(t.Context(), &rolesanywhere.UpdateProfileInput{ProfileId: &d.profile.ID, RoleArns: []string{roleARN}})
		if code(err) != "AccessDeniedException" {
			t.Errorf("%s: UpdateProfile: %v", name, err)
		}
	}
	if n := len(d.world.Account(account).Profiles); n != 1 {
		t.Errorf("%d profiles", n)
	}
}

// TestAccountsAndRegionsAreApart looks at another's things by id.
func TestAccountsAndRegionsAreApart(t *testing.T) {
	d := newDesk(t)
	everything := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	stranger := rolesanywhere.NewFromConfig(d.sandbox.User(t, "999999999999", "u", everything))
	abroad := rolesanywhere.NewFromConfig(d.sandbox.Config(), func(o *rolesanywhere.Options) { o.Region = "eu-west-1" })
	for name, c := range map[string]*rolesanywhere.Client{"another account": stranger, "another region": abroad} {
		if _, err := c.GetTrustAnchor(t.Context(), &rolesanywhere.GetTrustAnchorInput{TrustAnchorId: &d.anchor.ID}); code(err) != "ResourceNotFoundException" {
			t.Errorf("%s: GetTrustAnchor: %v", name, err)
		}
		if _, err := c.DeleteProfile(t.Context(), &rolesanywhere.DeleteProfileInput{ProfileId: &d.profile.ID}); code(err) != "ResourceNotFoundException" {
			t.Errorf("%s: DeleteProfile: %v", name, err)
		}
		all := must[*rolesanywhere.ListTrustAnchorsOutput](t)(c.ListTrustAnchors(t.Context(), nil))
		if len(all.TrustAnchors) != 0 {
			t.Errorf("%s sees %d anchors", name, len(all.TrustAnchors))
		}
		_, err := c.ImportCrl(t.Context(), &rolesanywhere.ImportCrlInput{Name: aws.String("l"), TrustAnchorArn: aws.String(anchorARN), CrlData: d.ca.crl(t, d.ca.key)})
		if code(err) != "ResourceNotFoundException" {
			t.Errorf("%s: ImportCrl: %v", name, err)
		}
	}
}

// TestBodiesOfTheControlPlane sends what no SDK would.
func TestBodiesOfTheControlPlane(t *testing.T) {
	d := newDesk(t)
	source, err := json.Marshal(pemOf(d.ca.cert))
	if err != nil {
		t.Fatal(err)
	}
	neither := `{"name":"a","source":{"sourceType":"CERTIFICATE_BUNDLE","sourceData":{"x509CertificateData":` + string(source) + `}},"notificationSettings":[{"event":"CA_CERTIFICATE_EXPIRY","threshold":9}]}`
	send := func(method, path, operation, body string, status int, want string) {
		t.Helper()
		r, err := http.NewRequest(method, d.sandbox.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		k := aws.Credentials{AccessKeyID: d.sandbox.Admin.ID, SecretAccessKey: d.sandbox.Admin.Secret}
		if err := v4.NewSigner().SignHTTP(t.Context(), k, r, hash(body), "rolesanywhere", "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
		answer, err := d.sandbox.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := answer.Body.Close(); err != nil {
			t.Error(err)
		}
		if last := d.sandbox.Last(t, operation); last.Reason != want || answer.StatusCode != status {
			t.Errorf("%s: %d for %s, want %s", body, answer.StatusCode, last.Reason, want)
		}
	}
	for body, want := range map[string]string{
		neither: "anywhere-parameter",
		`{"name":"p","roleArns":["` + roleARN + `"],"tipConfiguration":{"status":"ENABLED"}}`: "operation-not-built",
		`{"name":1}`:         "anywhere-body",
		`not JSON`:           "anywhere-body",
		`[]`:                 "anywhere-body",
		`{}{}`:               "anywhere-body",
		`null`:               "anywhere-body",
		``:                   "anywhere-parameter",
		`{"name":"a"}`:       "anywhere-parameter",
		`{"unknown":"only"}`: "anywhere-parameter",
	} {
		path, operation, status := "/trustanchors", "CreateTrustAnchor", http.StatusBadRequest
		if want == "operation-not-built" {
			path, operation, status = "/profiles", "CreateProfile", http.StatusNotImplemented
		}
		send("POST", path, operation, body, status, want)
	}
	// Each ignores what only the other knows, and may not be had by its right.
	send("PATCH", "/put-notifications-settings", "PutNotificationSettings",
		`{"trustAnchorId":"`+d.anchor.ID+`","notificationSettingKeys":[{"event":"CA_CERTIFICATE_EXPIRY"}]}`, http.StatusBadRequest, "anywhere-parameter")
	send("PATCH", "/reset-notifications-settings", "ResetNotificationSettings",
		`{"trustAnchorId":"`+d.anchor.ID+`","notificationSettings":[{"event":"CA_CERTIFICATE_EXPIRY","enabled":false}]}`, http.StatusBadRequest, "anywhere-parameter")
}
