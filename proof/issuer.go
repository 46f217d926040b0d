package proof

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"daypass.dev"
)

// A demand is one call to a service that issues tokens.
type demand struct {
	op     string // in errors, as "Google identity token"
	client *http.Client
	// secret is what the call carries; an answer that repeats it is not quoted
	// with it.
	secret daypass.Secret
	// silence and refused are hints where no answer comes, and where the answer
	// has that status.
	silence string
	refused map[int]string
}

const (
	patience   = 10 * time.Second // a token waits behind another service where a pod has just started
	maxIssued  = 64 << 10
	maxMessage = 300
)

// Codes of this package; all others are those of the service that was asked.
const (
	codeInvalid    = "InvalidResponse"
	codeUnexpected = "UnexpectedResponse"
)

var errNoAnswer = errors.New("no answer within 10 seconds")

// An IssuerError says that who issues tokens could not be asked.
type IssuerError struct {
	// Op is what was asked for, as "Google identity token".
	Op  string
	Err error
	// Hint tells what to look at, in one line; empty if nothing is known.
	Hint string
}

// Error quotes the cause, which may hold what whoever answered wrote, for a
// terminal.
func (e *IssuerError) Error() string { return "asking for " + e.Op + ": " + oneLine(e.Err.Error()) }

// Unwrap returns the cause.
func (e *IssuerError) Unwrap() error { return e.Err }

// Advice returns the hint.
func (e *IssuerError) Advice() string { return e.Hint }

func input(setting, hint, format string, args ...any) *daypass.InputError {
	return &daypass.InputError{Setting: setting, Hint: hint, Err: fmt.Errorf(format, args...)}
}

// send returns the body of a success and its headers. Errors are *IssuerError
// without an answer, *daypass.Error with one.
func (d *demand) send(ctx context.Context, r *http.Request) ([]byte, http.Header, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errNoAnswer)
	defer cancel()
	r.Header.Set("User-Agent", "daypass")
	client := *d.client
	client.Jar = nil
	// Elsewhere nobody needs what the call carries.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(r.WithContext(ctx))
	if err != nil {
		if ue := (*url.Error)(nil); errors.As(err, &ue) {
			err = ue.Err // without the URL, which may hold an id
		}
		if errors.Is(err, context.DeadlineExceeded) && context.Cause(ctx) != nil {
			err = context.Cause(ctx)
		}
		return nil, nil, &IssuerError{Op: d.op, Err: fmt.Errorf("calling %s: %w", r.URL.Host, err), Hint: d.silence}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxIssued+1))
	if err == nil && len(body) > maxIssued {
		err = fmt.Errorf("it is longer than %d bytes", maxIssued)
	}
	switch {
	case response.StatusCode/100 != 2:
		return nil, nil, d.refusal(response, body)
	case err != nil:
		return nil, nil, d.invalid("the answer is not whole: %v", err)
	}
	return body, response.Header, nil
}

// refusal is what the service itself said, in one of the forms that Google,
// Entra and GitHub have for it.
func (d *demand) refusal(response *http.Response, body []byte) error {
	var said struct {
		Error       json.RawMessage `json:"error"`
		Description string          `json:"error_description"`
		Message     string          `json:"message"`
	}
	var inner struct{ Status, Message string }
	var code string
	if json.Unmarshal(body, &said) == nil {
		_ = json.Unmarshal(said.Error, &inner) // Google's is an object,
		_ = json.Unmarshal(said.Error, &code)  // Entra's a text
	} else if !strings.HasPrefix(strings.TrimSpace(string(body)), "<") {
		said.Message = string(body)
	}
	e := &daypass.Error{Op: d.op, Code: codeUnexpected, Status: response.StatusCode, Hint: d.refused[response.StatusCode]}
	if code == "" {
		code = inner.Status
	}
	if isCode(code) {
		e.Code = code
	}
	e.Message = fmt.Sprintf("status %d", e.Status)
	for _, message := range []string{inner.Message, said.Description, said.Message} {
		if message = d.quoted(message); message != "" {
			e.Message = message
			break
		}
	}
	if seconds, err := strconv.ParseUint(response.Header.Get("Retry-After"), 10, 31); err == nil {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	return e
}

// invalid is a success of no use. Nothing of it is quoted: it may be a token.
func (d *demand) invalid(format string, args ...any) error {
	return &daypass.Error{Op: d.op, Code: codeInvalid, Status: http.StatusOK, Message: oneLine(fmt.Sprintf(format, args...)),
		Hint: "something else than the service may have answered; check its address and proxies"}
}

// token is the token that came.
func (d *demand) token(text string) (*Token, error) {
	t, err := ParseToken(text)
	if err != nil {
		return nil, d.invalid("what came is no token: %v", err)
	}
	return t, nil
}

// field is the token under name in a JSON answer, of whatever kind.
func (d *demand) field(body []byte, name string) (string, error) {
	var all map[string]json.RawMessage
	var text string
	if json.Unmarshal(body, &all) != nil || json.Unmarshal(all[name], &text) != nil || !visible(text) {
		return "", d.invalid("the answer is no JSON with %s", name)
	}
	return text, nil
}

// visible reports whether s is something, and all of it visible ASCII.
func visible(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func isCode(s string) bool {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	return s != "" && len(s) <= 128 && strings.Trim(s, letters+"0123456789_.-") == ""
}

// quoted is what a stranger wrote, in which it may repeat a secret.
func (d *demand) quoted(s string) string {
	if d.secret != "" {
		s = strings.ReplaceAll(s, d.secret.Reveal(), d.secret.String())
	}
	return oneLine(s)
}

// oneLine keeps what a stranger wrote from steering a terminal or filling a log.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	if runes := []rune(s); len(runes) > maxMessage {
		s = string(runes[:maxMessage]) + "…"
	}
	return strings.TrimSpace(s)
}

// nearby calls a service of this machine, which no proxy stands before.
func nearby() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext:       (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		DisableKeepAlives: true,
	}}
}

// private is nil for a URL on whose way nobody can listen: https, or http on
// loopback.
func private(setting string, u *url.URL) error {
	host := u.Hostname()
	ip := net.ParseIP(host)
	switch {
	case u.User != nil:
		return input(setting, "", "it holds a user name, which would be sent to nobody")
	case host == "":
		return input(setting, "", "it names no host")
	case u.Scheme == "http" && host != "localhost" && (ip == nil || !ip.IsLoopback()):
		return input(setting, "use https", "http would show a secret to the network; it is for loopback only")
	case u.Scheme != "https" && u.Scheme != "http":
		return input(setting, "use https", "%.40q is not a scheme for it", u.Scheme)
	}
	return nil
}

// isHost takes HOST or HOST:PORT, as variables name the addresses of metadata
// servers.
func isHost(s string) bool {
	u, err := url.Parse("http://" + s)
	return err == nil && u.Host == s && u.Hostname() != "" && !strings.ContainsAny(s, "@/?#% ")
}
