package iam

import (
	"slices"
	"strings"

	"daypass.dev/policy"
	"daypass.dev/sandbox/oidc"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

const (
	maxThumbprints   = 5
	thumbprintLength = 40
	maxClientIDs     = 100
)

// oidcTags reads tags. Their keys differ by case here, as recorded, and as they
// do nowhere else in IAM.
func (q *request) oidcTags() (map[string]string, error) {
	var v wire.Validation
	members := q.Members("Tags")
	tags, _ := v.Tags(members)
	if err := v.Err(); err != nil {
		return nil, err
	}
	if len(tags) < len(members) {
		return nil, invalidInput("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
	}
	return tags, nil
}

func (q *request) thumbprints() ([]string, error) {
	all := q.List("ThumbprintList")
	if len(all) > maxThumbprints {
		return nil, invalidInput("Thumbprint list must contain fewer than 5 entries.") // five are taken
	}
	for i, t := range all {
		if len(t) != thumbprintLength {
			return nil, invalidInput("Thumbprint must be exactly 40 characters.")
		}
		all[i] = strings.ToLower(t) // and need not be hex, as recorded
	}
	return all, nil
}

// clientIDs are without those that stand twice.
func (q *request) clientIDs() ([]string, error) {
	var v wire.Validation
	var all []string
	for _, id := range q.List("ClientIDList") {
		v.Required("clientID", id)
		v.Length("clientID", id, 1, 255)
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	if len(all) > maxClientIDs {
		return nil, tooManyClients()
	}
	return all, v.Err()
}

func tooManyClients() error {
	return overQuota("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", maxClientIDs)
}

func createOIDCProvider(q *request) (any, error) {
	given := q.Get("Url")
	var v wire.Validation
	v.Required("url", given)
	v.Length("url", given, 1, 255)
	if err := v.Err(); err != nil {
		return nil, err
	}
	url, err := world.ProviderURL(given)
	if err != nil {
		return nil, err
	}
	clients, err := q.clientIDs()
	if err != nil {
		return nil, err
	}
	prints, err := q.thumbprints()
	if err != nil {
		return nil, err
	}
	tags, err := q.oidcTags()
	if err != nil {
		return nil, err
	}
	ctx := policy.Context{}
	ctx.Add(world.TagMapContext(tags))
	if err := q.allowNew(q.arn("oidc-provider", "/", url), ctx); err != nil {
		return nil, err
	}
	if prints, err = q.orOwnThumbprint(url, prints); err != nil {
		return nil, err
	}
	q.World.Lock()
	defer q.World.Unlock()
	if q.account().OIDCProviders[url] != nil {
		return nil, exists("Provider with url https://%s already exists.", url)
	}
	p := q.account().AddOIDCProvider(url)
	q.Changed(world.Thing{Kind: "oidc-provider", Account: q.account().ID, Name: p.URL})
	p.ClientIDs, p.Thumbprints, p.Tags, p.Created = clients, prints, tags, q.Time
	result := struct {
		Arn  string `xml:"OpenIDConnectProviderArn"`
		Tags *wire.List[tagXML]
	}{Arn: p.ARN}
	if len(tags) > 0 {
		shown := viewTags(tags)
		result.Tags = &shown
	}
	return result, nil
}

// orOwnThumbprint asks the issuer for what the caller has left out. One that
// the world has elsewhere has none.
func (q *request) orOwnThumbprint(url string, prints []string) ([]string, error) {
	if len(prints) > 0 {
		return prints, nil
	}
	if _, mapped := q.World.Issuer("https://" + url); mapped {
		q.Decision.NotAWS = append(q.Decision.NotAWS, "issuer https://"+url+" not asked for its certificate")
		return nil, nil
	}
	one, err := oidc.Thumbprint(q.http.Context(), url)
	if err != nil {
		return nil, err
	}
	return []string{one}, nil
}
