package deliver

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"time"

	"daypass.dev"
)

// Audit writes one line of JSON for every caller that asked next for
// credentials, and for every one that was refused, before the answer leaves:
//
//	time        when, in UTC
//	outcome     served, refused (by daypass) or failed (AWS gave none)
//	reason      why refused, a slug of the catalogue; code is what failed
//	endpoint    imds or container
//	role        the ARN
//	accessKeyId, expires, requestId  of what was served, the last being AWS's id
//	            of the call that gave it
//	caller      the address that asked
//	pid, uid, executable  of the process that holds the other end of the
//	            connection, where Linux tells: uid of any on this machine that
//	            waits for its answer, the others for processes of our own user,
//	            or of all as root, in a PID namespace that we see. Elsewhere they
//	            are left out.
//
// No secret, and nothing that a caller sent, stands in it. A line that cannot
// be written is an error for log; credentials are served all the same.
func Audit(next http.Handler, to io.Writer, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &access{Caller: r.RemoteAddr}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), accessKey{}, a)))
		if a.Outcome == "" {
			return
		}
		a.Time = time.Now().UTC()
		a.process = a.holder(r)
		line, _ := json.Marshal(a) // strings and numbers only: it cannot fail
		if _, err := to.Write(append(line, '\n')); err != nil {
			quiet(log).Error("writing the audit log", "error", err.Error())
		}
	})
}

type accessKey struct{}

// An access is one line, empty as long as nobody asked for credentials.
type access struct {
	Time        time.Time  `json:"time"`
	Outcome     string     `json:"outcome"`
	Reason      string     `json:"reason,omitempty"`
	Code        string     `json:"code,omitempty"`
	Endpoint    string     `json:"endpoint,omitempty"`
	Role        string     `json:"role,omitempty"`
	AccessKeyID string     `json:"accessKeyId,omitempty"`
	Expires     *time.Time `json:"expires,omitempty"`
	RequestID   string     `json:"requestId,omitempty"`
	Caller      string     `json:"caller"`
	process
}

// A process is who holds a connection's other end, as far as that is known.
type process struct {
	PID        int    `json:"pid,omitempty"`
	UID        *int   `json:"uid,omitempty"`
	Executable string `json:"executable,omitempty"`
}

func (a *access) holder(r *http.Request) process {
	at, ok := calledAt(r)
	if !ok {
		return process{}
	}
	return holder(r.RemoteAddr, at)
}

// accessOf is nil where nobody keeps an audit log.
func accessOf(r *http.Request) *access {
	a, _ := r.Context().Value(accessKey{}).(*access)
	return a
}

// asked notes which endpoint and role it is about.
func (a *access) asked(endpoint, role string) {
	if a != nil {
		a.Endpoint, a.Role = endpoint, role
	}
}

func (a *access) served(c daypass.Credentials) {
	if a == nil {
		return
	}
	expires := c.Expires.UTC()
	a.Outcome, a.AccessKeyID, a.Expires, a.RequestID = "served", c.AccessKeyID, &expires, c.RequestID
	if c.RoleARN != "" {
		a.Role = c.RoleARN
	}
}

func (a *access) failed(f failure) {
	switch {
	case a == nil:
	case f.slug != "":
		a.Outcome, a.Reason = "refused", f.slug
	default:
		a.Outcome, a.Code = "failed", f.code
	}
}
