package exchange

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"daypass.dev"
)

// A Call is one way to ask AWS: any struct of this package.
type Call interface {
	daypass.Source
	// MemoryKey names what would be answered; see refresh.Disk.
	MemoryKey(ctx context.Context) (string, error)
	// Check says whether the settings are well formed, without asking anybody:
	// nil or an *daypass.InputError.
	Check() error
}

// AssumeRole is AssumeRole of STS: a further role for who has got one, as in
// another account. It is a Call, safe for concurrent use, and must not be
// copied after use.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
type AssumeRole struct {
	// From gives the credentials that sign the call; it is asked each time.
	From    Call
	RoleARN string
	// Duration is the life that is asked for, 15 minutes to an hour in whole
	// seconds: AWS gives no more to a role that was reached by a role. Zero: an
	// hour.
	Duration time.Duration
	// SessionName is the role session's name. Empty: "daypass".
	SessionName string
	// ExternalID is what the role's owner gave out to be shown, if anything.
	ExternalID string
	// SessionPolicy is an IAM policy in JSON that narrows what the session may
	// do. Empty: it may do what the role may.
	SessionPolicy string
	// Region, FIPS, DualStack, Endpoint and Client are as in WebIdentity; a
	// region is needed even where an endpoint is given.
	Region          string
	FIPS, DualStack bool
	Endpoint        string
	Client          *http.Client

	clock clock
}

const opAssume = "AssumeRole"

// maxChained is the longest life of a session that a role's session asked for.
const maxChained = time.Hour

// maxSessionPolicy is how many characters STS takes.
const maxSessionPolicy = 2048

// Credentials asks From, then STS once; twice where the answer shows that the
// local clock is wrong. Errors are From's, *daypass.InputError for a setting that is
// wrong, *daypass.Error where STS answered; any other means that no answer
// came, within 15 seconds. Codes that are not AWS's are those of RolesAnywhere.
func (a *AssumeRole) Credentials(ctx context.Context) (daypass.Credentials, error) {
	call, err := a.prepare()
	if err != nil {
		return daypass.Credentials{}, err
	}
	by, err := a.From.Credentials(ctx)
	if err != nil {
		return daypass.Credentials{}, err
	}
	answer, err := call.send(ctx, by, a.clock.now())
	if err == nil && a.clock.correct(answer) {
		answer, err = call.send(ctx, by, a.clock.now())
	}
	if err != nil {
		return daypass.Credentials{}, err
	}
	got, err := answer.assumed(call.role, by.RoleARN, a.clock.now())
	if err != nil {
		return daypass.Credentials{}, err
	}
	return a.clock.local(got), nil
}

// Check implements Call; it checks From, too.
func (a *AssumeRole) Check() error {
	if _, err := a.prepare(); err != nil {
		return err
	}
	return a.From.Check()
}

// MemoryKey implements Call: it differs where From's does, or a setting that
// shapes the answer, and tells nothing of them.
func (a *AssumeRole) MemoryKey(ctx context.Context) (string, error) {
	call, err := a.prepare()
	if err != nil {
		return "", err
	}
	from, err := a.From.MemoryKey(ctx)
	if err != nil {
		return "", err
	}
	shape, err := json.Marshal([]string{opAssume, from, call.url, proxyTo(call.client, call.url), call.body})
	if err != nil {
		return "", fmt.Errorf("naming the remembered credentials: %w", err)
	}
	return sha256Hex(string(shape)), nil
}

// An assumeCall is one AssumeRole, ready to be signed.
type assumeCall struct {
	url, region, body string
	role              arn
	client            *http.Client
}

// prepare checks the settings and makes of them the call that they mean.
func (a *AssumeRole) prepare() (*assumeCall, error) {
	if a.From == nil {
		return nil, input("chained role", "", "no credentials to reach it with are given")
	}
	role, err := parseARN("chained role ARN", a.RoleARN, "iam", "role")
	if err != nil {
		return nil, err
	}
	if err := checkSession(a.Duration, a.SessionName); err != nil {
		return nil, err
	}
	if a.Duration > maxChained {
		return nil, input("session duration", "AWS gives no more to a role that was reached by a role", "%s is longer than an hour", a.Duration)
	}
	if a.Region == "" {
		return nil, input("region", "name the region whose STS is to be called", "none is given")
	}
	base, err := stsPlace(a.Region, role, a.FIPS, a.DualStack, a.Endpoint)
	if err != nil {
		return nil, err
	}
	body, err := a.body()
	if err != nil {
		return nil, err
	}
	client := http.DefaultClient
	if a.Client != nil {
		client = a.Client
	}
	region, _ := plainRegion(a.Region)
	return &assumeCall{url: base + "/", region: region, body: body, role: role, client: withoutRedirects(client)}, nil
}

func (a *AssumeRole) body() (string, error) {
	form := url.Values{
		"Action": {opAssume}, "Version": {"2011-06-15"},
		"RoleArn": {a.RoleARN}, "RoleSessionName": {"daypass"},
	}
	if a.SessionName != "" {
		form.Set("RoleSessionName", a.SessionName)
	}
	if a.Duration != 0 {
		form.Set("DurationSeconds", strconv.FormatInt(int64(a.Duration/time.Second), 10))
	}
	if a.ExternalID != "" {
		if !spelled(a.ExternalID, 2, 1224, letters+digits+"_+=,.@:/-") {
			return "", input("external id", "use what the role's owner gave out: 2 to 1224 of A-Z a-z 0-9 _ + = , . @ : / -", "%.40q is not one", a.ExternalID)
		}
		form.Set("ExternalId", a.ExternalID)
	}
	if err := setPolicy(form, a.SessionPolicy); err != nil {
		return "", err
	}
	return form.Encode(), nil
}

// setPolicy adds a session policy to a form, if there is one: without space,
// which counts.
func setPolicy(form url.Values, policy string) error {
	if policy == "" {
		return nil
	}
	var short bytes.Buffer
	if err := json.Compact(&short, []byte(policy)); err != nil {
		return input("session policy", "give an IAM policy", "it is not JSON: %w", err)
	}
	if n := short.Len(); n > maxSessionPolicy {
		return input("session policy", "shorten it", "it has %d characters without space, more than %d", n, maxSessionPolicy)
	}
	form.Set("Policy", short.String())
	return nil
}

func (c *assumeCall) send(ctx context.Context, by daypass.Credentials, at time.Time) (*answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, attemptTimeout, errNoAnswer)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "POST", c.url, strings.NewReader(c.body))
	if err != nil {
		return nil, fmt.Errorf("preparing %s: %w", opAssume, err)
	}
	r.Header.Set("User-Agent", "daypass")
	signPost(r, "application/x-www-form-urlencoded", c.body, "sts", c.region, by, at)
	return post(c.client, r, opAssume)
}

// assumed reads the answer; now stands in for AWS's clock where AWS does not
// tell it. No text of a success goes into an error.
func (a *answer) assumed(role arn, from string, now time.Time) (daypass.Credentials, error) {
	none := daypass.Credentials{}
	if !a.success() {
		code, message := a.queryError()
		e := a.refused(code, message, now)
		switch {
		case code == "AccessDenied":
			e.Hint = "the policies of " + from + " must allow sts:AssumeRole on " + role.text +
				", and the trust policy of that role must let it in, with the external id if it asks for one"
		case code != "":
			e.Hint = hint(code, e.Message)
		}
		return none, e
	}
	if a.broken != nil {
		return none, a.invalid("the answer is not whole after %d bytes: %v", len(a.body), a.broken)
	}
	var s struct {
		XMLName xml.Name `xml:"AssumeRoleResponse"`
		Result  struct {
			Credentials keys `xml:"Credentials"`
		} `xml:"AssumeRoleResult"`
	}
	if err := readXML(a.body, &s); err != nil {
		return none, a.invalid("the answer is not the XML of a session") // err may quote it
	}
	return a.issued(s.Result.Credentials, role, now)
}
