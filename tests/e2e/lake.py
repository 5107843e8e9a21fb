"""What calve wrote, read by others: PyIceberg, DuckDB and PyArrow."""

import collections
import datetime
import functools
import glob
import io
import json
import pathlib
import re
import sqlite3

import duckdb
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import ManifestEntryStatus

WATERMARKS = ("cdc_metadata", "watermarks")

# A row of a changelog table, and where it stands.
Change = collections.namedtuple(
    "Change", "event_type timestamp log_file log_position payload sequence file index")


def local_path(location):
    """file:///a/b and file:/a/b and /a/b to a path. Nothing in it is encoded, as PyIceberg has it."""
    return pathlib.Path(re.sub("^file:(//(?=/))?", "", location))


def read_parquet(path):
    """One file, from disk or a store, its page checksums verified."""
    return parquet_file(path, page_checksum_verification=True).read()


def parquet_file(path, **kwargs):
    """path: a pathlib.Path, or what a lake's path() gives instead."""
    return pq.ParquetFile(path if isinstance(path, (str, pathlib.Path)) else io.BytesIO(path.read_bytes()), **kwargs)


@functools.cache
def _extension_paths(names):
    paths = []
    for name in names:
        package = __import__(f"duckdb_extension_{name}")
        found = glob.glob(f"{list(package.__path__)[0]}/**/{name}.duckdb_extension", recursive=True)
        assert found, f"no {name} extension beside {package.__path__}"
        paths.append(found[0])
    return paths


def duckdb_connect(*more):
    """more: extensions beside those for Iceberg."""
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false",
                                        "allow_unsigned_extensions": "true"})
    for path in _extension_paths(("avro", "iceberg", *more)):
        connection.execute(f"LOAD '{path}'")
    return connection


class Lake:
    """A warehouse folder with its catalog.db. remote_lake.RemoteLake is one on S3, behind Glue or REST."""

    def __init__(self, warehouse, catalog_name="default"):
        self.warehouse = pathlib.Path(warehouse)
        self.catalog_name = catalog_name

    # -- where files are --

    def path(self, location):
        """A location as something with exists(), stat(), read_bytes() and read_text()."""
        return local_path(location)

    def below(self, location):
        """The paths of all files below a location."""
        return {p for p in local_path(location).rglob("*") if p.is_file()}

    # -- catalog --

    @property
    def catalog(self):
        return SqlCatalog(self.catalog_name, uri=f"sqlite:///{self.warehouse}/catalog.db",
                          warehouse=f"file://{self.warehouse}")

    def tables(self):
        """[(namespace, name)] as the catalog's file says."""
        if not (self.warehouse / "catalog.db").exists():
            return []
        uri = f"file:{self.warehouse}/catalog.db?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=30)
        try:
            return sorted(connection.execute(
                "SELECT table_namespace, table_name FROM iceberg_tables WHERE catalog_name = ?",
                (self.catalog_name,)))
        except sqlite3.OperationalError:  # the file is there, its tables are not yet
            return []
        finally:
            connection.close()

    def exists(self, schema, table):
        return (schema, table) in self.tables()

    def table(self, schema, table):
        return self.catalog.load_table((schema, table))

    def metadata(self, schema, table):
        """The current metadata as plain JSON."""
        return json.loads(self.path(self.table(schema, table).metadata_location).read_text("utf-8"))

    # -- rows --

    def entries(self, schema, table):
        """Live data files of the current snapshot: [(sequence number, place in manifests, entry)]."""
        t = self.table(schema, table)
        snapshot = t.current_snapshot()
        if snapshot is None:
            return []
        found = []
        for manifest in snapshot.manifests(t.io):
            for entry in manifest.fetch_manifest_entry(t.io, discard_deleted=True):
                assert entry.status != ManifestEntryStatus.DELETED
                found.append((entry.sequence_number, len(found), entry))
        return found

    def changes(self, schema, table):
        """All rows in the order in which a reader has to apply them.

        By snapshot, then by binlog position; rows that share a position stand in order in their file.
        """
        found = []
        for sequence, place, entry in self.entries(schema, table):
            rows = read_parquet(self.path(entry.data_file.file_path))
            columns = [rows.column(n).to_pylist() for n in
                       ("event_type", "timestamp", "log_file", "log_position", "payload")]
            found += [Change(*values, sequence, place, index)
                      for index, values in enumerate(zip(*columns))]
        found.sort(key=change_order)
        return found

    def payloads(self, schema, table, event_type=None):
        return [c.payload for c in self.changes(schema, table)
                if event_type is None or c.event_type == event_type]

    def watermarks(self):
        """{(schema, table): row} of the watermarks table."""
        if not self.exists(*WATERMARKS):
            return {}
        rows = self.table(*WATERMARKS).scan().to_arrow().to_pylist()
        found = {(r["schema"], r["table"]): r for r in rows}
        assert len(found) == len(rows), f"watermark keys are not unique: {rows}"
        return found

    def watermark_history(self):
        """[(sequence number, {(schema, table): row})] for each snapshot that is still there."""
        if not self.exists(*WATERMARKS):
            return []
        t = self.table(*WATERMARKS)
        found = []
        for snapshot in sorted(t.snapshots(), key=lambda s: s.sequence_number):
            rows = t.scan(snapshot_id=snapshot.snapshot_id).to_arrow().to_pylist()
            found.append((snapshot.sequence_number, {(r["schema"], r["table"]): r for r in rows}))
        return found

    def checkpoint(self, schema, table, connection="local_mysql"):
        """The position that travels in the data commit, as (properties, parsed JSON)."""
        properties = self.table(schema, table).properties
        text = properties.get(f"calve.checkpoint.{connection}")
        return None if text is None else json.loads(text)

    # -- other readers --

    def duckdb_connect(self):
        return duckdb_connect()

    def duckdb_location(self, location):
        return local_path(location)

    def duckdb(self, schema, table, select="*", where="true"):
        location = self.duckdb_location(self.table(schema, table).metadata_location)
        with self.duckdb_connect() as connection:
            return connection.execute(
                f"SELECT {select} FROM iceberg_scan('{location}') WHERE {where}").fetchall()

    # -- files --

    def named_files(self, schema, table):
        """Every file that the current metadata leads to (and the old metadata files it names)."""
        t = self.table(schema, table)
        named = {self.path(t.metadata_location)}
        named |= {self.path(m.metadata_file) for m in t.metadata.metadata_log}
        for snapshot in t.metadata.snapshots:
            named.add(self.path(snapshot.manifest_list))
            for manifest in snapshot.manifests(t.io):
                named.add(self.path(manifest.manifest_path))
                for entry in manifest.fetch_manifest_entry(t.io, discard_deleted=False):
                    if entry.status != ManifestEntryStatus.DELETED:
                        named.add(self.path(entry.data_file.file_path))
        return named

    def files(self, schema, table):
        """Every file below the table's location."""
        return self.below(self.table(schema, table).location())

    def check_files(self, schema, table):
        """All named files exist; returns those that nothing names."""
        named = self.named_files(schema, table)
        missing = sorted(str(p) for p in named if not p.exists())
        assert not missing, f"{schema}.{table} names files that are not there: {missing[:5]}"
        return self.files(schema, table) - named


def file_number(name):
    """binlog.000012 to 12: names compare by number."""
    return int(re.search(r"\.(\d+)$", name).group(1)) if name else -1


def change_order(c):
    return c.sequence, file_number(c.log_file), c.log_position, c.file, c.index


def position_of(row):
    return file_number(row["log_file"]), row["log_position"]


# ---- replay ------------------------------------------------------------------------------------


def row_key(payload, key):
    row = json.loads(payload)
    return tuple(row[k] for k in key)


def replay(changes, key=("id",), copied_under_load=False):
    """The table that the changes lead to: {key values: payload}.

    Strict: a row that is inserted twice, or updated or deleted while it is not there, is an error. A
    copy that was made while rows changed is newer than the first changes after it: with
    copied_under_load the log then simply wins.
    """
    state = {}
    for c in changes:
        k = row_key(c.payload, key)
        if c.event_type in ("insert", "backfill"):
            assert copied_under_load or k not in state, f"{k} is there already: {c}"
            state[k] = c.payload
        elif c.event_type == "update":
            assert copied_under_load or k in state, f"{k} is not there: {c}"
            state[k] = c.payload
        elif c.event_type == "delete":
            assert copied_under_load or state.get(k) == c.payload, f"{k} was {state.get(k)}: {c}"
            state.pop(k, None)
        else:
            raise AssertionError(f"unknown event type: {c}")
    return state


def replay_multiset(changes):
    """For tables without a key whose rows are never updated: Counter of payloads."""
    state = collections.Counter()
    for c in changes:
        if c.event_type in ("insert", "backfill"):
            state[c.payload] += 1
        elif c.event_type == "delete":
            state[c.payload] -= 1
            assert state[c.payload] >= 0, f"deleted while it was not there: {c}"
        else:
            raise AssertionError(f"an update cannot be replayed without a key: {c}")
    return +state


def check_transactions_whole(changes, field="txn"):
    """No snapshot ends inside a transaction: all rows that carry one number are in one snapshot."""
    snapshots = collections.defaultdict(set)
    for c in changes:
        if c.event_type != "backfill":
            snapshots[json.loads(c.payload)[field]].add(c.sequence)
    torn = {t: s for t, s in snapshots.items() if len(s) > 1}
    assert not torn, f"transactions in more than one snapshot: {dict(list(torn.items())[:5])}"
    return len(snapshots)


# ---- statistics --------------------------------------------------------------------------------


def _plain(value):
    """Values of PyArrow and PyIceberg in one form: timestamps as microseconds."""
    if isinstance(value, datetime.datetime):
        epoch = datetime.datetime(1970, 1, 1, tzinfo=value.tzinfo)
        return (value - epoch) // datetime.timedelta(microseconds=1)
    return value


def _check_bounds(where, field, bounds, column):
    """A bound may be cut (text), never wrong."""
    lower, upper = bounds
    values = column.drop_null()
    if len(values) == 0:
        assert lower is None and upper is None, f"{where}: bounds without values"
        return
    least, most = (_plain(v) for v in pc.min_max(values).as_py().values())
    if lower is not None:
        lower = _plain(from_bytes(field.field_type, lower))
    if upper is not None:
        upper = _plain(from_bytes(field.field_type, upper))
    if str(field.field_type) == "string":
        # Iceberg compares text by its UTF-8 bytes.
        least, most = least.encode(), most.encode()
        if lower is not None:
            assert lower.encode() <= least and least.startswith(lower.encode()), where
        if upper is not None:
            assert upper.encode() >= most, where
        short = len(most) <= 16 and len(least) <= 16
        assert not short or (lower.encode(), upper.encode()) == (least, most), where
    else:
        exact = str(field.field_type) != "timestamp"
        assert lower is not None and upper is not None, where
        assert lower <= least and upper >= most, f"{where}: {lower}..{upper}, {least}..{most}"
        assert not exact or (lower, upper) == (least, most), where
        assert exact or (lower, upper) == (least, most), f"{where}: {lower}..{upper}"


def _check_footer(where, path, rows):
    """The statistics in the Parquet file itself."""
    meta = parquet_file(path).metadata
    assert meta.num_rows == len(rows), where
    start = 0
    for g in range(meta.num_row_groups):
        group = meta.row_group(g)
        part = rows.slice(start, group.num_rows)
        start += group.num_rows
        for i in range(group.num_columns):
            chunk = group.column(i)
            assert chunk.num_values == group.num_rows, where
            stats = chunk.statistics
            column = part.column(i)
            assert stats is not None and stats.null_count == column.null_count, where
            values = column.drop_null()
            if len(values) == 0 or not stats.has_min_max:
                continue
            least, most = (_plain(v) for v in pc.min_max(values).as_py().values())
            low, high = _plain(stats.min), _plain(stats.max)
            if isinstance(least, str):
                assert low.encode() <= least.encode() and high.encode() >= most.encode(), where
            else:
                assert (low, high) == (least, most), f"{where} {chunk.path_in_schema}"
    assert start == len(rows), where


def check_statistics(lake, schema, table):
    """Counts, bounds, sizes and partition of every data file against its rows. Returns (files, rows)."""
    t = lake.table(schema, table)
    fields = t.schema().fields
    total = 0
    entries = lake.entries(schema, table)
    for _, _, entry in entries:
        f = entry.data_file
        path = lake.path(f.file_path)
        rows = read_parquet(path)
        total += len(rows)
        assert f.record_count == len(rows), path
        assert f.file_size_in_bytes == path.stat().st_size, path
        assert rows.column_names == [x.name for x in fields], path
        for field in fields:
            where = f"{path} {field.name}"
            column = rows.column(field.name)
            assert f.value_counts[field.field_id] == len(rows), where
            assert f.null_value_counts[field.field_id] == column.null_count, where
            assert f.column_sizes[field.field_id] > 0, where
            bounds = ((f.lower_bounds or {}).get(field.field_id), (f.upper_bounds or {}).get(field.field_id))
            if bounds != (None, None) or str(field.field_type) in ("long", "timestamp"):
                _check_bounds(where, field, bounds, column)
        _check_footer(str(path), path, rows)
        if len(t.spec().fields) == 1:
            day = f.partition[0]
            day = day if isinstance(day, int) else (day - datetime.date(1970, 1, 1)).days
            days = {x.as_py().toordinal() - 719163 for x in pc.unique(rows.column("timestamp").cast("date32"))}
            assert days == {day}, f"{path} is in partition {day} and holds {days}"
    snapshot = t.current_snapshot()
    if snapshot is not None:
        summary = snapshot.summary
        assert int(summary["total-records"]) == total, summary
        assert int(summary["total-data-files"]) == len(entries), summary
    return len(entries), total
