// Package v1alpha1 holds the project's one kind of Kubernetes object, the
// PodIdentityAssociation, as group daypass.dev serves it. It is data: what an
// association comes to, package identity decides.
//
// +kubebuilder:object:generate=true
// +groupName=daypass.dev
package v1alpha1

//go:generate go tool -modfile=../../../tools/go.mod controller-gen object crd:crdVersions=v1 paths=. output:crd:dir=.

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is what objects of this package name as their apiVersion.
func GroupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: "daypass.dev", Version: "v1alpha1"}
}

// AddToScheme teaches a scheme the kinds of this package.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion(), &PodIdentityAssociation{}, &PodIdentityAssociationList{})
	v1.AddToGroupVersion(s, GroupVersion())
	return nil
}
