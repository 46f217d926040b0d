package reason

// google: what Google refuses before AWS is asked, as the sandbox's stand-in
// plays it.
func google() []Reason {
	return []Reason{
		{"google-metadata-flavor", "PERMISSION_DENIED", "Missing Metadata-Flavor:Google header.",
			"a request to the metadata server lacked the header Metadata-Flavor: Google, or had come through a proxy",
			"send the header, and no X-Forwarded-For; take the metadata server out of proxy settings"},
		{"google-argument", "INVALID_ARGUMENT", "non-empty audience parameter required",
			"a request to Google lacked a field, or had one that cannot be right",
			"give what the detail names; an audience is never empty"},
		{"google-account-missing", "NOT_FOUND", "",
			"the machine or the pod's ServiceAccount has no Google service account, or there is none of that name",
			"annotate the ServiceAccount with iam.gke.io/gcp-service-account and the e-mail address of an account that exists"},
		{"google-account-exists", "ALREADY_EXISTS", "Service account %s already exists within project %s.",
			"the project has a service account of that name",
			"take the one that is there, or another name"},
		{"google-not-bound", "PERMISSION_DENIED", "",
			"the pod's ServiceAccount names a Google account that does not let it in",
			"grant serviceAccount:PROJECT.svc.id.goog[NAMESPACE/NAME] the role roles/iam.workloadIdentityUser on the account"},
		{"google-pod-unknown", "UNAVAILABLE", "",
			"the stand-in for GKE's metadata server found no running pod of that address",
			"try again; pods on the node's network are not served"},
		{"google-access-token", "UNAUTHENTICATED", "Request had invalid authentication credentials.",
			"a call of IAM Credentials bore no access token, or one that is unknown or over",
			"get one from the metadata server first; daypass does so by itself"},
		{"google-not-token-creator", "PERMISSION_DENIED", "",
			"the caller may not create tokens of that account",
			"grant it roles/iam.serviceAccountOpenIdTokenCreator on the account, or ask the metadata server, which needs no role"},
	}
}
