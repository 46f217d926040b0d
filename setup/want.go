package setup

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"daypass.dev/policy"
)

// partition is the part of AWS that the region belongs to; empty where daypass
// does not serve it.
func (f *File) partition() string {
	switch {
	case strings.HasPrefix(f.Region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(f.Region, "us-gov-"):
		return "aws-us-gov"
	case strings.HasPrefix(f.Region, "us-iso"), strings.HasPrefix(f.Region, "eu-iso"), strings.HasPrefix(f.Region, "eusc-"):
		return ""
	}
	return "aws"
}

// RoleARN is the ARN of a role of the file.
func (f *File) RoleARN(name string) string {
	return "arn:" + f.partition() + ":iam::" + f.Account + ":role" + f.rolePath() + name
}

// rolePath is that of the file's roles, by which they are found again.
func (f *File) rolePath() string { return "/daypass/" + f.Name + "/" }

func (f *File) anywhereARN(kind, id string) string {
	return "arn:" + f.partition() + ":rolesanywhere:" + f.Region + ":" + f.Account + ":" + kind + "/" + id
}

// unknownAnchor stands for the trust anchor until it is made.
func unknownAnchor(f *File) string {
	return f.anywhereARN("trust-anchor", "00000000-0000-0000-0000-000000000000")
}

// anywhereName is the name of the file's trust anchor and of its profile.
func (f *File) anywhereName() string { return "daypass-" + f.Name }

// issuer is the issuer whose provider the file needs; empty: none.
func (f *File) issuer() string {
	if f.Cluster == nil || f.Cluster.Method != "web-identity" {
		return ""
	}
	return f.Cluster.Issuer
}

func (f *File) providerARN() string { return ProviderARN(f.partition(), f.Account, f.issuer()) }

func (c *Cluster) audience() string {
	if c.Audience == "" {
		return "sts.amazonaws.com"
	}
	return c.Audience
}

// grant is what lets a user in.
func (f *File) grant(u User, anchor string) (Grant, error) {
	namespace, name, _ := strings.Cut(u.ServiceAccount, "/")
	forms := 0
	for _, s := range []string{u.ServiceAccount, u.CommonName + u.URI, u.Google} {
		if s != "" {
			forms++
		}
	}
	switch {
	case forms != 1:
		return nil, errors.New("a user is one of serviceAccount, commonName or uri, and google")
	case u.Google != "":
		return GoogleAccount{UniqueID: u.Google, Audience: u.Audience}, nil
	case u.ServiceAccount == "" && f.TrustAnchor == nil:
		return nil, errors.New("commonName and uri need trustAnchor at the top")
	case u.ServiceAccount == "":
		return Certificate{TrustAnchorARN: anchor, CommonName: u.CommonName, URI: u.URI}, nil
	case f.Cluster == nil:
		return nil, errors.New("serviceAccount needs cluster at the top")
	case f.Cluster.Method == "roles-anywhere":
		return Certificate{TrustAnchorARN: anchor, URI: "spiffe://" + f.Cluster.TrustDomain + "/ns/" + namespace + "/sa/" + name}, nil
	case f.Cluster.Method == "eks":
		return Pod{ClusterARN: f.Cluster.ARN, Namespace: namespace, ServiceAccount: name}, nil
	}
	return Token{ProviderARN: f.providerARN(), Subject: "system:serviceaccount:" + namespace + ":" + name, Audience: f.Cluster.audience()}, nil
}

// trust is the role's trust policy under a trust anchor.
func (f *File) trust(name, anchor string) (string, error) {
	var grants []Grant
	for _, u := range f.Roles[name].UsedBy {
		g, err := f.grant(u, anchor)
		if err != nil {
			return "", err
		}
		grants = append(grants, g)
	}
	text, err := TrustPolicy(grants...)
	return string(text), err
}

// anchored are the roles that certificates may become, sorted: the profile's.
func (f *File) anchored() (names []string) {
	for _, name := range f.names() {
		if slices.ContainsFunc(f.Roles[name].UsedBy, func(u User) bool {
			g, err := f.grant(u, unknownAnchor(f))
			_, certificate := g.(Certificate)
			return err == nil && certificate
		}) {
			names = append(names, name)
		}
	}
	return names
}

// document is the role's own policy; empty if it has none.
func (r *Role) document() (string, error) {
	if len(r.Allow) == 0 {
		return "", nil
	}
	type statement struct {
		Effect           string
		Action, Resource []string
	}
	doc := struct {
		Version   string
		Statement []statement
	}{Version: "2012-10-17"}
	for _, s := range r.Allow {
		doc.Statement = append(doc.Statement, statement{"Allow", s.Actions, s.Resources})
	}
	text, err := indented(doc)
	if err != nil {
		return "", err
	}
	_, err = policy.Parse(policy.Identity, string(text))
	return string(text), err
}

func seconds(text string) int32 {
	d, err := time.ParseDuration(text)
	if err != nil {
		d = time.Hour // check has refused what is no time
	}
	return int32(d / time.Second)
}

// warnings are what is worth a look in a file that is otherwise right.
func (f *File) warnings() (all []string) {
	uses := map[string]string{}
	for _, name := range f.names() {
		for _, u := range f.Roles[name].UsedBy {
			if other, twice := uses[u.ServiceAccount]; twice && u.ServiceAccount != "" {
				all = append(all, fmt.Sprintf("%s may use roles %s and %s, and its annotation names one of them", u.ServiceAccount, other, name))
			}
			uses[u.ServiceAccount] = name
		}
		for _, s := range f.Roles[name].Allow {
			for _, a := range s.Actions {
				if a == "*" || strings.HasSuffix(a, ":*") && slices.Contains(s.Resources, "*") {
					all = append(all, fmt.Sprintf("role %s: %s on %s", name, a, strings.Join(s.Resources, ", ")))
				}
			}
		}
	}
	return all
}
