package world

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// A ParseError says what is wrong with a world in YAML, where, and how to mend
// it.
type ParseError struct {
	File         string
	Line, Column int // counted from 1; zero if not known
	Problem      string
	Mend         string
}

func (e *ParseError) Error() string {
	at := e.File
	if e.Line > 0 {
		at += ":" + strconv.Itoa(e.Line)
	}
	if e.Column > 0 {
		at += ":" + strconv.Itoa(e.Column)
	}
	return at + ": " + e.Problem
}

// Parse reads a world from YAML: region; clock (start, offset); sessions
// (life); issuers by URL, with the url, jwks or jwksFile where their keys really
// are; google, with machine and accounts; accounts by id, the first of which is
// Home, each with partition, users, policies, roles, trustAnchors, profiles, crls, buckets
// and topics by name and a list of oidcProviders; and a list of faults, whose
// fields are Fault's. Policies stand there as YAML or as a text of JSON,
// durations as 90s or 1h. testdata/full.yaml shows most fields.
//
// It is strict: an unknown field, a wrong type,
// a name that nothing has, or a policy that IAM would refuse is a *ParseError.
// name is the file's; paths in the text are relative to its folder. Of an
// empty text comes a world with one empty account.
func Parse(name string, text []byte) (*World, error) {
	l := &loader{file: name, dir: filepath.Dir(name), lines: strings.Split(string(text), "\n"), world: New()}
	l.world.Accounts = map[string]*Account{}
	root, err := l.document(text)
	if err != nil {
		return nil, err
	}
	if root != nil {
		l.root(root)
	}
	for _, later := range l.later {
		later()
	}
	if l.err != nil {
		return nil, l.err
	}
	if len(l.world.Accounts) == 0 {
		l.world.AddAccount(DefaultAccount)
	}
	if l.start != nil {
		l.world.SetTime(*l.start)
	}
	l.world.Advance(l.offset)
	l.dateAll(l.world.Now())
	l.world.SetFaults(l.faults...)
	return l.world, nil
}

// A loader reads one world. Its first error stands; after it, reading goes on
// without effect.
type loader struct {
	file, dir string
	lines     []string
	world     *World
	account   *Account // whose fields are being read
	later     []func() // what can be checked when everything is known
	faults    []Fault
	start     *time.Time
	offset    time.Duration
	err       error
}

func (l *loader) fail(n *yaml.Node, mend, problem string, args ...any) {
	if l.err == nil {
		l.err = &ParseError{File: l.file, Line: n.Line, Column: n.Column, Problem: fmt.Sprintf(problem, args...), Mend: mend}
	}
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// document returns the one document's root; nil if the text holds none.
func (l *loader) document(text []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	err := d.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err == nil {
		if err = d.Decode(&second); errors.Is(err, io.EOF) {
			return doc.Content[0], nil
		}
		if err == nil {
			return nil, &ParseError{l.file, second.Line, second.Column, "a second document begins here", "keep one world in one file"}
		}
	}
	e := &ParseError{File: l.file, Problem: strings.TrimPrefix(err.Error(), "yaml: "), Mend: "correct the YAML there"}
	if m := yamlLine.FindStringSubmatch(strings.SplitN(err.Error(), "\n", 2)[0]); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		e.Problem = m[2]
	}
	return nil, e
}

func (l *loader) root(n *yaml.Node) {
	if l.absent(n) {
		return
	}
	var accounts *yaml.Node // read last, since they lean on the rest
	l.fields(n, "a world", map[string]func(*yaml.Node){
		"region": func(n *yaml.Node) { l.world.Region = l.matching(n, regionName, "a region", "as us-east-1") },
		"clock":  l.clock,
		"sessions": func(n *yaml.Node) {
			l.fields(n, "sessions", map[string]func(*yaml.Node){
				"life": func(n *yaml.Node) { l.world.SessionsLife = l.duration(n, time.Second) },
			})
		},
		"issuers":  func(n *yaml.Node) { l.each(n, "issuers", l.issuer) },
		"google":   l.google,
		"accounts": func(n *yaml.Node) { accounts = n },
		"faults": func(n *yaml.Node) {
			for _, item := range l.list(n, "faults") {
				l.fault(item)
			}
		},
	})
	if accounts != nil {
		l.each(accounts, "accounts", l.readAccount)
	}
}

func (l *loader) clock(n *yaml.Node) {
	l.fields(n, "clock", map[string]func(*yaml.Node){
		"start": func(n *yaml.Node) {
			text := l.text(n)
			t, err := time.Parse(time.RFC3339, text)
			if err != nil {
				l.fail(n, "write it as 2026-01-02T15:04:05Z", "%q is no time", text)
				return
			}
			l.start = &t
		},
		"offset": func(n *yaml.Node) {
			d, err := time.ParseDuration(l.text(n))
			if err != nil {
				l.fail(n, "write it as 20m or -1h30m", "%q is no duration", n.Value)
			}
			l.offset = d
		},
	})
}

var (
	regionName = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	accountID  = regexp.MustCompile(`^[0-9]{12}$`)
)

func (l *loader) readAccount(key, n *yaml.Node) {
	id := l.matching(key, accountID, "an account", "twelve digits in quotes")
	if len(l.world.Accounts) == 0 {
		l.world.Home = id
	}
	l.account = l.world.AddAccount(id)
	if l.absent(n) {
		return
	}
	l.account.Partition = l.partitionOf(n)
	if id == l.world.Home {
		l.inPartition(key, l.world.Region)
	}
	l.fields(n, "an account", map[string]func(*yaml.Node){
		"partition":     func(*yaml.Node) {},
		"users":         func(n *yaml.Node) { l.each(n, "users", l.user) },
		"roles":         func(n *yaml.Node) { l.each(n, "roles", l.role) },
		"policies":      func(n *yaml.Node) { l.each(n, "policies", l.managedPolicy) },
		"oidcProviders": l.oidcProviders,
		"trustAnchors":  func(n *yaml.Node) { l.each(n, "trustAnchors", l.anchor) },
		"profiles":      func(n *yaml.Node) { l.each(n, "profiles", l.profile) },
		"crls":          func(n *yaml.Node) { l.each(n, "crls", l.crl) },
		"buckets":       func(n *yaml.Node) { l.each(n, "buckets", l.bucket) },
		"topics":        func(n *yaml.Node) { l.each(n, "topics", l.topic) },
	})
}

// partitionOf reads the partition first, since ARNs hold it.
func (l *loader) partitionOf(n *yaml.Node) string {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != "partition" {
			continue
		}
		if text := l.text(n.Content[i+1]); slices.Contains(Partitions(), text) {
			return text
		}
		l.fail(n.Content[i+1], "write one of "+strings.Join(Partitions(), ", "), "there is no such partition")
	}
	return ""
}

// inPartition refuses a thing in a region where the account cannot be.
func (l *loader) inPartition(n *yaml.Node, region string) {
	if own := l.account.partition(); PartitionOf(region) != own {
		l.fail(n, "name a region of the account's partition", "the region %s is of partition %s, the account of %s", region, PartitionOf(region), own)
	}
}

// dateAll gives everything that the file made the world's first moment.
func (l *loader) dateAll(t time.Time) {
	for _, a := range l.world.Accounts {
		for _, u := range a.Users {
			u.Created = t
			for i := range u.Keys {
				u.Keys[i].Created = t
			}
		}
		for _, r := range a.Roles {
			r.Created = t
		}
		for _, p := range a.Policies {
			p.Created, p.Versions[0].Created = t, t
		}
		for _, x := range a.Anchors {
			x.Created, x.Updated = t, t
		}
		for _, p := range a.Profiles {
			p.Created, p.Updated = t, t
		}
		for _, c := range a.CRLs {
			c.Created, c.Updated = t, t
		}
		for _, p := range a.OIDCProviders {
			p.Created = t
		}
		for _, topic := range a.Topics {
			topic.Created = t
		}
		for _, b := range a.Buckets {
			b.Created = t
			for _, o := range b.Objects {
				o.Modified = t
			}
		}
	}
}
