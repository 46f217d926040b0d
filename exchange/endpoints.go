package exchange

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// A place says where a service of AWS is called.
type place struct {
	service, region, partition string
	fips, dualStack            bool
	// given is the user's own base URL; empty: AWS's.
	given string
}

// domains of the partitions that are served, and those of them where IPv6 is.
// Others need an endpoint. That STS and Roles Anywhere have each of these names
// in each region is not checked.
//
// https://docs.aws.amazon.com/general/latest/gr/rande.html
var (
	domains = map[string]string{
		"aws":        "amazonaws.com",
		"aws-us-gov": "amazonaws.com",
		"aws-cn":     "amazonaws.com.cn",
	}
	dualStackDomains = map[string]string{
		"aws":        "api.aws",
		"aws-us-gov": "api.aws",
		"aws-cn":     "api.amazonwebservices.com.cn",
	}
)

// url is the place's base URL.
func (p place) url() (string, error) {
	switch {
	case p.given != "" && p.fips:
		return "", input("FIPS", "leave out one of both", "it chooses among AWS's own endpoints, and another is given")
	case p.given != "" && p.dualStack:
		return "", input("dual stack", "leave out one of both", "it chooses among AWS's own endpoints, and another is given")
	case p.given != "":
		return givenEndpoint(p.given)
	}
	domain, known := domains[p.partition]
	if p.dualStack {
		domain = dualStackDomains[p.partition]
	}
	switch {
	case !known:
		return "", input("endpoint", "give the endpoint", "none is known for partition %s", p.partition)
	case p.region == "":
		return "", input("region", "name the region in which the workload works", "none is given")
	case partitionOf(p.region) != p.partition:
		return "", input("region", "name one of the role's partition", "%s is of partition %s, the role of %s",
			p.region, partitionOf(p.region), p.partition)
	case p.fips && p.partition == "aws-cn":
		return "", input("FIPS", "", "partition %s has no such endpoint", p.partition)
	}
	host := p.service
	// In aws-us-gov every endpoint of STS is one of FIPS and is called as usual.
	if p.fips && (p.service != "sts" || p.partition != "aws-us-gov" || p.dualStack) {
		host += "-fips"
	}
	return "https://" + host + "." + p.region + "." + domain, nil
}

// plainRegion takes apart the names by which some settings ask for FIPS,
// fips-us-east-1 and us-east-1-fips, which are in no signature's scope.
func plainRegion(region string) (plain string, fips bool) {
	if plain, fips = strings.CutPrefix(region, "fips-"); !fips {
		plain, fips = strings.CutSuffix(region, "-fips")
	}
	return plain, fips
}

// partitionOf tells the partition that a region is of, as far as daypass
// serves it.
func partitionOf(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	case strings.HasPrefix(region, "us-iso"), strings.HasPrefix(region, "eu-iso"), strings.HasPrefix(region, "eusc-"):
		return "another"
	}
	return "aws"
}

// givenEndpoint is an endpoint of the user's as a base URL.
func givenEndpoint(given string) (string, error) {
	const setting = "endpoint"
	u, err := url.Parse(given)
	switch {
	case err != nil:
		return "", input(setting, "", "it is not a URL") // err quotes it, and it may hold a password
	case u.User != nil:
		return "", input(setting, "", "it holds a user name, which would be sent to nobody")
	case u.Host == "" || u.Hostname() == "":
		return "", input(setting, "it looks like https://rolesanywhere.eu-west-1.amazonaws.com", "it names no host")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "", input(setting, "leave out everything after the host", "it is more than a host")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return "", input(setting, "use https", "http would show credentials to the network; it is for loopback only")
	case u.Scheme != "https" && u.Scheme != "http":
		return "", input(setting, "use https", "%.40q is not a scheme for it", u.Scheme)
	}
	return u.Scheme + "://" + u.Host, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// withoutRedirects keeps an answer that points elsewhere from taking the
// signed request there.
func withoutRedirects(c *http.Client) *http.Client {
	own := *c
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	own.Jar = nil
	return &own
}
