"""A lake on S3, its tables in Glue or a REST catalog, read by others: PyIceberg, PyArrow, DuckDB."""

import functools

from pyarrow.fs import FileSelector, FileType, S3FileSystem
from pyiceberg.catalog import load_catalog

from lake import Lake, duckdb_connect


class ObjectPath:
    """An object as far as tests use a pathlib.Path."""

    def __init__(self, store, location):
        self._store = store
        self.location = location
        self._name = location.removeprefix("s3://")

    def exists(self):
        return self._info().type == FileType.File

    def is_file(self):
        return self.exists()

    def _info(self):
        return self._store.get_file_info([self._name])[0]

    def stat(self):
        """Has st_size and st_mtime."""
        info = self._info()
        if info.type != FileType.File:
            raise FileNotFoundError(self.location)
        return _Stat(info.size, info.mtime_ns / 1e9 if info.mtime_ns is not None else None)

    def read_bytes(self):
        with self._store.open_input_file(self._name) as f:
            return f.read()

    def read_text(self, encoding="utf-8"):
        return self.read_bytes().decode(encoding)

    @property
    def name(self):
        return self.location.rsplit("/", 1)[-1]

    def __str__(self):
        return self.location

    def __repr__(self):
        return f"ObjectPath({self.location!r})"

    def __eq__(self, other):
        return isinstance(other, ObjectPath) and self.location == other.location

    def __lt__(self, other):
        return self.location < other.location

    def __hash__(self):
        return hash(self.location)


class _Stat:
    def __init__(self, size, mtime):
        self.st_size = size
        self.st_mtime = mtime


class RemoteLake(Lake):
    """s3: aws.S3Settings. properties: PyIceberg's for the catalog, those of S3 left out.

    What readers use is their own way to the store, without the faults that calve meets.
    """

    def __init__(self, warehouse, s3, properties, catalog_name="default"):
        super().__init__("/", catalog_name)
        self.warehouse = warehouse  # s3://bucket/folder
        self.s3 = s3
        self.properties = dict(properties) | s3.pyiceberg()

    # -- where files are --

    @functools.cached_property
    def store(self):
        return S3FileSystem(access_key=self.s3.access, secret_key=self.s3.secret, session_token=self.s3.token,
                            region=self.s3.region, scheme="http", endpoint_override=self.s3.endpoint.split("//")[1])

    def path(self, location):
        assert location.startswith("s3://"), f"{location} is not on S3"
        return ObjectPath(self.store, location)

    def below(self, location):
        folder = location.removeprefix("s3://").rstrip("/")
        found = self.store.get_file_info(FileSelector(folder, allow_not_found=True, recursive=True))
        return {ObjectPath(self.store, f"s3://{f.path}") for f in found if f.type == FileType.File}

    # -- catalog --

    @functools.cached_property
    def catalog(self):
        return load_catalog(self.catalog_name, **self.properties)

    def namespaces(self):
        return sorted(n[0] for n in self.catalog.list_namespaces())

    def tables(self):
        """[(namespace, name)] as the catalog says."""
        return sorted(t for n in self.namespaces() for t in self.catalog.list_tables(n))

    def exists(self, schema, table):
        return self.catalog.table_exists((schema, table))

    # -- other readers --

    def duckdb_connect(self):
        connection = duckdb_connect("httpfs")
        token = f", SESSION_TOKEN '{self.s3.token}'" if self.s3.token else ""
        connection.execute(f"CREATE SECRET (TYPE s3, KEY_ID '{self.s3.access}', SECRET '{self.s3.secret}'{token}, "
                           f"REGION '{self.s3.region}', ENDPOINT '{self.s3.endpoint.split('//')[1]}', "
                           "USE_SSL false, URL_STYLE 'path')")
        return connection

    def duckdb_location(self, location):
        return location
