"""An S3 of our own that judges: signatures, digests, conditions and the order of multipart uploads.

Runs in the test's process (S3Server) or by itself:

    s3_server.py [--port P] [--bucket B]... [--region R] [--access KEY] [--secret SECRET]

Objects are files in a folder of its own; what is known about them is in memory and survives stop() and
start(). Spec: Amazon S3 API Reference, REST.
"""

import argparse
import base64
import datetime
import email.utils
import fnmatch
import hashlib
import itertools
import pathlib
import re
import shutil
import tempfile
import threading
import time
import urllib.parse
import uuid
import zlib
from xml.etree import ElementTree

from faults import error_answer, xml_text
from http_service import HttpService, Response
from signatures import Keys, Refused, check_payload, unwrap_chunks, verify

XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"
PART_BYTES_MIN = 5 << 20
KEY_BYTES_MAX = 1024
STATUS = {"AccessDenied": 403, "AuthorizationHeaderMalformed": 400, "BadDigest": 400, "BucketAlreadyOwnedByYou": 409,
          "BucketNotEmpty": 409, "ConditionalRequestConflict": 409, "EntityTooSmall": 400, "ExpiredToken": 400,
          "IncompleteBody": 400, "InvalidAccessKeyId": 403, "InvalidArgument": 400, "InvalidDigest": 400,
          "InvalidPart": 400, "InvalidPartOrder": 400, "InvalidRange": 416, "InvalidRequest": 400, "InvalidToken": 400,
          "KeyTooLongError": 400, "MalformedXML": 400, "MethodNotAllowed": 405, "NoSuchBucket": 404, "NoSuchKey": 404,
          "NoSuchUpload": 404, "NotImplemented": 501, "PermanentRedirect": 301, "PreconditionFailed": 412,
          "RequestTimeTooSkewed": 403, "SignatureDoesNotMatch": 403, "XAmzContentSHA256Mismatch": 400}

# Query parameters that choose an operation, and those that only refine one.
SUBRESOURCES = ("uploads", "uploadId", "delete", "location", "versioning", "acl", "tagging", "policy", "encryption",
                "object-lock", "versions", "attributes", "lifecycle", "cors", "website", "logging", "notification")


class Object:
    def __init__(self, key, path, size, etag, headers, meta):
        self.key = key
        self.path = path
        self.size = size
        self.etag = etag
        self.headers = headers  # content-type, x-amz-server-side-encryption, …
        self.meta = meta
        self.modified = time.time()


class Upload:
    def __init__(self, key, headers, meta):
        self.id = uuid.uuid4().hex
        self.key = key
        self.headers = headers
        self.meta = meta
        self.parts = {}  # number: Object
        self.begun = time.time()


class Bucket:
    def __init__(self, name, region, anonymous=False):
        self.name = name
        self.region = region
        self.anonymous = anonymous
        self.objects = {}
        self.uploads = {}


def _http_date(at):
    return email.utils.formatdate(at, usegmt=True)


def _iso_date(at):
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _xml(root, body, status=200, headers=()):
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{XMLNS}">{body}</{root}>'
    return Response(status, [("Content-Type", "application/xml"), *headers], text)


def _tags(**values):
    return "".join(f"<{n}>{xml_text(v)}</{n}>" for n, v in values.items() if v is not None)


def _parse_xml(body):
    """The document without its namespace."""
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as e:
        raise Refused("MalformedXML", f"The XML you provided was not well-formed: {e}") from None
    for node in root.iter():
        node.tag = node.tag.rsplit("}", 1)[-1]
    return root


def _digests(body):
    return {"x-amz-checksum-crc32": lambda: zlib.crc32(body).to_bytes(4, "big"),
            "x-amz-checksum-sha1": lambda: hashlib.sha1(body).digest(),
            "x-amz-checksum-sha256": lambda: hashlib.sha256(body).digest()}


class S3Server(HttpService):
    """keys: who may come in (signatures.Keys). page_max: keys in a page of a list, at most.

    delete_errors: {key glob: code} for DeleteObjects, whose errors come within a 200.
    """

    protocol = "s3"

    def __init__(self, folder=None, region="us-east-1", tls=None, part_bytes_min=PART_BYTES_MIN,
                 domains=("s3.localhost", "localhost")):
        super().__init__(tls)
        self.region = region
        self.keys = Keys()
        self.buckets = {}
        self.page_max = 1000
        self.part_bytes_min = part_bytes_min
        self.domains = domains
        self.delete_errors = {}
        self._denied = []
        self._own_folder = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="calve-s3-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self._index = threading.RLock()
        self._file_numbers = itertools.count(1)

    # -- what tests set and see --

    def add_bucket(self, name, region=None, anonymous=False):
        self.buckets[name] = Bucket(name, region or self.region, anonymous)
        return self.buckets[name]

    def deny(self, operation, key="*", code="AccessDenied", bucket="*"):
        """A grant that is missing: this operation is refused for these keys."""
        self._denied.append((operation, bucket, key, code))

    def forget_rules(self):
        """Grants, pages, deletes and the clock are as at first."""
        self.clock_ahead_s = 0
        self._denied.clear()
        self.delete_errors.clear()
        self.page_max = 1000

    def names(self, bucket, prefix=""):
        with self._index:
            return sorted(k for k in self.buckets[bucket].objects if k.startswith(prefix))

    def body(self, bucket, key):
        with self._index:
            return self.buckets[bucket].objects[key].path.read_bytes()

    def uploads(self, bucket):
        """Multipart uploads that are neither completed nor aborted."""
        with self._index:
            return list(self.buckets[bucket].uploads.values())

    def close(self):
        """Stops for good."""
        try:
            self.stop()
        finally:
            if self._own_folder:
                shutil.rmtree(self.folder, ignore_errors=True)

    def __exit__(self, *_):
        self.close()

    # -- addressing --

    def place(self, request):
        """(bucket or None, key or "", "path" or "virtual")."""
        host = (request.header("host") or "").rsplit(":", 1)[0]
        path = request.raw_path.removeprefix("/")
        for domain in self.domains:
            if host.endswith("." + domain) and host.removesuffix("." + domain) not in ("s3", ""):
                return host.removesuffix("." + domain), urllib.parse.unquote(path), "virtual"
        bucket, _, key = path.partition("/")
        return urllib.parse.unquote(bucket) or None, urllib.parse.unquote(key), "path"

    def operation(self, request):
        bucket, key, _ = self.place(request)
        query = request.query
        which = next((n for n in SUBRESOURCES if n in query), "")
        level = "object" if key else "bucket" if bucket else "service"
        copies = request.header("x-amz-copy-source") is not None
        return {
            ("service", "GET", ""): "ListBuckets",
            ("bucket", "PUT", ""): "CreateBucket", ("bucket", "DELETE", ""): "DeleteBucket",
            ("bucket", "HEAD", ""): "HeadBucket", ("bucket", "GET", "location"): "GetBucketLocation",
            ("bucket", "GET", ""): "ListObjectsV2" if query.get("list-type") == "2" else "ListObjects",
            ("bucket", "GET", "uploads"): "ListMultipartUploads", ("bucket", "POST", "delete"): "DeleteObjects",
            ("object", "PUT", ""): "CopyObject" if copies else "PutObject",
            ("object", "GET", ""): "GetObject", ("object", "HEAD", ""): "HeadObject",
            ("object", "DELETE", ""): "DeleteObject", ("object", "POST", "uploads"): "CreateMultipartUpload",
            ("object", "PUT", "uploadId"): "UploadPartCopy" if copies else "UploadPart",
            ("object", "POST", "uploadId"): "CompleteMultipartUpload",
            ("object", "DELETE", "uploadId"): "AbortMultipartUpload", ("object", "GET", "uploadId"): "ListParts",
        }.get((level, request.method, which), f"{request.method} {level} {which}".strip())

    # -- answering --

    def answer(self, request):
        operation = self.operation(request)
        bucket_name, key, _ = self.place(request)
        try:
            with self._index:
                bucket = self.buckets.get(bucket_name)
            self._authorize(request, operation, bucket, bucket_name, key)
            handler = getattr(self, "_" + re.sub(r"(?<!^)(?=[A-Z])", "_", operation.replace("V2", "")).lower(), None) \
                if " " not in operation else None
            if handler is None:
                raise Refused("NotImplemented", f"{operation} is not implemented here.")
            if bucket is None and operation not in ("ListBuckets", "CreateBucket"):
                raise Refused("NoSuchBucket", "The specified bucket does not exist", BucketName=bucket_name)
            if len(key.encode()) > KEY_BYTES_MAX:
                raise Refused("KeyTooLongError", "Your key is too long", Size=len(key.encode()))
            response = handler(request, bucket if bucket is not None else bucket_name, key)
        except Refused as e:
            response = self._refusal(e)
        response.headers.append(("x-amz-request-id", uuid.uuid4().hex[:16].upper()))
        response.headers += [("Server", "test"), self.date()]
        return response

    def _refusal(self, e):
        headers = []
        if "Region" in e.extra:
            headers.append(("x-amz-bucket-region", e.extra["Region"]))
        extra = {k: v for k, v in e.extra.items() if v is not None}
        if e.code == "PermanentRedirect":
            extra.pop("Region")
        return Response(*error_answer("s3", e.code, e.message, STATUS[e.code], headers, extra))

    def _authorize(self, request, operation, bucket, bucket_name, key):
        """Checks who asks, and unwraps what is encoded in chunks."""
        verified = None
        anonymous = bucket is not None and bucket.anonymous and request.header("authorization") is None
        if not anonymous:
            region = bucket.region if bucket is not None else self.region
            verified = verify(request, self.keys, "s3", None, self.now())
            if verified.region != region:
                if verified.region == self.region:  # the right place for us, not for this bucket
                    raise Refused("PermanentRedirect", "The bucket you are attempting to access must be addressed "
                                  "using the specified endpoint.", Region=region, Bucket=bucket_name,
                                  Endpoint=f"s3.{region}.amazonaws.com")
                raise Refused("AuthorizationHeaderMalformed", f"The authorization header is malformed; the region "
                              f"'{verified.region}' is wrong; expecting '{region}'", Region=region)
        check_payload(request)
        body, trailers = unwrap_chunks(request, verified)
        request.body = body
        self._check_digests(request, trailers)
        for what, where, pattern, code in self._denied:
            if (fnmatch.fnmatchcase(operation, what) and fnmatch.fnmatchcase(bucket_name or "", where)
                    and fnmatch.fnmatchcase(key, pattern)):
                raise Refused(code, f"User is not authorized to perform: s3:{operation} on resource: "
                              f"\"arn:aws:s3:::{bucket_name}/{key}\"")

    @staticmethod
    def _check_digests(request, trailers):
        md5 = request.header("content-md5")
        if md5 is not None and md5 != base64.b64encode(hashlib.md5(request.body).digest()).decode():
            raise Refused("BadDigest", "The Content-MD5 you specified did not match what we received.")
        given = {n.lower(): v for n, v in [*request.headers, *trailers]}
        for name, compute in _digests(request.body).items():
            if name in given and given[name] != base64.b64encode(compute()).decode():
                raise Refused("BadDigest", f"The {name} you specified did not match the calculated checksum.")

    # -- buckets --

    def _list_buckets(self, _request, _bucket, _key):
        with self._index:
            found = "".join(f"<Bucket>{_tags(Name=b, CreationDate=_iso_date(0))}</Bucket>" for b in sorted(self.buckets))
        return _xml("ListAllMyBucketsResult", f"<Owner>{_tags(ID='test')}</Owner><Buckets>{found}</Buckets>")

    def _create_bucket(self, request, bucket, _key):
        if isinstance(bucket, Bucket):
            raise Refused("BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and "
                          "you already own it.", BucketName=bucket.name)
        region = self.region
        if request.body:
            region = _parse_xml(request.body).findtext("LocationConstraint") or region
        self.add_bucket(bucket, region)
        return Response(200, [("Location", f"/{bucket}")])

    def _delete_bucket(self, _request, bucket, _key):
        with self._index:
            if bucket.objects:
                raise Refused("BucketNotEmpty", "The bucket you tried to delete is not empty")
            del self.buckets[bucket.name]
        return Response(204)

    @staticmethod
    def _head_bucket(_request, bucket, _key):
        return Response(200, [("x-amz-bucket-region", bucket.region)])

    @staticmethod
    def _get_bucket_location(_request, bucket, _key):
        return _xml("LocationConstraint", "" if bucket.region == "us-east-1" else bucket.region)

    # -- writing --

    def _store(self, key, body, headers, meta, etag=None):
        path = self.folder / f"{next(self._file_numbers):08d}"
        path.write_bytes(body)
        return Object(key, path, len(body), etag or hashlib.md5(body).hexdigest(), headers, meta)

    @staticmethod
    def _kept_headers(request):
        kept = ("content-type", "content-encoding", "cache-control", "content-disposition",
                "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-storage-class",
                "x-amz-tagging")
        headers = {n.lower(): v for n, v in request.headers if n.lower() in kept}
        if headers.get("content-encoding") == "aws-chunked":
            del headers["content-encoding"]
        meta = {n.lower(): v for n, v in request.headers if n.lower().startswith("x-amz-meta-")}
        return headers, meta

    def _publish(self, request, bucket, made):
        """Gives an object its name, if the request's conditions hold."""
        none_match, match = request.header("if-none-match"), request.header("if-match")
        if none_match not in (None, "*"):
            raise Refused("NotImplemented", "A header you provided implies functionality that is not implemented.",
                          Header="If-None-Match")
        with self._index:
            old = bucket.objects.get(made.key)
            if none_match is not None and old is not None:
                made.path.unlink()
                raise Refused("PreconditionFailed", "At least one of the pre-conditions you specified did not hold",
                              Condition="If-None-Match")
            if match is not None and old is None:
                made.path.unlink()
                raise Refused("NoSuchKey", "The specified key does not exist.", Key=made.key)
            if match is not None and match.strip('"') != old.etag:
                made.path.unlink()
                raise Refused("PreconditionFailed", "At least one of the pre-conditions you specified did not hold",
                              Condition="If-Match")
            bucket.objects[made.key] = made
            if old is not None:
                old.path.unlink(missing_ok=True)

    @staticmethod
    def _encryption(found):
        return [(n, v) for n, v in found.headers.items() if n.startswith("x-amz-server-side-encryption")]

    def _put_object(self, request, bucket, key):
        headers, meta = self._kept_headers(request)
        made = self._store(key, request.body, headers, meta)
        self._publish(request, bucket, made)
        return Response(200, [("ETag", f'"{made.etag}"'), *self._encryption(made)])

    def _copy_object(self, request, bucket, key):
        source = urllib.parse.unquote(request.header("x-amz-copy-source")).removeprefix("/")
        name, _, source_key = source.partition("/")
        with self._index:
            if name not in self.buckets:
                raise Refused("NoSuchBucket", "The specified bucket does not exist", BucketName=name)
            found = self._find(self.buckets[name], source_key)
            body = found.path.read_bytes()
        headers, meta = found.headers, found.meta
        if (request.header("x-amz-metadata-directive") or "COPY") == "REPLACE":
            headers, meta = self._kept_headers(request)
        made = self._store(key, body, headers, meta)
        self._publish(request, bucket, made)
        return _xml("CopyObjectResult", _tags(LastModified=_iso_date(made.modified), ETag=f'"{made.etag}"'))

    def _delete_object(self, _request, bucket, key):
        with self._index:
            old = bucket.objects.pop(key, None)
            if old is not None:
                old.path.unlink(missing_ok=True)
        return Response(204)

    def _delete_objects(self, request, bucket, _key):
        if not any(n.lower() == "content-md5" or n.lower().startswith("x-amz-checksum-") for n, _ in request.headers):
            raise Refused("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
        root = _parse_xml(request.body)
        keys = [o.findtext("Key") for o in root.findall("Object")]
        if root.tag != "Delete" or not keys or len(keys) > 1000 or None in keys:
            raise Refused("MalformedXML", f"expected Delete with 1 to 1000 keys, found {root.tag} with {len(keys)}")
        quiet = (root.findtext("Quiet") or "").lower() == "true"
        out = []
        for key in keys:
            code = next((c for p, c in self.delete_errors.items() if fnmatch.fnmatchcase(key, p)), None)
            if code is not None:
                out.append(f"<Error>{_tags(Key=key, Code=code, Message='refused by the test')}</Error>")
                continue
            self._delete_object(request, bucket, key)
            if not quiet:
                out.append(f"<Deleted>{_tags(Key=key)}</Deleted>")
        return _xml("DeleteResult", "".join(out))

    # -- multipart uploads --

    def _upload(self, request, bucket, key):
        upload = bucket.uploads.get(request.query["uploadId"])
        if upload is None or upload.key != key:
            raise Refused("NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the "
                          "upload may have been aborted or completed.", UploadId=request.query["uploadId"])
        return upload

    def _create_multipart_upload(self, request, bucket, key):
        upload = Upload(key, *self._kept_headers(request))
        with self._index:
            bucket.uploads[upload.id] = upload
        return _xml("InitiateMultipartUploadResult", _tags(Bucket=bucket.name, Key=key, UploadId=upload.id))

    def _upload_part(self, request, bucket, key):
        try:
            number = int(request.query.get("partNumber", ""))
        except ValueError:
            number = 0
        if not 1 <= number <= 10000:
            raise Refused("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
        with self._index:
            self._upload(request, bucket, key)
        part = self._store(key, request.body, {}, {})
        with self._index:
            try:
                upload = self._upload(request, bucket, key)
            except Refused:  # ended meanwhile
                part.path.unlink()
                raise
            old = upload.parts.get(number)
            upload.parts[number] = part
        if old is not None:
            old.path.unlink(missing_ok=True)
        return Response(200, [("ETag", f'"{part.etag}"')])

    def _chosen_parts(self, request, upload):
        root = _parse_xml(request.body)
        wanted = [(int(p.findtext("PartNumber") or 0), (p.findtext("ETag") or "").strip('"'))
                  for p in root.findall("Part")]
        if root.tag != "CompleteMultipartUpload" or not wanted:
            raise Refused("MalformedXML", "expected CompleteMultipartUpload with parts")
        numbers = [n for n, _ in wanted]
        if numbers != sorted(set(numbers)):
            raise Refused("InvalidPartOrder", "The list of parts was not in ascending order.")
        parts = []
        for number, etag in wanted:
            part = upload.parts.get(number)
            if part is None or part.etag != etag:
                raise Refused("InvalidPart", "One or more of the specified parts could not be found.",
                              PartNumber=number, ETag=etag)
            parts.append(part)
        small = [n for n, p in zip(numbers[:-1], parts) if p.size < self.part_bytes_min]
        if small:
            raise Refused("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size",
                          PartNumber=small[0], MinSizeAllowed=self.part_bytes_min)
        return parts

    def _complete_multipart_upload(self, request, bucket, key):
        with self._index:
            upload = self._upload(request, bucket, key)
            parts = self._chosen_parts(request, upload)
            path = self.folder / f"{next(self._file_numbers):08d}"
            with open(path, "wb") as out:
                for part in parts:
                    with open(part.path, "rb") as piece:
                        shutil.copyfileobj(piece, out, 1 << 20)
            digest = hashlib.md5(b"".join(bytes.fromhex(p.etag) for p in parts)).hexdigest()
            made = Object(key, path, sum(p.size for p in parts), f"{digest}-{len(parts)}", upload.headers, upload.meta)
            self._publish(request, bucket, made)
            self._forget(bucket, upload)
        return _xml("CompleteMultipartUploadResult",
                    _tags(Location=f"{self.url}/{bucket.name}/{urllib.parse.quote(key)}", Bucket=bucket.name, Key=key,
                          ETag=f'"{made.etag}"'), headers=self._encryption(made))

    @staticmethod
    def _forget(bucket, upload):
        del bucket.uploads[upload.id]
        for part in upload.parts.values():
            part.path.unlink(missing_ok=True)

    def _abort_multipart_upload(self, request, bucket, key):
        with self._index:
            self._forget(bucket, self._upload(request, bucket, key))
        return Response(204)

    def _list_parts(self, request, bucket, key):
        with self._index:
            upload = self._upload(request, bucket, key)
            marker = int(request.query.get("part-number-marker") or 0)
            numbers = sorted(n for n in upload.parts if n > marker)
            page = numbers[:min(self.page_max, int(request.query.get("max-parts") or 1000))]
            found = "".join("<Part>" + _tags(PartNumber=n, LastModified=_iso_date(upload.parts[n].modified),
                                             ETag=f'"{upload.parts[n].etag}"', Size=upload.parts[n].size) + "</Part>"
                            for n in page)
        more = len(page) < len(numbers)
        return _xml("ListPartsResult", _tags(Bucket=bucket.name, Key=key, UploadId=upload.id,
                                             IsTruncated=str(more).lower(),
                                             NextPartNumberMarker=page[-1] if more else None) + found)

    def _list_multipart_uploads(self, request, bucket, _key):
        query = request.query
        marker = (query.get("key-marker", ""), query.get("upload-id-marker", ""))
        encode = urllib.parse.quote if query.get("encoding-type") == "url" else str
        with self._index:
            rows = sorted(((u.key, u.id, u.begun) for u in bucket.uploads.values()
                           if u.key.startswith(query.get("prefix", ""))))
        rows = [r for r in rows if (r[:2] > marker if marker[1] else r[0] > marker[0])]
        page = rows[:min(self.page_max, int(query.get("max-uploads") or 1000))]
        more = len(page) < len(rows)
        found = "".join(f"<Upload>{_tags(Key=encode(k), UploadId=i, Initiated=_iso_date(t))}</Upload>"
                        for k, i, t in page)
        return _xml("ListMultipartUploadsResult", _tags(
            Bucket=bucket.name, Prefix=query.get("prefix", ""), IsTruncated=str(more).lower(),
            NextKeyMarker=encode(page[-1][0]) if more else None,
            NextUploadIdMarker=page[-1][1] if more else None) + found)

    # -- reading --

    def _find(self, bucket, key):
        found = bucket.objects.get(key)
        if found is None:
            raise Refused("NoSuchKey", "The specified key does not exist.", Key=key)
        return found

    @staticmethod
    def _range(request, size):
        """(first, last) of a Range header, None without one that counts."""
        text = re.fullmatch(r"bytes=(\d*)-(\d*)", request.header("range") or "")
        if not text or text.groups() == ("", ""):
            return None
        first, last = text.groups()
        if first == "":
            length = int(last)
            first, last = max(0, size - length), size - 1
            bad = length == 0
        else:
            first = int(first)
            last = min(int(last), size - 1) if last else size - 1
            bad = False
        if bad or first >= size or last < first:
            raise Refused("InvalidRange", "The requested range is not satisfiable",
                          RangeRequested=request.header("range"), ActualObjectSize=size)
        return first, last

    def _describe(self, request, bucket, key):
        """(headers, path, range) of an object, the request's conditions checked."""
        found = self._find(bucket, key)
        etag = f'"{found.etag}"'
        if request.header("if-match") not in (None, "*", etag, found.etag):
            raise Refused("PreconditionFailed", "At least one of the pre-conditions you specified did not hold",
                          Condition="If-Match")
        where = self._range(request, found.size)
        headers = [("Accept-Ranges", "bytes"), ("ETag", etag), ("Last-Modified", _http_date(found.modified)),
                   ("Content-Type", found.headers.get("content-type", "binary/octet-stream"))]
        headers += [(n, v) for n, v in [*found.headers.items(), *found.meta.items()]
                    if n not in ("content-type", "x-amz-tagging")]
        if where is not None:
            headers.append(("Content-Range", f"bytes {where[0]}-{where[1]}/{found.size}"))
        return headers, found, where or (0, found.size - 1), 206 if where else 200

    def _get_object(self, request, bucket, key):
        with self._index:
            headers, found, (first, last), status = self._describe(request, bucket, key)
            with open(found.path, "rb") as f:
                f.seek(first)
                body = f.read(last - first + 1)
        if request.header("if-none-match") in ("*", f'"{found.etag}"'):
            return Response(304, headers)
        return Response(status, headers, body)

    def _head_object(self, request, bucket, key):
        with self._index:
            headers, _, (first, last), status = self._describe(request, bucket, key)
        return Response(status, [*headers, ("Content-Length", str(last - first + 1))])

    def _page(self, bucket, query, start):
        """([(key or prefix, object or None)], whether there is more), by key, after start."""
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        size = min(self.page_max, int(query.get("max-keys") or 1000))
        rows, last = [], None
        with self._index:
            for key in sorted((k for k in bucket.objects if k.startswith(prefix)), key=str.encode):
                name, found = key, bucket.objects[key]
                if delimiter and delimiter in key[len(prefix):]:
                    name, found = prefix + key[len(prefix):].partition(delimiter)[0] + delimiter, None
                if name.encode() <= start.encode() or name == last:
                    continue
                if len(rows) == size:
                    return rows, True
                rows.append((name, found))
                last = name
        return rows, False

    def _rows_xml(self, rows, encode):
        out = []
        for name, found in rows:
            if found is None:
                out.append(f"<CommonPrefixes>{_tags(Prefix=encode(name))}</CommonPrefixes>")
            else:
                out.append("<Contents>" + _tags(
                    Key=encode(name), LastModified=_iso_date(found.modified), ETag=f'"{found.etag}"', Size=found.size,
                    StorageClass="STANDARD") + "</Contents>")
        return "".join(out)

    def _list_objects(self, request, bucket, _key):
        query = request.query
        second = query.get("list-type") == "2"
        token = query.get("continuation-token")
        if token:
            start = base64.urlsafe_b64decode(token).decode()
        else:
            start = query.get("start-after" if second else "marker", "")
        rows, more = self._page(bucket, query, start)
        encode = (lambda t: urllib.parse.quote(t, safe="/")) if query.get("encoding-type") == "url" else str
        body = _tags(Name=bucket.name, Prefix=encode(query.get("prefix", "")), Delimiter=query.get("delimiter"),
                     MaxKeys=query.get("max-keys") or 1000, EncodingType=query.get("encoding-type"),
                     IsTruncated=str(more).lower(), KeyCount=len(rows) if second else None)
        if more and second:
            body += _tags(NextContinuationToken=base64.urlsafe_b64encode(rows[-1][0].encode()).decode())
        elif more:
            body += _tags(NextMarker=encode(rows[-1][0]))
        return _xml("ListBucketResult", body + self._rows_xml(rows, encode))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--bucket", action="append", default=[])
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--access", default="test")
    parser.add_argument("--secret", default="test-secret")
    args = parser.parse_args()
    server = S3Server(region=args.region)
    server.port = args.port
    server.keys.add(args.access, args.secret)
    for name in args.bucket:
        server.add_bucket(name)
    with server:
        print(server.url, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
