package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"daypass.dev"
	"daypass.dev/proof"
)

// WebIdentity is AssumeRoleWithWebIdentity of STS: a role for who bears an OIDC
// token. It is a daypass.Source, safe for concurrent use, and must not be
// copied after use.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
type WebIdentity struct {
	// Token is shown to AWS; it says who asks.
	Token   proof.TokenSource
	RoleARN string
	// Duration is the life that is asked for, 15 minutes to 12 hours in whole
	// seconds, and no longer than the role allows. Zero: an hour, by AWS.
	Duration time.Duration
	// SessionName is the role session's name, which logs of AWS show. Empty:
	// "daypass".
	SessionName string
	// SessionPolicy is an IAM policy in JSON that narrows what the session may
	// do. Empty: it may do what the role may.
	SessionPolicy string
	// Region is where to call STS; it must be of the role's partition. It is
	// needed unless Endpoint is given. A name as fips-us-east-1 asks for FIPS.
	Region string
	// FIPS calls the endpoint whose cryptography is validated by FIPS 140. Which
	// regions of the partition aws have one is AWS's to say; in aws-us-gov every
	// endpoint is such, and aws-cn has none.
	FIPS bool
	// DualStack calls the endpoint that has IPv6, too.
	DualStack bool
	// Endpoint is a base URL without a path; https, or http on loopback; without
	// FIPS and DualStack. Empty: AWS's own for region and partition.
	Endpoint string
	// Client makes the call; it decides on roots of trust and proxy. Redirects
	// are refused whatever it says. Nil: http.DefaultClient.
	Client *http.Client

	kept atomic.Pointer[keptToken]
}

const opWeb = "AssumeRoleWithWebIdentity"

// Credentials asks once. Errors are *daypass.InputError for a setting that is wrong,
// what Token gives, *daypass.Error where AWS answered; any other means that no
// answer came, within 15 seconds. Codes that are not AWS's are those of
// RolesAnywhere.
//
// Where the local clock is more than four minutes wrong, the times in the
// credentials are set to it.
func (w *WebIdentity) Credentials(ctx context.Context) (daypass.Credentials, error) {
	call, err := w.prepare()
	if err != nil {
		return daypass.Credentials{}, err
	}
	token, err := w.token(ctx)
	if err != nil {
		return daypass.Credentials{}, err
	}
	answer, err := call.send(ctx, token)
	if err != nil {
		return daypass.Credentials{}, err
	}
	got, err := answer.webCredentials(call.role, token, time.Now())
	if err != nil {
		return daypass.Credentials{}, err
	}
	var here clock
	if time.Until(got.Issued).Abs() > maxSkew {
		here.offset.Store(int64(answer.offset()))
	}
	return here.local(got), nil
}

// Check says whether the settings are well formed, without asking anybody: nil
// or an *daypass.InputError. It does not read the token.
func (w *WebIdentity) Check() error {
	_, err := w.prepare()
	return err
}

// Address is the base URL that would be called. The error is an *daypass.InputError.
func (w *WebIdentity) Address() (string, error) {
	call, err := w.prepare()
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(call.url, "/"), nil
}

// MemoryKey names what would be answered: it differs where the token speaks for
// somebody else or a setting that shapes the answer differs, and tells nothing
// of them. It is the key of refresh.Disk. The token that it asks for is used
// by the next call of Credentials.
func (w *WebIdentity) MemoryKey(ctx context.Context) (string, error) {
	call, err := w.prepare()
	if err != nil {
		return "", err
	}
	token, err := w.Token.Token(ctx)
	if err != nil {
		return "", err
	}
	w.kept.Store(&keptToken{token, time.Now()})
	shape, err := json.Marshal([]any{opWeb, token.Identity(), call.url, proxyTo(call.client, call.url), call.form.Encode()})
	if err != nil {
		return "", fmt.Errorf("naming the remembered credentials: %w", err)
	}
	sum := sha256.Sum256(shape)
	return hex.EncodeToString(sum[:]), nil
}

// A keptToken spares the call that follows MemoryKey a second token.
type keptToken struct {
	token *proof.Token
	at    time.Time
}

const keptFor = time.Minute // a Disk waits less for its turn

func (w *WebIdentity) token(ctx context.Context) (*proof.Token, error) {
	if k := w.kept.Swap(nil); k != nil && time.Since(k.at) < keptFor {
		return k.token, nil
	}
	return w.Token.Token(ctx)
}

// A webCall is one AssumeRoleWithWebIdentity that lacks its token.
type webCall struct {
	url    string
	form   url.Values
	role   arn
	client *http.Client
}

// prepare checks the settings and makes of them the call that they mean.
func (w *WebIdentity) prepare() (*webCall, error) {
	if w.Token == nil {
		return nil, input("web identity token", "", "none is given")
	}
	role, err := parseARN("role ARN", w.RoleARN, "iam", "role")
	if err != nil {
		return nil, err
	}
	if err := checkSession(w.Duration, w.SessionName); err != nil {
		return nil, err
	}
	base, err := stsPlace(w.Region, role, w.FIPS, w.DualStack, w.Endpoint)
	if err != nil {
		return nil, err
	}
	form := url.Values{
		"Action": {opWeb}, "Version": {"2011-06-15"},
		"RoleArn": {w.RoleARN}, "RoleSessionName": {"daypass"},
	}
	if w.SessionName != "" {
		form.Set("RoleSessionName", w.SessionName)
	}
	if w.Duration != 0 {
		form.Set("DurationSeconds", strconv.FormatInt(int64(w.Duration/time.Second), 10))
	}
	if err := setPolicy(form, w.SessionPolicy); err != nil {
		return nil, err
	}
	client := http.DefaultClient
	if w.Client != nil {
		client = w.Client
	}
	return &webCall{url: base + "/", form: form, role: role, client: withoutRedirects(client)}, nil
}

func (c *webCall) send(ctx context.Context, token *proof.Token) (*answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, attemptTimeout, errNoAnswer)
	defer cancel()
	body := c.form.Encode() + "&WebIdentityToken=" + url.QueryEscape(token.Text.Reveal())
	r, err := http.NewRequestWithContext(ctx, "POST", c.url, strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("preparing %s: %w", opWeb, err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", "daypass")
	return post(c.client, r, opWeb)
}
