package reason

// policies: a request refused by a policy, and policies refused when written.
// Code and Message are those of query services; json services answer
// AccessDeniedException.
func policies() []Reason {
	const denied = "AccessDenied"
	const implicit = "User: %s is not authorized to perform: %s on resource: %s because no %s allows the %s action"
	return []Reason{
		{
			Slug: "policy-explicit-deny", Code: denied,
			Message: "User: %s is not authorized to perform: %s on resource: %s with an explicit deny in %s",
			Cause:   "a statement with the effect Deny matches the request, and no Allow outweighs a Deny",
			Mend:    "narrow or remove that statement",
		},
		{
			Slug: "policy-no-allow", Code: denied, Message: implicit,
			Cause: "no policy of the kind that must allow has any Allow statement",
			Mend:  "attach a policy that allows the action on the resource",
		},
		{
			Slug: "trust-no-statement", Code: denied, Message: implicit,
			Cause: "the role trust policy has no Allow statement, and a role can be assumed only if its trust policy says so",
			Mend:  "add a statement that allows the caller to the role's trust policy",
		},
		{
			Slug: "policy-principal", Code: denied, Message: implicit,
			Cause: "the nearest statement of the resource's policy does not name the caller",
			Mend:  "add the caller to Principal",
		},
		{
			Slug: "policy-action", Code: denied, Message: implicit,
			Cause: "the nearest statement does not take in the action",
			Mend:  "add the action to Action",
		},
		{
			Slug: "policy-resource", Code: denied, Message: implicit,
			Cause: "the nearest statement allows the action, but on other resources",
			Mend:  "add the resource's ARN to Resource",
		},
		{
			Slug: "policy-variable", Code: denied, Message: implicit,
			Cause: "a resource of the nearest statement holds a variable that has no single value in this request",
			Mend:  "let the caller carry that key, or give the variable a default",
		},
		{
			Slug: "policy-condition", Code: denied, Message: implicit,
			Cause: "a condition of the nearest statement wants another value than the request has",
			Mend:  "let the condition take in the value, or send the value that it wants",
		},
		{
			Slug: "policy-condition-key-missing", Code: denied, Message: implicit,
			Cause: "a condition of the nearest statement compares a key that the request does not carry",
			Mend:  "let the request carry the key, or let the operator end in IfExists",
		},
		{
			Slug: "policy-condition-multivalued", Code: denied, Message: implicit,
			Cause: "a condition compares a key that holds a list with an operator for single values, which never matches",
			Mend:  "put ForAnyValue: or ForAllValues: before the operator",
		},
		{
			Slug: "policy-cross-account", Code: denied, Message: implicit,
			Cause: "the resource belongs to another account, and its own policy allows nobody",
			Mend:  "add a policy to the resource that allows the caller or the caller's account",
		},
		{
			Slug: "policy-boundary", Code: denied, Message: implicit,
			Cause: "the caller's permissions boundary does not allow the action, so that identity policies cannot",
			Mend:  "let the boundary allow the action too, or change the boundary",
		},
		{
			Slug: "policy-session", Code: denied, Message: implicit,
			Cause: "the session was made with session policies, and none of them allows the action",
			Mend:  "let a session policy allow the action too, or make the session without",
		},
	}
}
