"""The lake on AWS for tests: an S3, a catalog, what calve is told of them, and a reader beside it.

    def test_it(make_source, make_calve, make_place):
        place = make_place("glue")
        calve = make_calve(make_source("mysql-9"), place=place)
        place.catalog_proxy.rules.fail("UpdateTable", "ConcurrentModificationException", times=2)
        calve.catch_up()
        calve.lake.changes(...)  # reads without the faults

Kinds of places: "glue" (a Glue of our own that checks VersionId), "moto" (Glue by others), "rest"
(Iceberg's own REST server), "sqlite" (a catalog file on disk, data on S3).
"""

import itertools
import os
import time

import boto3
import pytest
from botocore.config import Config
from pyiceberg.catalog.rest import RestCatalog as RestClient
from pyiceberg.exceptions import NoSuchNamespaceError

from fault_proxy import FaultProxy, ForwardProxy
from glue_stand_in import ACCOUNT, GlueStandIn
from http_service import Certificate
from program import PATIENCE_S
from remote_lake import RemoteLake
from rest_guard import TokenServer
from s3_server import S3Server
from services import Moto, RestCatalog, Versitygw

REGION = "eu-central-1"  # not the one that a client falls back to
ACCESS = "AKIDCALVETEST"
SECRET = "secret+with/signs=of-all/kinds+0123456789"

_numbers = itertools.count(1)


class S3Settings:
    """How to reach an S3. token: with temporary keys."""

    def __init__(self, endpoint, access=ACCESS, secret=SECRET, token=None, region=REGION):
        self.endpoint = endpoint
        self.access = access
        self.secret = secret
        self.token = token
        self.region = region

    def pyiceberg(self):
        found = {"s3.endpoint": self.endpoint, "s3.region": self.region, "s3.access-key-id": self.access,
                 "s3.secret-access-key": self.secret}
        return found | ({"s3.session-token": self.token} if self.token else {})

    def client(self, service="s3", endpoint=None, **config):
        """A boto3 client; it tries once, unless config says otherwise."""
        options = {"retries": {"total_max_attempts": 1}, "connect_timeout": 10, "read_timeout": 60} | config
        return boto3.client(service, endpoint_url=endpoint or self.endpoint, region_name=self.region,
                            aws_access_key_id=self.access, aws_secret_access_key=self.secret,
                            aws_session_token=self.token, config=Config(**options))


def make_bucket(settings, name):
    where = {"CreateBucketConfiguration": {"LocationConstraint": settings.region}}
    settings.client().create_bucket(Bucket=name, **({} if settings.region == "us-east-1" else where))


def glue_properties(endpoint, settings):
    """PyIceberg's for a Glue."""
    return {"type": "glue", "glue.endpoint": endpoint, "glue.region": settings.region,
            "glue.access-key-id": settings.access, "glue.secret-access-key": settings.secret}


class Place:
    """A warehouse on S3 with its catalog.

    s3, catalog: the servers (catalog may be None). s3_proxy, catalog_proxy: what calve is told to go
    through, with rules and a log. options, env: what calve gets. lake: the reader.
    """

    def __init__(self, kind, s3, catalog, bucket, folder, tls=None):
        self.kind = kind
        self.s3 = s3
        self.catalog = catalog
        self.bucket = bucket
        self.folder = folder
        self.settings = S3Settings(s3.url, region=s3.region)
        self.warehouse = f"s3://{bucket}/lake"
        self.tls = tls
        self.s3_proxy = FaultProxy("s3", s3, tls).start()
        self.catalog_proxy = None
        self.options = {
            "s3-endpoint": self.s3_proxy.url, "client-region": s3.region, "client-access-key-id": ACCESS,
            "http-retry-timeout": f"{max(20, int(PATIENCE_S / 2))}s", "http-request-timeout": "10s"}
        self.env = {"CALVE_CLIENT_SECRET_ACCESS_KEY": SECRET}
        if tls is not None:
            self.options["http-ca-bundle"] = tls.ca_file
        properties = self._catalog()
        self.lake = RemoteLake(self.warehouse, self.settings, properties | {"warehouse": self.warehouse})

    def _catalog(self):
        """Fills in what the kind needs; returns PyIceberg's properties for the reader."""
        if self.kind == "sqlite":
            path = self.folder / f"catalog{next(_numbers)}.db"
            self.options |= {"catalog-type": "sqlite", "catalog-path": path}
            return {"type": "sql", "uri": f"sqlite:///{path}"}
        protocol = "rest" if self.kind == "rest" else "glue"
        self.catalog_proxy = FaultProxy(protocol, self.catalog, self.tls).start()
        if self.kind == "rest":
            self.options |= {"catalog-type": "rest", "catalog-uri": self.catalog_proxy.url}
            return {"type": "rest", "uri": self.catalog.url}
        self.options |= {"catalog-type": "glue", "glue-endpoint": self.catalog_proxy.url}
        return glue_properties(self.catalog.url, self.settings)

    def move(self, warehouse, region):
        """The lake goes to another bucket; what calve is told of regions stays as it is."""
        self.bucket = warehouse.removeprefix("s3://").partition("/")[0]
        self.warehouse = warehouse
        self.settings = S3Settings(self.s3.url, region=region)
        properties = {k: v for k, v in self.lake.properties.items() if not k.startswith("s3.")}
        self.lake = RemoteLake(warehouse, self.settings, properties | {"warehouse": warehouse})

    @property
    def proxies(self):
        return [p for p in (self.s3_proxy, self.catalog_proxy) if p is not None]

    def pyiceberg_properties(self):
        """For a .pyiceberg.yaml that both PyIceberg and calve read, through the proxies."""
        own = dict(self.lake.properties)
        own["s3.endpoint"] = self.s3_proxy.url
        if self.kind == "rest":
            own["uri"] = self.catalog_proxy.url
        elif self.catalog_proxy is not None:
            own["glue.endpoint"] = self.catalog_proxy.url
        return own

    def virtual_options(self):
        """Options for buckets in the host's name: curl knows by itself that *.localhost is here."""
        return {"s3-endpoint": self.s3_proxy.url.replace("127.0.0.1", "s3.localhost"), "s3-addressing": "virtual"}

    def temporary_keys(self, seconds=None):
        """Gives calve temporary keys from here on. Returns them: setting `expires` ends them early.

        Only for an S3 and a Glue of our own, which know about tokens.
        """
        number = next(_numbers)
        expires = None if seconds is None else time.time() + seconds
        key = self.s3.keys.add(f"TEMPORARY{number}", f"secret {number}", f"token/{number}+=", expires)
        if isinstance(self.catalog, GlueStandIn):
            self.catalog.keys.put(key)
        self.options["client-access-key-id"] = key.access
        self.env |= {"CALVE_CLIENT_SECRET_ACCESS_KEY": key.secret, "CALVE_CLIENT_SESSION_TOKEN": key.token}
        return key

    def names(self, prefix=""):
        """Keys in the bucket."""
        pages = self.settings.client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [o["Key"] for page in pages for o in page.get("Contents", [])]

    def all_well(self):
        """Ends all faults."""
        for proxy in self.proxies:
            proxy.rules.clear()

    def close(self):
        if isinstance(self.s3, S3Server):  # other tests share it
            self.s3.forget_rules()
        for proxy in self.proxies:
            proxy.stop()


def empty_catalog(catalog):
    """Forgets all tables and namespaces; their files stay."""
    for namespace in catalog.list_namespaces():
        for table in catalog.list_tables(namespace):
            catalog.drop_table(table)
        try:
            catalog.drop_namespace(namespace)
        except NoSuchNamespaceError:
            pass  # one that was there only by its tables


class AwsServers:
    """What tests share: servers that take long to start, each when first asked for."""

    def __init__(self):
        self._made = {}
        self._free = {}  # catalogs that no place uses: {name: [server]}

    def _get(self, name, make):
        if name not in self._made:
            self._made[name] = make().start()
        return self._made[name]

    def _borrow(self, name, make):
        free = self._free.setdefault(name, [])
        if free:
            return free.pop()
        return self._get(f"{name} {next(_numbers)}", make)

    @property
    def s3(self):
        """An S3 of our own; each place has a bucket of its own in it."""
        server = self._get("s3", lambda: S3Server(region=REGION))
        server.keys.add(ACCESS, SECRET)
        return server

    @property
    def versitygw(self):
        return self._get("versitygw", lambda: Versitygw(ACCESS, SECRET, REGION))

    def borrow_moto(self):
        """An empty one, for one place at a time."""
        return self._borrow("moto", Moto)

    def borrow_rest(self, s3):
        """An empty REST catalog whose files are in this S3, for one place at a time."""

        def make():
            bucket = f"rest-{os.getpid()}-{next(_numbers)}"  # where tables go whose creator names no place
            make_bucket(S3Settings(s3.url), bucket)
            return RestCatalog(f"s3://{bucket}", s3.url, ACCESS, SECRET, REGION)

        return self._borrow(f"rest on {s3.url}", make)

    def give_back(self, server, s3):
        """Empties a borrowed catalog; one that cannot be emptied is not used again."""
        if isinstance(server, Moto) and server.running():
            server.reset()
            self._free["moto"].append(server)
        elif isinstance(server, RestCatalog) and server.running():
            empty_catalog(RestClient("default", uri=server.url))
            self._free[f"rest on {s3.url}"].append(server)

    def close(self):
        problems = []
        for server in reversed(self._made.values()):
            try:
                getattr(server, "remove", getattr(server, "close", server.stop))()
            except AssertionError as e:  # a stand-in that failed by itself
                problems.append(str(e))
        self._made.clear()
        assert not problems, "\n".join(problems)


@pytest.fixture(scope="session")
def aws_servers():
    found = AwsServers()
    yield found
    found.close()


@pytest.fixture
def make_place(aws_servers, tmp_path):
    """make_place("glue"): see Place. store: "own" or "versitygw". tls: proxies speak https."""
    made, catalogs = [], []

    def make(kind, store="own", tls=False):
        s3 = aws_servers.versitygw if store == "versitygw" else aws_servers.s3
        bucket = f"bucket-{os.getpid()}-{next(_numbers)}"
        make_bucket(S3Settings(s3.url), bucket)
        catalog = None
        if kind == "glue":
            catalog = GlueStandIn(REGION).start()
            catalog.keys.add(ACCESS, SECRET)
            catalogs.append(catalog)
        elif kind == "moto":
            catalog = aws_servers.borrow_moto()
        elif kind == "rest":
            catalog = aws_servers.borrow_rest(s3)
        certificate = Certificate(tmp_path) if tls else None
        made.append(Place(kind, s3, catalog, bucket, tmp_path, certificate))
        return made[-1]

    yield make
    for place in made:
        place.close()
        aws_servers.give_back(place.catalog, place.s3)
    for catalog in catalogs:
        catalog.stop()


__all__ = ["ACCESS", "ACCOUNT", "REGION", "SECRET", "AwsServers", "Certificate", "FaultProxy", "ForwardProxy", "Place",
           "S3Settings", "TokenServer", "aws_servers", "glue_properties", "make_place"]
