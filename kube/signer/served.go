package signer

import (
	"fmt"

	certs "k8s.io/api/certificates/v1"
	coordination "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// served says in which version the cluster has what not all clusters have;
// empty: not at all.
type served struct{ pods, bundles schema.GroupVersion }

func discover(config *rest.Config) (served, error) {
	d, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return served{}, fmt.Errorf("reaching the cluster: %w", err)
	}
	var s served
	for _, version := range []string{"v1beta1", "v1"} { // v1 wins
		gv := schema.GroupVersion{Group: certs.GroupName, Version: version}
		list, err := d.ServerResourcesForGroupVersion(gv.String())
		if client.IgnoreNotFound(err) != nil {
			return served{}, fmt.Errorf("asking what the cluster serves: %w", err)
		}
		if err != nil {
			continue
		}
		for _, r := range list.APIResources {
			switch r.Name {
			case "podcertificaterequests":
				s.pods = gv
			case "clustertrustbundles":
				s.bundles = gv
			}
		}
	}
	return s, nil
}

// scheme has the types of v1 for both versions: their fields are the same but
// for two that kubelets have not filled since 1.36.
func (s served) scheme() *runtime.Scheme {
	all := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, coordination.AddToScheme} {
		if err := add(all); err != nil {
			panic(err) // cannot be, whatever the input
		}
	}
	all.AddKnownTypes(certs.SchemeGroupVersion, &certs.CertificateSigningRequest{}, &certs.CertificateSigningRequestList{})
	metav1.AddToGroupVersion(all, certs.SchemeGroupVersion)
	if !s.pods.Empty() {
		all.AddKnownTypes(s.pods, &certs.PodCertificateRequest{}, &certs.PodCertificateRequestList{})
		metav1.AddToGroupVersion(all, s.pods)
	}
	if !s.bundles.Empty() {
		all.AddKnownTypes(s.bundles, &certs.ClusterTrustBundle{}, &certs.ClusterTrustBundleList{})
		metav1.AddToGroupVersion(all, s.bundles)
	}
	return all
}
