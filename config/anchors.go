package config

import (
	"log/slog"
	"strings"

	"daypass.dev/exchange"
	"daypass.dev/internal/cli"
	"daypass.dev/proof"
)

// Exchange wires the call to Roles Anywhere; where several trust anchors are
// named, one that asks them in order. Errors are of wrong usage: a setting is
// missing or malformed, or the CA bundle cannot be used. It neither reads the
// key nor calls anybody. log is told when an anchor is passed over; nil: nobody.
func (s *Settings) Exchange(keys proof.KeySource, log *slog.Logger) (exchange.Call, error) {
	if err := s.Missing(); err != nil {
		return nil, err
	}
	client, err := s.HTTPClient()
	if err != nil {
		return nil, err
	}
	properties, err := s.properties()
	if err != nil {
		return nil, err
	}
	pairs, err := s.anchors()
	if err != nil {
		return nil, err
	}
	all := &exchange.Fallback{Log: log}
	for _, pair := range pairs {
		call := &exchange.RolesAnywhere{
			Key:                keys,
			RoleARN:            s.RoleARN,
			TrustAnchorARN:     pair[0],
			ProfileARN:         pair[1],
			Duration:           s.SessionDuration,
			SessionName:        s.RoleSessionName,
			InstanceProperties: properties,
			Region:             s.Region,
			FIPS:               s.FIPS,
			DualStack:          s.DualStack,
			Endpoint:           s.endpoint(s.RolesAnywhereEndpoint),
			Client:             client,
		}
		if s.NameSession {
			call.DefaultSessionName = who(namespaceFile)
		}
		all.Calls = append(all.Calls, call)
	}
	if len(all.Calls) == 1 {
		return all.Calls[0], all.Check()
	}
	return all, all.Check()
}

// anchors pairs the trust anchors with their profiles, as many as are named; a
// single profile is every anchor's.
func (s *Settings) anchors() (pairs [][2]string, err error) {
	anchors, profiles := list(s.TrustAnchorARN), list(s.ProfileARN)
	if len(profiles) == 1 {
		for range anchors[1:] {
			profiles = append(profiles, profiles[0])
		}
	}
	if len(anchors) != len(profiles) {
		return nil, cli.Usagef("give one profile for each trust anchor, in the same order",
			"--trust-anchor-arn names %d, --profile-arn %d", len(anchors), len(profiles))
	}
	for i := range anchors {
		pairs = append(pairs, [2]string{anchors[i], profiles[i]})
	}
	return pairs, nil
}

func list(text string) (all []string) {
	for one := range strings.SplitSeq(text, ",") {
		all = append(all, strings.TrimSpace(one))
	}
	return all
}

// properties reads NAME=VALUE, separated by commas.
func (s *Settings) properties() (map[string]string, error) {
	if s.InstanceProperties == "" {
		return nil, nil
	}
	all := map[string]string{}
	for _, one := range list(s.InstanceProperties) {
		name, value, ok := strings.Cut(one, "=")
		if _, twice := all[name]; !ok || twice || name == "" || value == "" {
			return nil, cli.Usagef("as in: --instance-properties cluster=prod,node=n7",
				"--instance-properties: %.80q is not NAME=VALUE, or the name stands there twice", one)
		}
		all[name] = value
	}
	return all, nil
}
