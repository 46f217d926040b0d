package deliver

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"daypass.dev"
)

// ContainerPath is where Container answers.
const ContainerPath = "/v1/credentials"

const (
	// JavaScript's client gives up after a second; we promise 700 ms.
	containerPatience = 650 * time.Millisecond
	// maxAuthorization bounds the token file; a ServiceAccount's token has
	// about 1 KB.
	maxAuthorization = 16 << 10
)

// Container is the service that AWS_CONTAINER_CREDENTIALS_FULL_URI names: GET
// ContainerPath with the authorization token. It answers within 700 ms
// whatever the source does; errors are JSON with AWS's code.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
type Container struct {
	Source daypass.Source
	// TokenFile holds the token that callers must show in Authorization. It is
	// read anew for every request; line breaks at its end do not count.
	TokenFile string
	// Token is the token itself, where TokenFile is not given. Where neither
	// is, or the file is empty, every caller is refused.
	Token daypass.Secret
	// Log is told of callers that got no credentials. Nil: silent.
	Log *slog.Logger

	printed printed
}

func (h *Container) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if place(r.URL.Path) != ContainerPath[1:] {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		refuse(w, r, h.Log, refusal("caller-method"))
		return
	}
	if slug := h.authorize(r.Header.Get("Authorization")); slug != "" {
		refuse(w, r, h.Log, refusal(slug))
		return
	}
	c, err := fetch(r.Context(), h.Source, containerPatience)
	if err != nil {
		refuse(w, r, h.Log, explain(err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(h.printed.of(c, containerDocument))
}

func containerDocument(c daypass.Credentials) any {
	return struct {
		AccessKeyId, SecretAccessKey, Token, Expiration string
		AccountId                                       string `json:",omitempty"`
	}{c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal(), stamped(c.Expires), c.AccountID}
}

// authorize returns the slug of what is wrong with the token that was shown.
func (h *Container) authorize(shown string) string {
	want := h.Token.Reveal()
	if h.TokenFile != "" {
		var err error
		if want, err = readToken(h.TokenFile); err != nil {
			quiet(h.Log).Error("cannot tell who may ask", "error", err)
			return "container-token-file"
		}
	}
	if want == "" {
		return "container-no-token"
	}
	if shown == "" {
		return "container-token-missing"
	}
	// Hashed, so that not even the length shows in the time this takes.
	a, b := sha256.Sum256([]byte(want)), sha256.Sum256([]byte(shown))
	if subtle.ConstantTimeCompare(a[:], b[:]) != 1 {
		return "container-token-wrong"
	}
	return ""
}

func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading token file: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxAuthorization+1))
	if err != nil {
		return "", fmt.Errorf("reading token file: %w", err)
	}
	token := strings.TrimRight(string(raw), "\r\n")
	if token == "" || len(raw) > maxAuthorization {
		return "", fmt.Errorf("reading token file %s: it must hold 1 to %d bytes", path, maxAuthorization)
	}
	return token, nil
}
