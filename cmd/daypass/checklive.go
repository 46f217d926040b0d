package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"

	"daypass.dev"
	"daypass.dev/exchange"
	"daypass.dev/internal/cli"
	"daypass.dev/pki"
	"daypass.dev/reason"
)

// live asks AWS: the name, the connection and the clock of each endpoint, then
// for credentials, once. The error is of wrong usage.
func (s *checkSettings) live(ctx context.Context) ([]pki.Finding, error) {
	if s.Certificate == "" {
		return nil, cli.Usagef("give --certificate (or DAYPASS_CERTIFICATE)", "--live needs a certificate")
	}
	call, err := s.Exchange(s.Keys(nil), nil)
	if err != nil {
		return nil, said(err)
	}
	chained, err := s.Chained(call)
	if err != nil {
		return nil, said(err)
	}
	var all []pki.Finding
	for _, anchor := range anchorsOf(call) {
		found, err := reach(ctx, anchor)
		if err != nil {
			return nil, said(err)
		}
		all = append(all, found...)
	}
	return append(all, asked(ctx, chained)), nil
}

func anchorsOf(call exchange.Call) (all []*exchange.RolesAnywhere) {
	switch call := call.(type) {
	case *exchange.RolesAnywhere:
		all = append(all, call)
	case *exchange.Fallback:
		for _, one := range call.Calls {
			all = append(all, anchorsOf(one)...)
		}
	}
	return all
}

// An attempt is what became of one request, step by step.
type attempt struct {
	looked   string // the name that was looked up; of a proxy's, if there is one
	found    []net.IPAddr
	nameErr  error
	address  string // what was connected to
	protocol *tls.ConnectionState
	date     time.Time
	at       time.Time // by our clock
	err      error
}

const liveTimeout = 20 * time.Second

// try makes a request that asks for nothing: any answer will do.
func try(ctx context.Context, client *http.Client, url string) attempt {
	ctx, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	var (
		mu sync.Mutex // a dial may go on behind
		a  attempt
	)
	note := func(set func()) { mu.Lock(); defer mu.Unlock(); set() }
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart: func(i httptrace.DNSStartInfo) { note(func() { a.looked = i.Host }) },
		DNSDone:  func(i httptrace.DNSDoneInfo) { note(func() { a.found, a.nameErr = i.Addrs, i.Err }) },
		GotConn:  func(i httptrace.GotConnInfo) { note(func() { a.address = i.Conn.RemoteAddr().String() }) },
	})
	answer, err := get(ctx, client, url+"/")
	mu.Lock()
	defer mu.Unlock()
	a.at, a.err = time.Now(), err
	if err == nil {
		a.protocol = answer.TLS
		a.date, _ = http.ParseTime(answer.Header.Get("Date"))
	}
	return a
}

// get returns an answer without its body.
func get(ctx context.Context, client *http.Client, url string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	return answer, answer.Body.Close()
}

// reach judges the way to one trust anchor's endpoint.
func reach(ctx context.Context, anchor *exchange.RolesAnywhere) ([]pki.Finding, error) {
	url, err := anchor.Address()
	if err != nil {
		return nil, err
	}
	client := *anchor.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	a := try(ctx, &client, url)
	_, host, _ := strings.Cut(url, "://")
	return []pki.Finding{a.name(host), a.connection(host), a.clock(host)}, nil
}

func (a attempt) name(host string) pki.Finding {
	var addresses []string
	for _, ip := range a.found {
		addresses = append(addresses, ip.String())
	}
	switch {
	case a.nameErr != nil:
		return finding("live-name", pki.Fail, host, fmt.Sprintf("looking up %s: %v", a.looked, a.nameErr))
	case a.looked == "":
		return finding("live-name", pki.Pass, host, "an address, no name")
	}
	return finding("live-name", pki.Pass, host, a.looked+" is "+strings.Join(addresses, ", "))
}

func (a attempt) connection(host string) pki.Finding {
	switch {
	case a.nameErr != nil:
		return finding("live-connection", pki.Skip, host, "the name is not known")
	case a.err != nil:
		f := finding("live-connection", pki.Fail, host, pki.Printable(unwrapped(a.err).Error()))
		if mend := (&exchange.ReachError{Err: a.err}).Advice(); mend != "" {
			f.Mend = mend
		}
		return f
	case a.protocol == nil:
		return finding("live-connection", pki.Pass, host, "in clear, at "+a.address)
	}
	issuer := a.protocol.PeerCertificates[0].Issuer.String()
	return finding("live-connection", pki.Pass, host,
		fmt.Sprintf("%s at %s, certificate by %s", tls.VersionName(a.protocol.Version), a.address, pki.Printable(issuer)))
}

func (a attempt) clock(host string) pki.Finding {
	const usual = time.Minute
	switch ahead := a.at.Sub(a.date).Round(time.Second); {
	case a.err != nil:
		return finding("live-clock", pki.Skip, host, "nobody answered")
	case a.date.IsZero():
		return finding("live-clock", pki.Skip, host, "the answer has no date")
	case ahead > usual:
		return finding("live-clock", pki.Warn, host, fmt.Sprintf("this machine's clock is %s ahead", ahead))
	case ahead < -usual:
		return finding("live-clock", pki.Warn, host, fmt.Sprintf("this machine's clock is %s behind", -ahead))
	}
	return finding("live-clock", pki.Pass, host, "the clocks agree to a minute")
}

// asked is whether AWS gives credentials. They are thrown away.
func asked(ctx context.Context, call exchange.Call) pki.Finding {
	const on = "credentials"
	got, err := once(ctx, call)
	if err == nil {
		return finding("live-exchange", pki.Pass, on, fmt.Sprintf("%s as %s, until %s",
			got.AccessKeyID, got.RoleARN, got.Expires.Format(time.RFC3339)))
	}
	f := finding("live-exchange", pki.Fail, on, err.Error())
	if told := (*cli.Error)(nil); errors.As(err, &told) && told.Hint != "" {
		f.Mend = told.Hint
	}
	if refused := (*daypass.Error)(nil); !errors.As(err, &refused) {
		f.Mend = "mend what fails above, and try again"
	}
	return f
}

// unwrapped leaves out the request that http quotes.
func unwrapped(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

func finding(rule string, verdict pki.Verdict, on, detail string) pki.Finding {
	f := pki.Finding{Rule: rule, Verdict: verdict, On: on, Detail: detail}
	if verdict == pki.Fail || verdict == pki.Warn {
		row, _ := reason.Lookup(rule)
		f.Mend = row.Mend
	}
	return f
}
