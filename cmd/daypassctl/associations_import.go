package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"daypass.dev/internal/cli"
	"daypass.dev/internal/sdk"
)

func associationsImport() *cobra.Command {
	cluster := ""
	c := &cobra.Command{
		Use:   "import",
		Short: "print a manifest for each association of an EKS cluster",
		Long: `Import prints a PodIdentityAssociation for each association of an EKS cluster,
with method eks, for kubectl apply. It needs eks:ListPodIdentityAssociations and
eks:DescribePodIdentityAssociation.`,
		Example: `  daypassctl associations import --cluster-name prod | kubectl apply -f -`,
		Args:    cobra.NoArgs,
	}
	cli.Bind(c, clusterSetting(&cluster))
	c.RunE = func(c *cobra.Command, _ []string) error {
		e, err := openEKS(c.Context(), cluster)
		if err != nil {
			return err
		}
		all, err := e.associations(c.Context())
		if err != nil {
			return err
		}
		return writeAssociations(c.OutOrStdout(), all)
	}
	return c
}

// An eksCluster is one of EKS, by whoever the AWS CLI would be here.
type eksCluster struct {
	*eks.Client
	name string
}

func openEKS(ctx context.Context, name string) (*eksCluster, error) {
	if err := checkCluster(name); err != nil {
		return nil, err
	}
	config, err := sdk.Load(ctx, awsconfig.WithEC2IMDSClientEnableState(imds.ClientDisabled))
	if err != nil {
		return nil, cli.Usagef("see that the AWS CLI works here", "finding out whom to be: %w", err)
	}
	return &eksCluster{eks.NewFromConfig(config), name}, nil
}

// associations are all of the cluster's, with their ids, in order of their names.
func (e *eksCluster) associations(ctx context.Context) ([]types.PodIdentityAssociation, error) {
	var all []types.PodIdentityAssociation
	pages := eks.NewListPodIdentityAssociationsPaginator(e, &eks.ListPodIdentityAssociationsInput{ClusterName: &e.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing the associations of %s: %w", e.name, err)
		}
		for _, brief := range page.Associations {
			one, err := e.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: &e.name, AssociationId: brief.AssociationId})
			if gone := (*types.ResourceNotFoundException)(nil); errors.As(err, &gone) {
				continue // deleted meanwhile
			}
			if err != nil {
				return nil, fmt.Errorf("reading association %s: %w", aws.ToString(brief.AssociationId), err)
			}
			all = append(all, *one.Association)
		}
	}
	slices.SortFunc(all, func(a, b types.PodIdentityAssociation) int { return compareSpecs(specOf(a), specOf(b)) })
	return all, nil
}

func specOf(a types.PodIdentityAssociation) associationSpec {
	return associationSpec{
		Namespace: aws.ToString(a.Namespace), ServiceAccount: aws.ToString(a.ServiceAccount), RoleARN: aws.ToString(a.RoleArn),
		TargetRoleARN: aws.ToString(a.TargetRoleArn), DisableSessionTags: aws.ToBool(a.DisableSessionTags), Policy: aws.ToString(a.Policy),
		Tags: a.Tags, Method: "eks",
	}
}

func writeAssociations(to io.Writer, all []types.PodIdentityAssociation) error {
	out := yaml.NewEncoder(to)
	out.SetIndent(2)
	for _, a := range all {
		spec := specOf(a)
		err := out.Encode(association{
			APIVersion: associationVersion, Kind: associationKind, Spec: spec,
			Metadata: associationMetadata{Name: objectName(spec.Namespace, spec.ServiceAccount, aws.ToString(a.AssociationId))},
		})
		if err != nil {
			return err
		}
	}
	return out.Close()
}
