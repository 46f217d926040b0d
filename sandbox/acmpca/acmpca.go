// Package acmpca is AWS Private CA in the sandbox: authorities with real keys,
// certificates by AWS's templates, revocation lists and audit reports in S3.
// It is written from AWS's API reference and User Guide, and issues with
// nothing but crypto/x509.
//
// Unlike AWS: a CRL is written at once after a revocation (there within about
// half an hour), resource policies are not held to the statements that RAM
// would write, and OCSP, permissions for ACM and ML-DSA are not built. Comments
// say "unchecked" where AWS's text is silent.
package acmpca

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

const (
	signingName      = "acm-pca"
	servicePrincipal = "acm-pca.amazonaws.com"
)

// issuing is how long AWS seems to take for a CA's key or a certificate.
// Callers must ask again until then.
const issuing = 500 * time.Millisecond

// tokenLife is how long an idempotency token stands for its first call (API
// reference, IssueCertificate).
const tokenLife = 5 * time.Minute

// Service answers Private CA's calls; its zero value is ready.
type Service struct{}

type operation func(*request) (any, error)

func operations() map[string]operation {
	return map[string]operation{
		"CreateCertificateAuthority":              create,
		"DescribeCertificateAuthority":            describe,
		"ListCertificateAuthorities":              list,
		"UpdateCertificateAuthority":              update,
		"DeleteCertificateAuthority":              remove,
		"RestoreCertificateAuthority":             restore,
		"GetCertificateAuthorityCsr":              getCSR,
		"GetCertificateAuthorityCertificate":      getCACertificate,
		"ImportCertificateAuthorityCertificate":   importCertificate,
		"IssueCertificate":                        issue,
		"GetCertificate":                          get,
		"RevokeCertificate":                       revoke,
		"CreateCertificateAuthorityAuditReport":   createReport,
		"DescribeCertificateAuthorityAuditReport": describeReport,
		"PutPolicy":                 putPolicy,
		"GetPolicy":                 getPolicy,
		"DeletePolicy":              deletePolicy,
		"TagCertificateAuthority":   tagCA,
		"UntagCertificateAuthority": untagCA,
		"ListTags":                  listTags,
	}
}

// A request is one call.
type request struct {
	*world.Call
	op   string
	body []byte
}

// Serve answers one call. An error is a *world.Refusal.
func (Service) Serve(c *world.Call, w http.ResponseWriter, r *http.Request, body []byte) error {
	return wire.JSONService{Target: "ACMPrivateCA", Operations: built()}.Serve(c, w, r, body)
}

// built are the operations as wire calls them.
func built() map[string]func(*world.Call, []byte) (any, error) {
	all := map[string]func(*world.Call, []byte) (any, error){}
	for name, run := range operations() {
		all[name] = func(c *world.Call, body []byte) (any, error) {
			answer, err := run(&request{Call: c, op: name, body: body})
			var f *fault
			if errors.As(err, &f) {
				return nil, f.refusal()
			}
			return answer, err
		}
	}
	return all
}

// read decodes the body. A member that is not known is refused, so that
// nothing is taken and left undone.
func (q *request) read(into any) error {
	d := json.NewDecoder(bytes.NewReader(q.body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return faultf("pca-parameter", "the body: %v", err)
	}
	return nil
}

// allowed holds the caller to the operation on a CA, by the CA's own policy
// too. Whether there is such a CA is not said before.
func (q *request) allowed(arn string, more policy.Context) error {
	a := world.Access{Action: signingName + ":" + q.op, Resource: arn, Context: policy.Context{}}
	for k, v := range more {
		a.Context[k] = v
	}
	q.World.RLock()
	if owner, ca := q.World.PrivateCA(arn); ca != nil {
		a.ResourceAccount = owner.ID
		for k, v := range ca.Tags {
			a.Context["aws:ResourceTag/"+k] = policy.Values{List: []string{v}}
		}
		if ca.Policy != nil {
			a.ResourcePolicy = &policy.Named{Name: "resource policy of " + arn, Document: ca.Policy}
		}
	}
	q.World.RUnlock()
	return q.Authorize(a)
}

// enter is allowed and a look at the ARN.
func (q *request) enter(arn string) error {
	if err := q.allowed(arn, nil); err != nil {
		return err
	}
	return checkARN(arn)
}

func checkARN(arn string) error {
	p := strings.SplitN(arn, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[2] != signingName || !strings.HasPrefix(p[5], "certificate-authority/") {
		return faultf("pca-arn", "%q is no private CA's ARN", arn)
	}
	return nil
}

// view reads a CA under the world's lock.
func (q *request) view(arn string, read func(*world.Account, *world.PrivateCA) error) error {
	q.World.RLock()
	defer q.World.RUnlock()
	owner, ca, err := q.find(arn)
	if err != nil {
		return err
	}
	return read(owner, ca)
}

// change changes a copy of a CA under the world's lock, which is the CA from
// then on unless the change is refused.
func (q *request) change(arn string, change func(*world.Account, *world.PrivateCA) error) error {
	q.World.Lock()
	defer q.World.Unlock()
	owner, ca, err := q.find(arn)
	if err != nil {
		return err
	}
	changed := *ca
	if err := change(owner, &changed); err != nil {
		return err
	}
	changed.Updated = q.Time
	*ca = changed
	q.Changed(world.Thing{Kind: "private-ca", Account: owner.ID, Name: ca.ID})
	return nil
}

// find needs the world's lock.
func (q *request) find(arn string) (*world.Account, *world.PrivateCA, error) {
	owner, ca := q.World.PrivateCA(arn)
	if ca == nil || ca.Region != q.Region {
		return nil, nil, faultf("pca-missing", "there is no private CA %s in %s", arn, q.Region)
	}
	return owner, ca, nil
}
