package reason

// setup: why setup does nothing.
func setup() []Reason {
	return []Reason{
		{
			Slug:  "setup-file",
			Cause: "the file of setup cannot be read as what it must be",
			Mend:  "correct it at the line and column that are named; daypassctl setup --help shows a whole one",
		}, {
			Slug:  "setup-foreign",
			Cause: "a role of that name, or an association of that ServiceAccount, is there that the file did not make; setup changes nothing of others",
			Mend:  "choose another name in the file, or delete the role or the association",
		}, {
			Slug:  "setup-provider",
			Cause: "the account has an OIDC provider for the issuer that the file did not make, and it lacks the audience",
			Mend:  "add the audience: aws iam add-client-id-to-open-id-connect-provider",
		}, {
			Slug:  "setup-account",
			Cause: "the credentials are of another account than the file is for",
			Mend:  "use credentials of the file's account, or correct account in the file",
		}, {
			Slug:  "setup-ack",
			Cause: "the file has a trust anchor, and ACK's controllers know no Roles Anywhere",
			Mend:  "render it as cloudformation or terraform, or use method web-identity",
		},
	}
}
