package eks

import (
	"crypto/rand"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

const namePattern = `^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`

var (
	namespaceName = regexp.MustCompile(namePattern)
	accountName   = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)
	roleARN       = regexp.MustCompile(`^arn:aws[a-z-]*:iam::([0-9]{12}):role/.+$`)
)

// input is what CreatePodIdentityAssociation and UpdatePodIdentityAssociation
// take; nil is not sent.
type input struct {
	Namespace, ServiceAccount string
	RoleARN                   *string
	ClientRequestToken        *string
	Tags                      map[string]string
	DisableSessionTags        *bool
	TargetRoleARN             *string
	Policy                    *string
}

func create(q *request) error {
	var in input
	if err := q.read(&in); err != nil {
		return err
	}
	id, carried := newID(), world.TagMapContext(in.Tags)
	arn := q.associationARN(id)
	if err := q.allowed(q.clusterARN(q.cluster), carried); err != nil {
		return err
	}
	if err := q.AuthorizeTags(tagAction, arn, carried); err != nil {
		return err
	}
	for _, p := range []struct {
		name, value, shown string
		pattern            *regexp.Regexp
	}{
		{"namespace", in.Namespace, namePattern, namespaceName},
		{"serviceAccount", in.ServiceAccount, accountName.String(), accountName},
	} {
		if !p.pattern.MatchString(p.value) {
			return parameter("The parameter "+p.name+" contains invalid characters. It should conform to the regular expression \""+p.shown+"\".",
				"%s is %q", p.name, p.value)
		}
	}
	a := &world.PodAssociation{ID: id, ARN: arn, Namespace: in.Namespace, ServiceAccount: in.ServiceAccount, Created: q.Time, Tags: in.Tags}
	if err := q.fill(a, in); err != nil {
		return err
	}
	if a.RoleARN == "" {
		return parameter("The roleArn must be given.", "there is none")
	}
	return q.within(func(c *world.Cluster) error {
		if old := c.Associations[c.Replayed[token(in)]]; old != nil { // whatever else is asked for now
			return q.answer(c, old)
		}
		for _, other := range c.Associations {
			if other.Namespace == in.Namespace && other.ServiceAccount == in.ServiceAccount {
				return &world.Refusal{
					Slug: "eks-association-exists", Code: "ResourceInUseException", Status: http.StatusConflict,
					Message: "Association already exists: " + other.ID,
				}
			}
		}
		c.Associations[a.ID] = a
		if t := token(in); t != "" {
			c.Replayed[t] = a.ID
		}
		q.kept()
		return q.answer(c, a)
	})
}

func token(in input) string {
	if in.ClientRequestToken == nil {
		return ""
	}
	return *in.ClientRequestToken
}

// newID is a- and 17 lower-case letters and digits.
func newID() string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, 17)
	_, _ = rand.Read(b)
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return "a-" + string(b)
}

// fill checks what was sent and puts it into the association.
func (q *request) fill(a *world.PodAssociation, in input) error {
	if t := in.ClientRequestToken; t != nil && (len(*t) < 33 || len(*t) > 126) {
		return parameter("The client request token parameter must be between 33 and 126 characters.", "it has %d", len(*t))
	}
	a.Modified = q.Time
	if in.RoleARN != nil {
		of := roleARN.FindStringSubmatch(*in.RoleARN)
		switch {
		case of == nil:
			return parameter("The roleArn is not one of a role.", "roleArn is %q", *in.RoleARN)
		case of[1] != q.Caller.Account:
			return parameter("Cross-account pass role is not allowed.", "the role is of account %s, the cluster of %s", of[1], q.Caller.Account)
		}
		if err := q.PassRole(*in.RoleARN, "pods.eks.amazonaws.com"); err != nil {
			return err
		}
		a.RoleARN = *in.RoleARN
	}
	if t := in.TargetRoleARN; t != nil {
		if *t != "" && !roleARN.MatchString(*t) {
			return parameter("The targetRoleArn is not one of a role.", "targetRoleArn is %q", *t)
		}
		a.TargetRoleARN = *t
	}
	if in.DisableSessionTags != nil {
		a.DisableSessionTags = *in.DisableSessionTags
	}
	if in.Policy != nil {
		a.Policy = nil
		if *in.Policy != "" {
			doc, err := policy.Parse(policy.Session, *in.Policy)
			if err != nil {
				return parameter("The policy is not valid.", "%v", err)
			}
			a.Policy = doc
		}
	}
	if a.Policy != nil && !a.DisableSessionTags {
		return parameter("A session policy can only be used when session tags are disabled.", "disableSessionTags is false")
	}
	return nil
}

// find needs the world's lock.
func (q *request) find(c *world.Cluster) (*world.PodAssociation, error) {
	if a := c.Associations[q.id]; a != nil {
		return a, nil
	}
	return nil, &world.Refusal{
		Slug: "eks-association-missing", Code: "ResourceNotFoundException", Status: http.StatusNotFound,
		Message: "No service account role association found for ID: " + q.id,
	}
}

func describe(q *request) error {
	if err := q.allowed(q.associationARN(q.id), nil); err != nil {
		return err
	}
	return q.within(func(c *world.Cluster) error {
		a, err := q.find(c)
		if err != nil {
			return err
		}
		return q.answer(c, a)
	})
}

func update(q *request) error {
	var in input
	if err := q.read(&in); err != nil {
		return err
	}
	if err := q.allowed(q.associationARN(q.id), nil); err != nil {
		return err
	}
	var next world.PodAssociation
	if err := q.within(func(c *world.Cluster) error {
		a, err := q.find(c)
		if err == nil {
			next = *a
		}
		return err
	}); err != nil {
		return err
	}
	if err := q.fill(&next, in); err != nil {
		return err
	}
	return q.within(func(c *world.Cluster) error {
		a, err := q.find(c)
		if err != nil {
			return err
		}
		*a = next
		q.kept()
		return q.answer(c, a)
	})
}

func remove(q *request) error {
	if err := q.allowed(q.associationARN(q.id), nil); err != nil {
		return err
	}
	return q.within(func(c *world.Cluster) error {
		a, err := q.find(c)
		if err != nil {
			return err
		}
		delete(c.Associations, q.id)
		q.kept()
		return q.answer(c, a)
	})
}

// answer needs the world's lock.
func (q *request) answer(c *world.Cluster, a *world.PodAssociation) error {
	all := map[string]any{
		"clusterName": c.Name, "namespace": a.Namespace, "serviceAccount": a.ServiceAccount, "roleArn": a.RoleARN,
		"associationArn": a.ARN, "associationId": a.ID, "createdAt": wire.Epoch(a.Created), "modifiedAt": wire.Epoch(a.Modified),
		"disableSessionTags": a.DisableSessionTags, "tags": maps.Clone(a.Tags),
	}
	if a.TargetRoleARN != "" {
		all["targetRoleArn"], all["externalId"] = a.TargetRoleARN, c.ExternalID(q.Caller.Account, a)
	}
	if a.Policy != nil {
		all["policy"] = a.Policy.Text
	}
	return wire.JSON(q.w, http.StatusOK, map[string]any{"association": all})
}

// list answers all at once: a page has room for more than a test makes.
func list(q *request) error {
	if err := q.allowed(q.clusterARN(q.cluster), nil); err != nil {
		return err
	}
	namespace, account := q.r.URL.Query().Get("namespace"), q.r.URL.Query().Get("serviceAccount")
	return q.within(func(c *world.Cluster) error {
		all := []any{}
		for _, id := range slices.SortedFunc(maps.Keys(c.Associations), strings.Compare) {
			a := c.Associations[id]
			if namespace != "" && a.Namespace != namespace || account != "" && a.ServiceAccount != account {
				continue
			}
			all = append(all, map[string]string{
				"clusterName": c.Name, "namespace": a.Namespace, "serviceAccount": a.ServiceAccount, "associationArn": a.ARN, "associationId": a.ID,
			})
		}
		return wire.JSON(q.w, http.StatusOK, map[string]any{"associations": all})
	})
}
