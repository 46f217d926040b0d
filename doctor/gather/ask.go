package gather

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"

	"daypass.dev/doctor"
	"daypass.dev/exchange"
)

// ask asks AWS for the workload's credentials, and looks at the way there.
func (c *Case) ask(ctx context.Context, e *doctor.Evidence, bears bool) {
	if len(e.Problems) > 0 {
		return // there is nothing to ask with
	}
	call, url, client, err := c.call(bears)
	if err != nil {
		e.Problems = append(e.Problems, problem(doctor.StepSettings, "settings-malformed", err))
		return
	}
	way, date := look(ctx, client, url)
	e.Ways = append(e.Ways, way)
	if !date.IsZero() {
		e.Now = date
	}
	if way.Reason != "" {
		return
	}
	got, err := call.Credentials(ctx)
	if err != nil {
		e.Answer = &doctor.Answer{Text: err.Error()}
		return
	}
	e.Answer = &doctor.Answer{OK: true, Text: fmt.Sprintf("credentials %s of %s, until %s", got.AccessKeyID, got.RoleARN, got.Expires.Format(time.RFC3339))}
}

// call is the workload's own, with the address that it goes to.
func (c *Case) call(bears bool) (exchange.Call, string, *http.Client, error) {
	s := *c.Settings
	if bears {
		tokens, err := s.Tokens()
		if err != nil {
			return nil, "", nil, err
		}
		web, err := s.WebIdentity(tokens)
		if err != nil {
			return nil, "", nil, err
		}
		url, err := web.Address()
		if err != nil {
			return nil, "", nil, err
		}
		call, err := s.Chained(web)
		return call, url, web.Client, err
	}
	one, err := s.Exchange(s.Keys(c.Log), c.Log)
	if err != nil {
		return nil, "", nil, err
	}
	for {
		several, ok := one.(*exchange.Fallback)
		if !ok {
			break
		}
		one = several.Calls[0] // doctor looks at the first trust anchor
	}
	anywhere, ok := one.(*exchange.RolesAnywhere)
	if !ok {
		return nil, "", nil, errors.New("the settings ask neither Roles Anywhere nor STS")
	}
	url, err := anywhere.Address()
	if err != nil {
		return nil, "", nil, err
	}
	call, err := s.Chained(anywhere)
	return call, url, anywhere.Client, err
}

// look goes the way to an endpoint and asks for nothing; date is AWS's time.
func look(ctx context.Context, client *http.Client, url string) (way doctor.Way, date time.Time) {
	_, way.Host, _ = strings.Cut(url, "://")
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var address string
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) { address = i.Conn.RemoteAddr().String() },
	})
	answer, err := get(ctx, client, url+"/")
	if err != nil {
		if way.Reason = (&exchange.ReachError{Err: err}).Reason(); way.Reason == "" {
			way.Reason = "live-connection"
		}
		way.Err = inner(err).Error()
		return way, date
	}
	defer answer.Body.Close()
	way.Note = "answers at " + address
	if answer.TLS != nil {
		way.Note = tls.VersionName(answer.TLS.Version) + " at " + address
	}
	if at, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		way.Skew, date = time.Since(at).Round(time.Second), at
	}
	return way, date
}

func get(ctx context.Context, client *http.Client, url string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if client == nil {
		client = http.DefaultClient
	}
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return own.Do(r)
}

// inner leaves out the request that http quotes.
func inner(err error) error {
	if e := errors.Unwrap(err); e != nil {
		return e
	}
	return err
}

// maxDocument bounds what an issuer may send.
const maxDocument = 1 << 20

// issuer fetches the two documents of a token's issuer, as AWS would, from here.
func (c *Case) issuer(ctx context.Context, issuer string) *doctor.Issuer {
	if !strings.HasPrefix(issuer, "https://") {
		issuer = "https://" + issuer // Google writes it so, too
	}
	i := &doctor.Issuer{}
	if i.Discovery = c.fetch(ctx, i, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration"); i.Discovery == nil {
		return i
	}
	if url := doctor.KeysURL(i.Discovery); url != "" {
		i.Keys = c.fetch(ctx, i, url)
	}
	return i
}

// follow goes after redirects of the same scheme, as AWS does, ten at most; the
// answer may be one more.
func (c *Case) follow(ctx context.Context, url string) (*http.Response, error) {
	for n := 0; ; n++ {
		answer, err := get(ctx, c.Client, url)
		if err != nil || answer.StatusCode < 300 || answer.StatusCode >= 400 || n == 10 {
			return answer, err
		}
		to, err := answer.Location()
		if err != nil || to.Scheme != "https" {
			return answer, nil
		}
		_ = answer.Body.Close()
		url = to.String()
	}
}

// fetch reads one document; nil if it cannot be had, and then i says why.
func (c *Case) fetch(ctx context.Context, i *doctor.Issuer, url string) []byte {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	answer, err := c.follow(ctx, url)
	if err != nil {
		i.Reason, i.Detail = "issuer-unreachable", inner(err).Error()
		var untrusted *tls.CertificateVerificationError
		switch {
		case errors.As(err, &untrusted):
			i.Reason = "issuer-certificate"
		case errors.Is(err, context.DeadlineExceeded):
			i.Reason = "issuer-slow"
		}
		return nil
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxDocument+1))
	switch {
	case err != nil:
		i.Reason, i.Detail = "issuer-unreachable", err.Error()
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		i.Reason, i.Detail = "issuer-redirect", url+" redirects to "+answer.Header.Get("Location")
	case answer.StatusCode != http.StatusOK:
		i.Reason, i.Detail = "issuer-status", fmt.Sprintf("%s answers %s", url, answer.Status)
	case len(data) > maxDocument:
		i.Reason, i.Detail = "issuer-too-large", fmt.Sprintf("%s has more than %d bytes", url, maxDocument)
	default:
		return data
	}
	return nil
}
