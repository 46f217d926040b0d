package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"daypass.dev/internal/cli"
	"daypass.dev/pki"
	"daypass.dev/policy"
)

// readEvidence reads leaf, chain and anchor.
func (o *explainOptions) readEvidence() (e pki.Evidence, err error) {
	if o.certificateFile == "" && o.chainFile != "" {
		return e, cli.Usagef("give --certificate", "--intermediates belongs to a certificate")
	}
	if o.certificateFile != "" {
		data, err := readFile("certificate", o.certificateFile)
		if err != nil {
			return e, err
		}
		certs, err := pki.ParseCertificates(data)
		if err != nil {
			return e, cli.Usagef("", "reading certificate %s: %w", o.certificateFile, err)
		}
		e.Leaf, e.Intermediates = certs[0], certs[1:]
	}
	if o.chainFile != "" {
		data, err := readFile("intermediates", o.chainFile)
		if err != nil {
			return e, err
		}
		certs, err := pki.ParseCertificates(data)
		if err != nil {
			return e, cli.Usagef("", "reading intermediates %s: %w", o.chainFile, err)
		}
		e.Intermediates = append(e.Intermediates, certs...)
	}
	if o.anchorFile != "" {
		if e.Bundle, err = readFile("trust anchor", o.anchorFile); err != nil {
			return e, err
		}
		if e.Anchors, err = pki.ParseCertificates(e.Bundle); err != nil {
			return e, cli.Usagef("name a PEM file with --trust-anchor-file", "reading trust anchor %s: %w", o.anchorFile, err)
		}
	}
	return e, nil
}

// readPolicy reads one policy under the name of its file; nil without a path.
func readPolicy(kind policy.Kind, what, path string) (*policy.Named, error) {
	if path == "" {
		return nil, nil
	}
	data, err := readFile(what, path)
	if err != nil {
		return nil, err
	}
	return parsePolicy(kind, what, path, string(data))
}

func parsePolicy(kind policy.Kind, what, path, text string) (*policy.Named, error) {
	doc, err := policy.Parse(kind, text)
	var wrong *policy.SyntaxError
	if errors.As(err, &wrong) {
		return nil, cli.Usagef(wrong.Hint, "%s %s:%d:%d: %s: %w (policy-malformed)", what, path, wrong.Line, wrong.Column, wrong.Code, err)
	}
	if err != nil {
		return nil, cli.Usagef("", "%s %s: %w", what, path, err)
	}
	return &policy.Named{Name: path, Document: doc}, nil
}

// A shownRole is the role as aws iam get-role prints it; of a bare trust policy
// only that is known.
type shownRole struct {
	ARN        string          `json:"Arn"`
	ID         string          `json:"RoleId"`
	MaxSession int             `json:"MaxSessionDuration"` // seconds; 0: not known
	Trust      json.RawMessage `json:"AssumeRolePolicyDocument"`
	Tags       []struct{ Key, Value string }

	trust *policy.Named
}

// readRole reads --trust-policy in either form.
func (o *explainOptions) readRole() (r shownRole, err error) {
	if o.trustFile == "" {
		return r, nil
	}
	data, err := readFile("trust policy", o.trustFile)
	if err != nil {
		return r, err
	}
	var in struct{ Role *shownRole }
	text := string(data)
	if json.Unmarshal(data, &in) == nil && in.Role != nil {
		r, text = *in.Role, string(in.Role.Trust)
	}
	r.trust, err = parsePolicy(policy.Trust, "trust policy", o.trustFile, text)
	return r, err
}

// A shownProfile is what aws rolesanywhere get-profile prints.
type shownProfile struct {
	ARN                       string   `json:"profileArn"`
	Name                      string   `json:"name"`
	Enabled                   *bool    `json:"enabled"`
	Roles                     []string `json:"roleArns"`
	SessionPolicy             string   `json:"sessionPolicy"`
	ManagedPolicies           []string `json:"managedPolicyArns"`
	Seconds                   int      `json:"durationSeconds"`
	AcceptSessionName         bool     `json:"acceptRoleSessionName"`
	RequireInstanceProperties bool     `json:"requireInstanceProperties"`
	Mappings                  []struct {
		Field string `json:"certificateField"`
		Rules []struct {
			Specifier string `json:"specifier"`
		} `json:"mappingRules"`
	} `json:"attributeMappings"`
}

func (o *explainOptions) readProfile() (*shownProfile, error) {
	if o.profileFile == "" {
		return nil, nil
	}
	data, err := readFile("profile", o.profileFile)
	if err != nil {
		return nil, err
	}
	var in struct {
		Profile *shownProfile `json:"profile"`
	}
	p := &shownProfile{}
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&in); err != nil {
		return nil, cli.Usagef("save what aws rolesanywhere get-profile prints", "reading profile %s: %w", o.profileFile, err)
	}
	if in.Profile != nil {
		p = in.Profile
	} else if err := json.Unmarshal(data, p); err != nil {
		return nil, cli.Usagef("save what aws rolesanywhere get-profile prints", "reading profile %s: %w", o.profileFile, err)
	}
	if p.Roles == nil {
		return nil, cli.Usagef("save what aws rolesanywhere get-profile prints", "profile %s has no roleArns", o.profileFile)
	}
	return p, nil
}

// mappings are nil where the profile tells none.
func (p *shownProfile) mappings() map[string][]string {
	if p == nil || p.Mappings == nil {
		return nil
	}
	all := map[string][]string{}
	for _, m := range p.Mappings {
		for _, r := range m.Rules {
			all[m.Field] = append(all[m.Field], r.Specifier)
		}
	}
	return all
}

// duration is the profile's; an hour where it tells none.
func (p *shownProfile) duration() time.Duration {
	if p.Seconds == 0 {
		return time.Hour
	}
	return time.Duration(p.Seconds) * time.Second
}

// readContext takes --context apart; a key that stands more than once holds a
// list, and so does one that AWS defines so.
func (o *explainOptions) readContext() (policy.Context, error) {
	var ctx policy.Context
	given := map[string][]string{}
	for _, text := range o.contexts {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, cli.Usagef("as in --context aws:SourceIp=192.0.2.7", "--context: %q is not KEY=VALUE", text)
		}
		given[strings.ToLower(key)] = append(given[strings.ToLower(key)], value)
		if all := given[strings.ToLower(key)]; len(all) > 1 || isList(key) {
			ctx.SetMulti(key, all...)
		} else {
			ctx.Set(key, value)
		}
	}
	return ctx, nil
}

// isList tells the keys that hold a list even with one value, of those that
// IAM and STS define.
func isList(key string) bool {
	switch strings.ToLower(key) {
	case "aws:tagkeys", "sts:transitivetagkeys":
		return true
	}
	return false
}
