"""XA transactions, transactions that are rolled back in part, temporary tables, empty transactions.

T3: prepare, commit and rollback over restarts and binlog files, and in one phase. T4: ROLLBACK as an
end, ROLLBACK TO a savepoint, engines mixed, temporary tables, empty transactions.
"""

import contextlib
import json
import os
import pathlib
import random
import threading
import time

import pymysql
import pytest

from lake import replay
from program import PATIENCE_S
from source import FLAVORS

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def xa_source(make_source):
    """A server of the test's own: prepared transactions of others would be in the way."""
    made = []

    def make(flavor, **settings):
        source = make_source(flavor, max_connections=1200, **settings)
        made.append(source)
        for xid in recover(source):
            source.sql(f"XA ROLLBACK {xid}")
        return source

    yield make
    for source in made:
        with contextlib.suppress(Exception):
            for xid in recover(source):
                source.sql(f"XA ROLLBACK {xid}")


def recover(source):
    """What XA RECOVER shows, as statements want it."""
    found = []
    for form, gtrid_len, bqual_len, data in source.sql("XA RECOVER"):
        data = data.encode() if isinstance(data, str) else data
        found.append("X'{}',X'{}',{}".format(data[:gtrid_len].hex(), data[gtrid_len:gtrid_len + bqual_len].hex(), form))
    return found


class Branch:
    """A session with one XA transaction after another."""

    def __init__(self, source):
        self.source = source
        self.connection = source.session()

    def sql(self, *statements):
        with self.connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def prepare(self, xid, *statements):
        self.sql(f"XA START {xid}", *statements, f"XA END {xid}", f"XA PREPARE {xid}")

    def close(self):
        self.connection.close()


def prepare(source, xid, *statements):
    """Prepares in a session that then goes: any other can end the transaction."""
    branch = Branch(source)
    try:
        branch.prepare(xid, *statements)
    finally:
        branch.close()
    return xid


def end_xa(source, how, xid):
    """XA COMMIT or XA ROLLBACK, from a session that is not the one that prepared."""
    end = time.monotonic() + 10
    while True:
        try:
            with source.connection.cursor() as cursor:
                cursor.execute(f"XA {how} {xid}")
            return
        except pymysql.Error:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def check(source, calve, oracle, *tables):
    for table in tables:
        changes = calve.lake.changes(source.schema, table)
        assert replay(changes) == oracle.by_key(source.schema, table), table


def ids(calve, source, table, kind="insert"):
    return [json.loads(c.payload)["id"] for c in calve.lake.changes(source.schema, table) if c.event_type == kind]


def note(calve):
    """What the lake remembers of prepared transactions."""
    properties = calve.lake.table("cdc_metadata", "watermarks").properties
    found = [v for k, v in properties.items() if k.startswith("calve.prepared.")]
    return json.loads(found[0])["open"] if found and found[0] else []


def two_tables(source):
    source.sql("CREATE TABLE a (id INT PRIMARY KEY, t VARCHAR(200))", "CREATE TABLE b (id INT PRIMARY KEY, t VARCHAR(200))",
               "INSERT INTO a VALUES (1, 'copied')")


# ---- T3 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flavor", FLAVORS)
def test_T3_prepare_then_commit_or_rollback(flavor, xa_source, make_calve, make_oracle):
    source = xa_source(flavor)
    two_tables(source)
    calve = make_calve(source)
    calve.catch_up()
    running = calve.start("run")
    running.wait_event("source.connected")
    prepare(source, "'x1'", "INSERT INTO a VALUES (10, 'x1'), (11, 'x1')", "INSERT INTO b VALUES (10, 'x1')",
            "UPDATE a SET t = 'x1' WHERE id = 1")
    prepare(source, "'x2','b',7", "INSERT INTO a VALUES (20, 'x2')", "DELETE FROM a WHERE id = 20",
            "INSERT INTO a VALUES (21, 'x2')")
    source.sql("INSERT INTO a VALUES (30, 'between')")
    running.wait_event("cut.committed", where=lambda e: e["rows_total"] >= 1)
    # Only what is committed is in the lake.
    assert ids(calve, source, "a") == [30]
    end_xa(source, "ROLLBACK", "'x2','b',7")
    source.sql("INSERT INTO a VALUES (31, 'between')")
    end_xa(source, "COMMIT", "'x1'")
    commit = source.position()
    source.sql("INSERT INTO a VALUES (32, 'after')")
    running.wait_event("cut.committed", where=lambda e: e["rows_total"] >= 7)
    assert running.stop().status == 0
    calve.catch_up()
    assert ids(calve, source, "a") == [30, 31, 10, 11, 32]
    assert ids(calve, source, "b") == [10]
    check(source, calve, make_oracle(source), "a", "b")
    # The order of positions is the order of commits.
    changes = [c for c in calve.lake.changes(source.schema, "a") if c.event_type != "backfill"]
    assert {(c.log_file, c.log_position) for c in changes if '"x1"' in c.payload} == {commit}
    assert [c.log_position for c in changes] == sorted(c.log_position for c in changes)


@pytest.mark.parametrize("flavor", FLAVORS)
def test_T3_one_phase(flavor, xa_source, make_calve, make_oracle):
    source = xa_source(flavor)
    two_tables(source)
    calve = make_calve(source)
    calve.catch_up()
    for i in range(10, 16):
        source.sql(f"XA START 'one{i}'", f"INSERT INTO a VALUES ({i}, 'one')", f"INSERT INTO b VALUES ({i}, 'one')",
                   f"XA END 'one{i}'", f"XA COMMIT 'one{i}' ONE PHASE", f"INSERT INTO a VALUES ({i + 100}, 'plain')")
        source.sql(f"XA START 'gone{i}'", f"INSERT INTO a VALUES ({i + 200}, 'gone')", f"XA END 'gone{i}'",
                   f"XA ROLLBACK 'gone{i}'")
        if i % 2:
            calve.catch_up()
    calve.catch_up()
    assert ids(calve, source, "a") == [i + j for i in range(10, 16) for j in (0, 100)]
    check(source, calve, make_oracle(source), "a", "b")
    assert note(calve) == []


def restart_server(source):
    """Its prepared transactions are there again."""
    source.connection.close()
    source.server.restart()
    source.connection = source.session()


@pytest.mark.parametrize("kill", ["stop", "kill9"])
@pytest.mark.parametrize("flavor", FLAVORS + ("mysql-9-no-gtids",))
def test_T3_restarts_and_new_files_in_between(flavor, kill, xa_source, make_calve, make_oracle):
    """Every step of each transaction is a run, a file and a server of its own."""
    settings = {"gtid_mode": "OFF", "enforce_gtid_consistency": "OFF"} if flavor.endswith("no-gtids") else {}
    source = xa_source(flavor.removesuffix("-no-gtids"), **settings)
    two_tables(source)
    calve = make_calve(source)
    calve.catch_up()

    def turn(restarts_server=False):
        running = calve.start("run")
        running.wait_event("source.connected")
        source.sql(f"INSERT INTO b VALUES ({next_id()}, 'turn')")
        cuts = len(running.events("cut.committed"))
        running.wait_event("cut.committed", count=cuts + 1)
        if kill == "kill9":
            running.kill9()
        else:
            assert running.stop().status == 0
        source.sql("FLUSH BINARY LOGS")
        if restarts_server:
            restart_server(source)

    numbers = iter(range(1000, 2000))

    def next_id():
        return next(numbers)

    prepare(source, "'x1'", "INSERT INTO a VALUES (10, 'x1')", "INSERT INTO b VALUES (10, 'x1')")
    turn()
    prepare(source, "'x2'", "INSERT INTO a VALUES (20, 'x2')", "UPDATE a SET t = 'x2' WHERE id = 1")
    turn(restarts_server=True)
    prepare(source, "'x3'", "INSERT INTO a VALUES (30, 'x3')")
    prepare(source, "'empty'", "INSERT INTO b VALUES (31, 'empty')", "DELETE FROM b WHERE id = 31")
    turn()
    assert len(note(calve)) == 4
    end_xa(source, "COMMIT", "'x3'")
    turn()
    end_xa(source, "ROLLBACK", "'x2'")
    turn(restarts_server=True)
    end_xa(source, "COMMIT", "'empty'")
    end_xa(source, "COMMIT", "'x1'")
    calve.catch_up()
    turn()
    calve.catch_up()
    assert ids(calve, source, "a") == [30, 10]
    check(source, calve, make_oracle(source), "a", "b")
    assert ids(calve, source, "b").count(10) == 1 and ids(calve, source, "b").count(31) == 1
    assert note(calve) == []


@pytest.mark.parametrize("flavor", FLAVORS)
def test_T3_many_at_once_in_another_order(flavor, xa_source, make_calve, make_oracle):
    """Prepared in one order, ended in another, with transactions between, while calve is killed again and again."""
    source = xa_source(flavor)
    two_tables(source)
    calve = make_calve(source)
    calve.catch_up()
    rand = random.Random(7)
    running = calve.start("run")
    running.wait_event("source.connected")
    opened, ended, committed = [], [], []
    for i in range(300):
        if len(opened) < 25 or rand.random() < 0.4:
            rows = ", ".join(f"({i * 100 + k + 100}, 'x{i}')" for k in range(rand.randrange(1, 8)))
            prepare(source, f"'x{i}','{i}',{i % 5 + 1}", f"INSERT INTO a VALUES {rows}", f"INSERT INTO b VALUES {rows}")
            opened.append(i)
        else:
            j = opened.pop(rand.randrange(len(opened)))
            how = "COMMIT" if rand.random() < 0.7 else "ROLLBACK"
            end_xa(source, how, f"'x{j}','{j}',{j % 5 + 1}")
            ended.append(j)
            if how == "COMMIT":
                committed.append(j)
        source.sql(f"INSERT INTO a VALUES ({i * 100 + 199}, 'plain')")
        if rand.random() < 0.05:
            source.sql("FLUSH BINARY LOGS")
        if i % 25 == 24:
            running.kill9()
            running = calve.start("run")
            if i % 50 == 49:
                running.wait_event("source.connected")
    for j in list(opened):
        end_xa(source, "COMMIT", f"'x{j}','{j}',{j % 5 + 1}")
        committed.append(j)
    running.kill9()
    calve.catch_up()
    oracle = make_oracle(source)
    check(source, calve, oracle, "a", "b")
    for table in ("a", "b"):
        found = ids(calve, source, table)
        assert len(found) == len(set(found)) == source.value(f"SELECT count(*) FROM {table} WHERE id > 1")
    order = list(dict.fromkeys(i // 100 - 1 for i in ids(calve, source, "b")))
    assert order == committed


@pytest.mark.parametrize("flavor", FLAVORS)
def test_T3_a_table_that_lags(flavor, xa_source, make_calve, make_oracle):
    """b is left out of the run in which the transactions commit, and c is new afterwards."""
    source = xa_source(flavor)
    two_tables(source)
    source.sql("CREATE TABLE c (id INT PRIMARY KEY, t VARCHAR(200))")
    both = f"{source.schema}.a,{source.schema}.b"
    calve = make_calve(source, tables=both)
    calve.catch_up()
    prepare(source, "'x1'", "INSERT INTO a VALUES (10, 'x1')", "INSERT INTO b VALUES (10, 'x1')")
    prepare(source, "'x2'", "INSERT INTO b VALUES (20, 'x2')", "INSERT INTO c VALUES (20, 'x2')")
    prepare(source, "'x3'", "INSERT INTO a VALUES (30, 'x3')", "INSERT INTO b VALUES (30, 'x3')")
    source.sql("INSERT INTO a VALUES (2, 'plain')")
    calve.catch_up()
    end_xa(source, "COMMIT", "'x1'")
    end_xa(source, "COMMIT", "'x2'")
    source.sql("INSERT INTO a VALUES (3, 'plain')", "INSERT INTO b VALUES (3, 'plain')")
    only_a = dict(table=f"{source.schema}.a")
    calve.catch_up(**only_a)
    source.sql("INSERT INTO a VALUES (4, 'plain')")
    calve.catch_up(**only_a)
    assert ids(calve, source, "a") == [2, 10, 3, 4] and ids(calve, source, "b") == []
    assert {e["xid"] for e in note(calve)} == {f"X'{x.encode().hex()}',X'',1" for x in ("x1", "x2", "x3")}
    end_xa(source, "ROLLBACK", "'x3'")
    calve.catch_up(table=f"{source.schema}.*")
    calve.catch_up(table=f"{source.schema}.*")
    assert ids(calve, source, "a") == [2, 10, 3, 4]
    assert ids(calve, source, "b") == [10, 20, 3]
    check(source, calve, make_oracle(source), "a", "b", "c")
    source.sql("INSERT INTO a VALUES (5, 'plain')")
    calve.catch_up(table=f"{source.schema}.*")
    assert note(calve) == []


def test_T3_compressed_session(xa_source, make_calve, make_oracle):
    source = xa_source("mysql-9")
    two_tables(source)
    calve = make_calve(source)
    calve.catch_up()
    source.sql("SET SESSION binlog_transaction_compression = ON")
    branch = Branch(source)
    branch.sql("SET SESSION binlog_transaction_compression = ON")
    branch.prepare("'x1'", "INSERT INTO a VALUES (10, REPEAT('x', 200))", "INSERT INTO b VALUES (10, 'x1')")
    branch.sql("XA COMMIT 'x1'")
    branch.prepare("'x2'", "INSERT INTO a VALUES (20, REPEAT('x', 200))")
    branch.close()
    source.sql("INSERT INTO a VALUES (30, 'plain')")
    calve.catch_up()
    assert ids(calve, source, "a") == [10, 30]
    end_xa(source, "COMMIT", "'x2'")
    source.sql("XA START 'x3'", "INSERT INTO a VALUES (40, REPEAT('y', 200))", "XA END 'x3'", "XA COMMIT 'x3' ONE PHASE")
    calve.catch_up()
    kinds = {r[2] for f in source.binlog_files() for r in source.binlog_events(f)}
    assert "Transaction_payload" in kinds and "XA_prepare" in kinds
    assert ids(calve, source, "a") == [10, 30, 20, 40]
    check(source, calve, make_oracle(source), "a", "b")


def open_files(running):
    """What its file descriptors lead to."""
    found = []
    for link in pathlib.Path(f"/proc/{running.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(os.readlink(link))
    return found


MANY_ROWS = 200_000


def many_rows(table, first, count):
    digits = " UNION ".join(f"SELECT {i}" + (" i" if i == 0 else "") for i in range(16))
    number = "a.i + b.i * 16 + c.i * 256 + d.i * 4096 + e.i * 65536"
    return (f"INSERT INTO {table} WITH x AS ({digits}) SELECT {first} + {number}, REPEAT(CHAR(97 + ({number}) % 26), 150)"
            f" FROM x e, x d, x c, x b, x a WHERE {number} < {count}")


@pytest.mark.parametrize("flavor", FLAVORS)
def test_T3_many_rows_in_one(flavor, xa_source, make_calve, make_oracle, tmp_path):
    """More than memory may hold: it goes to a file that has no name."""
    source = xa_source(flavor)
    two_tables(source)
    spill = tmp_path / "spill"
    spill.mkdir()
    calve = make_calve(source, options={"spill-dir": spill, "memory-max": "64MiB"})
    calve.catch_up()
    running = calve.start("run")
    running.wait_event("source.connected")
    prepare(source, "'big'", many_rows("a", 1000, MANY_ROWS))
    prepare(source, "'gone'", many_rows("b", 1000, MANY_ROWS))
    source.sql("INSERT INTO b VALUES (1, 'plain')")
    running.wait_event("cut.committed", where=lambda e: e["rows_total"] >= 1)
    # Its file has no name, and is there.
    assert list(spill.iterdir()) == []
    assert [t for t in open_files(running) if str(spill) in t and t.endswith("(deleted)")]
    end_xa(source, "ROLLBACK", "'gone'")
    end_xa(source, "COMMIT", "'big'")
    running.wait_event("cut.committed", where=lambda e: e["rows_total"] >= MANY_ROWS)
    assert running.stop().status == 0
    assert 0 < running.peak_kib < 160 * 1024, running.peak_kib
    check(source, calve, make_oracle(source), "a", "b")
    assert len(ids(calve, source, "a")) == MANY_ROWS
    assert ids(calve, source, "b") == [1]


@pytest.mark.parametrize("flavor", FLAVORS)
def test_T3_many_open(flavor, xa_source, make_calve, make_oracle):
    source = xa_source(flavor)
    two_tables(source)
    calve = make_calve(source)
    calve.catch_up()
    branches = [Branch(source) for _ in range(8)]
    many = int(os.environ.get("CALVE_TEST_XA", "250"))

    def prepare_some(n):
        for i in range(n, many, len(branches)):
            branches[n].prepare(f"'x{i}'", f"INSERT INTO a VALUES ({i + 10}, REPEAT('{i % 10}', 150))")
            # A session has one transaction: another takes its place and leaves it prepared.
            branches[n].close()
            branches[n] = Branch(source)

    threads = [threading.Thread(target=prepare_some, args=(n,)) for n in range(len(branches))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for b in branches:
        b.close()
    running = calve.start("run")
    source.sql("INSERT INTO b VALUES (1, 'plain')")
    running.wait_event("cut.committed", where=lambda e: e["rows_total"] >= 1)
    assert len(open_files(running)) < 40, open_files(running)
    running.kill9()
    assert len(note(calve)) == many
    running = calve.start("run")
    running.wait_event("source.connected")
    for i in range(0, many, 2):
        end_xa(source, "COMMIT", f"'x{i}'")
    for i in range(1, many, 2):
        end_xa(source, "ROLLBACK" if i % 3 == 0 else "COMMIT", f"'x{i}'")
    running.stop()
    calve.catch_up()
    found = ids(calve, source, "a")
    assert len(found) == len(set(found)) == source.value("SELECT count(*) FROM a WHERE id > 1")
    check(source, calve, make_oracle(source), "a", "b")


@pytest.mark.parametrize("flavor", FLAVORS)
def test_T3_a_connection_that_breaks(flavor, xa_source, make_calve, make_oracle):
    source = xa_source(flavor)
    two_tables(source)
    calve = make_calve(source, options={"commit-interval": "2s"})
    calve.catch_up()
    running = calve.start("run")
    running.wait_event("source.connected")

    def cut_off():
        before = len(running.events("source.connected"))
        for row in source.sql("SHOW PROCESSLIST"):
            if "dump" in str(row[4]).lower():
                source.sql(f"KILL {row[0]}")
        running.wait_event("source.connected", count=before + 1)

    prepare(source, "'x1'", "INSERT INTO a VALUES (10, 'x1')")
    source.sql("INSERT INTO a VALUES (11, 'plain')")
    cut_off()
    prepare(source, "'x2'", "INSERT INTO a VALUES (20, 'x2')")
    end_xa(source, "COMMIT", "'x1'")
    cut_off()
    end_xa(source, "ROLLBACK", "'x2'")
    prepare(source, "'x2'", "INSERT INTO a VALUES (21, 'x2')")
    cut_off()
    source.sql("START TRANSACTION", many_rows("b", 1000, 100_000), "COMMIT")
    cut_off()  # in the middle of it, perhaps
    end_xa(source, "COMMIT", "'x2'")
    assert running.stop().status == 0
    calve.catch_up()
    assert ids(calve, source, "a") == [11, 10, 21]
    check(source, calve, make_oracle(source), "a", "b")


@pytest.mark.parametrize("flavor", FLAVORS + ("mysql-9-no-gtids",))
def test_T3_definitions_that_change_meanwhile(flavor, xa_source, make_calve, make_oracle):
    """A start in front of DDL, for the rows of a prepared transaction, does not follow that DDL again."""
    settings = {"gtid_mode": "OFF", "enforce_gtid_consistency": "OFF"} if flavor.endswith("no-gtids") else {}
    source = xa_source(flavor.removesuffix("-no-gtids"), **settings)
    two_tables(source)
    calve = make_calve(source, tables=f"{source.schema}.a,{source.schema}.b")
    calve.catch_up()
    source.sql("CREATE TABLE _b_gho LIKE b")
    prepare(source, "'x1'", "INSERT INTO a VALUES (10, 'x1')")
    source.sql("ALTER TABLE b ADD COLUMN n INT DEFAULT 5", "INSERT INTO b VALUES (1, 'altered', 6)",
               "ALTER TABLE _b_gho ADD COLUMN n INT DEFAULT 5, ADD COLUMN m VARCHAR(9) FIRST",
               "CREATE TABLE made (id INT PRIMARY KEY, x INT)", "ALTER TABLE made ADD COLUMN y INT", "DROP TABLE made")
    calve.catch_up()
    source.sql("INSERT INTO _b_gho (id, t, n) SELECT id, t, n FROM b", "RENAME TABLE b TO _b_del, _b_gho TO b",
               "INSERT INTO b VALUES ('m', 2, 'swapped', 7)")
    for _ in range(2):
        calve.catch_up()
    source.sql("ALTER TABLE b MODIFY m VARCHAR(20), DROP COLUMN n", "INSERT INTO b VALUES ('longer than nine', 3, 'again')")
    calve.catch_up()
    end_xa(source, "COMMIT", "'x1'")
    source.sql("ALTER TABLE a ADD COLUMN n INT", "INSERT INTO a VALUES (11, 'altered', 1)")
    calve.catch_up()
    calve.catch_up()
    assert [json.loads(p) for p in calve.lake.payloads(source.schema, "a", "insert")] == [
        {"id": 10, "t": "x1"}, {"id": 11, "t": "altered", "n": 1}]
    assert [json.loads(p) for p in calve.lake.payloads(source.schema, "b", "insert")] == [
        {"id": 1, "t": "altered", "n": 6}, {"m": "m", "id": 2, "t": "swapped", "n": 7},
        {"m": "longer than nine", "id": 3, "t": "again"}]
    kinds = [c.event_type for c in calve.lake.changes(source.schema, "b")]
    assert len(kinds) == len(set(kinds)) + 2, kinds  # one mark of the swap


# ---- what cannot be known ------------------------------------------------------------------------


@pytest.mark.parametrize("flavor", FLAVORS)
def test_T3_waits_before_a_first_start(flavor, xa_source, make_calve, make_oracle):
    source = xa_source(flavor)
    two_tables(source)
    prepare(source, "'early'", "INSERT INTO a VALUES (10, 'early')")
    for mode in ({}, {"snapshot": "never"}):
        calve = make_calve(source)
        late = calve.run("run", until="current", xa_wait="1s", **mode)
        assert late.status == 1 and "XA RECOVER" in late.error and "xa-wait" in late.error, late
        assert late.named("xa.waiting")
    running = calve.start("run", until="current")
    running.wait_event("xa.waiting")
    end_xa(source, "COMMIT", "'early'")
    assert running.wait().status == 0
    prepare(source, "'next'", "INSERT INTO a VALUES (11, 'next')")
    calve.catch_up()  # tables that have started do not wait
    end_xa(source, "COMMIT", "'next'")
    calve.catch_up()
    check(source, calve, make_oracle(source), "a", "b")


@pytest.mark.parametrize("flavor", FLAVORS)
def test_T3_stops_at_what_was_prepared_before_the_start(flavor, xa_source, make_calve):
    source = xa_source(flavor)
    two_tables(source)
    prepare(source, "'early'", "INSERT INTO a VALUES (10, 'early')")
    prepare(source, "'undone'", "INSERT INTO a VALUES (20, 'undone')")
    start = source.place()
    calve = make_calve(source, options={"snapshot": "never"})
    source.sql("INSERT INTO a VALUES (30, 'plain')")
    calve.ok("run", **{"from": start}, until="current")
    end_xa(source, "ROLLBACK", "'undone'")
    source.sql("INSERT INTO a VALUES (31, 'plain')")
    end_xa(source, "COMMIT", "'early'")
    source.sql("INSERT INTO a VALUES (32, 'plain')")
    for _ in range(2):
        stopped = calve.run("run", until="current")
        assert stopped.status == 1 and "X'6561726c79',X'',1" in stopped.error, stopped
        assert "copy them again" in stopped.error
        assert ids(calve, source, "a") == [30, 31]


def purge(source):
    """All but the newest file; a server keeps one that somebody reads, for a moment."""
    end = time.monotonic() + 20
    while len(source.binlog_files()) > 1:
        assert time.monotonic() < end, source.binlog_files()
        source.sql(f"PURGE BINARY LOGS TO '{source.position()[0]}'")
        time.sleep(0.1)


@pytest.mark.parametrize("flavor", FLAVORS)
def test_T3_a_purged_prepare(flavor, xa_source, make_calve, make_oracle):
    source = xa_source(flavor)
    two_tables(source)
    calve = make_calve(source)
    calve.catch_up()
    prepare(source, "'old'", "INSERT INTO a VALUES (10, 'old')")
    source.sql("FLUSH BINARY LOGS", "INSERT INTO a VALUES (11, 'plain')")
    calve.catch_up()
    source.sql("FLUSH BINARY LOGS", "INSERT INTO a VALUES (12, 'plain')")
    purge(source)
    for _ in range(2):
        stopped = calve.run("run", until="current")
        assert stopped.status == 1 and "X'6f6c64',X'',1" in stopped.error and "purged" in stopped.error, stopped
    # What it says to do helps.
    end_xa(source, "COMMIT", "'old'")
    for table in ("a", "b"):
        calve.lake.catalog.drop_table((source.schema, table))
    calve.catch_up()
    source.sql("INSERT INTO a VALUES (13, 'plain')")
    calve.catch_up()
    check(source, calve, make_oracle(source), "a", "b")
    assert note(calve) == []


# ---- T4 ------------------------------------------------------------------------------------------


def infos(source, since):
    """The statements in the log since a position."""
    file, offset = since
    return [r[5] or "" for r in source.sql(f"SHOW BINLOG EVENTS IN '{file}'" + f" FROM {offset}")]


def mixed_tables(source):
    for name, engine in (("t", "InnoDB"), ("u", "InnoDB"), ("m", "MyISAM"), ("h", "MEMORY")):
        source.sql(f"CREATE TABLE {name} (id INT PRIMARY KEY, t VARCHAR(200)) ENGINE={engine}")
    source.sql("INSERT INTO t VALUES (1, 'one')", "INSERT INTO m VALUES (1, 'one')", "INSERT INTO u VALUES (1, 'one')")
    if source.family == "mariadb":
        source.sql("CREATE TABLE ar (id INT PRIMARY KEY, t VARCHAR(200)) ENGINE=Aria TRANSACTIONAL=1")
        return ("t", "u", "m", "h", "ar")
    return ("t", "u", "m", "h")


# With engines mixed and temporary tables, MariaDB logs rows that are taken back.
TAKEN_BACK = [
    ("temporary, whole", "START TRANSACTION", "INSERT INTO t VALUES ({0}, 'gone')", "CREATE TEMPORARY TABLE tmp (i INT)",
     "INSERT INTO u VALUES ({0}, 'gone')", "ROLLBACK", "DROP TEMPORARY TABLE IF EXISTS tmp"),
    ("temporary, savepoint", "START TRANSACTION", "INSERT INTO t VALUES ({0}, 'kept')", "SAVEPOINT `s``p`",
     "CREATE TEMPORARY TABLE tmp (i INT)", "INSERT INTO tmp VALUES (1)", "INSERT INTO t VALUES ({1}, 'gone')",
     "UPDATE u SET t = 'gone' WHERE id = 1", "ROLLBACK TO `S``P`", "INSERT INTO t VALUES ({2}, 'kept')", "COMMIT",
     "DROP TEMPORARY TABLE IF EXISTS tmp"),
    ("mixed, whole", "START TRANSACTION", "INSERT INTO t VALUES ({0}, 'gone')", "INSERT INTO m VALUES ({0}, 'stays')",
     "INSERT INTO h VALUES ({0}, 'stays')", "INSERT INTO t VALUES ({1}, 'gone')", "ROLLBACK"),
    ("mixed, savepoints", "START TRANSACTION", "INSERT INTO t VALUES ({0}, 'kept')", "SAVEPOINT a",
     "INSERT INTO m VALUES ({0}, 'stays')", "INSERT INTO t VALUES ({1}, 'gone')", "SAVEPOINT b",
     "INSERT INTO t VALUES ({2}, 'gone')", "INSERT INTO m VALUES ({2}, 'stays')", "ROLLBACK TO b",
     "INSERT INTO t VALUES ({3}, 'gone')", "ROLLBACK TO a", "INSERT INTO t VALUES ({4}, 'kept')",
     "ROLLBACK TO a", "INSERT INTO u VALUES ({4}, 'kept')", "COMMIT"),
    ("one statement for both", "START TRANSACTION", "INSERT INTO t VALUES ({0}, 'kept')", "SAVEPOINT a",
     "UPDATE t, m SET t.t = 'gone', m.t = 'stays{0}' WHERE t.id = {0} AND m.id = 1", "ROLLBACK TO a", "COMMIT"),
    ("direct", "SET binlog_direct_non_transactional_updates = 1", "START TRANSACTION", "INSERT INTO t VALUES ({0}, 'gone')",
     "INSERT INTO m VALUES ({0}, 'stays')", "ROLLBACK", "START TRANSACTION", "INSERT INTO t VALUES ({1}, 'kept')",
     "INSERT INTO m VALUES ({1}, 'stays')", "SAVEPOINT a", "INSERT INTO t VALUES ({2}, 'gone')", "ROLLBACK TO a", "COMMIT",
     "SET binlog_direct_non_transactional_updates = 0"),
    ("savepoint set anew", "START TRANSACTION", "INSERT INTO m VALUES ({0}, 'stays')", "INSERT INTO t VALUES ({0}, 'kept')",
     "SAVEPOINT a", "INSERT INTO t VALUES ({1}, 'kept')", "SAVEPOINT a", "CREATE TEMPORARY TABLE tmp (i INT)",
     "INSERT INTO t VALUES ({2}, 'gone')", "ROLLBACK TO a", "COMMIT", "DROP TEMPORARY TABLE IF EXISTS tmp"),
    ("plain", "START TRANSACTION", "INSERT INTO t VALUES ({0}, 'kept')", "SAVEPOINT a", "INSERT INTO t VALUES ({1}, 'gone')",
     "ROLLBACK TO a", "INSERT INTO t VALUES ({2}, 'kept')", "COMMIT", "START TRANSACTION",
     "INSERT INTO t VALUES ({3}, 'gone')", "ROLLBACK"),
]


@pytest.mark.parametrize("flavor", FLAVORS + ("mysql-9-no-gtids",))
def test_T4_rows_that_are_taken_back(flavor, make_source, make_calve, make_oracle):
    settings = {"gtid_mode": "OFF", "enforce_gtid_consistency": "OFF"} if flavor.endswith("no-gtids") else {}
    source = make_source(flavor.removesuffix("-no-gtids"), **settings)
    tables = mixed_tables(source)
    calve = make_calve(source, options={"commit-interval": "1s"})
    calve.catch_up()
    before = source.position()
    running = calve.start("run")
    running.wait_event("source.connected")
    number = 100
    for _ in range(3):
        for name, *statements in TAKEN_BACK:
            for statement in statements:
                with source.connection.cursor() as cursor:
                    try:
                        cursor.execute(statement.format(*range(number, number + 9)))
                    except pymysql.Error as e:
                        assert e.args[0] == 1785 and settings == {} and source.family == "mysql", (name, e)
            number += 10
            source.sql(f"INSERT INTO u VALUES ({number}, 'plain')")
            number += 10
    assert running.stop().status == 0
    rest = calve.catch_up()
    check(source, calve, make_oracle(source), *tables)
    logged = infos(source, before)
    if source.family == "mariadb":
        assert "ROLLBACK" in logged and "ROLLBACK TO `S``P`" in logged
        # Once in a run: from then on it knows.
        assert max(len(running.events("source.reread")), len(rest.named("source.reread"))) == 1
    # Each once, in the order of the log, and what is gone was never there.
    for table in tables:
        found = ids(calve, source, table)
        assert len(found) == len(set(found)), table
        assert not any('"gone"' in c.payload for c in calve.lake.changes(source.schema, table)), table


@pytest.mark.parametrize("flavor", ["mariadb-10.11", "mariadb-11.8"])
def test_T4_large_transactions_that_are_taken_back(flavor, make_source, make_calve, make_oracle):
    """Too large to wait in memory: reading goes back for each, and each is taken back all the same."""
    source = make_source(flavor)
    tables = mixed_tables(source)
    calve = make_calve(source, options={"commit-interval": "10m", "memory-max": "64MiB"})
    calve.catch_up()
    for n in range(3):
        source.sql(f"INSERT INTO u VALUES ({100 + n}, 'plain')",
                   "START TRANSACTION", many_rows("t", 1_000_000, 60_000), "CREATE TEMPORARY TABLE tmp (i INT)",
                   "ROLLBACK", "DROP TEMPORARY TABLE IF EXISTS tmp",
                   "START TRANSACTION", many_rows("t", 2_000_000 + n * 100_000, 20_000), "SAVEPOINT a",
                   "CREATE TEMPORARY TABLE tmp (i INT)", many_rows("u", 2_000_000 + n * 100_000, 20_000), "ROLLBACK TO a",
                   f"INSERT INTO u VALUES ({200 + n}, 'kept')", "COMMIT", "DROP TEMPORARY TABLE IF EXISTS tmp")
    result = calve.catch_up()
    assert len(result.named("source.reread")) == 6
    check(source, calve, make_oracle(source), *tables)
    assert len(ids(calve, source, "t")) == 60_000
    assert ids(calve, source, "u") == [100, 200, 101, 201, 102, 202]


@pytest.mark.parametrize("flavor", FLAVORS)
def test_T4_xa_with_savepoints(flavor, xa_source, make_calve, make_oracle):
    source = xa_source(flavor)
    two_tables(source)
    calve = make_calve(source)
    calve.catch_up()
    temporary = ["CREATE TEMPORARY TABLE tmp (i INT)"] if source.family == "mariadb" else []
    prepare(source, "'x1'", "INSERT INTO a VALUES (10, 'kept')", "SAVEPOINT s", *temporary,
            "INSERT INTO a VALUES (11, 'gone')", "INSERT INTO b VALUES (11, 'gone')", "ROLLBACK TO s",
            "INSERT INTO a VALUES (12, 'kept')")
    calve.catch_up()
    end_xa(source, "COMMIT", "'x1'")
    calve.catch_up()
    check(source, calve, make_oracle(source), "a", "b")
    assert ids(calve, source, "a") == [10, 12]


@pytest.mark.parametrize("flavor", FLAVORS)
def test_T4_temporary_tables_and_empty_transactions(flavor, make_source, make_calve, make_oracle):
    """A temporary table of a followed table's name is another table; what holds no rows still moves the position."""
    source = make_source(flavor)
    two_tables(source)
    calve = make_calve(source, options={"watermark-interval": "1s"})
    calve.catch_up()
    source.sql("CREATE TEMPORARY TABLE a (id INT PRIMARY KEY, t VARCHAR(200))", "INSERT INTO a VALUES (1, 'temporary')",
               "UPDATE a SET t = 'still'", "DELETE FROM a", "INSERT INTO b VALUES (1, 'real')", "DROP TEMPORARY TABLE a",
               "INSERT INTO a VALUES (2, 'real')")
    calve.catch_up()
    check(source, calve, make_oracle(source), "a", "b")
    if source.family == "mysql":
        uuid = source.value("SELECT @@server_uuid")
        for n in range(1000, 1020):
            source.sql(f"SET gtid_next = '{uuid}:{n}'", "BEGIN", "COMMIT")
        source.sql("SET gtid_next = 'AUTOMATIC'")
    source.sql("START TRANSACTION", "COMMIT", "START TRANSACTION", "INSERT INTO a VALUES (3, 'gone')", "ROLLBACK",
               "CREATE TABLE elsewhere (id INT PRIMARY KEY)", "INSERT INTO elsewhere VALUES (1)", "DROP TABLE elsewhere")
    calve.catch_up()
    end = source.position()
    for table in ("a", "b"):
        row = calve.lake.watermarks()[source.schema, table]
        assert (row["log_file"], row["log_position"]) == end, (row, end)
    source.sql("INSERT INTO a VALUES (4, 'real')")
    calve.catch_up()
    if source.family == "mysql":
        assert "1000-1019" in calve.lake.checkpoint(source.schema, "a")["gtid"]
    check(source, calve, make_oracle(source), "a", "b")
