package setup

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// ownPolicy is the name of the inline policy that a role has of its file.
const ownPolicy = "daypass"

// anywhereService is whom a profile's roles are passed to.
const anywhereService = "rolesanywhere.amazonaws.com"

func (p *Plan) role(name string, have *role) error {
	f, want := p.file, p.file.Roles[name]
	document, err := want.document()
	if err != nil {
		return err // check has refused it
	}
	trust, err := f.trust(name, p.made.anchor)
	if err != nil {
		return err
	}
	if have == nil {
		p.create(name, trust)
		have = &role{own: true, arn: f.RoleARN(name), trust: trust, max: seconds(want.MaxSession)}
	}
	if !have.own || have.arn != f.RoleARN(name) {
		return refusef("setup-foreign", "%s is there and not of %s", have.arn, f.path)
	}
	thing := "role " + name
	in := aws.String(name)
	step := func(sign, detail, action string, run func(context.Context, *Client, *made) error) {
		p.add(Step{Sign: sign, Thing: thing, Detail: detail, Action: "iam:" + action, Resource: have.arn, run: run})
	}
	if !sameJSON(have.trust, trust) {
		step("~", "trust policy\n"+trust, "UpdateAssumeRolePolicy", func(ctx context.Context, c *Client, m *made) error {
			text, err := f.trust(name, m.anchor)
			if err != nil {
				return err
			}
			_, err = c.iam.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: in, PolicyDocument: aws.String(text)})
			return err
		})
	}
	if life := seconds(want.MaxSession); have.max != life {
		step("~", fmt.Sprintf("sessions of at most %d seconds", life), "UpdateRole", func(ctx context.Context, c *Client, _ *made) error {
			_, err := c.iam.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: in, MaxSessionDuration: aws.Int32(life)})
			return err
		})
	}
	if document != "" && !sameJSON(have.inline[ownPolicy], document) {
		step("~", "policy "+ownPolicy+"\n"+document, "PutRolePolicy", func(ctx context.Context, c *Client, _ *made) error {
			_, err := c.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: in, PolicyName: aws.String(ownPolicy), PolicyDocument: aws.String(document)})
			return err
		})
	}
	for _, arn := range want.Policies {
		if !slices.Contains(have.attached, arn) {
			step("~", "+ policy "+arn, "AttachRolePolicy", func(ctx context.Context, c *Client, _ *made) error {
				_, err := c.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: in, PolicyArn: aws.String(arn)})
				return err
			})
		}
	}
	var spare []string
	for _, arn := range have.attached {
		if !slices.Contains(want.Policies, arn) {
			spare = append(spare, arn)
		}
	}
	gone := &role{arn: have.arn, attached: spare, inline: maps.Clone(have.inline)}
	if document != "" {
		delete(gone.inline, ownPolicy)
	}
	p.strip(name, gone)
	return nil
}

func (p *Plan) create(name, trust string) {
	f := p.file
	p.add(Step{Sign: "+", Thing: "role " + name, Detail: "trust policy\n" + trust, Action: "iam:CreateRole", Resource: f.RoleARN(name),
		run: func(ctx context.Context, c *Client, m *made) error {
			text, err := f.trust(name, m.anchor)
			if err != nil {
				return err
			}
			_, err = c.iam.CreateRole(ctx, &iam.CreateRoleInput{
				RoleName: aws.String(name), Path: aws.String(f.rolePath()), AssumeRolePolicyDocument: aws.String(text),
				MaxSessionDuration: aws.Int32(seconds(f.Roles[name].MaxSession)), Tags: f.iamTags(),
			})
			if exists(err) {
				// The SDK asked again after an answer that was lost.
				if r, readErr := c.readRole(ctx, name); readErr == nil && r != nil && r.own && sameJSON(r.trust, text) {
					return nil
				}
			}
			return err
		}})
}

// strip takes policies off a role.
func (p *Plan) strip(name string, r *role) {
	in, thing := aws.String(name), "role "+name
	for _, policy := range slices.Sorted(maps.Keys(r.inline)) {
		p.add(Step{Sign: "-", Thing: thing, Detail: "policy " + policy, Action: "iam:DeleteRolePolicy", Resource: r.arn,
			run: func(ctx context.Context, c *Client, _ *made) error {
				_, err := c.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: in, PolicyName: aws.String(policy)})
				return err
			}})
	}
	for _, arn := range r.attached {
		p.add(Step{Sign: "-", Thing: thing, Detail: "policy " + arn, Action: "iam:DetachRolePolicy", Resource: r.arn,
			run: func(ctx context.Context, c *Client, _ *made) error {
				_, err := c.iam.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: in, PolicyArn: aws.String(arn)})
				return err
			}})
	}
}
