package iam_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

// What only reads has nothing to keep.
func TestReadingKeepsNothing(t *testing.T) {
	s := sandboxtest.Start(t, world.New())
	kept := 0
	s.World.SetKeeper(func(things []world.Thing) error { kept += len(things); return nil })
	c, ctx, name := iam.NewFromConfig(s.Config()), t.Context(), aws.String("ann")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.CreateUser(ctx, &iam.CreateUserInput{UserName: name})
	must(err)
	if kept != 1 {
		t.Errorf("making a user keeps %d things", kept)
	}
	_, err = c.GetUser(ctx, &iam.GetUserInput{UserName: name})
	must(err)
	_, err = c.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: name})
	must(err)
	_, err = c.ListUserPolicies(ctx, &iam.ListUserPoliciesInput{UserName: name})
	must(err)
	if kept != 1 {
		t.Errorf("after reading %d things are kept", kept)
	}
	_, err = c.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: name})
	must(err)
	if kept != 2 {
		t.Errorf("after a key %d things are kept", kept)
	}
}
