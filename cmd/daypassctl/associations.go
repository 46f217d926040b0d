package main

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"daypass.dev/internal/cli"
)

// associationsAPI is the apiVersion and kind of what is read and written.
const (
	associationVersion = "daypass.dev/v1alpha1"
	associationKind    = "PodIdentityAssociation"
)

func associationsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "associations",
		Short: "take pod identity associations from EKS, or bring them there",
		Long: `Associations of EKS and PodIdentityAssociations say the same of a pod; these
commands carry them from one to the other. Neither talks to Kubernetes: they
write and read manifests.`,
	}
	c.AddCommand(associationsImport(), associationsExport())
	return c
}

// An association is a manifest, as far as EKS knows its fields.
type association struct {
	APIVersion string              `yaml:"apiVersion" json:"apiVersion"`
	Kind       string              `yaml:"kind" json:"kind"`
	Metadata   associationMetadata `yaml:"metadata" json:"metadata"`
	Spec       associationSpec     `yaml:"spec" json:"spec"`
}

type associationMetadata struct {
	Name string `yaml:"name" json:"name"`
}

type associationSpec struct {
	Namespace          string            `yaml:"namespace" json:"namespace"`
	ServiceAccount     string            `yaml:"serviceAccount" json:"serviceAccount"`
	RoleARN            string            `yaml:"roleArn" json:"roleArn"`
	TargetRoleARN      string            `yaml:"targetRoleArn,omitempty" json:"targetRoleArn,omitempty"`
	DisableSessionTags bool              `yaml:"disableSessionTags,omitempty" json:"disableSessionTags,omitempty"`
	Policy             string            `yaml:"policy,omitempty" json:"policy,omitempty"`
	Tags               map[string]string `yaml:"tags,omitempty" json:"tags,omitempty"`
	Method             string            `yaml:"method,omitempty" json:"method,omitempty"`
	SessionName        string            `yaml:"sessionName,omitempty" json:"sessionName,omitempty"`
}

// objectName is one that Kubernetes takes, and tells what the object is for.
func objectName(namespace, account, id string) string {
	if name := namespace + "." + account; len(name) <= 253 {
		return name
	}
	return id
}

var eksClusterName = regexp.MustCompile(`^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$`)

// clusterSetting is the EKS cluster's name, which both commands need.
func clusterSetting(into *string) cli.Setting {
	return cli.Setting{Flag: "cluster-name", Arg: "NAME", Into: into, Help: "name of the EKS cluster"}
}

func checkCluster(name string) error {
	if !eksClusterName.MatchString(name) {
		return cli.Usagef("give --cluster-name (or DAYPASS_CLUSTER_NAME)", "--cluster-name: %.40q is no name of an EKS cluster", name)
	}
	return nil
}

// unfit says why EKS cannot have an association; empty if it can.
func (s associationSpec) unfit() string {
	switch {
	case strings.HasSuffix(s.Namespace, "*") || strings.HasSuffix(s.ServiceAccount, "*"):
		return "EKS knows no wildcards"
	case s.Method != "" && s.Method != "eks":
		return "its method is " + s.Method
	case s.SessionName != "":
		return "EKS names sessions itself"
	case s.Policy != "" && !s.DisableSessionTags:
		return "a policy needs disableSessionTags: true"
	}
	return ""
}

func compareSpecs(a, b associationSpec) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.ServiceAccount, b.ServiceAccount))
}

func (s associationSpec) String() string { return fmt.Sprintf("%s/%s", s.Namespace, s.ServiceAccount) }
