"""Commands and settings: where a run starts and stops, which tables it takes, what it leaves behind."""

import json
import os
import subprocess
import time

import pytest

from lake import WATERMARKS, file_number, local_path, position_of, replay
from program import binary
from source import FLAVORS

CHANGELOG = [(1, "event_type", "string", False), (2, "timestamp", "timestamp", False),
             (3, "log_file", "string", False), (4, "log_position", "long", False), (5, "payload", "string", False)]
WATERMARK = [(1, "connection_name", "string", True), (2, "server_id", "long", True), (3, "schema", "string", True),
             (4, "table", "string", True), (5, "log_file", "string", False), (6, "log_position", "long", False),
             (7, "backfill_complete", "boolean", False), (8, "updated_at", "timestamp", False)]


def make_table(source, name="t", rows=0):
    source.sql(f"CREATE TABLE {name} (id INT PRIMARY KEY, v INT)")
    if rows:
        source.sql(f"INSERT INTO {name} VALUES {','.join(f'({-i}, 0)' for i in range(1, rows + 1))}")


def write(source, count, name="t", first=1):
    """Transactions of two statements; [(FILE:POS, GTID set)] after each."""
    ends = []
    for i in range(first, first + count):
        source.sql("START TRANSACTION", f"INSERT INTO {name} VALUES ({i}, 0)", f"UPDATE {name} SET v = {i} WHERE id = {i}",
                   "COMMIT")
        ends.append((source.place(), source.gtids() if source.gtids_on else None))
    return ends


def ids(calve, source, name="t", kind="insert"):
    return [json.loads(p)["id"] for p in calve.lake.payloads(source.schema, name, kind)]


def check_watermark(calve, source, name="t", complete=None):
    """The row is unique and names the end of a transaction; returns its position."""
    row = calve.lake.watermarks()[source.schema, name]
    assert (row["connection_name"], row["server_id"]) == ("local_mysql", calve.options["mysql-server-id"])
    assert complete is None or bool(row["backfill_complete"]) == complete
    return position_of(row)


def place_of(text):
    file, offset = text.rsplit(":", 1)
    return file_number(file), int(offset)


# ---- copy and follow ---------------------------------------------------------------------------


@pytest.mark.parametrize("flavor", FLAVORS)
def test_backfill_then_run(flavor, make_source, make_calve, make_oracle):
    source = make_source(flavor)
    make_table(source, rows=50)
    calve = make_calve(source)
    noted = place_of(source.place())
    result = calve.ok("backfill")
    assert result.named("copy.done")[0]["rows"] == 50
    assert check_watermark(calve, source, complete=True) == noted
    write(source, 5)
    last = write(source, 5, first=6)[-1][0]
    # Nothing is followed by it, and a second one says so and changes nothing.
    before = calve.lake.metadata(source.schema, "t")
    again = calve.ok("backfill")
    assert again.named("copy.complete") and "already" in again.named("copy.complete")[0]["note"]
    assert calve.lake.metadata(source.schema, "t") == before
    assert len(ids(calve, source, kind="backfill")) == 50 and not ids(calve, source)

    calve.catch_up()
    assert ids(calve, source) == list(range(1, 11))
    assert replay(calve.lake.changes(source.schema, "t")) == make_oracle(source).by_key(source.schema, "t")
    assert check_watermark(calve, source, complete=True) == place_of(last)
    assert place_of(last) in source.transaction_ends()
    # A restart with nothing new adds nothing.
    count = len(calve.lake.changes(source.schema, "t"))
    calve.catch_up()
    assert len(calve.lake.changes(source.schema, "t")) == count
    history = [position_of(rows[source.schema, "t"]) for _, rows in calve.lake.watermark_history()
               if (source.schema, "t") in rows]
    assert history == sorted(history)


def test_positions_are_ends_of_row_events(make_source, make_calve):
    source = make_source("mysql-9")
    make_table(source)
    calve = make_calve(source)
    calve.catch_up()
    ends = write(source, 4)
    calve.catch_up()
    file = ends[0][0].rsplit(":", 1)[0]
    events = [(r[2], r[4]) for r in source.binlog_events(file)]
    rows = {int(end) for kind, end in events if kind in ("Write_rows", "Update_rows")}
    changes = calve.lake.changes(source.schema, "t")
    assert len(changes) == 8 and {c.log_position for c in changes} <= rows
    assert {c.log_file for c in changes} == {file}
    assert [c.log_position for c in changes] == sorted({c.log_position for c in changes})
    checkpoint = calve.lake.checkpoint(source.schema, "t")
    assert "{}:{}".format(checkpoint["file"], checkpoint["pos"]) == ends[-1][0]


def test_restarts_repeat_nothing(source, make_calve, make_oracle):
    """Stopped in the middle of a load, again and again."""
    make_table(source, rows=20)
    calve = make_calve(source)
    for i in range(4):
        running = calve.start("run")
        running.wait_event("source.connected")
        write(source, 20, first=1 + i * 20)
        if i % 2:
            running.wait_event("cut.committed")
        asked = time.monotonic()
        result = running.stop()
        assert result.status == 0, result
        assert result.named("run.stopping") and result.named("run.done")
        assert time.monotonic() - asked < 10
    calve.catch_up()
    assert ids(calve, source) == list(range(1, 81))
    assert replay(calve.lake.changes(source.schema, "t")) == make_oracle(source).by_key(source.schema, "t")


def test_interrupt_ends_a_copy_too(make_source, make_calve):
    """Nothing of a copy that was stopped is visible; the next one starts over."""
    source = make_source("mysql-9")
    source.sql("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v CHAR(200))", "INSERT INTO t (v) VALUES ('x'), ('y')")
    for _ in range(17):
        source.sql("INSERT INTO t (v) SELECT v FROM t")
    calve = make_calve(source, options={"target-file-size": "1MiB"})
    running = calve.start("backfill")
    running.wait_event("copy.started")
    result = running.stop()
    assert result.status == 0, result
    if not result.named("copy.done"):
        assert not ids(calve, source, kind="backfill") if calve.lake.exists(source.schema, "t") else True
    calve.ok("backfill")
    found = ids(calve, source, kind="backfill")
    assert len(found) == len(set(found)) == 1 << 18


# ---- where it starts and stops -----------------------------------------------------------------


@pytest.mark.parametrize("flavor", FLAVORS)
def test_from(flavor, make_source, make_calve):
    source = make_source(flavor, max_connections=153)  # its own: the log of a shared one has statements of other tests
    start = source.place()
    make_table(source)
    ends = write(source, 6)

    def follow(place, **options):
        calve = make_calve(source)
        calve.ok("run", snapshot="never", until="current", **({"from": place} if place else {}), **options)
        return calve

    assert ids(follow("current"), source) == [] == ids(follow(None), source)
    assert ids(follow(ends[2][0]), source) == [4, 5, 6]
    assert ids(follow(ends[3][1]), source) == [5, 6]
    assert ids(follow("earliest", ddl_accept="all"), source) == [1, 2, 3, 4, 5, 6]
    assert ids(follow(start, ddl_accept="all"), source) == [1, 2, 3, 4, 5, 6]
    # A place that the source does not have is not taken down as the table's.
    calve = make_calve(source)
    file = ends[4][0].rpartition(":")[0]
    for place in (f"{file}:999999999", f"{file.rpartition('.')[0]}.000000:4"):
        refused = calve.run("run", snapshot="never", until="current", **{"from": place})
        assert refused.status == 2 and f"{place} " in refused.log, refused
    assert (source.schema, "t") not in calve.lake.tables()
    # A table that has a position goes on from there.
    calve = follow(ends[4][0])
    calve.ok("run", snapshot="never", until="current", **{"from": ends[0][0]})
    assert ids(calve, source) == [6]
    write(source, 1, first=7)
    calve.catch_up()
    assert ids(calve, source) == [6, 7]


@pytest.mark.parametrize("flavor", FLAVORS)
def test_until(flavor, make_source, make_calve):
    source = make_source(flavor)
    make_table(source, rows=3)
    calve = make_calve(source)
    calve.ok("backfill")
    ends = write(source, 8)
    calve.ok("run", until=ends[1][0])
    assert ids(calve, source) == [1, 2]
    assert check_watermark(calve, source) == place_of(ends[1][0])
    # Inside a transaction: the one before it is the last.
    file, offset = ends[4][0].rsplit(":", 1)
    calve.ok("run", until=f"{file}:{int(offset) - 1}")
    assert ids(calve, source) == [1, 2, 3, 4]
    calve.ok("run", until=ends[5][1])
    assert ids(calve, source) == [1, 2, 3, 4, 5, 6]
    calve.ok("run", until=ends[5][1])
    calve.ok("run", until=ends[0][0])  # long past
    assert ids(calve, source) == [1, 2, 3, 4, 5, 6]
    calve.ok("run", until="current")
    assert ids(calve, source) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_files_change_under_way(source, make_calve, make_oracle):
    make_table(source, rows=3)
    calve = make_calve(source)
    calve.catch_up()
    running = calve.start("run")
    running.wait_event("source.connected")
    for i in range(4):
        write(source, 3, first=1 + i * 3)
        source.sql("FLUSH BINARY LOGS")
    write(source, 3, first=13)
    running.stop()
    calve.catch_up()
    assert ids(calve, source) == list(range(1, 16))
    assert replay(calve.lake.changes(source.schema, "t")) == make_oracle(source).by_key(source.schema, "t")
    assert len({c.log_file for c in calve.lake.changes(source.schema, "t")}) >= 5


# ---- which tables ------------------------------------------------------------------------------


def test_several_tables_globs_and_exclusion(make_source, make_calve):
    source = make_source("mysql-9")
    other = make_source("mysql-9")
    for name in ("orders", "order_items", "customers", "tmp_1", "tmp_22", "Mixed"):
        make_table(source, name, rows=2)
    make_table(other, "orders", rows=1)

    def tables(pattern, excluded=None, **options):
        calve = make_calve(source, pattern)
        calve.ok("run", until="current", **({"exclude-table": excluded} if excluded else {}), **options)
        return sorted(".".join(t) for t in calve.lake.tables() if t != WATERMARKS), calve

    s, o = source.schema, other.schema
    assert tables(f"{s}.order*")[0] == [f"{s}.order_items", f"{s}.orders"]
    assert tables(f"{s}.customers,{o}.orders")[0] == sorted([f"{s}.customers", f"{o}.orders"])
    assert tables(f"{s}.tmp_?")[0] == [f"{s}.tmp_1"]
    found, calve = tables(f"{s}.*", f"{s}.tmp*,{s}.Mixed")
    assert found == [f"{s}.customers", f"{s}.order_items", f"{s}.orders"]
    write(source, 2, "orders")
    write(source, 1, "tmp_1")
    write(source, 1, "customers")
    calve.ok("run", until="current", **{"exclude-table": f"{s}.tmp*,{s}.Mixed"})
    assert ids(calve, source, "orders") == [1, 2] and ids(calve, source, "customers") == [1]
    assert ids(calve, source, "order_items") == []
    # Tables without changes moved along.
    assert len({position_of(row) for row in calve.lake.watermarks().values()}) == 1
    result = make_calve(source, f"{s}.nothing").run("run", until="current")
    assert result.status == 1 and f"{s}.nothing" in result.log, result
    result = make_calve(source, f"{s}.none*").run("run", until="current")
    assert result.status == 1 and f"{s}.none*" in result.log, result
    # Words of backfill are tables, too.
    calve = make_calve(source)
    calve.options["table"] = None
    calve.ok("backfill", f"{s}.orders")
    assert calve.lake.exists(s, "orders") and not calve.lake.exists(s, "customers")


def test_new_tables_are_copied_at_the_next_start(make_source, make_calve):
    source = make_source("mysql-9")
    make_table(source, "a", rows=2)
    calve = make_calve(source)
    calve.catch_up()
    write(source, 2, "a")
    make_table(source, "b", rows=3)
    write(source, 2, "b")
    calve.catch_up()
    write(source, 1, "b", first=3)
    calve.catch_up()
    assert ids(calve, source, "a") == [1, 2]
    assert sorted(ids(calve, source, "b", "backfill")) == [-3, -2, -1, 1, 2]
    assert ids(calve, source, "b") == [3]


# ---- as the Python service ---------------------------------------------------------------------


def check_schema(table, expected):
    assert [(f.field_id, f.name, str(f.field_type), f.required) for f in table.schema().fields] == expected


def test_service_variables(make_source, make_calve):
    """No command: .env and the environment say what to do, and where."""
    source = make_source("mysql-9")
    make_table(source, rows=4)
    make_table(source, "u", rows=1)
    source.sql("CREATE USER IF NOT EXISTS 'cdc'@'%' IDENTIFIED BY 'p@ss word'",
               "GRANT SELECT, RELOAD, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'cdc'@'%'")
    calve = make_calve(None)
    lake = calve.lake
    calve.warehouse.mkdir()
    (calve.folder / ".env").write_text(
        f"CDC_MODE=backfill\nCDC_SCHEMA={source.schema}\nCDC_TABLE=wrong\nCONNECTION_NAME=shop_db\n"
        f"MYSQL_HOST=127.0.0.1\nMYSQL_PORT={source.server.port}\nMYSQL_USER=cdc\nMYSQL_PASSWD='p@ss word'\n"
        "CDC_SERVER_ID=77\nBATCH_SIZE=1000\n# a comment\n", encoding="utf-8")
    (calve.folder / ".pyiceberg.yaml").write_text(
        f"catalog:\n  default:\n    type: sql\n    uri: sqlite:///{calve.warehouse}/catalog.db\n"
        f"    warehouse: file://{calve.warehouse}\n", encoding="utf-8")
    env = {"CDC_TABLE": "t,u", "HOME": str(calve.folder)}

    result = calve.plain(env=env)
    assert result.status == 0, result
    table = lake.table(source.schema, "t")
    assert local_path(table.location()) == calve.warehouse / "shop_db" / source.schema / "t"
    check_schema(table, CHANGELOG)
    metadata = lake.metadata(source.schema, "t")
    assert metadata["format-version"] == 2 and metadata["default-sort-order-id"] == 0
    spec = metadata["partition-specs"][metadata["default-spec-id"]]
    assert spec["fields"] == [{"name": "date", "transform": "day", "source-id": 2, "field-id": 1000}]
    marks = lake.table(*WATERMARKS)
    check_schema(marks, WATERMARK)
    assert marks.schema().identifier_field_ids == [1, 2, 3, 4]
    assert local_path(marks.location()) == calve.warehouse / "shop_db" / "watermarks"
    assert not marks.spec().fields
    row = lake.watermarks()[source.schema, "t"]
    assert (row["connection_name"], row["server_id"], row["backfill_complete"]) == ("shop_db", 77, True)
    assert len(lake.payloads(source.schema, "t", "backfill")) == 4

    again = calve.plain(env=env)  # copied already
    assert again.status == 0 and "already" in again.log
    assert len(lake.payloads(source.schema, "t", "backfill")) == 4

    write(source, 3)
    result = calve.plain(env=env | {"CDC_MODE": "cdc", "CALVE_UNTIL": "current"})
    assert result.status == 0, result
    assert [json.loads(p)["id"] for p in lake.payloads(source.schema, "t", "insert")] == [1, 2, 3]
    after = lake.watermarks()[source.schema, "t"]
    assert position_of(after) > position_of(row) and after["backfill_complete"]
    # cdc takes no copy of its own accord: without a watermark it starts at the current position.
    make_table(source, "v", rows=5)
    result = calve.plain(env=env | {"CDC_TABLE": "v", "CDC_MODE": "cdc", "CALVE_UNTIL": "current"})
    assert result.status == 0, result
    assert not lake.changes(source.schema, "v")
    assert not lake.watermarks()[source.schema, "v"]["backfill_complete"]


def test_takes_over_a_watermark_of_the_service(make_source, make_calve):
    """A table that the service wrote, with its watermark, and no checkpoint of calve's."""
    source = make_source("mysql-9")
    make_table(source, rows=4)
    first, calve = make_calve(source), make_calve(source)
    calve.options["mysql-server-id"] = first.options["mysql-server-id"]
    first.ok("backfill")
    ends = write(source, 3)
    # What the service leaves behind: the same tables without our property.
    with first.lake.table(source.schema, "t").transaction() as change:
        change.remove_properties("calve.checkpoint.local_mysql")
    marks = first.lake.table(*WATERMARKS)
    ours = [p for p in marks.properties if p.startswith("calve.")]
    with marks.transaction() as change:
        change.remove_properties(*ours)
    rows = marks.scan().to_arrow()
    file, offset = ends[0][0].rsplit(":", 1)
    rows = rows.set_column(rows.schema.get_field_index("log_position"), rows.schema.field("log_position"), [[int(offset)]])
    rows = rows.set_column(rows.schema.get_field_index("log_file"), rows.schema.field("log_file"), [[file]])
    first.lake.table(*WATERMARKS).overwrite(rows)
    first.catch_up()
    assert ids(first, source) == [2, 3]
    assert len(ids(first, source, kind="backfill")) == 4
    assert check_watermark(first, source, complete=True) == place_of(ends[2][0])


# ---- other sources -----------------------------------------------------------------------------


def test_source_without_gtids(make_source, make_calve, make_oracle):
    source = make_source("mysql-9", gtid_mode="OFF", enforce_gtid_consistency="OFF")
    make_table(source, rows=10)
    source.sql("CREATE TABLE keyless (a INT, b INT)", "INSERT INTO keyless VALUES (1, 1), (1, 1)")
    calve = make_calve(source)
    calve.catch_up()
    ends = write(source, 4)
    source.sql("INSERT INTO keyless VALUES (2, 2)", "DELETE FROM keyless WHERE a = 1 LIMIT 1", "FLUSH BINARY LOGS")
    calve.ok("run", until=ends[1][0])
    assert ids(calve, source) == [1, 2]
    running = calve.start("run")
    running.wait_event("source.connected")
    write(source, 4, first=5)
    running.stop()
    calve.catch_up()
    assert replay(calve.lake.changes(source.schema, "t")) == make_oracle(source).by_key(source.schema, "t")
    assert [c.event_type for c in calve.lake.changes(source.schema, "keyless")] == [
        "backfill", "backfill", "insert", "delete"]
    assert check_watermark(calve, source) in source.transaction_ends()
    assert not calve.lake.checkpoint(source.schema, "t").get("gtids")
    late = make_calve(source)
    late.ok("run", snapshot="never", until="current", **{"from": ends[2][0]})
    assert ids(late, source) == [4, 5, 6, 7, 8]
    result = make_calve(source).run("run", snapshot="never", until="current",
                                    **{"from": "3E11FA47-71CA-11E1-9E33-C80AA9429562:1-5"})
    assert result.status == 2 and "gtid_mode" in result.log, result


def test_checksums_off(make_source, make_calve, make_oracle):
    source = make_source("mysql-9", binlog_checksum="NONE", binlog_row_image="FULL")
    make_table(source, rows=2)
    calve = make_calve(source)
    calve.catch_up()
    write(source, 3)
    source.sql("SET GLOBAL binlog_checksum = CRC32")  # opens another file
    write(source, 3, first=4)
    calve.catch_up()
    source.sql("SET GLOBAL binlog_checksum = NONE")
    assert replay(calve.lake.changes(source.schema, "t")) == make_oracle(source).by_key(source.schema, "t")


# ---- looking at it -----------------------------------------------------------------------------


def test_status_and_inspect(make_source, make_calve):
    source = make_source("mysql-9")
    make_table(source, rows=10)
    make_table(source, "u", rows=1)
    calve = make_calve(source)
    calve.catch_up()
    write(source, 3)
    calve.catch_up()
    words = [w for name in ("source", "warehouse", "table", "mysql-server-id")
             for w in (f"--{name}", calve.options[name])]
    status = calve.plain("status", "--json", *words)
    assert status.status == 0, status
    report = json.loads(status.out)
    tables = {t.get("table") or t["name"]: t for t in report["tables"]}
    assert len(tables) == 2, report
    assert str(calve.lake.watermarks()[source.schema, "t"]["log_position"]) in status.out
    text = calve.plain("status", *words)
    assert text.status == 0 and f"{source.schema}.t" in text.out, text
    assert calve.plain("status", "--max-lag", "1h", *words).status == 0
    time.sleep(1.1)  # lag counts whole seconds
    behind = calve.plain("status", "--max-lag", "0", *words)
    assert behind.status == 3 and "2 of 2 tables are more than 0 behind" in behind.log, behind
    assert calve.plain("status", "--max-lag", "soon", *words).status == 2

    table = calve.lake.table(source.schema, "t")
    entry = calve.lake.entries(source.schema, "t")[0][2]
    snapshot = table.current_snapshot()
    manifest = snapshot.manifests(table.io)[0].manifest_path
    for kind, what in (("table", f"{source.schema}.t"), ("table", str(local_path(table.metadata_location))),
                       ("parquet", str(local_path(entry.data_file.file_path))),
                       ("avro", str(local_path(snapshot.manifest_list))), ("avro", str(local_path(manifest)))):
        for extra in ([], ["--json"]):
            shown = calve.plain("inspect", kind, what, *extra, "--warehouse", calve.warehouse)
            assert shown.status == 0 and len(shown.out) > 100, shown
            if extra:
                for line in shown.out.splitlines() if kind == "avro" else [shown.out]:
                    json.loads(line)
    rows = calve.plain("inspect", "parquet", local_path(entry.data_file.file_path), "--rows", "--json")
    assert rows.status == 0 and rows.out.count("payload") >= entry.data_file.record_count, rows

    binlog = next(source.server.data.glob("binlog.0*"))
    os.chmod(binlog, 0o644)
    shown = calve.plain("inspect", "binlog", binlog)
    assert shown.status == 0 and "Xid" in shown.out or "XID" in shown.out.upper(), shown
    useless = calve.plain("inspect", "avro", binlog, "--rows")
    assert useless.status == 2 and "calve inspect avro has no --rows" in useless.log, useless
    missing = calve.plain("inspect", "parquet", calve.folder / "nothing.parquet")
    assert missing.status == 1 and "nothing.parquet" in missing.log


def test_check_and_version(make_source, make_calve):
    source = make_source("mysql-9")
    make_table(source, rows=1)
    calve = make_calve(source)
    words = [w for name in ("source", "warehouse", "table", "mysql-server-id")
             for w in (f"--{name}", calve.options[name])]
    check = calve.plain("check", *words)
    assert check.status == 0, check
    assert not calve.lake.tables()
    version = calve.plain("version")
    assert version.status == 0 and version.out.startswith("calve "), version
    nothing = calve.plain(cwd=calve.folder)
    assert nothing.status == 2 and "calve run" in nothing.log
    assert "neither CDC_MODE nor CDC_TABLE" in nothing.log.splitlines()[-1], nothing


def test_inspect_ends_quietly_when_nobody_reads_on(make_calve):
    """As `calve inspect … | head` does."""
    calve = make_calve(None)
    done = subprocess.run(["bash", "-c", f"set -o pipefail; '{binary()}' config --markdown | head -1"],
                          cwd=calve.folder, capture_output=True, check=False)
    assert done.stderr == b"" and done.stdout.startswith(b"#"), done
