"""Signature Version 4 against botocore's: random requests, the same canonical form and signature.

CALVE_TEST_SEED chooses the requests, CALVE_TEST_SIGNATURES how many there are.
"""

import datetime
import json
import os
import random
import subprocess
from urllib.parse import quote

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from program import binary, clean_environment

SEED = int(os.environ.get("CALVE_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
COUNT = int(os.environ.get("CALVE_TEST_SIGNATURES") or 500)

SERVICES = ["s3", "s3", "glue", "s3tables", "execute-api", "sts"]
REGIONS = ["us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1", "auto", "eu-isoe-west-1"]
BASES = [  # what stands in the URL, and the Host header that goes with it
    ("https://bucket.s3.eu-west-1.amazonaws.com", "bucket.s3.eu-west-1.amazonaws.com"),
    ("https://glue.us-east-1.amazonaws.com:443", "glue.us-east-1.amazonaws.com"),
    ("http://minio:80", "minio"),
    ("http://127.0.0.1:9000", "127.0.0.1:9000"),
    ("http://localhost:443", "localhost:443"),
    ("https://catalog.example.org:8443", "catalog.example.org:8443"),
    ("https://[::1]:8443", "[::1]:8443"),
]
PIECES = ["a", "B", "0", "-", "_", ".", "~", " ", "+", "%", "=", "&", "/", ":", ",", ";", "@", "!", "*", "'", "(",
          ")", "$", "?", "#", "[", "]", '"', "<", ">", "\\", "^", "`", "{", "|", "}", "é", "表", "😀", "\x1f", "\t",
          "day=2024-01-01", "%2F", "arn:aws:s3tables:eu-west-1:1:bucket/b"]
SEGMENTS = ["", "", ".", "..", "...", "metadata", "00000-x.metadata.json"]
BLANKS = ["", "", " ", "  ", "\t", " \t  "]
NAMES = ["Content-Type", "Range", "If-None-Match", "X-Amz-Target", "x-amz-meta-calve-id", "X-Amz-Acl", "X_Under",
         "X-Iceberg-Access-Delegation", "User-Agent", "Expect", "Connection", "Accept", "X-Amz-Meta", "x-amz-meta-a"]


class Dice:
    def __init__(self, rand):
        self.rand = rand

    def some(self, pieces, most):
        return "".join(self.rand.choice(pieces) for _ in range(self.rand.randint(0, most)))

    def path(self):
        segments = [self.rand.choice(SEGMENTS) if self.rand.random() < 0.4 else self.some(PIECES, 6)
                    for _ in range(self.rand.randint(0, 6))]
        path = "/" + "/".join(quote(s, safe="/" if self.rand.random() < 0.5 else "") for s in segments)
        # Two slashes in front would be a host to urlsplit().
        return path if not path.startswith("//") else "/x" + path

    def pairs(self):
        """Encoded names and values, value None: without "="."""
        pairs = []
        for _ in range(self.rand.randint(0, 6)):
            if pairs and self.rand.random() < 0.3:
                name = self.rand.choice(pairs)[0]
            else:
                name = quote(self.some(PIECES, 4) or "uploads", safe="-_.~")
            shape = self.rand.random()
            value = None if shape < 0.15 else "" if shape < 0.3 else quote(self.some(PIECES, 5), safe="-_.~")
            pairs.append((name, value))
        return pairs

    def value(self):
        words = [self.some([p for p in PIECES if p.isprintable() and p != " "], 4)
                 for _ in range(self.rand.randint(0, 4))]
        return self.rand.choice(BLANKS) + "".join(w + self.rand.choice(BLANKS) for w in words)

    def headers(self):
        headers = []
        for _ in range(self.rand.randint(0, 6)):
            name = self.rand.choice(headers)[0] if headers and self.rand.random() < 0.2 else self.rand.choice(NAMES)
            headers.append([name.upper() if self.rand.random() < 0.2 else name, self.value()])
        return headers

    def request(self):
        service = self.rand.choice(SERVICES)
        base, host = self.rand.choice(BASES)
        made = {
            "method": self.rand.choice(["GET", "PUT", "POST", "DELETE", "HEAD"]), "host": host, "path": self.path(),
            "query": "&".join(n if v is None else f"{n}={v}" for n, v in self.pairs()), "headers": self.headers(),
            "access_key_id": "AKIA" + self.some("ABCXYZ234567", 16),
            "secret_access_key": self.some("abcXYZ0189+/=é", 40) or "x", "region": self.rand.choice(REGIONS),
            "service": service, "time": self.rand.randrange(0, 4102444800), "payload": self.some(PIECES, 20),
        }
        if self.rand.random() < 0.4:
            made["session_token"] = self.some("abcXYZ0189+/=", 80)
        return base, made


def expected(base, asked):
    """What botocore makes of it. Adds to `asked` what cannot be known from the request alone."""
    s3 = asked["service"] == "s3"
    request = AWSRequest(method=asked["method"], data=asked["payload"].encode(),
                         url=base + asked["path"] + ("?" + asked["query"] if asked["query"] else ""))
    for name, value in asked["headers"]:
        request.headers[name] = value
    if not asked["payload"] and base.startswith("https"):
        request.context["payload_signing_enabled"] = False
        asked["payload_hash"] = "UNSIGNED-PAYLOAD"
        asked["send_payload_hash"] = True
        if s3:  # it leaves a payload unsigned only where something else guards it
            request.headers["Content-MD5"] = "1B2M2Y8AsgTpgAmY7PhCfg=="
            asked["headers"].append(["content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="])
    keys = Credentials(asked["access_key_id"], asked["secret_access_key"], asked.get("session_token"))
    auth = (botocore.auth.S3SigV4Auth if s3 else botocore.auth.SigV4Auth)(keys, asked["service"], asked["region"])
    auth.add_auth(request)
    authorization = request.headers["Authorization"]
    del request.headers["Authorization"]
    return auth.canonical_request(request), authorization


def test_random_requests(monkeypatch):
    print(f"CALVE_TEST_SEED={SEED}")
    dice = Dice(random.Random(SEED))
    lines, wanted = [], []
    for _ in range(COUNT):
        base, asked = dice.request()
        moment = datetime.datetime.fromtimestamp(asked["time"], datetime.timezone.utc)
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda moment=moment: moment)
        wanted.append(expected(base, asked))
        lines.append(json.dumps(asked))
    done = subprocess.run([binary(), "inspect", "signature", "-", "--json"], input="\n".join(lines) + "\n", text=True,
                          encoding="utf-8", env=clean_environment(), capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == COUNT
    for line, ours, (canonical, authorization) in zip(lines, found, wanted):
        assert ours["canonical_request"] == canonical, line
        assert ours["authorization"] == authorization, line


def test_wrong_lines(tmp_path):
    good = Dice(random.Random(1)).request()[1]
    for change, why in [({"path": "x"}, "does not begin with '/'"), ({"time": "now"}, "Expected integer"),
                        ({"headers": [["a"]]}, "no pair of texts"), ({"headers": [["a", "b"]] * 65}, "more than 64"),
                        ({"surprise": 1}, "surprise"), ({"region": None}, "Expected string")]:
        path = tmp_path / "requests"
        path.write_text(json.dumps(good) + "\n" + json.dumps(good | change) + "\n", encoding="utf-8")
        done = subprocess.run([binary(), "inspect", "signature", str(path)], env=clean_environment(), check=False,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 2, done.stderr
        assert f"{path}: line 2: " in done.stderr and why in done.stderr, done.stderr
        assert good["secret_access_key"] not in done.stderr
        assert "Authorization: AWS4-HMAC-SHA256 Credential=AKIA" in done.stdout  # the first line
