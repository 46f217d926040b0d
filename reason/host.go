package reason

// host: what doctor finds around a workload that no program of ours refuses:
// files and variables, and what other programs say.
func host() []Reason {
	return []Reason{
		{
			Slug:  "settings-missing",
			Cause: "the workload is not told all that it needs: certificate or token, role, trust anchor, profile",
			Mend:  "give what is missing as a flag or as its DAYPASS_ variable; in ~/.aws/config a credential_process is one line",
		}, {
			Slug:  "settings-malformed",
			Cause: "a setting of the workload is not of the form that it must have, or does not agree with another",
			Mend:  "correct the setting that the evidence names",
		}, {
			Slug:  "proof-missing",
			Cause: "a file of the certificate, key, chain or token is not there, or its text was given where its path belongs",
			Mend:  "name the file by its path, and see that whatever writes it runs",
		}, {
			Slug:  "proof-unreadable",
			Cause: "a file of the certificate, key, chain or token may not be read by this user",
			Mend:  "let the workload's user own it, mode 0600, or in Kubernetes set fsGroup",
		}, {
			Slug:  "proof-form",
			Cause: "a file of the certificate, key, chain or token does not hold what it should, or not in a form that is read",
			Mend:  "write the certificate and chain as PEM, and the key as PEM in PKCS#8, PKCS#1 or SEC 1 form",
		}, {
			Slug:  "environment-keys",
			Cause: "AWS_ACCESS_KEY_ID is set, which every SDK takes before anything that daypass delivers",
			Mend:  "unset AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN for the workload",
		}, {
			Slug:  "environment-imds",
			Cause: "AWS_EC2_METADATA_DISABLED is true, so that SDKs ask no metadata service, daypass serve's neither",
			Mend:  "unset AWS_EC2_METADATA_DISABLED for the workload, or use the container endpoint",
		}, {
			Slug:  "environment-profile",
			Cause: "AWS_PROFILE names a profile that is not there, or one that holds half of a key",
			Mend:  "unset AWS_PROFILE, or write the profile whole",
		}, {
			Slug:  "empty-credentials",
			Cause: "an endpoint answered credentials without keys and with the year 1 as their end, as aws_signing_helper 1.8 does when AWS refuses",
			Mend:  "see why AWS refuses, by doctor with the same certificate; daypass serve answers an error instead",
		}, {
			Slug:  "crl-stale",
			Cause: "a revocation list is past the time by which its CA meant to renew it; what AWS makes of it is not documented",
			Mend:  "make a new list, with daypassctl pki crl or your CA, and import it: aws rolesanywhere update-crl",
		}, {
			Slug:  "anchor-crl-fetch",
			Cause: "the leaf names a place of its revocation list, and the trust anchor is not set to read it, so that revoking has no effect",
			Mend:  "set crlDpRevocationEnabled on the trust anchor, or import the list",
		}, {
			Slug:  "anchor-notifications",
			Cause: "the trust anchor warns so long before the end of leaves that each of them raises a warning all its life",
			Mend:  "lower the threshold, or switch the notification off: aws rolesanywhere put-notification-settings",
		}, {
			Slug:  "profile-propagation",
			Cause: "the profile's trusted identity propagation takes the identity from a field that the certificate lacks, and AWS refuses such sessions",
			Mend:  "issue the certificate with that field, or let the profile take the other: x509Subject/CN or x509SAN/URI",
		}, {
			Slug:  "trust-any-anchor",
			Cause: "the trust policy names no trust anchor, so that every CA for which the account has one can vouch for the names that it asks for",
			Mend:  "add the condition ArnEquals aws:SourceArn with the trust anchor; daypassctl trust-policy writes it",
		}, {
			Slug:  "trust-not-equals",
			Cause: "a condition that is the opposite of another is true for certificates that lack the tag altogether, so that it lets in whom it should keep out",
			Mend:  "say with StringEquals who may come in",
		}, {
			Slug:  "trust-wildcard",
			Cause: "a pattern of the trust policy takes in other namespaces, so that whoever may make a ServiceAccount there has the role",
			Mend:  "name namespace and ServiceAccount with StringEquals, a value for each",
		}, {
			Slug:  "iam-propagation",
			Cause: "IAM takes some seconds until a change is known everywhere, and the role is new",
			Mend:  "try again in a minute",
		}, {
			Slug:  "injection-missed",
			Cause: "the pod's ServiceAccount has an identity, and the pod was made without it: the webhook was not asked, or the annotation came later",
			Mend:  "make the pod anew; if it is missed again, see that the webhook runs and that its configuration takes the namespace in",
		}, {
			Slug:  "webhook-absent",
			Cause: "the cluster has no webhook of daypass that could give pods what they need",
			Mend:  "install the chart with webhook.enabled, or policy.enabled",
		}, {
			Slug:  "webhook-down",
			Cause: "no replica of daypass's webhook is ready, so that new pods get nothing, or are refused where they ask for it",
			Mend:  "see why its pods do not run: kubectl describe pods -l app.kubernetes.io/component=webhook,app.kubernetes.io/name=daypass -A",
		}, {
			Slug:  "agent-down",
			Cause: "no agent of daypass runs on the pod's node, so that nobody answers where the pod looks for credentials",
			Mend:  "see where agents run, and why not there: kubectl get pods -o wide -l app.kubernetes.io/component=node,app.kubernetes.io/name=daypass -A",
		}, {
			Slug:  "pod-certificate-refused",
			Cause: "the signer refused the pod's request for a certificate, and a kubelet asks only once for each pod",
			Mend:  "mend what the signer says, and make the pod anew",
		}, {
			Slug:  "pod-certificate-waiting",
			Cause: "no signer has answered the pod's request for a certificate",
			Mend:  "see that the signer of that name runs: kubectl get pods -A -l app.kubernetes.io/component=signer",
		}, {
			Slug:  "credentials-none",
			Cause: "the agent of the pod's node was asked, and has no credentials for it that live: AWS does not answer, or refuses them",
			Mend:  "see in daypassctl status whether AWS answers that agent, and ask daypassctl doctor for the pod",
		}, {
			Slug:  "image-pull-credentials",
			Cause: "the kubelet had no credentials for the image's registry; they are the node's business, before any pod runs",
			Mend:  "give the kubelet a credential provider for the registry, or the pod imagePullSecrets",
		}, {
			Slug: "pca-share-template", Code: "AccessDeniedException",
			Cause: "the Private CA is shared by an account whose share does not take in the certificate's template; key usages choose the template",
			Mend:  "share the CA with a permission that names the template, or ask for the usages that the share takes in",
		},
	}
}
