package vend

// Rules are the slugs of all for which this package refuses a pod, in the order
// in which it looks. A test has a row for each.
func Rules() []string {
	return []string{
		"agent-token-malformed", "agent-token-signature", "agent-token-issuer", "agent-token-audience",
		"agent-token-expired", "agent-token-early", "agent-token-unbound", "agent-token-node",
		"pod-gone", "pod-other-node", "pod-other-account", "pod-other-address",
		"identity-none", "agent-no-signer", "agent-method", "agent-token-missing",
	}
}
