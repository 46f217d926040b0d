package eks

import (
	"maps"
	"net/http"
	"regexp"
	"slices"

	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

var clusterName = regexp.MustCompile(`^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$`)

func createCluster(q *request) error {
	var in struct {
		Name, RoleARN, Version, ClientRequestToken string
		Tags                                       map[string]string
	}
	if err := q.read(&in); err != nil {
		return err
	}
	q.cluster = in.Name
	arn, carried := q.clusterARN(in.Name), world.TagMapContext(in.Tags)
	if err := q.allowed(arn, carried); err != nil {
		return err
	}
	if err := q.AuthorizeTags(tagAction, arn, carried); err != nil {
		return err
	}
	if !clusterName.MatchString(in.Name) {
		return parameter("The cluster name is not one.", "name is %q", in.Name)
	}
	if in.RoleARN != "" {
		if err := q.PassRole(in.RoleARN, "eks.amazonaws.com"); err != nil {
			return err
		}
	}
	c := &world.Cluster{
		Name: in.Name, Region: q.Region, ARN: arn, RoleARN: in.RoleARN, Version: in.Version,
		Issuer:  "https://oidc.eks." + q.Region + ".amazonaws.com/id/" + world.NewID(""),
		Created: q.Time, Tags: in.Tags, Associations: map[string]*world.PodAssociation{}, Replayed: map[string]string{},
	}
	if own := in.Tags[issuerTag]; own != "" {
		c.Issuer = own
		q.Decision.NotAWS = append(q.Decision.NotAWS, "issuer "+own+" by a tag")
	}
	q.World.Lock()
	defer q.World.Unlock()
	account := q.World.Account(q.Caller.Account)
	if there := account.Clusters[in.Name]; there != nil { // unlike AWS, in whichever region
		return &world.Refusal{
			Slug: "eks-cluster-exists", Code: "ResourceInUseException", Status: http.StatusConflict,
			Message: "Cluster already exists with name: " + in.Name, Detail: "it is in " + there.Region,
		}
	}
	account.Clusters[in.Name] = c
	q.kept()
	return wire.JSON(q.w, http.StatusOK, map[string]any{"cluster": describedCluster(c)})
}

func describedCluster(c *world.Cluster) any {
	return map[string]any{
		"name": c.Name, "arn": c.ARN, "createdAt": wire.Epoch(c.Created), "status": "ACTIVE", "roleArn": c.RoleARN, "version": c.Version,
		"identity": map[string]any{"oidc": map[string]string{"issuer": c.Issuer}}, "tags": maps.Clone(c.Tags),
	}
}

func describeCluster(q *request) error {
	if err := q.allowed(q.clusterARN(q.cluster), nil); err != nil {
		return err
	}
	return q.within(func(c *world.Cluster) error {
		return wire.JSON(q.w, http.StatusOK, map[string]any{"cluster": describedCluster(c)})
	})
}

func listClusters(q *request) error {
	if err := q.allowed("*", nil); err != nil {
		return err
	}
	q.World.RLock()
	defer q.World.RUnlock()
	names := []string{}
	for name, c := range q.World.Account(q.Caller.Account).Clusters {
		if c.Region == q.Region {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return wire.JSON(q.w, http.StatusOK, map[string]any{"clusters": names})
}

func deleteCluster(q *request) error {
	if err := q.allowed(q.clusterARN(q.cluster), nil); err != nil {
		return err
	}
	return q.within(func(c *world.Cluster) error {
		delete(q.World.Account(q.Caller.Account).Clusters, c.Name)
		q.kept()
		return wire.JSON(q.w, http.StatusOK, map[string]any{"cluster": describedCluster(c)})
	})
}
