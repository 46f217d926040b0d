package doctor

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
)

// deskRefusals: who administers Roles Anywhere.
func deskRefusals() []refusal {
	by := func(c *caller) *rolesanywhere.Client { return rolesanywhere.NewFromConfig(c.admin) }
	profile := func(role string, seconds int32) func(*caller) error {
		return func(c *caller) error {
			return only(by(c).CreateProfile(c.Context(), &rolesanywhere.CreateProfileInput{Name: aws.String("more"), RoleArns: []string{role}, DurationSeconds: &seconds}))
		}
	}
	get := func(id string) func(*caller) error {
		return func(c *caller) error {
			return only(by(c).GetProfile(c.Context(), &rolesanywhere.GetProfileInput{ProfileId: &id}))
		}
	}
	tag := func(from, n int) func(*caller) error {
		return func(c *caller) error {
			in := &rolesanywhere.TagResourceInput{ResourceArn: aws.String(profileARN)}
			for key, value := range manyTags(from, n) {
				in.Tags = append(in.Tags, types.Tag{Key: &key, Value: &value})
			}
			return only(by(c).TagResource(c.Context(), in))
		}
	}
	imported := func(c *caller, text []byte) error {
		made, err := by(c).ImportCrl(c.Context(), &rolesanywhere.ImportCrlInput{Name: aws.String("list"), TrustAnchorArn: aws.String(anchorARN), CrlData: text})
		if err == nil {
			c.made = *made.Crl.CrlId
		}
		return err
	}
	list := func(c *caller, ca forger) error {
		text, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: serial(), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}, ca.cert, ca.key)
		c.must(nil, err)
		return imported(c, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: text}))
	}
	own := func(c *caller) error { return list(c, c.ca) }
	body := wire{method: "POST", target: "/profiles", service: "rolesanywhere", body: "[]", header: map[string]string{"Content-Type": "application/json"}}
	return []refusal{
		{slug: "anywhere-body", call: func(c *caller) error { return c.send(body, nil) }, instead: profile(roleARN, 900)},
		{slug: "anywhere-parameter", call: profile(roleARN, 899), instead: profile(roleARN, 900)},
		{slug: "anywhere-missing", call: get(anchorID), instead: get(profileID)},
		{slug: "anywhere-tags", spoil: func(c *caller) { c.must(nil, tag(0, 200)(c)) }, call: tag(200, 1),
			mend: func(c *caller) {
				c.must(by(c).UntagResource(c.Context(), &rolesanywhere.UntagResourceInput{ResourceArn: aws.String(profileARN), TagKeys: []string{"tag-0"}}))
			}},
		{slug: "anywhere-limit", spoil: func(c *caller) { c.must(nil, own(c)); c.must(nil, own(c)) }, call: own,
			mend: func(c *caller) { c.must(by(c).DeleteCrl(c.Context(), &rolesanywhere.DeleteCrlInput{CrlId: &c.made})) }},
		{slug: "crl-unreadable", call: func(c *caller) error { return imported(c, []byte("revoked")) }, instead: own},
		{slug: "crl-signature", call: func(c *caller) error {
			return list(c, forger{}.issue(c, caTemplate(c.ca.cert.Subject.CommonName), newKey(c)))
		}, instead: own},
		{slug: "pass-role-elsewhere", call: profile("arn:aws:iam::"+elsewhere+":role/reader", 900), instead: profile(roleARN, 900)},
	}
}
