package reason

// privateCA: what AWS Private CA refuses, and what its cert-manager issuer
// says of requests.
func privateCA() []Reason {
	return append(privateCACalls(), privateCAIssuance()...)
}

const validation = "ValidationException"

func privateCACalls() []Reason {
	return []Reason{
		{"pca-parameter", validation, "",
			"a parameter is missing or not of the form that Private CA takes",
			"correct the parameter that the message names"},
		{"pca-arn", "InvalidArnException", "",
			"the ARN is not that of a private CA, certificate or resource of one",
			"give arn:aws:acm-pca:REGION:ACCOUNT:certificate-authority/ID"},
		{"pca-missing", "ResourceNotFoundException", "",
			"the account and region of the ARN have no such private CA, certificate or report",
			"correct the ARN, and call the region that it names"},
		{"pca-state", "InvalidStateException", "The certificate authority is not in a valid state for the operation.",
			"the private CA is not in the state that this needs: pending, disabled, expired or deleted",
			"look at its Status by describe-certificate-authority; import its certificate, enable or restore it"},
		{"pca-in-progress", "RequestInProgressException", "The request to issue a certificate is still in progress.",
			"what was asked for is being made",
			"ask again in a second, as aws acm-pca wait does"},
		{"pca-subject", "InvalidArgsException", "",
			"the subject given has an attribute that cannot be written",
			"correct the attribute that the message names"},
		{"pca-key-algorithm", "InvalidArgsException", "",
			"the key algorithm is none that the sandbox makes keys of",
			"take RSA_2048, RSA_3072, RSA_4096, EC_prime256v1, EC_secp384r1 or EC_secp521r1"},
		{"pca-import", "MalformedCertificateException", "",
			"the certificate or chain cannot be the CA's: unreadable, no CA, or not signed by the chain",
			"import what was issued for the CA's own CSR, and for a subordinate CA its parent's chain too"},
		{"pca-import-mismatch", "CertificateMismatchException", "",
			"the certificate is of another key or subject than the CA's CSR",
			"have the CSR that get-certificate-authority-csr gives signed"},
		{"pca-revoked-already", "RequestAlreadyProcessedException", "",
			"the certificate was revoked before",
			"nothing is left to do"},
		{"pca-revoke-self", "InvalidRequestException", "",
			"a root CA's own certificate cannot be revoked",
			"delete the CA, and take it out of every trust anchor"},
		{"pca-bucket", "InvalidArgsException", "",
			"Private CA may not write into the S3 bucket, or there is none",
			"let the bucket's policy allow acm-pca.amazonaws.com s3:GetBucketAcl on it and s3:PutObject on its objects"},
		{"pca-report-recent", "RequestInProgressException", "",
			"the CA's last audit report is less than 30 minutes old",
			"read that one, or wait"},
		{"pca-policy", "InvalidPolicyException", "",
			"the resource policy is not one that Private CA takes",
			"correct the policy at the place that the detail names"},
		{"pca-policy-missing", "ResourceNotFoundException", "",
			"the private CA has no resource policy",
			"put one, or go without"},
	}
}

func privateCAIssuance() []Reason {
	return []Reason{
		{"pca-signing-algorithm", "InvalidArgsException", "",
			"the signing algorithm is not of the family of the CA's key",
			"take SHA256WITHRSA or stronger for an RSA key, SHA256WITHECDSA or stronger for an EC key"},
		{"pca-template", "InvalidArgsException", "",
			"the template is none of Private CA's",
			"take one of the ARNs of the User Guide's list, as arn:aws:acm-pca:::template/EndEntityCertificate/V1"},
		{"pca-template-passthrough", "InvalidArgsException", "",
			"the template takes nothing from the API and ApiPassthrough was sent",
			"take a template with APIPassthrough in its name, or send no ApiPassthrough"},
		{"pca-csr", "MalformedCSRException", "",
			"the CSR cannot be read, or its signature is not by its own key",
			"send a PKCS #10 request in PEM, made with the key that is to be certified"},
		{"pca-csr-key", "MalformedCSRException", "",
			"the CSR's key is neither RSA of 2048 to 4096 bits nor EC on P-256, P-384 or P-521",
			"make such a key and ask with it"},
		{"pca-csr-name", validation, "",
			"the certificate would have neither subject nor subject alternative name",
			"give the CSR a common name"},
		{"pca-end", validation, "",
			"the validity is of no known type, or ends before it begins",
			"give an end that lies ahead, as DAYS 7 or END_DATE in the form YYYYMMDDHHMMSS"},
		{"pca-short-lived", validation, "",
			"a CA in short-lived mode issues for seven days at most",
			"ask for 168 hours or less, or use a general-purpose CA"},
		{"pca-beyond-ca", validation, "The certificate validity specified exceeds the certificate authority validity",
			"the certificate would outlive the CA's own",
			"ask for less, or renew the CA's certificate first"},
		{"pca-path-length", validation, "",
			"the CA's path length leaves no room for a CA of this template",
			"take a template of a smaller PathLen, or issue from a CA that is nearer to the root"},
		{"pca-certificate-missing", "ResourceNotFoundException", "",
			"the private CA issued no such certificate",
			"correct the certificate's ARN or serial number"},
	}
}
