package setup

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
	"github.com/aws/smithy-go"
)

// A Client reads and changes one account and region.
type Client struct {
	iam  *iam.Client
	ra   *rolesanywhere.Client
	eks  *eks.Client
	file *File
}

// NewClient makes a client for a file. The configuration's own region does not
// count.
func NewClient(f *File, cfg aws.Config) *Client {
	cfg.Region = f.Region
	return &Client{iam: iam.NewFromConfig(cfg), ra: rolesanywhere.NewFromConfig(cfg), eks: eks.NewFromConfig(cfg), file: f}
}

// A State is what AWS has of a file, and what stands in its way.
type State struct {
	anchor  *types.TrustAnchorDetail
	profile *types.ProfileDetail
	// providers of the account, by their ARNs.
	providers map[string]provider
	roles     map[string]*role // of the file, and what it made that the file no longer names
	// others are the trust policies of roles at other paths, by name.
	others map[string]string
	// associations of the cluster, by their ServiceAccounts.
	associations map[string]association
}

type provider struct {
	own       bool
	clientIDs []string
}

type role struct {
	own      bool
	arn      string
	trust    string
	max      int32
	inline   map[string]string
	attached []string
}

func missing(err error) bool { return is(err, "NoSuchEntity", "NoSuchEntityException") }

// gone tells that what was to be deleted is not there: AWS has done it, and its
// answer was lost.
func gone(err error) bool { return missing(err) || is(err, "ResourceNotFoundException") }

func exists(err error) bool { return is(err, "EntityAlreadyExists", "EntityAlreadyExistsException") }

func is(err error, codes ...string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && slices.Contains(codes, api.ErrorCode())
}

// once keeps the SDK from asking again: AWS would make a second one, for nothing
// in the call tells that it is the same.
func once(o *rolesanywhere.Options) { o.Retryer = aws.NopRetryer{} }

// Read looks at everything that the file is about, and changes nothing. Errors
// are the SDK's.
func (c *Client) Read(ctx context.Context) (*State, error) {
	s := &State{roles: map[string]*role{}, others: map[string]string{}}
	err := c.readAnywhere(ctx, s)
	if absent := (*net.DNSError)(nil); c.file.TrustAnchor == nil && errors.As(err, &absent) && absent.IsNotFound {
		err = nil // a region without Roles Anywhere
	}
	if err != nil {
		return nil, err
	}
	if err := c.readProviders(ctx, s); err != nil {
		return nil, err
	}
	if c.file.inEKS() {
		if err := c.readAssociations(ctx, s); err != nil {
			return nil, err
		}
	}
	names := c.file.names()
	for pages := iam.NewListRolesPaginator(c.iam, &iam.ListRolesInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Roles {
			if strings.HasPrefix(aws.ToString(r.Path), c.file.rolePath()) {
				names = append(names, aws.ToString(r.RoleName))
			} else {
				s.others[aws.ToString(r.RoleName)] = unescaped(r.AssumeRolePolicyDocument)
			}
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		r, err := c.readRole(ctx, name)
		if err != nil {
			return nil, err
		}
		if r != nil {
			s.roles[name] = r
		}
	}
	return s, nil
}

// readAnywhere finds trust anchor and profile by name and tag: AWS lets several
// have the same name.
func (c *Client) readAnywhere(ctx context.Context, s *State) error {
	for pages := rolesanywhere.NewListTrustAnchorsPaginator(c.ra, &rolesanywhere.ListTrustAnchorsInput{}); pages.HasMorePages() && s.anchor == nil; {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, a := range page.TrustAnchors {
			if aws.ToString(a.Name) != c.file.anywhereName() {
				continue
			}
			if own, err := c.own(ctx, aws.ToString(a.TrustAnchorArn)); err != nil {
				return err
			} else if own {
				s.anchor = &a
				break
			}
		}
	}
	for pages := rolesanywhere.NewListProfilesPaginator(c.ra, &rolesanywhere.ListProfilesInput{}); pages.HasMorePages() && s.profile == nil; {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, p := range page.Profiles {
			if aws.ToString(p.Name) != c.file.anywhereName() {
				continue
			}
			if own, err := c.own(ctx, aws.ToString(p.ProfileArn)); err != nil {
				return err
			} else if own {
				s.profile = &p
				break
			}
		}
	}
	return nil
}

func (c *Client) own(ctx context.Context, arn string) (bool, error) {
	tags, err := c.ra.ListTagsForResource(ctx, &rolesanywhere.ListTagsForResourceInput{ResourceArn: aws.String(arn)})
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(tags.Tags, func(t types.Tag) bool {
		return aws.ToString(t.Key) == ownTag && aws.ToString(t.Value) == c.file.Name
	}), nil
}

func (c *Client) readProviders(ctx context.Context, s *State) error {
	s.providers = map[string]provider{}
	all, err := c.iam.ListOpenIDConnectProviders(ctx, nil)
	if err != nil {
		return err
	}
	for _, one := range all.OpenIDConnectProviderList {
		arn := aws.ToString(one.Arn)
		p, err := c.readProvider(ctx, arn)
		if missing(err) {
			continue // deleted meanwhile
		}
		if err != nil {
			return err
		}
		s.providers[arn] = p
	}
	return nil
}

func (c *Client) readProvider(ctx context.Context, arn string) (provider, error) {
	got, err := c.iam.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: aws.String(arn)})
	if err != nil {
		return provider{}, err
	}
	return provider{clientIDs: got.ClientIDList, own: c.ownIAM(got.Tags)}, nil
}

func (c *Client) ownIAM(tags []iamtypes.Tag) bool {
	return slices.ContainsFunc(tags, func(t iamtypes.Tag) bool {
		return aws.ToString(t.Key) == ownTag && aws.ToString(t.Value) == c.file.Name
	})
}

// readRole is nil without an error if there is no such role.
func (c *Client) readRole(ctx context.Context, name string) (*role, error) {
	got, err := c.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String(name)})
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &role{
		own: c.ownIAM(got.Role.Tags), arn: aws.ToString(got.Role.Arn), max: aws.ToInt32(got.Role.MaxSessionDuration),
		trust: unescaped(got.Role.AssumeRolePolicyDocument), inline: map[string]string{},
	}
	if !r.own {
		return r, nil
	}
	for pages := iam.NewListRolePoliciesPaginator(c.iam, &iam.ListRolePoliciesInput{RoleName: aws.String(name)}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range page.PolicyNames {
			got, err := c.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: aws.String(name), PolicyName: aws.String(p)})
			if err != nil {
				return nil, err
			}
			r.inline[p] = unescaped(got.PolicyDocument)
		}
	}
	for pages := iam.NewListAttachedRolePoliciesPaginator(c.iam, &iam.ListAttachedRolePoliciesInput{RoleName: aws.String(name)}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range page.AttachedPolicies {
			r.attached = append(r.attached, aws.ToString(p.PolicyArn))
		}
	}
	return r, nil
}

// unescaped is a policy as IAM sends it, as JSON.
func unescaped(text *string) string {
	if plain, err := url.PathUnescape(aws.ToString(text)); err == nil {
		return plain
	}
	return aws.ToString(text)
}

// sameJSON tells whether two texts are the same policy.
func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return a == b
	}
	p, _ := json.Marshal(x) // of what was JSON
	q, _ := json.Marshal(y)
	return string(p) == string(q)
}
