"""The servers, stand-ins and faults of the lake on AWS do what tests of calve take for granted."""

import datetime
import email.utils
import http.client
import json
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest
import requests
from botocore.exceptions import (ClientError, ConnectionClosedError, EndpointConnectionError, IncompleteReadError,
                                 ReadTimeoutError, ResponseStreamingError)
from pyiceberg.exceptions import ForbiddenError, UnauthorizedError

import services
from aws import ACCESS, REGION, SECRET, Certificate, FaultProxy, ForwardProxy, S3Settings, TokenServer, make_bucket
from faults import ACTIONS, ERRORS, Rules
from fault_proxy import lend_keys
from glue_stand_in import GlueStandIn
from http_service import HttpService, Request, Response
from lake import Lake, check_statistics
from python_service import PythonService, event
from remote_lake import RemoteLake
from rest_guard import Basic, Bearer, OfServer, Signed
from s3_server import S3Server
from servers import process_start, sweep
from signatures import Keys, Refused, unwrap_chunks, verify

ODD_KEY = "a b/ü+~%25/x=1&y;(*)'!@:,$/日本.parquet"
ENDED = (ConnectionClosedError, ResponseStreamingError, IncompleteReadError)


def code(call, *args, **kwargs):
    """The error code that a boto3 call ends with."""
    with pytest.raises(ClientError) as found:
        call(*args, **kwargs)
    return found.value.response["Error"]["Code"]


@pytest.fixture
def s3():
    with S3Server(region=REGION) as server:
        server.keys.add(ACCESS, SECRET)
        server.add_bucket("lake")
        yield server


@pytest.fixture(params=["own", "versitygw"])
def store(request, aws_servers):
    """(settings, bucket) of an S3 that verifies signatures."""
    server = aws_servers.versitygw if request.param == "versitygw" else aws_servers.s3
    settings = S3Settings(server.url)
    bucket = f"self-{time.monotonic_ns()}"
    make_bucket(settings, bucket)
    return settings, bucket


@pytest.fixture
def glue():
    with GlueStandIn(REGION) as server:
        server.keys.add(ACCESS, SECRET)
        yield server


def glue_client(server, **changes):
    return S3Settings(server.url, **changes).client("glue")


# ---- S3 ----------------------------------------------------------------------------------------


def test_stores_put_get_list_and_delete(store):
    settings, bucket = store
    client = settings.client()
    client.put_object(Bucket=bucket, Key=ODD_KEY, Body=b"0123456789", Metadata={"calve-id": "7"})
    assert client.get_object(Bucket=bucket, Key=ODD_KEY)["Body"].read() == b"0123456789"
    part = client.get_object(Bucket=bucket, Key=ODD_KEY, Range="bytes=3-5")
    assert (part["Body"].read(), part["ContentRange"]) == (b"345", "bytes 3-5/10")
    assert client.get_object(Bucket=bucket, Key=ODD_KEY, Range="bytes=-2")["Body"].read() == b"89"
    head = client.head_object(Bucket=bucket, Key=ODD_KEY)
    assert (head["ContentLength"], head["Metadata"]) == (10, {"calve-id": "7"})
    assert code(client.get_object, Bucket=bucket, Key=ODD_KEY, Range="bytes=10-") == "InvalidRange"
    assert code(client.get_object, Bucket=bucket, Key="none") == "NoSuchKey"
    assert code(client.head_object, Bucket=bucket, Key="none") == "404"
    assert code(client.list_objects_v2, Bucket="no-such-bucket") == "NoSuchBucket"
    keys = [f"many/{i:03d}" for i in range(7)] + ["many/sub/x"]
    for key in keys:
        client.put_object(Bucket=bucket, Key=key, Body=b"")
    pages = list(client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="many/", PaginationConfig={
        "PageSize": 3}))
    assert [o["Key"] for p in pages for o in p["Contents"]] == keys and len(pages) == 3
    below = client.list_objects_v2(Bucket=bucket, Prefix="many/", Delimiter="/")
    assert [p["Prefix"] for p in below["CommonPrefixes"]] == ["many/sub/"] and below["KeyCount"] == 8
    client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in keys]})
    client.delete_object(Bucket=bucket, Key="never was")
    assert [o["Key"] for o in client.list_objects_v2(Bucket=bucket)["Contents"]] == [ODD_KEY]


def test_stores_never_replace_under_if_none_match(store):
    settings, bucket = store
    client = settings.client()
    won = []

    def put(number):
        try:
            settings.client().put_object(Bucket=bucket, Key="one", Body=b"%d" % number, IfNoneMatch="*")
            won.append(number)
        except ClientError as e:
            assert e.response["Error"]["Code"] == "PreconditionFailed"

    threads = [threading.Thread(target=put, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert client.get_object(Bucket=bucket, Key="one")["Body"].read() == b"%d" % won[0]
    upload = client.create_multipart_upload(Bucket=bucket, Key="one")["UploadId"]
    part = client.upload_part(Bucket=bucket, Key="one", UploadId=upload, PartNumber=1, Body=b"x")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    assert code(client.complete_multipart_upload, Bucket=bucket, Key="one", UploadId=upload, MultipartUpload=parts,
                IfNoneMatch="*") == "PreconditionFailed"


def test_stores_keep_multipart_uploads_whole(store):
    settings, bucket = store
    client = settings.client()
    upload = client.create_multipart_upload(Bucket=bucket, Key="big", Metadata={"calve-id": "8"})["UploadId"]
    bodies = [b"a" * (5 << 20), b"b" * (5 << 20), b"c"]
    parts = [{"PartNumber": n, "ETag": client.upload_part(Bucket=bucket, Key="big", UploadId=upload, PartNumber=n,
                                                          Body=b)["ETag"]} for n, b in enumerate(bodies, 1)]
    assert [u["Key"] for u in client.list_multipart_uploads(Bucket=bucket)["Uploads"]] == ["big"]
    assert len(client.list_parts(Bucket=bucket, Key="big", UploadId=upload)["Parts"]) == 3
    assert code(client.head_object, Bucket=bucket, Key="big") == "404"
    wrong = [parts[0] | {"ETag": '"00000000000000000000000000000000"'}, *parts[1:]]
    complete = {"Bucket": bucket, "Key": "big", "UploadId": upload}
    assert code(client.complete_multipart_upload, **complete, MultipartUpload={"Parts": wrong}) == "InvalidPart"
    assert code(client.complete_multipart_upload, **complete,
                MultipartUpload={"Parts": [parts[1], parts[0]]}) == "InvalidPartOrder"
    client.complete_multipart_upload(**complete, MultipartUpload={"Parts": parts}, IfNoneMatch="*")
    found = client.get_object(Bucket=bucket, Key="big")
    assert found["Body"].read() == b"".join(bodies) and found["Metadata"] == {"calve-id": "8"}
    upload = client.create_multipart_upload(Bucket=bucket, Key="left")["UploadId"]
    small = [{"PartNumber": n, "ETag": client.upload_part(Bucket=bucket, Key="left", UploadId=upload, PartNumber=n,
                                                          Body=b"x")["ETag"]} for n in (1, 2)]
    assert code(client.complete_multipart_upload, Bucket=bucket, Key="left", UploadId=upload,
                MultipartUpload={"Parts": small}) == "EntityTooSmall"
    client.abort_multipart_upload(Bucket=bucket, Key="left", UploadId=upload)
    assert code(client.upload_part, Bucket=bucket, Key="left", UploadId=upload, PartNumber=1,
                Body=b"") == "NoSuchUpload"
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


def test_stores_refuse_a_wrong_secret_and_a_wrong_region(store):
    settings, bucket = store
    wrong = S3Settings(settings.endpoint, secret="wrong").client()
    assert code(wrong.list_objects_v2, Bucket=bucket) == "SignatureDoesNotMatch"
    assert code(wrong.put_object, Bucket=bucket, Key="x", Body=b"x") == "SignatureDoesNotMatch"
    answer = signed(settings, "GET", f"/{bucket}?list-type=2", region="us-west-2")
    assert (answer.status_code, "AuthorizationHeaderMalformed" in answer.text) == (400, True)
    assert f"<Region>{REGION}</Region>" in answer.text


def signed(settings, method, target, body=b"", region=None, headers=None, change=None, at=None):
    """A request signed by hand and sent by another library. change: called with what is about to be sent."""
    from botocore.auth import S3SigV4Auth  # pylint: disable=import-outside-toplevel
    from botocore.awsrequest import AWSRequest  # pylint: disable=import-outside-toplevel
    from botocore.credentials import Credentials  # pylint: disable=import-outside-toplevel

    request = AWSRequest(method=method, url=settings.endpoint + target, data=body, headers=dict(headers or {}))
    auth = S3SigV4Auth(Credentials(settings.access, settings.secret, settings.token), "s3", region or settings.region)
    if at is not None:
        import botocore.auth  # pylint: disable=import-outside-toplevel

        kept, botocore.auth.get_current_datetime = botocore.auth.get_current_datetime, lambda: at
    try:
        auth.add_auth(request)
    finally:
        if at is not None:
            botocore.auth.get_current_datetime = kept
    sent = dict(request.headers.items())
    if change is not None:
        method, target, body = change(method, target, body, sent) or (method, target, body)
    return requests.request(method, settings.endpoint + target, data=body, headers=sent, timeout=30)


def test_our_s3_judges_each_part_of_a_signature(s3):
    settings = S3Settings(s3.url)
    assert signed(settings, "PUT", "/lake/x", b"body").status_code == 200

    def expect(expected, *args, **kwargs):
        answer = signed(*args, **kwargs)
        assert f"<Code>{expected}</Code>" in answer.text, answer.text
        assert answer.status_code >= 400

    def body(method, target, _body, _headers):
        return method, target, b"BODY"

    def other_target(method, _target, given, _headers):
        return method, "/lake/y", given

    def more(_method, _target, _body, headers):
        headers["x-amz-meta-a"] = "1"

    def changed(_method, _target, _body, headers):
        headers["x-amz-meta-a"] = "2"

    def bare(_method, _target, _body, headers):
        del headers["Authorization"]

    expect("XAmzContentSHA256Mismatch", settings, "PUT", "/lake/x", b"body", change=body)
    expect("SignatureDoesNotMatch", settings, "PUT", "/lake/x", b"body", change=other_target)
    expect("AccessDenied", settings, "PUT", "/lake/x", b"body", change=more)
    expect("SignatureDoesNotMatch", settings, "PUT", "/lake/x", b"body", headers={"x-amz-meta-a": "1"}, change=changed)
    expect("AccessDenied", settings, "GET", "/lake/x", change=bare)
    expect("InvalidAccessKeyId", S3Settings(s3.url, access="NOBODY"), "GET", "/lake/x")
    past = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=16)
    expect("RequestTimeTooSkewed", settings, "GET", "/lake/x", at=past)
    assert s3.names("lake") == ["x"] and s3.body("lake", "x") == b"body"


def test_our_s3_takes_temporary_keys_until_they_end(s3):
    key = s3.keys.add("TEMPORARY", "its secret", token="its token")
    settings = S3Settings(s3.url, "TEMPORARY", "its secret", "its token")
    settings.client().put_object(Bucket="lake", Key="x", Body=b"")
    for token in (None, "another"):
        client = S3Settings(s3.url, "TEMPORARY", "its secret", token).client()
        assert code(client.list_objects_v2, Bucket="lake") == "InvalidToken"
    key.expires = time.time() - 1
    assert code(settings.client().list_objects_v2, Bucket="lake") == "ExpiredToken"


def test_our_s3_knows_buckets_of_other_regions_and_grants(s3):
    s3.add_bucket("far", region="ap-southeast-2")
    settings = S3Settings(s3.url)
    answer = signed(settings, "GET", "/far?list-type=2")
    assert answer.status_code == 301 and "<Code>PermanentRedirect</Code>" in answer.text
    assert answer.headers["x-amz-bucket-region"] == "ap-southeast-2"
    assert signed(settings, "GET", "/far?list-type=2", region="ap-southeast-2").status_code == 200
    s3.deny("DeleteObject", "data/*")
    client = settings.client()
    for key in ("data/x", "other/x"):
        client.put_object(Bucket="lake", Key=key, Body=b"")
    assert code(client.delete_object, Bucket="lake", Key="data/x") == "AccessDenied"
    client.delete_object(Bucket="lake", Key="other/x")
    s3.delete_errors["data/*"] = "AccessDenied"
    answer = client.delete_objects(Bucket="lake", Delete={"Objects": [{"Key": "data/x"}, {"Key": "z"}]})
    assert [e["Code"] for e in answer["Errors"]] == ["AccessDenied"] and len(answer["Deleted"]) == 1
    assert s3.names("lake") == ["data/x"]
    answer = signed(settings, "POST", "/lake?delete", b"<Delete><Object><Key>data/x</Key></Object></Delete>")
    assert answer.status_code == 400 and "Content-MD5" in answer.text


def test_our_s3_takes_buckets_in_the_hosts_name(s3):
    settings = S3Settings(f"http://lake.s3.localhost:{s3.port}")
    known = socket.getaddrinfo

    def here(host, port, *args, **kwargs):
        return known("127.0.0.1" if str(host).endswith(".localhost") else host, port, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", here)
        assert signed(settings, "PUT", "/a/b%20c", b"x").status_code == 200
        assert "SignatureDoesNotMatch" in signed(S3Settings(settings.endpoint, secret="wrong"), "GET", "/a").text
    assert s3.names("lake") == ["a/b c"]


def test_our_s3_pages_and_survives_a_restart(s3):
    s3.page_max = 2
    client = S3Settings(s3.url).client()
    keys = sorted(["é", "e", "f/1", "f/2", "z"], key=str.encode)
    for key in keys:
        client.put_object(Bucket="lake", Key=key, Body=key.encode())
    s3.stop()
    s3.start()
    pages = list(client.get_paginator("list_objects_v2").paginate(Bucket="lake"))
    assert [o["Key"] for p in pages for o in p["Contents"]] == keys and len(pages) == 3
    assert client.get_object(Bucket="lake", Key="é")["Body"].read() == "é".encode()


# From "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks".
CHUNKED_KEY = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
CHUNK_SIGNATURES = ("ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
                    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
                    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9")


def chunked_request(first=b"a" * 65536):
    body = b""
    for data, signature in zip((first, b"a" * 1024, b""), CHUNK_SIGNATURES):
        body += b"%x;chunk-signature=%s\r\n%s\r\n" % (len(data), signature.encode(), data)
    return Request("PUT", "/examplebucket/chunkObject.txt", [
        ("Host", "s3.amazonaws.com"), ("x-amz-date", "20130524T000000Z"), ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
         "SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
         "x-amz-decoded-content-length;x-amz-storage-class,"
         "Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"),
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), ("Content-Encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"), ("Content-Length", "66824")], body)


def test_signed_chunks_are_checked_as_aws_documents_them():
    at = datetime.datetime(2013, 5, 24, tzinfo=datetime.timezone.utc)
    keys = Keys()
    keys.add(*CHUNKED_KEY)
    request = chunked_request()
    assert len(request.body) == 66824
    verified = verify(request, keys, "s3", "us-east-1", now=at)
    assert unwrap_chunks(request, verified) == (b"a" * 66560, [])
    with pytest.raises(Refused) as found:
        unwrap_chunks(chunked_request(b"b" + b"a" * 65535), verified)
    assert found.value.code == "SignatureDoesNotMatch"


# ---- Glue --------------------------------------------------------------------------------------


def test_our_glue_swaps_under_version_id(glue):
    client = glue_client(glue)
    client.create_database(DatabaseInput={"Name": "Shop"})
    client.create_table(DatabaseName="shop", TableInput={"Name": "Orders", "Parameters": {"n": "0"}})
    assert client.get_table(DatabaseName="SHOP", Name="ORDERS")["Table"]["Name"] == "orders"
    outcomes = []

    def swap(number):
        try:
            glue_client(glue).update_table(DatabaseName="shop", VersionId="0", SkipArchive=True, TableInput={
                "Name": "orders", "Parameters": {"n": str(number)}})
            outcomes.append(number)
        except ClientError as e:
            outcomes.append(e.response["Error"]["Code"])

    threads = [threading.Thread(target=swap, args=(n,)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [o for o in outcomes if isinstance(o, int)]
    assert len(won) == 1 and outcomes.count("ConcurrentModificationException") == 7
    table = glue.table("shop", "orders")
    assert (table["VersionId"], table["Parameters"]["n"]) == ("1", str(won[0]))
    assert glue.versions("shop", "orders") == []
    client.update_table(DatabaseName="shop", VersionId="1", TableInput={"Name": "orders"})
    assert [v for v, _ in glue.versions("shop", "orders")] == ["1"]
    assert len(client.get_table_versions(DatabaseName="shop", TableName="orders")["TableVersions"]) == 2


def test_our_glue_pages_with_and_without_empty_pages(glue):
    client = glue_client(glue)
    client.create_database(DatabaseInput={"Name": "shop"})
    names = [f"t{i}" for i in range(5)]
    for name in names:
        client.create_table(DatabaseName="shop", TableInput={"Name": name})
    glue.page_max = 2
    for glue.empty_pages, count in ((False, 3), (True, 6)):
        pages = list(client.get_paginator("get_tables").paginate(DatabaseName="shop"))
        assert [t["Name"] for p in pages for t in p["TableList"]] == names and len(pages) == count
    assert code(client.get_tables, DatabaseName="shop", NextToken="made up") == "InvalidInputException"


def glue_raw(server, operation, body):
    """A call without boto3, which would not send what is wrong."""
    settings = S3Settings(server.url)
    from botocore.auth import SigV4Auth  # pylint: disable=import-outside-toplevel
    from botocore.awsrequest import AWSRequest  # pylint: disable=import-outside-toplevel
    from botocore.credentials import Credentials  # pylint: disable=import-outside-toplevel

    request = AWSRequest(method="POST", url=server.url + "/", data=json.dumps(body), headers={
        "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"AWSGlue.{operation}"})
    SigV4Auth(Credentials(settings.access, settings.secret), "glue", REGION).add_auth(request)
    answer = requests.post(server.url + "/", data=json.dumps(body), headers=dict(request.headers.items()), timeout=30)
    return answer.status_code, answer.json()


@pytest.mark.parametrize("table_input, expected", [
    ({"Name": "x", "Colour": "red"}, "has no member Colour"),
    ({"Name": 7}, "expected string"),
    ({}, "Name is required"),
    ({"Name": "x" * 256}, "outside 1..255"),
    ({"Name": "x", "Parameters": {"k": 1}}, "expected string"),
    ({"Name": "x", "StorageDescriptor": {"Columns": [{"Name": "c", "Comment": "c" * 256}]}}, "outside 0..255"),
    ({"Name": "x\u0001"}, "does not match"),
])
def test_our_glue_refuses_what_awss_model_does_not_allow(glue, table_input, expected):
    glue_client(glue).create_database(DatabaseInput={"Name": "shop"})
    status, answer = glue_raw(glue, "CreateTable", {"DatabaseName": "shop", "TableInput": table_input})
    assert status == 400 and expected in answer["Message"], answer
    assert glue_raw(glue, "CreateTable", {"DatabaseName": "shop", "TableInput": {"Name": "x"}}) == (200, {})


def test_our_glue_judges_keys_grants_and_catalogs(glue):
    assert code(glue_client(glue, secret="wrong").get_databases) == "InvalidSignatureException"
    assert code(glue_client(glue, access="NOBODY").get_databases) == "UnrecognizedClientException"
    assert code(glue_client(glue, region="us-west-2").get_databases) == "InvalidSignatureException"
    client = glue_client(glue)
    assert code(client.get_database, Name="none") == "EntityNotFoundException"
    assert code(client.get_databases, CatalogId="999999999999") == "EntityNotFoundException"
    client.create_database(DatabaseInput={"Name": "shop"})
    assert code(client.create_database, DatabaseInput={"Name": "shop"}) == "AlreadyExistsException"
    client.create_table(DatabaseName="shop", TableInput={"Name": "orders"})
    assert code(client.create_table, DatabaseName="shop", TableInput={"Name": "ORDERS"}) == "AlreadyExistsException"
    glue.deny("UpdateTable", "orders")
    assert code(client.update_table, DatabaseName="shop",
                TableInput={"Name": "orders"}) == "AccessDeniedException"
    glue.allow_all()
    glue.change_parameters("shop", "orders", athena="yes")
    assert client.get_table(DatabaseName="shop", Name="orders")["Table"]["Parameters"] == {"athena": "yes"}


def test_our_glue_tells_a_wrong_region_from_a_wrong_clock_as_aws_does(glue):
    """By its message: the code is that of a wrong secret."""

    def message(client):
        with pytest.raises(ClientError) as found:
            client.get_databases()
        return found.value.response["Error"]["Message"]

    assert "scoped to a valid region" in message(glue_client(glue, region="us-west-2"))
    for ahead_s, words in ((3600, "Signature expired: "), (-3600, "Signature not yet current: ")):
        glue.clock_ahead_s = ahead_s
        assert message(glue_client(glue)).startswith(words)


def test_our_services_have_clocks_of_their_own(s3, glue):
    for server in (s3, glue):
        server.clock_ahead_s = 3600
        answer = requests.get(server.url, timeout=30)
        told = email.utils.parsedate_to_datetime(answer.headers["Date"])
        ahead = told - datetime.datetime.now(datetime.timezone.utc)
        assert abs(ahead - datetime.timedelta(hours=1)) < datetime.timedelta(minutes=1)
    assert code(S3Settings(s3.url).client().list_objects_v2, Bucket="lake") == "RequestTimeTooSkewed"
    s3.forget_rules()
    assert "Contents" not in S3Settings(s3.url).client().list_objects_v2(Bucket="lake")


def test_moto_speaks_glue_and_does_not_judge_versions(aws_servers):
    """Why there is a Glue of our own. Should this fail, moto has learnt it."""
    moto = aws_servers.borrow_moto()
    client = glue_client(moto)
    client.create_database(DatabaseInput={"Name": "shop"})
    client.create_table(DatabaseName="shop", TableInput={"Name": "orders"})
    for _ in range(2):
        client.update_table(DatabaseName="shop", VersionId="1", TableInput={"Name": "orders"})
    aws_servers.give_back(moto, None)


# ---- faults ------------------------------------------------------------------------------------


class Counter(HttpService):
    """Counts the effects of requests. Any protocol."""

    def __init__(self, protocol="plain"):
        self.protocol = protocol
        super().__init__()
        self.effects = 0

    def operation(self, request):
        return request.header("x-operation") or "Any"

    def answer(self, request):
        self.effects += 1
        return Response(200, [("Content-Type", "text/plain")], b"x" * 1000)


@pytest.fixture(params=["direct", "proxied"])
def faulty(request):
    """(what has the rules, what counts effects), with and without a proxy between."""
    with Counter() as counter:
        if request.param == "direct":
            yield counter, counter
        else:
            with FaultProxy("s3", counter) as proxy:
                yield proxy, counter


def ask(service, timeout=5, operation="Any"):
    """(status, body), or what went wrong: reset, timeout, cut, closed."""
    connection = http.client.HTTPConnection(service.host, service.port, timeout=timeout)
    try:
        connection.request("GET", "/x", headers={"X-Operation": operation})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except ConnectionResetError:
        return "reset"
    except (TimeoutError, socket.timeout):
        return "timeout"
    except http.client.IncompleteRead:
        return "cut"
    except http.client.RemoteDisconnected:
        return "closed"
    finally:
        connection.close()


@pytest.mark.parametrize("action, outcome, effects", [
    ("reset_before", ("reset", "closed"), 0), ("reset_after", ("reset", "closed"), 1),
    ("timeout_before", ("timeout",), 0), ("timeout_after", ("timeout",), 1), ("truncate", ("cut", "reset"), 1),
    ("stall", ("timeout",), 1)])
def test_each_action_does_what_it_says(faulty, action, outcome, effects):
    service, counter = faulty
    rule = service.rules.act("Any", action)
    assert ask(service, timeout=1) in outcome
    assert (counter.effects, rule.hits) == (effects, 1)
    assert service.entries("Any")[-1].fault == action
    assert ask(service) == (200, b"x" * 1000)
    assert counter.effects == effects + 1


def test_every_action_is_tested_above():
    tested = {p[0] for m in test_each_action_does_what_it_says.pytestmark if m.name == "parametrize"
              for p in m.args[1]}
    assert tested == set(ACTIONS)


def test_rules_choose_by_operation_number_and_request(faulty):
    service, counter = faulty
    service.rules.answer("Wanted", 502, "<h1>Bad Gateway</h1>", times=2, after=1)
    asked = [ask(service, operation=o)[0] for o in ("Wanted", "Other", "Wanted", "Wanted", "Wanted")]
    assert asked == [200, 200, 502, 502, 200] and counter.effects == 3
    service.rules.answer("*", 500, "", effect=True, where=lambda r: r.header("x-operation") == "Chosen")
    assert [ask(service, operation=o)[0] for o in ("Other", "Chosen", "Chosen")] == [200, 500, 200]
    assert counter.effects == 6
    seen = []
    service.rules.call("Called", before=lambda r: seen.append(("before", counter.effects)),
                       after_effect=lambda r: seen.append(("after", counter.effects)))
    assert ask(service, operation="Called")[0] == 200 and seen == [("before", 6), ("after", 7)]
    service.rules.act("*", "reset_before", times=None)
    service.rules.clear()
    assert ask(service)[0] == 200


def test_latency_is_at_least_what_is_asked_for(faulty):
    service, _ = faulty
    service.rules.latency(0.2, operation="Slow")
    started = time.monotonic()
    assert ask(service, operation="Slow")[0] == 200
    assert time.monotonic() - started >= 0.2


def fates(rules, operations):
    found = []
    for operation in operations:
        _, action = rules.decide(operation, Request("GET", "/", [], b""))
        found.append(action.name if action else None)
    return found


def test_a_storm_is_the_same_for_the_same_seed():
    operations = ["PutObject", "GetObject"] * 200

    def blow(seed, order):
        rules = Rules("s3")
        rules.storm(seed, 0.3, in_a_row_max=2)
        found = fates(rules, order)
        return {o: [f for f, x in zip(found, order) if x == o] for o in set(order)}

    first = blow(1, operations)
    assert first == blow(1, sorted(operations)) and first != blow(2, operations)
    for row in first.values():
        assert 20 < sum(f is not None for f in row) < 100
        assert all(None in row[i:i + 3] for i in range(len(row) - 2))


@pytest.mark.parametrize("name, status", sorted(ERRORS["s3"].items()))
def test_s3_errors_are_what_boto3_understands(s3, name, status):
    with FaultProxy("s3", s3) as proxy:
        client = S3Settings(proxy.url).client()
        proxy.rules.fail("PutObject", name)
        with pytest.raises(ClientError) as found:
            client.put_object(Bucket="lake", Key="x", Body=b"")
        assert found.value.response["Error"]["Code"] == name
        assert found.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
        assert s3.names("lake") == []
        client.put_object(Bucket="lake", Key="x", Body=b"")


@pytest.mark.parametrize("name, status", sorted(ERRORS["glue"].items()))
def test_glue_errors_are_what_boto3_understands(glue, name, status):
    with FaultProxy("glue", glue) as proxy:
        proxy.rules.fail("GetDatabases", name)
        with pytest.raises(ClientError) as found:
            glue_client(proxy).get_databases()
        assert found.value.response["Error"]["Code"] == name
        assert found.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
        assert glue_client(proxy).get_databases()["DatabaseList"] == []


def test_rest_errors_have_status_and_type():
    with Counter("rest") as service:
        for name, status in ERRORS["rest"].items():
            service.rules.fail("Any", name)
            answered, body = ask(service)
            error = json.loads(body)["error"]
            assert (answered, error["type"], error["code"]) == (status, name, status)
        assert service.effects == 0


def test_s3_operations_through_boto3_end_as_the_rules_say(s3):
    with FaultProxy("s3", s3) as proxy:
        client = S3Settings(proxy.url).client(read_timeout=1)
        proxy.rules.act("PutObject", "reset_after")
        with pytest.raises(ENDED):
            client.put_object(Bucket="lake", Key="done", Body=b"1")
        proxy.rules.act("PutObject", "reset_before")
        with pytest.raises(ENDED):
            client.put_object(Bucket="lake", Key="not done", Body=b"1")
        proxy.rules.act("PutObject", "timeout_after")
        with pytest.raises(ReadTimeoutError):
            client.put_object(Bucket="lake", Key="done too", Body=b"1")
        assert s3.names("lake") == ["done", "done too"]
        s3_body = b"z" * 100000
        client.put_object(Bucket="lake", Key="big", Body=s3_body)
        proxy.rules.act("GetObject", "truncate")
        with pytest.raises(ENDED):
            client.get_object(Bucket="lake", Key="big")["Body"].read()
        proxy.rules.answer("CompleteMultipartUpload", 200, "<Error><Code>InternalError</Code></Error>",
                           [("Content-Type", "application/xml")])
        upload = client.create_multipart_upload(Bucket="lake", Key="m")["UploadId"]
        etag = client.upload_part(Bucket="lake", Key="m", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
        assert code(client.complete_multipart_upload, Bucket="lake", Key="m", UploadId=upload,
                    MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]}) == "InternalError"
        assert len(s3.uploads("lake")) == 1
        assert [e.operation for e in proxy.entries("PutObject")] == ["PutObject"] * 4


def test_the_proxy_keeps_host_and_path_byte_for_byte():
    with Counter() as counter, FaultProxy("s3", counter) as proxy:
        head = (b"GET /a%2fb%2F+%7e~//../c?x=%20+&y&Z=%C3%bc HTTP/1.1\r\nhost: Some.Name:1234\r\nX-B: 2\r\n"
                b"x-a:  1 \r\nX-B: 3\r\nConnection: close\r\n\r\n")
        with socket.create_connection((proxy.host, proxy.port)) as connection:
            connection.sendall(head)
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
        seen = counter.log[-1]
        assert seen.target == "/a%2fb%2F+%7e~//../c?x=%20+&y&Z=%C3%bc"
        assert seen.headers[:4] == [("host", "Some.Name:1234"), ("X-B", "2"), ("x-a", "1"), ("X-B", "3")]


def test_idle_connections_can_be_dropped():
    with Counter() as service:
        connection = http.client.HTTPConnection(service.host, service.port, timeout=5)
        connection.request("GET", "/")
        connection.getresponse().read()
        while not service.drop_connections(idle_only=True):
            time.sleep(0.01)
        connection.request("GET", "/")
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)):
            connection.getresponse()
        connection.close()


def test_a_stand_in_that_fails_by_itself_says_so():
    class Broken(HttpService):
        def answer(self, request):
            raise KeyError("here")

    service = Broken().start()
    assert ask(service)[0] == 500
    with pytest.raises(AssertionError, match="KeyError: 'here'"):
        service.stop()


# ---- TLS, proxies, keys of other kinds ---------------------------------------------------------


def test_https_with_a_ca_of_ones_own(tmp_path):
    certificate = Certificate(tmp_path)
    with S3Server(region=REGION, tls=certificate) as server:
        server.keys.add(ACCESS, SECRET)
        server.add_bucket("lake")
        url = f"https://localhost:{server.port}/lake"
        assert requests.get(url, verify=str(certificate.ca_file), timeout=10).status_code == 403
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(url, timeout=10)
        context = ssl.create_default_context(cafile=certificate.ca_file)
        with socket.create_connection((server.host, server.port)) as raw, \
                context.wrap_socket(raw, server_hostname="lake.s3.localhost") as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: lake.s3.localhost\r\nConnection: close\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 403"
        assert server.place(Request("GET", "/k", [("Host", "lake.s3.localhost:1")], b"")) == ("lake", "k", "virtual")


@pytest.mark.parametrize("tls", [False, True])
def test_a_forward_proxy_leads_to_loopback_only(tmp_path, tls):
    certificate = Certificate(tmp_path) if tls else None
    with S3Server(tls=certificate) as server, ForwardProxy() as proxy:
        proxies = {"http": proxy.url, "https": proxy.url}
        answer = requests.get(f"{server.url}/lake", proxies=proxies, timeout=10,
                              verify=str(certificate.ca_file) if tls else True)
        assert answer.status_code == 403 and "AccessDenied" in answer.text
        assert proxy.log[0].operation == ("CONNECT" if tls else "GET") and server.count() == 1
        with pytest.raises(requests.exceptions.ProxyError):
            requests.get("https://example.test/", proxies=proxies, timeout=10)


def lake_of(place, **properties):
    """A reader through the place's catalog proxy."""
    return RemoteLake(place.warehouse, place.settings, {"type": "rest", "uri": place.catalog_proxy.url} | properties)


def test_a_place_gives_temporary_keys_that_end(make_place):
    place = make_place("glue")
    key = place.temporary_keys(3600)
    assert place.options["client-access-key-id"] == key.access
    settings = S3Settings(place.s3_proxy.url, key.access, place.env["CALVE_CLIENT_SECRET_ACCESS_KEY"],
                          place.env["CALVE_CLIENT_SESSION_TOKEN"])
    buckets, databases = settings.client().list_objects_v2, settings.client(
        "glue", place.catalog_proxy.url).get_databases
    assert buckets(Bucket=place.bucket)["KeyCount"] == 0 and databases()["DatabaseList"] == []
    key.expires = 0
    assert (code(buckets, Bucket=place.bucket), code(databases)) == ("ExpiredToken", "ExpiredTokenException")
    assert place.lake.tables() == []


def test_rest_guards_take_the_right_ones_only(make_place):
    place = make_place("rest")
    guard = place.catalog_proxy.guard = Bearer("good")
    assert lake_of(place, token="good").tables() == []
    with pytest.raises(UnauthorizedError):
        lake_of(place, token="bad").tables()
    assert guard.refused > 0
    with TokenServer("me", "my secret", scope="lake") as tokens:
        place.catalog_proxy.guard = OfServer(tokens)
        options = {"oauth2-server-uri": tokens.url + "/token", "scope": "lake"}
        lake = lake_of(place, credential="me:my secret", **options)
        assert lake.tables() == [] and tokens.count("Token") > 0
        assert tokens.form_last["grant_type"] == "client_credentials"
        with pytest.raises(Exception, match="invalid_client|unknown client"):
            lake_of(place, credential="me:wrong", **options).tables()
        tokens.revoke_all()
        assert place.catalog_proxy.guard(Request("GET", "/", [("Authorization", "Bearer token-1")], b"")).status == 401
    place.catalog_proxy.guard = Signed(place.s3.keys, REGION, "glue")
    signing = {"rest.sigv4-enabled": "true", "rest.signing-name": "glue", "rest.signing-region": REGION,
               "client.access-key-id": ACCESS, "client.region": REGION}
    assert lake_of(place, **signing, **{"client.secret-access-key": SECRET}).tables() == []
    with pytest.raises(ForbiddenError):
        lake_of(place, **signing, **{"client.secret-access-key": "wrong"}).tables()
    basic = Basic("me", "pass")
    for password, status in (("pass", None), ("wrong", 401)):
        request = requests.Request("GET", "http://x/", auth=("me", password)).prepare()
        answer = basic(Request("GET", "/", list(request.headers.items()), b""))
        assert (answer and answer.status) == status


def test_a_rest_proxy_can_lend_keys(make_place):
    place = make_place("rest")
    PythonService(place.lake.catalog, f"s3://{place.bucket}", "shop", "orders")
    place.catalog_proxy.rewrite = lend_keys({"s3.access-key-id": "LENT"})
    answer = requests.get(f"{place.catalog_proxy.url}/v1/namespaces/shop/tables/orders", timeout=10,
                          headers={"X-Iceberg-Access-Delegation": "vended-credentials"}).json()
    assert answer["storage-credentials"] == [
        {"prefix": f"s3://{place.bucket}/", "config": {"s3.access-key-id": "LENT"}}]
    assert place.catalog_proxy.count("LoadTable") == 1


# ---- lakes -------------------------------------------------------------------------------------


def python_lake(lake, base):
    """What the Python service leaves: two tables of one connection."""
    found = {}
    day = datetime.datetime(2026, 3, 1, 23, 59, 59, 999999)
    for table in ("orders", "customers"):
        service = PythonService(lake.catalog, base, "shop", table)
        events = [event("backfill" if i < 2 else "update", "binlog.000009", 100 + i,
                        {"id": i, "name": "ü" * i}, day + datetime.timedelta(hours=i * 12)) for i in range(5)]
        service.process(events, batch_size=2, backfill=True)
        found[table] = service, events
    return found


def check_python_lake(lake, base, made):
    for table, (service, events) in made.items():
        rows = sorted(service.rows(), key=lambda r: r["log_position"])
        assert rows == events
        assert [c.payload for c in lake.changes("shop", table)] == [e["payload"] for e in events]
        assert lake.exists("shop", table) and not lake.exists("shop", "none")
        mark = lake.watermarks()["shop", table]
        assert (mark["log_file"], mark["log_position"], mark["backfill_complete"]) == ("binlog.000009", 104, True)
        metadata = lake.metadata("shop", table)
        assert metadata["location"] == f"{base}/local_mysql/shop/{table}" and metadata["format-version"] == 2
        fields = metadata["schemas"][0]["fields"]
        assert [(f["id"], f["name"], f["type"], f["required"]) for f in fields] == [
            (1, "event_type", "string", False), (2, "timestamp", "timestamp", False),
            (3, "log_file", "string", False), (4, "log_position", "long", False), (5, "payload", "string", False)]
        assert metadata["partition-specs"][0]["fields"] == [
            {"source-id": 2, "field-id": 1000, "transform": "day", "name": "date"}]
        assert lake.check_files("shop", table) == set()
        assert check_statistics(lake, "shop", table)[1] == 5
        assert lake.duckdb("shop", table, "count(*), max(log_position)") == [(5, 104)]
    marks = lake.metadata("cdc_metadata", "watermarks")
    assert marks["location"] == f"{base}/local_mysql/watermarks"
    assert marks["schemas"][0]["identifier-field-ids"] == [1, 2, 3, 4]
    assert lake.tables() == [("cdc_metadata", "watermarks"), ("shop", "customers"), ("shop", "orders")]
    assert len(lake.watermark_history()) >= 6


@pytest.mark.parametrize("store_name", ["own", "versitygw"])
@pytest.mark.parametrize("kind", ["glue", "moto", "rest", "sqlite"])
def test_the_python_services_lake_reads_alike_from_every_place(make_place, kind, store_name):
    place = make_place(kind, store_name)
    base = f"s3://{place.bucket}"
    made = python_lake(place.lake, base)
    check_python_lake(place.lake, base, made)


def test_the_python_services_lake_on_disk(tmp_path):
    lake, base = Lake(tmp_path), f"file://{tmp_path}"
    check_python_lake(lake, base, python_lake(lake, base))


# ---- programs and processes --------------------------------------------------------------------


def test_what_is_fetched_is_fetched_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls = []

    def make(folder):
        calls.append(folder)
        (folder / "program").write_text("x", encoding="ascii")
        if len(calls) == 1:
            raise services.ServerError("the network failed")

    with pytest.raises(services.ServerError, match="the network failed"):
        services.kept("thing", make)
    assert [p.name for p in (tmp_path / "calve/services").iterdir()] == [".thing.lock"]
    found = []
    threads = [threading.Thread(target=lambda: found.append(services.kept("thing", make))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1 and (found[0] / "program").exists() and len(calls) == 2
    shutil.rmtree(found[0])
    (tmp_path / "calve/services/.thing-killed").mkdir()
    assert services.kept("thing", make) == found[0] and len(calls) == 3
    assert sorted(p.name for p in (tmp_path / "calve/services").iterdir()) == [".thing.lock", "thing"]


STARTER = """
import os, sys
sys.path.insert(0, sys.argv[1])
import services
service = services.Moto().start()
print(service.process.pid, service.folder, flush=True)
sys.stdin.read()
"""


def test_a_service_ends_with_the_process_that_started_it():
    tools = pathlib.Path(services.__file__).parent
    with subprocess.Popen([sys.executable, "-c", STARTER, str(tools)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as starter:
        pid, folder = starter.stdout.readline().split()
        assert process_start(int(pid)) is not None and pathlib.Path(folder).exists()
        starter.kill()
    end = time.monotonic() + 30
    while process_start(int(pid)) is not None:
        assert time.monotonic() < end, f"{pid} is still there"
        time.sleep(0.02)
    sweep()
    assert not pathlib.Path(folder).exists()


def test_a_service_that_does_not_start_says_why(tmp_path):
    class Broken(services.Service):
        name = "the broken one"

        def command(self):
            return [sys.executable, "-c", "import sys; sys.exit('no good today')"]

    service = Broken()
    with pytest.raises(services.ServerError, match="(?s)the broken one did not start.*no good today"):
        service.start()
    service.remove()
    assert not service.folder.exists() and not service.running()


def test_services_keep_their_port_and_data_over_a_restart(aws_servers):
    server = aws_servers.versitygw
    settings = S3Settings(server.url)
    make_bucket(settings, "kept-bucket")
    settings.client().put_object(Bucket="kept-bucket", Key="x", Body=b"kept")
    server.stop()
    with pytest.raises(EndpointConnectionError):
        settings.client().list_buckets()
    server.start()
    assert settings.client().get_object(Bucket="kept-bucket", Key="x")["Body"].read() == b"kept"
