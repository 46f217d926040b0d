//go:build soak

package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	ratypes "github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"daypass.dev/exchange/sigv4x509"
)

const (
	soakClients = 64
	soakTime    = time.Minute
)

// traffic is what all clients of the soak share.
type traffic struct {
	r             *running
	scene         *scene // its certificate is valid now
	anchor, shelf string // ARNs of trust anchor and profile
	calls         atomic.Int64
}

// Mixed signed traffic from 64 clients for a minute, with its state kept: no
// call fails, and memory stays where it was after the first third.
func TestTraffic(t *testing.T) {
	ctx := t.Context()
	x := &traffic{r: run(t, filepath.Join(t.TempDir(), "state")), scene: newScene(t)}
	x.furnish(ctx, t)
	begun, end := time.Now(), time.Now().Add(soakTime)
	var wg sync.WaitGroup
	failed := make(chan error, soakClients)
	for n := range soakClients {
		wg.Go(func() {
			for round := 0; time.Now().Before(end); round++ {
				if err := x.round(ctx, n, round); err != nil {
					failed <- fmt.Errorf("client %d, round %d: %w", n, round, err)
					return
				}
			}
		})
	}
	var early, late int // peaks of the second third and of the third
	for time.Now().Before(end) {
		time.Sleep(500 * time.Millisecond)
		kb := anonymousKB(t, x.r.cmd.Process.Pid)
		switch gone := time.Since(begun); {
		case gone > soakTime*2/3:
			late = max(late, kb)
		case gone > soakTime/3:
			early = max(early, kb)
		}
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	calls := x.calls.Load()
	t.Logf("%d calls in %v, %.0f a second; memory peaked at %d MB, then at %d MB",
		calls, time.Since(begun).Round(time.Second), float64(calls)/time.Since(begun).Seconds(), early/1024, late/1024)
	if calls < 1000 || early == 0 {
		t.Errorf("%d calls are too few to show anything", calls)
	}
	if late > early*11/10+8<<10 {
		t.Errorf("memory grew from %d to %d KB", early, late)
	}
}

// anonymousKB is a process's memory without what it maps from files.
func anonymousKB(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb
}

// furnish makes bucket, role, trust anchor and profile.
func (x *traffic) furnish(ctx context.Context, t *testing.T) {
	t.Helper()
	valid := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	x.scene.found(valid)
	x.scene.certify(valid)
	i, ra := iam.NewFromConfig(x.r.config), rolesanywhere.NewFromConfig(x.r.config)
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333","Service":"rolesanywhere.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}`
	_, err := i.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("soak"), AssumeRolePolicyDocument: &trust})
	if err == nil {
		_, err = i.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String("soak"), PolicyName: aws.String("p"), PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)})
	}
	if err == nil {
		_, err = x.r.s3().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("soak")})
	}
	if err != nil {
		t.Fatal(err)
	}
	a, err := ra.CreateTrustAnchor(ctx, &rolesanywhere.CreateTrustAnchorInput{
		Name: aws.String("soak"), Enabled: aws.Bool(true),
		Source: &ratypes.Source{SourceType: ratypes.TrustAnchorTypeCertificateBundle, SourceData: &ratypes.SourceDataMemberX509CertificateData{Value: x.scene.anchor.Bundle}},
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := ra.CreateProfile(ctx, &rolesanywhere.CreateProfileInput{Name: aws.String("soak"), Enabled: aws.Bool(true), RoleArns: []string{soakRole}})
	if err != nil {
		t.Fatal(err)
	}
	x.anchor, x.shelf = *a.TrustAnchor.TrustAnchorArn, *p.Profile.ProfileArn
}

const soakRole = "arn:aws:iam::111122223333:role/soak"

// round is one client's: a session by certificate or by AssumeRole, what it may
// do, and changes by an administrator. Some are refused, as they must be.
func (x *traffic) round(ctx context.Context, client, round int) error {
	config := x.r.config
	keys, err := x.session(ctx, round%2 == 0)
	if err != nil {
		return err
	}
	config.Credentials = keys
	if _, err := sts.NewFromConfig(config).GetCallerIdentity(ctx, nil); err != nil {
		return err
	}
	if err := x.objects(ctx, config, fmt.Sprintf("%d/%d", client, round%10)); err != nil {
		return err
	}
	if _, err := iam.NewFromConfig(config).ListUsers(ctx, nil); err == nil {
		return fmt.Errorf("a session may do what no policy allows it")
	}
	i, role := iam.NewFromConfig(x.r.config), fmt.Sprintf("soak-%d", client)
	if _, err := i.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &role, AssumeRolePolicyDocument: aws.String(trustAccount)}); err != nil {
		return err
	}
	sim, err := i.SimulateCustomPolicy(ctx, &iam.SimulateCustomPolicyInput{PolicyInputList: []string{trustNothing}, ActionNames: []string{"s3:GetObject"}})
	if err != nil {
		return err
	}
	if d := sim.EvaluationResults[0].EvalDecision; d != iamtypes.PolicyEvaluationDecisionTypeExplicitDeny {
		return fmt.Errorf("simulated %s", d)
	}
	_, err = i.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &role})
	x.calls.Add(5)
	return err
}

const trustNothing = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`

func (x *traffic) objects(ctx context.Context, config aws.Config, key string) error {
	b := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := b.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("soak"), Key: &key, Body: strings.NewReader(key)}); err != nil {
		return err
	}
	out, err := b.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("soak"), Key: &key})
	if err != nil {
		return err
	}
	defer out.Body.Close()
	if data, err := io.ReadAll(out.Body); err != nil || string(data) != key {
		return fmt.Errorf("the object %s holds %q: %v", key, data, err)
	}
	_, err = b.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("soak"), Key: &key})
	x.calls.Add(3)
	return err
}

// session makes one by certificate, or by AssumeRole.
func (x *traffic) session(ctx context.Context, byCertificate bool) (aws.CredentialsProvider, error) {
	x.calls.Add(1)
	if !byCertificate {
		out, err := sts.NewFromConfig(x.r.config).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(soakRole), RoleSessionName: aws.String("soak")})
		if err != nil {
			return nil, err
		}
		c := out.Credentials
		return credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken), nil
	}
	query := url.Values{"profileArn": {x.shelf}, "roleArn": {soakRole}, "trustAnchorArn": {x.anchor}}
	body := []byte(`{}`)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, *x.r.config.BaseEndpoint+"/sessions?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	signer := sigv4x509.Signer{Key: x.scene.key, Leaf: x.scene.leaf, Region: "us-east-1", Service: "rolesanywhere"}
	if err := signer.Sign(r, body, time.Now()); err != nil {
		return nil, err
	}
	answer, err := x.r.config.HTTPClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	var set struct {
		CredentialSet []struct {
			Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }
		}
	}
	if err == nil {
		err = json.Unmarshal(text, &set)
	}
	if err != nil || len(set.CredentialSet) != 1 {
		return nil, fmt.Errorf("CreateSession: %s: %s: %w", answer.Status, text, err)
	}
	c := set.CredentialSet[0].Credentials
	return credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken), nil
}
