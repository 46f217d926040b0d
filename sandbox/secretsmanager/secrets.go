package secretsmanager

import (
	"crypto/rand"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

var secretName = regexp.MustCompile(`^[a-zA-Z0-9/_+=.@-]{1,512}$`)

type tag struct{ Key, Value string }

func createSecret(c *world.Call, in struct {
	content
	Name        string
	Description string
	KmsKeyID    string `json:"KmsKeyId"`
	Tags        []tag
}) (any, error) {
	more, carried := policy.Context{"secretsmanager:Name": {List: []string{in.Name}}}, tagContext(in.Tags)
	maps.Copy(more, carried)
	if in.KmsKeyID != "" {
		more["secretsmanager:KmsKeyId"] = policy.Values{List: []string{in.KmsKeyID}}
	}
	// The secret has no ARN yet: AWS names it bare.
	if err := c.Authorize(world.Access{Action: service + ":CreateSecret", Resource: in.Name, Context: more}); err != nil {
		return nil, err
	}
	if err := c.AuthorizeTags(service+":TagResource", in.Name, carried); err != nil {
		return nil, err
	}
	if !secretName.MatchString(in.Name) {
		return nil, invalid("Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
	}
	if err := in.check(false); err != nil {
		return nil, err
	}
	if len(in.Tags) > 50 {
		return nil, invalid("A secret can have at most 50 tags.")
	}
	s := found{account: c.Caller.Account, Secret: world.Secret{
		Name: in.Name, Region: c.Region, Description: in.Description, Key: ownName(in.KmsKeyID), Created: c.Time, Changed: c.Time, Tags: map[string]string{},
		ARN: "arn:" + world.PartitionOf(c.Region) + ":secretsmanager:" + c.Region + ":" + c.Caller.Account + ":secret:" + in.Name + "-" + suffix(),
	}}
	for _, t := range in.Tags {
		s.Tags[t.Key] = t.Value
	}
	if err := s.add(c); err != nil {
		return nil, err
	}
	answer := map[string]any{"ARN": s.ARN, "Name": s.Name}
	if in.empty() {
		return answer, nil
	}
	v, err := in.put(c, s, []string{current})
	if err != nil {
		c.World.Lock()
		delete(c.World.Accounts[s.account].Secrets, s.ARN)
		c.World.Unlock()
		return nil, err
	}
	answer["VersionId"] = v.ID
	return answer, nil
}

// add puts a new secret into the world, if its name is free.
func (s found) add(c *world.Call) error {
	c.World.Lock()
	defer c.World.Unlock()
	if there, ok := lookLocked(c, s.Name); ok {
		message := "The operation failed because the secret " + s.Name + " already exists."
		if err := there.live(); err != nil {
			return wire.Refuse("secret-deleted", "InvalidRequestException",
				"You can't create this secret because a secret with this name is already scheduled for deletion.", "restore it, or delete it without recovery")
		}
		return wire.Refuse("secret-exists", "ResourceExistsException", message, message)
	}
	c.World.Accounts[s.account].Secrets[s.ARN] = &s.Secret
	c.Changed(world.Thing{Kind: "secret", Account: s.account, Name: s.ARN})
	return nil
}

// suffix is what AWS puts behind the name in an ARN.
func suffix() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	var b [6]byte
	_, _ = rand.Read(b[:])
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b[:])
}

func tagContext(tags []tag) policy.Context {
	return world.TagContext(tags, func(t tag) (key, value string) { return t.Key, t.Value })
}

type secretIn struct {
	SecretID string `json:"SecretId"`
}

func describeSecret(c *world.Call, in secretIn) (any, error) {
	s, err := find(c, in.SecretID, "DescribeSecret", nil)
	if err != nil {
		return nil, err
	}
	answer := summary(s.Secret)
	stages := map[string][]string{}
	for _, v := range s.Versions {
		if len(v.Stages) > 0 {
			stages[v.ID] = v.Stages
		}
	}
	answer["VersionIdsToStages"] = stages
	return answer, nil
}

// summary is what DescribeSecret and ListSecrets share.
func summary(s world.Secret) map[string]any {
	tags := []tag{}
	for _, k := range slices.Sorted(maps.Keys(s.Tags)) {
		tags = append(tags, tag{k, s.Tags[k]})
	}
	m := map[string]any{
		"ARN": s.ARN, "Name": s.Name, "Tags": tags, "CreatedDate": wire.Epoch(s.Created), "LastChangedDate": wire.Epoch(s.Changed),
	}
	for name, text := range map[string]string{"Description": s.Description, "KmsKeyId": s.Key} {
		if text != "" {
			m[name] = text
		}
	}
	for name, t := range map[string]time.Time{"LastAccessedDate": s.Accessed, "DeletedDate": s.Deletion} {
		if !t.IsZero() {
			m[name] = wire.Epoch(t)
		}
	}
	return m
}

func listSecretVersionIDs(c *world.Call, in struct {
	secretIn
	IncludeDeprecated bool
	MaxResults        int
}) (any, error) {
	s, err := find(c, in.SecretID, "ListSecretVersionIds", nil)
	if err != nil {
		return nil, err
	}
	type row struct {
		ID      string     `json:"VersionId"`
		Stages  []string   `json:"VersionStages,omitempty"`
		Created wire.Epoch `json:"CreatedDate"`
	}
	rows := []row{}
	for _, v := range s.Versions {
		if len(v.Stages) > 0 || in.IncludeDeprecated {
			rows = append(rows, row{v.ID, v.Stages, wire.Epoch(v.Created)})
		}
	}
	return map[string]any{"ARN": s.ARN, "Name": s.Name, "Versions": rows}, nil
}

func deleteSecret(c *world.Call, in struct {
	secretIn
	RecoveryWindowInDays       *int
	ForceDeleteWithoutRecovery bool
}) (any, error) {
	s, err := open(c, in.SecretID, "DeleteSecret", nil)
	if err != nil {
		return nil, err
	}
	if in.ForceDeleteWithoutRecovery {
		if in.RecoveryWindowInDays != nil {
			return nil, invalid("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
		}
		c.World.Lock()
		delete(c.World.Accounts[s.account].Secrets, s.ARN)
		c.World.Unlock()
		c.Changed(world.Thing{Kind: "secret", Account: s.account, Name: s.ARN})
		return map[string]any{"ARN": s.ARN, "Name": s.Name, "DeletionDate": wire.Epoch(c.Time)}, nil
	}
	days := 30
	if in.RecoveryWindowInDays != nil {
		days = *in.RecoveryWindowInDays
	}
	if days < 7 || days > 30 {
		return nil, invalid("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
	}
	end := c.Time.Add(time.Duration(days) * 24 * time.Hour)
	return map[string]any{"ARN": s.ARN, "Name": s.Name, "DeletionDate": wire.Epoch(end)},
		s.change(c, func(s *world.Secret) { s.Deletion = end })
}

func restoreSecret(c *world.Call, in secretIn) (any, error) {
	s, err := find(c, in.SecretID, "RestoreSecret", nil)
	if err != nil {
		return nil, err
	}
	return map[string]any{"ARN": s.ARN, "Name": s.Name}, s.change(c, func(s *world.Secret) { s.Deletion = time.Time{} })
}

func tagResource(c *world.Call, in struct {
	secretIn
	Tags []tag
}) (any, error) {
	s, err := open(c, in.SecretID, "TagResource", tagContext(in.Tags))
	if err != nil {
		return nil, err
	}
	return nil, s.change(c, func(s *world.Secret) {
		all := maps.Clone(s.Tags)
		for _, t := range in.Tags {
			all[t.Key] = t.Value
		}
		s.Tags = all
	})
}

func untagResource(c *world.Call, in struct {
	secretIn
	TagKeys []string
}) (any, error) {
	s, err := open(c, in.SecretID, "UntagResource", policy.Context{"aws:TagKeys": {List: in.TagKeys, Multi: true}})
	if err != nil {
		return nil, err
	}
	return nil, s.change(c, func(s *world.Secret) {
		all := maps.Clone(s.Tags)
		maps.DeleteFunc(all, func(k, _ string) bool { return slices.Contains(in.TagKeys, k) })
		s.Tags = all
	})
}

// A filter is one of ListSecrets and BatchGetSecretValue: values are prefixes,
// "!" before one turns it around.
type filter struct {
	Key    string
	Values []string
}

func (f filter) fits(s world.Secret) (bool, error) {
	var texts []string
	switch f.Key {
	case "name":
		texts = []string{s.Name}
	case "description":
		texts = strings.Fields(s.Description)
	case "tag-key":
		texts = slices.Collect(maps.Keys(s.Tags))
	case "tag-value":
		texts = slices.Collect(maps.Values(s.Tags))
	default:
		return false, invalid("1 validation error detected: Value '%s' at 'filters.1.member.key' failed to satisfy constraint: Member must satisfy enum value set that the sandbox has: [name, description, tag-key, tag-value]", f.Key)
	}
	for _, v := range f.Values {
		prefix, not := strings.CutPrefix(v, "!")
		if slices.ContainsFunc(texts, func(t string) bool { return strings.HasPrefix(t, prefix) }) != not {
			return true, nil
		}
	}
	return false, nil
}

func listSecrets(c *world.Call, in struct {
	Filters                []filter
	MaxResults             *int
	NextToken              string
	IncludePlannedDeletion bool
}) (any, error) {
	if err := c.Authorize(world.Access{Action: service + ":ListSecrets", Resource: "*"}); err != nil {
		return nil, err
	}
	most := 100
	if in.MaxResults != nil {
		most = *in.MaxResults
	}
	page, next, err := filtered(c, in.Filters, most, 100, in.NextToken)
	if err != nil {
		return nil, err
	}
	rows := []map[string]any{}
	for _, s := range page {
		if s.Deletion.IsZero() || in.IncludePlannedDeletion {
			rows = append(rows, summary(s))
		}
	}
	answer := map[string]any{"SecretList": rows}
	if next != "" {
		answer["NextToken"] = next
	}
	return answer, nil
}

// filtered is one page of the caller's secrets in the order of their ARNs. The
// token is the ARN after which it begins.
func filtered(c *world.Call, filters []filter, most, limit int, after string) (page []world.Secret, next string, err error) {
	if most < 1 || most > limit {
		return nil, "", invalid("1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: Member must have value between 1 and %d", most, limit)
	}
	c.World.RLock()
	all := c.World.Accounts[c.Caller.Account].Secrets
	copies := map[string]world.Secret{}
	for arn, s := range all {
		if !s.Gone(c.Time) {
			copies[arn] = *s
		}
	}
	c.World.RUnlock()
	if _, ok := copies[after]; after != "" && !ok {
		return nil, "", wire.Refuse("secret-next-token", "InvalidNextTokenException", "The NextToken value is invalid.", "no page has ended with it")
	}
	for _, arn := range slices.Sorted(maps.Keys(copies)) {
		s, fits := copies[arn], true
		for _, f := range filters {
			ok, err := f.fits(s)
			if err != nil {
				return nil, "", err
			}
			fits = fits && ok
		}
		if !fits || s.Region != c.Region || after != "" && arn <= after {
			continue
		}
		if len(page) == most {
			return page, page[most-1].ARN, nil
		}
		page = append(page, s)
	}
	return page, "", nil
}
