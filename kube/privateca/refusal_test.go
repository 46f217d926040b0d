package privateca

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"
	"k8s.io/client-go/util/flowcontrol"

	"daypass.dev/reason"
)

// slugs are all that stand in the source; each has a row in the catalogue.
func slugs(t *testing.T) map[string]bool {
	t.Helper()
	slug := regexp.MustCompile(`^(pca|issuer)-[a-z-]+$|^throttled$|^quota-exceeded$`)
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil && slug.MatchString(text) {
					found[text] = true
				}
			}
			return true
		})
	}
	if len(found) < 18 {
		t.Fatalf("only %d slugs were found: %v", len(found), found)
	}
	for s := range found {
		if row, ok := reason.Lookup(s); !ok || row.Mend == "" {
			t.Errorf("%s has no row", s)
		}
	}
	return found
}

func TestClasses(t *testing.T) {
	api := func(code string, fault smithy.ErrorFault) error {
		return &smithy.OperationError{ServiceID: "ACM PCA", OperationName: "IssueCertificate", Err: &smithy.GenericAPIError{Code: code, Message: "m", Fault: fault}}
	}
	for _, c := range []struct {
		err   error
		class class
		slug  string
	}{
		{api("ThrottlingException", smithy.FaultClient), slower, "throttled"},
		{api("TooManyRequestsException", smithy.FaultClient), slower, "throttled"},
		{api("RequestInProgressException", smithy.FaultClient), waits, "pca-in-progress"},
		{api("InternalServerError", smithy.FaultServer), waits, "pca-unreachable"},
		{api("ServiceUnavailableException", smithy.FaultUnknown), waits, "pca-unreachable"},
		{errors.New("dial tcp: lookup acm-pca…: no such host"), waits, "pca-unreachable"},
		{api("InvalidStateException", smithy.FaultClient), blames, "pca-state"},
		{api("ResourceNotFoundException", smithy.FaultClient), blames, "pca-missing"},
		{api("ExpiredTokenException", smithy.FaultClient), blames, "issuer-credentials"},
		{fmt.Errorf("signing: %w", &credentialsError{errors.New("the certificate has expired")}), blames, "issuer-credentials"},
		{api("LimitExceededException", smithy.FaultClient), blames, "quota-exceeded"},
		{api("AccessDeniedException", smithy.FaultClient), fails, "issuer-access"},
		{api("MalformedCSRException", smithy.FaultClient), fails, "pca-csr"},
		{api("InvalidArgsException", smithy.FaultClient), fails, "issuer-request"},
		{api("ValidationException", smithy.FaultClient), fails, "issuer-request"},
	} {
		if got := sort(c.err); got.class != c.class || got.slug != c.slug {
			t.Errorf("%v is of class %d, %s", c.err, got.class, got.slug)
		}
	}
}

// What AWS says changes from call to call; a condition must not.
func TestOneLine(t *testing.T) {
	a := oneLine("operation error ACM PCA: IssueCertificate, https response error StatusCode: 400, RequestID: 1-2-3, api error X:\n m")
	b := oneLine("operation error ACM PCA: IssueCertificate, https response error StatusCode: 400, RequestID: 4-5-6, api error X: m")
	if a != b || strings.Contains(a, "1-2-3") || !strings.Contains(a, "api error X: m") {
		t.Errorf("%q\n%q", a, b)
	}
	if long := oneLine(strings.Repeat("x", 5000)); len(long) > 610 {
		t.Errorf("%d bytes", len(long))
	}
	if got := conditionReason("issuer-secret-namespace"); got != "IssuerSecretNamespace" {
		t.Error(got)
	}
}

// A CA that throttles is left alone, longer and longer; one answer ends that.
func TestPace(t *testing.T) {
	p := &pace{bucket: flowcontrol.NewFakeAlwaysRateLimiter()}
	tooMany := &smithy.GenericAPIError{Code: "ThrottlingException"}
	now := noon
	if p.turn(now) != 0 {
		t.Error("the first call must wait")
	}
	last := time.Duration(0)
	for range 10 {
		p.heard(tooMany, now)
		p.heard(tooMany, now) // another worker's call of the same moment
		wait := p.resumes.Sub(now)
		if wait < last || wait > lastPause || wait > 2*max(last, firstPause) {
			t.Errorf("after %s it waits %s", last, wait)
		}
		if got := p.turn(now); got < wait || got > wait+crowd {
			t.Errorf("its turn comes in %s, calls resume in %s", got, wait)
		}
		last, now = wait, now.Add(wait+time.Millisecond)
	}
	if last != lastPause {
		t.Errorf("at last it waits %s", last)
	}
	p.heard(nil, now)
	p.heard(tooMany, now)
	if wait := p.resumes.Sub(now); wait != firstPause {
		t.Errorf("after an answer it waits %s", wait)
	}
	empty := &pace{bucket: flowcontrol.NewFakeNeverRateLimiter()}
	if wait := empty.turn(now); wait < crowd/2 || wait > 2*crowd {
		t.Errorf("with an empty bucket it waits %s", wait)
	}
}
