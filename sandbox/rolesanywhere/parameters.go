package rolesanywhere

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// The bounds of a session (User Guide, CreateSession; STS's AssumeRole; the
// API reference's InstancePropertyMap).
const (
	minDuration      = 900 * time.Second
	maxDuration      = 43200 * time.Second
	maxProperties    = 50
	maxPropertyText  = 200
	minSessionName   = 2
	maxSessionName   = 64
	sessionNameRunes = "=,.@_+-"
)

// parameters are what CreateSession is asked for.
type parameters struct {
	profile, role, anchor arn
	// duration, name and properties are zero where they were not sent.
	duration   time.Duration
	name       string
	properties map[string]string
}

// parseParameters reads the three ARNs from query or body, and the rest from
// the body. Members that AWS does not know, and the deprecated sessionName,
// are ignored, as AWS's protocols do; an empty body counts as {}.
func parseParameters(r *http.Request, body []byte) (parameters, *fault) {
	var p parameters
	members, err := object(body)
	if err != nil {
		return p, faultf("session-body", "%v", err)
	}
	var sent struct {
		duration        *int64
		name            *string
		properties      map[string]string
		roleARN, anchor *string
		profile         *string
	}
	for name, to := range map[string]any{
		"durationSeconds": &sent.duration, "roleSessionName": &sent.name, "instanceProperties": &sent.properties,
		"roleArn": &sent.roleARN, "trustAnchorArn": &sent.anchor, "profileArn": &sent.profile,
	} {
		if raw, ok := members[name]; ok {
			if err := json.Unmarshal(raw, to); err != nil {
				return p, faultf("session-body", "%s: %v", name, err)
			}
		}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return p, faultf("session-parameter", "reading the query: %v", err)
	}
	for _, want := range []struct {
		name, service, kind string
		inBody              *string
		to                  *arn
	}{
		{"trustAnchorArn", "rolesanywhere", "trust-anchor", sent.anchor, &p.anchor},
		{"profileArn", "rolesanywhere", "profile", sent.profile, &p.profile},
		{"roleArn", "iam", "role", sent.roleARN, &p.role},
	} {
		text, f := once(want.name, query[want.name], want.inBody)
		if f != nil {
			return p, f
		}
		parsed, ok := parseARN(text)
		if !ok || parsed.service != want.service || parsed.kind != want.kind {
			return p, faultf("session-arn", "%s is %q", want.name, text)
		}
		*want.to = parsed
	}
	p.properties = sent.properties
	if sent.name != nil {
		p.name = *sent.name
	}
	return p, p.bounds(sent.duration, sent.name != nil)
}

// bounds checks what was sent against its limits.
func (p *parameters) bounds(seconds *int64, named bool) *fault {
	if seconds != nil {
		if *seconds < int64(minDuration/time.Second) || *seconds > int64(maxDuration/time.Second) {
			return faultf("session-duration", "durationSeconds is %d", *seconds)
		}
		p.duration = time.Duration(*seconds) * time.Second
	}
	if named && !validSessionName(p.name) {
		return faultf("session-name", "roleSessionName is %q", p.name)
	}
	if len(p.properties) > maxProperties {
		return faultf("session-properties", "instanceProperties has %d members", len(p.properties))
	}
	for name, value := range p.properties {
		for _, text := range []string{name, value} {
			if n := utf8.RuneCountInString(text); n < 1 || n > maxPropertyText {
				return faultf("session-properties", "a name or value in instanceProperties has %d characters", n)
			}
		}
	}
	return nil
}

// once takes a parameter from the query or the body. Both at once are fine
// while they are the same.
func once(name string, inQuery []string, inBody *string) (string, *fault) {
	all := inQuery
	if inBody != nil {
		all = append(all[:len(all):len(all)], *inBody)
	}
	if len(all) == 0 {
		return "", faultf("session-parameter", "%s is missing", name)
	}
	for _, other := range all[1:] {
		if other != all[0] {
			return "", faultf("session-parameter", "%s is both %q and %q", name, all[0], other)
		}
	}
	return all[0], nil
}

// validSessionName holds a name against STS's [\w+=,.@-]{2,64}.
func validSessionName(name string) bool {
	for _, r := range name {
		isWord := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !isWord && !strings.ContainsRune(sessionNameRunes, r) {
			return false
		}
	}
	return len(name) >= minSessionName && len(name) <= maxSessionName
}

// object reads one JSON object and nothing behind it. Names count to the
// letter's case, as AWS's do; null counts as absent.
func object(body []byte) (map[string]json.RawMessage, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	var members map[string]json.RawMessage
	if err := d.Decode(&members); err != nil {
		return nil, err
	}
	if members == nil {
		return nil, errors.New("the body is null")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something behind the object")
	}
	return members, nil
}
