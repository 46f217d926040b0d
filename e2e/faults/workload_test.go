package faults

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"daypass.dev/e2e/stage"
	"daypass.dev/internal/sdk"
)

func trusting(roots *x509.CertPool) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
}

// workload calls the sandbox with secrets that it then knows, right and wrong,
// and has it make new ones.
func (s *scene) workload(ctx context.Context, t *testing.T) {
	t.Helper()
	c := newCaller(t, s.served).both()[0].document
	wrong := strings.Repeat("x", 10) + c.SecretAccessKey[10:]
	torn := c.Token[:len(c.Token)-8] + "AAAAAAA="
	key := func(id, secret, token string) aws.Config {
		return aws.Config{
			Region: "us-east-1", BaseEndpoint: aws.String(s.aws["AWS_ENDPOINT_URL"]), HTTPClient: sdk.Patient{HTTPClient: s.client(t)},
			Credentials: credentials.NewStaticCredentialsProvider(id, secret, token),
			Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
		}
	}
	for _, try := range []struct {
		config aws.Config
		good   bool
	}{
		{key(c.AccessKeyId, c.SecretAccessKey, c.Token), true},
		{key(c.AccessKeyId, wrong, c.Token), false},
		{key(c.AccessKeyId, c.SecretAccessKey, torn), false},
		{key(c.AccessKeyId, c.SecretAccessKey, ""), false},
		{key(s.aws["AWS_ACCESS_KEY_ID"], s.aws["AWS_SECRET_ACCESS_KEY"], c.Token), false},
	} {
		client := s3.NewFromConfig(try.config, func(o *s3.Options) { o.UsePathStyle = true })
		in := &s3.GetObjectInput{Bucket: aws.String(stage.Bucket), Key: aws.String(stage.Object)}
		_, err := client.GetObject(ctx, in)
		if (err == nil) != try.good {
			t.Errorf("GetObject: %v, want success %v", err, try.good)
		}
		link, err := s3.NewPresignClient(client).PresignGetObject(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		response, err := s.client(t).Get(link.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if (response.StatusCode == http.StatusOK) != try.good {
			t.Errorf("presigned GetObject: %d, %s, %v, want success %v", response.StatusCode, body, err, try.good)
		}
	}
	admin := iam.NewFromConfig(key(s.aws["AWS_ACCESS_KEY_ID"], s.aws["AWS_SECRET_ACCESS_KEY"], ""))
	user := aws.String("someone")
	if _, err := admin.CreateUser(ctx, &iam.CreateUserInput{UserName: user}); err != nil {
		t.Fatal(err)
	}
	made, err := admin.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: user})
	if err != nil {
		t.Fatal(err)
	}
	s.planted.add(t, "user's secret", *made.AccessKey.SecretAccessKey)
}
