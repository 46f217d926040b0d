package setup

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
)

// Destroy is the plan that deletes what the file made, and nothing else.
func (f *File) Destroy(s *State) *Plan {
	nothing := &File{Name: f.Name, Account: f.Account, Region: f.Region, path: f.path}
	p := &Plan{file: nothing, read: f, made: made{anchor: unknownAnchor(f)}}
	p.leave(s, true)
	return p
}

// leave is about what the file made and no longer asks for: with prune it is
// deleted, users before what they use; else it is named.
func (p *Plan) leave(s *State, prune bool) {
	f := p.file
	spare := func(thing string, steps func()) {
		if prune {
			steps()
		} else {
			p.Left = append(p.Left, thing)
		}
	}
	wanted := map[string]bool{}
	for _, w := range f.associations() {
		wanted[w.account] = true
	}
	for _, account := range slices.Sorted(maps.Keys(s.associations)) {
		if a := s.associations[account]; a.own && !wanted[account] {
			spare("association "+account, func() { p.deleteAssociation(account, a) })
		}
	}
	if s.profile != nil && len(f.anchored()) == 0 {
		spare("profile "+f.anywhereName(), func() { p.deleteProfile(s.profile.ProfileId, aws.ToString(s.profile.ProfileArn)) })
	}
	for _, name := range slices.Sorted(maps.Keys(s.roles)) {
		if r := s.roles[name]; r.own && f.Roles[name] == nil {
			spare("role "+name, func() { p.deleteRole(name, r) })
		}
	}
	if s.anchor != nil && f.TrustAnchor == nil {
		spare("trust anchor "+f.anywhereName(), func() { p.deleteAnchor(s.anchor.TrustAnchorId, aws.ToString(s.anchor.TrustAnchorArn)) })
	}
	for _, arn := range slices.Sorted(maps.Keys(s.providers)) {
		if s.providers[arn].own && (f.issuer() == "" || arn != f.providerARN()) {
			spare("OIDC provider "+arn, func() { p.deleteProvider(arn) })
		}
	}
}

func (p *Plan) deleteAssociation(account string, a association) {
	p.add(Step{Sign: "-", Thing: "association " + account, Action: "eks:DeletePodIdentityAssociation", Resource: a.arn,
		run: func(ctx context.Context, c *Client, _ *made) error {
			_, err := c.eks.DeletePodIdentityAssociation(ctx, &eks.DeletePodIdentityAssociationInput{ClusterName: aws.String(a.cluster), AssociationId: aws.String(a.id)})
			return err
		}})
}

func (p *Plan) deleteProfile(id *string, arn string) {
	p.add(Step{Sign: "-", Thing: "profile " + p.file.anywhereName(), Action: "rolesanywhere:DeleteProfile", Resource: arn,
		run: func(ctx context.Context, c *Client, _ *made) error {
			_, err := c.ra.DeleteProfile(ctx, &rolesanywhere.DeleteProfileInput{ProfileId: id})
			return err
		}})
}

func (p *Plan) deleteAnchor(id *string, arn string) {
	p.add(Step{Sign: "-", Thing: "trust anchor " + p.file.anywhereName(), Action: "rolesanywhere:DeleteTrustAnchor", Resource: arn,
		run: func(ctx context.Context, c *Client, _ *made) error {
			_, err := c.ra.DeleteTrustAnchor(ctx, &rolesanywhere.DeleteTrustAnchorInput{TrustAnchorId: id})
			return err
		}})
}

func (p *Plan) deleteProvider(arn string) {
	p.add(Step{Sign: "-", Thing: "OIDC provider " + arn, Action: "iam:DeleteOpenIDConnectProvider", Resource: arn,
		run: func(ctx context.Context, c *Client, _ *made) error {
			_, err := c.iam.DeleteOpenIDConnectProvider(ctx, &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: aws.String(arn)})
			return err
		}})
}

func (p *Plan) deleteRole(name string, r *role) {
	p.strip(name, r)
	p.add(Step{Sign: "-", Thing: "role " + name, Action: "iam:DeleteRole", Resource: r.arn,
		run: func(ctx context.Context, c *Client, _ *made) error {
			_, err := c.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: aws.String(name)})
			return err
		}})
}
