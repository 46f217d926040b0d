package setup

import (
	"slices"
	"strings"
	"testing"

	"daypass.dev/policy"
	"daypass.dev/sandbox/world"
)

// What lets in more than one workload is warned of; what setup writes is not.
func TestLint(t *testing.T) {
	const (
		token    = `{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/` + issuer + `"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{CONDITION}}`
		anywhere = `{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Condition":{CONDITION}}`
		pods     = `{"Effect":"Allow","Principal":{"Service":["pods.eks.amazonaws.com"]},"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{CONDITION}}`
		aud      = `"StringEquals":{"` + issuer + `:aud":"sts.amazonaws.com"}`
		arn      = `"ArnEquals":{"aws:SourceArn":"` + anchorARN + `"}`
	)
	for _, row := range []struct{ name, statement, condition, want string }{
		{"one name", token, `"StringEquals":{"` + issuer + `:aud":"a","` + issuer + `:sub":"system:serviceaccount:shop:web"}`, ""},
		{"one namespace", token, aud + `,"StringLike":{"` + issuer + `:sub":"system:serviceaccount:shop:*"}`, ""},
		{"every namespace", token, aud + `,"StringLike":{"` + issuer + `:sub":"system:serviceaccount:*:web"}`, `sub "system:serviceaccount:*:web" takes in`},
		{"namespaces that begin alike", token, aud + `,"StringLike":{"` + issuer + `:sub":["system:serviceaccount:shop:web","system:serviceaccount:shop*:web"]}`, `sub "system:serviceaccount:shop*:web" takes in`},
		{"everything", token, aud + `,"StringLike":{"` + issuer + `:sub":"*"}`, `sub "*" takes in`},
		{"every ServiceAccount", token, aud + `,"StringLike":{"` + issuer + `:sub":"system:serviceaccount:*"}`, "takes in"},
		{"a star that is none", token, `"StringEquals":{"` + issuer + `:aud":"a","` + issuer + `:sub":"system:serviceaccount:*:web"}`, ""},
		{"all but one", token, aud + `,"StringNotEquals":{"` + issuer + `:sub":"system:serviceaccount:shop:web"}`, "StringNotEquals of " + issuer + ":sub lets in everybody but"},
		{"all but some", token, aud + `,"ForAnyValue:StringNotLike":{"` + issuer + `:sub":"x"}`, "everybody but"},
		{"no subject", token, aud, "without a condition on sub"},
		{"no audience", token, `"StringEquals":{"` + issuer + `:SUB":"system:serviceaccount:shop:web"}`, "without a condition on aud"},
		{"an anchor", anywhere, arn, ""},
		{"no anchor", anywhere, `"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"a"}`, "every trust anchor"},
		{"any but one anchor", anywhere, `"ArnNotLike":{"aws:SourceArn":"` + anchorARN + `"}`, "ArnNotLike of aws:SourceArn"},
		{"a cluster", pods, arn, ""},
		{"a cluster by tag", pods, `"StringEquals":{"aws:RequestTag/eks-cluster-arn":"arn"}`, ""},
		{"no cluster", pods, `"StringEquals":{"aws:RequestTag/kubernetes-namespace":"shop"}`, "pods of every EKS cluster"},
		{"a refusal", strings.Replace(token, "Allow", "Deny", 1), `"StringNotEquals":{"` + issuer + `:sub":"x"}`, ""},
		{"another service", strings.Replace(anywhere, "rolesanywhere", "ec2", 1), `"StringNotEquals":{"aws:SourceAccount":"1"}`, ""},
	} {
		text := `{"Version":"2012-10-17","Statement":` + strings.Replace(row.statement, "CONDITION", row.condition, 1) + `}`
		if _, err := policy.Parse(policy.Trust, text); err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		got := lint(text)
		if row.want == "" && len(got) > 0 || row.want != "" && (len(got) != 1 || !strings.Contains(got[0], row.want)) {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
	for _, method := range methods() {
		f, _ := fresh(t, method)
		for _, name := range f.names() {
			text, err := f.trust(name, anchorARN)
			if err != nil {
				t.Fatal(err)
			}
			if got := lint(text); len(got) > 0 {
				t.Errorf("%s, %s: %q", method, name, got)
			}
		}
	}
}

// A plan warns of roles beside the file's, and touches none.
func TestPlanWarnsOfWideRoles(t *testing.T) {
	a := newAccount(t)
	f, _ := fresh(t, "web-identity")
	wide, err := policy.Parse(policy.Trust, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	a.World.Lock()
	a.World.Account("111122223333").Roles["legacy"] = &world.Role{Name: "legacy", Path: "/", ARN: "arn:aws:iam::111122223333:role/legacy", ID: "AROALEGACY", Trust: wide}
	a.World.Unlock()
	for range 2 {
		p := plan(t, f, a.config())
		if !slices.ContainsFunc(p.Warnings, func(w string) bool {
			return strings.HasPrefix(w, "role legacy, not of this file: statement 1: without aws:SourceArn")
		}) || len(p.Warnings) != 1 {
			t.Errorf("%q", p.Warnings)
		}
		if err := apply(t.Context(), f, a.config()); err != nil {
			t.Fatal(err)
		}
	}
	if p := plan(t, f, a.config()); len(p.Steps) > 0 || len(p.Left) > 0 {
		t.Errorf("%+v, %q", p.Steps, p.Left)
	}
}

func FuzzLint(f *testing.F) {
	f.Add(`{"Statement":{"Effect":"Allow","Principal":{"Federated":["x:oidc-provider/y"]},"Condition":{"StringLike":{"y:sub":["*",true,1]}}}}`)
	f.Fuzz(func(_ *testing.T, text string) { lint(text) })
}

// A file that is right can still say too much.
func TestFileWarns(t *testing.T) {
	_, path := fresh(t, "web-identity")
	text := strings.ReplaceAll(fileText, "METHOD", "web-identity")
	write(t, path, strings.NewReplacer("shop/mail", "shop/web", `["s3:GetObject"], resources: ["arn:aws:s3:::reports/*"]`, `["s3:*", "*"], resources: ["*"]`).Replace(text))
	want := []string{
		"role reports: s3:* on *", "role reports: * on *",
		"shop/web may use roles mailer and reports, and its annotation names one of them",
	}
	got := reread(t, path).warnings()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	write(t, path, text)
	if got := reread(t, path).warnings(); len(got) > 0 {
		t.Errorf("%q", got)
	}
}
