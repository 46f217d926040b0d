package secrets

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"daypass.dev"
	"daypass.dev/internal/sdk"
)

// AWS's bounds of one call, and how many run at once for one reading: batches,
// which bring up to 1.3 MB each, and others.
const (
	mostInBatch      = 20
	mostParameters   = 10
	mostBatches      = 10
	mostCalls        = 50
	currentStage     = "AWSCURRENT"
	opGetSecret      = "GetSecretValue"
	opBatch          = "BatchGetSecretValue"
	opGetParameters  = "GetParameters"
	parameterMissing = "ParameterNotFound"
)

// A session reads some items for one principal in one region.
type session struct {
	reader    *Reader
	region    string
	principal Principal
	done      func(Item, Value, error)

	// Who has one of batches may wait for one of calls, never the other way round.
	batches, calls places

	secrets    *secretsmanager.Client
	parameters *ssm.Client
	keys       *kms.Client
}

// Places are for calls that run at once.
type places chan struct{}

// enter waits for a place, and returns what gives it back. Once ctx is done there
// is one for all: no call is made.
func (p places) enter(ctx context.Context) (leave func()) {
	select {
	case p <- struct{}{}:
		return func() { <-p }
	case <-ctx.Done():
		return func() {}
	}
}

// read reads all items, side by side.
func (s *session) read(ctx context.Context, items []Item) {
	if _, err := s.principal.Source.Credentials(ctx); err != nil {
		for _, i := range items {
			s.done(i, Value{}, err)
		}
		return
	}
	cfg := s.reader.config(s.region, provider{s.principal.Source})
	s.secrets, s.parameters, s.keys = secretsmanager.NewFromConfig(cfg), ssm.NewFromConfig(cfg), kms.NewFromConfig(cfg)
	s.batches, s.calls = make(places, mostBatches), make(places, mostCalls)
	var all sync.WaitGroup
	for _, call := range s.plan(items) {
		all.Go(func() { call(ctx) })
	}
	all.Wait()
}

// plan groups items into as few calls as AWS allows. Batches are for current
// versions in the principal's own account.
func (s *session) plan(items []Item) (calls []func(context.Context)) {
	var batch, parameters []Item
	for _, i := range items {
		switch {
		case i.Parameter:
			parameters = append(parameters, i)
		case s.batchable(i):
			batch = append(batch, i)
		default:
			calls = append(calls, func(ctx context.Context) { s.secret(ctx, i) })
		}
	}
	if len(batch) == 1 {
		one := batch[0]
		calls, batch = append(calls, func(ctx context.Context) { s.secret(ctx, one) }), nil
	}
	for chunk := range slices.Chunk(batch, mostInBatch) {
		calls = append(calls, func(ctx context.Context) { s.batch(ctx, chunk) })
	}
	for chunk := range slices.Chunk(parameters, mostParameters) {
		calls = append(calls, func(ctx context.Context) { s.someParameters(ctx, chunk) })
	}
	return calls
}

func (s *session) batchable(i Item) bool {
	current := i.Version == "" && (i.Label == "" || i.Label == currentStage)
	own := i.account() == "" || i.account() == s.principal.Account
	return current && own && s.reader.mayBatch(s.principal.Key, s.region)
}

// secret reads one secret.
func (s *session) secret(ctx context.Context, i Item) {
	in := &secretsmanager.GetSecretValueInput{SecretId: &i.Name}
	if i.Version != "" {
		in.VersionId = &i.Version
	}
	if i.Label != "" {
		in.VersionStage = &i.Label
	}
	leave := s.calls.enter(ctx)
	begin := time.Now()
	out, err := s.secrets.GetSecretValue(ctx, in)
	s.observe(opGetSecret, err, begin)
	if err != nil {
		leave() // for what explains it
		s.done(i, Value{}, s.explain(ctx, s.failed(i, opGetSecret, err), i))
		return
	}
	s.done(i, secretValue(out.SecretString, out.SecretBinary, out.VersionId), nil)
	leave() // once it is known whether there is enough
}

func secretValue(text *string, binary []byte, version *string) Value {
	if text != nil {
		binary = []byte(*text)
	}
	return Value{Data: binary, Version: aws.ToString(version)}
}

// batch reads the current versions of several secrets. Who may not batch is
// served one by one.
func (s *session) batch(ctx context.Context, items []Item) {
	byName := map[string]Item{}
	in := &secretsmanager.BatchGetSecretValueInput{}
	for _, i := range items {
		if _, twice := byName[i.Name]; !twice { // with and without the label AWSCURRENT
			in.SecretIdList = append(in.SecretIdList, i.Name)
		}
		byName[i.Name] = i
	}
	defer s.batches.enter(ctx)()
	begin := time.Now()
	out, err := s.secrets.BatchGetSecretValue(ctx, in)
	s.observe(opBatch, err, begin)
	if err != nil {
		e := s.failed(Item{}, opBatch, err)
		if e.Code != "AccessDeniedException" {
			for _, i := range items {
				s.done(i, Value{}, s.failed(i, opBatch, err))
			}
			return
		}
		s.reader.noBatch(s.principal.Key, s.region)
		if s.reader.Log != nil {
			s.reader.Log.Info("reading secrets one by one: BatchGetSecretValue is not allowed", "region", s.region, "error", e.Message)
		}
		s.oneByOne(ctx, items)
		return
	}
	for _, v := range out.SecretValues {
		for _, i := range items {
			if names(i.Name, v) {
				s.done(i, secretValue(v.SecretString, v.SecretBinary, v.VersionId), nil)
			}
		}
	}
	for _, f := range out.Errors {
		for _, i := range items {
			if i.Name == aws.ToString(f.SecretId) {
				e := &Error{Object: i.Name, Region: s.region, Op: opBatch, Code: aws.ToString(f.ErrorCode), Message: aws.ToString(f.Message), Status: http.StatusBadRequest}
				e.Slug = slugOf(e)
				s.done(i, Value{}, s.explain(ctx, e, i))
			}
		}
	}
}

// names tells whether a name, an ARN or an ARN without its last six characters
// means a secret.
func names(id string, v smtypes.SecretValueEntry) bool {
	arn := aws.ToString(v.ARN)
	return id == aws.ToString(v.Name) || id == arn || len(arn) == len(id)+7 && strings.HasPrefix(arn, id+"-")
}

func (s *session) oneByOne(ctx context.Context, items []Item) {
	var all sync.WaitGroup
	for _, i := range items {
		all.Go(func() { s.secret(ctx, i) })
	}
	all.Wait()
}

// someParameters reads at most ten parameters.
func (s *session) someParameters(ctx context.Context, items []Item) {
	in := &ssm.GetParametersInput{WithDecryption: aws.Bool(true)}
	for _, i := range items {
		in.Names = append(in.Names, i.id())
	}
	leave := s.calls.enter(ctx)
	begin := time.Now()
	out, err := s.parameters.GetParameters(ctx, in)
	s.observe(opGetParameters, err, begin)
	leave()
	if err != nil {
		// One that is refused spoils all: who is alone knows that it was his.
		if e := s.failed(Item{}, opGetParameters, err); len(items) > 1 && answered(e) && e.Slug != "throttled" {
			var all sync.WaitGroup
			for _, i := range items {
				all.Go(func() { s.someParameters(ctx, []Item{i}) })
			}
			all.Wait()
			return
		}
		for _, i := range items {
			s.done(i, Value{}, s.explain(ctx, s.failed(i, opGetParameters, err), i))
		}
		return
	}
	for _, p := range out.Parameters {
		for _, i := range items {
			if isParameter(i, p) {
				s.done(i, Value{Data: []byte(aws.ToString(p.Value)), Version: strconv.FormatInt(p.Version, 10)}, nil)
			}
		}
	}
	for _, name := range out.InvalidParameters {
		for _, i := range items {
			if i.id() == name {
				s.done(i, Value{}, &Error{
					Slug: "parameter-not-found", Object: i.id(), Region: s.region, Op: opGetParameters, Code: parameterMissing, Status: http.StatusBadRequest,
					Detail: "there is no such parameter, version or label",
				})
			}
		}
	}
}

func isParameter(i Item, p ssmtypes.Parameter) bool {
	selector := strings.TrimPrefix(i.id(), i.Name)
	return (i.Name == aws.ToString(p.Name) || i.Name == aws.ToString(p.ARN)) && selector == aws.ToString(p.Selector)
}

func (s *session) observe(operation string, err error, begin time.Time) {
	if s.reader.Observe != nil {
		s.reader.Observe(operation, err, time.Since(begin))
	}
}

// config is for clients of AWS's SDK in one region.
func (r *Reader) config(region string, credentials aws.CredentialsProvider) aws.Config {
	client := r.Client
	if client == nil {
		client = http.DefaultClient
	}
	cfg := aws.Config{Region: region, Credentials: credentials, HTTPClient: sdk.Patient{HTTPClient: client}, RetryMaxAttempts: 4}
	if r.Endpoint != "" {
		cfg.BaseEndpoint = &r.Endpoint
	}
	cfg.ConfigSources = []any{endpoints{r.FIPS, r.DualStack}}
	return cfg
}

// endpoints say which of AWS's endpoints are meant, as the SDK asks its sources.
type endpoints struct{ fips, dualStack bool }

// GetUseFIPSEndpoint is asked by the SDK.
func (e endpoints) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	return aws.FIPSEndpointStateEnabled, e.fips, nil
}

// GetUseDualStackEndpoint is asked by the SDK.
func (e endpoints) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	return aws.DualStackEndpointStateEnabled, e.dualStack, nil
}

// A provider hands a source's credentials to the SDK.
type provider struct{ from daypass.Source }

// Retrieve implements aws.CredentialsProvider.
func (p provider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	got, err := p.from.Credentials(ctx)
	if err != nil {
		return aws.Credentials{}, err
	}
	return aws.Credentials{
		AccessKeyID: got.AccessKeyID, SecretAccessKey: got.SecretAccessKey.Reveal(), SessionToken: got.SessionToken.Reveal(),
		Source: "daypass", CanExpire: true, Expires: got.Expires, AccountID: got.AccountID,
	}, nil
}
