package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"daypass.dev"
)

// A failure is what a caller is told instead of credentials.
type failure struct {
	slug          string // in the catalogue of reasons; empty for AWS's own refusals
	status        int    // IMDS answers 200 where a source failed
	code, message string
}

// refusals is the list of what these services themselves refuse.
func refusals() []failure {
	return []failure{
		{"caller-target", 400, "BadRequest", "the request must name a path, not a whole URL"},
		{"caller-host", 403, "WrongHost", "the Host header must be the address that was called"},
		{"caller-remote", 403, "NotLocal", "only this machine may call this address"},
		{"caller-forwarded", 400, "Forwarded", "requests that came through a proxy are refused"},
		{"caller-origin", 403, "Browser", "requests by web pages are refused"},
		{"caller-referer", 403, "Browser", "requests by web pages are refused"},
		{"caller-browser", 403, "Browser", "requests by web pages are refused"},
		{"caller-body", 400, "BadRequest", "the request must have no body"},
		{"caller-method", 405, "MethodNotAllowed", "only GET, and PUT for a session token"},
		{"imds-address", 403, "NotLocal", "the metadata service answers on loopback and link-local addresses only"},
		{"imds-ttl", 400, "BadRequest", headerTTL + " must be a number of seconds from 1 to 21600"},
		{"imds-token", 401, "Unauthorized", "a valid session token is needed in " + headerToken},
		{"role-not-named", 404, "RoleNotNamed", "several roles are served here, each at /role/NAME/v1/credentials; this path names none of them"},
		{"container-no-token", 403, "AuthorizationTokenNotSet", "this endpoint was started without an authorization token"},
		{"container-token-file", 500, "AuthorizationTokenUnreadable", "the authorization token file of this endpoint cannot be used"},
		{"container-token-missing", 401, "MissingAuthorizationToken", "show the authorization token, as SDKs do with AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"},
		{"container-token-wrong", 403, "InvalidAuthorizationToken", "the authorization token is not that of this endpoint"},
	}
}

func refusal(slug string) failure {
	for _, f := range refusals() {
		if f.slug == slug {
			return f
		}
	}
	return failure{slug, http.StatusForbidden, "Refused", slug}
}

// explain turns a source's error into what SDKs can show. The status fits what
// they make of it: Go repeats 429 and 5xx only, JavaScript reads the code of
// 4xx only. So a refusal keeps AWS's status, what AWS may answer otherwise
// later is 429, and what AWS never answered is 5xx.
func explain(err error) failure {
	var aws *daypass.Error
	switch {
	case errors.As(err, &aws):
		f := failure{"", http.StatusTooManyRequests, aws.Code, aws.Message}
		if !aws.Temporary() && aws.Status >= 400 {
			f.status = aws.Status
		}
		if f.message == "" {
			f.message = aws.Error()
		}
		return f
	case errors.Is(err, errPending), errors.Is(err, context.Canceled):
		return failure{"", http.StatusServiceUnavailable, "CredentialsPending", "AWS has not answered yet: try again"}
	default:
		return failure{"", http.StatusInternalServerError, "CredentialsUnavailable", err.Error()}
	}
}

// refuse writes f and logs why. What the caller sent is never logged; why a
// source fails is for the source to tell, once and not for every caller.
//
// Go takes an error from application/json only, under code and message;
// JavaScript looks for Code and Message.
func refuse(w http.ResponseWriter, r *http.Request, log *slog.Logger, f failure) {
	told(log, r, f)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	writeJSON(w, struct {
		Code      string `json:"code"`
		Message   string `json:"message"`
		JSCode    string `json:"Code"`
		JSMessage string `json:"Message"`
	}{f.code, f.message, f.code, f.message})
}

func told(log *slog.Logger, r *http.Request, f failure) {
	accessOf(r).failed(f)
	if f.slug == "" {
		quiet(log).Debug("no credentials for a caller", "remote", r.RemoteAddr, "code", f.code, "message", f.message)
		return
	}
	quiet(log).Warn("refused a caller", "reason", f.slug, "remote", r.RemoteAddr, "message", f.message)
}

// writeJSON writes v, which cannot fail to encode. The content type is the
// caller's: EC2's documents are text/plain.
func writeJSON(w http.ResponseWriter, v any) {
	doc, _ := json.Marshal(v)
	_, _ = w.Write(doc)
}

func quiet(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
