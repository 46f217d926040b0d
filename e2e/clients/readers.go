// Package clients are programs that read an S3 object with AWS's own SDKs and
// their default chain of credentials, and a test that tries every delivery
// with them, over several lives of a credential.
package clients

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"daypass.dev/e2e/peers"
)

// A Reader reads an object and prints "read" and its text, or its SDK's
// exception and ends with another code than 0.
type Reader struct {
	Name string
	// Long: it reads in one process until its input ends.
	Long bool
	// Command is the process; where once is set it reads once. It skips the
	// test where the SDK is not there.
	Command func(t testing.TB, bucket, key string, once bool) *exec.Cmd
}

//go:embed testdata/reader.mjs
var javascript string

//go:embed testdata/reader.py
var python string

// Readers are one for each SDK. That for Go is the test binary itself, whose
// TestMain must begin with Main.
func Readers() []Reader {
	return []Reader{
		{"go", true, func(t testing.TB, bucket, key string, once bool) *exec.Cmd {
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			return exec.Command(self, append([]string{goReader, bucket, key}, times(once)...)...)
		}},
		{"javascript", true, func(t testing.TB, bucket, key string, once bool) *exec.Cmd {
			node, dir, err := peers.JavaScript(t.Context())
			peers.Need(t, "javascript", err)
			cmd := exec.Command(node, append([]string{"--input-type=module", "--eval", javascript, "--", bucket, key}, times(once)...)...)
			cmd.Dir = dir // where node_modules is
			return cmd
		}},
		{"boto3", false, func(t testing.TB, bucket, key string, _ bool) *exec.Cmd {
			interpreter, err := peers.Python(t.Context())
			peers.Need(t, "boto3", err)
			return exec.Command(interpreter, "-c", python, bucket, key)
		}},
		{"aws-cli", false, func(t testing.TB, bucket, key string, _ bool) *exec.Cmd {
			cli, err := peers.AWSCLI(t.Context())
			peers.Need(t, "aws-cli", err)
			return exec.Command(cli, "s3", "cp", "s3://"+bucket+"/"+key, "-")
		}},
	}
}

func times(once bool) []string {
	if once {
		return []string{"once"}
	}
	return nil
}

const goReader = "go-reader"

// Main is the reader in Go, if this process is to be one, and then says with
// which code it ends: a process of its own, because the SDK's default chain
// reads the environment.
func Main() (code int, ran bool) {
	if len(os.Args) < 4 || os.Args[1] != goReader {
		return 0, false
	}
	if err := read(context.Background(), os.Args[2], os.Args[3], len(os.Args) > 4); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

// read reads one S3 object over and over until its input ends. Credentials
// count as expired a little early, as the SDK's documentation advises for
// sources that do not do so themselves. Those of IMDS do not: of a life below
// 15 minutes the SDK uses the last moment, too, so that a request may be late.
func read(ctx context.Context, bucket, key string, once bool) error {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithCredentialsCacheOptions(func(o *aws.CredentialsCacheOptions) {
		o.ExpiryWindow = 4 * time.Second
	}))
	if err != nil {
		return err
	}
	client := s3.NewFromConfig(cfg)
	ended := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); close(ended) }()
	for late := false; ; {
		out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
		if expired(err) && !late {
			late = true
			continue
		}
		if err != nil {
			return err
		}
		late = false
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

func expired(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "ExpiredToken"
}
