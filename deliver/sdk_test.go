package deliver

import (
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"

	"daypass.dev"
)

// The Go SDK's own clients, against a listening server of each protocol and on
// both loopbacks. Tokens, retries and parsing are theirs.

// clients are the ways of the Go SDK to get what src yields, by protocol.
func clients(t *testing.T, src daypass.Source, on string, log *journal) map[string]aws.CredentialsProvider {
	t.Helper()
	metadata := &IMDS{Source: src, RoleARN: roleARN, Region: "eu-west-1", Log: log.logger()}
	container := &Container{Source: src, Token: secretProof, Log: log.logger()}
	addr := listening(t, both(metadata, container), log.logger(), on, pretend{})
	return map[string]aws.CredentialsProvider{
		"imds": ec2rolecreds.New(func(o *ec2rolecreds.Options) { o.Client = metadataClient(addr) }),
		"container": endpointcreds.New("http://"+addr+ContainerPath, func(o *endpointcreds.Options) {
			o.AuthorizationToken = secretProof
			o.Retryer = aws.NopRetryer{}
		}),
	}
}

func metadataClient(addr string) *imds.Client {
	return imds.New(imds.Options{
		Endpoint: "http://" + addr, Retryer: aws.NopRetryer{}, EnableFallback: aws.FalseTernary, ClientEnableState: imds.ClientEnabled,
	})
}

func TestGoSDKGetsCredentials(t *testing.T) {
	for _, on := range []string{"127.0.0.1:0", "[::1]:0"} {
		c := good()
		c.Expires = time.Now().Add(30 * time.Minute)
		var log journal
		for protocol, client := range clients(t, always(c, nil), on, &log) {
			got, err := client.Retrieve(t.Context())
			if err != nil {
				t.Errorf("%s on %s: %v", protocol, on, err)
				continue
			}
			if got.AccessKeyID != c.AccessKeyID || got.SecretAccessKey != secretKey || got.SessionToken != secretToken ||
				!got.CanExpire || !got.Expires.Equal(c.Expires.Truncate(time.Second)) {
				t.Errorf("%s on %s: got expiry %v for %v, key %s", protocol, on, got.Expires, c.Expires, got.AccessKeyID)
			}
			if protocol == "container" && got.AccountID != c.AccountID {
				t.Errorf("account %q", got.AccountID)
			}
		}
		nothingPlanted(t, log.String())
	}
}

func TestGoSDKErrorsHoldTheCode(t *testing.T) {
	for code, src := range failures() {
		var log journal
		for protocol, client := range clients(t, src, "127.0.0.1:0", &log) {
			got, err := client.Retrieve(t.Context())
			if err == nil {
				t.Errorf("%s: no error but key %q", protocol, got.AccessKeyID)
				continue
			}
			if !strings.Contains(err.Error(), code) {
				t.Errorf("%s: the text lacks %s: %v", protocol, code, err)
			}
		}
		nothingPlanted(t, log.String())
	}
}

func TestGoSDKReadsRegionAndInfo(t *testing.T) {
	addr := listening(t, &IMDS{Source: always(good(), nil), RoleARN: roleARN, Region: "eu-west-1"}, nil, "127.0.0.1:0", pretend{})
	client := metadataClient(addr)
	info, err := client.GetIAMInfo(t.Context(), nil)
	if err != nil || info.InstanceProfileArn != "arn:aws:iam::111122223333:instance-profile/reports" {
		t.Errorf("info: %+v, %v", info, err)
	}
	// Its GetRegion wants an instance identity document, which we cannot have.
	region, err := client.GetMetadata(t.Context(), &imds.GetMetadataInput{Path: "placement/region"})
	if err != nil {
		t.Fatal(err)
	}
	defer region.Content.Close()
	if text, err := io.ReadAll(region.Content); err != nil || string(text) != "eu-west-1" {
		t.Errorf("region: %q, %v", text, err)
	}
}

// A program that prints what Process writes is a credential_process.
func TestGoSDKReadsTheProcessDocument(t *testing.T) {
	var out strings.Builder
	if err := Process(&out, good()); err != nil {
		t.Fatal(err)
	}
	cat, err := exec.LookPath("cat")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "document")
	writeFile(t, path, out.String())
	got, err := processcreds.NewProviderCommand(processcreds.NewCommandBuilderFunc(
		func(ctx context.Context) (*exec.Cmd, error) { return exec.CommandContext(ctx, cat, path), nil },
	)).Retrieve(t.Context())
	if err != nil || got.AccessKeyID != "ASIAEXAMPLE" || got.SecretAccessKey != secretKey || got.SessionToken != secretToken ||
		!got.Expires.Equal(good().Expires.Truncate(time.Second)) || got.AccountID != "111122223333" {
		t.Errorf("key %s, expires %v, account %s, %v", got.AccessKeyID, got.Expires, got.AccountID, err)
	}
}
