// Package exchange asks AWS: each struct is one AWS call that turns a proof
// into credentials, and is a daypass.Source. It remembers nothing but how
// wrong the local clock is, and does not try again: that is refresh's part.
package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"daypass.dev"
	"daypass.dev/exchange/sigv4x509"
	"daypass.dev/proof"
)

// RolesAnywhere is CreateSession of IAM Roles Anywhere. It is a daypass.Source,
// safe for concurrent use, and must not be copied after use.
//
// https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication-create-session.html
type RolesAnywhere struct {
	// Key signs the request; its certificate says who asks.
	Key proof.KeySource
	// RoleARN, TrustAnchorARN and ProfileARN are needed. Anchor and profile are
	// of one region, all three of one partition.
	RoleARN, TrustAnchorARN, ProfileARN string
	// Duration is the life that is asked for, 15 minutes to 12 hours in whole
	// seconds. Zero: the profile's own. AWS gives the shorter of both.
	Duration time.Duration
	// SessionName is the role session's name; the profile must accept one.
	// Empty: DefaultSessionName.
	SessionName string
	// DefaultSessionName names the session if the profile accepts names. Where
	// AWS says that it does not, the call is made again without, and so are all
	// later ones. Empty: the certificate's serial number, by AWS.
	DefaultSessionName string
	// InstanceProperties are at most 50 facts about this workload that AWS
	// keeps with the subject.
	InstanceProperties map[string]string
	// Region, where given, must be the anchor's; a name as fips-us-east-1 asks
	// for FIPS. Empty: the anchor's.
	Region string
	// FIPS calls the endpoint whose cryptography is validated by FIPS 140,
	// DualStack the one that has IPv6, too. Which regions have them is AWS's to
	// say; aws-cn has none of the first.
	FIPS, DualStack bool
	// Endpoint is a base URL without a path; https, or http on loopback; without
	// FIPS and DualStack. Empty: AWS's own for region and partition.
	Endpoint string
	// Client makes the call; it decides on roots of trust and proxy. Redirects
	// are refused whatever it says. Nil: http.DefaultClient.
	Client *http.Client

	clock    clock
	nameless atomic.Bool // the profile accepts no names
}

// Credentials asks once; once more where the answer shows that the local clock
// is wrong, or that the profile accepts no names. Errors are *daypass.InputError for a setting that is wrong, *proof.FileError
// for a file, *daypass.Error where AWS answered; any other means that no
// answer came, within 15 seconds.
//
// Codes that are not AWS's: InvalidResponse, a success without usable
// credentials; UnexpectedResponse, a failure without AWS's code, as a proxy
// gives it.
func (r *RolesAnywhere) Credentials(ctx context.Context) (daypass.Credentials, error) {
	call, err := r.prepare()
	if err != nil {
		return daypass.Credentials{}, err
	}
	key, err := r.Key.Key(ctx)
	if err != nil {
		return daypass.Credentials{}, err
	}
	if n := len(key.Chain); n > sigv4x509.MaxChain {
		return daypass.Credentials{}, &daypass.InputError{
			Setting: "intermediates",
			Err:     fmt.Errorf("the chain holds %d certificates beside the leaf, Roles Anywhere takes at most %d", n, sigv4x509.MaxChain),
			Hint:    "leave out what does not stand between the leaf and the trust anchor [chain-depth]",
		}
	}
	answer, err := r.ask(ctx, call, key)
	if err == nil && call.named && answer.nameRefused() {
		r.nameless.Store(true)
		if call, err = r.prepare(); err != nil {
			return daypass.Credentials{}, err
		}
		answer, err = r.ask(ctx, call, key)
	}
	if err != nil {
		return daypass.Credentials{}, err
	}
	got, err := answer.credentials(call.role, r.clock.now())
	if refused := (*daypass.Error)(nil); errors.As(err, &refused) && refused.Hint == "" && refused.Status/100 == 4 {
		refused.Hint = r.sessionHint(refused, call.role, key)
	}
	if err != nil {
		return daypass.Credentials{}, err
	}
	return r.clock.local(got), nil
}

// ask sends the call, again where the clock is corrected.
func (r *RolesAnywhere) ask(ctx context.Context, call *call, key *proof.Key) (*answer, error) {
	answer, err := call.send(ctx, key, r.clock.now())
	if err == nil && r.clock.correct(answer) {
		return call.send(ctx, key, r.clock.now())
	}
	return answer, err
}

// Check says whether the settings are well formed, without asking anybody: nil
// or an *daypass.InputError. It does not read the key.
func (r *RolesAnywhere) Check() error {
	_, err := r.prepare()
	return err
}

// Address is the base URL that would be called. The error is an *daypass.InputError.
func (r *RolesAnywhere) Address() (string, error) {
	call, err := r.prepare()
	if err != nil {
		return "", err
	}
	base, _, _ := strings.Cut(call.url, sessionsPath)
	return base, nil
}

// MemoryKey names what would be answered: it differs where the leaf, any
// setting that shapes the answer or the proxy differs, and tells none of them.
// It is the key of refresh.Disk.
func (r *RolesAnywhere) MemoryKey(ctx context.Context) (string, error) {
	call, err := r.prepare()
	if err != nil {
		return "", err
	}
	key, err := r.Key.Key(ctx)
	if err != nil {
		return "", err
	}
	shape, err := json.Marshal([]any{
		"CreateSession", key.Fingerprint(), call.url, proxyTo(call.client, call.url), call.region, string(call.body),
	})
	if err != nil {
		return "", fmt.Errorf("naming the remembered credentials: %w", err)
	}
	sum := sha256.Sum256(shape)
	return hex.EncodeToString(sum[:]), nil
}

func input(setting, hint, format string, args ...any) *daypass.InputError {
	return &daypass.InputError{Setting: setting, Hint: hint, Err: fmt.Errorf(format, args...)}
}

var errNoAnswer = errors.New("no answer within 15 seconds")
