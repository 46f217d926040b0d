"""Writes botocore.json: requests as botocore signs them, with their bodies.

Run by hand where botocore is installed; the clock and the keys are fixed.
Headers that are never signed are left out:

    python3 capture.py > botocore.json
"""

import datetime
import json
from unittest import mock

import botocore
import botocore.auth
import botocore.session
from botocore.config import Config

KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NOW = datetime.datetime(2026, 3, 4, 5, 6, 7)

UNSIGNED = ("user-agent", "amz-sdk-invocation-id", "amz-sdk-request", "expect", "transfer-encoding", "content-length")

taken = []


def client(service, token=None, scheme="https", **config):
    session = botocore.session.Session()
    made = session.create_client(
        service, region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key=SECRET,
        aws_session_token=token, use_ssl=scheme == "https",
        config=Config(retries={"max_attempts": 0}, **config),
    )

    def take(request, **_):
        body = request.body
        if hasattr(body, "read"):
            body = body.read()
        keep(service, token, request.method, request.url, request.headers, body)
        raise Taken

    made.meta.events.register_last("before-send", take)
    return made


class Taken(Exception):
    pass


def keep(service, token, method, url, headers, body):
    if isinstance(body, bytes):
        body = body.decode()
    taken.append({
        "service": service, "token": token or "", "method": method, "url": url,
        "headers": {k: v.decode() if isinstance(v, bytes) else v for k, v in headers.items() if k.lower() not in UNSIGNED},
        "body": body or "",
    })


def call(made, operation, **parameters):
    try:
        getattr(made, operation)(**parameters)
    except Taken:
        return
    raise SystemExit(operation + " was not signed")


def presigned(service, made, token, operation, parameters, **more):
    url = made.generate_presigned_url(operation, Params=parameters, ExpiresIn=3600, **more)
    keep(service, token, more.get("HttpMethod", "PUT" if operation.startswith("put") else "GET"), url, {}, "")


def main():
    keys = ["plain", "a folder/with space", "a//b/../c/./d", "plus+and%2Fpercent", "ümlaut/€", "(x)'*!:@$,;=&", "trailing/"]
    for token in (None, "a/session+token=="):
        for service, operation, parameters in (
            ("sts", "get_caller_identity", {}),
            ("sts", "assume_role", {"RoleArn": "arn:aws:iam::111122223333:role/r", "RoleSessionName": "s@x=,.-"}),
            ("iam", "get_role", {"RoleName": "r"}),
            ("rolesanywhere", "list_trust_anchors", {"nextToken": "a/b+c=", "pageSize": 3}),
            ("rolesanywhere", "list_tags_for_resource", {"resourceArn": "arn:aws:rolesanywhere:us-east-1:111122223333:profile/x"}),
            ("rolesanywhere", "get_profile", {"profileId": "00000000-0000-0000-0000-000000000000"}),
            ("lambda", "get_function", {"FunctionName": "arn:aws:lambda:us-east-1:111122223333:function:f:1"}),
            ("kms", "list_keys", {}),
            ("eks", "describe_cluster", {"name": "c"}),
        ):
            call(client(service, token), operation, **parameters)
        for style in ("path", "virtual"):
            for scheme in ("https", "http"):
                s3 = client("s3", token, scheme, s3={"addressing_style": style})
                for key in keys:
                    call(s3, "put_object", Bucket="bucket", Key=key, Body=b"the body of " + key.encode(), Metadata={"a": "two  spaces"})
                    call(s3, "get_object", Bucket="bucket", Key=key, Range="bytes=0-3")
                call(s3, "list_objects_v2", Bucket="bucket", Prefix="a b/ü", Delimiter="/", StartAfter="+=&")
                call(s3, "list_buckets")
        # In us-east-1 botocore presigns by Signature Version 2 unless told.
        links = client("s3", token, signature_version="s3v4")
        for key in keys:
            presigned("s3", links, token, "get_object", {"Bucket": "bucket", "Key": key, "ResponseContentType": "text/plain; a=b"})
        presigned("s3", links, token, "put_object", {"Bucket": "bucket", "Key": "k"})
        presigned("sts", client("sts", token), token, "get_caller_identity", {}, HttpMethod="GET")


with mock.patch("botocore.auth.get_current_datetime", lambda *a, **k: NOW):
    main()
print('{"botocore": "%s", "requests": [' % botocore.__version__)
print(",\n".join(json.dumps(request, sort_keys=True) for request in taken))
print("]}")
