package secrets

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"daypass.dev"
)

// An onward is a role that a principal goes on to, by AssumeRole. It is a
// daypass.Source, and kept as long as somebody asks for it.
type onward struct {
	region string
	cache  *aws.CredentialsCache

	mu   sync.Mutex
	from daypass.Source // the latest that led here
	used time.Time
}

// unused onward roles are forgotten after that time.
const unused = time.Hour

// goOn is the principal that a class's assumeRoleArn leads to.
func (r *Reader) goOn(p Principal, c *Class, region string) Principal {
	if c.AssumeRoleARN == "" {
		return p
	}
	key := p.Key + "\n" + c.AssumeRoleARN
	r.mu.Lock()
	o := r.onward[key]
	if o == nil {
		o = &onward{region: region}
		client := sts.NewFromConfig(r.config(region, o))
		o.cache = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(client, c.AssumeRoleARN, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = "daypass"
		}), func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = 5 * time.Minute })
		if r.onward == nil {
			r.onward = map[string]*onward{}
		}
		r.onward[key] = o
	}
	r.mu.Unlock()
	o.mu.Lock()
	o.from, o.used = p.Source, r.clock()
	o.mu.Unlock()
	return Principal{Key: key, Account: strings.SplitN(c.AssumeRoleARN, ":", 6)[4], Source: o, Tags: p.Tags}
}

// idle tells whether nobody has asked for a long time.
func (o *onward) idle(now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return now.Sub(o.used) >= unused
}

// Retrieve implements aws.CredentialsProvider: who assumes the role.
func (o *onward) Retrieve(ctx context.Context) (aws.Credentials, error) {
	o.mu.Lock()
	from := o.from
	o.mu.Unlock()
	return provider{from}.Retrieve(ctx)
}

// Credentials implements daypass.Source: of the role. Errors are *Error, or who
// assumes the role had none.
func (o *onward) Credentials(ctx context.Context) (daypass.Credentials, error) {
	got, err := o.cache.Retrieve(ctx)
	if err != nil {
		e := failed(o.region, "", "AssumeRole", err)
		if e.Code != "" {
			e.Slug, e.Hint = "secrets-assume-role", ""
		}
		return daypass.Credentials{}, e
	}
	return daypass.Credentials{
		AccessKeyID: got.AccessKeyID, SecretAccessKey: daypass.Secret(got.SecretAccessKey), SessionToken: daypass.Secret(got.SessionToken),
		Expires: got.Expires, AccountID: got.AccountID,
	}, nil
}
