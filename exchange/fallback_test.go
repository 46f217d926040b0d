package exchange

import (
	"context"
	"errors"
	"testing"

	"daypass.dev"
	"daypass.dev/proof"
)

func TestFallbackAsksInOrder(t *testing.T) {
	refusal := &daypass.Error{Op: "CreateSession", Code: "AccessDeniedException", Status: 403}
	outage := errors.New("no such host")
	good := func() *giver { return first() }
	for name, c := range map[string]struct {
		calls []*giver
		asked []int
		want  []error // that the error holds; nil: credentials
	}{
		"the first":            {[]*giver{good(), good()}, []int{1, 0}, nil},
		"outage":               {[]*giver{{err: outage}, good(), good()}, []int{1, 1, 0}, nil},
		"refusal":              {[]*giver{{err: refusal}, good()}, []int{1, 1}, nil},
		"all":                  {[]*giver{{err: outage}, {err: refusal}}, []int{1, 1}, []error{outage, refusal}},
		"a setting is wrong":   {[]*giver{{err: input("role ARN", "", "x")}, good()}, []int{1, 0}, []error{}},
		"a file is wrong":      {[]*giver{{err: &proof.FileError{Err: outage}}, good()}, []int{1, 0}, []error{outage}},
		"one alone, as it is":  {[]*giver{{err: refusal}}, []int{1}, []error{refusal}},
		"outage, then refusal": {[]*giver{{err: outage}, {err: refusal}, good()}, []int{1, 1, 1}, nil},
	} {
		f := &Fallback{}
		for _, g := range c.calls {
			f.Calls = append(f.Calls, g)
		}
		got, err := f.Credentials(t.Context())
		if (err == nil) != (c.want == nil) || (err == nil) != (got.AccessKeyID == "ASIAFIRST") {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
		for _, want := range c.want {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v does not hold %v", name, err, want)
			}
		}
		for i, g := range c.calls {
			if g.asked != c.asked[i] {
				t.Errorf("%s: call %d was made %d times", name, i, g.asked)
			}
		}
	}
	both := &Fallback{Calls: []Call{&giver{err: outage}, &giver{err: refusal}}}
	_, err := both.Credentials(t.Context())
	if e := (*daypass.Error)(nil); !errors.As(err, &e) || e != refusal {
		t.Errorf("AWS's refusal does not show in %v", err)
	}
	if want := "no such host; then CreateSession: AccessDeniedException"; err.Error() != want {
		t.Errorf("the error is %q, want %q", err, want)
	}
}

func TestFallbackEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	second := first()
	f := &Fallback{Calls: []Call{&giver{err: context.Canceled}, second}}
	if _, err := f.Credentials(ctx); !errors.Is(err, context.Canceled) || second.asked != 0 {
		t.Errorf("got %v, the second was asked %d times", err, second.asked)
	}
}

func TestMemoryKeyOfFallback(t *testing.T) {
	key := func(keys ...string) string {
		f := &Fallback{}
		for _, k := range keys {
			f.Calls = append(f.Calls, &giver{key: k})
		}
		got, err := f.MemoryKey(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if again := key("a", "b"); again != key("a", "b") || key("a", "b") == key("b", "a") || key("a", "b") == key("a") || key("a", "b") == key("ab") {
		t.Error("the key does not tell which calls there are, and in what order")
	}
}
