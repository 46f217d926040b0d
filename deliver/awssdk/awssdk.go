// Package awssdk hands credentials to a Go program's own clients of the AWS
// SDK, without a process beside it:
//
//	provider, err := awssdk.FromEnvironment(slog.Default()) // DAYPASS_CERTIFICATE and the like
//	// … handle err
//	defer provider.Close()
//	cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithCredentialsProvider(provider))
//
// It is the one package beside daypass's programs that knows the SDK.
package awssdk

import (
	"context"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"

	"daypass.dev/config"
	"daypass.dev/refresh"
)

// A Provider is an aws.CredentialsProvider that renews credentials in the
// background, from its first use until it is closed. It is safe for concurrent
// use.
type Provider struct{ src *refresh.Source }

// FromEnvironment makes a provider of what the environment says, by the same
// variables as the flags of daypass have. Nil log: silent. The error says what
// is missing or malformed; nothing is read yet and nobody called.
func FromEnvironment(log *slog.Logger) (*Provider, error) {
	s, err := config.FromEnvironment()
	if err != nil {
		return nil, err
	}
	s.NameSession = true
	return New(s, log)
}

// New is FromEnvironment for settings of the program's own. They must not be
// changed afterwards.
func New(s *config.Settings, log *slog.Logger) (*Provider, error) {
	src, err := s.Source(log)
	if err != nil {
		return nil, err
	}
	return &Provider{src}, nil
}

// Retrieve implements aws.CredentialsProvider: credentials that are valid now,
// at once if there are some, else when AWS has answered or ctx is done. An
// error is *daypass.Error where AWS refused.
func (p *Provider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	got, err := p.src.Credentials(ctx)
	if err != nil {
		return aws.Credentials{}, err
	}
	return aws.Credentials{
		AccessKeyID: got.AccessKeyID, SecretAccessKey: got.SecretAccessKey.Reveal(), SessionToken: got.SessionToken.Reveal(),
		Source: "daypass", CanExpire: true, Expires: got.Expires, AccountID: got.AccountID,
	}, nil
}

// Close ends renewal.
func (p *Provider) Close() error { return p.src.Close() }
