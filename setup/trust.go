package setup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"daypass.dev/policy"
)

// A Grant lets one workload into a role by one method: a Certificate, a Token,
// a GoogleAccount or a Pod.
type Grant interface {
	statement() (trustStatement, error)
}

// A Certificate is a leaf that Roles Anywhere accepts under one trust anchor.
// The anchor is always bound: without it, any anchor of the account could vouch
// for the name.
type Certificate struct {
	TrustAnchorARN string
	// URI and CommonName are what the leaf must say: its first URI among the
	// subject alternative names, its common name. At least one; both bind.
	URI        string
	CommonName string
}

// A Token is a web identity token of an OIDC provider that the account knows.
type Token struct {
	ProviderARN string // arn:aws:iam::ACCOUNT:oidc-provider/ISSUER
	Subject     string // sub, as "system:serviceaccount:NAMESPACE:NAME"
	Audience    string // aud, as "sts.amazonaws.com"
}

// A GoogleAccount is an ID token of a Google service account. AWS reads Google's
// azp, the account's number, as accounts.google.com:aud, and the audience that
// was asked for as accounts.google.com:oaud.
type GoogleAccount struct {
	UniqueID string // the account's number; its e-mail address can be given to another
	Audience string
}

// A Pod is a ServiceAccount of a cluster that EKS knows, by EKS Pod Identity
// with session tags.
type Pod struct {
	ClusterARN     string // arn:aws:eks:REGION:ACCOUNT:cluster/NAME
	Namespace      string
	ServiceAccount string
}

// TrustPolicy writes the narrowest role trust policy that lets in these
// workloads and nobody else, as indented JSON, a statement for each. A value
// that is missing, or that IAM would read as a pattern or variable, is an error.
func TrustPolicy(grants ...Grant) ([]byte, error) {
	doc := trustDocument{Version: "2012-10-17"}
	for _, g := range grants {
		s, err := g.statement()
		if err != nil {
			return nil, fmt.Errorf("writing a trust policy: %w", err)
		}
		s.Effect = "Allow"
		doc.Statement = append(doc.Statement, s)
	}
	if len(doc.Statement) == 0 {
		return nil, fmt.Errorf("writing a trust policy: nobody is named who may use the role")
	}
	text, err := indented(doc)
	if err != nil {
		return nil, err
	}
	if _, err := policy.Parse(policy.Trust, string(text)); err != nil {
		return nil, fmt.Errorf("writing a trust policy: IAM would not take it: %w", err)
	}
	return text, nil
}

// ProviderARN is the ARN of an account's OIDC provider for an issuer's URL.
// Partition is "aws", "aws-cn" and so on.
func ProviderARN(partition, account, issuer string) string {
	return "arn:" + partition + ":iam::" + account + ":oidc-provider/" + strings.TrimPrefix(issuer, "https://")
}

type (
	trustDocument struct {
		Version   string
		Statement []trustStatement
	}
	trustStatement struct {
		Effect    string
		Principal map[string]string
		Action    []string
		Condition map[string]map[string]string
	}
)

var (
	anchorForm   = regexp.MustCompile(`^arn:aws[a-z-]*:rolesanywhere:[a-z0-9-]+:([0-9]{12}):trust-anchor/[0-9a-f-]+$`)
	providerForm = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/([a-zA-Z0-9._~%:/-]+)$`)
	clusterForm  = regexp.MustCompile(`^arn:aws[a-z-]*:eks:[a-z0-9-]+:([0-9]{12}):cluster/[a-zA-Z0-9_-]+$`)
	numberForm   = regexp.MustCompile(`^[0-9]{6,30}$`)
)

func (c Certificate) statement() (trustStatement, error) {
	m := anchorForm.FindStringSubmatch(c.TrustAnchorARN)
	if m == nil {
		return trustStatement{}, fmt.Errorf("%q is no trust anchor's ARN", c.TrustAnchorARN)
	}
	equals := map[string]string{"aws:SourceAccount": m[1]}
	for key, value := range map[string]string{"x509SAN/URI": c.URI, "x509Subject/CN": c.CommonName} {
		if value != "" {
			equals["aws:PrincipalTag/"+key] = value
		}
	}
	if len(equals) == 1 {
		return trustStatement{}, fmt.Errorf("neither URI nor common name says which certificate of %s is meant", c.TrustAnchorARN)
	}
	return trustStatement{
		Principal: map[string]string{"Service": anywhereService},
		Action:    []string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"},
		Condition: map[string]map[string]string{"ArnEquals": {"aws:SourceArn": c.TrustAnchorARN}, "StringEquals": equals},
	}, literal(equals)
}

func (t Token) statement() (trustStatement, error) {
	m := providerForm.FindStringSubmatch(t.ProviderARN)
	if m == nil {
		return trustStatement{}, fmt.Errorf("%q is no OIDC provider's ARN", t.ProviderARN)
	}
	equals := map[string]string{m[1] + ":sub": t.Subject, m[1] + ":aud": t.Audience}
	return trustStatement{
		Principal: map[string]string{"Federated": t.ProviderARN},
		Action:    []string{"sts:AssumeRoleWithWebIdentity"},
		Condition: map[string]map[string]string{"StringEquals": equals},
	}, literal(equals)
}

func (g GoogleAccount) statement() (trustStatement, error) {
	if !numberForm.MatchString(g.UniqueID) {
		return trustStatement{}, fmt.Errorf("%q is not the number of a Google service account (gcloud iam service-accounts describe EMAIL --format 'value(uniqueId)')", g.UniqueID)
	}
	const issuer = "accounts.google.com"
	equals := map[string]string{issuer + ":sub": g.UniqueID, issuer + ":aud": g.UniqueID, issuer + ":oaud": g.Audience}
	return trustStatement{
		Principal: map[string]string{"Federated": issuer},
		Action:    []string{"sts:AssumeRoleWithWebIdentity"},
		Condition: map[string]map[string]string{"StringEquals": equals},
	}, literal(equals)
}

func (p Pod) statement() (trustStatement, error) {
	m := clusterForm.FindStringSubmatch(p.ClusterARN)
	if m == nil {
		return trustStatement{}, fmt.Errorf("%q is no EKS cluster's ARN", p.ClusterARN)
	}
	equals := map[string]string{
		"aws:SourceAccount":                         m[1],
		"aws:RequestTag/kubernetes-namespace":       p.Namespace,
		"aws:RequestTag/kubernetes-service-account": p.ServiceAccount,
	}
	return trustStatement{
		Principal: map[string]string{"Service": podService},
		Action:    []string{"sts:AssumeRole", "sts:TagSession"},
		Condition: map[string]map[string]string{"ArnEquals": {"aws:SourceArn": p.ClusterARN}, "StringEquals": equals},
	}, literal(equals)
}

// literal refuses values that are empty or that IAM reads as a variable. A star
// is literal under StringEquals, but who writes one means a pattern.
func literal(equals map[string]string) error {
	for key, value := range equals {
		if value == "" {
			return fmt.Errorf("%s has no value to be compared with", key)
		}
		if strings.Contains(value, "${") || strings.ContainsAny(value, "*?") {
			return fmt.Errorf("%s: %q looks like a pattern, and one workload is to be named", key, value)
		}
	}
	return nil
}

func indented(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return out.Bytes(), err
}
