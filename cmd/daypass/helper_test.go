package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"daypass.dev/internal/cli"
)

func TestHelperIsKnownByItsName(t *testing.T) {
	for name, want := range map[string]bool{
		"aws_signing_helper": true, "/usr/local/bin/aws_signing_helper": true, "./aws_signing_helper.exe": true, "aws_signing_helper.EXE": true,
		"daypass": false, "aws_signing_helper2": false, "aws_signing_helper/daypass": false, "aws_signing_helper.sh": false, "": false,
	} {
		if got := programName(name) == helperName; got != want {
			t.Errorf("%q: %t", name, got)
		}
	}
}

// helperDefaults are the flags of aws_signing_helper 1.8 with what they hold
// when not given, as its help prints them.
func helperDefaults() map[string]map[string]string {
	session := map[string]string{
		"role-arn": "", "profile-arn": "", "trust-anchor-arn": "", "session-duration": "3600", "region": "", "endpoint": "",
		"no-verify-ssl": "false", "with-proxy": "false", "debug": "false", "certificate": "", "private-key": "", "intermediates": "",
		"cert-selector": "", "system-store-name": "MY", "use-latest-expiring-certificate": "false", "pkcs11-lib": "", "reuse-pin": "false",
		"tpm-key-password": "", "no-tpm-key-password": "false", "role-session-name": "", "pkcs8-password": "",
	}
	with := func(more ...string) map[string]string {
		all := map[string]string{}
		for name, value := range session {
			all[name] = value
		}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	return map[string]map[string]string{
		"credential-process": session,
		"serve":              with("port", "9911", "hop-limit", "64"),
		"update":             with("profile", "default", "once", "false"),
		"sign-string": {
			"certificate": "", "private-key": "", "debug": "false", "cert-selector": "", "system-store-name": "MY",
			"use-latest-expiring-certificate": "false", "pkcs11-lib": "", "reuse-pin": "false", "tpm-key-password": "",
			"no-tpm-key-password": "false", "pkcs8-password": "", "format": "json", "digest": "SHA256",
		},
		"read-certificate-data": {"certificate": "", "cert-selector": "", "system-store-name": "MY", "pkcs11-lib": "", "debug": "false"},
		"version":               {},
	}
}

func flagsOf(c *cobra.Command) map[string]string {
	all := map[string]string{}
	c.Flags().VisitAll(func(f *pflag.Flag) { all[f.Name] = f.DefValue })
	return all
}

func TestHelperHasEveryCommandAndFlag(t *testing.T) {
	found := 0
	for name, want := range helperDefaults() {
		c, _, err := helperRoot().Find([]string{name})
		if err != nil || c.Name() != name {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := flagsOf(c)
		for flag, value := range want {
			if is, ok := got[flag]; !ok || is != value {
				t.Errorf("%s --%s: %q, %t, want %q", name, flag, is, ok, value)
			}
			found++
		}
		for flag := range got {
			if _, ok := want[flag]; !ok {
				t.Errorf("%s --%s is none of the helper's", name, flag)
			}
		}
	}
	if found != 21+23+23+13+5 {
		t.Errorf("%d flags", found)
	}
}

// helped runs a subcommand under the helper's name in this process.
func helped(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	c := helperRoot()
	var out, told bytes.Buffer
	c.SetOut(&out)
	c.SetErr(&told)
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(args)
	code = cli.Exit(c.ExecuteContext(t.Context()), helperName, &told)
	return out.String(), told.String(), min(code, 1)
}

func TestHelpersFlagsWithoutWhatTheyNeedAreRefused(t *testing.T) {
	refused := 0
	for _, f := range newHelper().flags() {
		if f.lacks == "" {
			continue
		}
		for _, command := range f.on {
			given := "--" + f.name + "=true"
			if f.name == "cert-selector" {
				given = "--cert-selector=Key=x509Subject,Value=CN=Subject"
			}
			_, stderr, code := helped(t, command, given)
			if code != 1 || !strings.Contains(stderr, "error: --"+f.name+": daypass cannot use "+f.lacks) || !strings.Contains(stderr, "hint: ") {
				t.Errorf("%s %s: code %d, %s", command, given, code, stderr)
			}
			refused++
		}
	}
	if refused != 5+5+4+5+4+4+4 {
		t.Errorf("%d refusals", refused)
	}
}

func TestHelpersFlagsExcludeEachOther(t *testing.T) {
	for _, pair := range exclusive() {
		tried := 0
		for _, command := range []string{"credential-process", "serve", "update", "sign-string", "read-certificate-data"} {
			has := helperDefaults()[command]
			_, one := has[pair[0]]
			if _, two := has[pair[1]]; !one || !two {
				continue
			}
			if _, stderr, code := helped(t, command, "--"+pair[0]+"=true", "--"+pair[1]+"=true"); code != 1 || !strings.Contains(stderr, "["+pair[0]+" "+pair[1]+"]") {
				t.Errorf("%s %v: code %d, %s", command, pair, code, stderr)
			}
			tried++
		}
		if tried == 0 {
			t.Errorf("%v: no command has both", pair)
		}
	}
}

// What is not refused fills the setting that it stands for.
func TestHelpersFlagsAreTaken(t *testing.T) {
	h := newHelper()
	flags := pflag.NewFlagSet("all", pflag.ContinueOnError)
	for _, f := range h.flags() {
		f.bind(flags)
	}
	for _, f := range h.flags() {
		if f.lacks != "" {
			continue
		}
		given, holds := "given", func() string { return *f.into.(*string) }
		switch into := f.into.(type) {
		case *bool:
			given, holds = "true", func() string { return map[bool]string{true: "true"}[*into] }
		case *int:
			given, holds = "7", func() string { return string(rune('0' + *into)) }
		case pflag.Value:
			holds = into.String
		}
		if err := flags.Set(f.name, given); err != nil || holds() != given {
			t.Errorf("--%s %s: %v, holds %q", f.name, given, err, holds())
		}
	}
	h.settle(&bytes.Buffer{})
	if h.SessionDuration.Seconds() != 7 || h.WithoutProxy || !h.Unverified || !h.verbose || h.Certificate != "given" || h.RoleARN != "given" ||
		h.Endpoint != "given" || h.Password.Reveal() != "given" || h.profiles.names[0] != "given" || !h.once || h.port != 7 {
		t.Errorf("settled as %+v", h.Settings)
	}
}

// Of the environment only what SDKs have in common counts.
func TestHelperReadsWhatSDKsRead(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": "general", "AWS_CA_BUNDLE": "bundle", "AWS_SHARED_CREDENTIALS_FILE": "file",
		"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "True",
		"AWS_ROLE_ARN": "role", "DAYPASS_CERTIFICATE": "certificate",
	} {
		t.Setenv(name, value)
	}
	h := newHelper()
	h.settle(&bytes.Buffer{})
	if h.Endpoint != "general" || h.CABundle != "bundle" || h.path != "file" || !h.FIPS || !h.DualStack || h.RoleARN != "" || h.Certificate != "" {
		t.Errorf("settled as %+v", h.Settings)
	}
	t.Setenv("AWS_ENDPOINT_URL_ROLESANYWHERE", "special")
	t.Setenv("AWS_USE_FIPS_ENDPOINT", "false")
	h = newHelper()
	h.settle(&bytes.Buffer{})
	if h.Endpoint != "special" || h.FIPS {
		t.Errorf("settled as %+v", h.Settings)
	}
}

// notCarried are the helper's flags that daypass's own commands do not take: they
// mean nothing here, or nothing good.
func notCarried() []string { return []string{"no-verify-ssl", "hop-limit"} }

func TestHelpersFlagsAreTakenUnderTheOwnName(t *testing.T) {
	carried := 0
	for _, f := range newHelper().flags() {
		for _, command := range f.on {
			c, _, err := root(all()...).Find([]string{command})
			if err != nil {
				t.Fatal(err)
			}
			takes := c.Flags().Lookup(f.name) != nil
			want := f.lacks == "" && !slices.Contains(notCarried(), f.name)
			if command == "read-certificate-data" && f.name == "debug" {
				want = false // it logs nothing
			}
			if takes != want {
				t.Errorf("daypass %s --%s: taken %t, want %t", command, f.name, takes, want)
			}
			carried++
		}
	}
	if carried < 80 {
		t.Errorf("%d flags", carried)
	}
}

func TestAliasesSetWhatTheyStandFor(t *testing.T) {
	t.Setenv("DAYPASS_PASSWORD", "from the environment")
	t.Setenv("DAYPASS_LISTEN", "127.0.0.1:1")
	c := &cobra.Command{RunE: func(*cobra.Command, []string) error { return nil }}
	listen := ""
	o := newOptions(c, cli.Setting{Flag: "listen", Into: &listen})
	c.SetArgs([]string{"--pkcs8-password", "given", "--port", "9912", "--debug", "--with-proxy"})
	if err := c.Execute(); err != nil || o.Password.Reveal() != "given" || listen != "localhost:9912" || !o.verbose || o.WithoutProxy {
		t.Errorf("%v: %q, %q, %t", err, o.Password.Reveal(), listen, o.verbose)
	}
	for _, name := range []string{"pkcs8-password", "port", "debug", "with-proxy"} {
		if !c.Flags().Lookup(name).Hidden {
			t.Errorf("--%s is shown in help", name)
		}
	}
}

// The page that tells what differs leaves out nothing.
func TestHelpersFlagsAreDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.FromSlash("../../docs/aws-signing-helper.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, f := range newHelper().flags() {
		if !strings.Contains(string(page), "`--"+f.name+"`") {
			t.Errorf("--%s is not on the page", f.name)
		}
		rows++
	}
	for command := range helperDefaults() {
		if !strings.Contains(string(page), "`"+command+"`") {
			t.Errorf("%s is not on the page", command)
		}
	}
	if rows != 27 {
		t.Errorf("%d flags", rows)
	}
}

// Under the helper's name every form of a key does, too.
func TestHelperTakesEveryFormOfAKey(t *testing.T) {
	l := newLocksmith(t)
	tried := 0
	for _, kind := range []string{"rsa-2048", "p-384"} {
		l.key(kind)
		for _, f := range forms() {
			_ = os.Remove(l.path("key"))
			f.make(l, kind)
			args := []string{
				"credential-process", "--role-arn", "arn:aws:iam::111122223333:role/reports", "--pkcs8-password", lockword,
				"--trust-anchor-arn", "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/11111111-2222-4333-8444-555555555555",
				"--profile-arn", "arn:aws:rolesanywhere:eu-west-1:111122223333:profile/66666666-7777-4888-8999-aaaaaaaaaaaa",
				"--certificate", l.path("certificate"),
			}
			if _, err := os.Stat(l.path("key")); err == nil {
				args = append(args, "--private-key", l.path("key"))
			}
			stdout, stderr, code := helped(t, args...)
			if code != 0 || !json.Valid([]byte(stdout)) || stderr != "" {
				t.Errorf("%s %s: code %d, %s", kind, f.name, code, stderr)
			}
			tried++
		}
	}
	if seen := len(l.aws.Decisions()); tried < 20 || seen != tried {
		t.Errorf("%d forms were tried, AWS saw %d calls", tried, seen)
	}
}
