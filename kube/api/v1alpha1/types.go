package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// A Method is a way in which a cluster asks AWS for credentials.
//
// +kubebuilder:validation:Enum=eks;web-identity;roles-anywhere;google
type Method string

// The methods, by what AWS is shown.
const (
	// EKS shows EKS Auth the pod's token, with the node's own credentials.
	// Which role comes of it, EKS's own association decides.
	EKS Method = "eks"
	// WebIdentity shows STS a token of the pod's ServiceAccount.
	WebIdentity Method = "web-identity"
	// RolesAnywhere shows a certificate of the pod's ServiceAccount.
	RolesAnywhere Method = "roles-anywhere"
	// Google shows STS a token of the Google account that the pod runs as.
	Google Method = "google"
)

// A PodIdentityAssociation is the platform team's record that pods of a
// ServiceAccount may use a role. It says what may be, not what is: the role
// must trust the method, too.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=pia
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.roleArn`
// +kubebuilder:printcolumn:name="Method",type=string,JSONPath=`.status.method`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.reason`
// +kubebuilder:printcolumn:name="Last-OK",type=date,JSONPath=`.status.lastOK`
type PodIdentityAssociation struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec PodIdentityAssociationSpec `json:"spec"`
	// +optional
	Status PodIdentityAssociationStatus `json:"status,omitempty"`
}

// PodIdentityAssociationSpec says which pods, which role, and how. Fields that
// EKS's API has, too, have its names and meaning.
//
// +kubebuilder:validation:XValidation:rule="!has(self.policy) || (has(self.disableSessionTags) && self.disableSessionTags)",message="policy needs disableSessionTags: true, as in EKS",fieldPath=".policy"
// +kubebuilder:validation:XValidation:rule="!has(self.rolesAnywhere) || !has(self.method) || self.method == 'roles-anywhere'",message="rolesAnywhere has no meaning with another method than roles-anywhere",fieldPath=".rolesAnywhere"
// +kubebuilder:validation:XValidation:rule="!has(self.targetRoleArn) || self.targetRoleArn != self.roleArn",message="targetRoleArn is roleArn: leave it out",fieldPath=".targetRoleArn"
// +kubebuilder:validation:XValidation:rule="!has(self.method) || self.method != 'eks' || !(self.namespace.endsWith('*') || self.serviceAccount.endsWith('*'))",message="EKS's own associations know no wildcards: name one namespace and one serviceAccount",fieldPath=".method"
type PodIdentityAssociationSpec struct {
	// Namespace whose pods are meant; one * at the end stands for any rest, so
	// that * alone is every namespace.
	//
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([a-z0-9-]*[a-z0-9])?|([a-z0-9][a-z0-9-]*)?\*)$`
	Namespace string `json:"namespace"`

	// ServiceAccount whose pods are meant, with * as in namespace. Where several
	// associations fit a pod, the longest namespace wins, and among those the
	// longest serviceAccount; a name without * is longer than any with one.
	//
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([a-z0-9.-]*[a-z0-9])?|([a-z0-9][a-z0-9.-]*)?\*)$`
	ServiceAccount string `json:"serviceAccount"`

	// RoleARN is the role that the method gives credentials of.
	//
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]*[\w+=,.@-]+$`
	RoleARN string `json:"roleArn"`

	// TargetRoleARN is assumed with the credentials of roleArn, in any account;
	// pods get its credentials.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]*[\w+=,.@-]+$`
	TargetRoleARN string `json:"targetRoleArn,omitempty"`

	// DisableSessionTags leaves out the session tags that name cluster,
	// namespace, ServiceAccount and pod.
	//
	// +optional
	DisableSessionTags bool `json:"disableSessionTags,omitempty"`

	// Policy is a session policy in IAM's JSON: credentials allow what both it
	// and the role allow. With targetRoleArn it is applied to that role alone.
	//
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^\s*\{[\s\S]*\}\s*$`
	Policy string `json:"policy,omitempty"`

	// Tags are the AWS tags of the association itself, kept for import from and
	// export to EKS. They are no session tags and decide nothing.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) > 0 && size(k) <= 128 && !k.lowerAscii().startsWith('aws:'))",message="a tag's key has 1 to 128 characters and does not begin with aws:"
	Tags map[string]TagValue `json:"tags,omitempty"`

	// Method to ask AWS by, instead of the cluster's.
	//
	// +optional
	Method Method `json:"method,omitempty"`

	// RolesAnywhere names the trust anchor and profile, instead of the cluster's.
	//
	// +optional
	RolesAnywhere *Anywhere `json:"rolesAnywhere,omitempty"`

	// SessionName names the session in AWS's logs; {cluster}, {namespace},
	// {serviceAccount} and {pod} stand for what they say. Without it, the pod's
	// name. What is longer than AWS's 64 characters is shortened to 51, a = and
	// a hash.
	//
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^([\w+=,.@-]|\{(cluster|namespace|serviceAccount|pod)\})+$`
	SessionName string `json:"sessionName,omitempty"`
}

// A TagValue is the value of an AWS tag.
//
// +kubebuilder:validation:MaxLength=256
type TagValue string

// Anywhere names what IAM Roles Anywhere needs beside a role.
//
// +kubebuilder:validation:XValidation:rule="self.trustAnchorArn.split(':')[3] == self.profileArn.split(':')[3] && self.trustAnchorArn.split(':')[4] == self.profileArn.split(':')[4]",message="trustAnchorArn and profileArn must be of one region and account"
type Anywhere struct {
	// +kubebuilder:validation:MaxLength=1011
	// +kubebuilder:validation:Pattern=`^arn:aws[a-z-]*:rolesanywhere:[a-z0-9-]+:[0-9]{12}:trust-anchor/[0-9a-f-]+$`
	TrustAnchorARN string `json:"trustAnchorArn"`

	// +kubebuilder:validation:MaxLength=1011
	// +kubebuilder:validation:Pattern=`^arn:aws[a-z-]*:rolesanywhere:[a-z0-9-]+:[0-9]{12}:profile/[0-9a-f-]+$`
	ProfileARN string `json:"profileArn"`
}

// PodIdentityAssociationStatus tells how the association fares.
type PodIdentityAssociationStatus struct {
	// ObservedGeneration is the generation of spec that this status is about.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Method that is used: spec's, or the cluster's.
	//
	// +optional
	Method Method `json:"method,omitempty"`

	// Reason is the slug of what is wrong, as `daypassctl explain` takes it; empty
	// if nothing is. (A condition's own reason cannot hold a slug.)
	//
	// +optional
	Reason string `json:"reason,omitempty"`

	// LastOK is when AWS last gave credentials for this association.
	//
	// +optional
	LastOK *metav1.Time `json:"lastOK,omitempty"`

	// Conditions has one of type Ready: whether pods could get credentials.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// PodIdentityAssociationList is a list of associations.
//
// +kubebuilder:object:root=true
type PodIdentityAssociationList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []PodIdentityAssociation `json:"items"`
}
