package rolesanywhere_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"

	ours "daypass.dev/sandbox/rolesanywhere"
)

// An operation is one call of the control plane over the SDK, with the
// resource that its IAM action is asked for.
type operation struct {
	action, resource string
	call             func(context.Context, *rolesanywhere.Client) error
}

func operations(d *desk) []operation {
	list := d.imports(d.ca.crl(d.t, d.ca.key))
	d.atNoon(func() { d.session() })
	var subject string
	for id := range d.world.Account(account).Subjects {
		subject = id
	}
	anchorID, profileID, crlID := &d.anchor.ID, &d.profile.ID, &list.ID
	arn := func(kind, id string) string {
		return "arn:aws:rolesanywhere:us-east-1:" + account + ":" + kind + "/" + id
	}
	source := bundle(pemOf(d.ca.cert))
	return []operation{
		op("CreateTrustAnchor", arn("trust-anchor", "*"), (*rolesanywhere.Client).CreateTrustAnchor, &rolesanywhere.CreateTrustAnchorInput{Name: aws.String("a"), Source: source}),
		op("ListTrustAnchors", arn("trust-anchor", "*"), (*rolesanywhere.Client).ListTrustAnchors, &rolesanywhere.ListTrustAnchorsInput{}),
		op("GetTrustAnchor", anchorARN, (*rolesanywhere.Client).GetTrustAnchor, &rolesanywhere.GetTrustAnchorInput{TrustAnchorId: anchorID}),
		op("UpdateTrustAnchor", anchorARN, (*rolesanywhere.Client).UpdateTrustAnchor, &rolesanywhere.UpdateTrustAnchorInput{TrustAnchorId: anchorID, Name: aws.String("b")}),
		op("EnableTrustAnchor", anchorARN, (*rolesanywhere.Client).EnableTrustAnchor, &rolesanywhere.EnableTrustAnchorInput{TrustAnchorId: anchorID}),
		op("DisableTrustAnchor", anchorARN, (*rolesanywhere.Client).DisableTrustAnchor, &rolesanywhere.DisableTrustAnchorInput{TrustAnchorId: anchorID}),
		op("CreateProfile", arn("profile", "*"), (*rolesanywhere.Client).CreateProfile, &rolesanywhere.CreateProfileInput{Name: aws.String("p"), RoleArns: []string{roleARN}}),
		op("ListProfiles", arn("profile", "*"), (*rolesanywhere.Client).ListProfiles, &rolesanywhere.ListProfilesInput{}),
		op("GetProfile", profileARN, (*rolesanywhere.Client).GetProfile, &rolesanywhere.GetProfileInput{ProfileId: profileID}),
		op("UpdateProfile", profileARN, (*rolesanywhere.Client).UpdateProfile, &rolesanywhere.UpdateProfileInput{ProfileId: profileID, RoleArns: []string{roleARN}}),
		op("EnableProfile", profileARN, (*rolesanywhere.Client).EnableProfile, &rolesanywhere.EnableProfileInput{ProfileId: profileID}),
		op("DisableProfile", profileARN, (*rolesanywhere.Client).DisableProfile, &rolesanywhere.DisableProfileInput{ProfileId: profileID}),
		op("PutAttributeMapping", profileARN, (*rolesanywhere.Client).PutAttributeMapping, &rolesanywhere.PutAttributeMappingInput{ProfileId: profileID, CertificateField: "x509Subject", MappingRules: []types.MappingRule{{Specifier: aws.String("CN")}}}),
		op("DeleteAttributeMapping", profileARN, (*rolesanywhere.Client).DeleteAttributeMapping, &rolesanywhere.DeleteAttributeMappingInput{ProfileId: profileID, CertificateField: "x509Subject"}),
		op("ImportCrl", arn("crl", "*"), (*rolesanywhere.Client).ImportCrl, &rolesanywhere.ImportCrlInput{Name: aws.String("l"), TrustAnchorArn: aws.String(anchorARN), CrlData: list.Data}),
		op("ListCrls", arn("crl", "*"), (*rolesanywhere.Client).ListCrls, &rolesanywhere.ListCrlsInput{}),
		op("GetCrl", list.ARN, (*rolesanywhere.Client).GetCrl, &rolesanywhere.GetCrlInput{CrlId: crlID}),
		op("UpdateCrl", list.ARN, (*rolesanywhere.Client).UpdateCrl, &rolesanywhere.UpdateCrlInput{CrlId: crlID, Name: aws.String("m")}),
		op("EnableCrl", list.ARN, (*rolesanywhere.Client).EnableCrl, &rolesanywhere.EnableCrlInput{CrlId: crlID}),
		op("DisableCrl", list.ARN, (*rolesanywhere.Client).DisableCrl, &rolesanywhere.DisableCrlInput{CrlId: crlID}),
		op("ListSubjects", arn("subject", "*"), (*rolesanywhere.Client).ListSubjects, &rolesanywhere.ListSubjectsInput{}),
		op("GetSubject", arn("subject", subject), (*rolesanywhere.Client).GetSubject, &rolesanywhere.GetSubjectInput{SubjectId: &subject}),
		op("PutNotificationSettings", anchorARN, (*rolesanywhere.Client).PutNotificationSettings, &rolesanywhere.PutNotificationSettingsInput{TrustAnchorId: anchorID, NotificationSettings: []types.NotificationSetting{{Event: "CA_CERTIFICATE_EXPIRY", Enabled: aws.Bool(false)}}}),
		op("ResetNotificationSettings", anchorARN, (*rolesanywhere.Client).ResetNotificationSettings, &rolesanywhere.ResetNotificationSettingsInput{TrustAnchorId: anchorID, NotificationSettingKeys: []types.NotificationSettingKey{{Event: "CA_CERTIFICATE_EXPIRY"}}}),
		op("TagResource", anchorARN, (*rolesanywhere.Client).TagResource, &rolesanywhere.TagResourceInput{ResourceArn: aws.String(anchorARN), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}}}),
		op("UntagResource", profileARN, (*rolesanywhere.Client).UntagResource, &rolesanywhere.UntagResourceInput{ResourceArn: aws.String(profileARN), TagKeys: []string{"a"}}),
		op("ListTagsForResource", list.ARN, (*rolesanywhere.Client).ListTagsForResource, &rolesanywhere.ListTagsForResourceInput{ResourceArn: &list.ARN}),
		// Last, since they take away what the others need.
		op("DeleteCrl", list.ARN, (*rolesanywhere.Client).DeleteCrl, &rolesanywhere.DeleteCrlInput{CrlId: crlID}),
		op("DeleteProfile", profileARN, (*rolesanywhere.Client).DeleteProfile, &rolesanywhere.DeleteProfileInput{ProfileId: profileID}),
		op("DeleteTrustAnchor", anchorARN, (*rolesanywhere.Client).DeleteTrustAnchor, &rolesanywhere.DeleteTrustAnchorInput{TrustAnchorId: anchorID}),
	}
}

func op[In, Out any](action, resource string, call func(*rolesanywhere.Client, context.Context, In, ...func(*rolesanywhere.Options)) (Out, error), in In) operation {
	return operation{action, resource, func(ctx context.Context, c *rolesanywhere.Client) error {
		_, err := call(c, ctx, in)
		return err
	}}
}

const passRole = `{"Effect":"Allow","Action":"iam:PassRole","Resource":"` + roleARN + `","Condition":{"StringEquals":{"iam:PassedToService":"rolesanywhere.amazonaws.com"}}}`

// TestEveryOperationNeedsItsAction tries each operation as a user who may do
// everything but it, and as one who may do it alone.
func TestEveryOperationNeedsItsAction(t *testing.T) {
	d := newDesk(t)
	var tried []string
	for _, o := range operations(d) {
		tried = append(tried, o.action)
		without := d.as(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"rolesanywhere:` + o.action + `","Resource":"` + o.resource + `"}]}`)
		err := o.call(t.Context(), without)
		if code(err) != "AccessDeniedException" || !strings.Contains(err.Error(), "rolesanywhere:"+o.action) {
			t.Errorf("%s without its action: %v", o.action, err)
		}
		if last := d.sandbox.Last(t, o.action); last.Reason != "policy-explicit-deny" {
			t.Errorf("%s is refused for %s", o.action, last.Reason)
		}
		elsewhere := d.as(fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"rolesanywhere:*","Resource":"arn:aws:rolesanywhere:eu-west-1:%s:*"},%s]}`, account, passRole))
		if err := o.call(t.Context(), elsewhere); code(err) != "AccessDeniedException" {
			t.Errorf("%s with rights in another region: %v", o.action, err)
		}
		with := d.as(fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"rolesanywhere:%s","Resource":"%s"},%s]}`, o.action, o.resource, passRole))
		if err := o.call(t.Context(), with); err != nil {
			t.Errorf("%s with its action alone: %v", o.action, err)
		}
	}
	if len(ours.Operations()) == 0 {
		t.Fatal("there are no operations")
	}
	for _, name := range ours.Operations() {
		if !slices.Contains(tried, name) {
			t.Errorf("%s was not tried", name)
		}
	}
}

// TestOperatorPolicy does what the operator of the first walk does, under the
// exact policy of that walk.
func TestOperatorPolicy(t *testing.T) {
	actions := []string{
		"iam:CreateRole", "iam:DeleteRole", "iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:PassRole",
		"rolesanywhere:CreateTrustAnchor", "rolesanywhere:ListTrustAnchors", "rolesanywhere:DeleteTrustAnchor",
		"rolesanywhere:CreateProfile", "rolesanywhere:ListProfiles", "rolesanywhere:DeleteProfile",
	}
	text := func(actions []string) string {
		return `{"Version":"2012-10-17","Statement":[{"Sid":"IAMRolesAnywhereBlog","Effect":"Allow","Action":["` + strings.Join(actions, `","`) +
			`"],"Resource":["arn:aws:iam::*:role/bucketlister","arn:aws:rolesanywhere:*:*:trust-anchor/*","arn:aws:rolesanywhere:*:*:profile/*"]}]}`
	}
	d := newDesk(t)
	if denied := d.walk(d.as(text(actions))); denied != nil {
		t.Fatalf("under the whole policy: %v", denied)
	}
	for i, action := range actions {
		if i < 4 {
			continue // iam's own
		}
		less := slices.Delete(slices.Clone(actions), i, i+1)
		err := d.walk(d.as(text(less)))
		if code(err) != "AccessDeniedException" || !strings.Contains(err.Error(), action) {
			t.Errorf("without %s: %v", action, err)
		}
	}
}

// walk makes an anchor and a profile, lists them, and deletes them.
func (d *desk) walk(c *rolesanywhere.Client) error {
	ctx := d.t.Context()
	anchor, err := c.CreateTrustAnchor(ctx, &rolesanywhere.CreateTrustAnchorInput{Name: aws.String("a"), Source: bundle(pemOf(d.ca.cert)), Enabled: aws.Bool(true)})
	if err != nil {
		return err
	}
	if _, err := c.ListTrustAnchors(ctx, nil); err != nil {
		return err
	}
	profile, err := c.CreateProfile(ctx, &rolesanywhere.CreateProfileInput{
		Name: aws.String("p"), RoleArns: []string{"arn:aws:iam::" + account + ":role/bucketlister"}, Enabled: aws.Bool(true),
	})
	if err != nil {
		return err
	}
	if _, err := c.ListProfiles(ctx, nil); err != nil {
		return err
	}
	if _, err := c.DeleteProfile(ctx, &rolesanywhere.DeleteProfileInput{ProfileId: profile.Profile.ProfileId}); err != nil {
		return err
	}
	_, err = c.DeleteTrustAnchor(ctx, &rolesanywhere.DeleteTrustAnchorInput{TrustAnchorId: anchor.TrustAnchor.TrustAnchorId})
	return err
}

func TestTagsDecide(t *testing.T) {
	d := newDesk(t)
	d.anchor.Tags = map[string]string{"team": "a"}
	c := d.as(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"rolesanywhere:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"a"}}},
		{"Effect":"Allow","Action":["rolesanywhere:CreateTrustAnchor","rolesanywhere:TagResource"],"Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"b"},"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}}]}`)
	ctx := t.Context()
	if _, err := c.GetTrustAnchor(ctx, &rolesanywhere.GetTrustAnchorInput{TrustAnchorId: &d.anchor.ID}); err != nil {
		t.Error(err)
	}
	if _, err := c.GetProfile(ctx, &rolesanywhere.GetProfileInput{ProfileId: &d.profile.ID}); code(err) != "AccessDeniedException" {
		t.Errorf("a profile without the tag: %v", err)
	}
	in := &rolesanywhere.CreateTrustAnchorInput{Name: aws.String("a"), Source: bundle(pemOf(d.ca.cert)), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("b")}}}
	if _, err := c.CreateTrustAnchor(ctx, in); err != nil {
		t.Error(err)
	}
	in.Tags = append(in.Tags, types.Tag{Key: aws.String("more"), Value: aws.String("b")})
	if _, err := c.CreateTrustAnchor(ctx, in); code(err) != "AccessDeniedException" {
		t.Errorf("with another tag: %v", err)
	}
}
