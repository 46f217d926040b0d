"""Reads one S3 object once with the default chain: python3 -c THIS BUCKET KEY"""
import sys

import boto3

try:
    body = boto3.client("s3").get_object(Bucket=sys.argv[1], Key=sys.argv[2])["Body"]
    print("read", body.read().decode())
except Exception as e:  # the text is what the test looks at
    sys.exit(f"{type(e).__name__}: {e}")
