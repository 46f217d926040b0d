package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"daypass.dev/internal/sdk"
)

const trustAccount = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}]}`

// A running is a sandbox in a process of its own.
type running struct {
	cmd    *exec.Cmd
	config aws.Config // an administrator's
	stderr *lastLines
}

// lastLines keeps a little of what a program says, for when it fails.
type lastLines struct {
	mu   sync.Mutex
	text []byte
}

func (l *lastLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, b...)
	l.text = l.text[max(0, len(l.text)-2000):]
	return len(b), nil
}

// run starts daypassctl sandbox with --state, and waits until it serves.
func run(t *testing.T, state string) *running {
	t.Helper()
	folder := t.TempDir()
	env := filepath.Join(folder, "env.sh")
	r := &running{cmd: exec.Command("daypassctl", "sandbox", "--listen", "127.0.0.1:0", "--state", state, "--write-env", env), stderr: &lastLines{}}
	r.cmd.Env = append(os.Environ(), "TMPDIR="+folder)
	r.cmd.Stderr = r.stderr
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		r.kill()
		t.Fatalf("the sandbox does not serve: %v: %s", err, r.stderr.text)
	}
	text, err := os.ReadFile(env)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for l := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(l), "export "), "=")
		values[name] = strings.Trim(value, "'")
	}
	url := strings.Replace(strings.TrimSpace(line), "https://", "http://", 1)
	r.config = aws.Config{
		Region: "us-east-1", BaseEndpoint: &url,
		// One for all clients: each of its own would leave its connections behind.
		HTTPClient:  sdk.Patient{HTTPClient: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}},
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: credentials.NewStaticCredentialsProvider(values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"], ""),
	}
	return r
}

// kill ends the process by SIGKILL.
func (r *running) kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

func (r *running) s3() *s3.Client {
	return s3.NewFromConfig(r.config, func(o *s3.Options) { o.UsePathStyle = true })
}

// write makes roles and objects until the sandbox is gone, and returns the
// names of those that it has acknowledged.
func (r *running) write(ctx context.Context, prefix string) (acknowledged []string) {
	i, b := iam.NewFromConfig(r.config), r.s3()
	for n := 0; ; n++ {
		name := fmt.Sprintf("%s-%d", prefix, n)
		if _, err := i.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(trustAccount)}); err != nil {
			return acknowledged
		}
		acknowledged = append(acknowledged, "role/"+name)
		if _, err := b.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("kept"), Key: &name, Body: strings.NewReader(name)}); err != nil {
			return acknowledged
		}
		acknowledged = append(acknowledged, "object/"+name)
	}
}

// has fails if something acknowledged is not there.
func (r *running) has(ctx context.Context, t *testing.T, acknowledged []string) {
	t.Helper()
	i, b := iam.NewFromConfig(r.config), r.s3()
	for _, thing := range acknowledged {
		kind, name, _ := strings.Cut(thing, "/")
		if kind == "role" {
			if _, err := i.GetRole(ctx, &iam.GetRoleInput{RoleName: &name}); err != nil {
				t.Errorf("%s is lost: %v", thing, err)
			}
			continue
		}
		out, err := b.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("kept"), Key: &name})
		if err != nil {
			t.Errorf("%s is lost: %v", thing, err)
			continue
		}
		if data, err := io.ReadAll(out.Body); err != nil || string(data) != name {
			t.Errorf("%s holds %q: %v", thing, data, err)
		}
		out.Body.Close()
	}
}

// Whatever was acknowledged is there after kill -9, in each of several rounds,
// and a session from before the first still works after the last.
func TestKilled(t *testing.T) { killed(t, 10) }

func killed(t *testing.T, rounds int) {
	ctx := t.Context()
	state := filepath.Join(t.TempDir(), "state")
	r := run(t, state)
	if _, err := r.s3().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("kept")}); err != nil {
		t.Fatal(err)
	}
	if _, err := iam.NewFromConfig(r.config).CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("first"), AssumeRolePolicyDocument: aws.String(trustAccount)}); err != nil {
		t.Fatal(err)
	}
	session, err := sts.NewFromConfig(r.config).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::111122223333:role/first"), RoleSessionName: aws.String("kept")})
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for round := range rounds {
		const writers = 4
		var all [writers][]string
		var wg sync.WaitGroup
		for n := range writers {
			wg.Go(func() { all[n] = r.write(ctx, fmt.Sprintf("r%d-%d", round, n)) })
		}
		time.Sleep(time.Duration(50+rand.IntN(150)) * time.Millisecond)
		r.kill()
		wg.Wait()
		r = run(t, state)
		for _, acknowledged := range all {
			r.has(ctx, t, acknowledged)
			total += len(acknowledged)
		}
	}
	if total < rounds {
		t.Fatalf("only %d changes were acknowledged in %d rounds", total, rounds)
	}
	c := session.Credentials
	r.config.Credentials = credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
	who, err := sts.NewFromConfig(r.config).GetCallerIdentity(ctx, nil)
	if err != nil || !strings.HasSuffix(*who.Arn, "assumed-role/first/kept") {
		t.Errorf("the first session: %v", err)
	}
	t.Logf("%d acknowledged changes lived through %d kills", total, rounds)
}
