package secretsmanager

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

const (
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"
	// maxValue is the most that a version holds, in bytes.
	maxValue = 65536
	maxBatch = 20
)

// A value is what answers say of one version.
type value struct {
	ARN           string
	Name          string
	VersionID     string   `json:"VersionId"`
	SecretString  *string  `json:",omitempty"`
	SecretBinary  []byte   `json:",omitempty"`
	VersionStages []string `json:",omitempty"`
	CreatedDate   wire.Epoch
}

func getSecretValue(c *world.Call, in struct {
	SecretID     string `json:"SecretId"`
	VersionID    string `json:"VersionId"`
	VersionStage string
}) (any, error) {
	return read(c, in.SecretID, in.VersionID, in.VersionStage)
}

// read is GetSecretValue for one secret, alone or in a batch.
func read(c *world.Call, id, versionID, stage string) (value, error) {
	more := policy.Context{}
	if versionID != "" {
		more["secretsmanager:VersionId"] = policy.Values{List: []string{versionID}}
	}
	if stage != "" || versionID == "" {
		more["secretsmanager:VersionStage"] = policy.Values{List: []string{cmp.Or(stage, current)}}
	}
	s, err := open(c, id, "GetSecretValue", more)
	if err != nil {
		return value{}, err
	}
	v, err := s.version(versionID, stage)
	if err != nil {
		return value{}, err
	}
	if err := use(c, "Decrypt", v.Key, s.ARN, v.ID); err != nil {
		return value{}, err
	}
	if day := c.Time.Truncate(24 * time.Hour); !s.Accessed.Equal(day) {
		if err := s.change(c, func(s *world.Secret) { s.Accessed = day }); err != nil {
			return value{}, err
		}
	}
	return value{s.ARN, s.Name, v.ID, v.Text, v.Binary, v.Stages, wire.Epoch(v.Created)}, nil
}

func batchGetSecretValue(c *world.Call, in struct {
	SecretIDList []string `json:"SecretIdList"`
	Filters      []filter
	MaxResults   *int
	NextToken    string
}) (any, error) {
	if err := c.Authorize(world.Access{Action: service + ":BatchGetSecretValue", Resource: "*"}); err != nil {
		return nil, err
	}
	ids, next := in.SecretIDList, ""
	switch {
	case (len(ids) > 0) == (len(in.Filters) > 0):
		return nil, invalid("Either 'SecretIdList' or 'Filters' must be provided, but not both.")
	case len(ids) > maxBatch:
		return nil, invalid("1 validation error detected: Value at 'secretIdList' failed to satisfy constraint: Member must have length less than or equal to 20")
	case len(ids) > 0 && (in.MaxResults != nil || in.NextToken != ""):
		return nil, wire.Refuse("secret-parameter", "InvalidRequestException", "You can't use MaxResults or NextToken with SecretIdList.", "they belong to Filters")
	case len(in.Filters) > 0:
		if err := c.Authorize(world.Access{Action: service + ":ListSecrets", Resource: "*"}); err != nil {
			return nil, err
		}
		most := maxBatch
		if in.MaxResults != nil {
			most = *in.MaxResults
		}
		page, after, err := filtered(c, in.Filters, most, maxBatch, in.NextToken)
		if err != nil {
			return nil, err
		}
		next = after
		for _, s := range page {
			ids = append(ids, s.ARN)
		}
	}
	type failure struct {
		SecretID  string `json:"SecretId"`
		ErrorCode string
		Message   string
	}
	values, failures := []value{}, []failure{}
	for _, id := range ids {
		v, err := read(c, id, "", "")
		var refused *world.Refusal
		switch {
		case errors.As(err, &refused):
			code := refused.Code
			if code == "AccessDenied" {
				code = "AccessDeniedException"
			}
			failures = append(failures, failure{id, code, refused.Message})
		case err != nil:
			return nil, err
		default:
			values = append(values, v)
		}
	}
	answer := map[string]any{"SecretValues": values, "Errors": failures}
	if next != "" {
		answer["NextToken"] = next
	}
	return answer, nil
}

// content are the members by which calls bring a value.
type content struct {
	ClientRequestToken string
	SecretString       *string
	SecretBinary       []byte
}

func (in content) check(needed bool) error {
	n := len(in.SecretBinary)
	if in.SecretString != nil {
		n = len(*in.SecretString)
	}
	switch {
	case in.SecretString != nil && in.SecretBinary != nil:
		return invalid("You can't specify both a binary secret value and a string secret value in the same secret.")
	case in.SecretString == nil && in.SecretBinary == nil && needed:
		return invalid("You must provide either SecretString or SecretBinary.")
	case n > maxValue:
		return invalid("1 validation error detected: Value at 'secretString' failed to satisfy constraint: Member must have length less than or equal to 65536")
	case in.ClientRequestToken != "" && (len(in.ClientRequestToken) < 32 || len(in.ClientRequestToken) > 64):
		return invalid("The parameter ClientRequestToken must have between 32 and 64 characters.")
	}
	return nil
}

func (in content) empty() bool { return in.SecretString == nil && in.SecretBinary == nil }

// put makes a version of the content, or finds the one that the same call has
// made before.
func (in content) put(c *world.Call, s found, stages []string) (world.SecretVersion, error) {
	id := cmp.Or(in.ClientRequestToken, world.NewUUID())
	if v, there, err := in.earlier(s.Secret, id); there {
		return v, err
	}
	key, err := keyFor(c, s.account, s.Key, s.ARN, id)
	if err != nil {
		return world.SecretVersion{}, err
	}
	v := world.SecretVersion{ID: id, Text: in.SecretString, Binary: in.SecretBinary, Stages: stages, Key: key, Created: c.Time}
	var refused error
	err = s.change(c, func(s *world.Secret) {
		// KMS was asked without the lock, so the same call may have been first.
		if before, there, err := in.earlier(*s, id); there {
			v, refused = before, err
			return
		}
		s.Versions = withVersion(s.Versions, v)
		s.Changed = c.Time
	})
	return v, cmp.Or(err, refused)
}

// earlier is the version of a token; with another value it is refused.
func (in content) earlier(s world.Secret, id string) (v world.SecretVersion, there bool, err error) {
	i := slices.IndexFunc(s.Versions, func(v world.SecretVersion) bool { return v.ID == id })
	if i < 0 {
		return v, false, nil
	}
	v = s.Versions[i]
	if string(v.Binary) != string(in.SecretBinary) || (v.Text == nil) != (in.SecretString == nil) || v.Text != nil && *v.Text != *in.SecretString {
		err = wire.Refuse("secret-exists", "ResourceExistsException",
			"You can't use ClientRequestToken "+id+" because that value is already in use for a version of secret "+s.ARN+".", "the version has another value")
	}
	return v, true, err
}

// withVersion adds a version and takes its stages from the others. The one that
// was current becomes the previous one.
func withVersion(versions []world.SecretVersion, v world.SecretVersion) []world.SecretVersion {
	if len(versions) == 0 && !slices.Contains(v.Stages, current) {
		v.Stages = append(slices.Clone(v.Stages), current) // the first is always current
	}
	all := append(slices.Clone(versions), v)
	for _, stage := range v.Stages {
		all = moveStage(all, stage, v.ID)
	}
	return dropOld(all)
}

// moveStage lets a stage stand at one version only; empty id: at none.
func moveStage(versions []world.SecretVersion, stage, id string) []world.SecretVersion {
	all := slices.Clone(versions)
	was := ""
	for i, v := range all {
		if slices.Contains(v.Stages, stage) && v.ID != id {
			was = v.ID
			all[i].Stages = slices.DeleteFunc(slices.Clone(v.Stages), func(s string) bool { return s == stage })
		}
		if v.ID == id && !slices.Contains(v.Stages, stage) {
			all[i].Stages = append(slices.Clone(v.Stages), stage)
		}
	}
	if stage == current && was != "" {
		// What is current is not previous at the same time.
		all = moveStage(all, previous, was)
		for i, v := range all {
			if v.ID == id {
				all[i].Stages = slices.DeleteFunc(slices.Clone(v.Stages), func(s string) bool { return s == previous })
			}
		}
	}
	return all
}

// dropOld keeps at most a hundred versions; those with a stage stay.
func dropOld(versions []world.SecretVersion) []world.SecretVersion {
	spare := len(versions) - 100
	return slices.DeleteFunc(versions, func(v world.SecretVersion) bool {
		if spare > 0 && len(v.Stages) == 0 {
			spare--
			return true
		}
		return false
	})
}

func putSecretValue(c *world.Call, in struct {
	content
	SecretID      string `json:"SecretId"`
	VersionStages []string
}) (any, error) {
	s, err := open(c, in.SecretID, "PutSecretValue", nil)
	if err == nil {
		err = in.check(true)
	}
	if err != nil {
		return nil, err
	}
	stages := in.VersionStages
	if len(stages) == 0 {
		stages = []string{current}
	}
	v, err := in.put(c, s, stages)
	if err != nil {
		return nil, err
	}
	return map[string]any{"ARN": s.ARN, "Name": s.Name, "VersionId": v.ID, "VersionStages": v.Stages}, nil
}

func updateSecret(c *world.Call, in struct {
	content
	SecretID    string `json:"SecretId"`
	Description *string
	KmsKeyID    *string `json:"KmsKeyId"`
}) (any, error) {
	s, err := open(c, in.SecretID, "UpdateSecret", nil)
	if err == nil {
		err = in.check(false)
	}
	if err != nil {
		return nil, err
	}
	if in.KmsKeyID != nil {
		s.Key = ownName(*in.KmsKeyID)
		if _, err := keyFor(c, s.account, s.Key, s.ARN, "RequestToValidateKeyAccess"); err != nil {
			return nil, err
		}
	}
	answer := map[string]any{"ARN": s.ARN, "Name": s.Name}
	if !in.empty() {
		v, err := in.put(c, s, []string{current})
		if err != nil {
			return nil, err
		}
		answer["VersionId"] = v.ID
	}
	return answer, s.change(c, func(live *world.Secret) {
		live.Changed = c.Time
		if in.KmsKeyID != nil {
			live.Key = s.Key
		}
		if in.Description != nil {
			live.Description = *in.Description
		}
	})
}

// ownName is empty for Secrets Manager's own key, however it is called.
func ownName(key string) string {
	if strings.HasSuffix(key, "alias/aws/secretsmanager") {
		return ""
	}
	return key
}

func updateSecretVersionStage(c *world.Call, in struct {
	SecretID            string `json:"SecretId"`
	VersionStage        string
	RemoveFromVersionID string `json:"RemoveFromVersionId"`
	MoveToVersionID     string `json:"MoveToVersionId"`
}) (any, error) {
	s, err := open(c, in.SecretID, "UpdateSecretVersionStage", policy.Context{"secretsmanager:VersionStage": {List: []string{in.VersionStage}}})
	if err != nil {
		return nil, err
	}
	if in.VersionStage == "" {
		return nil, invalid("You must specify a VersionStage.")
	}
	holder := ""
	for _, v := range s.Versions {
		if slices.Contains(v.Stages, in.VersionStage) {
			holder = v.ID
		}
	}
	if holder != "" && holder != in.RemoveFromVersionID && holder != in.MoveToVersionID {
		return nil, invalid("The parameter RemoveFromVersionId can't be empty. Staging label %s is currently attached to version %s, so you must explicitly reference that version in RemoveFromVersionId.", in.VersionStage, holder)
	}
	if in.VersionStage == current && in.MoveToVersionID == "" {
		return nil, invalid("You can't remove the staging label AWSCURRENT from a version without moving it to another.")
	}
	if in.MoveToVersionID != "" {
		if _, err := s.version(in.MoveToVersionID, ""); err != nil {
			return nil, err
		}
	}
	err = s.change(c, func(live *world.Secret) {
		live.Versions, live.Changed = moveStage(live.Versions, in.VersionStage, in.MoveToVersionID), c.Time
	})
	return map[string]any{"ARN": s.ARN, "Name": s.Name}, err
}
