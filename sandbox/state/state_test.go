package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	ratypes "github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/ann"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`
const all = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

// start serves what is kept in a folder.
func start(t *testing.T, folder string) (*sandboxtest.Sandbox, *Store) {
	t.Helper()
	store, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	w := world.New()
	if err := store.Restore(w); err != nil {
		t.Fatal(err)
	}
	s := sandboxtest.Start(t, w)
	if err := store.Keep(w); err != nil {
		t.Fatal(err)
	}
	return s, store
}

// same fails if two worlds differ in anything that is kept.
func same(t *testing.T, a, b *world.World) {
	t.Helper()
	for _, pair := range [][2]*world.World{{a, b}, {b, a}} {
		for _, thing := range pair[0].Things() {
			left, err := pair[0].Piece(thing)
			if err != nil {
				t.Fatal(err)
			}
			right, err := pair[1].Piece(thing)
			if err != nil {
				t.Fatal(err)
			}
			if string(left) != string(right) {
				t.Errorf("%q:\n%.300s\n%.300s", thing, left, right)
			}
		}
	}
}

// reopen closes a store, as the process's end does, and reads the folder anew.
func reopen(t *testing.T, store *Store, folder string) *world.World {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	w := world.New()
	if err := again.Restore(w); err != nil {
		t.Fatal(err)
	}
	return w
}

// Each of these changes the world, and after each the folder holds it.
func TestEveryChangeIsKept(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	s, store := start(t, folder)
	ctx := context.Background()
	i, b, r := iam.NewFromConfig(s.Config()), s3.NewFromConfig(s.Config(), func(o *s3.Options) { o.UsePathStyle = true }), rolesanywhere.NewFromConfig(s.Config())
	name, bucket, key := aws.String("ann"), aws.String("kept-bucket"), aws.String("a/b")
	policyARN := aws.String("arn:aws:iam::111122223333:policy/p")
	providerARN := aws.String("arn:aws:iam::111122223333:oidc-provider/oidc.example.com")
	var profile, profileARN *string
	steps := []struct {
		name string
		do   func() error
	}{
		{"CreateUser", func() error { _, err := i.CreateUser(ctx, &iam.CreateUserInput{UserName: name}); return err }},
		{"CreateAccessKey", func() error { _, err := i.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: name}); return err }},
		{"CreateRole", func() error {
			_, err := i.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String(trust)})
			return err
		}},
		{"PutRolePolicy", func() error {
			_, err := i.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String("r"), PolicyName: name, PolicyDocument: aws.String(all)})
			return err
		}},
		{"CreatePolicy", func() error {
			_, err := i.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("p"), PolicyDocument: aws.String(all)})
			return err
		}},
		{"CreatePolicyVersion", func() error {
			_, err := i.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: policyARN, PolicyDocument: aws.String(all), SetAsDefault: true})
			return err
		}},
		{"AttachUserPolicy", func() error {
			_, err := i.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: name, PolicyArn: policyARN})
			return err
		}},
		{"CreateOpenIDConnectProvider", func() error {
			_, err := i.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{
				Url: aws.String("https://oidc.example.com"), ThumbprintList: []string{strings.Repeat("a", 40)},
			})
			return err
		}},
		{"AddClientIDToOpenIDConnectProvider", func() error {
			_, err := i.AddClientIDToOpenIDConnectProvider(ctx, &iam.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: providerARN, ClientID: aws.String("c")})
			return err
		}},
		{"CreateBucket", func() error { _, err := b.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket}); return err }},
		{"PutBucketPolicy", func() error {
			_, err := b.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: bucket, Policy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::111122223333:user/ann"},"Action":"s3:*","Resource":"arn:aws:s3:::kept-bucket/*"}]}`)})
			return err
		}},
		{"PutObject", func() error {
			_, err := b.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader("data"), Metadata: map[string]string{"k": "v"}})
			return err
		}},
		{"CreateProfile", func() error {
			out, err := r.CreateProfile(ctx, &rolesanywhere.CreateProfileInput{Name: aws.String("p"), RoleArns: []string{"arn:aws:iam::111122223333:role/r"}})
			if err == nil {
				profile, profileARN = out.Profile.ProfileId, out.Profile.ProfileArn
			}
			return err
		}},
		{"EnableProfile", func() error {
			_, err := r.EnableProfile(ctx, &rolesanywhere.EnableProfileInput{ProfileId: profile})
			return err
		}},
		{"TagResource", func() error {
			_, err := r.TagResource(ctx, &rolesanywhere.TagResourceInput{ResourceArn: profileARN, Tags: []ratypes.Tag{{Key: name, Value: name}}})
			return err
		}},
		{"DeleteAttributeMapping", func() error {
			_, err := r.DeleteAttributeMapping(ctx, &rolesanywhere.DeleteAttributeMappingInput{ProfileId: profile, CertificateField: ratypes.CertificateFieldX509Issuer})
			return err
		}},
		{"DeleteProfile", func() error {
			_, err := r.DeleteProfile(ctx, &rolesanywhere.DeleteProfileInput{ProfileId: profile})
			return err
		}},
		{"DeleteObject", func() error {
			_, err := b.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key})
			return err
		}},
		{"DeleteBucketPolicy", func() error {
			_, err := b.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: bucket})
			return err
		}},
		{"DeleteBucket", func() error { _, err := b.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket}); return err }},
		{"DeleteOpenIDConnectProvider", func() error {
			_, err := i.DeleteOpenIDConnectProvider(ctx, &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: providerARN})
			return err
		}},
		{"DeleteRolePolicy", func() error {
			_, err := i.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: aws.String("r"), PolicyName: name})
			return err
		}},
		{"DeleteRole", func() error { _, err := i.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: aws.String("r")}); return err }},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		for _, thing := range s.World.Things() {
			if kept, err := store.kept(s.World, []world.Thing{thing}); !kept {
				t.Errorf("after %s, %q is not on disk as it is: %v", step.name, thing, err)
			}
		}
	}
	same(t, s.World, reopen(t, store, folder))
}

// Sessions made before a restart work after it, the long ones too whose token
// only names them; a role made anew ends them.
func TestSessionsOutliveARestart(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	s, store := start(t, folder)
	ctx := context.Background()
	i := iam.NewFromConfig(s.Config())
	role := func(i *iam.Client) {
		doc := strings.Replace(trust, "arn:aws:iam::111122223333:user/ann", "111122223333", 1)
		if _, err := i.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: &doc}); err != nil {
			t.Fatal(err)
		}
	}
	role(i)
	long := &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::111122223333:role/r"), RoleSessionName: aws.String("long")}
	for n := range 28 {
		long.Tags = append(long.Tags, ststypes.Tag{Key: aws.String(fmt.Sprint("k", n)), Value: aws.String(world.NewSecret() + world.NewSecret())})
	}
	var sessions []*ststypes.Credentials
	for _, in := range []*sts.AssumeRoleInput{long, {RoleArn: long.RoleArn, RoleSessionName: aws.String("short")}} {
		out, err := sts.NewFromConfig(s.Config()).AssumeRole(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, out.Credentials)
	}
	if !strings.Contains(fmt.Sprint(s.World.Things()), "{session ") {
		t.Fatal("no session is too long for its token")
	}
	store.Close()
	s, _ = start(t, folder)
	who := func(c *ststypes.Credentials) error {
		cfg := s.ConfigFor(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
		_, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		return err
	}
	for n, c := range sessions {
		if err := who(c); err != nil {
			t.Errorf("session %d: %v", n, err)
		}
	}
	i = iam.NewFromConfig(s.Config())
	if _, err := i.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: aws.String("r")}); err != nil {
		t.Fatal(err)
	}
	role(i)
	for n, c := range sessions {
		if who(c) == nil {
			t.Errorf("session %d works for a role that was made anew", n)
		}
	}
}

// A session ends by the world's clock, also one that has ended by the machine's.
func TestLongSessionsOfAWorldInThePast(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	store, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.Parse("world.yaml", []byte(`{clock: {offset: -48h}}`))
	if err != nil {
		t.Fatal(err)
	}
	role := w.AddAccount(world.DefaultAccount).AddRole("r", "/", nil)
	long := world.Session{Account: world.DefaultAccount, RoleName: "r", RoleARN: role.ARN, RoleID: role.ID, Expires: w.Now().Add(time.Hour)}
	for range 28 {
		long.Policies = append(long.Policies, world.NewSecret()+world.NewSecret())
	}
	id, _, token, err := w.Seal(long)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Keep(w); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := reopen(t, store, folder).Identify(id, token); err != nil {
		t.Error(err)
	}
}

// An account stays in its partition, where its ARNs and keys are.
func TestPartitionsAreKept(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	store, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.Parse("world.yaml", []byte(`{region: cn-north-1, accounts: {"222233334444": {partition: aws-cn}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Keep(w); err != nil {
		t.Fatal(err)
	}
	again := reopen(t, store, folder).AddAccount("222233334444")
	if arn := again.AddUser("ann", "/").ARN; arn != "arn:aws-cn:iam::222233334444:user/ann" {
		t.Error(arn)
	}
}

func TestFoldersThatAreRefused(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	store, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{folder: 0o700, filepath.Join(folder, fileName): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s has the mode %v, want %v: %v", path, info.Mode().Perm(), mode, err)
		}
	}
	if _, err := Open(folder); !errors.Is(err, ErrInUse) {
		t.Errorf("opening it twice: %v", err)
	}
	store.Close()
	if err := os.Chmod(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(folder); !errors.Is(err, ErrOpenToOthers) {
		t.Errorf("opening it with mode 0750: %v", err)
	}
	other := t.TempDir()
	_ = os.Chmod(other, 0o700)
	if err := os.WriteFile(filepath.Join(other, fileName), []byte(strings.Repeat("not a database ", 9999)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(other); err == nil {
		t.Error("a file that is no database is opened")
	}
}

// What a call costs does not grow with the world.
func BenchmarkCall(b *testing.B) {
	for _, roles := range []int{10, 10_000} {
		b.Run(fmt.Sprint(roles, " roles"), func(b *testing.B) {
			w := world.New()
			for i := range roles {
				w.Account(world.DefaultAccount).AddRole(fmt.Sprint("r", i), "/", nil)
			}
			store, err := Open(filepath.Join(b.TempDir(), "state"))
			if err != nil {
				b.Fatal(err)
			}
			defer store.Close()
			if err := store.Keep(w); err != nil {
				b.Fatal(err)
			}
			role := w.Account(world.DefaultAccount).Roles["r7"]
			for i := 0; b.Loop(); i++ {
				w.Lock()
				role.Description = fmt.Sprint(i)
				w.Unlock()
				c := &world.Call{World: w}
				c.Changed(world.Thing{Kind: "role", Account: world.DefaultAccount, Name: "r7"})
				if err := c.Keep(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
