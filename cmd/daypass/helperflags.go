package main

import (
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"daypass.dev/internal/cli"
)

// A helperFlag is a flag of aws_signing_helper 1.8.
type helperFlag struct {
	name string
	// into receives the value: a *string, *bool, *int or pflag.Value; what it
	// holds is the default.
	into any
	help string
	// lacks is what daypass has not; the flag is refused then.
	lacks string
	on    []string // the subcommands that have it
}

// What flags are refused for.
const (
	noStores = "certificates in the stores of macOS and Windows"
	noTokens = "keys in PKCS#11 tokens"
	noTPM    = "keys in a TPM"
)

// flags are all that the helper has.
func (h *helper) flags() []helperFlag {
	session := []string{"credential-process", "serve", "update"}
	signing := append(slices.Clone(session), "sign-string")
	reading := append(slices.Clone(signing), "read-certificate-data")
	return []helperFlag{
		{"role-arn", &h.RoleARN, "the role to get credentials for", "", session},
		{"profile-arn", &h.ProfileARN, "the Roles Anywhere profile that lists the role", "", session},
		{"trust-anchor-arn", &h.TrustAnchorARN, "the Roles Anywhere trust anchor of the certificate's CA", "", session},
		{"session-duration", &h.seconds, "life to ask for, 900 to 43200 seconds", "", session},
		{"region", &h.Region, "the trust anchor's region", "", session},
		{"endpoint", &h.Endpoint, "where to call Roles Anywhere instead of AWS's own address", "", session},
		{"no-verify-ssl", &h.Unverified, "believe whoever answers at that address: somebody between can take the credentials", "", session},
		{"with-proxy", &h.withProxy, "call through HTTPS_PROXY", "", session},
		{"debug", &h.verbose, "log more; never a credential", "", reading},
		{"certificate", &h.Certificate, "PEM or PKCS#12 file with the certificate", "", reading},
		{"private-key", &h.PrivateKey, "PEM file with the key", "", signing},
		{"intermediates", &h.Intermediates, "PEM file with the certificates between the leaf and the trust anchor", "", session},
		{"cert-selector", &h.selector, "a certificate in a store", noStores, reading},
		{"system-store-name", new("MY"), "the store of Windows", noStores, reading},
		{"use-latest-expiring-certificate", new(bool), "of several certificates in a store", noStores, signing},
		{"pkcs11-lib", new(string), "the library of a token", noTokens, reading},
		{"reuse-pin", new(bool), "the token's PIN is that of its keys", noTokens, signing},
		{"tpm-key-password", new(string), "the password of a key in a TPM", noTPM, signing},
		{"no-tpm-key-password", new(bool), "the key in a TPM has no password", noTPM, signing},
		{"role-session-name", &h.RoleSessionName, "name of the session, if the profile accepts one", "", session},
		{"pkcs8-password", (*string)(&h.Password), "the password of encrypted files; everybody on this machine can read it", "", signing},
		{"port", &h.port, "the port on 127.0.0.1; 0 takes any that is free", "", []string{"serve"}},
		{"hop-limit", &h.hopLimit, "does nothing: no answer leaves this machine", "", []string{"serve"}},
		{"profile", &h.profiles, "the profile of the credentials file", "", []string{"update"}},
		{"once", &h.once, "write once, then end", "", []string{"update"}},
		{"digest", &h.digest, "SHA256, SHA384 or SHA512", "", []string{"sign-string"}},
		{"format", &h.format, "json, text or bin", "", []string{"sign-string"}},
	}
}

// exclusive are the pairs of flags that the helper does not take together.
func exclusive() [][2]string {
	return [][2]string{
		{"certificate", "cert-selector"}, {"certificate", "system-store-name"},
		{"private-key", "cert-selector"}, {"private-key", "system-store-name"}, {"private-key", "use-latest-expiring-certificate"},
		{"use-latest-expiring-certificate", "intermediates"}, {"use-latest-expiring-certificate", "reuse-pin"},
		{"cert-selector", "intermediates"}, {"cert-selector", "reuse-pin"}, {"system-store-name", "reuse-pin"},
		{"tpm-key-password", "cert-selector"}, {"tpm-key-password", "reuse-pin"},
		{"tpm-key-password", "no-tpm-key-password"}, {"tpm-key-password", "pkcs8-password"},
		{"no-tpm-key-password", "cert-selector"},
	}
}

func (f helperFlag) bind(flags *pflag.FlagSet) {
	switch into := f.into.(type) {
	case *string:
		flags.StringVar(into, f.name, *into, f.help)
	case *bool:
		flags.BoolVar(into, f.name, *into, f.help)
	case *int:
		flags.IntVar(into, f.name, *into, f.help)
	case pflag.Value:
		flags.Var(into, f.name, f.help)
	}
}

// refuse names the first flag given that asks for what daypass has not.
func (h *helper) refuse(c *cobra.Command) error {
	if h.selector != "" {
		if _, err := parseSelector(h.selector); err != nil {
			return cli.Usagef("", "--cert-selector: %w", err)
		}
	}
	for _, f := range h.flags() {
		if f.lacks != "" && c.Flags().Changed(f.name) {
			return cli.Usagef("give PEM or PKCS#12 files with --certificate and --private-key, or keep AWS's own helper for this",
				"--%s: daypass cannot use %s", f.name, f.lacks)
		}
	}
	return nil
}

// bindHelpers lets a command of daypass's own take the helper's flags that mean
// the same here under another name, for command lines that are carried over.
// They are hidden, and have no twin.
func (o *options) bindHelpers(c *cobra.Command) {
	for _, a := range []alias{
		{name: "pkcs8-password", of: "password"},
		{name: "debug", of: "verbose"},
		{name: "port", of: "listen", prefix: "localhost:"},
		{name: "with-proxy"}, // HTTPS_PROXY is honoured as it is
	} {
		if a.flags = c.Flags(); a.of != "" && a.flags.Lookup(a.of) == nil {
			continue
		}
		f := a.flags.VarPF(&a, a.name, "", "as --"+a.of)
		f.Hidden = true
		if a.name == "debug" || a.name == "with-proxy" {
			f.NoOptDefVal = "true"
		}
	}
}

// An alias is a flag that gives another its value; one of nothing gives none.
type alias struct {
	name, of, prefix string
	flags            *pflag.FlagSet
}

// Set hands on what is given.
func (a *alias) Set(text string) error {
	if a.of == "" {
		return nil
	}
	return a.flags.Set(a.of, a.prefix+text)
}

func (a *alias) String() string { return "" }

// Type is shown nowhere.
func (a *alias) Type() string { return "" }
