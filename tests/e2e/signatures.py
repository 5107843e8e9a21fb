"""AWS Signature Version 4, judged: the signature of a request as it came is computed anew by botocore.

What is signed is decoded and encoded again first, as AWS does, so that a client's own way of encoding
on the wire cannot hide a wrong canonical form.
"""

import datetime
import hashlib
import hmac
import re
import urllib.parse

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW_SECONDS = 15 * 60
UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


class Refused(Exception):
    """code is S3's; services that speak JSON translate it."""

    def __init__(self, code, message, **extra):
        super().__init__(message)
        self.code = code
        self.message = message
        self.extra = extra  # further elements of S3's error document


class Key:
    """An access key. token: what goes with a temporary one. expires: time.time() when it ends."""

    def __init__(self, access, secret, token=None, expires=None):
        self.access = access
        self.secret = secret
        self.token = token
        self.expires = expires


class Keys:
    """The keys that a service knows."""

    def __init__(self, *keys):
        self._keys = {k.access: k for k in keys}

    def add(self, access, secret, token=None, expires=None):
        return self.put(Key(access, secret, token, expires))

    def put(self, key):
        """One that another service knows too."""
        self._keys[key.access] = key
        return key

    def remove(self, access):
        del self._keys[access]

    def get(self, access):
        return self._keys.get(access)


class Verified:
    """What a good signature says; what chunks of an upload are then signed with."""

    def __init__(self, key, region, scope, timestamp, signature, auth):
        self.key = key
        self.region = region
        self.scope = scope
        self.timestamp = timestamp
        self.signature = signature
        self._auth = auth

    def sign(self, text):
        """Signs a string to sign with the request's key, day, region and service."""
        request = AWSRequest(method="GET", url="http://x/")
        request.context["timestamp"] = self.timestamp
        return self._auth.signature(text, request)


def _only(names):
    """A mixin that signs just the headers that the client says it signed."""

    class Mixin:
        def headers_to_sign(self, request):
            chosen = type(request.headers)()
            for name, value in request.headers.items():
                if name.lower() in names:
                    chosen[name.lower()] = value
            return chosen

    return Mixin


def _encode(text, safe):
    return urllib.parse.quote(urllib.parse.unquote_to_bytes(text), safe=safe + "-_.~")


def _canonical_url(request):
    """The target as AWS understands it: every byte that needs it encoded once."""
    path = _encode(request.raw_path, "/")
    parts = []
    for part in filter(None, request.raw_query.split("&")):
        name, _, value = part.partition("=")
        parts.append(f"{_encode(name, '')}={_encode(value, '')}")
    query = "&".join(parts)
    scheme = "https" if request.secure else "http"
    return f"{scheme}://{request.header('host')}{path}" + (f"?{query}" if query else "")


_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} +Credential=([^,\s]+) *, *SignedHeaders=([^,\s]+) *, *Signature=([0-9a-f]{{64}})$")


def _parse(request):
    """(access key, day, region, service, signed header names, signature)"""
    text = request.header("authorization")
    if text is None:
        raise Refused("AccessDenied", "Anonymous access is forbidden: there is no Authorization header.")
    found = _AUTHORIZATION.match(text)
    parts = found.group(1).split("/") if found else []
    if len(parts) != 5 or parts[4] != "aws4_request":
        raise Refused("AuthorizationHeaderMalformed", "The authorization header is malformed: "
                      f"expected {ALGORITHM} Credential=KEY/DAY/REGION/SERVICE/aws4_request, "
                      "SignedHeaders=..., Signature=64 hex digits.")
    return (*parts[:4], found.group(2).split(";"), found.group(3))


def _check_time(timestamp, day, now):
    try:
        at = datetime.datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    except (TypeError, ValueError):
        raise Refused("AccessDenied", f"x-amz-date is {timestamp!r}, not YYYYMMDDTHHMMSSZ.") from None
    if not timestamp.startswith(day):
        raise Refused("AuthorizationHeaderMalformed", f"The credential's day {day} is not that of x-amz-date {timestamp}.")
    if abs((now - at).total_seconds()) > SKEW_SECONDS:
        raise Refused("RequestTimeTooSkewed", "The difference between the request time and the current time is too "
                      "large.", RequestTime=timestamp, ServerTime=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                      MaxAllowedSkewMilliseconds=SKEW_SECONDS * 1000)


def _check_key(keys, access, token, now):
    key = keys.get(access)
    if key is None:
        raise Refused("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.",
                      AWSAccessKeyId=access)
    if key.token != token:
        raise Refused("InvalidToken", "The provided token is malformed or otherwise invalid.")
    if key.expires is not None and now.timestamp() >= key.expires:
        raise Refused("ExpiredToken", "The provided token has expired.")
    return key


def _check_signed_headers(request, names, s3):
    if names != sorted(n.lower() for n in names):
        raise Refused("SignatureDoesNotMatch", f"SignedHeaders are not sorted or not lower case: {';'.join(names)}")
    needed = {"host"} | {n.lower() for n, _ in request.headers if n.lower().startswith("x-amz-")}
    if s3:
        needed.add("x-amz-content-sha256")
    missing = sorted(needed - set(names))
    if missing:
        raise Refused("AccessDenied", "There were headers present in the request which were not signed: "
                      + ", ".join(missing), HeadersNotSigned=", ".join(missing))
    absent = sorted(n for n in names if request.header(n) is None)
    if absent:
        raise Refused("SignatureDoesNotMatch", f"signed headers are not there: {', '.join(absent)}")


def verify(request, keys, service, region, now=None):
    """Raises Refused unless the request is signed by one of the keys for this service and region.

    region: None accepts any (the caller looks at the result's).
    """
    now = now or datetime.datetime.now(datetime.timezone.utc)
    access, day, scope_region, scope_service, names, signature = _parse(request)
    key = _check_key(keys, access, request.header("x-amz-security-token"), now)
    if scope_service != service:
        raise Refused("AuthorizationHeaderMalformed", f"The authorization header is malformed; incorrect service "
                      f"\"{scope_service}\". This endpoint belongs to \"{service}\".")
    if region is not None and scope_region != region:
        raise Refused("AuthorizationHeaderMalformed", f"The authorization header is malformed; the region "
                      f"'{scope_region}' is wrong; expecting '{region}'", Region=region)
    timestamp = request.header("x-amz-date")
    _check_time(timestamp, day, now)
    s3 = service == "s3"
    _check_signed_headers(request, names, s3)
    base = S3SigV4Auth if s3 else SigV4Auth
    auth = type("Auth", (_only(set(names)), base), {})(Credentials(key.access, key.secret), service, scope_region)
    again = AWSRequest(method=request.method, url=_canonical_url(request), data=request.body)
    for name, value in request.headers:
        if name.lower() in names or name.lower() == "x-amz-content-sha256":
            again.headers[name] = value
    again.context["timestamp"] = timestamp
    canonical = auth.canonical_request(again)
    text = auth.string_to_sign(again, canonical)
    expected = auth.signature(text, again)
    if not hmac.compare_digest(expected, signature):
        raise Refused("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you "
                      "provided. Check your key and signing method.", AWSAccessKeyId=access, StringToSign=text,
                      SignatureProvided=signature, CanonicalRequest=canonical)
    scope = f"{day}/{scope_region}/{service}/aws4_request"
    return Verified(key, scope_region, scope, timestamp, signature, auth)


def check_payload(request):
    """x-amz-content-sha256 against the body, where it is a digest."""
    digest = request.header("x-amz-content-sha256")
    if digest is None or digest == UNSIGNED or digest.startswith("STREAMING-"):
        return
    actual = hashlib.sha256(request.body).hexdigest()
    if digest != actual:
        raise Refused("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what "
                      "was computed.", ClientComputedContentSHA256=digest, S3ComputedContentSHA256=actual)


# ---- aws-chunked -------------------------------------------------------------------------------


def _chunk_text(verified, previous, data):
    return "\n".join([f"{ALGORITHM}-PAYLOAD", verified.timestamp, verified.scope, previous, EMPTY_SHA256,
                      hashlib.sha256(data).hexdigest()])


def _trailer_text(verified, previous, trailers):
    lines = "".join(f"{n}:{v}\n" for n, v in trailers)
    return "\n".join([f"{ALGORITHM}-TRAILER", verified.timestamp, verified.scope, previous,
                      hashlib.sha256(lines.encode()).hexdigest()])


def unwrap_chunks(request, verified):
    """(body, [(trailer, value)]) of an upload that is encoded as aws-chunked, its signatures checked."""
    kind = request.header("x-amz-content-sha256") or ""
    if not kind.startswith("STREAMING-"):
        return request.body, []
    signed = kind.startswith(f"STREAMING-{ALGORITHM}-PAYLOAD") and verified is not None
    body, rest, previous = [], request.body, verified.signature if verified else ""
    while True:
        line, _, rest = rest.partition(b"\r\n")
        size_text, _, extension = line.partition(b";")
        size = int(size_text, 16)
        data, rest = rest[:size], rest[size:]
        if signed:
            given = extension.decode().removeprefix("chunk-signature=")
            previous = _compare(verified.sign(_chunk_text(verified, previous, data)), given, "chunk")
        body.append(data)
        if size == 0:
            break
        if not rest.startswith(b"\r\n"):
            raise Refused("IncompleteBody", "A chunk does not end where it says.")
        rest = rest[2:]
    trailers, signature = [], None
    for line in rest.decode("latin-1").split("\r\n"):
        name, colon, value = line.strip("\n").partition(":")
        if colon and name.lower() == "x-amz-trailer-signature":
            signature = value.strip()
        elif colon:
            trailers.append((name.lower(), value.strip()))
    if signed and kind.endswith("-TRAILER"):
        _compare(verified.sign(_trailer_text(verified, previous, trailers)), signature or "", "trailer")
    whole = b"".join(body)
    declared = request.header("x-amz-decoded-content-length")
    if declared is not None and int(declared) != len(whole):
        raise Refused("IncompleteBody", f"x-amz-decoded-content-length is {declared}, the body has {len(whole)} bytes.")
    return whole, trailers


def _compare(expected, given, what):
    if not hmac.compare_digest(expected, given):
        raise Refused("SignatureDoesNotMatch", f"The signature of a {what} does not match.")
    return expected
