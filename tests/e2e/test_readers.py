"""PyIceberg, DuckDB and PyArrow read what calve wrote, and may write to it."""

import collections
import datetime
import json

import pyarrow as pa
import pytest
from pyiceberg.expressions import And, EqualTo, GreaterThan, GreaterThanOrEqual, LessThan
from pyiceberg.table.refs import SnapshotRefType

from lake import WATERMARKS, check_statistics, local_path, read_parquet, replay

DAY = datetime.timedelta(days=1)
FIRST_DAY = datetime.datetime(2026, 3, 27)
DAYS = 8
FIELDS = ("event_type", "timestamp", "log_file", "log_position", "payload")


def write_days(source, days=DAYS, start=0):
    """Some rows on each of some days, as the session's clock says."""
    for day in range(start, start + days):
        at = (FIRST_DAY + day * DAY).replace(tzinfo=datetime.timezone.utc).timestamp()
        # The first and last moment of a day belong to it.
        for second in (0, 12 * 3600, 86399):
            first = (day * 3 + second % 7) * 1000
            values = ",".join(f"({first + second % 5 * 100 + i}, {'NULL' if i % 3 else repr('n' * i)}, {day})"
                              for i in range(20))
            source.sql(f"SET TIMESTAMP = {int(at) + second}",
                       f"REPLACE INTO events (id, note, day) VALUES {values}")
        source.sql(f"UPDATE events SET note = CONCAT('day ', {day}) WHERE day = {day} AND id % 4 = 0",
                   f"DELETE FROM events WHERE day = {day} AND id % 9 = 0")
    source.sql("SET TIMESTAMP = DEFAULT")


@pytest.fixture
def events(make_source, make_calve):
    """A source and a lake with several snapshots, files and days."""
    source = make_source("mysql-9")
    source.sql("CREATE TABLE events (id INT PRIMARY KEY, note VARCHAR(50), day INT)",
               "INSERT INTO events VALUES (-1, 'copied', -1), (-2, NULL, -1)",
               "CREATE TABLE no_rows (id INT PRIMARY KEY)")
    calve = make_calve(source)
    calve.catch_up()
    for start in range(0, DAYS, 2):
        write_days(source, 2, start)
        calve.catch_up()
    return source, calve


def as_tuples(table):
    return sorted(tuple(row[n] for n in FIELDS) for row in table.to_pylist())


def test_three_readers_agree(events, make_oracle):
    source, calve = events
    lake, schema = calve.lake, source.schema
    changes = lake.changes(schema, "events")
    assert replay(changes) == make_oracle(source).by_key(schema, "events")
    expected = sorted(c[:5] for c in changes)
    assert as_tuples(lake.table(schema, "events").scan().to_arrow()) == expected
    assert sorted(lake.duckdb(schema, "events", ", ".join(f'"{n}"' for n in FIELDS))) == expected
    # Every earlier state too, with counts that agree.
    table = lake.table(schema, "events")
    seen = 0
    for snapshot in sorted(table.snapshots(), key=lambda s: s.sequence_number):
        rows = table.scan(snapshot_id=snapshot.snapshot_id).to_arrow()
        assert len(rows) == int(snapshot.summary["total-records"])
        assert len(rows) == seen + int(snapshot.summary.get("added-records", 0))
        seen = len(rows)
    assert len(table.snapshots()) >= 5 and seen == len(expected)
    # And what has no rows, and the watermarks.
    assert len(lake.table(schema, "no_rows").scan().to_arrow()) == 0
    assert len(lake.table(*WATERMARKS).scan().to_arrow()) == 2
    assert len(lake.duckdb(*WATERMARKS)) == 2


def test_statistics_agree_with_rows(events):
    source, calve = events
    files, rows = check_statistics(calve.lake, source.schema, "events")
    assert files >= DAYS and rows > DAYS * 60
    assert check_statistics(calve.lake, *WATERMARKS) == (1, 2)
    table = calve.lake.table(source.schema, "events")
    entries = [e for _, _, e in calve.lake.entries(source.schema, "events")]
    # The partitions' metadata of PyIceberg is made of the manifests alone.
    by_day = collections.Counter()
    for entry in entries:
        for at in read_parquet(local_path(entry.data_file.file_path)).column("timestamp").to_pylist():
            by_day[at.date()] += 1
    found = {row["partition"]["date"]: row["record_count"]
             for row in table.inspect.partitions().to_pylist()}
    assert found == dict(by_day)


def test_pruning_gives_the_same_answers(events):
    source, calve = events
    table = calve.lake.table(source.schema, "events")
    rows = table.scan().to_arrow().to_pylist()
    all_files = len(list(table.scan().plan_files()))
    position = sorted(r["log_position"] for r in rows)[len(rows) // 2]

    def check(expression, condition, where, fewer=True):
        expected = sorted(tuple(r[n] for n in FIELDS) for r in rows if condition(r))
        scan = table.scan(row_filter=expression)
        assert as_tuples(scan.to_arrow()) == expected
        names = ", ".join(f'"{n}"' for n in FIELDS)
        assert sorted(calve.lake.duckdb(source.schema, "events", names, where)) == expected
        files = len(list(scan.plan_files()))
        assert files < all_files or not fewer, where
        return len(expected)

    for day in range(-1, DAYS + 1):
        low, high = FIRST_DAY + day * DAY, FIRST_DAY + (day + 1) * DAY
        count = check(And(GreaterThanOrEqual("timestamp", low.isoformat()), LessThan("timestamp", high.isoformat())),
                      lambda r, a=low, b=high: a <= r["timestamp"] < b,
                      f"timestamp >= TIMESTAMP '{low}' AND timestamp < TIMESTAMP '{high}'")
        assert (count > 50) == (0 <= day < DAYS)
    last = FIRST_DAY + 3 * DAY + datetime.timedelta(seconds=86399)
    assert check(EqualTo("timestamp", last.isoformat()), lambda r: r["timestamp"] == last,
                 f"timestamp = TIMESTAMP '{last}'") > 20
    check(And(GreaterThan("timestamp", last.isoformat()), EqualTo("event_type", "delete")),
          lambda r: r["timestamp"] > last and r["event_type"] == "delete",
          f"timestamp > TIMESTAMP '{last}' AND event_type = 'delete'")
    check(GreaterThan("log_position", position), lambda r: r["log_position"] > position, f"log_position > {position}")
    check(EqualTo("event_type", "backfill"), lambda r: r["event_type"] == "backfill", "event_type = 'backfill'",
          fewer=False)
    assert check(EqualTo("event_type", "zebra"), lambda r: False, "event_type = 'zebra'") == 0


def test_others_append_and_calve_goes_on(events, make_oracle):
    source, calve = events
    lake, schema = calve.lake, source.schema
    before = lake.changes(schema, "events")
    checkpoint = lake.checkpoint(schema, "events")

    foreign = {"event_type": ["note", "note"], "timestamp": [FIRST_DAY + 90 * DAY, FIRST_DAY + 91 * DAY],
               "log_file": ["other.000001"] * 2, "log_position": [4, 7], "payload": ["by hand", None]}
    table = lake.table(schema, "events")
    table.append(pa.table(foreign, schema=table.schema().as_arrow()))
    foreign_snapshot = lake.table(schema, "events").current_snapshot().snapshot_id
    assert lake.checkpoint(schema, "events") == checkpoint

    write_days(source, 2, DAYS)
    calve.catch_up(**{"snapshots-keep-count": 1, "snapshots-keep-age": "0s"})
    changes = lake.changes(schema, "events")
    mine = [c for c in changes if c.event_type != "note"]
    assert replay(mine) == make_oracle(source).by_key(schema, "events")
    assert [c[:5] for c in mine[:len(before)]] == [c[:5] for c in before]
    assert sorted(c.payload or "" for c in changes if c.event_type == "note") == ["", "by hand"]
    # What another wrote is not calve's to expire.
    assert foreign_snapshot in {s.snapshot_id for s in lake.table(schema, "events").snapshots()}
    assert not lake.check_files(schema, "events")


def test_others_tags_and_expiry(events, make_oracle):
    """A tag holds its snapshot; what another expires is no loss."""
    source, calve = events
    lake, schema = calve.lake, source.schema
    table = lake.table(schema, "events")
    oldest = min(table.snapshots(), key=lambda s: s.sequence_number)
    kept = as_tuples(table.scan(snapshot_id=oldest.snapshot_id).to_arrow())
    table.manage_snapshots().create_tag(oldest.snapshot_id, "audit").commit()
    short = {"snapshots-keep-count": 1, "snapshots-keep-age": "0s"}
    for day in range(2):
        write_days(source, 1, DAYS + day)
        calve.catch_up(**short)
    table = lake.table(schema, "events")
    assert table.refs()["audit"].snapshot_ref_type == SnapshotRefType.TAG
    # The snapshot that was current before a commit may outlive it.
    newest = sorted(table.snapshots(), key=lambda s: s.sequence_number)[-2:]
    assert {s.snapshot_id for s in table.snapshots()} <= {oldest.snapshot_id, *(s.snapshot_id for s in newest)}
    assert oldest.snapshot_id in {s.snapshot_id for s in table.snapshots()}
    assert as_tuples(table.scan(snapshot_id=oldest.snapshot_id).to_arrow()) == kept
    assert not lake.check_files(schema, "events")

    table.manage_snapshots().remove_tag("audit").commit()
    lake.table(schema, "events").maintenance.expire_snapshots().by_id(oldest.snapshot_id).commit()
    write_days(source, 1, DAYS + 2)
    calve.catch_up(**short)
    assert replay(lake.changes(schema, "events")) == make_oracle(source).by_key(schema, "events")
    assert len(lake.table(schema, "events").snapshots()) <= 2


def test_others_table_properties_and_schema_stay(events):
    """Columns and properties that another added are there after calve's next commit."""
    source, calve = events
    table = calve.lake.table(source.schema, "events")
    with table.transaction() as change:
        change.set_properties(owner="shop")
    write_days(source, 1, DAYS)
    calve.catch_up()
    table = calve.lake.table(source.schema, "events")
    assert table.properties["owner"] == "shop"
    assert json.loads(table.properties["calve.checkpoint.local_mysql"])["ordinal"] > 1
