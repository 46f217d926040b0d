package reason

// topics: SNS.
func topics() []Reason {
	return []Reason{
		{"topic-missing", "NotFound", "Topic does not exist",
			"there is no such topic in this region of that account",
			"correct the topic's ARN, or create the topic"},
		{"sns-parameter", "InvalidParameter", "Invalid parameter: %s",
			"a parameter of the call, or a part of the message, is not one that SNS takes",
			"correct what the message names"},
		{"sns-policy", "InvalidParameter", "Invalid parameter: Policy Error: %s",
			"the topic's policy is not one that SNS takes, or names a user or role that does not exist",
			"correct the policy as the message says"},
		{"sns-quota", "TopicLimitExceeded", "",
			"the account has as many topics as SNS allows",
			"delete topics that are not needed"},
	}
}
