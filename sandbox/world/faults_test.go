package world

import (
	"testing"
	"time"
)

func strikes(w *World, service, operation string) bool {
	_, ok := w.NextFault(service, operation)
	return ok
}

func TestFaultsChooseTheirCalls(t *testing.T) {
	w := New()
	if strikes(w, "sts", "AssumeRole") {
		t.Error("a world without faults strikes")
	}
	w.SetFaults(Fault{Service: "sts", Operation: "AssumeRole", Hang: true}, Fault{Service: "s3", Reset: true})
	for _, c := range []struct {
		service, operation string
		want               bool
	}{{"sts", "AssumeRole", true}, {"sts", "GetCallerIdentity", false}, {"s3", "GetObject", true}, {"iam", "AssumeRole", false}} {
		if got := strikes(w, c.service, c.operation); got != c.want {
			t.Errorf("%s %s struck: %v", c.service, c.operation, got)
		}
	}
	w.SetFaults()
	if strikes(w, "sts", "AssumeRole") {
		t.Error("faults that were taken away strike")
	}
}

func TestFaultsCount(t *testing.T) {
	w := New()
	w.SetFaults(Fault{Reset: true, Count: 2}, Fault{Service: "sts", Hang: true})
	for i, want := range []bool{true, true, false} {
		if got := strikes(w, "s3", ""); got != want {
			t.Errorf("call %d struck: %v", i, got)
		}
	}
	if f, ok := w.NextFault("sts", ""); !ok || !f.Hang {
		t.Errorf("after the first is spent comes %+v", f)
	}
}

func TestFaultsHaveAWindow(t *testing.T) {
	w := New()
	w.SetFaults(Fault{Reset: true, After: time.Minute, For: 20 * time.Minute})
	for _, c := range []struct {
		advance time.Duration
		want    bool
	}{{0, false}, {59 * time.Second, false}, {time.Second, true}, {19 * time.Minute, true}, {time.Minute, false}} {
		w.Advance(c.advance)
		if got := strikes(w, "s3", ""); got != c.want {
			t.Errorf("after %v more: %v", c.advance, got)
		}
	}
}

func TestFaultsStrikeAShare(t *testing.T) {
	w := New()
	w.SetFaults(Fault{Reset: true, Percent: 30})
	n := 0
	for range 2000 {
		if strikes(w, "s3", "") {
			n++
		}
	}
	if n < 450 || n > 750 { // seven standard deviations from 600
		t.Errorf("%d of 2000 calls were struck, want about 600", n)
	}
}
