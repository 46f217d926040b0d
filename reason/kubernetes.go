package reason

// kubernetes: why a pod of a cluster gets no identity, or is not given what
// it needs.
func kubernetes() []Reason {
	return append(append(append(agents(), eks()...), signer()...), []Reason{
		{
			Slug:  "service-account-missing",
			Cause: "the ServiceAccount that the pod runs as does not exist, or is not the pod's own",
			Mend:  "create the ServiceAccount in the pod's namespace first",
		}, {
			Slug:  "identity-disagreement",
			Cause: "two of association and annotations name different roles for one ServiceAccount",
			Mend:  "let them name the same role, or remove all but one",
		}, {
			Slug:  "association-duplicate",
			Cause: "two PodIdentityAssociations are for the same namespace and serviceAccount and differ in what they give",
			Mend:  "delete one of them",
		}, {
			Slug:  "role-arn-malformed",
			Cause: "what stands where a role's ARN belongs is not one",
			Mend:  "write it as arn:aws:iam::ACCOUNT:role/NAME",
		}, {
			Slug:  "annotation-malformed",
			Cause: "an annotation of the pod or its ServiceAccount cannot be read",
			Mend:  "write token-expiration as a number of seconds, sts-regional-endpoints as true or false, skip-containers as names joined by commas",
		}, {
			Slug:  "method-unset",
			Cause: "nothing says how this cluster asks AWS, and that cannot be known from inside",
			Mend:  "set the cluster's method (daypassctl setup does), or method in an association",
		}, {
			Slug:  "method-unknown",
			Cause: "the method is none that there is",
			Mend:  "write eks, web-identity, roles-anywhere or google",
		}, {
			Slug:  "annotation-node-credentials",
			Cause: "an annotation asks for a role in a way that would show AWS the node's credentials, not the pod's, so that anybody who may annotate could choose among the node's roles",
			Mend:  "let the platform team write a PodIdentityAssociation, or give the ServiceAccount a proof of its own",
		}, {
			Slug:  "session-tags-untrusted",
			Cause: "session tags were asked for with a method by which the pod could choose them itself, so that no policy may trust them",
			Mend:  "set disableSessionTags: true, or use method eks or roles-anywhere",
		}, {
			Slug:  "policy-unusable",
			Cause: "Roles Anywhere takes no session policy with a call",
			Mend:  "put the policy into the Roles Anywhere profile, or reach the role as targetRoleArn",
		}, {
			Slug:  "roles-anywhere-unset",
			Cause: "method roles-anywhere needs a trust anchor and a profile, and none is named",
			Mend:  "name both in the association's rolesAnywhere or in the cluster's settings",
		}, {
			Slug:  "cluster-unnamed",
			Cause: "certificates name cluster and trust domain, and the cluster's settings lack one",
			Mend:  "set the cluster's name and trust domain",
		}, {
			Slug:  "certificate-uri-long",
			Cause: "the SPIFFE ID of the ServiceAccount is longer than AWS reads from a certificate",
			Mend:  "choose a shorter name for the ServiceAccount, its namespace or the trust domain",
		}, {
			Slug:  "agent-needed",
			Cause: "a target role is more than variables in a pod can say, and a session policy more than a sidecar is told, so that only the node's agent can deliver it",
			Mend:  "run the agent, let the pod assume roleArn alone, or reach a target role by method roles-anywhere",
		}, {
			Slug:  "windows-unsupported",
			Cause: "the pod is for Windows, where only tokens of the cluster are delivered",
			Mend:  "use method web-identity for this ServiceAccount",
		}, {
			Slug:  "sidecar-host-network",
			Cause: "on the node's network, loopback and the metadata server are the node's, so that neighbours would share what a sidecar serves",
			Mend:  "take hostNetwork out of the pod, or use method web-identity or the agent",
		}, {
			Slug:  "sidecar-port",
			Cause: "a container of the pod has the port on which the sidecar would serve",
			Mend:  "give the container another port",
		}, {
			Slug:  "image-unset",
			Cause: "a container of daypass is to be added, and nobody has said of which image",
			Mend:  "set the image of daypass in the webhook's settings",
		}, {
			Slug:  "certificate-source-unset",
			Cause: "a sidecar needs a certificate, and nobody has said where pods have theirs from",
			Mend:  "set a signer, a cert-manager issuer or a Secret's name in the webhook's settings",
		}, {
			Slug:  "name-taken",
			Cause: "the pod has a volume of the name that was to be added, with other things in it",
			Mend:  "give the pod's own volume another name",
		}, {
			Slug:  "token-users",
			Cause: "containers of the pod run as different users, and a file with a token is for one",
			Mend:  "let them run as one user, or use method web-identity, whose token all may read",
		}, {
			Slug:  "review-malformed",
			Cause: "the object that was sent for review is not a pod as Kubernetes has them",
			Mend:  "see that only the API server sends reviews, and only of new pods",
		}, {
			Slug:  "review-too-large",
			Cause: "the pod is larger than any that Kubernetes could store",
			Mend:  "move what makes it large, such as long variables, into a ConfigMap",
		},
	}...)
}
