package policy

import "strings"

// Bind returns the document as IAM keeps it: each user and role that it names
// stands for the one that has this ARN now, so that one made anew under the
// same ARN does not inherit. id returns the unique id (AIDA…, AROA…) of a user
// or role, empty if there is none; then the error is a *SyntaxError. Sessions,
// accounts, services and providers are not asked for.
func (d *Document) Bind(id func(arn string) string) (*Document, error) {
	bound := *d
	bound.statements = make([]*statement, len(d.statements))
	for i, s := range d.statements {
		c := *s
		c.parties = make([]party, len(s.parties))
		for k, p := range s.parties {
			if p.kind == partyAWS && isEntity(p.text) {
				if p.id = id(p.text); p.id == "" {
					return nil, fault(d.Text, p.offset, invalidPrincipal(p.kind, p.text), "there is no such user or role")
				}
			}
			c.parties[k] = p
		}
		bound.statements[i] = &c
	}
	return &bound, nil
}

// isEntity tells ARNs of users and roles.
func isEntity(arn string) bool {
	return strings.Contains(arn, ":user/") || strings.Contains(arn, ":role/")
}

func invalidPrincipal(kind, text string) string {
	return `Invalid principal in policy: "` + strings.ToUpper(kind) + `":"` + text + `"`
}
