package secrets

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	driver "sigs.k8s.io/secrets-store-csi-driver/provider/v1alpha1"

	"daypass.dev/doctor"
	"daypass.dev/sandbox/world"
)

// Each parameter and field of AWS's provider against the running one: what the
// driver is told to write.
func TestEveryParameter(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	s.secret("db", `{"user":"user1","password":"passwd1"}`)
	s.secret("app/deep", "deep")
	if _, err := s.secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String("bin"), SecretBinary: []byte{0, 255, 10}}); err != nil {
		t.Fatal(err)
	}
	first := ""
	out, err := s.secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String("app/deep")})
	if err != nil {
		t.Fatal(err)
	}
	for first = range out.VersionIdsToStages {
	}
	arn := *out.ARN
	if _, err := s.secrets.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &arn, SecretString: aws.String("deeper")}); err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"one", "two"} {
		if _, err := s.parameters.PutParameter(ctx, &ssm.PutParameterInput{Name: aws.String("/app/p"), Value: &value, Type: ssmtypes.ParameterTypeSecureString, Overwrite: aws.Bool(true)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.parameters.LabelParameterVersion(ctx, &ssm.LabelParameterVersionInput{Name: aws.String("/app/p"), ParameterVersion: aws.Int64(1), Labels: []string{"old"}}); err != nil {
		t.Fatal(err)
	}
	far := s.Config()
	far.Region = "eu-west-1"
	for _, name := range []string{"there", "db"} {
		if _, err := secretsmanager.NewFromConfig(far).CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String("of eu-west-1")}); err != nil {
			t.Fatal(err)
		}
	}
	const db = "- {objectName: db, objectType: secretsmanager"
	whole := `{"user":"user1","password":"passwd1"}`
	for _, c := range []struct {
		name       string
		parameters []string
		want       map[string]string // path → mode and content
	}{
		{"objects, objectName, objectType", []string{"objects", db + "}"}, map[string]string{"db": "644 " + whole}},
		{"nothing", nil, map[string]string{}},
		{"objectAlias", []string{"objects", db + ", objectAlias: x.json}"}, map[string]string{"x.json": "644 " + whole}},
		{"filePermission", []string{"objects", db + `, filePermission: "0400"}`}, map[string]string{"db": "400 " + whole}},
		{"jmesPath", []string{"objects", db + `, jmesPath: [{path: user, objectAlias: u}, {path: password, objectAlias: p, filePermission: "0600"}]}`},
			map[string]string{"db": "644 " + whole, "u": "644 user1", "p": "600 passwd1"}},
		{"an ARN", []string{"objects", `- {objectName: "` + arn + `", objectAlias: a}`}, map[string]string{"a": "644 deeper"}},
		{"pathTranslation by default", []string{"objects", `- {objectName: app/deep, objectType: secretsmanager}`}, map[string]string{"app_deep": "644 deeper"}},
		{"pathTranslation", []string{"pathTranslation", "+", "objects", `- {objectName: app/deep, objectType: secretsmanager}`}, map[string]string{"app+deep": "644 deeper"}},
		{"pathTranslation off", []string{"pathTranslation", "False", "objects", `- {objectName: app/deep, objectType: secretsmanager}`}, map[string]string{"app/deep": "644 deeper"}},
		{"objectVersion", []string{"objects", `- {objectName: app/deep, objectType: secretsmanager, objectAlias: a, objectVersion: ` + first + `}`}, map[string]string{"a": "644 deep"}},
		{"objectVersionLabel", []string{"objects", `- {objectName: app/deep, objectType: secretsmanager, objectAlias: a, objectVersionLabel: AWSPREVIOUS}`}, map[string]string{"a": "644 deep"}},
		{"binary", []string{"objects", `- {objectName: bin, objectType: secretsmanager}`}, map[string]string{"bin": "644 \x00\xff\n"}},
		{"a parameter, its version, its label", []string{"objects", "- {objectName: /app/p, objectType: ssmparameter}\n- {objectName: /app/p, objectType: ssmparameter, objectAlias: v, objectVersion: \"1\"}\n" +
			"- {objectName: /app/p, objectType: ssmparameter, objectAlias: l, objectVersionLabel: old}"}, map[string]string{"_app_p": "644 two", "v": "644 one", "l": "644 one"}},
		{"region", []string{"region", "eu-west-1", "objects", `- {objectName: there, objectType: secretsmanager}`}, map[string]string{"there": "644 of eu-west-1"}},
		{"failoverRegion, not needed", []string{"region", "us-east-1", "failoverRegion", "eu-west-1", "objects", db + "}"}, map[string]string{"db": "644 " + whole}},
		{"failoverObject, not needed", []string{"region", "us-east-1", "failoverRegion", "eu-west-1", "objects", db + ", objectAlias: a, failoverObject: {objectName: there}}"}, map[string]string{"a": "644 " + whole}},
		{"usePodIdentity, preferredAddressType", []string{"usePodIdentity", "true", "preferredAddressType", "ipv6", "objects", db + "}"}, map[string]string{"db": "644 " + whole}},
	} {
		got := map[string]string{}
		for path, f := range s.mount("web-1", c.parameters...) {
			got[path] = fmt.Sprintf("%o %s", f.Mode, f.Contents)
		}
		if !maps.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	v, err := s.client.Version(ctx, &driver.VersionRequest{Version: "v1alpha1"})
	if err != nil || v.Version != "v1alpha1" || v.RuntimeName != "daypass" {
		t.Errorf("version %v, %v", v, err)
	}
	answer, err := s.ask(s.attributes("web-1", "objects", `- {objectName: app/deep, objectType: secretsmanager, objectVersion: `+first+`}`))
	if err != nil || len(answer.ObjectVersion) != 1 || answer.ObjectVersion[0].Id != "app_deep" || answer.ObjectVersion[0].Version != first {
		t.Errorf("versions %v, %v", answer, err)
	}
	// The failover region, while the first answers nothing.
	s.World.SetFaults(world.Fault{Service: "secretsmanager", Operation: "GetSecretValue", Code: "InternalServiceError", Status: 500, Count: 4})
	if f := s.mount("other-1", "region", "us-east-1", "failoverRegion", "eu-west-1", "objects", db+", objectAlias: a, failoverObject: {objectName: there}}"); string(f["a"].Contents) != "of eu-west-1" {
		t.Errorf("failed over to %v", f)
	}
}

// 30 pods of one ServiceAccount mount 50 secrets: three calls for all, and one
// for their credentials.
func TestThirtyPodsOfOneAccount(t *testing.T) {
	s := newStage(t)
	var objects strings.Builder
	for i := range 50 {
		s.secret(fmt.Sprintf("s%d", i), fmt.Sprintf("v%d", i))
		fmt.Fprintf(&objects, "- {objectName: s%d, objectType: secretsmanager}\n", i)
	}
	mark := len(s.Decisions())
	var all sync.WaitGroup
	for i := range 30 {
		all.Go(func() {
			if f := s.mount(fmt.Sprintf("web-%d", i), "usePodIdentity", "true", "objects", objects.String()); len(f) != 50 || string(f["s7"].Contents) != "v7" {
				t.Errorf("pod %d has %d files", i, len(f))
			}
		})
	}
	all.Wait()
	counts := map[string]int{}
	for _, d := range s.Decisions()[mark:] {
		counts[d.Operation]++
	}
	if want := map[string]int{"BatchGetSecretValue": 3, "AssumeRoleWithWebIdentity": 30}; counts["BatchGetSecretValue"] != 3 {
		t.Errorf("calls %v, want %v", counts, want)
	}
	t.Logf("calls %v", counts)
}

// AWS that does not answer, at the pod's credentials or at its secret, is told
// with a code that is final to kubelets before they lose patience.
func TestGivingUpBeforeTheKubelet(t *testing.T) {
	for silent, is := range map[string]func(target string) bool{
		"STS":            func(target string) bool { return target == "" },
		"GetSecretValue": func(target string) bool { return strings.HasSuffix(target, ".GetSecretValue") },
	} {
		t.Run(silent, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.secret("db", "x")
			s.secret("before", "x")
			if !is("") { // there are credentials
				s.mount("web-1", "objects", `- {objectName: before, objectType: secretsmanager}`)
			}
			var reached atomic.Bool
			wait := func(_ http.ResponseWriter, r *http.Request) bool {
				if !is(r.Header.Get("X-Amz-Target")) {
					return false
				}
				reached.Store(true)
				<-r.Context().Done()
				return true
			}
			s.before.Store(&wait)
			text, err := json.Marshal(s.attributes("web-1", "objects", `- {objectName: db, objectType: secretsmanager}`))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), ahead+2*time.Second)
			defer cancel()
			_, err = s.client.Mount(ctx, &driver.MountRequest{Attributes: string(text), Permission: "420", TargetPath: "/x"})
			if code := status.Code(err); code != codes.Internal && code != codes.PermissionDenied || ctx.Err() != nil {
				t.Errorf("%v, %v", err, ctx.Err())
			}
			if found := doctor.Recognise(err.Error()); !slices.Equal(found, []string{"secrets-unreachable"}) {
				t.Errorf("doctor reads %v in %v", found, err)
			}
			if !reached.Load() {
				t.Error("it was not asked")
			}
		})
	}
}

// Tokens may stand in the request's secrets, where a CSIDriver with
// serviceAccountTokenInSecrets has them.
func TestTokensInSecrets(t *testing.T) {
	s := newStage(t)
	s.secret("db", "x")
	attributes := s.attributes("web-1", "objects", `- {objectName: db, objectType: secretsmanager}`)
	tokens, err := json.Marshal(map[string]string{podTokens: attributes[podTokens]})
	if err != nil {
		t.Fatal(err)
	}
	delete(attributes, podTokens)
	text, err := json.Marshal(attributes)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.client.Mount(t.Context(), &driver.MountRequest{Attributes: string(text), Secrets: string(tokens), Permission: "420", TargetPath: "/x"})
	if err != nil || len(out.Files) != 1 {
		t.Errorf("got %v, %v", out, err)
	}
}

// A provider that is exchanged takes over the socket's name; the older one goes
// without taking it away.
func TestTakingOver(t *testing.T) {
	s := newStage(t)
	s.secret("db", "x")
	second := s.serve()
	s.client = second
	if f := s.mount("web-1", "objects", `- {objectName: db, objectType: secretsmanager}`); len(f) != 1 {
		t.Errorf("files %v", f)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add(`{"csi.storage.k8s.io/pod.name":"a","objects":"- {objectName: x}"}`, `{}`, "420", "/x")
	f.Add(`{"csi.storage.k8s.io/serviceAccount.tokens":"{\"sts.amazonaws.com\":{\"token\":\"x\"}}"}`, `{"a":"b"}`, "", "")
	f.Add("", "null", "-1", "/x")
	f.Fuzz(func(t *testing.T, attributes, inSecrets, permission, target string) {
		in := &driver.MountRequest{Attributes: attributes, Secrets: inSecrets, Permission: permission, TargetPath: target}
		r, err := parseRequest(in)
		if r == nil {
			t.Fatal("no request")
		}
		if err == nil && (r.class == nil || r.pod.Pod == "" || r.mode > 0o777 || r.target == "") {
			t.Fatalf("an incomplete request is taken: %+v", r)
		}
		if err != nil {
			if slug, _ := slugOf(err); slug == "" {
				t.Fatalf("an error without a slug: %v", err)
			}
		}
	})
}
