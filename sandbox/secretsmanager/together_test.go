package secretsmanager_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

// Of calls at the same time one makes the secret, and one its version of a
// token. What goes wrong by chance has several, among many secrets and keys that
// take time to look through.
func TestCallsAtTheSameTime(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	s.World.Lock()
	account := s.World.Accounts[home]
	for i := range 10000 {
		account.Secrets[fmt.Sprint(i)], account.Keys[fmt.Sprint(i)] = &world.Secret{Region: "us-east-1"}, &world.Key{Region: "us-east-1"}
	}
	s.World.Unlock()
	const n = 16
	for round := range 8 {
		name := aws.String(fmt.Sprint("app/", round))
		made := sandboxtest.AtOnce(n, func(int) error {
			_, err := s.admin.CreateSecret(ctx, &sm.CreateSecretInput{Name: name, SecretString: aws.String("x")})
			return err
		})
		want := append([]string{""}, slices.Repeat([]string{"ResourceExistsException"}, n-1)...)
		if slices.Sort(made); !slices.Equal(made, want) {
			t.Errorf("made at the same time: %q", made)
		}
		put := sandboxtest.AtOnce(n, func(i int) error {
			_, err := s.admin.PutSecretValue(ctx, &sm.PutSecretValueInput{
				SecretId: name, SecretString: aws.String(fmt.Sprint(i % 2)), ClientRequestToken: aws.String(strings.Repeat("t", 32)),
			})
			return err
		})
		want = append(slices.Repeat([]string{""}, n/2), slices.Repeat([]string{"ResourceExistsException"}, n/2)...)
		if slices.Sort(put); !slices.Equal(put, want) {
			t.Errorf("two values put at the same time by one token: %q", put)
		}
		all, err := s.admin.ListSecretVersionIds(ctx, &sm.ListSecretVersionIdsInput{SecretId: name, IncludeDeprecated: aws.Bool(true)})
		if err != nil || len(all.Versions) != 2 {
			t.Errorf("%d versions, %v", len(all.Versions), err)
		}
	}
}
