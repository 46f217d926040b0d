package exchange

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"daypass.dev"
	"daypass.dev/proof"
)

// PodIdentity is AssumeRoleForPodIdentity of EKS Auth: the role that an EKS
// cluster's association gives a pod, for who holds the pod's token and the
// node's credentials. It is a daypass.Source, safe for concurrent use, and must
// not be copied after use.
//
// https://docs.aws.amazon.com/eks/latest/APIReference/API_auth_AssumeRoleForPodIdentity.html
type PodIdentity struct {
	// Cluster is the EKS cluster's name.
	Cluster string
	// Token is the pod's, for the audience pods.eks.amazonaws.com.
	Token proof.TokenSource
	// Node gives the credentials that sign the call.
	Node daypass.Source
	// RoleARN is the role that must come of it; another is refused, with code
	// UnexpectedRole. Empty: whichever the cluster's association names.
	RoleARN string
	// Region is the cluster's. Its endpoint has IPv6, too.
	Region string
	// FIPS calls the endpoint whose cryptography is validated by FIPS 140.
	FIPS bool
	// Endpoint and Client are as in WebIdentity.
	Endpoint string
	Client   *http.Client

	clock clock
}

const opPod = "AssumeRoleForPodIdentity"

// codeRole is a code of this package.
const codeRole = "UnexpectedRole"

// Credentials asks once; twice where the answer shows that the local clock is
// wrong. Errors are those of AssumeRole, with Token's and Node's for From's.
func (p *PodIdentity) Credentials(ctx context.Context) (daypass.Credentials, error) {
	none := daypass.Credentials{}
	base, err := p.base()
	if err != nil {
		return none, err
	}
	token, err := p.Token.Token(ctx)
	if err != nil {
		return none, err
	}
	by, err := p.Node.Credentials(ctx)
	if err != nil {
		return none, fmt.Errorf("getting the node's credentials: %w", err)
	}
	body, err := json.Marshal(map[string]string{"token": token.Text.Reveal()})
	if err != nil {
		return none, fmt.Errorf("preparing %s: %w", opPod, err)
	}
	answer, err := p.send(ctx, base, string(body), by)
	if err == nil && p.clock.correct(answer) {
		answer, err = p.send(ctx, base, string(body), by)
	}
	if err != nil {
		return none, err
	}
	got, err := p.read(answer, token)
	if err != nil {
		return none, err
	}
	return p.clock.local(got), nil
}

// Check says whether the settings are well formed, without asking anybody: nil
// or an *daypass.InputError.
func (p *PodIdentity) Check() error {
	_, err := p.base()
	return err
}

func (p *PodIdentity) base() (string, error) {
	switch {
	case p.Token == nil || p.Node == nil:
		return "", input("pod identity", "", "the pod's token or the node's credentials are not given")
	case !spelled(p.Cluster, 1, 100, letters+digits+"-_"):
		return "", input("cluster name", "give the EKS cluster's", "%.40q is none of 1 to 100 of A-Z a-z 0-9 - _", p.Cluster)
	case !isRegion(p.Region):
		return "", input("region", "name the region of the EKS cluster", "%.40q is no region", p.Region)
	}
	if p.RoleARN != "" {
		if _, err := parseARN("role ARN", p.RoleARN, "iam", "role"); err != nil {
			return "", err
		}
	}
	return place{
		service: "eks-auth", region: p.Region, partition: partitionOf(p.Region), fips: p.FIPS,
		dualStack: p.Endpoint == "", given: p.Endpoint,
	}.url()
}

func (p *PodIdentity) send(ctx context.Context, base, body string, by daypass.Credentials) (*answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, attemptTimeout, errNoAnswer)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "POST", base+"/clusters/"+p.Cluster+"/assume-role-for-pod-identity", strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("preparing %s: %w", opPod, err)
	}
	r.Header.Set("User-Agent", "daypass")
	signPost(r, "application/json", body, "eks-auth", p.Region, by, p.clock.now())
	client := http.DefaultClient
	if p.Client != nil {
		client = p.Client
	}
	return post(withoutRedirects(client), r, opPod)
}

// read reads the answer. No text of a success goes into an error, nor does the
// token.
func (p *PodIdentity) read(a *answer, token *proof.Token) (daypass.Credentials, error) {
	none, now := daypass.Credentials{}, p.clock.now()
	if !a.success() {
		e := a.refusal(now)
		e.Message = hide(token, e.Message)
		if e.Hint == "" {
			e.Hint = hint(e.Code, e.Message)
		}
		return none, e
	}
	if a.broken != nil {
		return none, a.invalid("the answer is not whole after %d bytes: %v", len(a.body), a.broken)
	}
	var s struct {
		AssumedRoleUser struct {
			ARN string `json:"arn"`
		} `json:"assumedRoleUser"`
		Credentials struct {
			AccessKeyID     string      `json:"accessKeyId"`
			SecretAccessKey string      `json:"secretAccessKey"`
			SessionToken    string      `json:"sessionToken"`
			Expiration      json.Number `json:"expiration"` // seconds since 1970
		} `json:"credentials"`
	}
	if err := json.Unmarshal(a.body, &s); err != nil {
		return none, a.invalid("the answer is not the JSON of a session") // err may quote it
	}
	ends, err := s.Credentials.Expiration.Float64()
	if err != nil || ends < 1 || ends > 1<<40 {
		return none, a.invalid("the credentials' expiration is no time")
	}
	account, name := assumedRole(s.AssumedRoleUser.ARN)
	if want := p.RoleARN; want != "" && (account == "" || !isRole(want, account, name)) {
		e := a.made(codeRole, fmt.Sprintf("EKS gave a session of %q, not of %s", short(s.AssumedRoleUser.ARN), want))
		e.Hint = "let the association of EKS and the one of this cluster name the same role"
		e.Status = http.StatusForbidden
		return none, e
	}
	return a.issued(keys{
		AccessKeyID: s.Credentials.AccessKeyID, SecretAccessKey: s.Credentials.SecretAccessKey,
		SessionToken: s.Credentials.SessionToken, Expiration: time.Unix(int64(ends), 0).UTC().Format(time.RFC3339),
	}, arn{text: p.RoleARN, account: account}, now)
}

// assumedRole reads arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION.
func assumedRole(text string) (account, role string) {
	parts := strings.SplitN(text, ":", 6)
	if len(parts) != 6 || parts[2] != "sts" {
		return "", ""
	}
	path := strings.Split(parts[5], "/")
	if len(path) != 3 || path[0] != "assumed-role" {
		return "", ""
	}
	return parts[4], path[1]
}

// isRole tells whether the role of that ARN is of this account and name; a
// session does not tell the role's path.
func isRole(text, account, name string) bool {
	parts := strings.SplitN(text, ":", 6)
	return len(parts) == 6 && parts[4] == account && parts[5][strings.LastIndexByte(parts[5], '/')+1:] == name
}
