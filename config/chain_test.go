package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"daypass.dev"
	"daypass.dev/exchange"
	"daypass.dev/internal/cli"
)

func TestChained(t *testing.T) {
	s := whole()
	from, err := s.Exchange(s.Keys(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	if same, err := s.Chained(from); err != nil || same != from {
		t.Errorf("without a further role: %v, %v", same, err)
	}
	policy := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(policy, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.SessionDuration, s.WorkloadRegion, s.RoleSessionName = 2*time.Hour, "us-east-1", "nightly"
	s.ChainRoleARN, s.ExternalID, s.SessionPolicyFile = "arn:aws:iam::444455556666:role/writer", "x1", policy
	s.STSEndpoint, s.Endpoint = "https://sts.test", "https://anywhere.test"
	got, err := s.Chained(from)
	if err != nil {
		t.Fatal(err)
	}
	call := got.(*exchange.AssumeRole)
	if call.From != from || call.RoleARN != s.ChainRoleARN || call.Duration != time.Hour || call.ExternalID != "x1" || call.SessionPolicy != "{}\n" ||
		call.Region != "us-east-1" || call.SessionName != "nightly" || call.Endpoint != "https://sts.test" || call.Client == nil {
		t.Errorf("a setting does not reach the exchange: %+v", call)
	}
	s.WorkloadRegion, s.STSEndpoint, s.RoleSessionName = "", "", ""
	got, err = s.Chained(from)
	if call, ok := got.(*exchange.AssumeRole); err != nil || !ok || call.Region != "eu-west-1" || call.Endpoint != "" || call.SessionName != who(namespaceFile) {
		t.Errorf("by default: %+v, %v", got, err)
	}
}

// A token is shown to STS, and it is STS again that gives the further role: in
// the same region, at the same endpoint, under the same name.
func TestChainedByAToken(t *testing.T) {
	s := Defaults()
	s.WebIdentityTokenFile, s.RoleARN, s.ChainRoleARN = "token", "arn:aws:iam::111122223333:role/reports", "arn:aws:iam::444455556666:role/writer"
	s.Region, s.WorkloadRegion = "us-west-2", "eu-west-1"
	s.Endpoint, s.STSEndpoint, s.AmbientSessionName = "https://vpce-1.test", "https://sts.test", "nightly"
	p, err := s.Proof(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Call(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	call := got.(*exchange.AssumeRole)
	if call.Region != "us-west-2" || call.Endpoint != "https://vpce-1.test" || call.SessionName != "nightly" {
		t.Errorf("region %q, endpoint %q, session %q", call.Region, call.Endpoint, call.SessionName)
	}
}

func TestMistakesOfChains(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	large := filepath.Join(t.TempDir(), "large")
	for path, size := range map[string]int{empty: 0, large: 1 << 20} {
		if err := os.WriteFile(path, []byte(strings.Repeat(" ", size)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for says, change := range map[string]func(*Settings){
		"none is named":       func(s *Settings) { s.ChainRoleARN, s.ExternalID = "", "x1" },
		"chained role ARN":    func(s *Settings) { s.ChainRoleARN = "writer" },
		"external id":         func(s *Settings) { s.ExternalID = "a b" },
		"no such file":        func(s *Settings) { s.SessionPolicyFile = "nowhere" },
		"the file is empty":   func(s *Settings) { s.SessionPolicyFile = empty },
		"more than":           func(s *Settings) { s.SessionPolicyFile = large },
		"of partition aws-cn": func(s *Settings) { s.WorkloadRegion = "cn-north-1" },
	} {
		s := whole()
		s.ChainRoleARN = "arn:aws:iam::444455556666:role/writer"
		from, err := s.Exchange(s.Keys(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		change(&s)
		_, err = s.Chained(from)
		told, input := (*cli.Error)(nil), (*daypass.InputError)(nil)
		if err == nil || !strings.Contains(err.Error(), says) || !errors.As(err, &told) && !errors.As(err, &input) {
			t.Errorf("got %v, want one that says %q", err, says)
		}
	}
}

func TestSeveralTrustAnchors(t *testing.T) {
	s := whole()
	other := func(arn string) string { return strings.Replace(arn, "eu-west-1", "us-east-1", 1) }
	anchors, profiles := s.TrustAnchorARN+", "+other(s.TrustAnchorARN), s.ProfileARN+","+other(s.ProfileARN)
	s.TrustAnchorARN, s.ProfileARN = anchors, profiles
	got, err := s.Exchange(s.Keys(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	var regions []string
	for _, call := range got.(*exchange.Fallback).Calls {
		regions = append(regions, strings.Split(call.(*exchange.RolesAnywhere).ProfileARN, ":")[3])
	}
	if strings.Join(regions, " ") != "eu-west-1 us-east-1" {
		t.Errorf("profiles of %v", regions)
	}
	if region := s.ServedRegion(); region != "eu-west-1" {
		t.Errorf("the workload is told %s", region)
	}
	s.ProfileARN += "," + other(s.ProfileARN)
	if _, err := s.Exchange(s.Keys(nil), nil); err == nil || !strings.Contains(err.Error(), "--trust-anchor-arn names 2, --profile-arn") {
		t.Errorf("more profiles than anchors: %v", err)
	}
	one := whole()
	one.TrustAnchorARN += "," + one.TrustAnchorARN[:len(one.TrustAnchorARN)-1] + "6"
	if got, err := one.Exchange(one.Keys(nil), nil); err != nil || len(got.(*exchange.Fallback).Calls) != 2 {
		t.Errorf("one profile for two anchors: %v", err)
	}
	one.ProfileARN = other(one.ProfileARN)
	if _, err := one.Exchange(one.Keys(nil), nil); err == nil || !strings.Contains(err.Error(), "profile ARN") {
		t.Errorf("a profile of another region: %v", err)
	}
}

func TestInstanceProperties(t *testing.T) {
	for text, ok := range map[string]bool{"a=1": true, "a=1,b=x=y": true, "a": false, "a=": false, "=1": false, "a=1,a=2": false, "a=1,,b=2": false} {
		s := whole()
		s.InstanceProperties = text
		if _, err := s.Exchange(s.Keys(nil), nil); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestSessionNames(t *testing.T) {
	long := strings.Repeat("n", 70)
	for name, want := range map[string]string{
		"host": "host", "shop.pod-1": "shop.pod-1", "ho st/ü": "ho-st--", "x": "", "": "",
		strings.Repeat("n", 64): strings.Repeat("n", 64),
		long:                    long[:51] + "-",
	} {
		got := sessionName(name)
		if len(name) > 64 {
			if len(got) != 64 || got[:52] != want[:52] || got == sessionName(name+"x") {
				t.Errorf("%q makes %q", name, got)
			}
		} else if got != want {
			t.Errorf("%q makes %q, want %q", name, got, want)
		}
	}
	namespace := filepath.Join(t.TempDir(), "namespace")
	if err := os.WriteFile(namespace, []byte("shop\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if got := who(namespace); got != sessionName("shop."+host) {
		t.Errorf("in a pod it is %q", got)
	}
	if got := who("nowhere"); got != sessionName(host) {
		t.Errorf("elsewhere it is %q", got)
	}
	s := whole()
	s.NameSession = true
	call, err := s.Exchange(s.Keys(nil), nil)
	if err != nil || call.(*exchange.RolesAnywhere).DefaultSessionName != who(namespaceFile) {
		t.Errorf("the exchange is not told the name: %v", err)
	}
}
