package reason

// storage: what S3 refuses beyond signatures and policies.
func storage() []Reason {
	return append(buckets(), objects()...)
}

func buckets() []Reason {
	return []Reason{
		{"s3-no-such-bucket", "NoSuchBucket", "The specified bucket does not exist",
			"no account has a bucket of this name", "create the bucket, or correct the name; where the host name holds a bucket, look at that too"},
		{"s3-bucket-name", "InvalidBucketName", "The specified bucket is not valid.",
			"the name breaks a rule for bucket names", "use 3 to 63 lower-case letters, digits and hyphens"},
		{"s3-bucket-exists", "BucketAlreadyExists", "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.",
			"another account has a bucket of this name; names are shared by all accounts", "choose another name"},
		{"s3-bucket-owned", "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.",
			"the account has this bucket already", "use it"},
		{"s3-bucket-not-empty", "BucketNotEmpty", "The bucket you tried to delete is not empty",
			"the bucket still has objects", "delete its objects first: aws s3 rm --recursive"},
		{"s3-location", "IllegalLocationConstraintException", "The %s location constraint is incompatible for the region specific endpoint this request was sent to.",
			"the location constraint is not the region that the request is for", "give the region as LocationConstraint, and none in us-east-1"},
		{"s3-region", "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.",
			"the bucket is in another region", "set the client's region to the bucket's"},
		{"s3-other-owner", "AccessDenied", "Access Denied",
			"the bucket belongs to another account than x-amz-expected-bucket-owner says", "correct the expected owner, or the bucket's name"},
		{"s3-no-bucket-policy", "NoSuchBucketPolicy", "The bucket policy does not exist",
			"the bucket has no policy", "put one, or go without"},
		{"s3-policy-malformed", "MalformedPolicy", "Policy has invalid resource",
			"S3 does not take the text as a policy of this bucket", "correct the policy at the place that the detail names"},
		{"s3-policy-other-account", "MethodNotAllowed", "The specified method is not allowed against this resource.",
			"only callers of the bucket's account may read or write its policy", "use an identity of the bucket's account"},
		{"s3-xml-malformed", "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema",
			"the body is not the XML that the call takes", "send it as the API describes"},
	}
}

func objects() []Reason {
	return []Reason{
		{"s3-no-such-key", "NoSuchKey", "The specified key does not exist.",
			"the bucket has no object of this key", "correct the key, or put the object"},
		{"s3-key-name", "KeyTooLongError", "Your key is too long",
			"the key has more than 1024 bytes or is not UTF-8", "choose another key"},
		{"s3-argument", "InvalidArgument", "",
			"a parameter of the query has a value that S3 does not take", "correct the parameter that the detail names"},
		{"s3-header-not-built", "NotImplemented", "A header you provided implies functionality that is not implemented",
			"a header asks for something that the sandbox does not do", "leave the header out, or try it against AWS"},
		{"s3-acl", "AccessControlListNotSupported", "The bucket does not allow ACLs",
			"ACLs are off, as on every new bucket at AWS", "grant by bucket policy, and leave x-amz-acl out"},
		{"s3-content-md5", "BadDigest", "The Content-MD5 you specified did not match what we received.",
			"Content-MD5 is not the MD5 of the body, or not base64", looksAltered},
		{"s3-checksums", "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
			"there is more than one checksum, or not the one that was announced", "send one checksum, of the announced algorithm"},
		{"s3-metadata-too-large", "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size",
			"names and values of x-amz-meta-* have more than 2 KB", "keep the data in the object"},
		{"s3-range", "InvalidRange", "The requested range is not satisfiable",
			"the range begins behind the object's end", "ask for a range within the object"},
		{"s3-precondition", "PreconditionFailed", "At least one of the pre-conditions you specified did not hold",
			"an If-* header does not fit the object", "read the object anew, or leave the condition out"},
		{"s3-response-headers", "InvalidRequest", "Request specific response headers cannot be used for anonymous GET requests.",
			"only a signed request may choose headers of the answer", "presign the URL with them"},
	}
}
