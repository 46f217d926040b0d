package main

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"daypass.dev/config"
	"daypass.dev/exchange"
	"daypass.dev/internal/cli"
	"daypass.dev/kube/identity"
	"daypass.dev/kube/vend"
)

type nodeFlags struct {
	program
	socket                             string
	node, nodeIPs, daemonSet           string
	podAddress, keepDir                string
	rate                               int
	stsEndpoint, anywhereEndpoint, eks string
	anyEndpoint                        string
	cluster                            settings
	own                                config.Settings // whom method eks shows AWS
	secrets                            secretsFlags
}

func newNodeFlags() *nodeFlags {
	return &nodeFlags{program: newProgram(), podAddress: "enforce", rate: 10, own: config.Defaults(), secrets: secretsFlags{poll: 2 * time.Minute}}
}

func (f *nodeFlags) table() []cli.Setting {
	all := []cli.Setting{
		{Flag: "node-name", Arg: "NAME", Into: &f.node, Help: "name of the node that this runs on"},
		{Flag: "node-ips", Arg: "ADDRESS,…", Into: &f.nodeIPs, Help: "the node's own addresses, by which other machines reach it"},
		{Flag: "daemon-set", Arg: "NAMESPACE/NAME", Into: &f.daemonSet, Help: "the agent's own: when it is deleted, the addresses go; not given, they stay"},
		{Flag: "pod-address", Arg: "enforce|audit|off", Into: &f.podAddress, Help: "what to do where a token is shown from another address than its pod's"},
		{Flag: "upstream-rate", Arg: "N", Into: (*count)(&f.rate), Help: "calls to AWS that may begin in a second, for each method; 0 is as many as want to"},
		{Flag: "keep-dir", Arg: "DIR", Into: &f.keepDir, Help: "directory in memory (tmpfs) where credentials outlive a restart of the agent"},
		{Flag: "session-duration", Arg: "SECONDS", Into: &f.own.SessionDuration, Help: "life of credentials to ask for, where the method lets choose; after a chain of roles an hour at most"},
		{Flag: "region", Arg: "REGION", Into: &f.own.Region, Also: []string{"AWS_REGION", "AWS_DEFAULT_REGION"},
			Help: "where to call STS and EKS, and to read secrets; not given, as the node's label topology.kubernetes.io/region says, if that is one of AWS's"},
	}
	for _, s := range f.cluster.table() {
		switch s.Flag {
		case "cluster-name", "trust-domain", "method", "trust-anchor-arn", "profile-arn":
			all = append(all, s)
		}
	}
	all = append(all, cli.Setting{Flag: "node-role-arn", Arg: "ARN", Into: &f.own.RoleARN, Help: "the node's own role for method eks, if a certificate or token gives it"})
	all = append(all, f.own.ProofTable()...)
	all = append(all, f.secrets.table()...)
	all = append(all,
		cli.Setting{Flag: "use-fips-endpoint", Into: &f.own.FIPS, Also: []string{"AWS_USE_FIPS_ENDPOINT"}, Help: "call AWS where its cryptography is validated by FIPS 140"},
		cli.Setting{Flag: "use-dualstack-endpoint", Into: &f.own.DualStack, Also: []string{"AWS_USE_DUALSTACK_ENDPOINT"}, Help: "call AWS where it has IPv6, too"},
		cli.Setting{Into: &f.stsEndpoint, Also: []string{"AWS_ENDPOINT_URL_STS"}, Help: "where to call STS"},
		cli.Setting{Into: &f.anywhereEndpoint, Also: []string{"AWS_ENDPOINT_URL_ROLESANYWHERE"}, Help: "where to call Roles Anywhere"},
		cli.Setting{Into: &f.eks, Also: []string{"AWS_ENDPOINT_URL_EKS_AUTH"}, Help: "where to call EKS Auth"},
		cli.Setting{Into: &f.anyEndpoint, Also: []string{"AWS_ENDPOINT_URL"}, Help: "where to call all of them, if nothing else says so"},
		cli.Setting{Flag: "ca-bundle", Arg: "FILE", Into: &f.own.CABundle, Also: []string{"AWS_CA_BUNDLE"}, Help: "PEM file with the only roots to trust for AWS"},
		cli.Setting{Flag: "health-socket", Arg: "FILE", Into: &f.socket, Help: "answer there, too, for node ready"},
	)
	return append(all, f.program.table()...)
}

// read checks the flags. Errors are of wrong usage.
func (f *nodeFlags) read() (identity.Cluster, error) {
	s, err := f.cluster.read()
	if err != nil {
		return s.Cluster, err
	}
	switch {
	case f.node == "":
		return s.Cluster, cli.Usagef("give --node-name (or DAYPASS_NODE_NAME), in a pod from spec.nodeName", "--node-name is missing")
	case f.own.Region == "":
		return s.Cluster, cli.Usagef("give --region (or DAYPASS_REGION, AWS_REGION); the node's label topology.kubernetes.io/region names no region of AWS", "--region is missing")
	case f.podAddress != "enforce" && f.podAddress != "audit" && f.podAddress != "off":
		return s.Cluster, cli.Usagef("give enforce, audit or off", "--pod-address: %.40q is none of them", f.podAddress)
	case f.secrets.poll < 10*time.Second:
		return s.Cluster, cli.Usagef("give 10s or more", "--secrets-poll-interval: %s", f.secrets.poll)
	case f.own.SessionDuration < 15*time.Minute || f.own.SessionDuration > 12*time.Hour:
		return s.Cluster, cli.Usagef("give 15m to 12h", "--session-duration: %s", f.own.SessionDuration)
	}
	if _, err := parseAddresses(f.nodeIPs); err != nil {
		return s.Cluster, cli.Usagef("give addresses with commas between, in a pod from status.hostIPs", "--node-ips: %w", err)
	}
	if f.keepDir != "" {
		if err := os.MkdirAll(filepath.Dir(f.keepDir), 0o700); err != nil {
			return s.Cluster, cli.Usagef("name a directory that root may make", "--keep-dir: %w", err)
		}
	}
	return s.Cluster, nil
}

func (f *nodeFlags) nodeAddresses() []netip.Addr {
	all, _ := parseAddresses(f.nodeIPs) // read has looked
	return all
}

func (f *nodeFlags) addresses() vend.Addresses {
	return map[string]vend.Addresses{"enforce": vend.Enforce, "audit": vend.Audit, "off": vend.Off}[f.podAddress]
}

// upstream says how AWS is called. Errors are of wrong usage.
func (f *nodeFlags) upstream(log *slog.Logger) (*vend.Upstream, error) {
	http, err := f.own.HTTPClient()
	if err != nil {
		return nil, err
	}
	or := func(url string) string {
		if url == "" {
			return f.anyEndpoint
		}
		return url
	}
	u := &vend.Upstream{
		Region: f.own.Region, FIPS: f.own.FIPS, DualStack: f.own.DualStack, Client: http, Duration: f.own.SessionDuration,
		STSEndpoint: or(f.stsEndpoint), RolesAnywhereEndpoint: or(f.anywhereEndpoint), EKSAuthEndpoint: or(f.eks),
		Node: &exchange.NodeRole{},
	}
	bears, err := f.own.BearsToken()
	if err != nil {
		return nil, err
	}
	if !bears && f.own.Certificate == "" {
		return u, nil
	}
	own := f.own
	own.STSEndpoint, own.RolesAnywhereEndpoint = u.STSEndpoint, u.RolesAnywhereEndpoint
	own.SessionDuration = time.Hour
	if !bears { // the trust anchor's region decides
		own.TrustAnchorARN, own.ProfileARN = f.cluster.anchor, f.cluster.profile
		own.Region, own.WorkloadRegion = "", own.Region
	}
	src, err := own.Source(log)
	if err != nil {
		return nil, err
	}
	u.Node = src
	return u, nil
}

// A count is a whole number from 0 on.
type count int

func (c *count) String() string { return strconv.Itoa(int(*c)) }

// Type implements pflag.Value.
func (c *count) Type() string { return "N" }

// Set implements pflag.Value.
func (c *count) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return errors.New("it is no whole number from 0 on")
	}
	*c = count(n)
	return nil
}
