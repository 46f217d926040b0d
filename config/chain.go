package config

import (
	"strings"
	"time"

	"daypass.dev/exchange"
	"daypass.dev/internal/cli"
)

// ChainSettings name a further role, which is assumed by the one that the
// workload gets: see exchange.AssumeRole.
type ChainSettings struct {
	ChainRoleARN, ExternalID string
	// SessionPolicyFile holds an IAM policy in JSON.
	SessionPolicyFile string
}

// ChainTable lists the settings of a further role, pointing into s.
func (s *Settings) ChainTable() []cli.Setting {
	return []cli.Setting{
		{Flag: "chain-role-arn", Arg: "ARN", Into: &s.ChainRoleARN,
			Help: "a further role, as of another account, to assume by the first; for at most an hour"},
		{Flag: "external-id", Arg: "ID", Into: &s.ExternalID,
			Help: "what the owner of the further role wants to be shown"},
		{Flag: "session-policy-file", Arg: "FILE", Into: &s.SessionPolicyFile,
			Help: "IAM policy in JSON that narrows what the session of the further role may do"},
	}
}

// Chained is the call that assumes the further role by way of from, or from
// itself if none is named. Errors are of wrong usage; nobody is called.
func (s *Settings) Chained(from exchange.Call) (exchange.Call, error) {
	if s.ChainRoleARN == "" {
		if s.ExternalID+s.SessionPolicyFile != "" {
			return nil, cli.Usagef("give --chain-role-arn (or DAYPASS_CHAIN_ROLE_ARN), or leave them out",
				"--external-id and --session-policy-file are about a further role, and none is named")
		}
		return from, nil
	}
	client, err := s.HTTPClient()
	if err != nil {
		return nil, err
	}
	policy, err := s.sessionPolicy()
	if err != nil {
		return nil, err
	}
	region, endpoint, name := s.ServedRegion(), s.STSEndpoint, s.RoleSessionName
	if endpoint == "" {
		endpoint = s.AnyEndpoint // Endpoint is where Roles Anywhere is
	}
	if name == "" {
		name = who(namespaceFile)
	}
	if first, ok := from.(*exchange.WebIdentity); ok { // which asks the same service
		region, endpoint, name = first.Region, first.Endpoint, first.SessionName
	}
	call := &exchange.AssumeRole{
		From:          from,
		RoleARN:       s.ChainRoleARN,
		Duration:      min(s.SessionDuration, time.Hour),
		SessionName:   name,
		ExternalID:    s.ExternalID,
		SessionPolicy: policy,
		Region:        region,
		FIPS:          s.FIPS,
		DualStack:     s.DualStack,
		Endpoint:      endpoint,
		Client:        client,
	}
	return call, call.Check()
}

func (s *Settings) sessionPolicy() (string, error) {
	if s.SessionPolicyFile == "" {
		return "", nil
	}
	const limit = 64 << 10 // with its space; AWS takes 2,048 characters without
	text, err := readFile("session policy", s.SessionPolicyFile, limit, "")
	if err == nil && strings.TrimSpace(string(text)) == "" {
		err = cli.Usagef("", "reading session policy %s: the file is empty", s.SessionPolicyFile)
	}
	return string(text), err
}
