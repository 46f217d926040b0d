package reason

import "slices"

// secrets: Secrets Manager, Parameter Store and KMS.
func secrets() []Reason {
	return slices.Concat(secretsManager(), parameterStore(), keyManagement(), mounts())
}

func secretsManager() []Reason {
	return []Reason{
		{"body-malformed", "SerializationException", "",
			"the request's body is not the JSON that the operation takes", "send one JSON object with members of the right types"},
		{"secret-not-found", "ResourceNotFoundException", "Secrets Manager can't find the specified secret.",
			"the account has no secret of this name in the region", "correct the name or ARN, account and region included, or create the secret"},
		{"secret-not-found-denied", "AccessDeniedException", "User: %s is not authorized to perform: %s on resource: %s because no %s allows the %s action",
			"there is no such secret, and the caller's policies do not cover the bare name, so AWS says that it is not authorized",
			"correct the name, account and region; from another account give the full ARN"},
		{"secret-version", "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: %s",
			"the secret has no version with this id or staging label", "ask for a version that list-secret-version-ids shows, or put a value"},
		{"secret-deleted", "InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.",
			"the secret is marked for deletion", "restore-secret, while its recovery window lasts"},
		{"secret-exists", "ResourceExistsException", "",
			"there is a secret of this name, or a version of this id with another value", "choose another name or token, or put a new version"},
		{"secret-parameter", "InvalidParameterException", "",
			"a parameter of the call is missing or not of the form that Secrets Manager takes", "correct the parameter that the message names"},
		{"secret-own-key", "InvalidRequestException", "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.",
			"the secret is encrypted with alias/aws/secretsmanager, which no other account can use",
			"encrypt the secret with a customer-managed KMS key whose policy lets the other account kms:Decrypt"},
		{"secret-key-denied", "AccessDeniedException", "Access to KMS is not allowed",
			"the caller may not use the KMS key that the secret is encrypted with",
			"allow kms:Decrypt on the key, in the caller's identity policy and, from another account, in the key policy as well"},
		{"secret-key-unusable", "DecryptionFailure", "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
			"the secret's KMS key is disabled, pending deletion or gone", "enable the key, or encrypt the secret with another"},
		{"secret-policy", "MalformedPolicyDocumentException", "",
			"Secrets Manager does not take the text as a resource policy", "correct the policy at the place that the detail names"},
		{"secret-policy-public", "PublicPolicyException", "You can not attach a resource policy that grants Public access to your secret.",
			"the resource policy lets everybody in, and the call asked to block that", "name principals, or add a condition that narrows them"},
		{"secret-next-token", "InvalidNextTokenException", "The NextToken value is invalid.",
			"no page of this list has ended with the token", "begin the list anew"},
	}
}

func parameterStore() []Reason {
	return []Reason{
		{"parameter-not-found", "ParameterNotFound", "",
			"the account has no parameter of this name in the region", "correct the name, its leading slash included, or put the parameter"},
		{"parameter-version", "ParameterVersionNotFound", "Systems Manager could not find version %s of %s.",
			"the parameter has no version with this number or label", "ask for a version that get-parameter-history shows"},
		{"parameter-exists", "ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
			"there is a parameter of this name", "set Overwrite, or choose another name"},
		{"parameter-name", "HierarchyLevelLimitExceededException", "",
			"the name is one that parameters may not have", "use at most 15 levels, and no name that begins with ssm or aws"},
		{"parameter-type", "UnsupportedParameterType", "The parameter type is not supported.",
			"the type is none of Parameter Store's", "use String, StringList or SecureString"},
		{"parameter-pattern", "ParameterPatternMismatchException", "",
			"the value does not match the parameter's allowed pattern", "correct the value, or the pattern"},
		{"parameter-limit", "ParameterMaxVersionLimitExceeded", "",
			"the parameter would have more versions or labels than allowed", "remove what is not needed"},
		{"parameter-key", "InvalidKeyId", "Invalid keyId %s",
			"the KMS key of the SecureString does not exist, is disabled or fits no such parameter", "name a key of the region that is enabled"},
		{"parameter-policy", "MalformedResourcePolicyDocumentException", "The specified policy document is malformed or invalid.",
			"the parameter's resource policy is none that Systems Manager takes", "correct what the detail names"},
		{"parameter-policy-tier", "ResourcePolicyInvalidParameterException", "The resource must be a parameter in the advanced tier.",
			"the parameter is of the standard tier, which cannot be shared", "put it anew with --tier Advanced"},
		{"parameter-policy-conflict", "ResourcePolicyConflictException", "The hash provided in the call doesn't match the stored hash.",
			"the call does not name the policy that is there", "give PolicyId and PolicyHash as get-resource-policies shows them"},
		{"ssm-parameter", "ValidationException", "",
			"a parameter of the call is missing or not of the form that Systems Manager takes", "correct the parameter that the message names"},
	}
}

func keyManagement() []Reason {
	return []Reason{
		{"kms-key-not-found", "NotFoundException", "",
			"the account has no such key, alias or key policy in the region", "correct the id, ARN or alias, account and region included"},
		{"kms-key-disabled", "DisabledException", "%s is disabled.",
			"the key is disabled", "enable-key, or use another"},
		{"kms-key-state", "KMSInvalidStateException", "%s is pending deletion.",
			"the key is not in a state that allows the call", "cancel-key-deletion and enable-key, or use another"},
		{"kms-key-usage", "InvalidKeyUsageException", "",
			"the key is of another kind, or has other algorithms", "use a key whose KeyUsage and KeySpec fit"},
		{"kms-parameter", "ValidationException", "",
			"a parameter of the call is missing or not of the form that KMS takes", "correct the parameter that the message names"},
		{"kms-other-account", "AccessDeniedException", "User: %s is not authorized to perform: kms:%s on resource: %s",
			"only callers of the key's own account may make this call", "use an identity of the key's account"},
		{"kms-policy-malformed", "MalformedPolicyDocumentException", "",
			"KMS does not take the text as a key policy", "correct the policy at the place that the detail names"},
		{"kms-policy-lockout", "MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.",
			"the caller could not change the key policy again", "let the policy allow kms:PutKeyPolicy to the account or the caller"},
		{"kms-alias-name", "InvalidAliasNameException", "",
			"the name is none that an alias may have", "begin it with alias/, but not with alias/aws/"},
		{"kms-alias-exists", "AlreadyExistsException", "An alias with the name %s already exists",
			"the alias stands for a key already", "update-alias, or choose another name"},
		{"kms-grant-not-found", "NotFoundException", "",
			"the key has no such grant", "list-grants shows those that it has"},
		{"kms-ciphertext", "InvalidCiphertextException", "",
			"the ciphertext was altered, or the encryption context is not the one that it was made with", "send the ciphertext as it was made, with the same encryption context"},
		{"kms-ciphertext-key", "AccessDeniedException", "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.",
			"the key that made the ciphertext is not here, or not the one that the call names", "ask in the region and by the key of the ciphertext"},
		{"kms-signature", "KMSInvalidSignatureException", "",
			"the signature is not of this key over this message", "sign again, with the same key, message type and algorithm"},
	}
}

// mounts: secrets as files in pods.
func mounts() []Reason {
	return []Reason{
		{"secrets-parameter", "", "",
			"a parameter of the SecretProviderClass has a value that it cannot have", "correct the parameter that the error names"},
		{"secrets-objects", "", "",
			"the objects of the SecretProviderClass are not a YAML list of objects, or more than one mount may have",
			"write a YAML list; each entry has an objectName; spread what is too much over two SecretProviderClasses"},
		{"secrets-object", "", "",
			"an object of the SecretProviderClass lacks a field, or has one that it cannot have", "correct the field that the error names"},
		{"secrets-path", "", "",
			"the name of an object or alias cannot be the name of a file below the mount", "give an objectAlias of plain characters, without .. and without empty parts"},
		{"secrets-collision", "", "",
			"two objects, aliases or jmesPath entries make the same file, or a file where another needs a folder", "give one of them another objectAlias"},
		{"secrets-region", "", "",
			"the region is not known, or does not fit the ARNs", "set the parameter region, or the provider's region, and name objects of other regions by failoverObject"},
		{"secrets-json", "", "",
			"jmesPath is asked of a value that is not JSON", "store JSON, or leave jmesPath out"},
		{"secrets-jmespath", "", "",
			"a jmesPath is not one, or may make too much of its value",
			"correct it; names with other characters than letters, digits and _ stand in double quotes; lists, filters and functions in each other multiply what they are given"},
		{"secrets-jmes-result", "", "",
			"a jmesPath finds nothing, or something that is no string", "point it at a string of the value, or quote the value"},
		{"secrets-too-large", "", "",
			"the files are larger together than the driver takes", "spread the objects over two SecretProviderClasses"},
		{"secrets-denied", "AccessDeniedException", "User: %s is not authorized to perform: %s on resource: %s because no %s allows the %s action",
			"the pod's role may not read the secret or parameter", "allow the action in the policy that the message names"},
		{"secrets-assume-role", "AccessDenied", "User: %s is not authorized to perform: sts:AssumeRole on resource: %s",
			"the pod's role may not go on to the role of assumeRoleArn",
			"allow sts:AssumeRole in the pod's role, and let that role's trust policy name the pod's role"},
		{"secrets-credentials", "", "",
			"AWS gives the pod's identity no credentials", "look at the code and message, and at the role's trust policy"},
		{"secrets-unreachable", "", "",
			"AWS did not answer", "look at DNS, network policy and proxy between the node and the region's endpoints"},
		{"secrets-failed", "", "",
			"AWS answered with an error", "look at its code and message"},
		{"secrets-request", "", "",
			"the mount request is not one of the Secrets Store CSI driver", "let nothing but the driver call the provider's socket"},
		{"secrets-no-token", "", "",
			"the driver sent no token of the pod's ServiceAccount for this audience", "set tokenRequests of the driver: audiences sts.amazonaws.com and pods.eks.amazonaws.com"},
		{"secrets-method", "", "",
			"the pod's identity has another method than web identity, and usePodIdentity is not set", "set usePodIdentity to \"true\" in the SecretProviderClass"},
	}
}
