package doctor

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/pki"
	"daypass.dev/setup"
)

const (
	trustDomain = "e2e.test"
	elsewhere   = "444455556666" // the other account of the cluster's AWS
	s3Rights    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
)

func (w *ward) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *ward) anywhere() *rolesanywhere.Client { return rolesanywhere.NewFromConfig(w.aws.Config()) }

func (w *ward) iam() *iam.Client { return iam.NewFromConfig(w.aws.Config()) }

// away is IAM of the other account.
func (w *ward) away() *iam.Client {
	c := w.aws.Config()
	c.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(w.aws.Config()),
		"arn:aws:iam::"+elsewhere+":role/OrganizationAccountAccessRole"))
	return iam.NewFromConfig(c)
}

// provider makes the cluster's issuer known to an account.
func (w *ward) provider(to *iam.Client) {
	w.t.Helper()
	_, err := to.CreateOpenIDConnectProvider(w.t.Context(), &iam.CreateOpenIDConnectProviderInput{Url: aws.String(kube.Issuer), ClientIDList: []string{"sts.amazonaws.com"}})
	if exists := (*iamtypes.EntityAlreadyExistsException)(nil); !errors.As(err, &exists) {
		w.must(err)
	}
}

// trustAnchor makes one of a CA and returns its ARN.
func (w *ward) trustAnchor(name, pem string) string {
	w.t.Helper()
	made, err := w.anywhere().CreateTrustAnchor(w.t.Context(), &rolesanywhere.CreateTrustAnchorInput{
		Name: aws.String(w.called(name)), Enabled: aws.Bool(true),
		Source: &types.Source{SourceType: types.TrustAnchorTypeCertificateBundle, SourceData: &types.SourceDataMemberX509CertificateData{Value: pem}},
	})
	w.must(err)
	return *made.TrustAnchor.TrustAnchorArn
}

// makeRole makes the pod's role, which trusts its ServiceAccount by every method.
func (p *patient) makeRole(in *iam.Client, account string) {
	p.t.Helper()
	name := aws.String(p.called(p.name))
	_, err := kubetest.MakeRole(p.t.Context(), in, &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(p.sound(account))})
	p.must(err)
	_, err = in.PutRolePolicy(p.t.Context(), &iam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("rights"), PolicyDocument: aws.String(s3Rights)})
	p.must(err)
	p.role = "arn:aws:iam::" + account + ":role/" + *name
}

// sound is the narrowest trust policy for the pod's ServiceAccount.
func (p *patient) sound(account string) string {
	p.t.Helper()
	text, err := setup.TrustPolicy(
		setup.Token{ProviderARN: setup.ProviderARN("aws", account, kube.Issuer), Audience: "sts.amazonaws.com", Subject: "system:serviceaccount:" + p.Name + ":" + p.account},
		setup.Certificate{TrustAnchorARN: p.anchor, URI: p.uri()},
		setup.Pod{ClusterARN: "arn:aws:eks:us-east-1:" + account + ":cluster/e2e", Namespace: p.Name, ServiceAccount: p.account},
	)
	p.must(err)
	return string(text)
}

func (p *patient) uri() string {
	return "spiffe://" + trustDomain + "/ns/" + p.Name + "/sa/" + p.account
}

// trust gives the role another trust policy.
func (p *patient) trust(text string) {
	p.t.Helper()
	_, err := p.iam().UpdateAssumeRolePolicy(p.t.Context(), &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String(p.called(p.name)), PolicyDocument: &text})
	p.must(err)
}

// profile makes one that lists these roles.
func (p *patient) profile(roles ...string) string {
	p.t.Helper()
	made, err := p.ward.anywhere().CreateProfile(p.t.Context(), &rolesanywhere.CreateProfileInput{Name: aws.String(p.called(p.name)), Enabled: aws.Bool(true), RoleArns: roles})
	p.must(err)
	return *made.Profile.ProfileArn
}

// by are the fields of an association by Roles Anywhere.
func by(anchor, profile string) string {
	return "method: roles-anywhere, disableSessionTags: true, rolesAnywhere: {trustAnchorArn: '" + anchor + "', profileArn: '" + profile + "'}"
}

// certify puts a certificate of the pod's names, with one change, into the
// Secret where the sidecar has it from.
func (p *patient) certify(ca forger, change func(*x509.Certificate)) *x509.Certificate {
	p.t.Helper()
	template := leafTemplate()
	template.URIs = []*url.URL{{Scheme: "spiffe", Host: trustDomain, Path: "/ns/" + p.Name + "/sa/" + p.account}}
	if change != nil {
		change(template)
	}
	leaf := ca.issue(p.t, template, newKey(p.t))
	key, err := pki.EncodeKey(leaf.key)
	p.must(err)
	p.secret(string(pki.EncodeCertificate(leaf.cert)), string(key))
	return leaf.cert
}

func (p *patient) secret(certificate, key string) {
	p.t.Helper()
	text, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": map[string]string{"name": p.account + "-certificate"},
		"stringData": map[string]string{"tls.crt": certificate, "tls.key": key},
	})
	p.must(err)
	p.Apply(string(text))
}

// revoke imports a list with the certificate under an anchor.
func (p *patient) revoke(anchor string, cert *x509.Certificate) {
	p.t.Helper()
	list, err := pki.CA{Certificate: p.ca.cert, Signer: p.ca.key}.CRL([]pki.Revoked{{Serial: cert.SerialNumber, Time: time.Now()}}, 1, time.Now(), time.Now().AddDate(0, 0, 7))
	p.must(err)
	_, err = p.ward.anywhere().ImportCrl(p.t.Context(), &rolesanywhere.ImportCrlInput{
		Name: aws.String(p.called(p.name)), TrustAnchorArn: &anchor, CrlData: list, Enabled: aws.Bool(true),
	})
	p.must(err)
}

// eksCluster is one of the name of ours, whose tokens are ours.
func (w *ward) eksCluster() {
	w.t.Helper()
	_, err := eks.NewFromConfig(w.aws.Config()).CreateCluster(w.t.Context(), &eks.CreateClusterInput{
		Name: aws.String("e2e"), RoleArn: aws.String("arn:aws:iam::" + account + ":role/eks"), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{},
		Tags: map[string]string{"sandbox.daypass.dev/issuer": kube.Issuer},
	})
	if taken := (*ekstypes.ResourceInUseException)(nil); !errors.As(err, &taken) {
		w.must(err)
	}
}

// noCluster takes it away; the sandbox may have it of another run.
func (w *ward) noCluster() {
	w.t.Helper()
	_, err := eks.NewFromConfig(w.aws.Config()).DeleteCluster(w.t.Context(), &eks.DeleteClusterInput{Name: aws.String("e2e")})
	if none := (*ekstypes.ResourceNotFoundException)(nil); !errors.As(err, &none) {
		w.must(err)
	}
}

// eksRole lets the agents ask EKS.
func (w *ward) eksRole() {
	w.t.Helper()
	trust, err := setup.TrustPolicy(setup.Token{
		ProviderARN: setup.ProviderARN("aws", account, kube.Issuer), Subject: "system:serviceaccount:daypass:daypass-node", Audience: "sts.amazonaws.com",
	})
	w.must(err)
	name := aws.String("daypass-node")
	_, err = kubetest.MakeRole(w.t.Context(), w.iam(), &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(string(trust))})
	w.must(err)
	_, err = w.iam().PutRolePolicy(w.t.Context(), &iam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("eks"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"eks-auth:AssumeRoleForPodIdentity","Resource":"arn:aws:eks:us-east-1:` + account + `:cluster/*"}]}`)})
	w.must(err)
}

// eksAssociate is what EKS has to be told of a pod by itself.
func (p *patient) eksAssociate() {
	p.t.Helper()
	_, err := eks.NewFromConfig(p.aws.Config()).CreatePodIdentityAssociation(p.t.Context(), &eks.CreatePodIdentityAssociationInput{
		ClusterName: aws.String("e2e"), Namespace: &p.Name, ServiceAccount: &p.account, RoleArn: &p.role,
	})
	p.must(err)
}

const project = "demo-project"

// askGoogle asks for something of the project's accounts.
func (p *patient) askGoogle(path, body string, into any) {
	p.t.Helper()
	answer, err := p.aws.Config().HTTPClient.(*http.Client).Post("https://iam.googleapis.com/v1/projects/"+path, "application/json", strings.NewReader(body))
	p.must(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	p.must(err)
	if answer.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %s", answer.Status, text)
	}
	p.must(json.Unmarshal(text, into))
}

// bind lets the pod run as its account of Google's.
func (p *patient) bind() {
	p.t.Helper()
	p.askGoogle("-/serviceAccounts/"+p.called(p.name)+"@"+project+".iam.gserviceaccount.com:setIamPolicy", `{"policy": {"bindings": [{"role": "roles/iam.workloadIdentityUser",
		"members": ["serviceAccount:`+project+`.svc.id.goog[`+p.Name+`/`+p.account+`]"]}]}}`, &struct{}{})
}

// google makes an account of Google's that the pod may run as, if it is bound,
// and has the role trust it.
func (p *patient) google(bound bool) (email string) {
	p.t.Helper()
	var made struct{ Email, UniqueID string }
	p.askGoogle(project+"/serviceAccounts", `{"accountId": "`+p.called(p.name)+`"}`, &made)
	if bound {
		p.bind()
	}
	text, err := setup.TrustPolicy(setup.GoogleAccount{UniqueID: made.UniqueID, Audience: "gtoken/sts/assume-role-with-web-identity"})
	p.must(err)
	p.trust(string(text))
	return made.Email
}
