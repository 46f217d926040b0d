package setup

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
)

// A Step is one call that changes AWS.
type Step struct {
	// Sign is + for what is made, ~ for what is changed, - for what is deleted.
	Sign string `json:"sign"`
	// Thing names it: "role reports", "trust anchor daypass-prod".
	Thing string `json:"thing"`
	// Detail says what becomes of it, in lines; may be empty.
	Detail string `json:"detail,omitempty"`
	// Action is the permission that the call needs, Resource on what.
	Action   string `json:"action"`
	Resource string `json:"resource"`

	run func(context.Context, *Client, *made) error
	// passes are the roles that the call hands to the service passesTo.
	passes   []string
	passesTo string
}

// made are the ARNs that steps before have found out.
type made struct{ anchor, profile string }

// A Plan is what is to be done, in order.
type Plan struct {
	Steps []Step `json:"steps"`
	// Warnings are what is worth a look, in the file and in the trust policies of
	// other roles of the account.
	Warnings []string `json:"warnings,omitempty"`
	// Left are things of the file's own that it no longer names. They stay unless
	// the plan was made to prune.
	Left []string `json:"left,omitempty"`

	file *File // as AWS is to be
	read *File // by which AWS was read
	made made
}

// Plan is the difference between file and state. With prune it deletes what the
// file made and no longer names. An error is a *RefusedError: somebody else's
// thing stands where the file's belongs.
func (f *File) Plan(s *State, prune bool) (*Plan, error) {
	p := &Plan{file: f, read: f, made: made{anchor: unknownAnchor(f)}, Warnings: f.warnings()}
	for _, name := range slices.Sorted(maps.Keys(s.others)) {
		for _, what := range lint(s.others[name]) {
			p.Warnings = append(p.Warnings, "role "+name+", not of this file: "+what)
		}
	}
	if err := p.provider(s); err != nil {
		return nil, err
	}
	p.anchor(s)
	for _, name := range f.names() {
		if err := p.role(name, s.roles[name]); err != nil {
			return nil, err
		}
	}
	p.profile(s)
	if err := p.associate(s); err != nil {
		return nil, err
	}
	p.leave(s, prune)
	return p, nil
}

func (p *Plan) add(s Step) { p.Steps = append(p.Steps, s) }

func (p *Plan) provider(s *State) error {
	f := p.file
	if f.issuer() == "" {
		return nil
	}
	audience, arn, thing := f.Cluster.audience(), f.providerARN(), "OIDC provider "+f.issuer()
	have, there := s.providers[arn]
	switch {
	case !there:
		p.add(Step{Sign: "+", Thing: thing, Detail: "client id " + audience, Action: "iam:CreateOpenIDConnectProvider", Resource: arn,
			run: func(ctx context.Context, c *Client, _ *made) error {
				_, err := c.iam.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{
					Url: aws.String(f.issuer()), ClientIDList: []string{audience}, Tags: f.iamTags(),
				})
				if exists(err) {
					now, readErr := c.readProvider(ctx, arn) // the SDK asked again after an answer that was lost
					if readErr == nil && now.own {
						return nil
					}
				}
				return err
			}})
	case !slices.Contains(have.clientIDs, audience) && !have.own:
		return refusef("setup-provider", "%s is not of %s and does not know the client id %s", arn, f.path, audience)
	case !slices.Contains(have.clientIDs, audience):
		p.add(Step{Sign: "~", Thing: thing, Detail: "+ client id " + audience, Action: "iam:AddClientIDToOpenIDConnectProvider", Resource: arn,
			run: func(ctx context.Context, c *Client, _ *made) error {
				_, err := c.iam.AddClientIDToOpenIDConnectProvider(ctx, &iam.AddClientIDToOpenIDConnectProviderInput{
					OpenIDConnectProviderArn: aws.String(arn), ClientID: aws.String(audience),
				})
				return err
			}})
	}
	return nil
}

func (f *File) iamTags() []iamtypes.Tag {
	return []iamtypes.Tag{{Key: aws.String(ownTag), Value: aws.String(f.Name)}}
}

func (f *File) tags() []types.Tag {
	return []types.Tag{{Key: aws.String(ownTag), Value: aws.String(f.Name)}}
}

func (t *TrustAnchor) source() *types.Source {
	if t.PrivateCA != "" {
		return &types.Source{SourceType: types.TrustAnchorTypeAwsAcmPca, SourceData: &types.SourceDataMemberAcmPcaArn{Value: t.PrivateCA}}
	}
	return &types.Source{SourceType: types.TrustAnchorTypeCertificateBundle, SourceData: &types.SourceDataMemberX509CertificateData{Value: t.bundle}}
}

func sameSource(a, b *types.Source) bool {
	if a == nil || a.SourceType != b.SourceType {
		return false
	}
	text := func(s *types.Source) string {
		switch data := s.SourceData.(type) {
		case *types.SourceDataMemberAcmPcaArn:
			return data.Value
		case *types.SourceDataMemberX509CertificateData:
			return strings.TrimSpace(data.Value)
		}
		return ""
	}
	return text(a) == text(b)
}

func (p *Plan) anchor(s *State) {
	f := p.file
	if f.TrustAnchor == nil {
		return
	}
	thing, source := "trust anchor "+f.anywhereName(), f.TrustAnchor.source()
	if s.anchor == nil {
		p.add(Step{Sign: "+", Thing: thing, Action: "rolesanywhere:CreateTrustAnchor", Resource: f.anywhereARN("trust-anchor", "*"),
			run: func(ctx context.Context, c *Client, m *made) error {
				got, err := c.ra.CreateTrustAnchor(ctx, &rolesanywhere.CreateTrustAnchorInput{
					Name: aws.String(f.anywhereName()), Enabled: aws.Bool(true), Source: source, Tags: f.tags(),
				}, once)
				if err == nil {
					m.anchor = aws.ToString(got.TrustAnchor.TrustAnchorArn)
				}
				return err
			}})
		return
	}
	p.made.anchor = aws.ToString(s.anchor.TrustAnchorArn)
	id := s.anchor.TrustAnchorId
	if !sameSource(s.anchor.Source, source) {
		p.add(Step{Sign: "~", Thing: thing, Detail: "its certificates", Action: "rolesanywhere:UpdateTrustAnchor", Resource: p.made.anchor,
			run: func(ctx context.Context, c *Client, _ *made) error {
				_, err := c.ra.UpdateTrustAnchor(ctx, &rolesanywhere.UpdateTrustAnchorInput{TrustAnchorId: id, Source: source})
				return err
			}})
	}
	if !aws.ToBool(s.anchor.Enabled) {
		p.add(Step{Sign: "~", Thing: thing, Detail: "enabled", Action: "rolesanywhere:EnableTrustAnchor", Resource: p.made.anchor,
			run: func(ctx context.Context, c *Client, _ *made) error {
				_, err := c.ra.EnableTrustAnchor(ctx, &rolesanywhere.EnableTrustAnchorInput{TrustAnchorId: id})
				return err
			}})
	}
}

func (p *Plan) profile(s *State) {
	f := p.file
	if f.TrustAnchor == nil {
		return
	}
	var arns []string
	for _, name := range f.anchored() {
		arns = append(arns, f.RoleARN(name))
	}
	if len(arns) == 0 {
		return
	}
	thing, life := "profile "+f.anywhereName(), seconds(f.TrustAnchor.Sessions)
	if s.profile == nil {
		p.add(Step{Sign: "+", Thing: thing, Detail: "roles " + strings.Join(f.anchored(), ", "), Action: "rolesanywhere:CreateProfile", Resource: f.anywhereARN("profile", "*"), passes: arns, passesTo: anywhereService,
			run: func(ctx context.Context, c *Client, m *made) error {
				got, err := c.ra.CreateProfile(ctx, &rolesanywhere.CreateProfileInput{
					Name: aws.String(f.anywhereName()), Enabled: aws.Bool(true), RoleArns: arns, DurationSeconds: aws.Int32(life),
					AcceptRoleSessionName: aws.Bool(true), Tags: f.tags(),
				}, once)
				if err == nil {
					m.profile = aws.ToString(got.Profile.ProfileArn)
				}
				return err
			}})
		return
	}
	p.made.profile = aws.ToString(s.profile.ProfileArn)
	id := s.profile.ProfileId
	have := slices.Sorted(slices.Values(s.profile.RoleArns))
	if !slices.Equal(have, slices.Sorted(slices.Values(arns))) || aws.ToInt32(s.profile.DurationSeconds) != life || !aws.ToBool(s.profile.AcceptRoleSessionName) {
		p.add(Step{Sign: "~", Thing: thing, Detail: "roles " + strings.Join(f.anchored(), ", "), Action: "rolesanywhere:UpdateProfile", Resource: p.made.profile, passes: arns, passesTo: anywhereService,
			run: func(ctx context.Context, c *Client, _ *made) error {
				_, err := c.ra.UpdateProfile(ctx, &rolesanywhere.UpdateProfileInput{
					ProfileId: id, RoleArns: arns, DurationSeconds: aws.Int32(life), AcceptRoleSessionName: aws.Bool(true),
				})
				return err
			}})
	}
	if !aws.ToBool(s.profile.Enabled) {
		p.add(Step{Sign: "~", Thing: thing, Detail: "enabled", Action: "rolesanywhere:EnableProfile", Resource: p.made.profile,
			run: func(ctx context.Context, c *Client, _ *made) error {
				_, err := c.ra.EnableProfile(ctx, &rolesanywhere.EnableProfileInput{ProfileId: id})
				return err
			}})
	}
}

// Print writes the plan as people read it.
func (p *Plan) Print(w io.Writer) error {
	var b strings.Builder
	for _, w := range p.Warnings {
		b.WriteString("! " + w + "\n")
	}
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "%s %s", s.Sign, s.Thing)
		if s.Detail != "" {
			b.WriteString(": " + strings.ReplaceAll(strings.TrimSpace(s.Detail), "\n", "\n    "))
		}
		b.WriteString("\n")
	}
	for _, what := range p.Left {
		fmt.Fprintf(&b, "  %s is no longer in the file, and stays (--prune deletes it)\n", what)
	}
	if len(p.Steps) == 0 {
		b.WriteString("nothing to do\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
