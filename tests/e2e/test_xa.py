"""XA transactions, transactions that are rolled back in part, temporary tables, empty transactions.

T3: prepare, commit and rollback over restarts and binlog files, and in one phase. T4: ROLLBACK as an
end, ROLLBACK TO a savepoint, engines mixed, temporary tables, empty transactions.
"""

import contextlib
import json
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
        source = make_source(flavor, **{"max-connections": 200 + len(made), **settings})
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
    branch.prepare(xid, *statements)
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
def test_t3_prepare_then_commit_or_rollback(flavor, xa_source, make_calve, make_oracle):
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
