package gather

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acmpca"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"daypass.dev/doctor"
	"daypass.dev/pki"
)

// fromAWS reads what no file stands for.
func (c *Case) fromAWS(ctx context.Context, e *doctor.Evidence, bears bool) {
	s := e.Settings
	unseen := doctor.Look{Unseen: c.Unseen}
	if c.Operator == nil {
		if e.Anchor == nil && s.TrustAnchorARN != "" && !bears {
			e.Anchor = &doctor.Anchor{Look: unseen, ARN: s.TrustAnchorARN}
		}
		if e.Profile == nil && s.ProfileARN != "" && !bears {
			e.Profile = &doctor.Profile{Look: unseen, ARN: s.ProfileARN}
		}
		if e.Role == nil && s.RoleARN != "" {
			e.Role = &doctor.Role{Look: unseen, ARN: s.RoleARN}
		}
		if s.FurtherARN != "" {
			e.Further = &doctor.Role{Look: unseen, ARN: s.FurtherARN}
		}
		return
	}
	account := ""
	if id, err := sts.NewFromConfig(*c.Operator).GetCallerIdentity(ctx, nil); err == nil {
		account = aws.ToString(id.Account)
	}
	reads := c.Request != nil || s.FurtherARN != ""
	if e.Role == nil && s.RoleARN != "" {
		e.Role = c.role(ctx, s.RoleARN, account, reads)
	}
	if s.FurtherARN != "" {
		e.Further = c.role(ctx, s.FurtherARN, account, c.Request != nil)
	}
	if bears {
		if e.Token != nil && e.Token.Issuer() != "" {
			e.Provider = c.provider(ctx, e.Token.Issuer(), s.RoleARN, account)
		}
		return
	}
	region := field(s.TrustAnchorARN, 3)
	if region == "" {
		return
	}
	client := rolesanywhere.NewFromConfig(*c.Operator, func(o *rolesanywhere.Options) { o.Region = region })
	if e.Anchor == nil || e.Anchor.Unseen != "" {
		given := e.Anchor
		e.Anchor = c.anchor(ctx, client, s.TrustAnchorARN, account)
		if given != nil { // a file of certificates stands for AWS's
			e.Anchor.Certificates, e.Anchor.Bundle = given.Certificates, given.Bundle
		}
		e.CRLs = c.crls(ctx, client, s.TrustAnchorARN, account)
	}
	if e.Profile == nil && s.ProfileARN != "" {
		e.Profile = c.profile(ctx, client, s.ProfileARN, account)
	}
}

// foreign is why a thing of another account cannot be looked at; empty if it can.
func foreign(arn, account string) string {
	if owner := field(arn, 4); account != "" && owner != "" && owner != account {
		return "it is in account " + owner + ", the credentials here are of " + account
	}
	return ""
}

// field is a part of an ARN, counted from 0.
func field(arn string, n int) string {
	p := strings.SplitN(arn, ":", 6)
	if len(p) != 6 {
		return ""
	}
	return p[n]
}

func id(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// looked reads an error of AWS: not there, or not to be seen.
func looked(err error) doctor.Look {
	var api smithy.APIError
	switch {
	case err == nil:
		return doctor.Look{}
	case errors.As(err, &api) && (api.ErrorCode() == "ResourceNotFoundException" || api.ErrorCode() == "NoSuchEntity" || api.ErrorCode() == "NoSuchEntityException"):
		return doctor.Look{Missing: true}
	case errors.As(err, &api):
		return doctor.Look{Unseen: api.ErrorCode() + ": " + api.ErrorMessage()}
	}
	return doctor.Look{Unseen: err.Error()}
}

func (c *Case) anchor(ctx context.Context, client *rolesanywhere.Client, arn, account string) *doctor.Anchor {
	a := &doctor.Anchor{ARN: arn, Look: doctor.Look{Unseen: foreign(arn, account)}}
	if a.Unseen != "" {
		return a
	}
	got, err := client.GetTrustAnchor(ctx, &rolesanywhere.GetTrustAnchorInput{TrustAnchorId: aws.String(id(arn))})
	if a.Look = looked(err); err != nil {
		return a
	}
	t := got.TrustAnchor
	a.Enabled, a.FetchesCRLs = aws.ToBool(t.Enabled), t.CrlDpRevocationEnabled
	for _, n := range t.NotificationSettings {
		a.Notifications = append(a.Notifications, doctor.Notification{Event: string(n.Event), Enabled: aws.ToBool(n.Enabled), Threshold: int(aws.ToInt32(n.Threshold))})
	}
	if t.Source == nil {
		return a
	}
	a.Type = string(t.Source.SourceType)
	switch source := t.Source.SourceData.(type) {
	case *types.SourceDataMemberX509CertificateData:
		a.Bundle = source.Value
	case *types.SourceDataMemberAcmPcaArn:
		ca := acmpca.NewFromConfig(*c.Operator, func(o *acmpca.Options) { o.Region = field(source.Value, 3) })
		got, err := ca.GetCertificateAuthorityCertificate(ctx, &acmpca.GetCertificateAuthorityCertificateInput{CertificateAuthorityArn: aws.String(source.Value)})
		var api smithy.APIError
		switch {
		case err == nil:
			a.Bundle = aws.ToString(got.Certificate)
		case errors.As(err, &api) && slices.Contains([]string{"ResourceNotFoundException", "InvalidStateException", "RequestInProgressException"}, api.ErrorCode()):
			a.Authority = source.Value + ": " + api.ErrorCode() + ": " + api.ErrorMessage()
		}
	}
	a.Certificates, _ = pki.ParseCertificates([]byte(a.Bundle))
	return a
}

func (c *Case) crls(ctx context.Context, client *rolesanywhere.Client, anchor, account string) *doctor.CRLs {
	all := &doctor.CRLs{Look: doctor.Look{Unseen: foreign(anchor, account)}}
	if all.Unseen != "" {
		return all
	}
	for pages := rolesanywhere.NewListCrlsPaginator(client, &rolesanywhere.ListCrlsInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			all.Look = looked(err)
			return all
		}
		for _, crl := range page.Crls {
			if aws.ToString(crl.TrustAnchorArn) != anchor {
				continue
			}
			data := crl.CrlData
			if block, _ := pem.Decode(data); block != nil {
				data = block.Bytes
			}
			list, _ := x509.ParseRevocationList(data)
			all.Lists = append(all.Lists, doctor.CRL{Name: aws.ToString(crl.Name), Enabled: aws.ToBool(crl.Enabled), List: list})
		}
	}
	return all
}

func (c *Case) profile(ctx context.Context, client *rolesanywhere.Client, arn, account string) *doctor.Profile {
	p := &doctor.Profile{ARN: arn, Look: doctor.Look{Unseen: foreign(arn, account)}}
	if region := client.Options().Region; p.Unseen == "" && field(arn, 3) != region {
		p.Unseen = "it is not in " + region
	}
	if p.Unseen != "" {
		return p
	}
	got, err := client.GetProfile(ctx, &rolesanywhere.GetProfileInput{ProfileId: aws.String(id(arn))})
	if p.Look = looked(err); err != nil {
		return p
	}
	in := got.Profile
	p.Name, p.Enabled, p.Roles = aws.ToString(in.Name), aws.ToBool(in.Enabled), in.RoleArns
	p.SessionPolicy, p.ManagedPolicies = aws.ToString(in.SessionPolicy), in.ManagedPolicyArns
	p.Seconds, p.AcceptSessionName = int(aws.ToInt32(in.DurationSeconds)), aws.ToBool(in.AcceptRoleSessionName)
	p.RequireInstanceProperties = aws.ToBool(in.RequireInstanceProperties)
	for _, m := range in.AttributeMappings {
		mapping := doctor.Mapping{Field: string(m.CertificateField)}
		for _, r := range m.MappingRules {
			mapping.Rules = append(mapping.Rules, doctor.Rule{Specifier: aws.ToString(r.Specifier)})
		}
		p.Mappings = append(p.Mappings, mapping)
	}
	p.Documents = map[string]string{}
	reader := iam.NewFromConfig(*c.Operator)
	for _, arn := range p.ManagedPolicies {
		if text, l := c.managed(ctx, reader, arn); l.Unseen == "" {
			p.Documents[arn] = text
		}
	}
	return p
}

// role reads a role, its policies too if they are wanted.
func (c *Case) role(ctx context.Context, arn, account string, policies bool) *doctor.Role {
	r := &doctor.Role{ARN: arn, Look: doctor.Look{Unseen: foreign(arn, account)}}
	if r.Unseen != "" {
		return r
	}
	client := iam.NewFromConfig(*c.Operator)
	name := aws.String(id(arn))
	got, err := client.GetRole(ctx, &iam.GetRoleInput{RoleName: name})
	if r.Look = looked(err); err != nil {
		return r
	}
	if found := aws.ToString(got.Role.Arn); found != arn {
		r.Missing = true // another path: AWS finds it by name, CreateSession does not
		return r
	}
	r.ID, r.Created = aws.ToString(got.Role.RoleId), aws.ToTime(got.Role.CreateDate)
	r.MaxSession = time.Duration(aws.ToInt32(got.Role.MaxSessionDuration)) * time.Second
	r.Trust = doctor.PolicyText([]byte(`"` + aws.ToString(got.Role.AssumeRolePolicyDocument) + `"`))
	r.Tags = map[string]string{}
	for _, t := range got.Role.Tags {
		r.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	if policies {
		c.policies(ctx, client, r, name)
		if b := got.Role.PermissionsBoundary; b != nil {
			if r.Boundary, _ = c.managed(ctx, client, aws.ToString(b.PermissionsBoundaryArn)); r.Boundary == "" {
				r.Policies = nil // without it they tell nothing
			}
		}
	}
	return r
}

// policies reads all of the role's, or none.
func (c *Case) policies(ctx context.Context, client *iam.Client, r *doctor.Role, name *string) {
	all := map[string]string{}
	for pages := iam.NewListRolePoliciesPaginator(client, &iam.ListRolePoliciesInput{RoleName: name}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return
		}
		for _, p := range page.PolicyNames {
			got, err := client.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: name, PolicyName: aws.String(p)})
			if err != nil {
				return
			}
			all["inline policy "+p] = doctor.PolicyText([]byte(`"` + aws.ToString(got.PolicyDocument) + `"`))
		}
	}
	for pages := iam.NewListAttachedRolePoliciesPaginator(client, &iam.ListAttachedRolePoliciesInput{RoleName: name}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return
		}
		for _, p := range page.AttachedPolicies {
			text, _ := c.managed(ctx, client, aws.ToString(p.PolicyArn))
			if text == "" {
				return
			}
			all["policy "+aws.ToString(p.PolicyName)] = text
		}
	}
	r.Policies = all
}

// managed is a managed policy's document; empty if it is not there or cannot be
// read.
func (c *Case) managed(ctx context.Context, client *iam.Client, arn string) (string, doctor.Look) {
	got, err := client.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: aws.String(arn)})
	if err != nil {
		return "", looked(err)
	}
	version, err := client.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: aws.String(arn), VersionId: got.Policy.DefaultVersionId})
	if err != nil {
		return "", looked(err)
	}
	return doctor.PolicyText([]byte(`"` + aws.ToString(version.PolicyVersion.Document) + `"`)), doctor.Look{}
}

// provider looks for the account's provider of an issuer, and for one of Google.
func (c *Case) provider(ctx context.Context, issuer, role, account string) *doctor.Provider {
	p := &doctor.Provider{Look: doctor.Look{Unseen: foreign(role, account)}}
	if p.Unseen != "" {
		return p
	}
	client := iam.NewFromConfig(*c.Operator)
	list, err := client.ListOpenIDConnectProviders(ctx, nil)
	if p.Look = looked(err); err != nil {
		return p
	}
	p.Missing = true
	for _, one := range list.OpenIDConnectProviderList {
		arn := aws.ToString(one.Arn)
		_, name, _ := strings.Cut(arn, ":oidc-provider/")
		p.Google = p.Google || name == "accounts.google.com"
		if name != strings.TrimPrefix(issuer, "https://") {
			continue
		}
		p.Missing = false
		got, err := client.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: aws.String(arn)})
		if p.Look = looked(err); err == nil {
			p.ClientIDs = got.ClientIDList
		}
	}
	return p
}
