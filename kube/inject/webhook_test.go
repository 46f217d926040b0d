package inject

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"daypass.dev/doctor"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
)

// A shelf is a Directory of one ServiceAccount.
type shelf struct {
	account *corev1.ServiceAccount
	all     []v1alpha1.PodIdentityAssociation
	err     error
}

func (s shelf) Lookup(_ context.Context, namespace, name string) (*corev1.ServiceAccount, []v1alpha1.PodIdentityAssociation, error) {
	if s.err != nil {
		return nil, nil, s.err
	}
	if s.account == nil || s.account.Namespace != namespace || s.account.Name != name {
		return nil, s.all, nil
	}
	return s.account, s.all, nil
}

func (g golden) webhook() *Webhook {
	return &Webhook{Settings: g.settings, Directory: shelf{account: &g.account, all: g.all}}
}

// review is what the API server sends about a pod of namespace shop.
func review(pod []byte, more ...func(*admissionv1.AdmissionRequest)) []byte {
	dry := false
	r := &admissionv1.AdmissionRequest{
		UID: "705ab4f5-6393-11e8-b7cc-42010a800002", Kind: metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
		Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"}, Namespace: "shop", Operation: admissionv1.Create,
		Object: runtime.RawExtension{Raw: pod}, DryRun: &dry,
	}
	for _, m := range more {
		m(r)
	}
	text, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: r,
	})
	if err != nil {
		panic(err)
	}
	return text
}

// ask sends a review over HTTPS.
func ask(t testing.TB, s *httptest.Server, body []byte) (int, *admissionv1.AdmissionResponse, string) {
	t.Helper()
	answer, err := s.Client().Post(s.URL+"/mutate?timeout=3s", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		return answer.StatusCode, nil, string(text)
	}
	var r admissionv1.AdmissionReview
	if err := json.Unmarshal(text, &r); err != nil || r.Response == nil || r.APIVersion != "admission.k8s.io/v1" || r.Kind != "AdmissionReview" || r.Request != nil {
		t.Fatalf("the answer is %s (%v)", text, err)
	}
	return answer.StatusCode, r.Response, string(text)
}

func served(t testing.TB, h http.Handler) *httptest.Server {
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	return s
}

// The running webhook says of every golden pod what the pure function says, and
// doctor reads what it says of those that are refused.
func TestWebhookAgreesWithMutate(t *testing.T) {
	var given, denied int
	for _, g := range goldens(t) {
		t.Run(g.name, func(t *testing.T) {
			want, err := g.run(g.pod)
			var refusal *identity.Refusal
			errors.As(err, &refusal)
			status, got, text := ask(t, served(t, g.webhook()), review(g.pod))
			switch {
			case status != http.StatusOK || got.UID != "705ab4f5-6393-11e8-b7cc-42010a800002":
				t.Fatalf("%d: %s", status, text)
			case refusal != nil:
				denied++
				if got.Allowed || got.Patch != nil || got.Result.Code != 403 || !strings.Contains(got.Result.Message, refusal.Detail+" ("+refusal.Slug+"): ") {
					t.Errorf("not refused as %v: %s", refusal, text)
				}
				if found := doctor.Recognise(got.Result.Message); !slices.Equal(found, []string{refusal.Slug}) {
					t.Errorf("doctor reads %v, not %s, in %s", found, refusal.Slug, text)
				}
			case !got.Allowed:
				t.Errorf("denied: %s", text)
			case len(want.Patch) == 0:
				if got.Patch != nil || got.PatchType != nil || len(got.Warnings) > 0 {
					t.Errorf("something is added: %s", text)
				}
			default:
				given++
				var patch []Operation
				if err := json.Unmarshal(got.Patch, &patch); err != nil || *got.PatchType != admissionv1.PatchTypeJSONPatch {
					t.Fatalf("%v: %s", err, text)
				}
				if lines(t, patch) != sorted(t, want.Patch) || !reflect.DeepEqual(got.Warnings, want.Warnings) {
					t.Errorf("%s\n%q\nwant\n%s\n%q", lines(t, patch), got.Warnings, lines(t, want.Patch), want.Warnings)
				}
			}
		})
	}
	if given < 50 || denied < 10 {
		t.Errorf("%d given, %d denied", given, denied)
	}
}

// sorted is a patch as it looks after a round through JSON, which orders
// members.
func sorted(t *testing.T, patch []Operation) string {
	t.Helper()
	text, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	var again []Operation
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	return lines(t, again)
}

func TestReviewsThatAreNone(t *testing.T) {
	g := readGolden(t, "testdata/cluster-token.txtar")
	s := served(t, g.webhook())
	good := string(review(g.pod))
	for name, body := range map[string]string{
		"empty": "", "no JSON": "pod", "null": "null", "a list": "[]", "half": good[:len(good)/2],
		"no request":      `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}`,
		"no uid":          `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{}}`,
		"another version": strings.Replace(good, "admission.k8s.io/v1", "admission.k8s.io/v1beta1", 1),
		"another kind":    strings.Replace(good, `"AdmissionReview"`, `"Pod"`, 1),
		"deep":            strings.Repeat(`{"a":`, 1<<17),
	} {
		if status, _, text := ask(t, s, []byte(body)); status != http.StatusBadRequest || !strings.HasPrefix(text, "daypass: ") || len(text) > 200 {
			t.Errorf("%s: %d %.300s", name, status, text)
		}
	}
	answer, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Body.Close(); answer.StatusCode != http.StatusMethodNotAllowed || answer.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %d", answer.StatusCode)
	}
	if status, answer, text := ask(t, s, []byte(good)); status != 200 || !answer.Allowed || len(answer.Patch) == 0 {
		t.Errorf("after all that: %d %s", status, text)
	}
}

func TestPodsThatAreRefused(t *testing.T) {
	g := readGolden(t, "testdata/cluster-token.txtar")
	bad := g
	bad.account = *g.account.DeepCopy()
	bad.account.Annotations = map[string]string{identity.RuleDaypass: "reports"}
	nobody := g
	nobody.account = corev1.ServiceAccount{}
	large := bytes.Replace(g.pod, []byte(`"app:1"`), []byte(`"app:1","args":["`+strings.Repeat("a", 3_000_000)+`"]`), 1)
	for name, test := range map[string]struct {
		g    golden
		pod  []byte
		slug string
		want string
		code int32
	}{
		"bad ARN":        {bad, g.pod, "role-arn-malformed", `is not the ARN of a role: "reports" (role-arn-malformed): write it as`, 403},
		"no account":     {nobody, g.pod, "service-account-missing", "ServiceAccount shop/web does not exist (service-account-missing): create the ServiceAccount", 403},
		"3 MB":           {g, large, "review-too-large", "the pod is larger than 3 MB (review-too-large): ", 403},
		"not a pod":      {g, []byte(`{"metadata":{"name":"a"},"spec":{"containers":"` + strings.Repeat("x", 1000) + `"}}`), "review-malformed", "reading the pod: ", 400},
		"a pod in parts": {g, []byte(`{"metadata":{"name":"a"},"spec":{}}`), "review-malformed", "it has no containers (review-malformed)", 400},
	} {
		status, answer, text := ask(t, served(t, test.g.webhook()), review(test.pod))
		if status != 200 || answer.Allowed || answer.UID == "" || answer.Patch != nil || answer.Result.Code != test.code ||
			!strings.Contains(answer.Result.Message, test.want) || len(text) > 2000 {
			t.Errorf("%s: %d %.500s", name, status, text)
		}
		if found := doctor.Recognise(answer.Result.Message); !slices.Equal(found, []string{test.slug}) {
			t.Errorf("%s: doctor reads %v, not %s, in %.500s", name, found, test.slug, text)
		}
	}
	// Where not even the start tells which review it is.
	if status, _, text := ask(t, served(t, g.webhook()), bytes.Repeat([]byte("a"), maxReview+1)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("3 MB of nothing: %d %s", status, text)
	}
}

// What the webhook cannot know it does not answer: the failure policy decides.
func TestDirectoryThatFails(t *testing.T) {
	g := readGolden(t, "testdata/cluster-token.txtar")
	w := g.webhook()
	w.Directory = shelf{err: errors.New("connection refused")}
	if status, _, text := ask(t, served(t, w), review(g.pod)); status != http.StatusServiceUnavailable || strings.Contains(text, "connection refused") {
		t.Errorf("%d %s", status, text)
	}
	if w.Count(Failed) != 1 {
		t.Errorf("%d counted", w.Count(Failed))
	}
}

func TestWhatIsNotANewPod(t *testing.T) {
	g := readGolden(t, "testdata/cluster-token.txtar")
	s := served(t, g.webhook())
	for name, change := range map[string]func(*admissionv1.AdmissionRequest){
		"update":      func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Update },
		"subresource": func(r *admissionv1.AdmissionRequest) { r.SubResource = "ephemeralcontainers" },
		"deployment": func(r *admissionv1.AdmissionRequest) {
			r.Resource = metav1.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
		},
		"delete": func(r *admissionv1.AdmissionRequest) {
			r.Operation, r.Object = admissionv1.Delete, runtime.RawExtension{}
		},
	} {
		if status, answer, text := ask(t, s, review(g.pod, change)); status != 200 || !answer.Allowed || answer.Patch != nil {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
}

// The namespace of the request counts, whatever the pod says of its own.
func TestNamespaceIsTheRequests(t *testing.T) {
	g := readGolden(t, "testdata/cluster-token.txtar")
	s := served(t, g.webhook())
	own := []byte(`,"namespace":"shop"`) // YAML to JSON orders members
	for _, says := range []string{"", `,"namespace":"bank"`} {
		pod := bytes.Replace(g.pod, own, []byte(says), 1)
		if bytes.Equal(pod, g.pod) {
			t.Fatal("the pod's namespace is not where it was")
		}
		if _, answer, text := ask(t, s, review(pod)); !answer.Allowed || len(answer.Patch) == 0 {
			t.Errorf("%q: %s", says, text)
		}
	}
	elsewhere := func(r *admissionv1.AdmissionRequest) { r.Namespace = "bank" }
	if _, answer, text := ask(t, s, review(g.pod, elsewhere)); answer.Allowed {
		t.Errorf("a pod of bank gets what is shop's: %s", text)
	}
}

func TestDryRunsTellNobody(t *testing.T) {
	g := readGolden(t, "testdata/cluster-token+disagreement.txtar")
	var told []string
	w := g.webhook()
	w.Refused = func(a *corev1.ServiceAccount, why *identity.Refusal) {
		told = append(told, a.Namespace+"/"+a.Name+" "+why.Slug)
	}
	s := served(t, w)
	dry := func(r *admissionv1.AdmissionRequest) { yes := true; r.DryRun = &yes }
	_, first, _ := ask(t, s, review(g.pod, dry))
	if len(told) != 0 {
		t.Errorf("a dry run is told: %v", told)
	}
	_, second, _ := ask(t, s, review(g.pod))
	if len(told) != 1 || told[0] != "shop/web identity-disagreement" {
		t.Errorf("told: %v", told)
	}
	if !reflect.DeepEqual(first, second) {
		t.Errorf("a dry run is answered %v, a real one %v", first, second)
	}
}

// Variables of pods may be secrets; none of them leaves by answer or log.
func TestSecretsOfPodsStayThere(t *testing.T) {
	const planted = "pl4nted-secret"
	for _, name := range []string{"cluster-token", "sidecar-secret", "cluster-token+disagreement", "cluster-token+skip-containers-malformed", "agent+louder"} {
		g := readGolden(t, "testdata/"+name+".txtar")
		var p map[string]any
		if err := json.Unmarshal(g.pod, &p); err != nil {
			t.Fatal(err)
		}
		c := p["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
		env, _ := c["env"].([]any)
		c["env"] = append(env, map[string]any{"name": "PASSWORD", "value": planted})
		c["args"] = []any{planted}
		pod, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		broken := bytes.Replace(pod, []byte(`"args":["`+planted+`"]`), []byte(`"args":"`+planted+`"`), 1)
		if bytes.Equal(pod, broken) {
			t.Fatal("nothing broken")
		}
		var log bytes.Buffer
		w := g.webhook()
		w.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		s := served(t, w)
		for _, body := range [][]byte{review(pod), review(broken), review(pod)[:len(review(pod))-5]} {
			if _, _, text := ask(t, s, body); strings.Contains(text, planted) {
				t.Errorf("%s: the answer tells it: %s", name, text)
			}
		}
		if log.Len() == 0 || strings.Contains(log.String(), planted) {
			t.Errorf("%s: the log is %q", name, log.String())
		}
	}
}

func TestCounts(t *testing.T) {
	g, denied, none := readGolden(t, "testdata/agent.txtar"), readGolden(t, "testdata/agent+windows.txtar"), readGolden(t, "testdata/cluster-token+nobody.txtar")
	w := g.webhook()
	s := served(t, w)
	ask(t, s, review(g.pod))
	ask(t, s, review(denied.pod))
	ask(t, s, []byte("no"))
	w2 := none.webhook()
	ask(t, served(t, w2), review(none.pod))
	got := fmt.Sprint(w.Count(Given), w.Count(Nothing), w.Count(Denied), w.Count(Failed), w2.Count(Nothing))
	if got != "1 0 1 1 1" {
		t.Errorf("given, nothing, denied, failed; nothing: %s", got)
	}
}
