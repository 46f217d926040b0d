package policy

import (
	"encoding/json"
	"testing"
)

// What is written down and read again decides as before: also that a role made
// anew under the same ARN is not the one that was meant.
func TestDocumentsAreKept(t *testing.T) {
	text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["` + session().RoleARN + `","` + abroad + `"],"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	bound, err := parse(t, Trust, text).Bind(func(string) string { return roleID })
	if err != nil {
		t.Fatal(err)
	}
	for name, doc := range map[string]*Document{"bound": bound, "free": parse(t, Trust, text), "identity": parse(t, Identity, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)} {
		data, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		var back *Document
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatalf("%s: %v in %s", name, err, data)
		}
		remade := session()
		remade.RoleID, remade.ID = "AROAROLEEXAMPLE99999", "AROAROLEEXAMPLE99999:one"
		for _, who := range []Principal{session(), remade, anchors(), alice()} {
			r := Request{Principal: who, Action: "sts:AssumeRole", Resource: "arn:aws:iam::" + home + ":role/r", ResourceAccount: home}
			before, after := Evaluate(r, Policies{Resource: &Named{Document: doc}}), Evaluate(r, Policies{Resource: &Named{Document: back}})
			if before.Allowed != after.Allowed || before.Reason != after.Reason || before.Detail != after.Detail {
				t.Errorf("%s, %s: %v %s, then %v %s", name, who.ARN, before.Allowed, before.Detail, after.Allowed, after.Detail)
			}
		}
		if back.Text != doc.Text || back.Kind != doc.Kind {
			t.Errorf("%s: came back as %d %s", name, back.Kind, back.Text)
		}
	}
	for _, data := range []string{`{}`, `{"kind":2,"text":"{"}`, `[]`, `{"kind":2,"text":` + quote(text) + `,"bound":{"other":"AROA"}}`} {
		if err := json.Unmarshal([]byte(data), &Document{}); err == nil {
			t.Errorf("%s is read as a policy", data)
		}
	}
}
