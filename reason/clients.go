package reason

// clients: what daypass itself refuses: settings, files, callers of its endpoints.
func clients() []Reason {
	return []Reason{
		{
			Slug: "caller-target", Code: "BadRequest",
			Cause: "a request to a credential endpoint named a whole URL, as one to a proxy does",
			Mend:  "take this address out of HTTP_PROXY, or add it to NO_PROXY",
		}, {
			Slug: "caller-host", Code: "WrongHost",
			Cause: "the Host header of a request was not the address that it came to, as when a web page's name is made to point at this machine, or a port is mapped to another",
			Mend:  "call the endpoint by its own IP address and port, or localhost",
		}, {
			Slug: "caller-remote", Code: "NotLocal",
			Cause: "a request came from another machine to a loopback address, which kernels with route_localnet let in, or to the metadata service at a link-local address, which whoever has a route can call",
			Mend:  "run daypass beside the workload instead of reaching it over the network",
		}, {
			Slug: "caller-forwarded", Code: "Forwarded",
			Cause: "a request carried X-Forwarded-For, so a proxy passed on somebody else's",
			Mend:  "let the workload call the endpoint itself",
		}, {
			Slug: "caller-origin", Code: "Browser",
			Cause: "a request carried Origin, so a web page sent it",
			Mend:  "use an AWS SDK; browsers must not get credentials from here",
		}, {
			Slug: "caller-referer", Code: "Browser",
			Cause: "a request carried Referer, so a web page led to it",
			Mend:  "use an AWS SDK; browsers must not get credentials from here",
		}, {
			Slug: "caller-browser", Code: "Browser",
			Cause: "a request carried a Sec-Fetch header, so a browser sent it",
			Mend:  "use an AWS SDK; browsers must not get credentials from here",
		}, {
			Slug: "caller-body", Code: "BadRequest",
			Cause: "a request to a credential endpoint had a body, which no SDK sends",
			Mend:  "send GET, or PUT for a session token, without a body",
		}, {
			Slug: "caller-method", Code: "MethodNotAllowed",
			Cause: "a request to a credential endpoint had a method that its path does not have",
			Mend:  "send GET, or PUT to /latest/api/token",
		}, {
			Slug: "imds-address", Code: "NotLocal",
			Cause: "a metadata request came to an address that is neither loopback nor link-local, where a session token protects nothing",
			Mend:  "listen on loopback, or use the container endpoint with its authorization token",
		}, {
			Slug: "imds-ttl", Code: "BadRequest",
			Cause: "a request for a session token lacked X-aws-ec2-metadata-token-ttl-seconds, or it was not 1 to 21600",
			Mend:  "send the header, as IMDSv2 demands",
		}, {
			Slug: "imds-token", Code: "Unauthorized",
			Cause: "a metadata request had no session token, an expired one, or one of another process (IMDSv1 is not served)",
			Mend:  "get a token by PUT /latest/api/token first; SDKs do so by themselves",
		}, {
			Slug: "role-not-named", Code: "RoleNotNamed",
			Cause: "daypass serves several roles, and a request named none of them in its path",
			Mend:  "set AWS_CONTAINER_CREDENTIALS_FULL_URI as serve printed it for the workload's role; there is no metadata service for several",
		}, {
			Slug: "container-no-token", Code: "AuthorizationTokenNotSet",
			Cause: "the container endpoint was called, but daypass was started without an authorization token",
			Mend:  "start it with --authorization-token-file, or use the metadata service",
		}, {
			Slug: "container-token-file", Code: "AuthorizationTokenUnreadable",
			Cause: "the authorization token file of the endpoint is missing, unreadable, empty or larger than 16 KiB",
			Mend:  "write one line of random text into it, readable by daypass and the workload only",
		}, {
			Slug: "container-token-missing", Code: "MissingAuthorizationToken",
			Cause: "a request to the container endpoint had no Authorization header",
			Mend:  "set AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE for the workload",
		}, {
			Slug: "container-token-wrong", Code: "InvalidAuthorizationToken",
			Cause: "a request to the container endpoint had another authorization token than the endpoint's",
			Mend:  "let the workload's AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE be the file given to --authorization-token-file",
		}, {
			Slug:  "listen-routable",
			Cause: "daypass was asked to serve credentials on an address that other machines may reach, without an authorization token",
			Mend:  "listen on loopback, or give --authorization-token-file (or DAYPASS_AUTHORIZATION_TOKEN_FILE)",
		},
		{
			Slug:  "live-name",
			Cause: "the host name of AWS's endpoint, or of the proxy on the way, is not known to this machine's DNS",
			Mend:  "check /etc/resolv.conf and what firewalls let through to it, or set HTTPS_PROXY where DNS knows internal names alone",
		}, {
			Slug:  "live-connection",
			Cause: "the endpoint cannot be reached, or whoever answers there has no certificate that this machine trusts",
			Mend:  "let port 443 through to it, set HTTPS_PROXY, or name the roots of a proxy that opens connections with --ca-bundle",
		}, {
			Slug:  "live-proxy",
			Cause: "the proxy on the way lets no connection to AWS's endpoint through",
			Mend:  "have it let port 443 of AWS's host names through, or leave them out with NO_PROXY",
		}, {
			Slug:  "live-proxy-authentication",
			Cause: "the proxy on the way wants to know who asks",
			Mend:  "set HTTPS_PROXY as http://NAME:PASSWORD@HOST:PORT, with odd characters as %40; Basic is the one way to authenticate that daypass speaks",
		}, {
			Slug:  "live-expired",
			Cause: "a certificate of whoever answers for AWS has expired or is not valid yet, or so it seems by this machine's clock",
			Mend:  "check this machine's clock; where a proxy opens connections, or --ca-bundle (AWS_CA_BUNDLE) names roots, have the one that expired replaced",
		}, {
			Slug:  "live-clock",
			Cause: "this machine's clock differs from AWS's by more than a minute",
			Mend:  "run an NTP client; daypass bears with a wrong clock, other programs that sign requests do not",
		}, {
			Slug:  "live-exchange",
			Cause: "AWS did not give credentials for this certificate",
			Mend:  "see what AWS said",
		},
	}
}
