package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"daypass.dev/internal/cli"
)

func associationsExport() *cobra.Command {
	cluster, output, dry := "", "", false
	c := &cobra.Command{
		Use:   "export FILE",
		Short: "bring PodIdentityAssociations to an EKS cluster",
		Long: `Export reads manifests from a file (- is standard input) and makes the EKS
cluster's associations like them: it creates what is missing and updates what
differs. It deletes nothing. What EKS cannot say, as wildcards or another method,
is left out and named; the exit code is 3 then. Tags of an association that is
there already stay as they are.

It needs eks:ListPodIdentityAssociations, eks:DescribePodIdentityAssociation,
eks:CreatePodIdentityAssociation, eks:UpdatePodIdentityAssociation, and
iam:PassRole for the roles.`,
		Example: `  kubectl get podidentityassociations -o yaml | daypassctl associations export --cluster-name prod -`,
		Args:    cobra.ExactArgs(1),
	}
	cli.Bind(c, clusterSetting(&cluster),
		cli.Setting{Flag: "dry-run", Into: &dry, Help: "tell what would be done, and do nothing"},
		cli.Setting{Flag: "output", Short: "o", Arg: "json", Into: &output, Help: "json for programs"})
	c.RunE = func(c *cobra.Command, args []string) error {
		if output != "" && output != "json" {
			return cli.Usagef("give json, or nothing", "--output: %.40q is no format", output)
		}
		wanted, err := readAssociations(args[0], c.InOrStdin())
		if err != nil {
			return err
		}
		e, err := openEKS(c.Context(), cluster)
		if err != nil {
			return err
		}
		done, err := e.export(c.Context(), wanted, dry)
		return errors.Join(tellExport(c.OutOrStdout(), done, output), err)
	}
	return c
}

// An exported association is a line of the answer.
type exported struct {
	Association string `json:"association"` // NAMESPACE/SERVICEACCOUNT
	ID          string `json:"id,omitempty"`
	Done        string `json:"done"` // created, updated, unchanged, left out
	Why         string `json:"why,omitempty"`
}

const (
	leftOut = "left out"
	// maxManifests is more than 50 associations with policies for each of 100
	// namespaces.
	maxManifests = 16 << 20
)

// readAssociations reads manifests, also as a List of kubectl's. Other kinds are
// an error: they would be lost without a word.
func readAssociations(path string, stdin io.Reader) ([]associationSpec, error) {
	from := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, cli.Usagef("", "reading manifests: %w", err)
		}
		defer f.Close()
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, maxManifests+1))
	if err != nil {
		return nil, cli.Usagef("", "reading manifests: %w", err)
	}
	if len(text) > maxManifests {
		return nil, cli.Usagef("give it in parts", "reading manifests: there are more than %d bytes", maxManifests)
	}
	return parseAssociations(text)
}

func parseAssociations(text []byte) ([]associationSpec, error) {
	var all []associationSpec
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var one struct {
			association `yaml:",inline"`
			Items       []association `yaml:"items"`
		}
		err := d.Decode(&one)
		switch {
		case errors.Is(err, io.EOF):
			if len(all) == 0 {
				return nil, cli.Usagef("give the output of kubectl get podidentityassociations -o yaml", "there is no association in the manifests")
			}
			return all, nil
		case err != nil:
			return nil, cli.Usagef("give YAML or JSON, as kubectl prints it", "reading manifests: %.300s", err.Error())
		}
		items := one.Items
		if !strings.HasSuffix(one.Kind, "List") {
			items = []association{one.association}
		}
		for _, a := range items {
			if a.Kind == "" && a.APIVersion == "" && a.Spec.RoleARN == "" {
				continue // an empty document
			}
			if a.Kind != associationKind || a.APIVersion != associationVersion {
				return nil, cli.Usagef("give nothing but "+associationKind+"s", "%.80q is a %.80q of %.80q", a.Metadata.Name, a.Kind, a.APIVersion)
			}
			if a.Spec.Namespace == "" || a.Spec.ServiceAccount == "" || a.Spec.RoleARN == "" {
				return nil, cli.Usagef("", "%s %.80q lacks namespace, serviceAccount or roleArn", associationKind, a.Metadata.Name)
			}
			all = append(all, a.Spec)
		}
	}
}

// export stops at the first error; what was done until then is told.
func (e *eksCluster) export(ctx context.Context, wanted []associationSpec, dry bool) ([]exported, error) {
	there, err := e.associations(ctx)
	if err != nil {
		return nil, err
	}
	ids, old := map[string]string{}, map[string]associationSpec{}
	for _, a := range there {
		spec := specOf(a)
		ids[spec.String()], old[spec.String()] = aws.ToString(a.AssociationId), spec
	}
	var done []exported
	for _, w := range wanted {
		line := exported{Association: w.String(), ID: ids[w.String()], Done: "unchanged"}
		before, known := old[w.String()]
		switch {
		case w.unfit() != "":
			line.Done, line.Why = leftOut, w.unfit()
		case !known:
			line.Done = "created"
			if !dry {
				line.ID, err = e.create(ctx, w)
			}
		case w.differs(before):
			line.Done = "updated"
			if !dry {
				err = e.update(ctx, line.ID, w)
			}
		}
		if err != nil {
			return done, fmt.Errorf("association %s: %w", w, err)
		}
		done = append(done, line)
	}
	return done, nil
}

func (s associationSpec) differs(from associationSpec) bool {
	return s.RoleARN != from.RoleARN || s.TargetRoleARN != from.TargetRoleARN ||
		s.DisableSessionTags != from.DisableSessionTags || s.Policy != from.Policy
}

func (e *eksCluster) create(ctx context.Context, w associationSpec) (id string, err error) {
	in := &eks.CreatePodIdentityAssociationInput{
		ClusterName: &e.name, Namespace: &w.Namespace, ServiceAccount: &w.ServiceAccount, RoleArn: &w.RoleARN,
		DisableSessionTags: &w.DisableSessionTags, Tags: maps.Clone(w.Tags),
	}
	if w.TargetRoleARN != "" {
		in.TargetRoleArn = &w.TargetRoleARN
	}
	if w.Policy != "" {
		in.Policy = &w.Policy
	}
	out, err := e.CreatePodIdentityAssociation(ctx, in)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.Association.AssociationId), nil
}

// update sends all: an empty target role or policy takes it away.
func (e *eksCluster) update(ctx context.Context, id string, w associationSpec) error {
	_, err := e.UpdatePodIdentityAssociation(ctx, &eks.UpdatePodIdentityAssociationInput{
		ClusterName: &e.name, AssociationId: &id, RoleArn: &w.RoleARN, TargetRoleArn: &w.TargetRoleARN,
		DisableSessionTags: &w.DisableSessionTags, Policy: &w.Policy,
	})
	return err
}

func tellExport(to io.Writer, done []exported, form string) error {
	missed := 0
	for _, d := range done {
		if d.Done == leftOut {
			missed++
		}
	}
	if form == "json" {
		out := json.NewEncoder(to)
		out.SetIndent("", "  ")
		if err := out.Encode(done); err != nil {
			return err
		}
	} else {
		table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ASSOCIATION\tDONE\tID\tWHY")
		for _, d := range done {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", d.Association, d.Done, d.ID, d.Why)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	if missed > 0 {
		return cli.Nof("keep these with daypass, or change them", "%d of %d associations are none that EKS can have", missed, len(done))
	}
	return nil
}
