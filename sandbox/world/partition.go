package world

import "strings"

// Partitions are those of AWS that the sandbox has. An account is in one, and
// neither keys nor ARNs of another count there.
//
// https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
func Partitions() []string { return []string{"aws", "aws-cn", "aws-us-gov"} }

// PartitionOf is the partition of a region.
func PartitionOf(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// Domain is what the host names of a region's endpoints end in.
func Domain(region string) string {
	if PartitionOf(region) == "aws-cn" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// iamARN is the ARN of a thing of the account's that has no region: kind and name
// as "role" and "/team/reader", or "root" and nothing.
func (a *Account) iamARN(kind, name string) string {
	return "arn:" + a.partition() + ":iam::" + a.ID + ":" + kind + name
}

func (a *Account) partition() string {
	if a.Partition == "" {
		return "aws"
	}
	return a.Partition
}

// partitionIn is the partition that an ARN names.
func partitionIn(arn string) string {
	_, rest, _ := strings.Cut(arn, ":")
	partition, _, _ := strings.Cut(rest, ":")
	return partition
}

// InPartition refuses a caller where region is of another partition than the
// caller's, in which AWS knows nothing of its keys.
func InPartition(caller, region string) error {
	if here := PartitionOf(region); caller != "" && partitionIn(caller) != here {
		return invalidToken("access-key-partition", "%s is of partition %s, and %s of %s", caller, partitionIn(caller), region, here)
	}
	return nil
}
