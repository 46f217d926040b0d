package setup

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// Values are the cluster's settings as values of the Helm chart, in YAML.
func (f *File) Values(out Outcome) ([]byte, error) {
	type cluster struct {
		Name        string `yaml:"name"`
		TrustDomain string `yaml:"trustDomain,omitempty"`
		Method      string `yaml:"method,omitempty"`
		Region      string `yaml:"region"`
		Anchor      string `yaml:"trustAnchorARN,omitempty"`
		Profile     string `yaml:"profileARN,omitempty"`
	}
	v := struct {
		Cluster cluster `yaml:"cluster"`
	}{cluster{Region: f.Region}}
	if out.TrustAnchorARN != "" && out.ProfileARN != "" { // each is nothing without the other
		v.Cluster.Anchor, v.Cluster.Profile = out.TrustAnchorARN, out.ProfileARN
	}
	if c := f.Cluster; c != nil {
		v.Cluster.Name, v.Cluster.TrustDomain, v.Cluster.Method = c.Name, c.TrustDomain, c.Method
	}
	return yaml.Marshal(v)
}

// RoleNames are the names of the file's roles, sorted.
func (f *File) RoleNames() []string { return f.names() }

// Commands tell the cluster which ServiceAccount may use which role: by
// annotations; or where no annotation may select a role, which is EKS, by
// associations.
func (f *File) Commands() (all []string) {
	if len(f.associations()) > 0 {
		return []string{"daypassctl associations import --cluster-name " + f.Cluster.eksName() + " | kubectl apply -f -"}
	}
	for _, name := range f.names() {
		for _, u := range f.Roles[name].UsedBy {
			if namespace, account, ok := strings.Cut(u.ServiceAccount, "/"); ok {
				all = append(all, "kubectl annotate serviceaccount --overwrite -n "+namespace+" "+account+" daypass.dev/role-arn="+f.RoleARN(name))
			}
		}
	}
	return all
}
