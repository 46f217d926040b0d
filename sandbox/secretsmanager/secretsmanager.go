// Package secretsmanager is the sandbox's Secrets Manager: versions and their
// stages, resource policies, tags, batches with an error for each secret, and
// the encryption of every version with a KMS key, which the caller must be
// allowed to use.
//
// Not built: rotation by Lambda, replication, random passwords. Unlike AWS, a
// change is seen at once and old versions are dropped as soon as there are more
// than a hundred.
package secretsmanager

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

const service = "secretsmanager"

// Service answers Secrets Manager's calls; its zero value is ready.
type Service struct{}

// Serve answers one call. Errors are *world.Refusal.
func (Service) Serve(c *world.Call, w http.ResponseWriter, r *http.Request, body []byte) error {
	return wire.JSONService{Target: service, Operations: operations()}.Serve(c, w, r, body)
}

func operations() map[string]func(*world.Call, []byte) (any, error) {
	return map[string]func(*world.Call, []byte) (any, error){
		"CreateSecret":             wire.Operation(createSecret),
		"DescribeSecret":           wire.Operation(describeSecret),
		"ListSecrets":              wire.Operation(listSecrets),
		"ListSecretVersionIds":     wire.Operation(listSecretVersionIDs),
		"GetSecretValue":           wire.Operation(getSecretValue),
		"BatchGetSecretValue":      wire.Operation(batchGetSecretValue),
		"PutSecretValue":           wire.Operation(putSecretValue),
		"UpdateSecret":             wire.Operation(updateSecret),
		"UpdateSecretVersionStage": wire.Operation(updateSecretVersionStage),
		"DeleteSecret":             wire.Operation(deleteSecret),
		"RestoreSecret":            wire.Operation(restoreSecret),
		"TagResource":              wire.Operation(tagResource),
		"UntagResource":            wire.Operation(untagResource),
		"PutResourcePolicy":        wire.Operation(putResourcePolicy),
		"GetResourcePolicy":        wire.Operation(getResourcePolicy),
		"DeleteResourcePolicy":     wire.Operation(deleteResourcePolicy),
	}
}

func invalid(format string, args ...any) *world.Refusal {
	message := fmt.Sprintf(format, args...)
	return wire.Refuse("secret-parameter", "InvalidParameterException", message, message)
}

// A found secret is copied out of the lock, with the account that owns it.
type found struct {
	world.Secret
	account string
}

// find looks a secret up by what a call names it by and holds the caller to
// the operation. A name that no secret has, and an ARN in another account, are
// authorized as they stand: who may not know is told nothing else.
//
// Policies on both sides let another account make each of these operations. In
// AWS's list of them, those from RestoreSecret on are recalled:
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_examples_cross.html
func find(c *world.Call, id, operation string, more policy.Context) (found, error) {
	if id == "" {
		return found{}, invalid("You must specify a SecretId.")
	}
	s, there := look(c, id)
	a := world.Access{Action: service + ":" + operation, Resource: id, ResourceAccount: s.account, Context: policy.Context{}}
	for k, v := range more {
		a.Context[k] = v
	}
	a.Context["secretsmanager:SecretId"] = policy.Values{List: []string{id}}
	if there {
		a.Resource = s.ARN
		for k, v := range s.Tags {
			a.Context["secretsmanager:ResourceTag/"+k] = policy.Values{List: []string{v}}
			a.Context["aws:ResourceTag/"+k] = policy.Values{List: []string{v}}
		}
		if s.Policy != nil {
			a.ResourcePolicy = &policy.Named{Name: "resource policy of " + s.Name, Document: s.Policy}
		}
	}
	if err := c.Authorize(a); err != nil {
		if refused, ok := err.(*world.Refusal); ok && !there {
			refused.Slug, refused.Mend = "secret-not-found-denied", ""
			refused.Detail = "account " + s.account + " has no secret " + id + " in " + c.Region + ", and the caller may not learn that"
		}
		return found{}, err
	}
	if !there {
		return found{}, wire.Refuse("secret-not-found", "ResourceNotFoundException", "Secrets Manager can't find the specified secret.",
			"account "+s.account+" has no secret "+id+" in "+c.Region)
	}
	return s, nil
}

// look finds a secret by ARN, by ARN without the six characters at its end, or
// by name in the caller's account. The account is where it was looked for.
func look(c *world.Call, id string) (found, bool) {
	c.World.RLock()
	defer c.World.RUnlock()
	return lookLocked(c, id)
}

// lookLocked is look for callers that hold the world's lock.
func lookLocked(c *world.Call, id string) (found, bool) {
	account, name := c.Caller.Account, id
	if p := strings.SplitN(id, ":", 7); len(p) == 7 && p[0] == "arn" {
		account, name = p[4], p[6]
		if p[3] != c.Region {
			return found{account: account}, false
		}
	}
	a := c.World.Accounts[account]
	if a == nil {
		return found{account: account}, false
	}
	if s := a.Secrets[id]; s != nil && !s.Gone(c.Time) {
		return found{*s, account}, true
	}
	for _, s := range a.Secrets {
		if s.Region == c.Region && s.Name == name && !s.Gone(c.Time) {
			return found{*s, account}, true
		}
	}
	return found{account: account}, false
}

// live refuses a secret that is marked for deletion.
func (s found) live() error {
	if s.Deletion.IsZero() {
		return nil
	}
	return wire.Refuse("secret-deleted", "InvalidRequestException",
		"You can't perform this operation on the secret because it was marked for deletion.", s.Name+" will be gone at "+s.Deletion.String())
}

// open is find for a secret that must be in use.
func open(c *world.Call, id, operation string, more policy.Context) (found, error) {
	s, err := find(c, id, operation, more)
	if err == nil {
		err = s.live()
	}
	return s, err
}

// change alters a secret under the world's lock. It may be gone by now.
func (s found) change(c *world.Call, alter func(*world.Secret)) error {
	c.World.Lock()
	defer c.World.Unlock()
	live := c.World.Accounts[s.account].Secrets[s.ARN]
	if live == nil {
		return wire.Refuse("secret-not-found", "ResourceNotFoundException", "Secrets Manager can't find the specified secret.", s.ARN+" has just gone")
	}
	alter(live)
	c.Changed(world.Thing{Kind: "secret", Account: s.account, Name: s.ARN})
	return nil
}

// version finds a version by id, by stage, or the current one.
func (s found) version(id, stage string) (world.SecretVersion, error) {
	want := stage
	if id == "" && stage == "" {
		want = current
	}
	for _, v := range s.Versions {
		if (id == "" || v.ID == id) && (want == "" || slices.Contains(v.Stages, want)) {
			return v, nil
		}
	}
	switch {
	case id != "" && stage != "":
		return world.SecretVersion{}, wire.Refuse("secret-version", "InvalidRequestException",
			"You provided a VersionStage that is not associated to the provided VersionId.", "version "+id+" does not carry "+stage)
	case id != "":
		return world.SecretVersion{}, wire.Refuse("secret-version", "ResourceNotFoundException",
			"Secrets Manager can't find the specified secret value for VersionId: "+id, s.Name+" has no such version")
	}
	return world.SecretVersion{}, wire.Refuse("secret-version", "ResourceNotFoundException",
		"Secrets Manager can't find the specified secret value for staging label: "+want, "no version of "+s.Name+" carries "+want)
}
