"""The queries of docs/athena.md answer as the page says: on Trino, and as far as they go on DuckDB."""

import base64
import contextlib
import datetime
import decimal
import json
import pathlib
import re
import time

import pytest

import services
from lake import file_number, read_parquet
from python_service import PythonService, event

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/athena.md"
# What DuckDB cannot be asked: DDL of Hive, time travel by a catalog, metadata tables.
NOT_ON_DUCKDB = {"tables", "travel-time", "travel-version", "travel-current", "servers", "snapshots", "partitions",
                 "files", "history", "manifests", "refs"}


def read_page():
    """({name: SQL}, the CREATE TABLE of the example)"""
    text = PAGE.read_text(encoding="utf-8")
    named = re.findall(r"<!-- query: (\S+) -->\n```sql\n(.*?)\n```", text, re.S)
    queries = dict(named)
    assert len(queries) == len(named) == text.count("```sql"), "each block of SQL needs a name of its own"
    (table,) = re.findall(r"```mysql\n(.*?)\n```", text, re.S)
    return queries, table


QUERIES, EXAMPLE_TABLE = read_page()


def query(name, table="orders", **replaced):
    """A block of the page, for another table and with other literals."""
    sql = QUERIES[name]
    for old, new in replaced.items():
        literal = LITERALS[old]
        assert literal in sql, f"{name} has no {literal}"
        sql = sql.replace(literal, new)
    return re.sub(r"\borders", table, sql)


LITERALS = {
    "since": "TIMESTAMP '2026-03-01 00:00:00'", "before": "TIMESTAMP '2026-03-02 00:00:00'",
    "date": "DATE '2026-03-01'", "noon": "TIMESTAMP '2026-03-01 12:00:00'",
    "noon_utc": "TIMESTAMP '2026-03-01 12:00:00 UTC'", "failed_over": "TIMESTAMP '2026-03-01 04:30:00'",
    "version": "4358109269898143273", "number": "lpad('42', 10, '0')", "offset": "lpad('8812', 20, '0')"}


# ---- a lake to ask -----------------------------------------------------------------------------


class Moment:
    """What the source and the lake were at a time."""

    def __init__(self, scenario):
        table = scenario.calve.lake.table("shop", "orders")
        self.rows = scenario.rows("orders")
        self.snapshot = table.current_snapshot()
        self.position = scenario.source.position()
        self.second = scenario.end_second()
        self.next_second = self.second + datetime.timedelta(seconds=1)


class Scenario:
    """orders: copied, changed, truncated, changed. returns: came by RENAME, with rows, to a name that was
    dropped. counters: keys that change twice at a place. moved: rows of two servers."""

    def __init__(self, source, calve, oracle, place):
        self.source, self.calve, self.oracle, self.place = source, calve, oracle, place
        self.start = self.utc_now()
        self.make_tables()
        self.follow()
        self.make_moved()
        self.end_second()

    def utc_now(self):
        return self.source.value("SELECT UTC_TIMESTAMP()")

    def end_second(self):
        """Waits until the source's clock shows another second; returns the one that ended."""
        ended = self.utc_now()
        while self.utc_now() == ended:
            time.sleep(0.05)
        return ended

    def rows(self, table):
        """{id: payload} as SELECT has them."""
        return {k[0]: v for k, v in self.oracle.by_key("shop", table).items()}

    def make_tables(self):
        rows = ",".join(f"({i}, 'né {i}', 'new', {i}.25, 'gift,fragile', '{{\"colour\":\"red\",\"n\":[{i}]}}', "
                        f"'2026-02-01 10:00:00.{i:03}', '2026-02-01 09:00:00', 0.1, 0x00ff10)" for i in range(1, 40))
        self.source.sql(
            EXAMPLE_TABLE, f"INSERT INTO shop.orders VALUES {rows}, "
            "(40, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
            "CREATE TABLE shop.returns (id INT PRIMARY KEY, note TEXT)",
            "INSERT INTO shop.returns VALUES (1, 'before'), (2, 'before')",
            "CREATE TABLE shop.counters (id INT PRIMARY KEY, n INT)",
            "INSERT INTO shop.counters VALUES (1, 0), (2, 0), (3, 0)",
            f"CREATE TABLE {self.source.schema}.came (id INT PRIMARY KEY, note TEXT)",
            f"INSERT INTO {self.source.schema}.came VALUES (2, 'came'), (3, 'came')")

    def follow(self):
        sql = self.source.sql
        self.calve.catch_up()
        sql("SET SESSION time_zone = '+00:00'", "UPDATE shop.orders SET status = 'paid' WHERE id % 3 = 0",
            "DELETE FROM shop.orders WHERE id % 7 = 0", "INSERT INTO shop.orders (id, customer) VALUES (100, 'late')")
        self.calve.catch_up()
        self.copied = Moment(self)
        sql("TRUNCATE shop.orders", "INSERT INTO shop.orders (id, customer, amount) VALUES (1, 'new', 1), "
            "(5, 'new', 5), (100, 'new', 100)", "DELETE FROM shop.orders WHERE id = 5")
        sql("RENAME TABLE shop.returns TO " f"{self.source.schema}.went")
        self.calve.catch_up()
        self.truncated = Moment(self)
        sql(f"RENAME TABLE {self.source.schema}.came TO shop.returns",
            "UPDATE shop.orders SET amount = amount + 1", "INSERT INTO shop.orders (id) VALUES (6)",
            "INSERT INTO shop.counters VALUES (1, 1), (1, 2) ON DUPLICATE KEY UPDATE n = n + 1",
            "UPDATE shop.counters SET n = 7 WHERE id = 2")
        self.calve.catch_up()
        sql("UPDATE shop.returns SET note = 'changed' WHERE id = 3", "DELETE FROM shop.orders WHERE id = 100")
        self.calve.catch_up()

    def make_moved(self):
        """The new server's files have smaller numbers."""
        service = PythonService(self.calve.lake.catalog, f"s3://{self.place.bucket}", "shop", "moved")
        early, late = datetime.datetime(2026, 3, 1, 4), datetime.datetime(2026, 3, 1, 5)
        service.append([
            event("backfill", "binlog.000900", 4, {"id": 1, "at": "copy"}, early),
            event("backfill", "binlog.000900", 4, {"id": 2, "at": "copy"}, early),
            event("update", "binlog.999999", 900, {"id": 1, "at": "old server"}, early),
            event("update", "binlog.1000000", 5, {"id": 1, "at": "old server, last"}, early)])
        service.append([event("update", "mysql-bin.000002", 300, {"id": 1, "at": "new server"}, late),
                        event("delete", "mysql-bin.000002", 500, {"id": 2, "at": "copy"}, late)])


@pytest.fixture
def scenario(make_source, make_calve, make_place, make_oracle):
    source, place = make_source("mysql-9"), make_place("moto")
    source.sql("DROP DATABASE IF EXISTS shop", "CREATE DATABASE shop DEFAULT CHARACTER SET utf8mb4")
    try:
        yield Scenario(source, make_calve(source, "shop.*", place=place), make_oracle(source), place)
    finally:
        source.sql("DROP DATABASE shop")


# ---- engines -----------------------------------------------------------------------------------


class OnTrino:
    """Values come as JSON has them: what is not a number or text is text."""

    knows = set(QUERIES)

    def __init__(self, engine, scenario):
        self.engine, self.catalog = engine, engine.catalog(scenario.place)

    def run(self, sql):
        return self.engine.query(sql, self.catalog)


class OnDuckDB:
    """The tables' rows with "$path" beside them, and SQL that was translated."""

    knows = set(QUERIES) - NOT_ON_DUCKDB

    def __init__(self, scenario):
        self.sqlglot = services.import_checker("sqlglot")  # knows dialects
        self.lake = scenario.calve.lake
        self.connection = self.lake.duckdb_connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        for schema, table in self.lake.tables():
            self.copy(schema, table)

    def copy(self, schema, table):
        self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        name = f"{schema}.{table}"
        location = self.lake.table(schema, table).metadata_location
        self.connection.execute(f"CREATE TABLE {name} AS SELECT *, '' AS \"$path\" FROM iceberg_scan('{location}') "
                                "LIMIT 0")
        for _, _, entry in self.lake.entries(schema, table):
            rows = read_parquet(self.lake.path(entry.data_file.file_path))
            self.connection.register("rows", rows)
            self.connection.execute(f"INSERT INTO {name} SELECT *, '{entry.data_file.file_path}' FROM rows")

    def run(self, sql):
        (translated,) = self.sqlglot.transpile(sql, read="trino", write="duckdb")
        table = self.connection.execute(translated).fetch_arrow_table()  # which needs no pytz for times
        return [tuple(row.values()) for row in table.to_pylist()]

    def close(self):
        self.connection.close()


# ---- what each query has to answer -------------------------------------------------------------


def when(value):
    """A time of either engine."""
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None)
    return datetime.datetime.fromisoformat(value.removesuffix(" UTC"))


def utc(at):
    return f"TIMESTAMP '{at:%Y-%m-%d %H:%M:%S.%f}'"


def by_id(rows):
    """{id: payload}, each id once."""
    found = {int(r[0]): r[1] for r in rows}
    assert len(found) == len(rows), f"an id twice: {rows}"
    return found


class Checks:
    """One function for each block; views come before what asks them, as on the page."""

    def __init__(self, scenario, engine):
        self.s, self.engine, self.lake = scenario, engine, scenario.calve.lake
        self.changes = self.lake.changes("shop", "orders")

    def run(self, name, table="orders", **replaced):
        return self.engine.run(query(name, table, **replaced))

    def tables(self):
        found = {r[0] for r in self.run("tables")}
        assert found == {"orders", "returns", "counters", "moved"}

    def preview(self):
        assert len(self.run("preview")) == 10

    def count(self):
        found = {(r[0], str(r[1])): r[2] for r in self.run("count")}
        expected = {}
        for c in self.changes:
            key = c.event_type, str(c.timestamp.date())
            expected[key] = expected.get(key, 0) + 1
        assert found == expected
        assert {k[0] for k in found} == {"backfill", "insert", "update", "delete", "truncate"}

    def inserts(self):
        rows = self.run("inserts")
        inserts = [c for c in self.changes if c.event_type == "insert"]
        assert sorted(r[3] for r in rows) == sorted(c.payload for c in inserts)
        assert [(when(r[0]), r[2]) for r in rows] == sorted(((c.timestamp, c.log_position) for c in inserts), reverse=True)

    def range(self):
        since, before = self.s.copied.next_second, self.s.truncated.next_second
        expected = sum(since <= c.timestamp < before for c in self.changes)
        assert self.run("range", since=utc(since), before=utc(before)) == [(expected,)]
        assert 0 < expected < len(self.changes)
        assert self.run("range") == [(0,)]  # the page's own day

    def day(self):
        days = {c.timestamp.date() for c in self.changes}
        counts = [self.run("day", date=f"DATE '{d}'")[0][0] for d in days]
        assert sum(counts) == len(self.changes)
        assert self.run("day") == [(0,)]

    def watermarks(self):
        found = {(r[2], r[3]): (r[0], r[1], r[4], r[5], r[6]) for r in self.run("watermarks")}
        expected = {k: (r["connection_name"], r["server_id"], r["log_file"], r["log_position"], r["backfill_complete"])
                    for k, r in self.lake.watermarks().items()}
        assert found == expected and ("shop", "orders") in found

    def payload(self):
        rows = {(r[0], r[1], r[2]): r for r in self.run("payload")}
        _, _, _, amount, tags, colour, placed, paid, weight, picture = rows[(3, "né 3", "paid")]
        assert (decimal.Decimal(amount), list(tags), colour) == (decimal.Decimal("3.25"), ["gift", "fragile"], "red")
        assert when(placed) == datetime.datetime(2026, 2, 1, 10, 0, 0, 3000)
        assert when(paid) == datetime.datetime(2026, 2, 1, 9)
        assert weight == 0.1
        assert picture in (b"\x00\xff\x10", base64.b64encode(b"\x00\xff\x10").decode())
        assert tuple(rows[(40, None, None)][1:]) == (None,) * 9

    def view(self, name, *tables):
        for table in tables:
            self.run(name, table)

    def changes_view(self):
        self.view("changes", "orders", "returns", "counters")
        found = self.engine.run("SELECT place, payload FROM shop.orders_changes WHERE event_type <> 'backfill' "
                                "ORDER BY seq")
        ordered = sorted((c for c in self.changes if c.event_type != "backfill"),
                         key=lambda c: (file_number(c.log_file), c.log_position))
        assert [r[0] for r in found] == [f"{file_number(c.log_file):010} {c.log_position:020}" for c in ordered]
        assert len({r[0] for r in found}) > 3

    def ambiguous(self):
        assert self.run("ambiguous") == []
        assert [(r[0], r[3]) for r in self.run("ambiguous", "counters")] == [(1, 2)]

    def current(self):
        self.view("current", "orders", "returns", "counters")

    def current_rows(self):
        found = {r[0]: r for r in self.run("current-rows")}
        expected = {k: json.loads(p) for k, p in self.s.rows("orders").items()}
        assert {k: (r[1], r[2] and decimal.Decimal(r[2])) for k, r in found.items()} == {
            k: (r["status"], r["amount"] and decimal.Decimal(r["amount"])) for k, r in expected.items()}
        for table, left_out in (("orders", ()), ("returns", ()), ("counters", (1,))):
            rows = by_id(self.engine.run(f"SELECT id, payload FROM shop.{table}_current"))
            wanted = self.s.rows(table)
            assert {k: p for k, p in rows.items() if k not in left_out} == {
                k: p for k, p in wanted.items() if k not in left_out}, table
            assert rows.keys() == wanted.keys()

    def servers(self):
        (row,) = self.run("servers")
        assert row[0] == self.s.source.value("SELECT @@server_uuid")

    def failover(self):
        self.run("changes", "moved")
        self.run("current", "moved")
        wrong = by_id(self.engine.run("SELECT id, payload FROM shop.moved_current"))
        assert json.loads(wrong[1]) == {"id": 1, "at": "old server, last"}
        self.run("failover", "moved")
        right = by_id(self.engine.run("SELECT id, payload FROM shop.moved_current"))
        assert {k: json.loads(p) for k, p in right.items()} == {1: {"id": 1, "at": "new server"}}

    def as_of_source(self):
        for moment in (self.s.copied, self.s.truncated):
            assert by_id(self.run("as-of-source", noon=utc(moment.second))) == moment.rows

    def as_of_place(self):
        for moment in (self.s.copied, self.s.truncated):
            file, offset = moment.position
            found = self.run("as-of-place", number=f"lpad('{file_number(file)}', 10, '0')",
                             offset=f"lpad('{offset}', 20, '0')")
            assert by_id(found) == moment.rows

    def travel_time(self):
        for moment in (self.s.copied, self.s.truncated):
            found = dict(self.run("travel-time", noon_utc=f"TIMESTAMP '{moment.next_second} UTC'"))
            assert sum(found.values()) == int(moment.snapshot.summary["total-records"])
            assert ("truncate" in found) == (moment is self.s.truncated)

    def travel_version(self):
        for moment in (self.s.copied, self.s.truncated):
            found = dict(self.run("travel-version", version=str(moment.snapshot.snapshot_id)))
            assert sum(found.values()) == int(moment.snapshot.summary["total-records"])

    def travel_current(self):
        found = self.run("travel-current", version=str(self.s.copied.snapshot.snapshot_id))
        assert by_id(found) == self.s.copied.rows

    def snapshots(self):
        expected = {s.snapshot_id: s for s in self.lake.table("shop", "orders").snapshots()}
        rows = self.run("snapshots")
        assert {r[0] for r in rows} == expected.keys()
        for row in rows:
            summary = expected[row[0]].summary
            assert list(row[3:]) == [summary[k] for k in ("added-records", "total-records", "calve.file", "calve.pos",
                                                         "calve.gtid")]
        assert [when(r[1]) for r in rows] == sorted((when(r[1]) for r in rows), reverse=True)

    def partitions(self):
        assert sum(r[1] for r in self.run("partitions")) == len(self.changes)

    def files(self):
        entries = [e for _, _, e in self.lake.entries("shop", "orders")]
        ((count, rows, size),) = self.run("files")
        assert (count, rows) == (len(entries), len(self.changes))
        assert size == pytest.approx(sum(e.data_file.file_size_in_bytes for e in entries) / count)

    def history(self):
        rows = self.run("history")
        assert [r[1] for r in rows][0] == self.lake.table("shop", "orders").current_snapshot().snapshot_id
        assert all(r[3] for r in rows)

    def manifests(self):
        assert sum(r[2] + r[3] for r in self.run("manifests")) == len(self.lake.entries("shop", "orders"))

    def refs(self):
        current = self.lake.table("shop", "orders").current_snapshot().snapshot_id
        assert self.run("refs") == [("main", "BRANCH", current)]

    def check(self, name):
        function = {"changes": "changes_view"}.get(name, name.replace("-", "_"))
        getattr(self, function)()


def check_all(scenario, engine):
    checks, wrong = Checks(scenario, engine), []
    for name in QUERIES:
        if name in engine.knows:
            try:
                checks.check(name)
            except (AssertionError, services.ServerError, LookupError) as e:
                wrong.append(f"-- {name}: {type(e).__name__}: {e}")
    assert not wrong, "\n".join(wrong)


# ---- tests -------------------------------------------------------------------------------------


def test_every_query_has_a_check():
    for name in QUERIES:
        assert callable(getattr(Checks, {"changes": "changes_view"}.get(name, name.replace("-", "_")), None)), name


def test_athena_would_parse_every_query():
    """By a parser that is not Athena's own. Hive's DDL it hands through."""
    parse_one = services.import_checker("sqlglot").parse_one
    for name in QUERIES.keys() - {"tables"}:
        parse_one(QUERIES[name], read="athena")


@pytest.mark.timeout(600)  # Trino on a busy machine
def test_queries_on_trino(scenario, trino):
    engine = OnTrino(trino, scenario)
    check_all(scenario, engine)
    scenario.source.sql("INSERT INTO shop.orders (id) VALUES (7)")
    scenario.calve.catch_up()  # views in the database do not disturb it
    assert by_id(engine.run("SELECT id, payload FROM shop.orders_current")) == scenario.rows("orders")


def test_queries_on_duckdb(scenario):
    """Those that it can be asked: this shows what they answer, not that Trino or Athena take them."""
    with contextlib.closing(OnDuckDB(scenario)) as engine:
        check_all(scenario, engine)


def test_spark_knows_the_order_of_rows_of_one_place(scenario, spark):
    """The page sends readers to the README's query for what SQL of Athena cannot see."""
    text = (PAGE.parents[1] / "README.md").read_text(encoding="utf-8")
    (sql,) = [q for q in re.findall(r"```sql\n(.*?)\n```", text, re.S) if "_pos" in q]
    assert "`default`.shop.orders" in sql
    catalog = spark.catalog(scenario.place)
    for table in ("orders", "counters"):
        asked = sql.replace("`default`.shop.orders", f"{catalog}.shop.{table}")
        if table == "orders":  # rows in front of the mark do not count
            offset = max(c.log_position for c in scenario.calve.lake.changes("shop", table)
                         if c.event_type == "truncate")
            asked = asked.replace(f"FROM {catalog}.shop.{table})",
                                  f"FROM {catalog}.shop.{table} WHERE log_position > {offset})")
        rows = {json.loads(p)["id"]: p for (p,) in spark.query(asked)}
        assert rows == scenario.rows(table), table
