package sandbox

import (
	"net"
	"net/http"
	"strings"

	"daypass.dev/sandbox/google"
	"daypass.dev/sandbox/sigv4"
)

// A target is where a request goes. scopeService and scopeRegion are what its
// signature must be scoped to, because its host name says so; empty: not said.
type target struct {
	service, region           string
	scopeService, scopeRegion string
}

// routeOf finds the service by AWS's host name, else by the credential scope,
// else by the few calls that need no signature; what remains is S3.
func routeOf(r *http.Request) target {
	if google.Asked(hostOnly(r.Host), r.URL.Path) {
		return target{service: "google"}
	}
	to := hostTarget(hostOnly(r.Host))
	to.scopeService, to.scopeRegion = to.service, to.region
	scope := scopeOf(r)
	if to.region == "" {
		to.region = scope.Region
	}
	switch {
	case to.service != "":
	case scope.Service != "":
		to.service = scope.Service
	case r.Method == http.MethodPost && r.URL.Path == "/sessions":
		to.service = "rolesanywhere"
	case isForm(r) || r.URL.Query().Get("Action") != "":
		to.service = "sts"
	default:
		to.service = "s3"
	}
	return to
}

// scopeOf reads the claimed scope of a signed request; zero if it has none
// that can be read.
func scopeOf(r *http.Request) sigv4.Authorization {
	if v := r.Header.Get("Authorization"); v != "" {
		if a, err := sigv4.ParseAuthorization(v); err == nil {
			return *a
		}
		return sigv4.Authorization{}
	}
	if s, err := sigv4.Parse(r); err == nil {
		return s.Authorization
	}
	return sigv4.Authorization{}
}

// awsDomains are the domains whose names the sandbox stands for.
var awsDomains = [...]string{".amazonaws.com", ".amazonaws.com.cn", ".api.aws"}

// isAWS reports whether a host name, without port, is one of AWS's.
func isAWS(host string) bool {
	for _, d := range awsDomains {
		if strings.HasSuffix(strings.ToLower(host), d) {
			return true
		}
	}
	return false
}

// standsFor reports whether the sandbox answers for a host name: one of AWS's,
// or one that the stand-in for Google has.
func standsFor(host string) bool { return isAWS(host) || google.Asked(host, "") }

// hostTarget reads service and region from a host name of AWS's, as
// sts.eu-west-1.amazonaws.com, iam.amazonaws.com, s3-fips.us-east-1.api.aws or
// bucket.name.s3.eu-west-1.amazonaws.com. The global endpoints of iam and sts
// are in us-east-1; that of S3 serves every region.
func hostTarget(host string) target {
	for _, d := range awsDomains {
		if name, ok := strings.CutSuffix(strings.ToLower(host), d); ok {
			return labelsTarget(strings.Split(name, "."))
		}
	}
	return target{}
}

func labelsTarget(labels []string) target {
	for i := len(labels) - 1; i >= 0; i-- {
		service := strings.TrimSuffix(labels[i], "-fips")
		rest := labels[i+1:]
		if service == "s3" {
			if len(rest) > 0 && rest[0] == "dualstack" {
				rest = rest[1:]
			}
			return target{service: service, region: strings.Join(rest, ".")}
		}
	}
	service := strings.TrimSuffix(labels[0], "-fips")
	if len(labels) == 1 {
		return target{service: service, region: "us-east-1"}
	}
	if labels[1] == "us-gov" {
		return target{service: service, region: "us-gov-west-1"} // iam.us-gov.amazonaws.com
	}
	return target{service: service, region: labels[1]}
}

func hostOnly(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}

func isForm(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
}
