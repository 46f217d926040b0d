package reason

import "slices"

const invalidClientToken = "The security token included in the request is invalid."

// services: the other refusals of the services in the sandbox.
func services() []Reason {
	return slices.Concat(sandboxItself(), requests(), assumptions(), entities())
}

// sandboxItself: what the sandbox does that AWS does not.
func sandboxItself() []Reason {
	return []Reason{
		{"operation-not-built", "NotImplemented", "",
			"the sandbox does not have this operation of the service, or this service",
			"try it against AWS, or ask for it; the sandbox never pretends that it worked"},
		{"internal-failure", "InternalFailure", "The request processing has failed because of an unknown error, exception or failure.",
			"the sandbox itself failed",
			"report it with the decision record, whose detail says where"},
		{"fault", "InternalFailure", "",
			"the world asked for this error to be answered",
			"take the fault out of the world, or let the client try again"},
		{"throttled", "ThrottlingException", "Rate exceeded",
			"the service was called more often than it allows, or the world asked for throttling",
			"call less often, wait for as long as Retry-After says, and let one process ask for many"},
	}
}

// requests: what cannot be read, and keys that are no good.
func requests() []Reason {
	return []Reason{
		{"query-malformed", "MalformedQueryString", "The query string contains a syntax error",
			"the form in the request's body or query cannot be decoded",
			"percent-encode the form as application/x-www-form-urlencoded"},
		{"parameter-malformed", "MalformedInput", "",
			"a parameter cannot be read as the number that it must be",
			"send a whole number in digits"},
		{"parameter-invalid", "ValidationError", "",
			"a parameter is missing, too short, too long or not of the form that the service takes",
			"correct the parameter that the message names"},
		{"access-key-inactive", "InvalidClientTokenId", invalidClientToken,
			"the access key was made inactive",
			"make the key active again, or use another"},
		{"session-token-missing", "InvalidClientTokenId", invalidClientToken,
			"temporary keys (ASIA…) were used without their session token",
			"send the session token too: AWS_SESSION_TOKEN in the environment"},
		{"session-role-gone", "InvalidClientTokenId", invalidClientToken,
			"the session's role was deleted, or deleted and made anew, since the session was issued",
			"get new credentials; a role of the same name is another role"},
	}
}

// assumptions: AssumeRole.
func assumptions() []Reason {
	return []Reason{
		{"role-not-found", "AccessDenied", "User: %s is not authorized to perform: sts:AssumeRole on resource: %s",
			"the role does not exist; AWS words it as if it did not trust the caller",
			"correct the role's ARN, account and path included, or create the role"},
		{"trust-tag-session", "AccessDenied", "",
			"the role may be assumed, but sessions with tags are not allowed for the lack of sts:TagSession",
			"add sts:TagSession to the action of the trust policy's statement, or of the caller's own policy"},
		{"trust-source-identity", "AccessDenied", "",
			"the role may be assumed, but not with a source identity, for the lack of sts:SetSourceIdentity",
			"add sts:SetSourceIdentity to the action of the trust policy's statement, or of the caller's own policy"},
		{"source-identity-fixed", "AccessDenied", "",
			"the calling session has a source identity, which no session after it can change",
			"leave SourceIdentity out, or ask for the same"},
		{"transitive-tag-fixed", "InvalidParameterValue", "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
			"the calling session hands this tag on, and no session after it can change it",
			"leave the tag out"},
		{"session-tags-duplicate", "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
			"two session tags have keys that differ in case only, or not at all",
			"send each key once"},
		{"duration-over-role", "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
			"the session asked for is longer than the role allows",
			"ask for a shorter session, or raise the role's MaxSessionDuration"},
		{"duration-over-chained", "ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
			"a role that is assumed by another role's session has at most one hour",
			"ask for one hour or less, or assume the role directly"},
		{"session-policy-not-found", "MalformedPolicyDocument", "",
			"a managed policy given as session policy is not in the role's account and not one of AWS's that the sandbox knows",
			"create the policy in the role's account, or correct its ARN"},
		{"packed-policy-too-large", "PackedPolicyTooLarge", "",
			"session policies and session tags together are larger than a session holds",
			"send fewer tags or a shorter session policy"},
	}
}

// entities: IAM.
func entities() []Reason {
	return []Reason{
		{"policy-malformed", "MalformedPolicyDocument", "",
			"the policy is not one that IAM takes",
			"correct the policy at the line that the detail names"},
		{"entity-missing", "NoSuchEntity", "",
			"the role, user, policy, version or key does not exist in the caller's account",
			"correct the name, or create it first"},
		{"entity-exists", "EntityAlreadyExists", "",
			"the account has one of that name already; names do not differ by case",
			"choose another name, or delete the old one"},
		{"delete-conflict", "DeleteConflict", "",
			"it still has policies, versions or keys, or is still attached",
			"remove what the message names, then delete"},
		{"quota-exceeded", "LimitExceeded", "",
			"one of IAM's quotas is used up",
			"make the policy shorter, or delete what is not needed"},
		{"input-invalid", "InvalidInput", "",
			"an input is not one that IAM takes",
			"correct the input that the message names"},
		{"policy-not-attachable", "NoSuchEntity", "",
			"the managed policy does not exist, is another account's, or is one of AWS's that the sandbox does not know",
			"create the policy in this account, or correct its ARN"},
		{"policy-of-aws", "AccessDenied", "",
			"policies that AWS manages can be attached but not changed",
			"create a policy of your own"},
	}
}
