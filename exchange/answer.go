package exchange

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"daypass.dev"
)

const op = "CreateSession"

// Codes of this package; all others are AWS's. That a session whose policies
// are too large has the code that STS gives is inferred.
const (
	codeInvalid    = "InvalidResponse"
	codeUnexpected = "UnexpectedResponse"
	codePacked     = "PackedPolicyTooLarge"
)

// A session is what is read of a success.
type session struct {
	CredentialSet []struct {
		Credentials      keys    `json:"credentials"`
		PackedPolicySize float64 `json:"packedPolicySize"`
	} `json:"credentialSet"`
}

// keys are credentials as AWS writes them, in JSON or XML.
type keys struct {
	AccessKeyID     string `json:"accessKeyId" xml:"AccessKeyId"`
	SecretAccessKey string `json:"secretAccessKey" xml:"SecretAccessKey"`
	SessionToken    string `json:"sessionToken" xml:"SessionToken"`
	Expiration      string `json:"expiration" xml:"Expiration"`
}

// credentials reads the answer; now stands in for AWS's clock where AWS does
// not tell it. No text of a success goes into an error.
func (a *answer) credentials(role arn, now time.Time) (daypass.Credentials, error) {
	none := daypass.Credentials{}
	if !a.success() {
		return none, a.refusal(now)
	}
	if a.broken != nil {
		return none, a.invalid("the answer is not whole after %d bytes: %v", len(a.body), a.broken)
	}
	var s session
	if err := json.Unmarshal(a.body, &s); err != nil {
		return none, a.invalid("the answer is not the JSON of a session") // err may quote it
	}
	if len(s.CredentialSet) == 0 {
		return none, a.invalid("the answer holds no credentials")
	}
	first := s.CredentialSet[0]
	if first.PackedPolicySize > 100 {
		e := a.made(codePacked, fmt.Sprintf("session policies and tags take %.0f %% of what fits", first.PackedPolicySize))
		e.Status = http.StatusBadRequest // with which STS says so: it is a refusal
		e.Hint = "shorten the profile's session policy, or let the profile map fewer certificate fields to tags"
		return none, e
	}
	return a.issued(first.Credentials, role, now)
}

// issued makes credentials of what AWS wrote.
func (a *answer) issued(got keys, role arn, now time.Time) (daypass.Credentials, error) {
	none := daypass.Credentials{}
	for _, field := range []struct{ name, value string }{
		{"accessKeyId", got.AccessKeyID}, {"secretAccessKey", got.SecretAccessKey},
		{"sessionToken", got.SessionToken}, {"expiration", got.Expiration},
	} {
		if !visible(field.value, maxAnswer) {
			return none, a.invalid("the credentials lack %s, or it is no token", field.name)
		}
	}
	expires, err := time.Parse(time.RFC3339, got.Expiration)
	if err != nil {
		return none, a.invalid("the credentials' expiration is no time")
	}
	issued := a.date()
	if issued.IsZero() {
		issued = now.UTC().Round(0)
	}
	if !expires.After(issued) {
		return none, a.invalid("the credentials had expired when they came, at %s by a clock at %s",
			expires.UTC().Format(time.RFC3339), issued.Format(time.RFC3339))
	}
	return daypass.Credentials{
		AccessKeyID: got.AccessKeyID, SecretAccessKey: daypass.Secret(got.SecretAccessKey),
		SessionToken: daypass.Secret(got.SessionToken),
		Issued:       issued, Expires: expires.UTC(),
		RoleARN: role.text, AccountID: role.account, RequestID: a.requestID(),
	}, nil
}

// refusal is the error that AWS expressed, without a hint. restJson1 puts the code into a
// header or the body.
//
// https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization
func (a *answer) refusal(now time.Time) *daypass.Error {
	var body struct {
		Type    string `json:"__type"`
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(a.body, &body) // what is no JSON has no code
	var code string
	for _, candidate := range []string{a.header.Get("X-Amzn-ErrorType"), body.Type, body.Code} {
		candidate, _, _ = strings.Cut(candidate, ":")
		if _, after, found := strings.Cut(candidate, "#"); found {
			candidate = after
		}
		if isErrorCode(candidate) {
			code = candidate
			break
		}
	}
	return a.refused(code, body.Message, now)
}

// nameRefused tells whether the profile does not accept the session's name, as
// far as the answer can be read.
func (a *answer) nameRefused() bool {
	return a.status == http.StatusForbidden && (a.broken != nil || bytes.Contains(a.body, []byte("set roleSessionName")))
}

// refused is what AWS said, or without a code that it was not AWS who did.
func (a *answer) refused(code, message string, now time.Time) *daypass.Error {
	e := a.made(code, printable(message))
	if code == "" {
		e = a.made(codeUnexpected, fmt.Sprintf("status %d without AWS's error code", a.status))
		e.Hint = "something between here and AWS may have answered; check proxy and endpoint"
	}
	e.RetryAfter = a.retryAfter(now)
	return e
}

func (a *answer) invalid(format string, args ...any) error {
	e := a.made(codeInvalid, printable(fmt.Sprintf(format, args...)))
	e.Hint = "something between here and AWS may have changed the answer; check proxy and endpoint"
	return e
}

func (a *answer) made(code, message string) *daypass.Error {
	return &daypass.Error{Op: a.op, Code: code, Message: message, Status: a.status, RequestID: a.requestID()}
}

// requestID is empty where the answer has none, or one that is no id.
func (a *answer) requestID() string {
	id := a.header.Get("X-Amzn-Requestid")
	if !spelled(id, 1, 128, letters+digits+"-") {
		return ""
	}
	return id
}

// retryAfter reads seconds or a date (RFC 9110 section 10.2.3).
func (a *answer) retryAfter(now time.Time) time.Duration {
	text := a.header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if date := a.date(); !date.IsZero() {
		now = date
	}
	return max(until.Sub(now), 0)
}

// printable keeps what a stranger wrote from steering a terminal or filling a
// log.
func printable(s string) string {
	const most = 1000
	s = strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return s
}
