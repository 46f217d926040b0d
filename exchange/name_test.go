package exchange

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"

	"daypass.dev"
)

// A default name is sent until AWS says that the profile takes none, and never
// makes a call fail that would have succeeded without.
func TestDefaultSessionName(t *testing.T) {
	const no = `{"message":"Not authorized to set roleSessionName."}`
	for name, c := range map[string]struct {
		accepts  bool
		explicit string
		want     []string // names sent in two calls of Credentials
		fails    bool
	}{
		"accepted":                {accepts: true, want: []string{"shop.pod-1", "shop.pod-1"}},
		"not accepted":            {want: []string{"shop.pod-1", "", ""}},
		"one's own":               {accepts: true, explicit: "mine", want: []string{"mine", "mine"}},
		"one's own, not accepted": {explicit: "mine", want: []string{"mine", "mine"}, fails: true},
	} {
		var sent []string
		f := &fake{respond: func(r *http.Request) *http.Response {
			var body struct{ RoleSessionName string }
			text, _ := io.ReadAll(r.Body)
			if err := json.Unmarshal(text, &body); err != nil {
				t.Error(err)
			}
			sent = append(sent, body.RoleSessionName)
			if body.RoleSessionName != "" && !c.accepts {
				return reply(403, no, "X-Amzn-Errortype", "AccessDeniedException")
			}
			return nil
		}}
		r := source(t, f)
		r.SessionName, r.DefaultSessionName = c.explicit, "shop.pod-1"
		for range 2 {
			if _, err := r.Credentials(t.Context()); (err != nil) != c.fails {
				t.Errorf("%s: %v", name, err)
			}
		}
		if !slices.Equal(sent, c.want) {
			t.Errorf("%s: sent %q, want %q", name, sent, c.want)
		}
	}
}

// Any other refusal is no reason to leave the name out.
func TestDefaultSessionNameAndOtherRefusals(t *testing.T) {
	f := &fake{respond: func(*http.Request) *http.Response {
		return reply(403, `{"message":"Untrusted signing certificate"}`, "X-Amzn-Errortype", "AccessDeniedException")
	}}
	r := source(t, f)
	r.DefaultSessionName = "shop.pod-1"
	if e := refused(t, r); e.Code != "AccessDeniedException" || f.calls.Load() != 1 {
		t.Errorf("got %v after %d calls", e, f.calls.Load())
	}
}

var _ daypass.Source = (*RolesAnywhere)(nil)
var _ = []Call{(*RolesAnywhere)(nil), (*WebIdentity)(nil), (*AssumeRole)(nil), (*Fallback)(nil)}
