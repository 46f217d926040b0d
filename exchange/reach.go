package exchange

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"

	"daypass.dev/reason"
)

// A ReachError is a call to which nobody answered who could be believed.
type ReachError struct {
	// Op is the call, Host the endpoint that it was for.
	Op, Host string
	Err      error
}

// Error quotes the cause, which may hold what a stranger on the way wrote, as
// the names in a certificate that nobody has verified, for a terminal.
func (e *ReachError) Error() string {
	return "calling " + e.Op + " at " + e.Host + ": " + printable(e.Err.Error())
}

// Unwrap returns the cause.
func (e *ReachError) Unwrap() error { return e.Err }

// Advice tells what to look at, where the cause is one that people can mend.
func (e *ReachError) Advice() string {
	r, _ := reason.Lookup(e.Reason())
	return r.Mend
}

// Reason is the cause's slug in the catalogue; empty if it is not known.
func (e *ReachError) Reason() string { return reachSlug(e.Err) }

// reachSlug is the reason why nobody could be reached; empty if it is not known.
func reachSlug(err error) string {
	var (
		name    *net.DNSError
		proxy   *ProxyError
		invalid x509.CertificateInvalidError
		unknown x509.UnknownAuthorityError
		other   x509.HostnameError
	)
	switch {
	case errors.As(err, &name):
		return "live-name"
	case errors.As(err, &proxy) && proxy.Status == http.StatusProxyAuthRequired:
		return "live-proxy-authentication"
	case errors.As(err, &proxy):
		return "live-proxy"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "live-expired"
	case errors.As(err, &unknown), errors.As(err, &other), errors.As(err, &invalid):
		return "live-connection"
	}
	return ""
}

// A ProxyError is a proxy that lets no connection through.
type ProxyError struct {
	// Proxy is its host, and Status what it answered to CONNECT.
	Proxy  string
	Status int
}

func (e *ProxyError) Error() string {
	return fmt.Sprintf("the proxy %s answered %d %s", e.Proxy, e.Status, http.StatusText(e.Status))
}
