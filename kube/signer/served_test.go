package signer

import (
	"testing"

	certs "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// In whichever version a cluster has what it has, each type has one, and the
// JSON of v1beta1 is read into the types of v1.
func TestEveryMixOfVersions(t *testing.T) {
	v1, beta, none := certs.SchemeGroupVersion, schema.GroupVersion{Group: certs.GroupName, Version: "v1beta1"}, schema.GroupVersion{}
	for _, s := range []served{{v1, v1}, {beta, beta}, {beta, v1}, {v1, none}, {none, beta}, {none, none}} {
		scheme := s.scheme()
		for _, row := range []struct {
			o    runtime.Object
			want schema.GroupVersion
		}{{&certs.PodCertificateRequest{}, s.pods}, {&certs.ClusterTrustBundle{}, s.bundles}, {&certs.CertificateSigningRequest{}, v1}} {
			kinds, _, err := scheme.ObjectKinds(row.o)
			if row.want.Empty() {
				if err == nil {
					t.Errorf("%+v: %T is known", s, row.o)
				}
				continue
			}
			if err != nil || len(kinds) != 1 || kinds[0].GroupVersion() != row.want {
				t.Errorf("%+v: %T is %v, %v", s, row.o, kinds, err)
			}
		}
	}
}
