package privateca

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acmpca"
	"github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/flowcontrol"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"daypass.dev/kube/api/awspca/v1beta1"
)

// authorities are the private CAs that can be used now, by their issuers.
type authorities struct {
	aws       aws.Config
	namespace string
	rate      float64

	mu    sync.Mutex
	ready map[key]*authority
	// suspects are issuers that a request has found unable to issue; they are
	// probed at once.
	suspects map[string]chan event.GenericEvent // :: kind
	pace     map[string]*pace                   // :: the CA's ARN
}

// A key is an issuer: its kind, namespace (empty for cluster issuers) and name.
type key struct{ kind, namespace, name string }

// An authority is a private CA as an issuer reaches it.
type authority struct {
	*pace
	arn        string
	template   string // of every request; empty: by usage
	calls      *acmpca.Client
	signing    types.SigningAlgorithm
	shortLived bool
	end        time.Time // of the CA's own certificate
	revokes    bool      // certificates whose requests are deleted
}

func (a *authorities) get(k key) *authority {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ready[k]
}

func (a *authorities) set(k key, to *authority) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if to == nil {
		delete(a.ready, k)
		return
	}
	if a.ready == nil {
		a.ready = map[key]*authority{}
	}
	a.ready[k] = to
}

// distrust lets nobody use an issuer until it has been probed again.
func (a *authorities) distrust(k key) {
	a.set(k, nil)
	o := &metav1.PartialObjectMetadata{}
	o.SetNamespace(k.namespace)
	o.SetName(k.name)
	select {
	case a.suspects[k.kind] <- event.GenericEvent{Object: o}:
	default: // so many are suspected that its turn comes anyway
	}
}

// paceOf is the one pace of all issuers of a CA.
func (a *authorities) paceOf(arn string) *pace {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pace == nil {
		a.pace = map[string]*pace{}
	}
	if a.pace[arn] == nil {
		a.pace[arn] = &pace{bucket: flowcontrol.NewTokenBucketRateLimiter(float32(a.rate), max(1, int(a.rate)))}
	}
	return a.pace[arn]
}

// probe asks the CA how it is, and returns it if it can issue. Errors are
// sorted.
func (a *authorities) probe(ctx context.Context, i v1beta1.Issuer, config aws.Config) (*authority, error) {
	spec, _ := i.Parts()
	// Twice, so that a clock that is wrong here is corrected; what more is to be
	// tried again, the queue does.
	c := acmpca.NewFromConfig(config, func(o *acmpca.Options) { o.RetryMaxAttempts = 2 })
	out, err := c.DescribeCertificateAuthority(ctx, &acmpca.DescribeCertificateAuthorityInput{CertificateAuthorityArn: &spec.Arn})
	if err != nil {
		s := sort(err)
		if s.class == fails {
			s.class = blames // a request has not been looked at yet
		}
		return nil, s
	}
	ca := out.CertificateAuthority
	if ca.Status != types.CertificateAuthorityStatusActive || ca.NotAfter == nil {
		return nil, blamef("pca-state", "the private CA is %s", ca.Status)
	}
	return &authority{
		pace: a.paceOf(spec.Arn), arn: spec.Arn, template: spec.PCATemplate.DefaultTemplateName, calls: c,
		signing: ca.CertificateAuthorityConfiguration.SigningAlgorithm, end: *ca.NotAfter,
		shortLived: ca.UsageMode == types.CertificateAuthorityUsageModeShortLivedCertificate,
		revokes:    i.GetAnnotations()[revokeAnnotation] == "true",
	}, nil
}

func (a *authority) String() string {
	mode := "general-purpose mode"
	if a.shortLived {
		mode = "short-lived mode"
	}
	return fmt.Sprintf("the private CA issues, in %s, until %s", mode, a.end.UTC().Format(time.RFC3339))
}

// templateARN names a template in the CA's partition.
func (a *authority) templateARN(name string) string {
	return "arn:" + strings.SplitN(a.arn, ":", 3)[1] + ":acm-pca:::template/" + name
}

// A pace spreads the calls of one CA: so many a second, and none for a while
// after AWS has said that it is too many.
type pace struct {
	bucket flowcontrol.RateLimiter

	mu      sync.Mutex
	pause   time.Duration
	resumes time.Time
}

const (
	firstPause, lastPause = 500 * time.Millisecond, 30 * time.Second
	// crowd is how long a request waits that found the bucket empty, on average.
	crowd = time.Second
)

// turn is zero if a call may be made now, else how long to wait. Waits differ,
// so that not all come back at once.
func (p *pace) turn(now time.Time) time.Duration {
	p.mu.Lock()
	left := p.resumes.Sub(now)
	p.mu.Unlock()
	if left > 0 {
		return left + rand.N(crowd)
	}
	if !p.bucket.TryAccept() {
		return crowd/2 + rand.N(crowd)
	}
	return 0
}

// heard learns from a call's answer.
func (p *pace) heard(err error, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.pause = 0
	case sort(err).class == slower && now.After(p.resumes): // calls that were under way count once
		p.pause = min(max(2*p.pause, firstPause), lastPause)
		p.resumes = now.Add(p.pause)
	}
}
