package world

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"daypass.dev/policy"
)

var (
	anywhereName = regexp.MustCompile(`^[ a-zA-Z0-9_-]{1,255}$`)
	uuid         = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

// maxFile bounds what a world reads from one file.
const maxFile = 16 << 20

// stableID is the id of a thing that the world gives none, the same in every
// run, so that its ARN can be written down.
func stableID(account, kind, name string) string {
	b := sha256.Sum256([]byte(account + "\x00" + kind + "\x00" + name))
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// A thing is what anchors, profiles and CRLs have alike.
type thing struct {
	id, name, region string
	disabled         bool
	tags             map[string]string
}

func (t thing) arn(account, kind string) string {
	return "arn:" + PartitionOf(t.region) + ":rolesanywhere:" + t.region + ":" + account + ":" + kind + "/" + t.id
}

// thing reads an anchor, profile or CRL: the common fields into the result, the
// others by own.
func (l *loader) thing(key, n *yaml.Node, kind string, own map[string]func(*yaml.Node)) thing {
	t := thing{name: l.matching(key, anywhereName, "a name", "with letters, digits, blanks and _- only"), region: l.world.Region}
	t.id = stableID(l.account.ID, kind, t.name)
	own["id"] = func(n *yaml.Node) { t.id = l.matching(n, uuid, "an id", "as a UUID in lower case") }
	own["region"] = func(n *yaml.Node) { t.region = l.matching(n, regionName, "a region", "as us-east-1") }
	own["enabled"] = func(n *yaml.Node) { t.disabled = !l.flag(n) }
	own["tags"] = func(n *yaml.Node) { t.tags = l.tags(n) }
	l.fields(n, "a "+kind, own)
	l.inPartition(n, t.region)
	if a := l.account; a.Anchors[t.id] != nil || a.Profiles[t.id] != nil || a.CRLs[t.id] != nil {
		l.fail(key, "give each an id of its own", "the id %s stands twice", t.id)
	}
	return t
}

func (l *loader) anchor(key, n *yaml.Node) {
	var bundle []byte
	t := l.thing(key, n, "trust-anchor", l.fileOr("certificate", func(n *yaml.Node, data []byte) {
		if err := certificates(data); err != nil {
			l.fail(n, "put the CA's certificate in PEM there", "%v", err)
		}
		bundle = data
	}))
	if bundle == nil {
		l.fail(key, "add certificate: with PEM, or certificateFile: with a path", "trust anchor %s has no certificate", t.name)
	}
	l.account.Anchors[t.id] = &Anchor{
		ID: t.id, ARN: t.arn(l.account.ID, "trust-anchor"), Region: t.region, Name: t.name, Disabled: t.disabled, Tags: t.tags,
		Type: "CERTIFICATE_BUNDLE", Bundle: string(bundle),
	}
}

func certificates(data []byte) error {
	n := 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("there is a PEM block of type %s among the certificates", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("a certificate cannot be read: %v", err)
		}
		n++
	}
	if n == 0 {
		return fmt.Errorf("there is no certificate in PEM")
	}
	return nil
}

// fileOr reads a field that holds data, or its twin NAMEFile that holds a path.
func (l *loader) fileOr(name string, read func(*yaml.Node, []byte)) map[string]func(*yaml.Node) {
	return map[string]func(*yaml.Node){
		name:          func(n *yaml.Node) { read(n, []byte(l.text(n))) },
		name + "File": func(n *yaml.Node) { read(n, l.readFile(n)) },
	}
}

func (l *loader) readFile(n *yaml.Node) []byte {
	path := l.text(n)
	if l.err != nil {
		return nil
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.dir, path)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		l.fail(n, "name a regular file", "%s is not a regular file", path)
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		l.fail(n, "correct the path; it is relative to the world's file", "%v", err)
		return nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil || len(data) > maxFile {
		l.fail(n, "name a file of at most 16 MB", "%s cannot be read whole", path)
		return nil
	}
	return data
}

func (l *loader) profile(key, n *yaml.Node) {
	account := l.account
	p := &Profile{Duration: time.Hour}
	t := l.thing(key, n, "profile", map[string]func(*yaml.Node){
		"roles": func(n *yaml.Node) {
			items := l.list(n, "roles")
			l.later = append(l.later, func() { p.RoleARNs = l.roleARNs(account, items) })
		},
		"sessionPolicy":             func(n *yaml.Node) { p.SessionPolicy = l.policy(n, policy.Session) },
		"managedPolicies":           func(n *yaml.Node) { l.attached(n, func(arns []string) { p.ManagedPolicies = arns }) },
		"acceptRoleSessionName":     func(n *yaml.Node) { p.AcceptSessionName = l.flag(n) },
		"requireInstanceProperties": func(n *yaml.Node) { p.RequireInstanceProperties = l.flag(n) },
		"mappings":                  func(n *yaml.Node) { p.Mappings = l.mappings(n) },
		"duration": func(n *yaml.Node) {
			if p.Duration = l.duration(n, 15*time.Minute); p.Duration > 12*time.Hour {
				l.fail(n, "write 15m to 12h", "%q is longer than AWS's 12 hours", n.Value)
			}
		},
	})
	p.ID, p.ARN, p.Region, p.Name, p.Disabled, p.Tags = t.id, t.arn(account.ID, "profile"), t.region, t.name, t.disabled, t.tags
	account.Profiles[t.id] = p
}

// roleARNs are ARNs as they are, or names of the account's roles.
func (l *loader) roleARNs(a *Account, items []*yaml.Node) []string {
	var arns []string
	for _, item := range items {
		text := l.text(item)
		if strings.HasPrefix(text, "arn:") {
			arns = append(arns, text)
		} else if r := a.Roles[text]; r != nil {
			arns = append(arns, r.ARN)
		} else {
			l.fail(item, "name a role of the account, or write an ARN", "account %s has no role %q", a.ID, text)
		}
	}
	return arns
}

func (l *loader) mappings(n *yaml.Node) map[string][]string {
	fields := []string{"x509Subject", "x509Issuer", "x509SAN"}
	m := map[string][]string{}
	l.each(n, "mappings", func(key, value *yaml.Node) {
		if !slices.Contains(fields, key.Value) {
			l.fail(key, "the fields of a certificate are "+strings.Join(fields, ", "), "%q is no field of a certificate", key.Value)
		}
		m[key.Value] = l.texts(value, "specifiers")
	})
	return m
}

func (l *loader) crl(key, n *yaml.Node) {
	account := l.account
	c := &CRL{}
	own := l.fileOr("crl", func(n *yaml.Node, data []byte) {
		der := data
		if block, _ := pem.Decode(data); block != nil {
			der = block.Bytes
		}
		if _, err := x509.ParseRevocationList(der); err != nil {
			l.fail(n, "put a revocation list in PEM there", "it is no revocation list: %v", err)
		}
		c.Data = data
	})
	own["trustAnchor"] = func(n *yaml.Node) {
		l.later = append(l.later, func() { c.AnchorARN = l.anchorARN(account, n) })
	}
	t := l.thing(key, n, "crl", own)
	if c.Data == nil || !hasKey(n, "trustAnchor") {
		l.fail(key, "add crl: or crlFile:, and trustAnchor:", "crl %s lacks its list or its trust anchor", t.name)
	}
	c.ID, c.ARN, c.Region, c.Name, c.Disabled, c.Tags = t.id, t.arn(account.ID, "crl"), t.region, t.name, t.disabled, t.tags
	account.CRLs[t.id] = c
}

func (l *loader) anchorARN(a *Account, n *yaml.Node) string {
	text := l.text(n)
	for _, x := range a.Anchors {
		if x.Name == text || x.ARN == text {
			return x.ARN
		}
	}
	l.fail(n, "name a trust anchor of the account", "account %s has no trust anchor %q", a.ID, text)
	return ""
}
