package config

import (
	"net/http"
	"testing"
)

func TestProxyAndVerificationAreLeftOutOnlyWhenTold(t *testing.T) {
	for _, s := range []Settings{{}, {WithoutProxy: true}, {Unverified: true}} {
		client, err := s.HTTPClient()
		if err != nil {
			t.Fatal(err)
		}
		transport := client.Transport.(*http.Transport)
		if (transport.Proxy == nil) != s.WithoutProxy || transport.TLSClientConfig.InsecureSkipVerify != s.Unverified {
			t.Errorf("%+v: proxy %t, verified %t", s, transport.Proxy != nil, !transport.TLSClientConfig.InsecureSkipVerify)
		}
	}
}
