package main

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"daypass.dev/internal/cli"
)

// A selector says which certificate of a store aws_signing_helper takes: each
// key at most once.
type selector map[string]string

const (
	bySubject = "x509Subject"
	byIssuer  = "x509Issuer"
	bySerial  = "x509Serial" // hexadecimal
)

// parseSelector reads what aws_signing_helper takes for --cert-selector: pairs
// Key=…,Value=… with spaces between, or file:// and the path of a JSON list of
// them. A value may hold spaces, and ends before the next " Key=".
func parseSelector(text string) (selector, error) {
	s := selector{}
	if path, ok := strings.CutPrefix(text, "file://"); ok {
		return s, s.readFile(path)
	}
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), "Key=")
	if !ok {
		return nil, fmt.Errorf("it does not begin with Key=")
	}
	for one := range strings.SplitSeq(rest, " Key=") {
		key, value, ok := strings.Cut(one, ",Value=")
		if !ok {
			return nil, fmt.Errorf("a Key= has no Value= behind a comma")
		}
		if err := s.add(key, strings.TrimSpace(value)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s selector) readFile(path string) error {
	text, err := cli.ReadFile(path, 64<<10)
	if err != nil {
		return err
	}
	var entries []struct{ Key, Value string }
	if json.Unmarshal(text, &entries) != nil {
		return fmt.Errorf(`the file is not JSON as [{"Key": "x509Subject", "Value": "CN=…"}]`)
	}
	for _, e := range entries {
		if err := s.add(e.Key, e.Value); err != nil {
			return err
		}
	}
	return nil
}

func (s selector) add(key, value string) error {
	_, twice := s[key]
	_, hexadecimal := new(big.Int).SetString(value, 16)
	switch {
	case !slices.Contains([]string{bySubject, byIssuer, bySerial}, key):
		return fmt.Errorf("%.80q is none of %s, %s and %s", key, bySubject, byIssuer, bySerial)
	case twice:
		return fmt.Errorf("%s stands there twice", key)
	case value == "":
		return fmt.Errorf("%s has no value", key)
	case key == bySerial && !hexadecimal:
		return fmt.Errorf("%s is no number in hexadecimal", key)
	}
	s[key] = value
	return nil
}
