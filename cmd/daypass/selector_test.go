package main

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

const subject, issuer, serial = "Key=x509Subject,Value=CN=Subject", "Key=x509Issuer,Value=CN=Issuer", "Key=x509Serial,Value=15D19632234BF759A32802C0DA88F9E8AFC8702D"

// Each text is given as it stands, or as the file behind file://.
func TestSelectors(t *testing.T) {
	all := selector{bySubject: "CN=Subject", byIssuer: "CN=Issuer", bySerial: "15D19632234BF759A32802C0DA88F9E8AFC8702D"}
	for text, want := range map[string]selector{
		subject:                               {bySubject: "CN=Subject"},
		issuer:                                {byIssuer: "CN=Issuer"},
		serial:                                {bySerial: all[bySerial]},
		subject + " " + issuer + " " + serial: all,
		serial + " " + subject + " " + issuer: all,
		"Key=x509Subject,Value=CN=My Host,O=Example\\, Inc.": {bySubject: "CN=My Host,O=Example\\, Inc."},
		`[{"Key":"x509Subject","Value":"CN=Subject"},{"Key":"x509Issuer","Value":"CN=Issuer"},` +
			`{"Key":"x509Serial","Value":"15D19632234BF759A32802C0DA88F9E8AFC8702D"}]`: all,
		`[{"Key":"x509Issuer","Value":"CN=Issuer"}]`: {byIssuer: "CN=Issuer"},

		"":                                           nil,
		"laksdjadf":                                  nil,
		"Key=x509Subject":                            nil,
		"Key=x509Subject,Valalsd":                    nil,
		"Key=other,Value=CN=Subject":                 nil,
		"Key=x509subject,Value=CN=S":                 nil, // the letters' case counts
		"Value=CN=S,Key=x509Subject":                 nil,
		"Key=x509Subject,Value=":                     nil,
		"Key=x509Serial,Value=CN=Subject":            nil,
		subject + " " + issuer + " " + subject + "2": nil,
		`{"Key":"x509Subject","Value":"CN=S"}`:       nil,
		`[{"Key":"x509Subject","Value":7}]`:          nil,
		`[{"Key":"other","Value":"CN=S"}]`:           nil,
		`[{"Key":"x509Subject","Value":"CN=S"},{"Key":"x509Subject","Value":"CN=T"}]`: nil,
		`[{"Key":"x509Subject","Value":"CN=S"`:                                        nil,
	} {
		given := text
		if text != "" && (text[0] == '[' || text[0] == '{') {
			path := filepath.Join(t.TempDir(), "selector.json")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			given = "file://" + path
		}
		got, err := parseSelector(given)
		if (err == nil) != (want != nil) || want != nil && !maps.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	if _, err := parseSelector("file:///nonexistent"); err == nil {
		t.Error("a file that is not there is a selector")
	}
}

func FuzzSelector(f *testing.F) {
	for _, seed := range []string{subject, issuer + " " + serial, "Key=x509Subject,Value=CN=a b", "Key=,Value="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 6 && text[:7] == "file://" {
			t.Skip()
		}
		s, err := parseSelector(text)
		if err == nil && len(s) == 0 {
			t.Error("an empty selector")
		}
	})
}
