package policy

import (
	"encoding/json"
	"fmt"
)

// kept is a document as it is written down: its text, and for which users and
// roles the ARNs in it stand.
type kept struct {
	Kind  Kind              `json:"kind"`
	Text  string            `json:"text"`
	Bound map[string]string `json:"bound,omitempty"` // :: ARN → unique id
}

// MarshalJSON writes the document so that UnmarshalJSON restores it whole,
// with what Bind has found. It is not the policy's own JSON: that is Text.
func (d *Document) MarshalJSON() ([]byte, error) {
	k := kept{Kind: d.Kind, Text: d.Text}
	for _, s := range d.statements {
		for _, p := range s.parties {
			if p.id != "" {
				if k.Bound == nil {
					k.Bound = map[string]string{}
				}
				k.Bound[p.text] = p.id
			}
		}
	}
	return json.Marshal(k)
}

// UnmarshalJSON reads what MarshalJSON wrote. What Parse refuses is an error.
func (d *Document) UnmarshalJSON(data []byte) error {
	var k kept
	if err := json.Unmarshal(data, &k); err != nil {
		return err
	}
	doc, err := Parse(k.Kind, k.Text)
	if err == nil && k.Bound != nil {
		doc, err = doc.Bind(func(arn string) string { return k.Bound[arn] })
	}
	if err != nil {
		return fmt.Errorf("reading a policy that was kept: %w", err)
	}
	*d = *doc
	return nil
}
