package secrets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"daypass.dev"
	"daypass.dev/policy"
	"daypass.dev/reason"
	"daypass.dev/sandbox"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

const home, other = "111122223333", "444455556666"

// A stage is a sandbox, its administrator's clients, and a reader, before whose
// calls a test can stand.
type stage struct {
	*sandboxtest.Sandbox
	t       *testing.T
	reader  *Reader
	secrets *secretsmanager.Client
	before  atomic.Pointer[func(operation, region string, w http.ResponseWriter) (done bool)]
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t}
	w := world.New()
	aws := sandbox.New(w)
	s.Sandbox = sandboxtest.StartHandler(t, w, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		scope := strings.Split(r.Header.Get("Authorization"), "/")
		if f := s.before.Load(); f != nil && len(scope) > 2 && (*f)(operation, scope[2], rw) {
			return
		}
		aws.ServeHTTP(rw, r)
	}))
	s.reader = &Reader{Endpoint: s.URL, Client: s.Client()}
	s.secrets = secretsmanager.NewFromConfig(s.Config())
	return s
}

// fixed is a source of credentials that never change.
type fixed daypass.Credentials

// Credentials implements daypass.Source.
func (f fixed) Credentials(context.Context) (daypass.Credentials, error) {
	return daypass.Credentials(f), nil
}

// principal is a role's session that may do what the statements say.
func (s *stage) principal(name string, statements ...string) Principal {
	s.t.Helper()
	s.World.Lock()
	role := s.World.Accounts[home].AddRole(name, "/", s.document(policy.Trust, `{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}`))
	if len(statements) > 0 {
		role.Inline["own"] = s.document(policy.Identity, statements...)
	}
	s.World.Unlock()
	id, secret, token, err := s.World.Seal(world.Session{
		Account: home, RoleName: name, RoleARN: role.ARN, RoleID: role.ID, Name: "pod",
		Tags: map[string]string{"kubernetes-namespace": "default"}, Issued: s.World.Now(), Expires: s.World.Now().Add(time.Hour),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return Principal{Key: name, Account: home, Tags: map[string]string{"kubernetes-namespace": "default"}, Source: fixed{
		AccessKeyID: id, SecretAccessKey: daypass.Secret(secret), SessionToken: daypass.Secret(token), Expires: time.Now().Add(time.Hour),
	}}
}

func (s *stage) document(kind policy.Kind, statements ...string) *policy.Document {
	s.t.Helper()
	doc, err := policy.Parse(kind, `{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`)
	if err != nil {
		s.t.Fatal(err)
	}
	return doc
}

func allow(actions, resource string) string {
	return `{"Effect":"Allow","Action":["` + strings.ReplaceAll(actions, " ", `","`) + `"],"Resource":"` + resource + `"}`
}

// many makes secrets s0 and on, and the class that asks for all.
func (s *stage) many(n int) *Class {
	s.t.Helper()
	c := &Class{}
	for i := range n {
		name := fmt.Sprintf("s%d", i)
		if _, err := s.secrets.CreateSecret(s.t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String("value of " + name)}); err != nil {
			s.t.Fatal(err)
		}
		c.Objects = append(c.Objects, Object{Item: Item{Name: name}, File: Place{Path: name}})
	}
	return c
}

// calls counts the decisions since a mark, by operation.
func (s *stage) calls(since int) map[string]int {
	all := map[string]int{}
	for _, d := range s.Decisions()[since:] {
		all[d.Operation]++
	}
	return all
}

func (s *stage) expect(since int, what string, want map[string]int) {
	s.t.Helper()
	if got := s.calls(since); fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Errorf("%s: calls %v, want %v", what, got, want)
	}
}

func (s *stage) read(p Principal, c *Class) []Value {
	s.t.Helper()
	values, err := s.reader.Read(s.t.Context(), p, c, "us-east-1", false)
	if err != nil {
		s.t.Fatal(err)
	}
	for i, o := range c.Objects {
		if want := "value of " + o.Name; !o.Parameter && string(values[i].Data) != want {
			s.t.Errorf("%s is %q", o.Name, values[i].Data)
		}
	}
	return values
}

// together lets calls wait until n of them are there, so that a client that
// makes one after the other never ends.
func (s *stage) together(n int) {
	var arrived sync.WaitGroup
	arrived.Add(n)
	var count atomic.Int64
	f := func(_, _ string, _ http.ResponseWriter) bool {
		if count.Add(1) <= int64(n) {
			arrived.Done()
			arrived.Wait()
		}
		return false
	}
	s.before.Store(&f)
}

// 50 secrets by batch: three calls, side by side. 30 more readers of the same
// principal make none. After a minute it is three again.
func TestFiftySecretsByBatch(t *testing.T) {
	s := newStage(t)
	now := time.Now()
	var clock sync.Mutex
	s.reader.now = func() time.Time { clock.Lock(); defer clock.Unlock(); return now }
	c := s.many(50)
	p := s.principal("batcher", allow("secretsmanager:BatchGetSecretValue secretsmanager:GetSecretValue", "*"))
	mark := len(s.Decisions())
	s.together(3)
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() { s.read(p, c) })
	}
	all.Wait()
	s.expect(mark, "30 readers", map[string]int{"BatchGetSecretValue": 3})
	mark = len(s.Decisions())
	s.read(p, c)
	s.expect(mark, "within a minute", map[string]int{})
	clock.Lock()
	now = now.Add(lasting)
	clock.Unlock()
	s.read(p, c)
	s.expect(mark, "50 unchanged secrets, after a minute", map[string]int{"BatchGetSecretValue": 3})

	// Who has them already makes no calls until the interval is nearly over.
	s.reader.Keep = 10 * time.Minute
	for step, want := range []map[string]int{{}, {"BatchGetSecretValue": 3}, {}} {
		clock.Lock()
		now = now.Add([]time.Duration{7 * time.Minute, 3 * time.Minute, 7 * time.Minute}[step])
		clock.Unlock()
		mark = len(s.Decisions())
		for range 30 {
			if _, err := s.reader.Read(t.Context(), p, c, "us-east-1", true); err != nil {
				t.Fatal(err)
			}
		}
		s.expect(mark, fmt.Sprintf("30 polls, step %d", step), want)
	}
}

// Who may not batch reads 50 side by side; that is remembered.
func TestFiftySecretsWithoutBatch(t *testing.T) {
	s := newStage(t)
	now := time.Now()
	s.reader.now = func() time.Time { return now }
	c := s.many(50)
	p := s.principal("single", allow("secretsmanager:GetSecretValue", "*"))
	mark := len(s.Decisions())
	s.read(p, c)
	s.expect(mark, "the first time", map[string]int{"BatchGetSecretValue": 3, "GetSecretValue": 50})
	now = now.Add(lasting)
	mark = len(s.Decisions())
	s.together(50)
	s.read(p, c)
	s.expect(mark, "afterwards", map[string]int{"GetSecretValue": 50})
	now = now.Add(time.Hour)
	mark = len(s.Decisions())
	s.before.Store(nil)
	s.read(p, c)
	s.expect(mark, "an hour later", map[string]int{"BatchGetSecretValue": 3, "GetSecretValue": 50})
}

// However many secrets a class has, and one by one: so many calls at once, and
// no more.
func TestCallsAtOnce(t *testing.T) {
	s := newStage(t)
	c := s.many(2 * mostCalls)
	p := s.principal("single", allow("secretsmanager:GetSecretValue", "*"))
	var now, most atomic.Int64
	var once sync.Once
	all := make(chan struct{})
	s.reader.Client = &http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetSecretValue") {
			n := now.Add(1)
			defer now.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); {
				m = most.Load()
			}
			if n >= mostCalls { // as many as there may be: more would have come
				once.Do(func() { close(all) })
			}
			select {
			case <-all:
			case <-r.Context().Done(): // fewer come
				return nil, r.Context().Err()
			}
		}
		return s.Client().Transport.RoundTrip(r)
	})}
	s.read(p, c)
	if n := most.Load(); n != mostCalls {
		t.Errorf("%d at once, want %d", n, mostCalls)
	}
}

type trip func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A class that is larger than any mount is not read to its end, is not
// remembered, and nobody asks the other region for it.
func TestTooLargeIsNotReadToItsEnd(t *testing.T) {
	s := newStage(t)
	c := &Class{Region: "us-east-1", FailoverRegion: "eu-west-1"}
	value := strings.Repeat("x", 65000)
	const n = 400 // 26 MB
	for i := range n {
		name := fmt.Sprintf("s%d", i)
		if _, err := s.secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: &value}); err != nil {
			t.Fatal(err)
		}
		c.Objects = append(c.Objects, Object{Item: Item{Name: name}, File: Place{Path: name}})
	}
	p := s.principal("reader", allow("secretsmanager:GetSecretValue", "*"))
	mark := len(s.Decisions())
	_, err := s.reader.Read(t.Context(), p, c, "", false)
	var e *Error
	if !errors.As(err, &e) || e.Slug != "secrets-too-large" {
		t.Errorf("%.300v", err)
	}
	if calls := s.calls(mark)["GetSecretValue"]; calls > maxTotal/len(value)+1+mostCalls { // those under way beside
		t.Errorf("%d calls for what is too large after %d", calls, maxTotal/len(value)+1)
	}
	for _, d := range s.Decisions()[mark:] {
		if d.Region == "eu-west-1" {
			t.Fatal("the other region was asked")
		}
	}
	if len(s.reader.held) != 0 {
		t.Errorf("%d values are remembered", len(s.reader.held))
	}
}

// Who shares a secret with a class that is too large gets it all the same.
func TestAnotherClassIsTooLarge(t *testing.T) {
	s := newStage(t)
	value := strings.Repeat("x", 65000)
	large, small := &Class{}, &Class{}
	for i := range maxTotal/len(value) + 1 {
		name := fmt.Sprintf("large%d", i)
		if _, err := s.secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: &value}); err != nil {
			t.Fatal(err)
		}
		large.Objects = append(large.Objects, Object{Item: Item{Name: name}, File: Place{Path: name}})
	}
	for name, classes := range map[string][]*Class{"shared": {large, small}, "own": {small}} {
		if _, err := s.secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: &name}); err != nil {
			t.Fatal(err)
		}
		for _, c := range classes {
			c.Objects = append(c.Objects, Object{Item: Item{Name: name}, File: Place{Path: name}})
		}
	}
	p := s.principal("single", allow("secretsmanager:GetSecretValue", "*"))
	begun, joined, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var first, second sync.Once
	s.reader.Client = &http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetSecretValue") {
			first.Do(func() { close(begun) })
			switch {
			case bytes.Contains(body, []byte("shared")): // not before there is too much beside it
				select {
				case <-r.Context().Done():
					return nil, r.Context().Err()
				case <-over:
				}
			case bytes.Contains(body, []byte("own")): // and so the small class has found that the other is being read
				second.Do(func() { close(joined) })
			default:
				<-joined
			}
		}
		return s.Client().Transport.RoundTrip(r)
	})}
	refused := make(chan error, 1)
	go func() {
		_, err := s.reader.Read(t.Context(), p, large, "us-east-1", false)
		close(over)
		refused <- err
	}()
	<-begun
	values, err := s.reader.Read(t.Context(), p, small, "us-east-1", false)
	if err != nil || string(values[0].Data)+string(values[1].Data) != "sharedown" && string(values[0].Data)+string(values[1].Data) != "ownshared" {
		t.Errorf("the small class: %v, %v", values, err)
	}
	var e *Error
	if err := <-refused; !errors.As(err, &e) || e.Slug != "secrets-too-large" {
		t.Errorf("the large class: %.300v", err)
	}
}

// What one principal may read is not given to another.
func TestPrincipalsNeverShare(t *testing.T) {
	s := newStage(t)
	c := s.many(2)
	ann := s.principal("ann", allow("secretsmanager:*", "*"))
	bob := s.principal("bob", allow("secretsmanager:BatchGetSecretValue", "*"))
	s.read(ann, c)
	_, err := s.reader.Read(t.Context(), bob, c, "us-east-1", false)
	var e *Error
	if !errors.As(err, &e) || e.Slug != "secrets-denied" {
		t.Errorf("bob: %v", err)
	}
	s.read(ann, c)
}

// A parameter of another account is asked for by its ARN; until that account
// shares it, the mend says so.
func TestAnotherAccountsParameter(t *testing.T) {
	s := newStage(t)
	k := s.World.Administrator("444455556666")
	owner := ssm.NewFromConfig(s.ConfigFor(k.ID, k.Secret, ""))
	const arn = "arn:aws:ssm:us-east-1:444455556666:parameter/far"
	if _, err := owner.PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: aws.String("/far"), Value: aws.String("away"), Type: ssmtypes.ParameterTypeString, Tier: ssmtypes.ParameterTierAdvanced,
	}); err != nil {
		t.Fatal(err)
	}
	p, class := s.principal("reader", allow("ssm:*", "*")), &Class{Objects: []Object{{Item: Item{Parameter: true, Name: arn}}}}
	_, err := s.reader.Read(t.Context(), p, class, "us-east-1", false)
	if e := (*Error)(nil); !errors.As(err, &e) || e.Code != "AccessDeniedException" || !strings.Contains(e.Advice(), "in the resource policy of the parameter") {
		t.Errorf("not shared: %v", err)
	}
	if _, err := owner.PutResourcePolicy(t.Context(), &ssm.PutResourcePolicyInput{ResourceArn: aws.String(arn), Policy: aws.String(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":["ssm:GetParameter","ssm:GetParameters"],"Resource":"` + arn + `"}]}`)}); err != nil {
		t.Fatal(err)
	}
	if values := s.read(p, class); string(values[0].Data) != "away" {
		t.Errorf("shared: %q", values[0].Data)
	}
}

// Versions, labels, other accounts and parameters, each by the call that it
// takes, all at once.
func TestEveryKindOfItem(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	c := s.many(3)
	params := ssm.NewFromConfig(s.Config())
	for i := range 12 {
		for _, value := range []string{"one", "two"} {
			if _, err := params.PutParameter(ctx, &ssm.PutParameterInput{Name: aws.String(fmt.Sprintf("/p/%d", i)), Value: aws.String(value), Type: ssmtypes.ParameterTypeSecureString, Overwrite: aws.Bool(true)}); err != nil {
				t.Fatal(err)
			}
		}
		c.Objects = append(c.Objects, Object{Item: Item{Parameter: true, Name: fmt.Sprintf("/p/%d", i)}})
	}
	if _, err := params.LabelParameterVersion(ctx, &ssm.LabelParameterVersionInput{Name: aws.String("/p/0"), ParameterVersion: aws.Int64(1), Labels: []string{"old"}}); err != nil {
		t.Fatal(err)
	}
	c.Objects = append(c.Objects, Object{Item: Item{Parameter: true, Name: "/p/0", Label: "old"}}, Object{Item: Item{Parameter: true, Name: "/p/0", Version: "1"}},
		Object{Item: Item{Parameter: true, Name: "arn:aws:ssm:us-east-1:111122223333:parameter/p/1"}})
	p := s.principal("reader", allow("secretsmanager:* ssm:*", "*"))
	mark := len(s.Decisions())
	s.together(3)
	values := s.read(p, c)
	s.expect(mark, "3 secrets and 15 parameters", map[string]int{"BatchGetSecretValue": 1, "GetParameters": 2})
	if got := fmt.Sprintf("%s %s %s %s", values[3].Data, values[15].Data, values[16].Data, values[17].Data); got != "two one one two" || values[15].Version != "1" {
		t.Errorf("got %s", got)
	}
	s.before.Store(nil)
	_, err := s.reader.Read(ctx, p, &Class{Objects: []Object{{Item: Item{Parameter: true, Name: "/p/1"}}, {Item: Item{Parameter: true, Name: "/none"}}}}, "us-east-1", false)
	if err == nil || !strings.Contains(err.Error(), "us-east-1: /none: GetParameters: ParameterNotFound: there is no such parameter") {
		t.Errorf("a missing parameter: %v", err)
	}
	// One that is refused is told alone; throttling makes no more calls.
	some := s.principal("some", allow("ssm:*", "arn:aws:ssm:*:*:parameter/p/1"))
	both := &Class{Objects: []Object{{Item: Item{Parameter: true, Name: "/p/1"}}, {Item: Item{Parameter: true, Name: "/p/2"}}}}
	if _, err := s.reader.Read(ctx, some, both, "us-east-1", false); err == nil || strings.Contains(err.Error(), "/p/1: ") || !strings.Contains(err.Error(), "us-east-1: /p/2: GetParameters: AccessDeniedException") {
		t.Errorf("one parameter of two: %v", err)
	}
	asked := atomic.Int64{}
	busy := func(operation, _ string, w http.ResponseWriter) bool {
		if operation != "GetParameters" {
			return false
		}
		asked.Add(1)
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"__type":"ThrottlingException","message":"Rate exceeded"}`))
		return true
	}
	s.before.Store(&busy)
	throttled := s.principal("throttled", allow("ssm:*", "*"))
	if _, err := s.reader.Read(ctx, throttled, both, "us-east-1", false); err == nil || asked.Load() != 4 { // the SDK's own tries
		t.Errorf("throttled: %v after %d calls", err, asked.Load())
	}
	s.before.Store(nil)
	// The same secret under its three names, and a pinned version.
	d, err := s.secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String("s0")})
	if err != nil {
		t.Fatal(err)
	}
	version := ""
	for id := range d.VersionIdsToStages {
		version = id
	}
	if _, err := s.secrets.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: d.ARN, SecretString: aws.String("new")}); err != nil {
		t.Fatal(err)
	}
	arn := *d.ARN
	values, err = s.reader.Read(ctx, p, &Class{Objects: []Object{{Item: Item{Name: arn}}, {Item: Item{Name: arn[:len(arn)-7]}}, {Item: Item{Name: "s0", Version: version}}, {Item: Item{Name: "s0", Label: "AWSPREVIOUS"}}}}, "us-east-1", false)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%s, %s, %s, %s", values[0].Data, values[1].Data, values[2].Data, values[3].Data); got != "new, new, value of s0, value of s0" {
		t.Errorf("got %s", got)
	}
}

// The second region is asked only where the first does not answer, and never
// for a 4xx.
func TestFailover(t *testing.T) {
	s := newStage(t)
	cfg := s.Config()
	cfg.Region = "eu-west-1"
	second := secretsmanager.NewFromConfig(cfg)
	for _, c := range []*secretsmanager.Client{s.secrets, second} {
		if _, err := c.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("a"), SecretString: aws.String("value of a")}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := second.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("only-there"), SecretString: aws.String("x")}); err != nil {
		t.Fatal(err)
	}
	p := s.principal("reader", allow("secretsmanager:*", "*"))
	class := func(name string) *Class {
		return &Class{Region: "us-east-1", FailoverRegion: "eu-west-1", Objects: []Object{{Item: Item{Name: name}}}}
	}
	regions := func(since int) (all string) {
		for _, d := range s.Decisions()[since:] {
			all += d.Region + " "
		}
		return all
	}
	mark := len(s.Decisions())
	s.read(p, class("a"))
	if got := regions(mark); got != "us-east-1 " {
		t.Errorf("the first answers: asked %s", got)
	}
	mark = len(s.Decisions())
	if _, err := s.reader.Read(t.Context(), p, class("only-there"), "", false); err == nil || !strings.Contains(err.Error(), "us-east-1: only-there: GetSecretValue: ResourceNotFoundException") {
		t.Errorf("not there: %v", err)
	}
	if got := regions(mark); got != "us-east-1 " {
		t.Errorf("the first refuses: asked %s", got)
	}
	down := func(_, region string, w http.ResponseWriter) bool {
		if region == "us-east-1" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	}
	s.before.Store(&down)
	s.reader.mu.Lock()
	clear(s.reader.held)
	s.reader.mu.Unlock()
	mark = len(s.Decisions())
	s.read(p, class("a"))
	if got := regions(mark); got != "eu-west-1 " {
		t.Errorf("the first is down: the second was asked %s", got)
	}
}

// The role of assumeRoleArn reads, and is assumed once.
func TestAssumeRole(t *testing.T) {
	s := newStage(t)
	p := s.principal("reader", allow("sts:AssumeRole", "arn:aws:iam::"+other+":role/far"))
	s.World.Lock()
	far := s.World.AddAccount(other).AddRole("far", "/", s.document(policy.Trust, `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/reader"},"Action":"sts:AssumeRole"}`))
	far.Inline["own"] = s.document(policy.Identity, allow("secretsmanager:*", "*"))
	s.World.Unlock()
	k := s.World.Administrator(other)
	there := secretsmanager.NewFromConfig(s.ConfigFor(k.ID, k.Secret, ""))
	for _, name := range []string{"a", "b"} {
		if _, err := there.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String("value of " + name)}); err != nil {
			t.Fatal(err)
		}
	}
	mark := len(s.Decisions())
	for _, name := range []string{"a", "b"} {
		s.read(p, &Class{AssumeRoleARN: far.ARN, Objects: []Object{{Item: Item{Name: name}}}})
	}
	s.expect(mark, "two objects", map[string]int{"AssumeRole": 1, "GetSecretValue": 2})
	_, err := s.reader.Read(t.Context(), p, &Class{AssumeRoleARN: far.ARN + "2", Objects: []Object{{Item: Item{Name: "a"}}}}, "us-east-1", false)
	var e *Error
	if !errors.As(err, &e) || e.Slug != "secrets-assume-role" || !strings.Contains(err.Error(), "not authorized to perform: sts:AssumeRole") {
		t.Errorf("a role that does not trust: %v", err)
	}
}

// Each permission that is missing is the one that the error names.
func TestMissingPermissions(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	k := s.World.Administrator(other)
	there := secretsmanager.NewFromConfig(s.ConfigFor(k.ID, k.Secret, ""))
	keys := kms.NewFromConfig(s.ConfigFor(k.ID, k.Secret, ""))
	key, err := keys.CreateKey(ctx, &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	keyARN := *key.KeyMetadata.Arn
	create := func(name, key string) string {
		in := &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String("value of " + name), Tags: []smtypes.Tag{{Key: aws.String("kubernetes-namespace"), Value: aws.String("default")}}}
		if key != "" {
			in.KmsKeyId = &key
		}
		out, err := there.CreateSecret(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		return *out.ARN
	}
	secret, managed := create("secret_b", keyARN), create("managed", "")
	resource := func(arn, condition string) {
		t.Helper()
		text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + home + `"},"Action":["secretsmanager:GetSecretValue","secretsmanager:DescribeSecret"],"Resource":"*"` + condition + `}]}`
		if _, err := there.PutResourcePolicy(ctx, &secretsmanager.PutResourcePolicyInput{SecretId: &arn, ResourcePolicy: &text}); err != nil {
			t.Fatal(err)
		}
	}
	keyPolicy := func(accounts ...string) {
		t.Helper()
		text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["` + strings.Join(accounts, `","`) + `"]},"Action":"kms:*","Resource":"*"}]}`
		if _, err := keys.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &keyARN, Policy: &text}); err != nil {
			t.Fatal(err)
		}
	}
	reads, decrypts := allow("secretsmanager:GetSecretValue secretsmanager:DescribeSecret", "*"), allow("kms:Decrypt kms:DescribeKey", "*")
	const sameTag = `,"Condition":{"StringEquals":{"secretsmanager:ResourceTag/kubernetes-namespace":"${aws:PrincipalTag/kubernetes-namespace}"}}`
	rows := []struct {
		name, slug, text, hint string
		arn                    string
		statements             []string
		prepare                func()
	}{
		{"identity policy", "secrets-denied", "because no identity-based policy allows the secretsmanager:GetSecretValue action",
			"allow secretsmanager:GetSecretValue in an identity policy of the pod's role; if a condition compares tags: this pod's are kubernetes-namespace=default",
			secret, []string{decrypts}, func() { resource(secret, sameTag); keyPolicy(other, home) }},
		{"resource policy", "secrets-denied", "because no resource-based policy allows the secretsmanager:GetSecretValue action",
			"in the resource policy of the secret", secret, []string{reads, decrypts}, func() {
				if _, err := there.DeleteResourcePolicy(ctx, &secretsmanager.DeleteResourcePolicyInput{SecretId: &secret}); err != nil {
					t.Fatal(err)
				}
			}},
		{"tag", "secrets-denied", "because no resource-based policy allows", "if a condition compares tags: this pod's are kubernetes-namespace=default, and the secret must carry the same",
			secret, []string{reads, decrypts}, func() {
				resource(secret, sameTag)
				if _, err := there.UntagResource(ctx, &secretsmanager.UntagResourceInput{SecretId: &secret, TagKeys: []string{"kubernetes-namespace"}}); err != nil {
					t.Fatal(err)
				}
			}},
		{"key policy", "secret-key-denied", "Access to KMS is not allowed: KMS says: User: arn:aws:sts::111122223333:assumed-role/key-policy/pod is not authorized to perform: kms:DescribeKey",
			"to the pod's role or account in the key policy of the KMS key", secret, []string{reads, decrypts}, func() { resource(secret, ""); keyPolicy(other) }},
		{"identity policy for the key", "secret-key-denied", "Access to KMS is not allowed", "allow kms:Decrypt and kms:DescribeKey on " + keyARN + " in an identity policy of the pod's role",
			secret, []string{reads}, func() { keyPolicy(other, home) }},
		{"AWS's own key", "secret-own-key", "if you encrypt the secret with the default KMS service key", "customer-managed KMS key", managed, []string{reads, decrypts}, func() { resource(managed, "") }},
	}
	for _, r := range rows {
		r.prepare()
		p := s.principal(strings.ReplaceAll(strings.ReplaceAll(r.name, " ", "-"), "'", ""), r.statements...)
		_, err := s.reader.Read(ctx, p, &Class{Objects: []Object{{Item: Item{Name: r.arn}}}}, "us-east-1", false)
		var e *Error
		if !errors.As(err, &e) || e.Slug != r.slug || !strings.Contains(err.Error(), r.text) || !strings.Contains(e.Advice(), r.hint) {
			t.Errorf("%s: %v\nhint: %s", r.name, err, daypass.Advice(err))
			continue
		}
		if _, ok := reason.Lookup(e.Slug); !ok {
			t.Errorf("%s: %s is not in the catalogue", r.name, e.Slug)
		}
		if !strings.HasPrefix(err.Error(), "us-east-1: "+r.arn+": GetSecretValue: ") || e.RequestID == "" {
			t.Errorf("%s: %v does not name region, object, call and request", r.name, err)
		}
	}
	p := s.principal("all", reads, decrypts)
	values, err := s.reader.Read(ctx, p, &Class{Objects: []Object{{Item: Item{Name: secret}}}}, "us-east-1", false)
	if err != nil || string(values[0].Data) != "value of secret_b" {
		t.Errorf("with all permissions: %v", err)
	}
}
