// Package v1beta1 holds the kinds of cert-manager issuers for AWS Private CA, as
// group awspca.cert-manager.io has served them since before this project:
// objects written for aws-privateca-issuer are read as they are.
//
// +kubebuilder:object:generate=true
// +groupName=awspca.cert-manager.io
package v1beta1

//go:generate go tool -modfile=../../../../tools/go.mod controller-gen object crd:crdVersions=v1 paths=. output:crd:dir=../../../../charts/daypass/files

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Group is the API group of both kinds.
const Group = "awspca.cert-manager.io"

// GroupVersion is what objects of this package name as their apiVersion.
func GroupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: Group, Version: "v1beta1"}
}

// AddToScheme teaches a scheme the kinds of this package.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion(), &AWSPCAIssuer{}, &AWSPCAIssuerList{}, &AWSPCAClusterIssuer{}, &AWSPCAClusterIssuerList{})
	v1.AddToGroupVersion(s, GroupVersion())
	return nil
}
