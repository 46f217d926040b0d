package world

import (
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

func (l *loader) fault(n *yaml.Node) {
	var f Fault
	l.fields(n, "a fault", map[string]func(*yaml.Node){
		"service":    func(n *yaml.Node) { f.Service = l.text(n) },
		"operation":  func(n *yaml.Node) { f.Operation = l.text(n) },
		"percent":    func(n *yaml.Node) { f.Percent = l.percent(n) },
		"count":      func(n *yaml.Node) { f.Count = l.number(n, 1, 1<<30) },
		"after":      func(n *yaml.Node) { f.After = l.duration(n, 0) },
		"for":        func(n *yaml.Node) { f.For = l.duration(n, 0) },
		"latency":    func(n *yaml.Node) { f.Latency = l.duration(n, 0) },
		"hang":       func(n *yaml.Node) { f.Hang = l.flag(n) },
		"reset":      func(n *yaml.Node) { f.Reset = l.flag(n) },
		"throttle":   func(n *yaml.Node) { f.Throttle = l.flag(n) },
		"retryAfter": func(n *yaml.Node) { f.RetryAfter = l.duration(n, time.Second) },
		"halfBody":   func(n *yaml.Node) { f.HalfBody = l.flag(n) },
		"body": func(n *yaml.Node) {
			if l.is(n, yaml.ScalarNode, "body", "write the answer as a text") {
				f.Body = &n.Value
			}
		},
		"error": func(n *yaml.Node) {
			l.fields(n, "an error", map[string]func(*yaml.Node){
				"code":    func(n *yaml.Node) { f.Code = l.text(n) },
				"message": func(n *yaml.Node) { f.Message = l.text(n) },
				"status":  func(n *yaml.Node) { f.Status = l.number(n, 400, 599) },
			})
			if f.Code == "" {
				l.fail(n, "add code:, as ServiceUnavailable", "the error has no code")
			}
		},
	})
	switch {
	case f.effects() > 1:
		l.fail(n, "make a fault of each", "a fault does one of hang, reset, throttle, error, body and halfBody")
	case f.effects() == 0 && f.Latency == 0:
		l.fail(n, "add latency, hang, reset, throttle, error, body or halfBody", "the fault does nothing")
	case f.RetryAfter > 0 && !f.Throttle:
		l.fail(n, "add throttle: true", "retryAfter goes with throttle only")
	}
	l.faults = append(l.faults, f)
}

func (l *loader) percent(n *yaml.Node) float64 {
	p, err := strconv.ParseFloat(l.text(n), 64)
	if err != nil || !(p > 0 && p <= 100) {
		l.fail(n, "write a number above 0, up to 100", "%q is no percentage", n.Value)
	}
	return p
}

// effects counts what the fault does beside waiting.
func (f Fault) effects() int {
	n := 0
	for _, on := range []bool{f.Hang, f.Reset, f.Throttle, f.Code != "", f.Body != nil, f.HalfBody} {
		if on {
			n++
		}
	}
	return n
}
