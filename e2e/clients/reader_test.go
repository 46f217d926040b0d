package clients

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// The test binary is also the Go client: a process of its own, because the
// SDK's default chain reads the environment.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "go-reader" {
		if err := goReader(context.Background(), os.Args[2], os.Args[3], len(os.Args) > 4); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// The clients mostly wait for their credentials to end: all at once.
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// goReader reads one S3 object over and over until its input ends, with the
// SDK's default chain. Credentials count as expired a little early, as the
// SDK's documentation advises for sources that do not do so themselves.
func goReader(ctx context.Context, bucket, key string, once bool) error {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithCredentialsCacheOptions(func(o *aws.CredentialsCacheOptions) {
		o.ExpiryWindow = 4 * time.Second
	}))
	if err != nil {
		return err
	}
	client := s3.NewFromConfig(cfg)
	ended := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); close(ended) }()
	for {
		out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
		if err != nil {
			return err
		}
		body, err := io.ReadAll(out.Body)
		_ = out.Body.Close()
		if err != nil {
			return err
		}
		fmt.Println("read", string(body))
		if once {
			return nil
		}
		select {
		case <-ended:
			return nil
		case <-time.After(400 * time.Millisecond):
		}
	}
}
