package deliver

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"syscall"
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
	// RoleARN is the role that an audit log names where there are no credentials.
	RoleARN string
	// Log is told of callers that got no credentials. Nil: silent.
	Log *slog.Logger

	printed printed
	rooms   sync.Pool // of *[maxAuthorization + 1]byte
}

func (h *Container) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	accessOf(r).asked("container", h.RoleARN)
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
	accessOf(r).served(c)
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
		if want, err = h.readToken(); err != nil {
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

// readToken asks the kernel itself, in three calls: this is done for every
// request, and must not hang on what turns out to be a pipe.
func (h *Container) readToken() (string, error) {
	wrong := func(err error) error { return &fs.PathError{Op: "reading token file", Path: h.TokenFile, Err: err} }
	fd, err := syscall.Open(h.TokenFile, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", wrong(err)
	}
	defer syscall.Close(fd)
	room, ok := h.rooms.Get().(*[maxAuthorization + 1]byte)
	if !ok {
		room = new([maxAuthorization + 1]byte)
	}
	defer h.rooms.Put(room)
	n, err := syscall.Read(fd, room[:])
	for err == syscall.EINTR {
		n, err = syscall.Read(fd, room[:])
	}
	if err != nil {
		return "", wrong(err)
	}
	token := strings.TrimRight(string(room[:n]), "\r\n")
	if token == "" || n == len(room) {
		return "", wrong(fmt.Errorf("it must hold 1 to %d bytes", maxAuthorization))
	}
	return token, nil
}
