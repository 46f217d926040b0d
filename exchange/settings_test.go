package exchange

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"daypass.dev"
)

func TestWrongSettingsAreNamedBeforeAnyCall(t *testing.T) {
	many := map[string]string{}
	for i := range 51 {
		many[fmt.Sprint(i)] = "x"
	}
	for name, c := range map[string]struct {
		change  func(*RolesAnywhere)
		setting string
		cause   string
	}{
		"no key":                      {func(r *RolesAnywhere) { r.Key = nil }, "certificate", "none"},
		"no role":                     {func(r *RolesAnywhere) { r.RoleARN = "" }, "role ARN", "none"},
		"no anchor":                   {func(r *RolesAnywhere) { r.TrustAnchorARN = "" }, "trust anchor ARN", "none"},
		"no profile":                  {func(r *RolesAnywhere) { r.ProfileARN = "" }, "profile ARN", "none"},
		"role's name only":            {func(r *RolesAnywhere) { r.RoleARN = "reader" }, "role ARN", "not an ARN"},
		"user for role":               {func(r *RolesAnywhere) { r.RoleARN = "arn:aws:iam::123456789012:user/x" }, "role ARN", `names a "user"`},
		"assumed role for role":       {func(r *RolesAnywhere) { r.RoleARN = "arn:aws:sts::123456789012:assumed-role/x/y" }, "role ARN", "not a role"},
		"role without a name":         {func(r *RolesAnywhere) { r.RoleARN = "arn:aws:iam::123456789012:role/" }, "role ARN", "no name"},
		"role in a region":            {func(r *RolesAnywhere) { r.RoleARN = "arn:aws:iam:eu-west-1:123456789012:role/x" }, "role ARN", "no region for it"},
		"short account":               {func(r *RolesAnywhere) { r.RoleARN = "arn:aws:iam::1234:role/x" }, "role ARN", "12 digits"},
		"newline at the end":          {func(r *RolesAnywhere) { r.RoleARN += "\n" }, "role ARN", "no name"},
		"partition of somebody":       {func(r *RolesAnywhere) { r.RoleARN = "arn:gcp:iam::123456789012:role/x" }, "role ARN", "no partition"},
		"anchor and profile changed":  {func(r *RolesAnywhere) { r.TrustAnchorARN = profileARN }, "trust anchor ARN", `names a "profile"`},
		"anchor for profile":          {func(r *RolesAnywhere) { r.ProfileARN = anchorARN }, "profile ARN", `names a "trust-anchor"`},
		"region that makes a host":    {func(r *RolesAnywhere) { r.TrustAnchorARN = swap(anchorARN, "evil.example/x") }, "trust anchor ARN", "no region"},
		"profile of another region":   {func(r *RolesAnywhere) { r.ProfileARN = swap(profileARN, "us-east-1") }, "profile ARN", "us-east-1"},
		"region of neither":           {func(r *RolesAnywhere) { r.Region = "us-east-1" }, "region", "eu-west-1"},
		"role of another partition":   {func(r *RolesAnywhere) { r.RoleARN = "arn:aws-cn:iam::123456789012:role/x" }, "role ARN", "aws-cn"},
		"profile of another":          {func(r *RolesAnywhere) { r.ProfileARN = strings.Replace(profileARN, "aws", "aws-cn", 1) }, "profile ARN", "aws-cn"},
		"partition without endpoint":  {isolated, "endpoint", "aws-iso"},
		"duration below":              {func(r *RolesAnywhere) { r.Duration = 899 * time.Second }, "session duration", "15 minutes"},
		"duration above":              {func(r *RolesAnywhere) { r.Duration = 43201 * time.Second }, "session duration", "12 hours"},
		"negative duration":           {func(r *RolesAnywhere) { r.Duration = -time.Hour }, "session duration", "15 minutes"},
		"part of a second":            {func(r *RolesAnywhere) { r.Duration = time.Hour + time.Millisecond }, "session duration", "whole seconds"},
		"short session name":          {func(r *RolesAnywhere) { r.SessionName = "x" }, "role session name", "session name"},
		"long session name":           {func(r *RolesAnywhere) { r.SessionName = strings.Repeat("x", 65) }, "role session name", "session name"},
		"session name with a slash":   {func(r *RolesAnywhere) { r.SessionName = "ns/pod" }, "role session name", "session name"},
		"too many properties":         {func(r *RolesAnywhere) { r.InstanceProperties = many }, "instance properties", "51"},
		"property without value":      {func(r *RolesAnywhere) { r.InstanceProperties = map[string]string{"a": ""} }, "instance properties", `"a"`},
		"property too long":           {func(r *RolesAnywhere) { r.InstanceProperties = map[string]string{strings.Repeat("é", 201): "x"} }, "instance properties", "200"},
		"endpoint no URL":             {func(r *RolesAnywhere) { r.Endpoint = "https://user:planted@%zz" }, "endpoint", "not a URL"},
		"endpoint without host":       {func(r *RolesAnywhere) { r.Endpoint = "localhost" }, "endpoint", "no host"},
		"endpoint with password":      {func(r *RolesAnywhere) { r.Endpoint = "https://u:planted@127.0.0.1" }, "endpoint", "user name"},
		"endpoint with path":          {func(r *RolesAnywhere) { r.Endpoint = "https://127.0.0.1/sessions" }, "endpoint", "more than a host"},
		"endpoint with query":         {func(r *RolesAnywhere) { r.Endpoint = "https://127.0.0.1?x=1" }, "endpoint", "more than a host"},
		"endpoint in clear elsewhere": {func(r *RolesAnywhere) { r.Endpoint = "http://10.0.0.1" }, "endpoint", "loopback"},
		"endpoint of another scheme":  {func(r *RolesAnywhere) { r.Endpoint = "ftp://127.0.0.1" }, "endpoint", "scheme"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{}
			r := source(t, f)
			c.change(r)
			for what, err := range map[string]error{
				"Check":       r.Check(),
				"Credentials": second(r.Credentials(context.Background())),
				"MemoryKey":   second(r.MemoryKey(context.Background())),
			} {
				ie := (*daypass.InputError)(nil)
				if !errors.As(err, &ie) {
					t.Fatalf("%s: got %v, want an InputError", what, err)
				}
				if ie.Setting != c.setting || !strings.Contains(err.Error(), c.cause) {
					t.Errorf("%s: got %q, want %q of %s", what, err, c.cause, c.setting)
				}
				if strings.Contains(err.Error(), "planted") || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s: error %q quotes a password or breaks the line", what, err)
				}
			}
			if n := f.calls.Load(); n != 0 {
				t.Errorf("%d calls were made", n)
			}
		})
	}
}

func TestRightSettings(t *testing.T) {
	for name, change := range map[string]func(*RolesAnywhere){
		"as is":             func(*RolesAnywhere) {},
		"15 minutes":        func(r *RolesAnywhere) { r.Duration = 900 * time.Second },
		"12 hours":          func(r *RolesAnywhere) { r.Duration = 43200 * time.Second },
		"session name":      func(r *RolesAnywhere) { r.SessionName = "a_+=,.@-B0" + strings.Repeat("x", 54) },
		"properties":        func(r *RolesAnywhere) { r.InstanceProperties = map[string]string{strings.Repeat("é", 200): "x"} },
		"loopback in clear": func(r *RolesAnywhere) { r.Endpoint = "http://127.0.0.1:7777" },
		"IPv6 loopback":     func(r *RolesAnywhere) { r.Endpoint = "http://[::1]:7777/" },
		"isolated, endpoint given": func(r *RolesAnywhere) {
			isolated(r)
			r.Endpoint = "https://rolesanywhere.us-iso-east-1.c2s.ic.gov"
		},
	} {
		r := source(t, nil)
		change(r)
		if err := r.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func isolated(r *RolesAnywhere) {
	for _, arn := range []*string{&r.RoleARN, &r.TrustAnchorARN, &r.ProfileARN} {
		*arn = strings.Replace(swap(*arn, "us-iso-east-1"), "aws", "aws-iso", 1)
	}
}

func swap(arn, region string) string { return strings.Replace(arn, "eu-west-1", region, 1) }

func second[T any](_ T, err error) error { return err }
