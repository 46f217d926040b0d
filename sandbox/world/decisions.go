package world

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
)

const keptDecisions = 10000

// decisionLog keeps the last decisions, in order.
type decisionLog struct {
	sync.Mutex
	ring []Decision
	next int
	sink func(Decision)
}

// Record keeps a decision and hands it to the sink. The sandbox calls it once
// for each call.
func (w *World) Record(d Decision) {
	l := &w.log
	l.Lock()
	defer l.Unlock()
	if len(l.ring) < keptDecisions {
		l.ring = append(l.ring, d)
	} else {
		l.ring[l.next] = d
		l.next = (l.next + 1) % keptDecisions
	}
	if l.sink != nil {
		l.sink(d)
	}
}

// Decisions returns a copy of the last 10,000 decisions, the oldest first.
func (w *World) Decisions() []Decision {
	l := &w.log
	l.Lock()
	defer l.Unlock()
	return slices.Concat(l.ring[l.next:], l.ring[:l.next])
}

// OnDecision sets who is told of each decision, in order, one at a time; it
// must be quick and must not call Record or Decisions. nil: nobody.
func (w *World) OnDecision(sink func(Decision)) {
	w.log.Lock()
	defer w.log.Unlock()
	w.log.sink = sink
}

// A Decision is the record of one call: who, what, which statement, why.
type Decision struct {
	Time      time.Time `json:"time"`
	RequestID string    `json:"requestId"`
	Service   string    `json:"service"`
	Operation string    `json:"operation"`
	Method    string    `json:"method,omitempty"`
	Path      string    `json:"path,omitempty"`
	Region    string    `json:"region,omitempty"`
	Caller    string    `json:"caller,omitempty"` // ARN, or certificate subject
	AccessKey string    `json:"accessKeyId,omitempty"`
	// Proof tells what the caller has shown from others of its kind: a
	// certificate's serial number, a token's jti or, without one, its iat.
	Proof string `json:"proof,omitempty"`
	// SessionName, SourceIdentity and Tags are those of the caller's session, or
	// of the session that is asked for.
	SessionName    string            `json:"sessionName,omitempty"`
	SourceIdentity string            `json:"sourceIdentity,omitempty"`
	Tags           map[string]string `json:"tags,omitempty"`

	Status  int     `json:"status"`
	Allowed bool    `json:"allowed"`
	Code    string  `json:"code,omitempty"`
	Message string  `json:"message,omitempty"`
	Reason  string  `json:"reason,omitempty"`
	Detail  string  `json:"detail,omitempty"`
	Mend    string  `json:"mend,omitempty"`
	Checks  []Check `json:"checks,omitempty"`
	// Issued is the access key id that this call gave out.
	Issued string `json:"issued,omitempty"`
	// NotAWS lists what made this call differ from AWS by the world's own
	// options: a shortened session, a set clock, a fault.
	NotAWS []string `json:"notAws,omitempty"`
}

// String is the decision in one line, for a terminal: when, the verdict, what
// on which resource, who and, for a refusal, why and its mend.
func (d Decision) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d %s %s", d.Time.Format(time.TimeOnly), d.Status, d.Service, d.Operation)
	if len(d.Checks) > 0 {
		b.WriteString(" on " + d.Checks[len(d.Checks)-1].Resource)
	}
	if d.Caller != "" {
		b.WriteString(" by " + d.Caller)
	}
	if d.Code != "" {
		fmt.Fprintf(&b, ": %s [%s] %s", d.Code, d.Reason, d.Detail)
		if d.Mend != "" {
			b.WriteString("; mend: " + d.Mend)
		}
	}
	if len(d.NotAWS) > 0 {
		b.WriteString(" (not as AWS: " + strings.Join(d.NotAWS, ", ") + ")")
	}
	return oneLine(b.String())
}

// oneLine escapes what a caller could use to forge or hide a line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '\u00b7'
		}
		return r
	}, s)
}

// A Check is one authorization that a call needed.
type Check struct {
	Action    string   `json:"action"`
	Resource  string   `json:"resource"`
	Allowed   bool     `json:"allowed"`
	Layer     string   `json:"layer"`
	Policy    string   `json:"policy,omitempty"`
	Sid       string   `json:"sid,omitempty"`
	Statement int      `json:"statement,omitempty"`
	Line      int      `json:"line,omitempty"`
	Missing   []string `json:"missing,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	Detail    string   `json:"detail,omitempty"`
	Change    string   `json:"change,omitempty"`
	// Evaluated is what each layer said, in order of evaluation.
	Evaluated []string `json:"evaluated,omitempty"`
}
