package sandbox_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

// What cannot be kept is not acknowledged.
func TestNothingUnkeptIsAcknowledged(t *testing.T) {
	s := sandboxtest.Start(t, world.New())
	s.World.SetKeeper(func([]world.Thing) error { return errors.New("no space left on device") })
	client := iam.NewFromConfig(s.Config(), func(o *iam.Options) { o.Retryer = aws.NopRetryer{} })
	_, err := client.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("ann")})
	if err == nil || !strings.Contains(err.Error(), "InternalFailure") {
		t.Errorf("the client is told %v", err)
	}
	if d := s.Last(t, "CreateUser"); d.Reason != "internal-failure" || !strings.Contains(d.Detail, "no space left on device") {
		t.Errorf("the record says [%s] %s", d.Reason, d.Detail)
	}
}
