package exchange

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"daypass.dev"
	"daypass.dev/proof"
)

// webSession is what is read of a success of AssumeRoleWithWebIdentity.
type webSession struct {
	XMLName xml.Name `xml:"AssumeRoleWithWebIdentityResponse"`
	Result  struct {
		Credentials keys `xml:"Credentials"`
	} `xml:"AssumeRoleWithWebIdentityResult"`
}

// webCredentials reads the answer; now stands in for AWS's clock where AWS does
// not tell it. No text of a success goes into an error, nor does the token.
func (a *answer) webCredentials(role arn, token *proof.Token, now time.Time) (daypass.Credentials, error) {
	if !a.success() {
		return daypass.Credentials{}, a.webRefusal(token, now)
	}
	if a.broken != nil {
		return daypass.Credentials{}, a.invalid("the answer is not whole after %d bytes: %v", len(a.body), a.broken)
	}
	var s webSession
	if err := readXML(a.body, &s); err != nil {
		return daypass.Credentials{}, a.invalid("the answer is not the XML of a session") // err may quote it
	}
	return a.issued(s.Result.Credentials, role, now)
}

// readXML reads a document of one element, and nothing but space after it.
func readXML(body []byte, into any) error {
	d := xml.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(into); err != nil {
		return err
	}
	for {
		next, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if space, ok := next.(xml.CharData); err != nil || !ok || len(bytes.TrimSpace(space)) > 0 {
			return errors.New("more after the document")
		}
	}
}

// webRefusal is the error that AWS expressed.
func (a *answer) webRefusal(token *proof.Token, now time.Time) error {
	code, message := a.queryError()
	e := a.refused(code, hide(token, message), now)
	if code != "" {
		e.Hint = webHint(e, token)
	}
	return e
}

// hide takes a token out of what a stranger wrote.
func hide(token *proof.Token, s string) string {
	const least = 16 // what is shorter is in words, too
	text := token.Text.Reveal()
	for _, part := range []string{text, text[strings.LastIndexByte(text, '.')+1:]} {
		if len(part) >= least {
			s = strings.ReplaceAll(s, part, token.Text.String())
		}
	}
	return s
}

// webHint tells what to look at. What the token says of its bearer is what
// trust policies are written from.
func webHint(e *daypass.Error, token *proof.Token) string {
	from := "iss " + short(token.Issuer)
	switch e.Code {
	case "AccessDenied":
		return "the role must exist, and its trust policy let sts:AssumeRoleWithWebIdentity be called with this token: " +
			from + ", aud " + short(strings.Join(token.Audience, " ")) + ", sub " + short(token.Subject) + "; AWS says the same of " +
			bracketed(rows(append(ofTrust(), "trust-tag-session", "trust-source-identity", "provider-id")...))
	case "ExpiredTokenException":
		return "the token ended at " + token.Expires.Format(time.RFC3339) + ": check that what renews it still runs [token-expired]"
	}
	found := causes(e.Code, e.Message)
	switch {
	case len(found) == 1:
		return found[0].Cause + "; " + found[0].Mend + " [" + found[0].Slug + "] (" + from + ")"
	case len(found) > 1:
		return "AWS must be able to read the token, find its issuer's keys and verify it by them (" + from + ", aud " +
			short(strings.Join(token.Audience, " ")) + "); it says the same of " + bracketed(found)
	}
	return ""
}

// short quotes a claim, or its beginning.
func short(claim string) string {
	const most = 200
	if runes := []rune(claim); len(runes) > most {
		claim = string(runes[:most]) + "…"
	}
	return strconv.Quote(claim)
}
