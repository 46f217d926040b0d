package setup

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
)

// podService is whom EKS Pod Identity's roles are passed to.
const podService = "pods.eks.amazonaws.com"

// An association is EKS's record that a ServiceAccount may use a role.
type association struct {
	id, arn, role string
	cluster       string
	own           bool
	// plain: with session tags, which the trust policies compare, and with
	// neither a second role nor a policy of its own.
	plain bool
}

// inEKS tells whether the file makes associations.
func (f *File) inEKS() bool { return f.Cluster != nil && f.Cluster.Method == "eks" }

// eksName is the cluster's name in EKS.
func (c *Cluster) eksName() string { return c.ARN[strings.LastIndexByte(c.ARN, '/')+1:] }

// associationsARN stands for all associations of the cluster.
func (c *Cluster) associationsARN() string {
	return strings.Replace(c.ARN, ":cluster/", ":podidentityassociation/", 1) + "/*"
}

// A wantedAssociation is one that the file asks for: which ServiceAccount, as
// NAMESPACE/NAME, uses which role.
type wantedAssociation struct{ account, role string }

// associations are those of the file, in its roles' order.
func (f *File) associations() (all []wantedAssociation) {
	if !f.inEKS() {
		return nil
	}
	for _, name := range f.names() {
		for _, u := range f.Roles[name].UsedBy {
			if u.ServiceAccount != "" {
				all = append(all, wantedAssociation{u.ServiceAccount, name})
			}
		}
	}
	return all
}

// checkAssociations: EKS knows one role for each ServiceAccount.
func (f *File) checkAssociations() error {
	role := map[string]string{}
	for _, a := range f.associations() {
		if other, twice := role[a.account]; twice {
			return f.wrong("roles."+a.role+".usedBy", "%s uses role %s already, and EKS knows one for each ServiceAccount", a.account, other)
		}
		role[a.account] = a.role
	}
	return nil
}

// readAssociations reads each association of the cluster: only so does EKS show
// tags.
func (c *Client) readAssociations(ctx context.Context, s *State) error {
	s.associations = map[string]association{}
	name := aws.String(c.file.Cluster.eksName())
	for pages := eks.NewListPodIdentityAssociationsPaginator(c.eks, &eks.ListPodIdentityAssociationsInput{ClusterName: name}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, brief := range page.Associations {
			one, err := c.eks.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: name, AssociationId: brief.AssociationId})
			if gone(err) {
				continue // deleted meanwhile
			}
			if err != nil {
				return err
			}
			a := one.Association
			s.associations[aws.ToString(a.Namespace)+"/"+aws.ToString(a.ServiceAccount)] = association{
				id: aws.ToString(a.AssociationId), arn: aws.ToString(a.AssociationArn), role: aws.ToString(a.RoleArn),
				cluster: aws.ToString(name), own: a.Tags[ownTag] == c.file.Name,
				plain: !aws.ToBool(a.DisableSessionTags) && aws.ToString(a.TargetRoleArn) == "" && aws.ToString(a.Policy) == "",
			}
		}
	}
	return nil
}

func (p *Plan) associate(s *State) error {
	f := p.file
	for _, want := range f.associations() {
		have, there := s.associations[want.account]
		arn := f.RoleARN(want.role)
		step := Step{Thing: "association " + want.account, Detail: "role " + want.role, passes: []string{arn}, passesTo: podService}
		switch {
		case !there:
			namespace, account, _ := strings.Cut(want.account, "/")
			in := &eks.CreatePodIdentityAssociationInput{
				ClusterName: aws.String(f.Cluster.eksName()), Namespace: aws.String(namespace), ServiceAccount: aws.String(account),
				RoleArn: aws.String(arn), Tags: map[string]string{ownTag: f.Name},
			}
			step.Sign, step.Action, step.Resource = "+", "eks:CreatePodIdentityAssociation", f.Cluster.ARN
			step.run = func(ctx context.Context, c *Client, _ *made) error {
				_, err := c.eks.CreatePodIdentityAssociation(ctx, in) // with a token: AWS makes one, however often it is asked
				return err
			}
		case have.role == arn && have.plain:
			continue
		case !have.own:
			return refusef("setup-foreign", "the association of %s with %s is there and not of %s", want.account, have.role, f.path)
		default:
			in := &eks.UpdatePodIdentityAssociationInput{
				ClusterName: aws.String(f.Cluster.eksName()), AssociationId: aws.String(have.id), RoleArn: aws.String(arn),
			}
			if !have.plain {
				in.DisableSessionTags, in.TargetRoleArn, in.Policy = aws.Bool(false), aws.String(""), aws.String("")
			}
			step.Sign, step.Action, step.Resource = "~", "eks:UpdatePodIdentityAssociation", have.arn
			step.run = func(ctx context.Context, c *Client, _ *made) error {
				_, err := c.eks.UpdatePodIdentityAssociation(ctx, in)
				return err
			}
		}
		p.add(step)
	}
	return nil
}
