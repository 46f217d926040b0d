// Package sdk makes AWS's own SDK for Go keep what AWS answers.
package sdk

import (
	"context"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
)

// Load is config.LoadDefaultConfig with a Patient client.
func Load(ctx context.Context, options ...func(*config.LoadOptions) error) (aws.Config, error) {
	c, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return c, err
	}
	if c.HTTPClient == nil { // as each of the SDK's clients does where no CA bundle is set
		c.HTTPClient = awshttp.NewBuildableClient()
	}
	c.HTTPClient = Patient{c.HTTPClient}
	return c, nil
}

// A Patient client loses no answer. As soon as one comes, the SDK closes the
// request's body, whose WriteTo then says EOF (smithy-go 1.28). If net/http was
// just looking for that body's end, it takes this for an error and closes the
// connection, the answer unread: near servers and busy machines see it. The SDK
// would ask again, and warn. Read does not say it.
type Patient struct{ aws.HTTPClient }

// Do hides the body's WriteTo.
func (c Patient) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return c.HTTPClient.Do(r)
}
