package sandbox

import "daypass.dev/sandbox/world"

// Environment are the variables, as NAME=value, by which AWS's SDKs and CLI
// find a sandbox, trust its CA and sign with a key.
func Environment(url, caFile, region string, key world.AccessKey) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + url,
		"AWS_CA_BUNDLE=" + caFile,
		"NODE_EXTRA_CA_CERTS=" + caFile,
		"SSL_CERT_FILE=" + caFile,
		"AWS_REGION=" + region,
		"AWS_DEFAULT_REGION=" + region,
		"AWS_ACCESS_KEY_ID=" + key.ID,
		"AWS_SECRET_ACCESS_KEY=" + key.Secret,
	}
}
