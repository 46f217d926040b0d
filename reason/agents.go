package reason

// agents: why the agent of a node gives a pod nothing.
func agents() []Reason {
	return []Reason{
		{
			Slug:  "agent-token-missing",
			Cause: "the request came without a token of the pod, and the method shows AWS one",
			Mend:  "let injection give the pod its token, or call with the file that AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names",
		},
		{
			Slug:  "agent-token-malformed",
			Cause: "what stands in Authorization is no token that an API server signs",
			Mend:  "send the token alone, without Bearer before it",
		},
		{
			Slug:  "agent-token-signature",
			Cause: "the token is not signed by a key of this cluster",
			Mend:  "use a token of this cluster; where its keys were changed, new tokens come with the pod's next start at the latest",
		},
		{
			Slug:  "agent-token-issuer",
			Cause: "the token is of another issuer than this cluster's API server",
			Mend:  "use a token of this cluster",
		},
		{
			Slug:  "agent-token-audience",
			Cause: "the token is for somebody else, who might have passed it on, or for several",
			Mend:  "project a token for the audience pods.eks.amazonaws.com alone, as injection does",
		},
		{
			Slug:  "agent-token-expired",
			Cause: "the token has expired",
			Mend:  "read the token's file for each request, as SDKs do; look at the node's clock",
		},
		{
			Slug:  "agent-token-early",
			Cause: "the token begins in the future by the clock of this node",
			Mend:  "set the node's clock",
		},
		{
			Slug:  "agent-token-unbound",
			Cause: "the token is not bound to a pod",
			Mend:  "use a token that the kubelet has projected into the pod, not one that was created by hand",
		},
		{
			Slug:  "agent-token-node",
			Cause: "the token is of a pod on another node",
			Mend:  "call the agent of the pod's own node",
		},
		{
			Slug:  "pod-gone",
			Cause: "the pod whose token this is has ended or was deleted, or another has its name",
			Mend:  "use a token of a pod that runs",
		},
		{
			Slug:  "pod-other-node",
			Cause: "the pod whose token this is does not run on this node",
			Mend:  "call the agent of the pod's own node",
		},
		{
			Slug:  "pod-other-account",
			Cause: "the pod does not run as the ServiceAccount that was named",
			Mend:  "name the pod's own ServiceAccount",
		},
		{
			Slug:  "pod-other-address",
			Cause: "the token was shown from an address that is not its pod's: somebody else may have it",
			Mend:  "let each pod use its own token; where a network plugin hides pods' addresses, set the agent's --pod-address to audit",
		},
		{
			Slug:  "identity-none",
			Cause: "nothing gives the pod's ServiceAccount a role",
			Mend:  "annotate it with daypass.dev/role-arn, or write a PodIdentityAssociation",
		},
		{
			Slug:  "agent-no-signer",
			Cause: "method roles-anywhere makes the call with a certificate, and no signer answers this agent",
			Mend:  "run the signer (signer.enabled in the chart)",
		},
		{
			Slug:  "agent-method",
			Cause: "the method is one by which pods ask AWS themselves, so that the agent has nothing to give",
			Mend:  "use method web-identity, roles-anywhere or eks, or the delivery that injection chooses",
		},
		{
			Slug:  "agent-port",
			Cause: "another program has port 80 of the agent's address, as one that listens on all addresses does",
			Mend:  "let that program listen on addresses of its own; another agent of EKS must not run on the same nodes",
		},
		{
			Slug:  "agent-address",
			Cause: "the node cannot be given the agent's address, or the agent may not listen there",
			Mend:  "let the agent run on the node's network as root with CAP_NET_ADMIN and CAP_NET_BIND_SERVICE",
		},
		{
			Slug:  "agent-filter",
			Cause: "the packet filter cannot be written that keeps other machines away from the agent's address, and the agent does not serve without it",
			Mend:  "load the kernel's module nf_tables, and let the agent have CAP_NET_ADMIN",
		},
	}
}

// eks: what EKS and EKS Auth refuse.
func eks() []Reason {
	return []Reason{
		{"eks-parameter", "InvalidParameterException", "",
			"a parameter of the call is not one that EKS takes",
			"correct the parameter that the message names"},
		{"eks-cluster-missing", "ResourceNotFoundException", "No cluster found for name: %s.",
			"the account has no EKS cluster of that name in the region",
			"correct cluster name and region, which method eks takes from the settings of the cluster"},
		{"eks-cluster-exists", "ResourceInUseException", "Cluster already exists with name: %s",
			"the account has an EKS cluster of that name in the region",
			"choose another name"},
		{"eks-association-missing", "ResourceNotFoundException", "",
			"EKS has no association for the pod's namespace and ServiceAccount, or none of that id",
			"create one: aws eks create-pod-identity-association, or daypassctl associations export"},
		{"eks-association-exists", "ResourceInUseException", "Association already exists: %s",
			"EKS has an association for this namespace and ServiceAccount, and takes only one",
			"update the one that the message names"},
		{"token-issuer-other", "InvalidTokenException", "",
			"the pod's token is of another issuer than the EKS cluster's",
			"see that cluster name and region are those of the cluster that the pod runs in"},
		{"token-unbound", "InvalidTokenException", "",
			"the token is not one that a kubelet has projected for a pod",
			"send the token of a pod"},
	}
}
