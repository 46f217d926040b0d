package secrets

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	driver "sigs.k8s.io/secrets-store-csi-driver/provider/v1alpha1"

	"daypass.dev/doctor"
	"daypass.dev/reason"
	"daypass.dev/sandbox/world"
)

// A refusal is a mount that fails: of the secret db, with one thing wrong.
type refusal struct {
	name, pod, slug, text string
	code                  codes.Code
	change                func(*stage, map[string]string)
}

const ofDB = `{objectName: db, objectType: secretsmanager`

// refusals are what a request lacks, what a class has wrong, and what AWS
// refuses.
func refusals() []refusal {
	return slices.Concat(wrongRequests(), wrongClasses(), refusedByAWS())
}

func with(pairs ...string) func(*stage, map[string]string) {
	return func(_ *stage, a map[string]string) {
		for i := 0; i < len(pairs); i += 2 {
			a[pairs[i]] = pairs[i+1]
		}
	}
}

func wrongRequests() []refusal {
	without := func(name string) func(*stage, map[string]string) {
		return func(_ *stage, a map[string]string) { delete(a, name) }
	}
	return []refusal{
		{"no pod", "web-1", "secrets-request", podName, codes.InvalidArgument, without(podName)},
		{"no UID", "web-1", "secrets-request", podUID, codes.InvalidArgument, without(podUID)},
		{"no account", "web-1", "secrets-request", podAccount, codes.InvalidArgument, without(podAccount)},
		{"a driver without tokens", "web-1", "secrets-no-token", "tokenRequests", codes.InvalidArgument, without(podTokens)},
		{"tokens for others", "web-1", "secrets-no-token", "no token for pods.eks.amazonaws.com", codes.InvalidArgument, with(podTokens, `{"vault":{"token":"x"}}`, "usePodIdentity", "true")},
		{"tokens for others, web", "web-1", "secrets-no-token", "no token for sts.amazonaws.com", codes.InvalidArgument, with(podTokens, `{"vault":{"token":"x"}}`)},
		{"tokens that are none", "web-1", "secrets-request", "cannot be read", codes.InvalidArgument, with(podTokens, `planted-token`)},
		{"a token that is none", "web-1", "secrets-request", "the token for sts.amazonaws.com: ", codes.InvalidArgument, with(podTokens, `{"sts.amazonaws.com":{"token":"planted-token"}}`)},
		{"another's token", "web-1", "secrets-request", "the token is of pod shop/other-1, the request of shop/web-1", codes.InvalidArgument, func(s *stage, a map[string]string) {
			with(podTokens, s.tokens("other-1"), "usePodIdentity", "true")(s, a)
		}},
		{"another account's pod", "web-1", "pod-other-account", "runs as web", codes.PermissionDenied, with(podAccount, "other")},
		{"another's UID", "web-1", "pod-gone", "UID", codes.PermissionDenied, with(podUID, "uid-of-another")},
		{"a token of another issuer", "web-1", "agent-token-malformed", "", codes.PermissionDenied, with(podTokens, `{"pods.eks.amazonaws.com":{"token":"a.b.c"}}`, "usePodIdentity", "true")},
		{"no role", "none-1", "identity-none", "gives ServiceAccount shop/none a role", codes.PermissionDenied, with()},
		{"another method", "sworn-1", "secrets-method", "has the method roles-anywhere", codes.InvalidArgument, with()},
	}
}

func wrongClasses() []refusal {
	objects := func(text string) func(*stage, map[string]string) { return with("objects", text) }
	return []refusal{
		{"a parameter", "web-1", "secrets-parameter", "usePodIdentity", codes.InvalidArgument, with("usePodIdentity", "perhaps")},
		{"objects that are none", "web-1", "secrets-objects", "no YAML", codes.InvalidArgument, objects("- [")},
		{"an object without type", "web-1", "secrets-object", "objectType", codes.InvalidArgument, objects("- {objectName: db}")},
		{"traversal", "web-1", "secrets-path", "../etc", codes.InvalidArgument, with("objects", "- "+ofDB+", objectAlias: ../etc}", "pathTranslation", "False")},
		{"one file twice", "web-1", "secrets-collision", "made twice", codes.InvalidArgument, objects("- " + ofDB + "}\n- " + ofDB + "}")},
		{"a jmesPath that is none", "web-1", "secrets-jmespath", `"a["`, codes.InvalidArgument, objects("- " + ofDB + `, jmesPath: [{path: "a[", objectAlias: x}]}`)},
		{"jmesPath of a text", "web-1", "secrets-json", "db", codes.InvalidArgument, objects("- " + ofDB + ", jmesPath: [{path: a, objectAlias: x}]}")},
		{"jmesPath of nothing", "web-1", "secrets-jmes-result", "json", codes.InvalidArgument, objects("- {objectName: json, objectType: secretsmanager, jmesPath: [{path: b, objectAlias: x}]}")},
		{"too large", "web-1", "secrets-too-large", "bytes together", codes.InvalidArgument, func(s *stage, a map[string]string) {
			var all strings.Builder
			for i := range 64 {
				fmt.Fprintf(&all, "- {objectName: large, objectType: secretsmanager, objectAlias: f%d}\n", i)
			}
			a["objects"] = all.String()
		}},
		{"no region", "web-1", "secrets-region", "no region is known", codes.InvalidArgument, func(s *stage, _ map[string]string) { s.provider.Region = "" }},
	}
}

func refusedByAWS() []refusal {
	struck := func(s *stage, a map[string]string) {
		a["objects"] = "- {objectName: json, objectType: secretsmanager, objectVersionLabel: AWSCURRENT}" // none that is remembered
		s.World.SetFaults(world.Fault{Service: "secretsmanager", Code: "ValidationException", Status: 400})
	}
	return []refusal{
		{"a secret that is not there", "web-1", "secret-not-found", "us-east-1: none: GetSecretValue: ResourceNotFoundException", codes.PermissionDenied, with("objects", `- {objectName: none, objectType: secretsmanager}`)},
		{"no permission", "poor-1", "secrets-denied", "hint: allow secretsmanager:GetSecretValue in an identity policy of the pod's role", codes.PermissionDenied, with()},
		{"a role that does not trust the pod", "stranger-1", "secrets-credentials", `sub "system:serviceaccount:shop:stranger"; AWS says the same of`, codes.PermissionDenied, with()},
		{"a role to go on to that does not trust", "web-1", "secrets-assume-role", "not authorized to perform: sts:AssumeRole", codes.PermissionDenied, with("assumeRoleArn", "arn:aws:iam::"+account+":role/poor")},
		{"an error without a name", "web-1", "secrets-failed", "ValidationException", codes.PermissionDenied, struck},
	}
}

// Whatever is wrong, the driver reads one line that names the reason with its
// mend, the pod's Event names the same, and doctor recognises it there and names
// nothing else. Every reason of mounts is among them.
func TestRefusals(t *testing.T) {
	s := newStage(t)
	s.secret("db", "planted-value")
	s.secret("json", `{"a":"x"}`)
	s.secret("large", strings.Repeat("x", 64<<10))
	s.role("poor")
	s.roleFor("somebody-else", "stranger")
	ends := map[string]bool{}
	for _, r := range refusals() {
		attributes := s.attributes(r.pod, "objects", "- "+ofDB+"}")
		r.change(s, attributes)
		_, err := s.ask(attributes)
		s.provider.Region = "us-east-1"
		s.World.SetFaults()
		message := status.Convert(err).Message()
		if err == nil || status.Code(err) != r.code || !strings.Contains(message, r.text) || !strings.Contains(message, "("+r.slug+")") || !strings.Contains(message, "hint: ") {
			t.Errorf("%s: %v", r.name, err)
		}
		if strings.Contains(message, "\n") {
			t.Errorf("%s: more than a line: %q", r.name, message)
		}
		if row, ok := reason.Lookup(r.slug); !ok || row.Mend == "" {
			t.Errorf("%s: %s is not in the catalogue", r.name, r.slug)
		}
		found := doctor.Recognise(message)
		if r.slug == "secrets-credentials" { // beside it stands all of which AWS says the same
			found = slices.DeleteFunc(found, func(slug string) bool { return slug != r.slug })
		}
		if !slices.Equal(found, []string{r.slug}) {
			t.Errorf("%s: doctor reads %v in %q", r.name, found, message)
		}
		if told := s.lastTold(); attributes[podName] != "" && told != r.slug {
			t.Errorf("%s: the pod is told of %q", r.name, told)
		}
		ends[r.slug] = true
	}
	for _, row := range reason.All() {
		if strings.HasPrefix(row.Slug, "secrets-") && !ends[row.Slug] && row.Slug != "secrets-unreachable" { // TestGivingUpBeforeTheKubelet
			t.Errorf("no mount is refused for %s", row.Slug)
		}
	}
	for _, secret := range []string{"planted-value", "planted-token", "eyJ"} { // a token begins with that
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
}

// What is no request of the driver at all.
func TestNoRequest(t *testing.T) {
	s := newStage(t)
	for _, request := range []*driver.MountRequest{
		{}, {Attributes: "x"}, {Attributes: "null", TargetPath: "/x"}, {Attributes: `{"a":1}`, TargetPath: "/x"},
		{Attributes: "{}", TargetPath: "/x", Permission: "99999"}, {Attributes: strings.Repeat(" ", mostAttributes+1)},
	} {
		if _, err := s.client.Mount(t.Context(), request); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "(secrets-request)") {
			t.Errorf("%.60v: %v", request, err)
		}
	}
}

// lastTold is the slug of the latest failure that a pod was told of.
func (s *stage) lastTold() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.told) == 0 {
		return ""
	}
	return s.told[len(s.told)-1]
}
