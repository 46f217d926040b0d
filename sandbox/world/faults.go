package world

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A Fault makes calls fail in a way that AWS itself sometimes does. Its zero
// value matches every call and does nothing. Latency comes first and goes with
// any of the others, of which the first that is set happens: Hang, Reset,
// Throttle, Code, Body, HalfBody. Only HalfBody lets the call itself happen.
type Fault struct {
	// Service and Operation choose the calls: "sts", "AssumeRole"; empty: all.
	Service, Operation string
	// Percent of these calls that are struck; zero: all.
	Percent float64
	// Count is after how many struck calls the fault is spent; zero: never.
	Count int
	// After and For are a window on the world's clock, from the moment that
	// the fault was set; zero For: without end.
	After, For time.Duration

	// Latency is waited before anything else.
	Latency time.Duration
	// Hang holds the connection, unanswered, until the client leaves.
	Hang bool
	// Reset breaks the TCP connection.
	Reset bool
	// Throttle answers as the service does when it is called too often, with a
	// Retry-After header where RetryAfter is set.
	Throttle   bool
	RetryAfter time.Duration
	// Code, Message and Status are an error answer; zero Status: 500.
	Code, Message string
	Status        int
	// Body is answered in full with status 200, whatever was asked; nil: not.
	Body *string
	// HalfBody sends the true answer's length and half of it.
	HalfBody bool
}

// String says what the fault does.
func (f Fault) String() string {
	var s []string
	if f.Latency > 0 {
		s = append(s, "latency "+f.Latency.String())
	}
	switch {
	case f.Hang:
		s = append(s, "hang")
	case f.Reset:
		s = append(s, "connection reset")
	case f.Throttle:
		s = append(s, "throttling")
	case f.Code != "":
		s = append(s, fmt.Sprintf("error %s with status %d", f.Code, f.StatusOrDefault()))
	case f.Body != nil:
		s = append(s, fmt.Sprintf("a body of %d bytes", len(*f.Body)))
	case f.HalfBody:
		s = append(s, "half the body")
	}
	return strings.Join(s, ", ")
}

// StatusOrDefault is the status of an error answer.
func (f Fault) StatusOrDefault() int {
	if f.Status == 0 {
		return http.StatusInternalServerError
	}
	return f.Status
}

type faultSet struct {
	sync.Mutex
	set  []Fault
	left []int // :: index → strikes left, where the fault counts
	from time.Time
}

// SetFaults replaces all faults; with none, there are none. Windows and counts
// start now.
func (w *World) SetFaults(faults ...Fault) {
	f := &w.faults
	f.Lock()
	defer f.Unlock()
	f.set, f.from = faults, w.Now()
	f.left = make([]int, len(faults))
	for i := range faults {
		f.left[i] = faults[i].Count
	}
}

// all returns the faults as they were set.
func (f *faultSet) all() []Fault {
	f.Lock()
	defer f.Unlock()
	return f.set
}

// NextFault chooses the fault that strikes a call now, the first that matches,
// and counts it; false if none does.
func (w *World) NextFault(service, operation string) (Fault, bool) {
	s := &w.faults
	s.Lock()
	defer s.Unlock()
	since := w.Now().Sub(s.from)
	for i, f := range s.set {
		if f.Service != "" && f.Service != service || f.Operation != "" && f.Operation != operation {
			continue
		}
		if since < f.After || f.For > 0 && since >= f.After+f.For {
			continue
		}
		if f.Count > 0 && s.left[i] == 0 {
			continue
		}
		if f.Percent > 0 && rand.Float64()*100 >= f.Percent {
			continue
		}
		s.left[i]--
		return f, true
	}
	return Fault{}, false
}
