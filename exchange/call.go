package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"daypass.dev"
	"daypass.dev/exchange/sigv4x509"
	"daypass.dev/proof"
)

// A call is one CreateSession, ready to be signed.
type call struct {
	url    string
	region string
	body   []byte
	role   arn
	client *http.Client
	// named: the body has the default session name.
	named bool
}

const (
	attemptTimeout = 15 * time.Second
	maxAnswer      = 1 << 20
	maxErrorAnswer = 64 << 10
)

// An answer is what came back, read to its end or to its limit.
type answer struct {
	op     string
	sent   time.Time // the request, by the local clock
	status int
	header http.Header
	body   []byte
	// broken is why the body is not whole; nil if it is.
	broken error
}

func (c *call) send(ctx context.Context, key *proof.Key, at time.Time) (*answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, attemptTimeout, errNoAnswer)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "POST", c.url, bytes.NewReader(c.body))
	if err != nil {
		return nil, fmt.Errorf("preparing CreateSession: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "daypass")
	signer := sigv4x509.Signer{
		Key: key.Signer, Leaf: key.Leaf, Chain: key.Chain,
		Region: c.region, Service: "rolesanywhere",
	}
	if err := signer.Sign(r, c.body, at); err != nil {
		return nil, fmt.Errorf("preparing CreateSession: %w", err)
	}
	return post(c.client, r, op)
}

// proxyTo is the host of the proxy by which client calls a URL, who may lead to
// another AWS: the sandbox is one. Empty: none.
func proxyTo(client *http.Client, url string) string {
	by := client.Transport
	if by == nil {
		by = http.DefaultTransport
	}
	t, ok := by.(*http.Transport)
	if !ok || t.Proxy == nil {
		return ""
	}
	r, err := http.NewRequest(http.MethodPost, url, nil)
	if err != nil {
		return ""
	}
	proxy, err := t.Proxy(r)
	if err != nil || proxy == nil {
		return ""
	}
	return proxy.Host
}

// post sends a call of AWS's and reads the answer.
func post(client *http.Client, r *http.Request, op string) (*answer, error) {
	sent := time.Now()
	response, err := client.Do(r)
	if err != nil {
		if ue := (*url.Error)(nil); errors.As(err, &ue) {
			err = ue.Err // without the URL and its long query
		}
		return nil, &ReachError{Op: op, Host: r.URL.Host, Err: err}
	}
	defer response.Body.Close()
	a := &answer{op: op, sent: sent, status: response.StatusCode, header: response.Header}
	limit := int64(maxErrorAnswer)
	if a.success() {
		limit = maxAnswer
	}
	a.body, a.broken = io.ReadAll(io.LimitReader(response.Body, limit+1))
	if a.broken == nil && int64(len(a.body)) > limit {
		a.broken = fmt.Errorf("it is longer than %d bytes", limit)
	}
	return a, nil
}

func (a *answer) success() bool { return a.status/100 == 2 }

// date is AWS's clock when it answered; zero if it did not tell.
func (a *answer) date() time.Time {
	t, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return t
}

// offset is how far AWS's clock is ahead of the local one, at most: its Date has
// no fractions and was written after the request was sent. Times of expiry that
// are set to the local clock by it come early rather than late, since programs
// use credentials to their last moment.
func (a *answer) offset() time.Duration { return a.date().Add(time.Second).Sub(a.sent) }

// A clock is the local clock, corrected by what AWS said.
type clock struct{ offset atomic.Int64 } // in nanoseconds

func (c *clock) now() time.Time {
	return time.Now().Add(time.Duration(c.offset.Load()))
}

// local puts times that AWS gave on the local clock, if that was corrected:
// programs hold an expiry against it, and would use credentials that have
// expired, or none, by as much as it is wrong.
func (c *clock) local(got daypass.Credentials) daypass.Credentials {
	offset := time.Duration(c.offset.Load())
	got.Issued, got.Expires = got.Issued.Add(-offset), got.Expires.Add(-offset)
	return got
}

// mended forgets the correction once AWS's time agrees with the local clock
// again: somebody has set it right.
func (c *clock) mended(a *answer) {
	if date := a.date(); !date.IsZero() && time.Until(date).Abs() <= maxSkew {
		c.offset.Store(0)
	}
}

// maxSkew stays below the 5 minutes that AWS bears with. That Roles Anywhere
// bears with as much as other services is not checked.
const maxSkew = 4 * time.Minute

// correct tells whether a refusal may come from the clock, and corrects it.
// What AWS answers to a wrong clock here is not published, so that any refusal
// counts whose Date is far from ours; the corrected clock then agrees, so that
// this happens once.
func (c *clock) correct(a *answer) bool {
	if a.status != 400 && a.status != 401 && a.status != 403 {
		c.mended(a)
		return false
	}
	date := a.date()
	if date.IsZero() || date.Sub(c.now()).Abs() <= maxSkew {
		return false
	}
	c.offset.Store(int64(a.offset()))
	return true
}
