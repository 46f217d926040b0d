package v1beta1

import (
	"k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Names of the two kinds, as an issuerRef has them.
const (
	KindIssuer        = "AWSPCAIssuer"
	KindClusterIssuer = "AWSPCAClusterIssuer"
)

// An IssuerSpec says which private CA issues and who asks it.
type IssuerSpec struct {
	// Arn of the private CA.
	// +optional
	Arn string `json:"arn,omitempty"`
	// Region of the private CA; empty: as its ARN says.
	// +optional
	Region string `json:"region,omitempty"`
	// SecretRef names a Secret with a long-term access key. Without it the
	// issuer's own short-lived credentials are used.
	// +optional
	SecretRef SecretReference `json:"secretRef,omitempty"`
	// Role is the ARN of a role to assume before Private CA is called.
	// +optional
	Role string `json:"role,omitempty"`
	// PCATemplate chooses templates.
	// +optional
	PCATemplate PCATemplate `json:"pcaTemplate,omitempty"`
}

// A PCATemplate chooses templates of AWS Private CA.
type PCATemplate struct {
	// DefaultTemplateName, such as SubordinateCACertificate_PathLen1/V1, is the
	// template of every request of this issuer. Empty: usages and isCA choose.
	// +optional
	DefaultTemplateName string `json:"defaultTemplateName,omitempty"`
}

// A SecretReference names a Secret and the keys in it. An AWSPCAIssuer takes
// Secrets of its own namespace only, an AWSPCAClusterIssuer those of the
// namespace in which the issuer runs.
type SecretReference struct {
	v1.SecretReference `json:",inline"`
	// AccessKeyIDSelector names the entry with the access key id; empty:
	// AWS_ACCESS_KEY_ID.
	// +optional
	AccessKeyIDSelector v1.SecretKeySelector `json:"accessKeyIDSelector,omitempty"`
	// SecretAccessKeySelector names the entry with the secret access key; empty:
	// AWS_SECRET_ACCESS_KEY. An entry AWS_SESSION_TOKEN is used if there is one.
	// +optional
	SecretAccessKeySelector v1.SecretKeySelector `json:"secretAccessKeySelector,omitempty"`
}

// An IssuerStatus says whether the private CA can be used.
type IssuerStatus struct {
	// Conditions has one of type Ready.
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ConditionReady is the type of the one condition.
const ConditionReady = "Ready"

// An AWSPCAIssuer issues for the CertificateRequests of its namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
type AWSPCAIssuer struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   IssuerSpec   `json:"spec,omitempty"`
	Status IssuerStatus `json:"status,omitempty"`
}

// An AWSPCAIssuerList is a list of them.
//
// +kubebuilder:object:root=true
type AWSPCAIssuerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AWSPCAIssuer `json:"items"`
}

// An AWSPCAClusterIssuer issues for the CertificateRequests of all namespaces.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=awspcaclusterissuers,scope=Cluster
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
type AWSPCAClusterIssuer struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   IssuerSpec   `json:"spec,omitempty"`
	Status IssuerStatus `json:"status,omitempty"`
}

// An AWSPCAClusterIssuerList is a list of them.
//
// +kubebuilder:object:root=true
type AWSPCAClusterIssuerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AWSPCAClusterIssuer `json:"items"`
}

// An Issuer is either kind.
//
// +kubebuilder:object:generate=false
type Issuer interface {
	metav1.Object
	// Parts are its spec and its status, to read and to change.
	Parts() (*IssuerSpec, *IssuerStatus)
}

// Parts implements Issuer.
func (i *AWSPCAIssuer) Parts() (*IssuerSpec, *IssuerStatus) { return &i.Spec, &i.Status }

// Parts implements Issuer.
func (i *AWSPCAClusterIssuer) Parts() (*IssuerSpec, *IssuerStatus) { return &i.Spec, &i.Status }
