// Package pki knows what AWS IAM Roles Anywhere demands of a CA, a leaf, a
// chain and a key, and makes CAs, leaves and revocation lists that meet it. To
// examine what there is, fill an Evidence and call Check; to issue, hold a CA.
//
// It does no I/O and reads no clock. The rules are those of the AWS user guide
// (trust model and signature verification); where AWS is silent and the rule is
// from experience, the finding is a warning. Nothing here can tell whether a
// CA is a public one, which AWS refuses, or what a profile's attribute mapping
// leaves out.
package pki

import (
	"crypto"
	"crypto/x509"
	"strconv"
	"time"

	"daypass.dev/reason"
)

// A Verdict is the outcome of one rule.
type Verdict string

// The verdicts.
const (
	Pass Verdict = "pass"
	Fail Verdict = "fail" // Roles Anywhere would refuse
	Warn Verdict = "warn" // accepted as far as is known, and worth a look
	Skip Verdict = "skip" // could not be judged
)

// Evidence is what there is to examine. Any part may be missing; what it would
// have told is then skipped.
type Evidence struct {
	Leaf *x509.Certificate
	// Key is the public half of the private key that would sign requests.
	Key crypto.PublicKey
	// Intermediates are what would be sent with the leaf.
	Intermediates []*x509.Certificate
	// Anchors are the certificates of the trust anchor's bundle.
	Anchors []*x509.Certificate
	// Bundle is the text of that bundle as it would be uploaded. Nil: its form
	// is not judged, and its length is that of Anchors as PEM.
	Bundle []byte
}

// A Finding is what one rule says of one thing.
type Finding struct {
	Rule    string  `json:"rule"` // a slug of the catalogue
	Verdict Verdict `json:"verdict"`
	// On names the thing: "leaf", "anchor", "intermediate 2", "chain", "key".
	On string `json:"on"`
	// Detail says what was found, with the certificate's own values.
	Detail string `json:"detail"`
	// Mend is empty unless the verdict is Fail or Warn.
	Mend string `json:"mend,omitempty"`
}

// A part is the kind of thing that a rule looks at.
type part string

const (
	onLeaf  part = "leaf"
	onCA    part = "CA"
	onEvery part = "certificate"
	onBunch part = "anchor"
	onChain part = "chain"
	onKey   part = "key"
)

// A rule judges one thing; c is nil for rules on the bundle and the chain.
type rule struct {
	slug  string
	on    part
	judge func(x *exam, c *x509.Certificate) (Verdict, string)
}

// rules lists everything that is examined, in the order of the report.
func rules() []rule {
	var all []rule
	all = append(all, caRules()...)
	all = append(all, leafRules()...)
	all = append(all, chainRules()...)
	return append(all, nameRules()...)
}

// An exam is the evidence with what follows from it.
type exam struct {
	Evidence
	now   time.Time
	route route
}

// Check applies every rule to the evidence as of now. Each rule yields at
// least one finding.
func Check(e Evidence, now time.Time) []Finding {
	x := &exam{Evidence: e, now: now, route: findRoute(e)}
	var all []Finding
	for _, r := range rules() {
		all = append(all, x.apply(r)...)
	}
	return all
}

// Refused reports whether any finding is a failure.
func Refused(findings []Finding) bool {
	for _, f := range findings {
		if f.Verdict == Fail {
			return true
		}
	}
	return false
}

func (x *exam) apply(r rule) []Finding {
	things := x.things(r.on)
	if len(things) == 0 {
		return []Finding{{Rule: r.slug, Verdict: Skip, On: string(r.on), Detail: "no " + string(r.on) + " given"}}
	}
	var found []Finding
	for _, t := range things {
		f := Finding{Rule: r.slug, On: t.name}
		f.Verdict, f.Detail = r.judge(x, t.cert)
		if f.Verdict == Fail || f.Verdict == Warn {
			row, _ := reason.Lookup(r.slug)
			f.Mend = row.Mend
		}
		found = append(found, f)
	}
	return found
}

type thing struct {
	name string
	cert *x509.Certificate
}

// things lists what a rule on p looks at. Intermediates that lie beside the
// path, and the leaf among them, are not judged as CAs: chain-superfluous tells
// of them.
func (x *exam) things(p part) []thing {
	var list []thing
	if x.Leaf != nil && (p == onLeaf || p == onEvery) {
		list = append(list, thing{"leaf", x.Leaf})
	}
	if p == onCA || p == onEvery {
		for i, c := range x.Intermediates {
			if isLeaf := x.Leaf != nil && x.Leaf.Equal(c); !isLeaf && (len(x.route.path) == 0 || x.route.holds(c)) {
				list = append(list, thing{numbered("intermediate", i, len(x.Intermediates)), c})
			}
		}
		for i, c := range x.Anchors {
			list = append(list, thing{numbered("anchor", i, len(x.Anchors)), c})
		}
	}
	switch {
	case p == onBunch && len(x.Anchors) > 0,
		p == onChain && x.Leaf != nil,
		p == onKey && x.Key != nil && x.Leaf != nil:
		list = append(list, thing{string(p), nil})
	}
	return list
}

func numbered(name string, i, of int) string {
	if of == 1 {
		return name
	}
	return name + " " + strconv.Itoa(i+1)
}
