package rolesanywhere_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

// A desk is a sandbox and AWS's own client for its control plane. Its world is
// a stage's, at the machine's time.
type desk struct {
	*stage
	sandbox *sandboxtest.Sandbox
	*rolesanywhere.Client
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	s := newStage(t)
	s.world.SetTime(time.Now())
	box := sandboxtest.Start(t, s.world)
	return &desk{s, box, rolesanywhere.NewFromConfig(box.Config())}
}

// as is the client of a user with one policy.
func (d *desk) as(text string) *rolesanywhere.Client {
	d.t.Helper()
	return rolesanywhere.NewFromConfig(d.sandbox.User(d.t, account, world.NewID("user"), text))
}

func bundle(text string) *types.Source {
	return &types.Source{
		SourceType: types.TrustAnchorTypeCertificateBundle,
		SourceData: &types.SourceDataMemberX509CertificateData{Value: text},
	}
}

// code is the error code of a refusal, as the SDK reads it.
func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

// must returns an answer of the SDK, which must not be an error.
func must[T any](t testing.TB) func(T, error) T {
	return func(answer T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
}

func TestAnchorsLife(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	made := must[*rolesanywhere.CreateTrustAnchorOutput](t)(d.CreateTrustAnchor(ctx, &rolesanywhere.CreateTrustAnchorInput{
		Name: aws.String("my anchor"), Source: bundle(pemOf(d.ca.cert)),
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}},
	})).TrustAnchor
	if aws.ToBool(made.Enabled) {
		t.Error("an anchor that was not asked to be enabled is enabled")
	}
	if data, ok := made.Source.SourceData.(*types.SourceDataMemberX509CertificateData); !ok || data.Value != pemOf(d.ca.cert) {
		t.Errorf("source %+v", made.Source)
	}
	id := made.TrustAnchorId
	on := must[*rolesanywhere.EnableTrustAnchorOutput](t)(d.EnableTrustAnchor(ctx, &rolesanywhere.EnableTrustAnchorInput{TrustAnchorId: id}))
	if !aws.ToBool(on.TrustAnchor.Enabled) {
		t.Error("not enabled")
	}
	off := must[*rolesanywhere.DisableTrustAnchorOutput](t)(d.DisableTrustAnchor(ctx, &rolesanywhere.DisableTrustAnchorInput{TrustAnchorId: id}))
	if aws.ToBool(off.TrustAnchor.Enabled) {
		t.Error("not disabled")
	}
	other := newAuthority(t, "Other CA", nil)
	must[*rolesanywhere.UpdateTrustAnchorOutput](t)(d.UpdateTrustAnchor(ctx, &rolesanywhere.UpdateTrustAnchorInput{
		TrustAnchorId: id, Name: aws.String("renamed"), Source: bundle(pemOf(d.ca.cert, other.cert)),
	}))
	got := must[*rolesanywhere.GetTrustAnchorOutput](t)(d.GetTrustAnchor(ctx, &rolesanywhere.GetTrustAnchorInput{TrustAnchorId: id})).TrustAnchor
	if aws.ToString(got.Name) != "renamed" || len(got.NotificationSettings) != 2 || got.CreatedAt.IsZero() {
		t.Errorf("anchor %+v", got)
	}
	must[*rolesanywhere.DeleteTrustAnchorOutput](t)(d.DeleteTrustAnchor(ctx, &rolesanywhere.DeleteTrustAnchorInput{TrustAnchorId: id}))
	_, err := d.GetTrustAnchor(ctx, &rolesanywhere.GetTrustAnchorInput{TrustAnchorId: id})
	if code(err) != "ResourceNotFoundException" {
		t.Errorf("after deletion: %v", err)
	}
}

// Settings are AWS's until the account makes its own, and again when it gives
// them back; those that are not named stay.
func TestNotifications(t *testing.T) {
	d := newDesk(t)
	const ca, leaf = types.NotificationEventCaCertificateExpiry, types.NotificationEventEndEntityCertificateExpiry
	shown := func() string {
		var all []string
		for _, n := range must[*rolesanywhere.GetTrustAnchorOutput](t)(d.GetTrustAnchor(t.Context(), &rolesanywhere.GetTrustAnchorInput{TrustAnchorId: &d.anchor.ID})).TrustAnchor.NotificationSettings {
			all = append(all, fmt.Sprint(n.Event, " ", *n.Enabled, " ", aws.ToInt32(n.Threshold), " ", n.Channel, " ", *n.ConfiguredBy))
		}
		return strings.Join(all, ", ")
	}
	const byAWS = "CA_CERTIFICATE_EXPIRY true 45 ALL rolesanywhere.amazonaws.com"
	for _, step := range []struct {
		do   func() error
		want string
	}{
		{nil, byAWS + ", END_ENTITY_CERTIFICATE_EXPIRY true 45 ALL rolesanywhere.amazonaws.com"},
		{func() error {
			_, err := d.PutNotificationSettings(t.Context(), &rolesanywhere.PutNotificationSettingsInput{TrustAnchorId: &d.anchor.ID,
				NotificationSettings: []types.NotificationSetting{{Event: leaf, Enabled: aws.Bool(false)}}})
			return err
		}, byAWS + ", END_ENTITY_CERTIFICATE_EXPIRY false 0 ALL " + account},
		{func() error {
			_, err := d.PutNotificationSettings(t.Context(), &rolesanywhere.PutNotificationSettingsInput{TrustAnchorId: &d.anchor.ID,
				NotificationSettings: []types.NotificationSetting{{Event: ca, Enabled: aws.Bool(true), Threshold: aws.Int32(90), Channel: types.NotificationChannelAll}}})
			return err
		}, "CA_CERTIFICATE_EXPIRY true 90 ALL " + account + ", END_ENTITY_CERTIFICATE_EXPIRY false 0 ALL " + account},
		{func() error {
			_, err := d.ResetNotificationSettings(t.Context(), &rolesanywhere.ResetNotificationSettingsInput{TrustAnchorId: &d.anchor.ID,
				NotificationSettingKeys: []types.NotificationSettingKey{{Event: ca}}})
			return err
		}, byAWS + ", END_ENTITY_CERTIFICATE_EXPIRY false 0 ALL " + account},
	} {
		if step.do != nil {
			if err := step.do(); err != nil {
				t.Fatal(err)
			}
		}
		if got := shown(); got != step.want {
			t.Errorf("%s, want %s", got, step.want)
		}
	}
}

func TestPages(t *testing.T) {
	d := newDesk(t)
	for range 4 {
		must[*rolesanywhere.CreateTrustAnchorOutput](t)(d.CreateTrustAnchor(t.Context(), &rolesanywhere.CreateTrustAnchorInput{
			Name: aws.String("a"), Source: bundle(pemOf(d.ca.cert)),
		}))
	}
	seen, calls := map[string]bool{}, 0
	for p := rolesanywhere.NewListTrustAnchorsPaginator(d.Client, &rolesanywhere.ListTrustAnchorsInput{PageSize: aws.Int32(2)}); p.HasMorePages(); calls++ {
		page := must[*rolesanywhere.ListTrustAnchorsOutput](t)(p.NextPage(t.Context()))
		for _, a := range page.TrustAnchors {
			seen[aws.ToString(a.TrustAnchorId)] = true
		}
	}
	if len(seen) != 5 || calls != 3 {
		t.Errorf("%d anchors in %d pages, want 5 in 3", len(seen), calls)
	}
	all := must[*rolesanywhere.ListTrustAnchorsOutput](t)(d.ListTrustAnchors(t.Context(), nil))
	if len(all.TrustAnchors) != 5 || all.NextToken != nil {
		t.Errorf("%d anchors without pages", len(all.TrustAnchors))
	}
}

func TestProfilesLife(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	made := must[*rolesanywhere.CreateProfileOutput](t)(d.CreateProfile(ctx, &rolesanywhere.CreateProfileInput{
		Name: aws.String("p"), RoleArns: []string{roleARN},
	})).Profile
	if aws.ToInt32(made.DurationSeconds) != 3600 || aws.ToBool(made.Enabled) || aws.ToBool(made.AcceptRoleSessionName) {
		t.Errorf("profile %+v", made)
	}
	mapped := map[types.CertificateField][]string{}
	for _, m := range made.AttributeMappings {
		for _, r := range m.MappingRules {
			mapped[m.CertificateField] = append(mapped[m.CertificateField], aws.ToString(r.Specifier))
		}
	}
	want := map[types.CertificateField][]string{"x509Issuer": {"*"}, "x509SAN": {"DNS", "URI", "Name/*"}, "x509Subject": {"*"}}
	if diff := cmp.Diff(want, mapped); diff != "" {
		t.Errorf("default mappings (-want +got):\n%s", diff)
	}
	id := made.ProfileId
	sessionPolicy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
	changed := must[*rolesanywhere.UpdateProfileOutput](t)(d.UpdateProfile(ctx, &rolesanywhere.UpdateProfileInput{
		ProfileId: id, Name: aws.String("q"), DurationSeconds: aws.Int32(900), AcceptRoleSessionName: aws.Bool(true),
		SessionPolicy: &sessionPolicy, ManagedPolicyArns: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"}, RoleArns: []string{roleARN, roleARN + "2"},
	})).Profile
	if aws.ToString(changed.Name) != "q" || aws.ToInt32(changed.DurationSeconds) != 900 || !aws.ToBool(changed.AcceptRoleSessionName) ||
		aws.ToString(changed.SessionPolicy) != sessionPolicy || len(changed.RoleArns) != 2 || len(changed.ManagedPolicyArns) != 1 {
		t.Errorf("profile %+v", changed)
	}
	must[*rolesanywhere.EnableProfileOutput](t)(d.EnableProfile(ctx, &rolesanywhere.EnableProfileInput{ProfileId: id}))
	got := must[*rolesanywhere.GetProfileOutput](t)(d.GetProfile(ctx, &rolesanywhere.GetProfileInput{ProfileId: id})).Profile
	if !aws.ToBool(got.Enabled) || !strings.HasSuffix(aws.ToString(got.CreatedBy), ":user/"+"sandbox-administrator") {
		t.Errorf("profile %+v", got)
	}
	must[*rolesanywhere.DisableProfileOutput](t)(d.DisableProfile(ctx, &rolesanywhere.DisableProfileInput{ProfileId: id}))
	if n := len(must[*rolesanywhere.ListProfilesOutput](t)(d.ListProfiles(ctx, nil)).Profiles); n != 2 {
		t.Errorf("%d profiles", n)
	}
	must[*rolesanywhere.DeleteProfileOutput](t)(d.DeleteProfile(ctx, &rolesanywhere.DeleteProfileInput{ProfileId: id}))
	if _, err := d.DeleteProfile(ctx, &rolesanywhere.DeleteProfileInput{ProfileId: id}); code(err) != "ResourceNotFoundException" {
		t.Errorf("deleted twice: %v", err)
	}
}

func TestMappings(t *testing.T) {
	d := newDesk(t)
	ctx, id := t.Context(), aws.String(d.profile.ID)
	put := func(field types.CertificateField, specifiers ...string) error {
		in := &rolesanywhere.PutAttributeMappingInput{ProfileId: id, CertificateField: field}
		for _, s := range specifiers {
			in.MappingRules = append(in.MappingRules, types.MappingRule{Specifier: aws.String(s)})
		}
		_, err := d.PutAttributeMapping(ctx, in)
		return err
	}
	for _, err := range []error{put("x509Subject", "CN", "OU", "CN"), put("x509SAN", "Name", "URI")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := map[string][]string{"x509Issuer": {"*"}, "x509SAN": {"Name/*", "URI"}, "x509Subject": {"CN", "OU"}}
	if diff := cmp.Diff(want, d.profile.Mappings); diff != "" {
		t.Errorf("mappings (-want +got):\n%s", diff)
	}
	for field, specifier := range map[types.CertificateField]string{"x509SAN": "*", "x509Subject": "Name/CN", "x509Issuer": "", "x509Serial": "*"} {
		if err := put(field, specifier); code(err) != "ValidationException" {
			t.Errorf("%s %q: %v", field, specifier, err)
		}
	}
	remove := func(field types.CertificateField, specifiers ...string) error {
		_, err := d.DeleteAttributeMapping(ctx, &rolesanywhere.DeleteAttributeMappingInput{ProfileId: id, CertificateField: field, Specifiers: specifiers})
		return err
	}
	for _, err := range []error{remove("x509Subject", "OU"), remove("x509SAN", "URI", "Name/"), remove("x509Issuer")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[string][]string{"x509Subject": {"CN"}}, d.profile.Mappings); diff != "" {
		t.Errorf("mappings (-want +got):\n%s", diff)
	}
	if err := remove("x509Subject", "UID"); code(err) != "ValidationException" {
		t.Errorf("removing what is not there: %v", err)
	}
	d.world.SetTime(noon)
	d.tagged(map[string]string{"x509Subject/CN": "alice"})
}

func TestCRLsLife(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	in := &rolesanywhere.ImportCrlInput{Name: aws.String("l"), TrustAnchorArn: aws.String(anchorARN), CrlData: d.ca.crl(t, d.ca.key, d.leaf.SerialNumber)}
	made := must[*rolesanywhere.ImportCrlOutput](t)(d.ImportCrl(ctx, in)).Crl
	if aws.ToBool(made.Enabled) || !bytes.Equal(made.CrlData, in.CrlData) || aws.ToString(made.TrustAnchorArn) != anchorARN {
		t.Errorf("list %+v", made)
	}
	d.atNoon(func() { d.session() })
	must[*rolesanywhere.EnableCrlOutput](t)(d.EnableCrl(ctx, &rolesanywhere.EnableCrlInput{CrlId: made.CrlId}))
	d.atNoon(func() { d.refused("certificate-revoked") })
	must[*rolesanywhere.UpdateCrlOutput](t)(d.UpdateCrl(ctx, &rolesanywhere.UpdateCrlInput{
		CrlId: made.CrlId, Name: aws.String("m"), CrlData: d.ca.crl(t, d.ca.key),
	}))
	d.atNoon(func() { d.session() })
	got := must[*rolesanywhere.GetCrlOutput](t)(d.GetCrl(ctx, &rolesanywhere.GetCrlInput{CrlId: made.CrlId})).Crl
	if aws.ToString(got.Name) != "m" || !aws.ToBool(got.Enabled) {
		t.Errorf("list %+v", got)
	}
	must[*rolesanywhere.DisableCrlOutput](t)(d.DisableCrl(ctx, &rolesanywhere.DisableCrlInput{CrlId: made.CrlId}))
	must[*rolesanywhere.ImportCrlOutput](t)(d.ImportCrl(ctx, in))
	if _, err := d.ImportCrl(ctx, in); code(err) != "ValidationException" {
		t.Errorf("a third list: %v", err)
	}
	if n := len(must[*rolesanywhere.ListCrlsOutput](t)(d.ListCrls(ctx, nil)).Crls); n != 2 {
		t.Errorf("%d lists", n)
	}
	must[*rolesanywhere.DeleteCrlOutput](t)(d.DeleteCrl(ctx, &rolesanywhere.DeleteCrlInput{CrlId: made.CrlId}))
	must[*rolesanywhere.ImportCrlOutput](t)(d.ImportCrl(ctx, in))
}

// atNoon does something when the stage's certificates are valid.
func (d *desk) atNoon(do func()) {
	d.world.SetTime(noon)
	do()
	d.world.SetTime(time.Now())
}

// TestListsThatCouldNotCount imports lists that no session would heed.
func TestListsThatCouldNotCount(t *testing.T) {
	d := newDesk(t)
	weak := newAuthority(t, "Weak CA", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	d.holds(d.ca.cert, weak.cert)
	other := newAuthority(t, "Other CA", nil)
	for slug, data := range map[string][]byte{
		"ca-crl-sign":    weak.crl(t, weak.key),
		"crl-signature":  d.ca.crl(t, other.key),
		"crl-unreadable": []byte("hello"),
	} {
		_, err := d.ImportCrl(t.Context(), &rolesanywhere.ImportCrlInput{Name: aws.String("l"), TrustAnchorArn: aws.String(anchorARN), CrlData: data})
		last := d.sandbox.Last(t, "ImportCrl")
		if code(err) != "ValidationException" || last.Reason != slug {
			t.Errorf("%s: %v, for %s", slug, err, last.Reason)
		}
		if slug == "ca-crl-sign" && !strings.Contains(err.Error(), "lacks keyUsage cRLSign") {
			t.Errorf("the error does not say what is missing: %v", err)
		}
	}
}

func TestSubjectsOverTheSDK(t *testing.T) {
	d := newDesk(t)
	d.atNoon(func() {
		d.body = `{"instanceProperties":{"node":"n1"}}`
		d.session()
	})
	list := must[*rolesanywhere.ListSubjectsOutput](t)(d.ListSubjects(t.Context(), nil)).Subjects
	if len(list) != 1 || aws.ToString(list[0].X509Subject) != "CN=alice" || !aws.ToBool(list[0].Enabled) {
		t.Fatalf("subjects %+v", list)
	}
	got := must[*rolesanywhere.GetSubjectOutput](t)(d.GetSubject(t.Context(), &rolesanywhere.GetSubjectInput{SubjectId: list[0].SubjectId})).Subject
	if len(got.Credentials) != 1 || aws.ToString(got.Credentials[0].SerialNumber) != "42" || aws.ToBool(got.Credentials[0].Failed) ||
		len(got.InstanceProperties) != 1 || got.InstanceProperties[0].Properties["node"] != "n1" {
		t.Errorf("subject %+v", got)
	}
}

func TestTagsOfResources(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	tags := func(arn string) map[string]string {
		all := map[string]string{}
		for _, tag := range must[*rolesanywhere.ListTagsForResourceOutput](t)(d.ListTagsForResource(ctx, &rolesanywhere.ListTagsForResourceInput{ResourceArn: &arn})).Tags {
			all[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
		}
		return all
	}
	list := d.imports(d.ca.crl(t, d.ca.key))
	for _, arn := range []string{anchorARN, profileARN, list.ARN} {
		must[*rolesanywhere.TagResourceOutput](t)(d.TagResource(ctx, &rolesanywhere.TagResourceInput{
			ResourceArn: &arn, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String("2")}},
		}))
		must[*rolesanywhere.UntagResourceOutput](t)(d.UntagResource(ctx, &rolesanywhere.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"a", "c"}}))
		if diff := cmp.Diff(map[string]string{"b": "2"}, tags(arn)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", arn, diff)
		}
	}
	for arn, want := range map[string]string{anchorARN + "0": "ResourceNotFoundException", roleARN: "ResourceNotFoundException"} {
		if _, err := d.ListTagsForResource(ctx, &rolesanywhere.ListTagsForResourceInput{ResourceArn: &arn}); code(err) != want {
			t.Errorf("%s: %v", arn, err)
		}
	}
}
