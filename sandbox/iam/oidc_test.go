package iam_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

// The answers are those that IAM gave on 2026-09-11 (recorded by the project
// stackd): thumbprints in lower case and twice if they were, client ids once,
// tags of keys that differ by case.
func TestLifeOfAnOIDCProvider(t *testing.T) {
	_, c := start(t)
	a, b := strings.Repeat("A", 40), strings.Repeat("g", 40)
	tag := func(k, v string) types.Tag { return types.Tag{Key: &k, Value: &v} }
	made := must[*iam.CreateOpenIDConnectProviderOutput](t)(c.CreateOpenIDConnectProvider(t.Context(), &iam.CreateOpenIDConnectProviderInput{
		Url: aws.String("https://oidc.example.com/path/"), ClientIDList: []string{"z", "a", "z"}, ThumbprintList: []string{a, a, b},
		Tags: []types.Tag{tag("key", "value"), tag("Key", "Value")},
	}))
	arn := made.OpenIDConnectProviderArn
	if *arn != "arn:aws:iam::111122223333:oidc-provider/oidc.example.com/path/" || len(made.Tags) != 2 {
		t.Errorf("made %s with tags %v", *arn, made.Tags)
	}
	get := func() *iam.GetOpenIDConnectProviderOutput {
		t.Helper()
		return must[*iam.GetOpenIDConnectProviderOutput](t)(c.GetOpenIDConnectProvider(t.Context(), &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn}))
	}
	got := get()
	if *got.Url != "oidc.example.com/path/" || !slices.Equal(got.ClientIDList, []string{"z", "a"}) || got.CreateDate.IsZero() ||
		!slices.Equal(got.ThumbprintList, []string{strings.ToLower(a), strings.ToLower(a), b}) || len(got.Tags) != 2 {
		t.Errorf("got %+v", got)
	}
	for range 2 { // what is there already, or not there, is no mistake
		must[*iam.AddClientIDToOpenIDConnectProviderOutput](t)(c.AddClientIDToOpenIDConnectProvider(t.Context(), &iam.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: aws.String("new")}))
		must[*iam.RemoveClientIDFromOpenIDConnectProviderOutput](t)(c.RemoveClientIDFromOpenIDConnectProvider(t.Context(), &iam.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: aws.String("z")}))
		must[*iam.TagOpenIDConnectProviderOutput](t)(c.TagOpenIDConnectProvider(t.Context(), &iam.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, Tags: []types.Tag{tag("key", "other")}}))
		must[*iam.UntagOpenIDConnectProviderOutput](t)(c.UntagOpenIDConnectProvider(t.Context(), &iam.UntagOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, TagKeys: []string{"Key"}}))
	}
	must[*iam.UpdateOpenIDConnectProviderThumbprintOutput](t)(c.UpdateOpenIDConnectProviderThumbprint(t.Context(), &iam.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: arn, ThumbprintList: []string{b}}))
	if got := get(); !slices.Equal(got.ClientIDList, []string{"a", "new"}) || !slices.Equal(got.ThumbprintList, []string{b}) {
		t.Errorf("after changes: %+v", got)
	}
	tags := must[*iam.ListOpenIDConnectProviderTagsOutput](t)(c.ListOpenIDConnectProviderTags(t.Context(), &iam.ListOpenIDConnectProviderTagsInput{OpenIDConnectProviderArn: arn})).Tags
	if len(tags) != 1 || *tags[0].Key != "key" || *tags[0].Value != "other" {
		t.Errorf("tags %+v", tags)
	}
	all := must[*iam.ListOpenIDConnectProvidersOutput](t)(c.ListOpenIDConnectProviders(t.Context(), nil)).OpenIDConnectProviderList
	if len(all) != 1 || *all[0].Arn != *arn {
		t.Errorf("providers %+v", all)
	}
	must[*iam.DeleteOpenIDConnectProviderOutput](t)(c.DeleteOpenIDConnectProvider(t.Context(), &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn}))
	_, err := c.DeleteOpenIDConnectProvider(t.Context(), &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn})
	refused(t, err, "NoSuchEntity", "OpenId connect Provider "+*arn+" cannot be found.")
	_, err = c.GetOpenIDConnectProvider(t.Context(), &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn})
	refused(t, err, "NoSuchEntity", "OpenIDConnect Provider not found for arn "+*arn)
}

func TestOIDCProviderRefusals(t *testing.T) {
	_, c := start(t)
	print := []string{strings.Repeat("b", 40)}
	create := func(change func(*iam.CreateOpenIDConnectProviderInput)) error {
		in := &iam.CreateOpenIDConnectProviderInput{Url: aws.String("https://a.example"), ThumbprintList: print}
		change(in)
		_, err := c.CreateOpenIDConnectProvider(t.Context(), in)
		return err
	}
	url := func(u string) func(*iam.CreateOpenIDConnectProviderInput) {
		return func(in *iam.CreateOpenIDConnectProviderInput) { in.Url = &u }
	}
	prints := func(p ...string) func(*iam.CreateOpenIDConnectProviderInput) {
		return func(in *iam.CreateOpenIDConnectProviderInput) { in.ThumbprintList = p }
	}
	clients := func(n int) func(*iam.CreateOpenIDConnectProviderInput) {
		return func(in *iam.CreateOpenIDConnectProviderInput) {
			for i := range n {
				in.ClientIDList = append(in.ClientIDList, fmt.Sprint("client", i))
			}
		}
	}
	if err := create(url("https://there.example")); err != nil {
		t.Fatal(err)
	}
	if err := create(clients(100)); err != nil {
		t.Fatal(err)
	}
	there := aws.String("arn:aws:iam::111122223333:oidc-provider/a.example")
	_, full := c.AddClientIDToOpenIDConnectProvider(t.Context(), &iam.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: there, ClientID: aws.String("one more")})
	_, empty := c.UpdateOpenIDConnectProviderThumbprint(t.Context(), &iam.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: there, ThumbprintList: []string{}})
	_, foreign := c.GetOpenIDConnectProvider(t.Context(), &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: aws.String("arn:aws:iam::444455556666:oidc-provider/a.example")})
	_, noARN := c.GetOpenIDConnectProvider(t.Context(), &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: aws.String("arn:aws:iam::111122223333:role/a.example")})
	for name, c := range map[string]struct {
		err        error
		code, text string
	}{
		"twice":              {create(url("https://there.example:443")), "EntityAlreadyExists", "Provider with url https://there.example already exists."},
		"query":              {create(url("https://a.example/?q=value")), "InvalidInput", "Unknown"},
		"fragment":           {create(url("https://a.example/#fragment")), "InvalidInput", "Unknown"},
		"http":               {create(url("http://a.example")), "InvalidInput", "The URL must begin with https://."},
		"port":               {create(url("https://a.example:8443")), "InvalidInput", "Invalid Open ID Connect Provider URL."},
		"no scheme":          {create(url("a.example")), "ValidationError", "Invalid Open ID Connect Provider URL"},
		"long":               {create(url("https://" + strings.Repeat("a", 248))), "ValidationError", "'url' failed to satisfy constraint: Member must have length less than or equal to 255"},
		"short thumbprint":   {create(prints("aa")), "InvalidInput", "Thumbprint must be exactly 40 characters."},
		"six thumbprints":    {create(prints(slices.Repeat(print, 6)...)), "InvalidInput", "Thumbprint list must contain fewer than 5 entries."},
		"no thumbprint left": {empty, "InvalidInput", "Thumbprint list must contain at least one entry."},
		"101 clients":        {create(clients(101)), "LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100"},
		"one client more":    {full, "LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100"},
		"long client": {create(func(in *iam.CreateOpenIDConnectProviderInput) { in.ClientIDList = []string{strings.Repeat("c", 256)} }),
			"ValidationError", "'clientID'"},
		"tag twice": {create(func(in *iam.CreateOpenIDConnectProviderInput) {
			in.Tags = []types.Tag{{Key: aws.String("a"), Value: aws.String("")}, {Key: aws.String("a"), Value: aws.String("")}}
		}), "InvalidInput", "Duplicate tag keys"},
		"of another account": {foreign, "NoSuchEntity", "not found for arn arn:aws:iam::444455556666:"},
		"no such ARN":        {noARN, "InvalidInput", "role/a.example"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, c.err, c.code, c.text) })
	}
}

// Without thumbprints IAM asks the issuer's server; the world's own issuers
// have none.
func TestThumbprintLeftOut(t *testing.T) {
	s, c := start(t)
	_, err := c.CreateOpenIDConnectProvider(t.Context(), &iam.CreateOpenIDConnectProviderInput{Url: aws.String("https://nowhere.invalid/id")})
	refused(t, err, "OpenIdIdpCommunicationError", "Could not connect to https://nowhere.invalid/id")
	if d := s.Last(t, "CreateOpenIDConnectProvider"); d.Reason != "provider-unreachable" {
		t.Errorf("recorded %+v", d)
	}
	s.World.SetIssuer("https://mapped.example", world.Issuer{URL: "http://127.0.0.1:1"})
	must[*iam.CreateOpenIDConnectProviderOutput](t)(c.CreateOpenIDConnectProvider(t.Context(), &iam.CreateOpenIDConnectProviderInput{Url: aws.String("https://mapped.example")}))
	if d := s.Last(t, "CreateOpenIDConnectProvider"); !d.Allowed || len(d.NotAWS) != 1 {
		t.Errorf("recorded %+v", d)
	}
	sandboxtest.CheckReasons(t, s.Decisions())
}
