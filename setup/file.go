package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"daypass.dev/pki"
)

// A File says what there is to be in one account and region.
type File struct {
	// Name tells the things of this file from those of others; 1 to 32 of a-z,
	// 0-9 and -.
	Name    string `yaml:"name"`
	Account string `yaml:"account"`
	Region  string `yaml:"region"`

	// TrustAnchor is for certificates; nil: Roles Anywhere is not used.
	TrustAnchor *TrustAnchor `yaml:"trustAnchor"`
	// Cluster is whose ServiceAccounts may use roles; nil: nobody's.
	Cluster *Cluster `yaml:"cluster"`

	Roles map[string]*Role `yaml:"roles"`

	root yaml.Node
	path string
}

// A TrustAnchor is the CA whose leaves AWS is to believe.
type TrustAnchor struct {
	// CertificateFile holds its certificate in PEM, beside the file; or PrivateCA
	// is the ARN of one in AWS Private CA.
	CertificateFile string `yaml:"certificateFile"`
	PrivateCA       string `yaml:"privateCA"`
	// Sessions live so long, 15m to 12h; empty: 1h.
	Sessions string `yaml:"sessions"`

	bundle string
}

// A Cluster is one of Kubernetes.
type Cluster struct {
	Name string `yaml:"name"`
	// TrustDomain of the SPIFFE IDs in its certificates.
	TrustDomain string `yaml:"trustDomain"`
	// Method is how its pods ask AWS: web-identity, roles-anywhere or eks.
	Method string `yaml:"method"`
	// Issuer of its ServiceAccounts' tokens, for web-identity.
	Issuer string `yaml:"issuer"`
	// Audience of these tokens; empty: sts.amazonaws.com.
	Audience string `yaml:"audience"`
	// ARN of the cluster in EKS, for eks.
	ARN string `yaml:"arn"`
}

// A Role is what workloads become.
type Role struct {
	UsedBy []User `yaml:"usedBy"`
	// Allow are the statements of its own policy.
	Allow []Statement `yaml:"allow"`
	// Policies are ARNs of managed policies.
	Policies []string `yaml:"policies"`
	// MaxSession is the longest life of a session, 1h to 12h; empty: 1h.
	MaxSession string `yaml:"maxSession"`
}

// A User is who may use a role: one of the forms.
type User struct {
	// ServiceAccount of the cluster, as NAMESPACE/NAME.
	ServiceAccount string `yaml:"serviceAccount"`
	// CommonName or URI of a certificate under the trust anchor.
	CommonName string `yaml:"commonName"`
	URI        string `yaml:"uri"`
	// Google is the number of a Google service account, whose token is for
	// Audience.
	Google   string `yaml:"google"`
	Audience string `yaml:"audience"`
}

// A Statement allows actions on resources.
type Statement struct {
	Actions   []string `yaml:"actions"`
	Resources []string `yaml:"resources"`
}

const maxFile = 1 << 20

// Read reads a file and what it names. Errors are *RefusedError with line and
// column, or say that a file cannot be read.
func Read(path string) (*File, error) {
	data, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	f, err := parse(path, data)
	if err != nil {
		return nil, err
	}
	if t := f.TrustAnchor; t != nil && t.CertificateFile != "" {
		name := t.CertificateFile
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(path), name)
		}
		text, err := readSmall(name)
		if err != nil {
			return nil, f.wrong("trustAnchor.certificateFile", "%v", err)
		}
		certs, err := pki.ParseCertificates(text)
		if err != nil || bytes.Contains(text, []byte("PRIVATE KEY")) {
			return nil, f.wrong("trustAnchor.certificateFile", "%s is not a PEM file of certificates alone", t.CertificateFile)
		}
		for _, finding := range pki.Check(pki.Evidence{Anchors: certs, Bundle: text}, time.Now()) {
			if finding.Verdict == pki.Fail {
				return nil, f.wrong("trustAnchor.certificateFile", "%s: %s; %s", finding.Rule, finding.Detail, finding.Mend)
			}
		}
		t.bundle = string(text)
	}
	return f, nil
}

func readSmall(path string) ([]byte, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", path, maxFile)
	}
	return data, err
}

// parse reads the text alone.
func parse(path string, data []byte) (*File, error) {
	f := &File{path: path}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(f); err != nil {
		return nil, refusef("setup-file", "%s: %s", path, strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", ""), "yaml: "))
	}
	if err := dec.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, refusef("setup-file", "%s: there is more than one document", path)
	}
	if err := yaml.Unmarshal(data, &f.root); err != nil {
		return nil, refusef("setup-file", "%s: %v", path, err)
	}
	return f, f.check()
}

// wrong is an error at the place of a field, as "roles.reports.usedBy.0".
func (f *File) wrong(field, format string, args ...any) error {
	line, column := f.root.Line, f.root.Column
	at := &f.root
	if at.Kind == yaml.DocumentNode && len(at.Content) > 0 {
		at = at.Content[0]
	}
	for part := range strings.SplitSeq(field, ".") {
		next := child(at, part)
		if next == nil {
			break
		}
		at, line, column = next, next.Line, next.Column
	}
	return refusef("setup-file", "%s:%d:%d: %s: %s", f.path, line, column, field, fmt.Sprintf(format, args...))
}

func child(n *yaml.Node, part string) *yaml.Node {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == part {
				return n.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			if fmt.Sprint(i) == part {
				return c
			}
		}
	}
	return nil
}

var (
	nameForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	regionForm  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]+$`)
	roleForm    = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)
	saForm      = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)
	managedForm = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(aws|[0-9]{12}):policy/[\w+=,.@/-]+$`)
	pcaForm     = regexp.MustCompile(`^arn:aws[a-z-]*:acm-pca:[a-z0-9-]+:[0-9]{12}:certificate-authority/[0-9a-f-]+$`)
	issuerForm  = regexp.MustCompile(`^https://[^/?#\s]+(/[^?#\s]*)?$`)
)

func (f *File) check() error {
	switch {
	case !nameForm.MatchString(f.Name):
		return f.wrong("name", "%q is not 1 to 32 of a-z, 0-9 and -", f.Name)
	case !accountForm.MatchString(f.Account):
		return f.wrong("account", "%q is not twelve digits; write them in quotes", f.Account)
	case !regionForm.MatchString(f.Region):
		return f.wrong("region", "%q is no region such as eu-central-1", f.Region)
	case f.partition() == "":
		return f.wrong("region", "%q is of a partition that daypass does not serve", f.Region)
	case len(f.Roles) == 0:
		return f.wrong("roles", "there are none")
	}
	if t := f.TrustAnchor; t != nil {
		if (t.CertificateFile == "") == (t.PrivateCA == "") {
			return f.wrong("trustAnchor", "it has one of certificateFile and privateCA")
		}
		if t.PrivateCA != "" && !pcaForm.MatchString(t.PrivateCA) {
			return f.wrong("trustAnchor.privateCA", "%q is no private CA's ARN", t.PrivateCA)
		}
		if err := f.life("trustAnchor.sessions", t.Sessions, 15*time.Minute); err != nil {
			return err
		}
	}
	if err := f.checkCluster(); err != nil {
		return err
	}
	lower := map[string]bool{}
	for _, name := range f.names() {
		if lower[strings.ToLower(name)] {
			return f.wrong("roles."+name, "IAM tells roles apart without regard to case")
		}
		lower[strings.ToLower(name)] = true
		if err := f.checkRole("roles."+name, name, f.Roles[name]); err != nil {
			return err
		}
	}
	return f.checkAssociations()
}

func (f *File) names() []string {
	var all []string
	for name := range f.Roles {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func (f *File) life(field, text string, least time.Duration) error {
	if text == "" {
		return nil
	}
	if d, err := time.ParseDuration(text); err != nil || d < least || d > 12*time.Hour || d%time.Second != 0 {
		return f.wrong(field, "%q is not a time from %v to 12h", text, least)
	}
	return nil
}

func (f *File) checkCluster() error {
	c := f.Cluster
	if c == nil {
		return nil
	}
	switch {
	case c.Name == "":
		return f.wrong("cluster.name", "it is missing")
	case c.Method == "web-identity" && !issuerForm.MatchString(c.Issuer):
		return f.wrong("cluster.issuer", "method web-identity needs the https URL of the issuer of the cluster's tokens (kubectl get --raw /.well-known/openid-configuration)")
	case c.Method == "roles-anywhere" && (f.TrustAnchor == nil || c.TrustDomain == ""):
		return f.wrong("cluster.trustDomain", "method roles-anywhere needs trustDomain, and trustAnchor at the top")
	case c.Method == "eks" && !clusterForm.MatchString(c.ARN):
		return f.wrong("cluster.arn", "method eks needs the cluster's ARN")
	case c.Method == "eks" && !strings.HasPrefix(c.ARN, "arn:"+f.partition()+":eks:"+f.Region+":"+f.Account+":"):
		return f.wrong("cluster.arn", "the cluster is not of account %s and region %s", f.Account, f.Region)
	case c.Method == "eks" && c.Name != c.eksName():
		return f.wrong("cluster.name", "with method eks it is the name in EKS, which is %s by the ARN", c.eksName())
	case !slices.Contains([]string{"web-identity", "roles-anywhere", "eks"}, c.Method):
		return f.wrong("cluster.method", "%q is none of web-identity, roles-anywhere and eks", c.Method)
	}
	return nil
}

func (f *File) checkRole(field, name string, r *Role) error {
	switch {
	case !roleForm.MatchString(name):
		return f.wrong(field, "%q is no role's name", name)
	case r == nil || len(r.UsedBy) == 0:
		return f.wrong(field, "usedBy names nobody")
	}
	if err := f.life(field+".maxSession", r.MaxSession, time.Hour); err != nil {
		return err
	}
	for i, p := range r.Policies {
		if !managedForm.MatchString(p) {
			return f.wrong(fmt.Sprintf("%s.policies.%d", field, i), "%q is no policy's ARN", p)
		}
	}
	for i, s := range r.Allow {
		if len(s.Actions) == 0 || len(s.Resources) == 0 {
			return f.wrong(fmt.Sprintf("%s.allow.%d", field, i), "a statement has actions and resources")
		}
	}
	if _, err := r.document(); err != nil {
		return f.wrong(field+".allow", "IAM would not take it: %v", err)
	}
	for i, u := range r.UsedBy {
		at := fmt.Sprintf("%s.usedBy.%d", field, i)
		if u.ServiceAccount != "" && !saForm.MatchString(u.ServiceAccount) {
			return f.wrong(at, "%q is not NAMESPACE/NAME; each ServiceAccount is named, there are no patterns", u.ServiceAccount)
		}
		g, err := f.grant(u, unknownAnchor(f))
		if err != nil {
			return f.wrong(at, "%v", err)
		}
		if _, err := TrustPolicy(g); err != nil {
			return f.wrong(at, "%v", err)
		}
	}
	return nil
}
