package sandbox_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"daypass.dev/sandbox/sandboxtest"
)

const administrator = "arn:aws:iam::111122223333:user/sandbox-administrator"

// Clients that know nothing but the proxy reach AWS's own names: regional,
// global, and a bucket's.
func TestProxy(t *testing.T) {
	s := sandboxtest.Start(t, "accounts: {\"111122223333\": {buckets: {my-bucket: {region: eu-west-1, objects: {k: hello}}}}}")
	cfg := s.Config()
	cfg.BaseEndpoint, cfg.HTTPClient, cfg.Region = nil, s.ProxyClient(), "eu-west-1"
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil)
	if err != nil || *who.Arn != administrator {
		t.Fatalf("%+v, %v", who, err)
	}
	if d := s.Last(t, "GetCallerIdentity"); d.Region != "eu-west-1" || d.Service != "sts" {
		t.Errorf("recorded %+v", d)
	}
	if _, err := iam.NewFromConfig(cfg).ListRoles(t.Context(), nil); err != nil {
		t.Error(err)
	}
	o, err := s3.NewFromConfig(cfg).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("my-bucket"), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Body.Close()
	if text, err := io.ReadAll(o.Body); err != nil || string(text) != "hello" {
		t.Errorf("read %q, %v", text, err)
	}
}

func TestProxyOfPlainHTTP(t *testing.T) {
	s := sandboxtest.Start(t, "")
	cfg := s.Config()
	cfg.BaseEndpoint, cfg.HTTPClient = aws.String("http://sts.eu-west-1.amazonaws.com"), s.ProxyClient()
	cfg.Region = "eu-west-1"
	if who, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil); err != nil || *who.Arn != administrator {
		t.Fatalf("%+v, %v", who, err)
	}
}

func TestPlainHTTP(t *testing.T) {
	s := sandboxtest.Start(t, "")
	cfg := s.Config()
	cfg.BaseEndpoint = &s.ProxyURL
	if who, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil); err != nil || *who.Arn != administrator {
		t.Fatalf("%+v, %v", who, err)
	}
}

func TestProxyIsForAWSOnly(t *testing.T) {
	s := sandboxtest.Start(t, "")
	for _, target := range []string{"example.com:443", "127.0.0.1:22", "amazonaws.com.example.com:443", "[::1]:80", "169.254.169.254:80", "drive.googleapis.com:443"} {
		status := firstLine(t, s, "CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\n\r\n")
		if !strings.HasPrefix(status, "HTTP/1.1 403 ") {
			t.Errorf("CONNECT %s: %s", target, status)
		}
		status = firstLine(t, s, "GET http://"+target+"/ HTTP/1.1\r\nHost: "+target+"\r\n\r\n")
		if !strings.HasPrefix(status, "HTTP/1.1 403 ") {
			t.Errorf("GET %s: %s", target, status)
		}
	}
	if n := len(s.Decisions()); n != 0 {
		t.Errorf("%d calls reached the sandbox", n)
	}
}

func firstLine(t *testing.T, s *sandboxtest.Sandbox, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.ProxyURL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// The CA signs for AWS's names, localhost and addresses, and for nothing else.
func TestCertificates(t *testing.T) {
	s := sandboxtest.Start(t, "")
	text, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		t.Fatal("no CA in the file")
	}
	address := strings.TrimPrefix(s.URL, "https://")
	for name, want := range map[string]bool{
		"127.0.0.1": true, "localhost": true, "sts.amazonaws.com": true, "a.b.s3.eu-west-1.amazonaws.com": true, "example.com": false,
	} {
		conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, ServerName: name})
		if (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			conn.Close()
		}
	}
}

// A client can set its clock by the Date header, which is the world's.
func TestDateIsTheWorlds(t *testing.T) {
	s := sandboxtest.Start(t, "clock: {offset: 20m}")
	answer, err := s.Client().Get(s.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	date, err := http.ParseTime(answer.Header.Get("Date"))
	if d := time.Until(date); err != nil || d < 19*time.Minute || d > 21*time.Minute {
		t.Errorf("Date is %v off, %v", d, err)
	}
	// The SDK does: it is refused once, learns the time, and gets through.
	if _, err := sts.NewFromConfig(s.Config()).GetCallerIdentity(t.Context(), nil); err != nil {
		t.Error(err)
	}
	var slugs []string
	for _, d := range s.Decisions() {
		if d.Operation == "GetCallerIdentity" {
			slugs = append(slugs, fmt.Sprint(d.Status, d.NotAWS))
		}
	}
	if want := "[403 [clock set by 20m0s] 200 [clock set by 20m0s]]"; fmt.Sprint(slugs) != want {
		t.Errorf("calls %v, want %s", slugs, want)
	}
}
