"""What the Python service that calve takes the place of leaves in a lake, made by PyIceberg as it did.

    service = PythonService(catalog, "s3://lake", schema="shop", table="orders")
    service.append([event("insert", "binlog.000001", 400, '{"id":1}')])
    service.mark("binlog.000001", 400)
"""

import datetime
import json

import pyarrow as pa
from pyiceberg.exceptions import NamespaceAlreadyExistsError
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import DayTransform
from pyiceberg.types import BooleanType, LongType, NestedField, StringType, TimestampType

WATERMARKS = ("cdc_metadata", "watermarks")

DATA_SCHEMA = Schema(
    NestedField(1, "event_type", StringType(), required=False),
    NestedField(2, "timestamp", TimestampType(), required=False),
    NestedField(3, "log_file", StringType(), required=False),
    NestedField(4, "log_position", LongType(), required=False),
    NestedField(5, "payload", StringType(), required=False),
)
DATA_PARTITION = PartitionSpec(PartitionField(source_id=2, field_id=1000, transform=DayTransform(), name="date"))

WATERMARK_SCHEMA = Schema(
    NestedField(1, "connection_name", StringType(), required=True),
    NestedField(2, "server_id", LongType(), required=True),
    NestedField(3, "schema", StringType(), required=True),
    NestedField(4, "table", StringType(), required=True),
    NestedField(5, "log_file", StringType(), required=False),
    NestedField(6, "log_position", LongType(), required=False),
    NestedField(7, "backfill_complete", BooleanType(), required=False),
    NestedField(8, "updated_at", TimestampType(), required=False),
    identifier_field_ids=[1, 2, 3, 4],
)

DATA_ARROW = pa.schema([("event_type", pa.string()), ("timestamp", pa.timestamp("us")), ("log_file", pa.string()),
                        ("log_position", pa.int64()), ("payload", pa.string())])
WATERMARK_ARROW = pa.schema([
    pa.field("connection_name", pa.string(), nullable=False), pa.field("server_id", pa.int64(), nullable=False),
    pa.field("schema", pa.string(), nullable=False), pa.field("table", pa.string(), nullable=False),
    ("log_file", pa.string()), ("log_position", pa.int64()), ("backfill_complete", pa.bool_()),
    ("updated_at", pa.timestamp("us"))])


def now():
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


def event(event_type, log_file, log_position, payload, timestamp=None):
    """A row of the data table. payload: text, or what becomes JSON as the service writes it."""
    if not isinstance(payload, str):
        payload = json.dumps(payload)
    return {"event_type": event_type, "timestamp": timestamp or now(), "log_file": log_file,
            "log_position": log_position, "payload": payload}


class PythonService:
    """One of its processes: a table. base: s3://BUCKET, or file:///FOLDER for a lake on disk."""

    def __init__(self, catalog, base, schema, table, connection_name="local_mysql", server_id=1):
        self.catalog = catalog
        self.base = base.rstrip("/")
        self.schema = schema
        self.table = table
        self.connection_name = connection_name
        self.server_id = server_id
        self.data = self._ensure((schema, table), DATA_SCHEMA, f"{self.base}/{connection_name}/{schema}/{table}/",
                                 DATA_PARTITION)
        self.watermarks = self._ensure(WATERMARKS, WATERMARK_SCHEMA, f"{self.base}/{connection_name}/watermarks/")

    def _ensure(self, identifier, schema, location, partition=None):
        try:
            self.catalog.create_namespace(identifier[0])
        except NamespaceAlreadyExistsError:
            pass
        options = {"partition_spec": partition} if partition else {}
        return self.catalog.create_table_if_not_exists(identifier, schema=schema, location=location, **options)

    # -- what it does --

    def append(self, events):
        """One batch: a snapshot."""
        self.data.refresh()
        self.data.append(pa.Table.from_pylist(list(events), schema=DATA_ARROW))

    def mark(self, log_file, log_position, backfill_complete=None, updated_at=None):
        """Upserts this process's row of the watermarks."""
        self.watermarks.refresh()
        if backfill_complete is None:
            backfill_complete = bool((self.watermark() or {}).get("backfill_complete"))
        row = {"connection_name": self.connection_name, "server_id": self.server_id, "schema": self.schema,
               "table": self.table, "log_file": log_file, "log_position": log_position,
               "backfill_complete": backfill_complete, "updated_at": updated_at or now()}
        self.watermarks.upsert(pa.Table.from_pylist([row], schema=WATERMARK_ARROW))

    def process(self, events, batch_size=1000, backfill=False):
        """Batches as the service writes them: data, then the watermark, each a commit of its own."""
        events = list(events)
        for start in range(0, len(events), batch_size):
            batch = events[start:start + batch_size]
            self.append(batch)
            self.mark(batch[-1]["log_file"], batch[-1]["log_position"],
                      backfill_complete=True if backfill and start + batch_size >= len(events) else None)

    # -- reading back --

    def rows(self):
        """The data table's rows as PyIceberg scans them, in no promised order."""
        self.data.refresh()
        return self.data.scan().to_arrow().to_pylist()

    def all_watermarks(self):
        self.watermarks.refresh()
        return self.watermarks.scan().to_arrow().to_pylist()

    def watermark(self):
        """This process's row, None when there is none."""
        found = [r for r in self.all_watermarks()
                 if (r["connection_name"], r["server_id"], r["schema"], r["table"])
                 == (self.connection_name, self.server_id, self.schema, self.table)]
        assert len(found) <= 1, f"{len(found)} rows with one key: {found}"
        return found[0] if found else None

    # -- its configuration --

    def environment(self, server, bucket, mode="cdc", region="us-east-1", **more):
        """The variables that start it. server: where to read; user and password as the server's root."""
        return {"CDC_SCHEMA": self.schema, "CDC_TABLE": self.table, "CDC_MODE": mode,
                "CONNECTION_NAME": self.connection_name, "MYSQL_HOST": server.host, "MYSQL_PORT": server.port,
                "MYSQL_USER": "root", "MYSQL_PASSWD": "", "AWS_REGION": region, "S3_BUCKET": bucket,
                "CDC_SERVER_ID": self.server_id} | more


def write_env(folder, variables):
    """A .env file; values as the service's users write them."""
    lines = "".join(f"{name}={value}\n" for name, value in variables.items())
    (folder / ".env").write_text(lines, encoding="utf-8")


def write_pyiceberg_yaml(folder, properties, name="default"):
    """A .pyiceberg.yaml with one catalog."""
    lines = "".join(f"    {key}: {json.dumps(str(value))}\n" for key, value in properties.items())
    (folder / ".pyiceberg.yaml").write_text(f"catalog:\n  {name}:\n{lines}", encoding="utf-8")
