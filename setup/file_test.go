package setup

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"daypass.dev/policy"
)

// A mistake is a change of a file that is right; beyond are those that no schema
// can see.
type mistake struct {
	method, from, to, want string
	beyond                 bool
}

func (m mistake) in(t *testing.T) string {
	t.Helper()
	text := strings.ReplaceAll(fileText, "METHOD", m.method)
	if !strings.Contains(text, m.from) {
		t.Fatalf("%q is not in the file", m.from)
	}
	return strings.Replace(text, m.from, m.to, 1)
}

func mistakes() []mistake {
	return []mistake{
		{"web-identity", "name: prod\n", "name: Prod\n", "setup.yaml:1:7: name: ", false},
		{"web-identity", `account: "111122223333"`, "account: 11112222333", "setup.yaml:2:10: account: ", false},
		{"web-identity", "region: eu-central-1", "region: mars", "setup.yaml:3:9: region: ", false},
		{"web-identity", "region: eu-central-1", "region: us-iso-east-1", "setup.yaml:3:9: region: ", true},
		{"web-identity", "certificateFile: ca.pem", "certificateFile: no.pem", "setup.yaml:5:20: trustAnchor.certificateFile: ", true},
		{"web-identity", "sessions: 2h", "sessions: 2m", "setup.yaml:6:13: trustAnchor.sessions: ", true},
		{"web-identity", "sessions: 2h", "sessions: long", "setup.yaml:6:13: trustAnchor.sessions: ", false},
		{"web-identity", "method: web-identity", "method: magic", "setup.yaml:10:11: cluster.method: ", false},
		{"web-identity", "issuer: https:", "issuer: http:", "setup.yaml:11:11: cluster.issuer: ", false},
		{"web-identity", "serviceAccount: shop/web", `serviceAccount: "shop/*"`, "setup.yaml:16:9: roles.reports.usedBy.0: ", false},
		{"web-identity", "- commonName: backup", "- {commonName: backup, google: '1'}", "setup.yaml:17:9: roles.reports.usedBy.1: ", false},
		{"web-identity", "- commonName: backup", `- commonName: "*"`, "setup.yaml:17:9: roles.reports.usedBy.1: ", false},
		{"web-identity", `["s3:GetObject"]`, `["GetObject"]`, "roles.reports.allow: IAM would not take it", true},
		{"web-identity", `["s3:GetObject"]`, `[]`, "setup.yaml:19:9: roles.reports.allow.0: ", false},
		{"web-identity", "policies: [arn", "policies: [x", "setup.yaml:20:16: roles.reports.policies.0: ", false},
		{"web-identity", "maxSession: 3h", "maxSession: 30m", "setup.yaml:21:17: roles.reports.maxSession: ", true},
		{"web-identity", "maxSession: 3h", "maxSesion: 3h", "line 21: field maxSesion not found", false},
		{"web-identity", `google: "112233445566778899000"`, "google: a@b.gserviceaccount", "setup.yaml:24:9: roles.mailer.usedBy.0: ", false},
		{"web-identity", "\n  mailer:", "\n  Reports:", ": IAM tells roles apart without regard to case", true},
		{"web-identity", "roles:", "roles: {}\nrest:", "field rest not found", false},
		{"roles-anywhere", "  trustDomain: prod.example.org\n", "", "setup.yaml:8:3: cluster.trustDomain: ", false},
		{"eks", "arn: arn:aws:eks", "arn: eks", "setup.yaml:12:8: cluster.arn: ", false},
		{"eks", "eu-central-1:1111", "eu-west-1:1111", "setup.yaml:12:8: cluster.arn: ", true},
		{"eks", ":111122223333:cluster", ":444455556666:cluster", "setup.yaml:12:8: cluster.arn: ", true},
		{"eks", "cluster/prod", "cluster/prod-eks", "setup.yaml:8:9: cluster.name: ", true},
		{"eks", "shop/mail", "shop/web", "roles.reports.usedBy: shop/web uses role mailer already", true},
	}
}

// Each mistake is named at its line.
func TestMistakesAreNamedAtTheirPlace(t *testing.T) {
	_, path := fresh(t, "web-identity")
	for _, m := range mistakes() {
		write(t, path, m.in(t))
		_, err := Read(path)
		var refused *RefusedError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), m.want) || refused.Mend() == "" {
			t.Errorf("%s: %v, want %q", m.to, err, m.want)
		}
	}
	if _, err := Read(filepath.Join(t.TempDir(), "setup.yaml")); err == nil {
		t.Error("no file is a file")
	}
}

func TestAPrivateKeyIsNoCertificate(t *testing.T) {
	_, path := fresh(t, "web-identity")
	write(t, filepath.Join(filepath.Dir(path), "ca.pem"), "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")
	if _, err := Read(path); err == nil || strings.Contains(err.Error(), "c2VjcmV0") {
		t.Errorf("%v", err)
	}
}

// China and GovCloud have partitions of their own, in every ARN.
func TestPartitions(t *testing.T) {
	_, path := fresh(t, "roles-anywhere")
	for region, partition := range map[string]string{"cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "eu-central-1": "aws"} {
		write(t, path, strings.NewReplacer("METHOD", "roles-anywhere", "eu-central-1", region, "arn:aws:", "arn:"+partition+":").Replace(fileText))
		f := reread(t, path)
		for _, form := range Forms() {
			text, err := f.Render(form)
			if form == "ack" {
				if err == nil {
					t.Error("ACK has no Roles Anywhere")
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			for part := range strings.SplitSeq(string(text), "arn:") {
				if strings.HasPrefix(part, "aws") && !strings.HasPrefix(part, partition+":") {
					t.Errorf("%s in %s: arn:%.40s", form, region, part)
				}
			}
		}
	}
}

// What is rendered can be read, and its policies are those that IAM takes.
func TestRendered(t *testing.T) {
	f, path := fresh(t, "roles-anywhere")
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties map[string]any
		}
	}
	text, err := f.Render("cloudformation")
	if err != nil || json.Unmarshal(text, &template) != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	kinds := map[string]int{}
	for _, r := range template.Resources {
		kinds[r.Type]++
	}
	if kinds["AWS::IAM::Role"] != 2 || kinds["AWS::RolesAnywhere::TrustAnchor"] != 1 || kinds["AWS::RolesAnywhere::Profile"] != 1 {
		t.Errorf("%v", kinds)
	}
	if strings.Contains(string(text), "00000000-0000") || !strings.Contains(string(text), `"Fn::GetAtt"`) {
		t.Errorf("the trust anchor is not referred to\n%s", text)
	}
	var tf struct {
		Resource map[string]map[string]map[string]any
	}
	if text, err = f.Render("terraform"); err != nil || json.Unmarshal(text, &tf) != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	trust, _ := tf.Resource["aws_iam_role"]["role_reports"]["assume_role_policy"].(string)
	const reference = "${aws_rolesanywhere_trust_anchor.daypass.arn}"
	if !strings.Contains(trust, reference) {
		t.Errorf("%s", trust)
	}
	if _, err := policy.Parse(policy.Trust, strings.ReplaceAll(trust, reference, unknownAnchor(f))); err != nil {
		t.Error(err)
	}
	// Without a trust anchor, ACK can do it.
	all := strings.ReplaceAll(fileText, "METHOD", "web-identity")
	write(t, path, strings.NewReplacer("trustAnchor:\n  certificateFile: ca.pem\n  sessions: 2h\n", "", "      - commonName: backup\n", "").Replace(all))
	text, err = reread(t, path).Render("ack")
	if err != nil {
		t.Fatal(err)
	}
	dec, n := yaml.NewDecoder(strings.NewReader(string(text))), 0
	for {
		var doc struct {
			APIVersion string `yaml:"apiVersion"`
			Kind       string
			Spec       map[string]any
		}
		if dec.Decode(&doc) != nil {
			break
		}
		if n++; doc.APIVersion != "iam.services.k8s.aws/v1alpha1" || doc.Spec == nil {
			t.Errorf("%+v", doc)
		}
	}
	if n != 3 {
		t.Errorf("%d manifests\n%s", n, text)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(strings.ReplaceAll(fileText, "METHOD", "eks"))
	f.Add("name: a\nroles: {a: {usedBy: [{uri: x}]}}")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := parse("setup.yaml", []byte(text))
		if err != nil {
			return
		}
		for _, form := range Forms() {
			if _, err := file.Render(form); err != nil && form != "ack" {
				t.Errorf("a file that was taken cannot be rendered as %s: %v", form, err)
			}
		}
	})
}

// Whatever roles are called, each is its own in every form.
func TestRenderedNamesAreUnique(t *testing.T) {
	_, path := fresh(t, "web-identity")
	text := strings.ReplaceAll(fileText, "METHOD", "web-identity")
	text = strings.NewReplacer("trustAnchor:\n  certificateFile: ca.pem\n  sessions: 2h\n", "", "      - commonName: backup\n", "").Replace(text)
	names := []string{"a-b", "a_b", "ab", "a.b", "0", "A+b", "x_", "=x"}
	for _, name := range names {
		text += "  \"" + name + "\":\n    usedBy: [{serviceAccount: shop/x}]\n"
	}
	write(t, path, text)
	f := reread(t, path)
	all := len(names) + 2
	ids := map[string]*regexp.Regexp{
		"cloudformation": regexp.MustCompile(`(?m)^    "(Role[A-Za-z0-9]*)": \{\n +"DependsOn`),
		"terraform":      regexp.MustCompile(`(?m)^      "(role_[a-z0-9A-Z_]+)": \{\n +"assume`),
		"ack":            regexp.MustCompile(`(?m)^    name: (daypass-prod-[a-z0-9]([a-z0-9-]*[a-z0-9])?)$`),
		"aws-cli":        regexp.MustCompile(`(?m)create-role --role-name (\S+)`),
	}
	for _, form := range Forms() {
		out, err := f.Render(form)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, m := range ids[form].FindAllStringSubmatch(string(out), -1) {
			seen[m[1]] = true
		}
		if len(seen) != all {
			t.Errorf("%s has %d of %d roles: %v", form, len(seen), all, seen)
		}
	}
}

// The chart takes a trust anchor and a profile together, or neither: a file that
// lets nobody in by certificate makes the one alone.
func TestValues(t *testing.T) {
	f, _ := fresh(t, "web-identity")
	for profile, both := range map[string]bool{"p": true, "": false} {
		out := Outcome{TrustAnchorARN: "a", ProfileARN: profile}
		text, err := f.Values(out)
		if err != nil || strings.Contains(string(text), "trustAnchorARN: a\n") != both || strings.Contains(string(text), "profileARN: p\n") != both {
			t.Errorf("%+v: %v: %s", out, err, text)
		}
	}
}
