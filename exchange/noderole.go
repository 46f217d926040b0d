package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"daypass.dev"
)

// NodeRole reads the credentials of the role of the EC2 instance that this runs
// on, by IMDSv2. It is a daypass.Source, safe for concurrent use. EC2 itself
// renews them, and says the same for hours.
//
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
type NodeRole struct {
	// Endpoint is a base URL without a path; empty: http://169.254.169.254.
	Endpoint string
	// Client makes the calls, without a proxy. Nil: one that has none.
	Client *http.Client
}

const (
	opNode      = "reading the instance's credentials"
	rolePath    = "/latest/meta-data/iam/security-credentials/"
	nodeTimeout = 5 * time.Second
	maxNode     = 64 << 10
)

// Credentials asks the metadata service. Errors never hold what it answered.
func (n *NodeRole) Credentials(ctx context.Context) (daypass.Credentials, error) {
	none := daypass.Credentials{}
	ctx, cancel := context.WithTimeoutCause(ctx, nodeTimeout, errors.New("no answer within 5 seconds"))
	defer cancel()
	token, err := n.ask(ctx, http.MethodPut, "/latest/api/token", "X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "60")
	if err != nil {
		return none, err
	}
	const header = "X-Aws-Ec2-Metadata-Token"
	name, err := n.ask(ctx, http.MethodGet, rolePath, header, token)
	if err != nil {
		return none, err
	}
	name, _, _ = strings.Cut(name, "\n")
	if !spelled(name, 1, 64, letters+digits+"_+=,.@-") {
		return none, fmt.Errorf("%s: the instance has no role", opNode)
	}
	text, err := n.ask(ctx, http.MethodGet, rolePath+name, header, token)
	if err != nil {
		return none, err
	}
	var s struct {
		Code, AccessKeyId, SecretAccessKey, Token string
		Expiration                                time.Time
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil || s.Code != "Success" {
		return none, fmt.Errorf("%s: the answer is not the JSON of credentials", opNode) // err may quote it
	}
	got := daypass.Credentials{
		AccessKeyID: s.AccessKeyId, SecretAccessKey: daypass.Secret(s.SecretAccessKey), SessionToken: daypass.Secret(s.Token),
		Expires: s.Expiration.UTC(),
	}
	if !got.Whole() {
		return none, fmt.Errorf("%s: the answer lacks a key, a token or an expiry", opNode)
	}
	return got, nil
}

func (n *NodeRole) ask(ctx context.Context, method, path, header, value string) (string, error) {
	base, client := n.Endpoint, n.Client
	if base == "" {
		base = "http://169.254.169.254"
	}
	if client == nil {
		client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	}
	r, err := http.NewRequestWithContext(ctx, method, base+path, nil)
	if err != nil {
		return "", fmt.Errorf("%s: %w", opNode, err)
	}
	r.Header.Set(header, value)
	answer, err := withoutRedirects(client).Do(r)
	if err != nil {
		return "", fmt.Errorf("%s: %w", opNode, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxNode+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", opNode, err)
	case answer.StatusCode != http.StatusOK:
		return "", fmt.Errorf("%s: %s answered status %d", opNode, path, answer.StatusCode)
	case len(text) > maxNode:
		return "", fmt.Errorf("%s: the answer is longer than %d bytes", opNode, maxNode)
	}
	return strings.TrimSpace(string(text)), nil
}
