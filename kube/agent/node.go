package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	certificates "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/kube/identity"
	"daypass.dev/reason"
)

// taint keeps pods away from a new node until its agent is ready. It is put on
// nodes by whoever makes them.
const taint = "daypass.dev/agent-not-ready"

// Untaint takes the taint from a node, with each effect that it has there: all
// at once, since the agent may leave none of them.
func Untaint(ctx context.Context, to client.Client, node string) error {
	n := &corev1.Node{}
	if err := to.Get(ctx, client.ObjectKey{Name: node}, n); err != nil {
		return fmt.Errorf("reading node %s: %w", node, err)
	}
	var changes []map[string]string
	for i, t := range slices.Backward(n.Spec.Taints) { // what is removed moves only those behind it
		if t.Key == taint {
			at := fmt.Sprintf("/spec/taints/%d", i)
			changes = append(changes, map[string]string{"op": "test", "path": at + "/key", "value": taint}, map[string]string{"op": "remove", "path": at})
		}
	}
	if len(changes) == 0 {
		return nil
	}
	patch, err := json.Marshal(changes)
	if err != nil {
		return err
	}
	if err := to.Patch(ctx, n, client.RawPatch(types.JSONPatchType, patch)); err != nil {
		return fmt.Errorf("taking taint %s from node %s: %w", taint, node, err)
	}
	return nil
}

// signerName and usages are those of the signer's contract with agents.
const signerName = "daypass.dev/workload"

// A request is looked after this often, for so long. Signers answer within a
// second.
const (
	signed   = 200 * time.Millisecond
	patience = 15 * time.Second
)

// Sign has the cluster's signer sign a request, PEM PKCS#10: a
// vend.Certificates' Sign. It takes the rights to create and get
// certificatesigningrequests, and to speak with a token that is bound to the
// agent's own pod. That nobody answers is an *identity.Refusal, and so is what
// the signer refuses for a reason of the catalogue.
func Sign(to client.Client) func(ctx context.Context, request []byte) ([]byte, error) {
	return func(ctx context.Context, request []byte) ([]byte, error) {
		csr := &certificates.CertificateSigningRequest{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "daypass-"},
			Spec: certificates.CertificateSigningRequestSpec{
				Request: request, SignerName: signerName,
				Usages: []certificates.KeyUsage{certificates.UsageDigitalSignature, certificates.UsageClientAuth},
			},
		}
		if err := to.Create(ctx, csr); err != nil {
			return nil, err
		}
		for began := time.Now(); ; {
			if len(csr.Status.Certificate) > 0 {
				return csr.Status.Certificate, nil
			}
			for _, c := range csr.Status.Conditions {
				if c.Type == certificates.CertificateDenied || c.Type == certificates.CertificateFailed {
					return nil, denied(csr.Name, c.Message)
				}
			}
			if time.Since(began) > patience {
				return nil, &identity.Refusal{Slug: "agent-no-signer", Detail: "nobody has answered the agent's request " + csr.Name + " to " + signerName}
			}
			select {
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			case <-time.After(signed):
			}
			if err := to.Get(ctx, client.ObjectKeyFromObject(csr), csr); err != nil {
				return nil, err
			}
		}
	}
}

// named is how the signer names its reason.
var named = regexp.MustCompile(`^(.*) \(([a-z0-9-]+)\): `)

func denied(csr, message string) error {
	detail := "the signer refuses " + csr + ": "
	if said := named.FindStringSubmatch(message); said != nil {
		if row, ok := reason.Lookup(said[2]); ok {
			return &identity.Refusal{Slug: row.Slug, Detail: detail + said[1]}
		}
	}
	return errors.New(detail + message)
}
