package iam_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"daypass.dev/sandbox/sandboxtest"
)

func start(t *testing.T) (*sandboxtest.Sandbox, *iam.Client) {
	s := sandboxtest.Start(t, "")
	return s, iam.NewFromConfig(s.Config())
}

func refused(t *testing.T, err error, code, text string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) {
		t.Errorf("error %v, want %s", err, code)
		return
	}
	if e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), text) {
		t.Errorf("refused with %s: %s; want %s: …%s…", e.ErrorCode(), e.ErrorMessage(), code, text)
	}
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestLifeOfARole(t *testing.T) {
	_, c := start(t)
	name := aws.String("r")
	made := must[*iam.CreateRoleOutput](t)(c.CreateRole(t.Context(), &iam.CreateRoleInput{
		RoleName: name, Path: aws.String("/team/"), AssumeRolePolicyDocument: aws.String(anybody), Description: aws.String("d"),
		MaxSessionDuration: aws.Int32(7200), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
	})).Role
	if *made.Arn != "arn:aws:iam::111122223333:role/team/r" || !strings.HasPrefix(*made.RoleId, "AROA") || len(*made.RoleId) != 21 {
		t.Errorf("made %s with id %s", *made.Arn, *made.RoleId)
	}
	must[*iam.PutRolePolicyOutput](t)(c.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("p"), PolicyDocument: aws.String(listOnly)}))
	got := must[*iam.GetRolePolicyOutput](t)(c.GetRolePolicy(t.Context(), &iam.GetRolePolicyInput{RoleName: name, PolicyName: aws.String("p")}))
	if text, err := url.PathUnescape(*got.PolicyDocument); err != nil || text != listOnly {
		t.Errorf("the policy came back as %s", *got.PolicyDocument)
	}
	must[*iam.AttachRolePolicyOutput](t)(c.AttachRolePolicy(t.Context(), &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: aws.String("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")}))
	must[*iam.PutRolePermissionsBoundaryOutput](t)(c.PutRolePermissionsBoundary(t.Context(), &iam.PutRolePermissionsBoundaryInput{RoleName: name, PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")}))
	must[*iam.UpdateRoleOutput](t)(c.UpdateRole(t.Context(), &iam.UpdateRoleInput{RoleName: name, MaxSessionDuration: aws.Int32(3600)}))
	must[*iam.TagRoleOutput](t)(c.TagRole(t.Context(), &iam.TagRoleInput{RoleName: name, Tags: []types.Tag{{Key: aws.String("K"), Value: aws.String("new")}, {Key: aws.String("two"), Value: aws.String("")}}}))
	must[*iam.UntagRoleOutput](t)(c.UntagRole(t.Context(), &iam.UntagRoleInput{RoleName: name, TagKeys: []string{"two"}}))
	role := must[*iam.GetRoleOutput](t)(c.GetRole(t.Context(), &iam.GetRoleInput{RoleName: name})).Role
	if *role.MaxSessionDuration != 3600 || *role.Description != "d" || len(role.Tags) != 1 || *role.Tags[0].Value != "new" ||
		*role.PermissionsBoundary.PermissionsBoundaryArn != "arn:aws:iam::aws:policy/AdministratorAccess" {
		t.Errorf("role %+v", role)
	}
	for _, mend := range []func() error{
		func() error {
			_, err := c.DetachRolePolicy(t.Context(), &iam.DetachRolePolicyInput{RoleName: name, PolicyArn: aws.String("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")})
			return err
		},
		func() error {
			_, err := c.DeleteRolePolicy(t.Context(), &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("p")})
			return err
		},
	} {
		_, err := c.DeleteRole(t.Context(), &iam.DeleteRoleInput{RoleName: name})
		refused(t, err, "DeleteConflict", "must de")
		if err := mend(); err != nil {
			t.Fatal(err)
		}
	}
	must[*iam.DeleteRoleOutput](t)(c.DeleteRole(t.Context(), &iam.DeleteRoleInput{RoleName: name}))
	_, err := c.GetRole(t.Context(), &iam.GetRoleInput{RoleName: name})
	refused(t, err, "NoSuchEntity", "The role with name r cannot be found.")
}

func TestLifeOfAManagedPolicy(t *testing.T) {
	_, c := start(t)
	p := must[*iam.CreatePolicyOutput](t)(c.CreatePolicy(t.Context(), &iam.CreatePolicyInput{
		PolicyName: aws.String("p"), PolicyDocument: aws.String(listOnly), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
	})).Policy
	version := func(wider string) error {
		_, err := c.CreatePolicyVersion(t.Context(), &iam.CreatePolicyVersionInput{
			PolicyArn: p.Arn, PolicyDocument: aws.String(strings.Replace(listOnly, "ListAllMyBuckets", wider, 1)), SetAsDefault: true,
		})
		return err
	}
	for i := 2; i <= 5; i++ {
		if err := version(fmt.Sprint("GetObject", i)); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, version("GetObject6"), "LimitExceeded", "up to 5 versions")
	got := must[*iam.GetPolicyOutput](t)(c.GetPolicy(t.Context(), &iam.GetPolicyInput{PolicyArn: p.Arn})).Policy
	if *got.DefaultVersionId != "v5" || *got.AttachmentCount != 0 || len(p.Tags) != 1 || len(got.Tags) != 1 || *got.Tags[0].Value != "v" {
		t.Errorf("policy %+v", got)
	}
	v := must[*iam.GetPolicyVersionOutput](t)(c.GetPolicyVersion(t.Context(), &iam.GetPolicyVersionInput{PolicyArn: p.Arn, VersionId: aws.String("v1")})).PolicyVersion
	if text, _ := url.PathUnescape(*v.Document); text != listOnly || v.IsDefaultVersion {
		t.Errorf("version %+v", v)
	}
	_, err := c.DeletePolicyVersion(t.Context(), &iam.DeletePolicyVersionInput{PolicyArn: p.Arn, VersionId: aws.String("v5")})
	refused(t, err, "DeleteConflict", "default version")
	_, err = c.DeletePolicy(t.Context(), &iam.DeletePolicyInput{PolicyArn: p.Arn})
	refused(t, err, "DeleteConflict", "more than one version")
	must[*iam.SetDefaultPolicyVersionOutput](t)(c.SetDefaultPolicyVersion(t.Context(), &iam.SetDefaultPolicyVersionInput{PolicyArn: p.Arn, VersionId: aws.String("v1")}))
	for i := 2; i <= 5; i++ {
		must[*iam.DeletePolicyVersionOutput](t)(c.DeletePolicyVersion(t.Context(), &iam.DeletePolicyVersionInput{PolicyArn: p.Arn, VersionId: aws.String(fmt.Sprintf("v%d", i))}))
	}
	must[*iam.CreateUserOutput](t)(c.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("u"), PermissionsBoundary: p.Arn}))
	_, err = c.DeletePolicy(t.Context(), &iam.DeletePolicyInput{PolicyArn: p.Arn})
	refused(t, err, "DeleteConflict", "permissions boundary")
	must[*iam.DeleteUserPermissionsBoundaryOutput](t)(c.DeleteUserPermissionsBoundary(t.Context(), &iam.DeleteUserPermissionsBoundaryInput{UserName: aws.String("u")}))
	must[*iam.AttachUserPolicyOutput](t)(c.AttachUserPolicy(t.Context(), &iam.AttachUserPolicyInput{UserName: aws.String("u"), PolicyArn: p.Arn}))
	_, err = c.DeletePolicy(t.Context(), &iam.DeletePolicyInput{PolicyArn: p.Arn})
	refused(t, err, "DeleteConflict", "attached")
	must[*iam.DetachUserPolicyOutput](t)(c.DetachUserPolicy(t.Context(), &iam.DetachUserPolicyInput{UserName: aws.String("u"), PolicyArn: p.Arn}))
	must[*iam.DeletePolicyOutput](t)(c.DeletePolicy(t.Context(), &iam.DeletePolicyInput{PolicyArn: p.Arn}))
	_, err = c.AttachUserPolicy(t.Context(), &iam.AttachUserPolicyInput{UserName: aws.String("u"), PolicyArn: p.Arn})
	refused(t, err, "NoSuchEntity", "not attachable")
	for _, known := range []string{"AdministratorAccess", "AmazonEC2FullAccess"} {
		_, err = c.DeletePolicy(t.Context(), &iam.DeletePolicyInput{PolicyArn: aws.String("arn:aws:iam::aws:policy/" + known)})
		refused(t, err, "AccessDenied", "managed by AWS")
	}
	_, err = c.GetPolicy(t.Context(), &iam.GetPolicyInput{PolicyArn: aws.String("arn:aws:iam::aws:policy/AmazonEC2FullAccess")})
	refused(t, err, "NoSuchEntity", "not found") // the sandbox does not know it
}

func TestLifeOfAUserAndItsKeys(t *testing.T) {
	s, c := start(t)
	name := aws.String("u")
	must[*iam.CreateUserOutput](t)(c.CreateUser(t.Context(), &iam.CreateUserInput{UserName: name}))
	key := must[*iam.CreateAccessKeyOutput](t)(c.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: name})).AccessKey
	as := sts.NewFromConfig(s.ConfigFor(*key.AccessKeyId, *key.SecretAccessKey, ""))
	who := must[*sts.GetCallerIdentityOutput](t)(as.GetCallerIdentity(t.Context(), nil))
	if *who.Arn != "arn:aws:iam::111122223333:user/u" {
		t.Errorf("the key is %s's", *who.Arn)
	}
	must[*iam.CreateAccessKeyOutput](t)(c.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: name}))
	_, err := c.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: name})
	refused(t, err, "LimitExceeded", "AccessKeysPerUser: 2")
	must[*iam.UpdateAccessKeyOutput](t)(c.UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{UserName: name, AccessKeyId: key.AccessKeyId, Status: types.StatusTypeInactive}))
	_, err = as.GetCallerIdentity(t.Context(), nil)
	refused(t, err, "InvalidClientTokenId", "security token")
	_, err = c.DeleteUser(t.Context(), &iam.DeleteUserInput{UserName: name})
	refused(t, err, "DeleteConflict", "access keys")
	keys := must[*iam.ListAccessKeysOutput](t)(c.ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{UserName: name})).AccessKeyMetadata
	if len(keys) != 2 || keys[0].Status != types.StatusTypeInactive || keys[1].Status != types.StatusTypeActive {
		t.Errorf("keys %+v", keys)
	}
	for _, k := range keys {
		must[*iam.DeleteAccessKeyOutput](t)(c.DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{UserName: name, AccessKeyId: k.AccessKeyId}))
	}
	must[*iam.DeleteUserOutput](t)(c.DeleteUser(t.Context(), &iam.DeleteUserInput{UserName: name}))
	me := must[*iam.GetUserOutput](t)(c.GetUser(t.Context(), &iam.GetUserInput{}))
	if *me.User.UserName != "sandbox-administrator" {
		t.Errorf("GetUser without a name returned %s", *me.User.UserName)
	}
}

func TestListsComeInPages(t *testing.T) {
	_, c := start(t)
	for i := range 5 {
		must[*iam.CreateRoleOutput](t)(c.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String(fmt.Sprint("r", i)), AssumeRolePolicyDocument: aws.String(anybody)}))
	}
	must[*iam.CreateRoleOutput](t)(c.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("a"), Path: aws.String("/other/"), AssumeRolePolicyDocument: aws.String(anybody)}))
	var names []string
	p := iam.NewListRolesPaginator(c, &iam.ListRolesInput{MaxItems: aws.Int32(2), PathPrefix: aws.String("/")})
	for p.HasMorePages() {
		page := must[*iam.ListRolesOutput](t)(p.NextPage(t.Context()))
		if len(page.Roles) > 2 {
			t.Fatalf("a page of %d", len(page.Roles))
		}
		for _, r := range page.Roles {
			names = append(names, *r.RoleName)
		}
	}
	if got := strings.Join(names, " "); got != "a r0 r1 r2 r3 r4" {
		t.Errorf("roles %s", got)
	}
	under := must[*iam.ListRolesOutput](t)(c.ListRoles(t.Context(), &iam.ListRolesInput{PathPrefix: aws.String("/other/")}))
	if len(under.Roles) != 1 || *under.Roles[0].RoleName != "a" {
		t.Errorf("under /other/: %+v", under.Roles)
	}
	_, err := c.ListRoles(t.Context(), &iam.ListRolesInput{Marker: aws.String("junk")})
	refused(t, err, "ValidationError", "Marker")
	ofAWS := must[*iam.ListPoliciesOutput](t)(c.ListPolicies(t.Context(), &iam.ListPoliciesInput{Scope: types.PolicyScopeTypeAws}))
	if len(ofAWS.Policies) == 0 || ofAWS.Policies[0].CreateDate.IsZero() {
		t.Errorf("AWS's policies: %+v", ofAWS.Policies)
	}
}

func TestRefusals(t *testing.T) {
	_, c := start(t)
	must[*iam.CreateRoleOutput](t)(c.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("there"), AssumeRolePolicyDocument: aws.String(anybody)}))
	create := func(change func(*iam.CreateRoleInput)) error {
		in := &iam.CreateRoleInput{RoleName: aws.String("new"), AssumeRolePolicyDocument: aws.String(anybody)}
		change(in)
		_, err := c.CreateRole(t.Context(), in)
		return err
	}
	put := func(doc string) error {
		_, err := c.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String("there"), PolicyName: aws.String("p"), PolicyDocument: &doc})
		return err
	}
	long := func(n int) string {
		return strings.Replace(listOnly, `"s3:ListAllMyBuckets"`, `["s3:Get`+strings.Repeat("x", n)+`"]`, 1)
	}
	for name, c := range map[string]struct {
		err        error
		code, text string
	}{
		"name taken, other case": {create(func(in *iam.CreateRoleInput) { in.RoleName = aws.String("THERE") }), "EntityAlreadyExists", "Role with name THERE already exists."},
		"name of odd characters": {create(func(in *iam.CreateRoleInput) { in.RoleName = aws.String("a b") }), "ValidationError", "'roleName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]+"},
		"name too long":          {create(func(in *iam.CreateRoleInput) { in.RoleName = aws.String(strings.Repeat("a", 65)) }), "ValidationError", "less than or equal to 64"},
		"path":                   {create(func(in *iam.CreateRoleInput) { in.Path = aws.String("team") }), "ValidationError", "'path'"},
		"duration":               {create(func(in *iam.CreateRoleInput) { in.MaxSessionDuration = aws.Int32(60) }), "ValidationError", "greater than or equal to 3600"},
		"trust is junk":          {create(func(in *iam.CreateRoleInput) { in.AssumeRolePolicyDocument = aws.String("{") }), "MalformedPolicyDocument", ""},
		"trust with a resource": {create(func(in *iam.CreateRoleInput) {
			in.AssumeRolePolicyDocument = aws.String(strings.Replace(anybody, `"Effect"`, `"Resource":"*","Effect"`, 1))
		}), "MalformedPolicyDocument", "Has prohibited field Resource"},
		"trust of nobody": {create(func(in *iam.CreateRoleInput) {
			in.AssumeRolePolicyDocument = aws.String(strings.Replace(anybody, `"Service":"rolesanywhere.amazonaws.com"`, `"AWS":"arn:aws:iam::111122223333:role/nobody"`, 1))
		}), "MalformedPolicyDocument", "Invalid principal in policy"},
		"trust too long": {create(func(in *iam.CreateRoleInput) {
			in.AssumeRolePolicyDocument = aws.String(strings.Replace(anybody, `"Effect"`, `"Sid":"`+strings.Repeat("x", 2048)+`","Effect"`, 1))
		}), "LimitExceeded", "ACLSizePerRole: 2048"},
		"boundary": {create(func(in *iam.CreateRoleInput) {
			in.PermissionsBoundary = aws.String("arn:aws:iam::111122223333:policy/none")
		}), "NoSuchEntity", "does not exist or is not attachable"},
		"tags twice": {create(func(in *iam.CreateRoleInput) {
			in.Tags = []types.Tag{{Key: aws.String("a"), Value: aws.String("")}, {Key: aws.String("A"), Value: aws.String("")}}
		}), "InvalidInput", "Duplicate tag keys"},
		"tag of AWS's": {create(func(in *iam.CreateRoleInput) {
			in.Tags = []types.Tag{{Key: aws.String("aws:x"), Value: aws.String("")}}
		}), "ValidationError", "aws:"},
		"policy is junk":  {put("x"), "MalformedPolicyDocument", ""},
		"policy too long": {put(long(10240)), "LimitExceeded", "10240"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, c.err, c.code, c.text) })
	}
}
