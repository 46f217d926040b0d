package world

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"

	"daypass.dev/policy"
)

// awsManaged are the policies of AWS's own that the sandbox knows. Their texts
// are recalled, not fetched; AWS may have widened the S3 ones since.
var awsManaged = sync.OnceValue(func() map[string]*policy.Document {
	const all = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":%,"Resource":"*"}]}`
	docs := map[string]*policy.Document{}
	for name, actions := range map[string]string{
		"AdministratorAccess":    `"*"`,
		"IAMFullAccess":          `"iam:*"`,
		"AmazonS3FullAccess":     `["s3:*","s3-object-lambda:*"]`,
		"AmazonS3ReadOnlyAccess": `["s3:Get*","s3:List*","s3:Describe*","s3-object-lambda:Get*","s3-object-lambda:List*"]`,
	} {
		doc, err := policy.Parse(policy.Identity, strings.Replace(all, "%", actions, 1))
		if err != nil {
			panic(err)
		}
		for _, partition := range Partitions() {
			docs["arn:"+partition+":iam::aws:policy/"+name] = doc
		}
	}
	return docs
})

// AWSManagedPolicies are the ARNs of AWS's own policies that the sandbox
// knows in a partition, sorted.
func AWSManagedPolicies(partition string) []string {
	return slices.DeleteFunc(sortedKeys(awsManaged()), func(arn string) bool { return partitionIn(arn) != partition })
}

// ManagedPolicy returns the default version of a managed policy, AWS's own
// included; nil if there is none. The lock must be held.
func (w *World) ManagedPolicy(arn string) *policy.Document {
	if doc := awsManaged()[arn]; doc != nil {
		return doc
	}
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || w.Accounts[parts[4]] == nil {
		return nil
	}
	p := w.Accounts[parts[4]].Policies[arn]
	if p == nil {
		return nil
	}
	for _, v := range p.Versions {
		if v.ID == p.Default {
			return v.Document
		}
	}
	return nil
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
