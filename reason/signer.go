package reason

// signer: why the cluster's signer gives a pod or an agent no certificate.
func signer() []Reason {
	return []Reason{
		{
			Slug:  "pod-request-names",
			Cause: "the request's stub claims names, which are not the asker's to choose",
			Mend:  "let the kubelet make the request, from a podCertificate volume",
		}, {
			Slug:  "pod-request-annotations",
			Cause: "the podCertificate volume has userAnnotations, none of which mean anything to this signer",
			Mend:  "remove userAnnotations from the volume",
		}, {
			Slug:  "pod-request-pod",
			Cause: "the request names a pod that is not there, or was made anew since",
			Mend:  "create the pod again if it is stuck; if nobody deleted it, find out who made the request",
		}, {
			Slug:  "pod-request-node",
			Cause: "the request comes from another node than the pod's",
			Mend:  "find out who made the request: a kubelet asks for the pods of its own node only",
		}, {
			Slug:  "pod-request-account",
			Cause: "the request names another ServiceAccount than the pod's, or the ServiceAccount was made anew since",
			Mend:  "create the pod again if its ServiceAccount was; else find out who made the request",
		}, {
			Slug:  "agent-request-author",
			Cause: "the author of the request is not the node agents' ServiceAccount",
			Mend:  "give the signer the agents' ServiceAccount as --agent-service-account; pods themselves use podCertificate volumes",
		}, {
			Slug:  "agent-request-unbound",
			Cause: "the request was made with a token that is not bound to a pod and its node",
			Mend:  "ask with the agent pod's own projected token, on Kubernetes 1.30 or newer",
		}, {
			Slug:  "agent-request-pod",
			Cause: "the pod that the author's token is bound to is not an agent that runs on that node",
			Mend:  "ask from a running pod of the agent's DaemonSet, with its own token",
		}, {
			Slug:  "agent-request-usages",
			Cause: "the request's usages are not exactly digital signature and client auth",
			Mend:  "ask for digital signature and client auth",
		}, {
			Slug:  "agent-request-names",
			Cause: "the request's names are not exactly those of one ServiceAccount of this cluster",
			Mend:  "ask for CN, OU, O and one URI as the signer's settings make them of cluster, trust domain, namespace and ServiceAccount",
		}, {
			Slug:  "agent-request-workload",
			Cause: "the agent's node runs no pod of the ServiceAccount that it asks for",
			Mend:  "ask for ServiceAccounts of pods that run on the agent's own node",
		},
	}
}
