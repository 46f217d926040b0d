package main

import (
	"crypto/x509"
	"net/url"
	"strings"
	"testing"
)

// A certificate that nobody has verified has its names from whoever is on the
// way. The terminal is told them and does not obey them.
func TestAStrangersNamesDoNotSteerTheTerminal(t *testing.T) {
	found := attempt{err: &url.Error{Err: x509.HostnameError{
		Certificate: &x509.Certificate{DNSNames: []string{"a\x1b[2J\r\nhint"}}, Host: "localhost"}}}.connection("localhost")
	if !strings.Contains(found.Detail, "valid for a") || strings.ContainsAny(found.Detail, "\x1b\r\n") {
		t.Errorf("got %q", found.Detail)
	}
}
