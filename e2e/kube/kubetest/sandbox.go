package kubetest

// SandboxNamespace is where the sandbox runs that answers for AWS.
const SandboxNamespace = "aws"
