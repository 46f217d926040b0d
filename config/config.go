// Package config turns settings, as flags and environment give them, into a
// wired exchange. Its table is the one place where a setting's names, meaning
// and default stand.
package config

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"daypass.dev"
	"daypass.dev/internal/cli"
	"daypass.dev/proof"
)

// Settings say who the workload is and what it asks AWS for. Fill them through
// Table, or by hand.
type Settings struct {
	// Proof flags: see proof.KeyFiles.
	Certificate, PrivateKey, Intermediates string
	// Password opens what is encrypted of these files. PasswordFD is the number
	// of a file descriptor to read it from instead. Where both are empty, the
	// terminal is asked.
	Password   daypass.Secret
	PasswordFD string

	TokenSettings

	ChainSettings

	// Exchange flags: see exchange.RolesAnywhere and exchange.WebIdentity.
	// TrustAnchorARN and ProfileARN may be several with commas between: the
	// first is asked first. InstanceProperties are NAME=VALUE, with commas, too.
	RoleARN, TrustAnchorARN, ProfileARN string
	InstanceProperties                  string
	SessionDuration                     time.Duration
	RoleSessionName                     string
	Region, Endpoint                    string
	FIPS, DualStack                     bool
	// Endpoints of one service and of all, which count where Endpoint is empty.
	RolesAnywhereEndpoint, STSEndpoint, AnyEndpoint string

	// CABundle is a PEM file of the only roots trusted for AWS's endpoints;
	// empty: the system's.
	CABundle string

	// WithoutProxy calls AWS directly, whatever HTTPS_PROXY says. Unverified
	// believes whoever answers for AWS: somebody between can take the
	// credentials. No setting of ours sets them; aws_signing_helper has such.
	WithoutProxy, Unverified bool

	// NameSession lets a session without a name say who asks, if the profile
	// accepts names. To find that out costs a call that AWS refuses, so that it
	// is for what runs for long.
	NameSession bool

	// WorkloadRegion is where the workload itself works, which may be another
	// region than the trust anchor's. STS is called there.
	WorkloadRegion string
}

// Defaults are what the settings hold before anything is given. An hour is
// what aws_signing_helper asks for too; a profile may shorten it.
func Defaults() Settings { return Settings{SessionDuration: time.Hour} }

// ProofTable lists the settings that say who the workload is, pointing into s.
func (s *Settings) ProofTable() []cli.Setting { return append(s.KeyTable(), s.TokenTable()...) }

// KeyTable lists those of them that are about a certificate and its key.
func (s *Settings) KeyTable() []cli.Setting {
	return []cli.Setting{
		{Flag: "certificate", Arg: "FILE", Into: &s.Certificate,
			Help: "PEM or PKCS#12 file with the certificate, and perhaps its chain and key"},
		{Flag: "private-key", Arg: "FILE", Into: &s.PrivateKey,
			Help: "PEM or PKCS#12 file with the key, if it is not in the certificate's file"},
		{Flag: "intermediates", Arg: "FILE", Into: &s.Intermediates,
			Help: "PEM or PKCS#12 file with the certificates between the leaf and the trust anchor"},
		{Flag: "password-fd", Arg: "N", Into: &s.PasswordFD,
			Help: "read the password of encrypted files from this file descriptor, its first line"},
		{Flag: "password", Arg: "TEXT", Into: (*secret)(&s.Password),
			Help: "the password itself; on a command line everybody on this machine can read it"},
	}
}

// anchorTable lists what belongs to a certificate in AWS.
func (s *Settings) anchorTable() []cli.Setting {
	return []cli.Setting{
		{Flag: "trust-anchor-arn", Arg: "ARN", Into: &s.TrustAnchorARN,
			Help: "the Roles Anywhere trust anchor of the certificate's CA; several, with commas, are asked in order"},
		{Flag: "profile-arn", Arg: "ARN", Into: &s.ProfileARN,
			Help: "the Roles Anywhere profile that lists the role; one for each trust anchor, or for all"},
		{Flag: "instance-properties", Arg: "NAME=VALUE,…", Into: &s.InstanceProperties,
			Help: "facts about this workload that AWS keeps with the certificate's subject"},
	}
}

// Table lists all settings, pointing into s. Which of them Exchange cannot do
// without, Missing knows.
func (s *Settings) Table() []cli.Setting {
	return slices.Concat(s.ProofTable(), []cli.Setting{
		{Flag: "role-arn", Arg: "ARN", Into: &s.RoleARN, Also: []string{"AWS_ROLE_ARN"},
			Help: "the role to get credentials for"},
	}, s.anchorTable(), []cli.Setting{
		{Flag: "session-duration", Arg: "SECONDS", Into: &s.SessionDuration,
			Help: "life to ask for, 900 to 43200 seconds, or as 90m; a profile may shorten it"},
		{Flag: "role-session-name", Arg: "NAME", Into: &s.RoleSessionName,
			Help: "name of the session, if the profile accepts one; serve, run, update and who shows a token give the host's, or namespace.pod, if none is given"},
		{Into: &s.AmbientSessionName, Also: []string{"AWS_ROLE_SESSION_NAME"},
			Help: "name of the session, with a token"},
		{Flag: "region", Arg: "REGION", Into: &s.Region,
			Help: "the trust anchor's region, if its ARN is not to decide; with a token the region to call"},
		{Into: &s.WorkloadRegion, Also: []string{"AWS_REGION", "AWS_DEFAULT_REGION"},
			Help: "with a token the region to call; for serve the one to tell the workload, if it is not the trust anchor's"},
		{Flag: "endpoint", Arg: "URL", Into: &s.Endpoint,
			Help: "where to call Roles Anywhere, or STS, instead of AWS's own address"},
		{Into: &s.RolesAnywhereEndpoint, Also: []string{"AWS_ENDPOINT_URL_ROLESANYWHERE"}, Help: "where to call Roles Anywhere"},
		{Into: &s.STSEndpoint, Also: []string{"AWS_ENDPOINT_URL_STS"}, Help: "where to call STS"},
		{Into: &s.AnyEndpoint, Also: []string{"AWS_ENDPOINT_URL"}, Help: "where to call either, if nothing else says so"},
		{Flag: "use-fips-endpoint", Into: &s.FIPS, Also: []string{"AWS_USE_FIPS_ENDPOINT"},
			Help: "call AWS where its cryptography is validated by FIPS 140"},
		{Flag: "use-dualstack-endpoint", Into: &s.DualStack, Also: []string{"AWS_USE_DUALSTACK_ENDPOINT"},
			Help: "call AWS where it has IPv6, too"},
		{Flag: "ca-bundle", Arg: "FILE", Into: &s.CABundle, Also: []string{"AWS_CA_BUNDLE"},
			Help: "PEM file with the only roots to trust for that address"},
	}, s.ChainTable())
}

// endpoint is where to call a service: as a flag says, or the variable of the
// service, or that of all. Empty: at AWS's own address.
func (s *Settings) endpoint(ofService string) string {
	for _, url := range []string{s.Endpoint, ofService, s.AnyEndpoint} {
		if url != "" {
			return url
		}
	}
	return ""
}

// ServeTable is Table with the further names that sidecars after AWS's blog are
// configured by.
func (s *Settings) ServeTable() []cli.Setting {
	more := map[string]string{
		"role-arn":         "ROLE_ARN",
		"trust-anchor-arn": "TRUST_ANCHOR_ARN",
		"profile-arn":      "PROFILE_ARN",
	}
	table := s.Table()
	for i, row := range table {
		if name, ok := more[row.Flag]; ok {
			table[i].Also = append(row.Also, name)
		}
	}
	return table
}

// SidecarDir is where sidecars after AWS's blog have their certificate.
const SidecarDir = "/iamra"

// UseSidecarFiles names tls.crt and tls.key in dir, if there is such a
// directory and neither certificate, key nor token is named yet. The files may
// come later.
func (s *Settings) UseSidecarFiles(dir string) {
	if s.Certificate != "" || s.PrivateKey != "" || s.WebIdentityTokenFile != "" || s.TokenSource != "" {
		return
	}
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		s.Certificate = filepath.Join(dir, "tls.crt")
		s.PrivateKey = filepath.Join(dir, "tls.key")
	}
}

// Missing is nil, or one error of wrong usage that names every setting that a
// certificate needs and that is not given, with all ways to give it.
func (s *Settings) Missing() error {
	return s.missing(map[any]bool{&s.Certificate: true, &s.RoleARN: true, &s.TrustAnchorARN: true, &s.ProfileARN: true})
}

func (s *Settings) missing(needed map[any]bool) error {
	var names, ways []string
	for _, row := range s.Table() {
		if at, ok := row.Into.(*string); ok && needed[row.Into] && *at == "" {
			all := row.Names()
			names = append(names, all[0])
			switch row.Into {
			case &s.Certificate:
				all = append(all, "or a token by --web-identity-token-file or --token-source")
			case &s.Region:
				all = append(all, "AWS_REGION")
			}
			ways = append(ways, fmt.Sprintf("%s (or %s)", all[0], strings.Join(all[1:], ", ")))
		}
	}
	switch len(names) {
	case 0:
		return nil
	case 1:
		return cli.Usagef("give "+ways[0], "%s is missing", names[0])
	}
	return cli.Usagef("give "+strings.Join(ways, ", "), "%d settings are missing: %s", len(names), strings.Join(names, ", "))
}

// Keys is the proof that the settings name.
func (s *Settings) Keys(log *slog.Logger) *proof.KeyFiles {
	password := &password{of: s}
	return &proof.KeyFiles{
		Certificate:   s.Certificate,
		PrivateKey:    s.PrivateKey,
		Intermediates: s.Intermediates,
		Password:      password.ask,
		Wrong:         password.wrong,
		Log:           log,
	}
}

// ServedRegion is the region that a metadata service tells the workload:
// where it works, else the trust anchor's.
func (s *Settings) ServedRegion() string {
	for _, region := range []string{s.WorkloadRegion, s.Region} {
		if region != "" {
			return region
		}
	}
	if parts := strings.Split(s.TrustAnchorARN, ":"); len(parts) > 3 {
		return parts[3]
	}
	return ""
}
