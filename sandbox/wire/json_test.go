package wire

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"daypass.dev/sandbox/world"
)

func TestJSONService(t *testing.T) {
	type in struct{ Name string }
	s := JSONService{Target: "Shop", Operations: map[string]func(*world.Call, []byte) (any, error){
		"Sell": Operation(func(_ *world.Call, p in) (any, error) {
			if p.Name == "" {
				return nil, nil
			}
			return map[string]any{"Sold": p.Name, "At": Epoch(time.UnixMilli(1500))}, nil
		}),
	}}
	serve := func(target, body string) (string, error) {
		r, w := httptest.NewRequest("POST", "/", nil), httptest.NewRecorder()
		r.Header.Set("X-Amz-Target", target)
		c := &world.Call{Service: "shop", Decision: &world.Decision{Operation: target[strings.LastIndexByte(target, '.')+1:]}}
		err := s.Serve(c, w, r, []byte(body))
		return w.Body.String(), err
	}
	for _, c := range []struct{ target, body, answer, slug string }{
		{"Shop.Sell", `{"Name":"tea"}`, `{"At":1.500,"Sold":"tea"}`, ""},
		{"Shop.Sell", `{}`, "", ""},
		{"Shop.Sell", `{"Colour":"red"}`, "", "operation-not-built"},
		{"Shop.Buy", `{}`, "", "operation-not-built"},
		{"Other.Sell", `{}`, "", "operation-not-built"},
		{"Shop.Sell", `{"Name":1}`, "", "body-malformed"},
		{"Shop.Sell", `{`, "", "body-malformed"},
		{"Shop.Sell", `{} {}`, "", "body-malformed"},
		{"Shop.Sell", ``, "", "body-malformed"},
	} {
		got, err := serve(c.target, c.body)
		var refused *world.Refusal
		if errors.As(err, &refused) != (c.slug != "") || c.slug != "" && refused.Slug != c.slug || got != c.answer {
			t.Errorf("%s %s: %q, %v", c.target, c.body, got, err)
		}
	}
}
