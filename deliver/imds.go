package deliver

import (
	"crypto/sha256"
	"encoding/base32"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"daypass.dev"
)

const (
	headerTTL   = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
	headerToken = "X-Aws-Ec2-Metadata-Token"

	// patience leaves Go's client, which waits 500 ms, and our promise of 300
	// their time for the rest.
	imdsPatience = 250 * time.Millisecond
)

// IMDS speaks the part of EC2's instance metadata service that SDKs use to get
// credentials and a region; version 2 only, so every answer needs a session
// token. What is not known here, such as an availability zone or an identity
// document, is 404. It answers within 300 ms whatever the source does; where
// there are no credentials, with AWS's error in the document that says so. At a
// link-local address it answers this machine alone.
//
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
type IMDS struct {
	Source daypass.Source
	// RoleARN names the role; its last element is the name that is listed.
	RoleARN string
	// Region is what placement/region says; empty: 404.
	Region string
	// Log is told of callers that got no credentials. Nil: silent.
	Log *slog.Logger

	tokens  tokens
	printed printed
}

func (h *IMDS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	accessOf(r).asked("imds", h.RoleARN)
	switch local, ok := calledAt(r); {
	case !ok || !local.Addr().IsLoopback() && !local.Addr().IsLinkLocalUnicast():
		refuse(w, r, h.Log, refusal("imds-address"))
		return
	case local.Addr().IsLinkLocalUnicast() && !from(r, local.Addr()):
		refuse(w, r, h.Log, refusal("caller-remote"))
		return
	}
	where := place(r.URL.Path)
	method := http.MethodGet
	if where == "latest/api/token" {
		method = http.MethodPut
	}
	if r.Method != method {
		w.Header().Set("Allow", method)
		refuse(w, r, h.Log, refusal("caller-method"))
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	if method == http.MethodPut {
		h.token(w, r)
		return
	}
	left := h.tokens.left(r.Header.Get(headerToken))
	if left <= 0 {
		refuse(w, r, h.Log, refusal("imds-token"))
		return
	}
	w.Header().Set(headerTTL, strconv.Itoa(int(left/time.Second)))
	h.metadata(w, r, where)
}

// token answers PUT /latest/api/token.
func (h *IMDS) token(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.Atoi(r.Header.Get(headerTTL))
	ttl := time.Duration(seconds) * time.Second
	if err != nil || seconds < 1 || seconds > maxTokenTTL {
		refuse(w, r, h.Log, refusal("imds-ttl"))
		return
	}
	w.Header().Set(headerTTL, strconv.Itoa(seconds))
	write(w, h.tokens.make(ttl))
}

// metadata answers what a caller with a token asks for.
func (h *IMDS) metadata(w http.ResponseWriter, r *http.Request, what string) {
	role := h.role()
	switch what {
	case "latest/meta-data":
		write(w, "iam/\nplacement/")
	case "latest/meta-data/iam":
		write(w, "info\nsecurity-credentials/")
	case "latest/meta-data/iam/info":
		h.info(w, role)
	case "latest/meta-data/iam/security-credentials":
		write(w, role)
	case "latest/meta-data/iam/security-credentials/" + role:
		h.credentials(w, r)
	case "latest/meta-data/placement":
		write(w, "region")
	case "latest/meta-data/placement/region":
		if h.Region != "" {
			write(w, h.Region)
			return
		}
		fallthrough
	default:
		http.Error(w, "not found", http.StatusNotFound)
	}
}

// from reports whether the caller has the address that it called, as a process
// on this machine does. Link-local or not, the kernel also answers whoever has a
// route or asks by ARP.
func from(r *http.Request, called netip.Addr) bool {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && plain(remote).Addr() == called
}

func (h *IMDS) role() string { return h.RoleARN[strings.LastIndexByte(h.RoleARN, '/')+1:] }

// info stands for an instance profile, of which there is none: it has the
// role's account and name, and an id that is made from them.
func (h *IMDS) info(w http.ResponseWriter, role string) {
	profile := h.RoleARN
	if head, _, ok := strings.Cut(h.RoleARN, ":role/"); ok {
		profile = head + ":instance-profile/" + role
	}
	sum := sha256.Sum256([]byte(profile))
	writeJSON(w, struct {
		Code, LastUpdated, InstanceProfileArn, InstanceProfileId string
	}{"Success", stamped(time.Now()), profile, "AIPA" + base32.StdEncoding.EncodeToString(sum[:])[:17]})
}

func (h *IMDS) credentials(w http.ResponseWriter, r *http.Request) {
	c, err := fetch(r.Context(), h.Source, imdsPatience)
	if err != nil {
		f := explain(err)
		told(h.Log, r, f)
		// 200, as EC2 does: SDKs read Code and Message from nothing else.
		writeJSON(w, struct{ Code, Message, LastUpdated string }{f.code, f.message, stamped(time.Now())})
		return
	}
	accessOf(r).served(c)
	_, _ = w.Write(h.printed.of(c, imdsDocument))
}

func imdsDocument(c daypass.Credentials) any {
	issued := c.Issued
	if issued.IsZero() {
		issued = time.Now()
	}
	return struct {
		Code, LastUpdated, Type, AccessKeyId, SecretAccessKey, Token, Expiration string
	}{"Success", stamped(issued), "AWS-HMAC", c.AccessKeyID,
		c.SecretAccessKey.Reveal(), c.SessionToken.Reveal(), stamped(c.Expires)}
}

func write(w http.ResponseWriter, text string) { _, _ = io.WriteString(w, text) }
