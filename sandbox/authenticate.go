package sandbox

import (
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"daypass.dev/policy"
	"daypass.dev/sandbox/sigv4"
	"daypass.dev/sandbox/world"
)

// authenticate finds the caller and proves that it signed, and returns the
// body as it was meant. Calls that AWS takes unsigned go on as anonymous.
func authenticate(c *world.Call, rm room, to target, r *http.Request, body []byte) ([]byte, error) {
	if c.Service == "rolesanywhere" && c.Decision.Operation == "CreateSession" {
		return body, nil // proves itself by certificate
	}
	if c.Service == "google" {
		return body, nil // whose calls prove themselves otherwise
	}
	if !sigv4.IsSigned(r) {
		if !unsigned(c) {
			return nil, sigv4.New(sigv4.Missing, "the request carries no signature")
		}
		return sigv4.DecodeUnsigned(r, body)
	}
	s, err := sigv4.Parse(r)
	if err != nil {
		return nil, err
	}
	c.Decision.AccessKey = s.KeyID
	scope := to.scopeService
	if scope == "" {
		scope = c.Service
	}
	if err := s.CheckScope(scope, to.scopeRegion); err != nil {
		return nil, err
	}
	secret, p, session, err := c.World.Identify(s.KeyID, s.SessionToken)
	if err == nil {
		err = world.InPartition(p.ARN, c.Region)
	}
	if err != nil {
		return nil, identityError(err, rm.protocol)
	}
	body, err = s.Verify(secret, c.Time, body)
	if err != nil {
		return nil, err
	}
	c.Caller, c.Session = p, session
	c.Decision.Caller = p.ARN
	c.World.AddCallerContext(c.Context, p, session)
	return body, nil
}

// unsigned are the calls that AWS takes without a signature.
func unsigned(c *world.Call) bool {
	switch c.Service {
	case "s3":
		return true // policies decide about strangers
	case "sts":
		return c.Decision.Operation == "AssumeRoleWithWebIdentity" || c.Decision.Operation == "AssumeRoleWithSAML"
	}
	return false
}

// identityError says in the protocol's words that a key or token is no good,
// under the slug that the world gave.
func identityError(err error, p sigv4.Protocol) error {
	var e *world.Refusal
	if !errors.As(err, &e) {
		return err
	}
	kind := sigv4.InvalidToken
	switch e.Slug {
	case sigv4.Expired:
		kind = sigv4.Expired
	case sigv4.UnknownKey, "access-key-partition", "access-key-inactive", "session-token-missing":
		kind = sigv4.UnknownKey
	}
	said := sigv4.New(kind, e.Detail).Refusal(p)
	said.Slug = e.Slug
	return said
}

// requestContext are the condition keys that say something of the request
// itself.
func requestContext(r *http.Request, now time.Time, region string) policy.Context {
	ctx := policy.Context{}
	set := func(key, value string) {
		if value != "" {
			ctx[key] = policy.Values{List: []string{value}}
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err == nil {
		set("aws:SourceIp", host)
	}
	set("aws:SecureTransport", strconv.FormatBool(r.TLS != nil))
	set("aws:CurrentTime", now.Format("2006-01-02T15:04:05Z"))
	set("aws:EpochTime", strconv.FormatInt(now.Unix(), 10))
	set("aws:RequestedRegion", region)
	set("aws:UserAgent", r.UserAgent())
	set("aws:referer", r.Referer())
	set("aws:PrincipalIsAWSService", "false")
	set("aws:ViaAWSService", "false")
	return ctx
}
