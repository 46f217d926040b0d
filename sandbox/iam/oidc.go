package iam

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

var oidcProviderARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/.+$`)

// withOIDCProvider authorizes the call on the named provider and then runs do
// on it, under the world's lock.
func (q *request) withOIDCProvider(ctx policy.Context, do func(*world.Account, *world.OIDCProvider) (any, error)) (any, error) {
	arn := q.Get("OpenIDConnectProviderArn")
	var v wire.Validation
	v.Required("openIDConnectProviderArn", arn)
	v.Length("openIDConnectProviderArn", arn, 20, 2048)
	if err := v.Err(); err != nil {
		return nil, err
	}
	if !oidcProviderARN.MatchString(arn) {
		return nil, invalidInput("Invalid ARN: " + arn) // AWS's own words are not known
	}
	q.World.RLock()
	context := policy.Context{}
	if p := q.oidcProvider(arn); p != nil {
		holderContext(context, p.Tags, "")
	}
	q.World.RUnlock()
	maps.Copy(context, ctx)
	if err := q.allow(arn, context); err != nil {
		return nil, err
	}
	q.World.Lock()
	defer q.World.Unlock()
	p := q.oidcProvider(arn)
	if p == nil {
		if q.Decision.Operation == "DeleteOpenIDConnectProvider" {
			return nil, missing("OpenId connect Provider %s cannot be found.", arn)
		}
		return nil, missing("OpenIDConnect Provider not found for arn %s", arn)
	}
	if !q.reads() {
		q.Changed(world.Thing{Kind: "oidc-provider", Account: q.account().ID, Name: p.URL})
	}
	return do(q.account(), p)
}

// oidcProvider finds one of the caller's account. The lock must be held.
func (q *request) oidcProvider(arn string) *world.OIDCProvider {
	_, url, _ := strings.Cut(arn, ":oidc-provider/")
	if p := q.account().OIDCProviders[url]; p != nil && p.ARN == arn {
		return p
	}
	return nil
}

func getOIDCProvider(q *request) (any, error) {
	return q.withOIDCProvider(nil, func(_ *world.Account, p *world.OIDCProvider) (any, error) {
		return struct {
			URL            string `xml:"Url"`
			ClientIDList   wire.List[string]
			ThumbprintList wire.List[string]
			CreateDate     string
			Tags           wire.List[tagXML]
		}{p.URL, wire.ListOf(p.ClientIDs...), wire.ListOf(p.Thumbprints...), wire.Timestamp(p.Created), viewTags(p.Tags)}, nil
	})
}

func listOIDCProviders(q *request) (any, error) {
	if err := q.allow(q.arn("oidc-provider", "/", "*"), nil); err != nil {
		return nil, err
	}
	q.World.RLock()
	defer q.World.RUnlock()
	type entry struct{ Arn string }
	var all []entry
	providers := q.account().OIDCProviders
	for _, url := range slices.Sorted(maps.Keys(providers)) {
		all = append(all, entry{providers[url].ARN})
	}
	return struct{ OpenIDConnectProviderList wire.List[entry] }{wire.ListOf(all...)}, nil
}

func deleteOIDCProvider(q *request) (any, error) {
	return q.withOIDCProvider(nil, func(a *world.Account, p *world.OIDCProvider) (any, error) {
		delete(a.OIDCProviders, p.URL)
		return nil, nil
	})
}

func updateThumbprints(q *request) (any, error) {
	return q.withOIDCProvider(nil, func(_ *world.Account, p *world.OIDCProvider) (any, error) {
		prints, err := q.thumbprints()
		if err != nil {
			return nil, err
		}
		if len(prints) == 0 {
			return nil, invalidInput("Thumbprint list must contain at least one entry.")
		}
		p.Thumbprints = prints
		return nil, nil
	})
}

// clientID reads the one that is added or removed.
func (q *request) clientID() (string, error) {
	id := q.Get("ClientID")
	var v wire.Validation
	v.Required("clientID", id)
	v.Length("clientID", id, 1, 255)
	return id, v.Err()
}

func addClientID(q *request) (any, error) {
	return q.withOIDCProvider(nil, func(_ *world.Account, p *world.OIDCProvider) (any, error) {
		id, err := q.clientID()
		if err != nil || slices.Contains(p.ClientIDs, id) {
			return nil, err
		}
		if len(p.ClientIDs) >= maxClientIDs {
			return nil, tooManyClients()
		}
		p.ClientIDs = append(slices.Clone(p.ClientIDs), id)
		return nil, nil
	})
}

func removeClientID(q *request) (any, error) {
	return q.withOIDCProvider(nil, func(_ *world.Account, p *world.OIDCProvider) (any, error) {
		id, err := q.clientID()
		if err != nil {
			return nil, err
		}
		p.ClientIDs = slices.DeleteFunc(slices.Clone(p.ClientIDs), func(c string) bool { return c == id })
		return nil, nil
	})
}

func tagOIDCProvider(q *request) (any, error) {
	tags, err := q.oidcTags()
	ctx := policy.Context{}
	ctx.Add(world.TagMapContext(tags))
	return q.withOIDCProvider(ctx, func(_ *world.Account, p *world.OIDCProvider) (any, error) {
		if err != nil {
			return nil, err
		}
		all := maps.Clone(p.Tags)
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, tags)
		if len(all) > maxTags {
			return nil, overQuota("The number of tags has reached the maximum limit.")
		}
		p.Tags = all
		return nil, nil
	})
}

func untagOIDCProvider(q *request) (any, error) {
	keys := q.List("TagKeys")
	ctx := policy.Context{}
	if len(keys) > 0 {
		ctx["aws:TagKeys"] = policy.Values{List: keys, Multi: true}
	}
	return q.withOIDCProvider(ctx, func(_ *world.Account, p *world.OIDCProvider) (any, error) {
		left := maps.Clone(p.Tags)
		for _, k := range keys {
			delete(left, k)
		}
		p.Tags = left
		return nil, nil
	})
}

func listOIDCProviderTags(q *request) (any, error) {
	return q.withOIDCProvider(nil, func(_ *world.Account, p *world.OIDCProvider) (any, error) {
		some, at, err := paged(q, viewTags(p.Tags).Members)
		return struct {
			Tags wire.List[tagXML]
			page
		}{wire.ListOf(some...), at}, err
	})
}
