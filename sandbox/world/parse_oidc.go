package world

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v3"
)

// issuer reads where an issuer's keys are.
func (l *loader) issuer(key, n *yaml.Node) {
	name := "https://" + l.issuerURL(key, key.Value)
	var at Issuer
	fields := l.fileOr("jwks", func(n *yaml.Node, data []byte) {
		var set struct {
			Keys []json.RawMessage `json:"keys"`
		}
		if err := json.Unmarshal(data, &set); err != nil || set.Keys == nil {
			l.fail(n, `put {"keys": [...]} there, as the issuer's jwks_uri answers`, "it is no JSON Web Key Set")
		}
		at.JWKS = data
	})
	fields["url"] = func(n *yaml.Node) {
		at.URL = strings.TrimSuffix(l.text(n), "/")
		u, err := url.Parse(at.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			l.fail(n, "write it as http://127.0.0.1:8080", "%q is no URL to read an issuer's documents from", n.Value)
		}
	}
	l.fields(n, "an issuer", fields)
	if (at.URL == "") == (at.JWKS == nil) {
		l.fail(key, "add one of url:, jwks: and jwksFile:", "issuer %s does not say where its keys are", name)
	}
	l.world.SetIssuer(name, at)
}

// issuerURL checks an issuer's URL as IAM does.
func (l *loader) issuerURL(n *yaml.Node, text string) string {
	short, err := ProviderURL(text)
	var e *Refusal
	if errors.As(err, &e) {
		problem := e.Message
		if e.Detail != "" {
			problem = e.Detail
		}
		l.fail(n, "write it as https://oidc.example.com/path", "%q is no issuer's URL: %s", text, problem)
	}
	return short
}

func (l *loader) oidcProviders(n *yaml.Node) {
	for _, item := range l.list(n, "oidcProviders") {
		l.oidcProvider(item)
	}
}

func (l *loader) oidcProvider(n *yaml.Node) {
	var p OIDCProvider
	l.fields(n, "an OIDC provider", map[string]func(*yaml.Node){
		"url":         func(n *yaml.Node) { p.URL = l.issuerURL(n, l.text(n)) },
		"clientIds":   func(n *yaml.Node) { p.ClientIDs = l.texts(n, "clientIds") },
		"thumbprints": func(n *yaml.Node) { p.Thumbprints = l.thumbprints(n) },
		"tags":        func(n *yaml.Node) { p.Tags = l.tags(n) },
	})
	switch {
	case p.URL == "":
		l.fail(n, "add url: with the issuer's URL", "an OIDC provider has no URL")
	case l.account.OIDCProviders[p.URL] != nil:
		l.fail(n, "keep one of the two", "the issuer https://%s stands twice", p.URL)
	}
	made := l.account.AddOIDCProvider(p.URL)
	made.ClientIDs, made.Thumbprints, made.Tags = p.ClientIDs, p.Thumbprints, p.Tags
}

func (l *loader) thumbprints(n *yaml.Node) []string {
	var all []string
	for _, item := range l.list(n, "thumbprints") {
		text := strings.ToLower(l.text(item))
		if len(text) != 40 {
			l.fail(item, "write the SHA-1 of the certificate in hex", "%q does not have 40 characters", text)
		}
		all = append(all, text)
	}
	if len(all) > 5 {
		l.fail(n, "keep five of them", "these are more than IAM's 5 thumbprints")
	}
	return all
}
