package refresh

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"daypass.dev"
	"daypass.dev/internal/atomicfile"
)

// A document is what stands in the file. Its secrets are plain text: the file
// is their only reader's own.
type document struct {
	Key string `json:"key"`
	// Asked is the local clock before the call.
	Asked           time.Time `json:"asked"`
	AccessKeyID     string    `json:"accessKeyId,omitempty"`
	SecretAccessKey string    `json:"secretAccessKey,omitempty"`
	SessionToken    string    `json:"sessionToken,omitempty"`
	Issued          time.Time `json:"issued"`
	Expires         time.Time `json:"expires"`
	RoleARN         string    `json:"roleArn,omitempty"`
	AccountID       string    `json:"accountId,omitempty"`
	// Failure is how the latest call failed; nil if it did not.
	Failure *failure `json:"failure,omitempty"`
}

// A failure is an error that other processes can share.
type failure struct {
	At   time.Time      `json:"at"`
	AWS  *daypass.Error `json:"aws,omitempty"`
	Text string         `json:"text,omitempty"`
}

func newDocument(key string, asked time.Time, c daypass.Credentials) document {
	return document{
		Key: key, Asked: asked.Round(0), AccessKeyID: c.AccessKeyID,
		SecretAccessKey: c.SecretAccessKey.Reveal(), SessionToken: c.SessionToken.Reveal(),
		Issued: c.Issued, Expires: c.Expires, RoleARN: c.RoleARN, AccountID: c.AccountID,
	}
}

func (d document) credentials() daypass.Credentials {
	return daypass.Credentials{
		AccessKeyID: d.AccessKeyID, SecretAccessKey: daypass.Secret(d.SecretAccessKey),
		SessionToken: daypass.Secret(d.SessionToken),
		Issued:       d.Issued, Expires: d.Expires, RoleARN: d.RoleARN, AccountID: d.AccountID,
	}
}

func (d document) life() time.Duration {
	if d.Issued.IsZero() {
		return d.Expires.Sub(d.Asked)
	}
	return d.Expires.Sub(d.Issued)
}

func (d document) remaining(now time.Time) time.Duration {
	age := now.Round(0).Sub(d.Asked)
	if age < 0 || !d.credentials().Whole() {
		return 0
	}
	return d.life() - age
}

func (d document) alive(now time.Time) bool { return d.remaining(now) > 0 }

// young tells whether so much life is left that nobody needs to be asked.
func (d document) young(now time.Time) bool {
	return d.alive(now) && d.remaining(now) >= d.life()/2
}

// failedFor tells whether a failure is the answer for one who began to wait
// then: it came since, or so shortly before that asking again would be a
// burden.
func (d document) failedFor(begin, now time.Time) bool {
	f := d.Failure
	if f == nil || f.At.After(now) {
		return false
	}
	rest := floor
	if d.alive(now) {
		rest = max(rest, min(restWithCredentials, d.life()/8))
	}
	if f.AWS != nil {
		rest = max(rest, min(f.AWS.RetryAfter, longestRetryAfter))
	}
	return f.At.After(begin) || now.Sub(f.At) < rest
}

func newFailure(err error, at time.Time) *failure {
	f := &failure{At: at.Round(0)}
	if !errors.As(err, &f.AWS) {
		f.Text = err.Error()
	}
	return f
}

func (f *failure) err() error {
	if f.AWS != nil {
		return f.AWS
	}
	return errors.New(f.Text)
}

const (
	// restWithCredentials spares programs a hopeless call each time that they
	// ask for what they could have.
	restWithCredentials = 30 * time.Second

	docEnding  = ".json"
	lockEnding = ".lock"
	maxDoc     = 64 << 10
	// forgotten is older than any session gets.
	forgotten = 13 * time.Hour
)

// ours are the names of this package's files, those half written among them.
func ours(name string) bool {
	name = strings.TrimPrefix(name, ".")
	if len(name) < 64 || strings.Trim(name[:64], "0123456789abcdef") != "" {
		return false
	}
	ending := strings.TrimRight(name[64:], "0123456789")
	if len(ending) != len(name[64:]) { // one that atomicfile had not finished
		ending = strings.TrimSuffix(ending, ".")
	}
	return ending == docEnding || ending == lockEnding
}

func fileName(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// read returns the zero document where there is none that can be trusted.
func (m *memory) read() document {
	doc, err := m.load()
	if err != nil {
		if !missing(err) {
			m.warn("not using the remembered credentials", err)
		}
		return document{}
	}
	return doc
}

func (m *memory) load() (document, error) {
	f, err := os.OpenFile(m.path+docEnding, os.O_RDONLY|noFollow, 0)
	if err != nil {
		return document{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return document{}, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm() != 0o600 || !mine(info) {
		return document{}, fmt.Errorf("%s is not a file of ours with mode 0600", f.Name())
	}
	data, err := io.ReadAll(io.LimitReader(f, maxDoc+1))
	if err != nil {
		return document{}, err
	}
	var doc document
	if len(data) > maxDoc || json.Unmarshal(data, &doc) != nil || doc.Key != m.key {
		return document{}, fmt.Errorf("%s is not a document of ours", f.Name()) // the cause may quote it
	}
	return doc, nil
}

// write replaces the document, and clears away what certificates of former
// days have left.
func (m *memory) write(doc document) error {
	data, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(m.path+docEnding, data, 0o600); err != nil {
		return err
	}
	now := time.Now()
	_ = os.Chtimes(m.path+lockEnding, now, now) // in use: not to be cleared away
	dir := filepath.Dir(m.path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && ours(e.Name()) && now.Sub(info.ModTime()) > forgotten {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
	return nil
}
