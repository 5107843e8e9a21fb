"""Other servers: failover to a replica, servers that lack or have lost something, several hosts."""

import contextlib
import re
import threading
import time

import pymysql
import pytest

from lake import replay
from source import Replica, Source, unique_number

MEMBERS = ("mysql-9", "mariadb-11.8")


@pytest.fixture
def make_pair():
    """make_pair("mysql-9"): a primary with a schema, and a replica of it; both end with the test."""
    made = []

    def make(flavor, **settings):
        pair = Replica.pair(flavor, **settings)
        made.append(pair)
        return pair

    yield make
    for pair in made:
        pair.remove()


class Load:
    """Threads that write all the time to whichever server is the primary, and note what was committed."""

    def __init__(self, pair, tables, threads=2):
        self.pair = pair
        self.tables = tables
        self.done = False
        self.written = 0
        self._threads = [threading.Thread(target=self._write, args=(i,), daemon=True) for i in range(threads)]
        for thread in self._threads:
            thread.start()

    def _write(self, number):
        n = 0
        while not self.done:
            try:
                connection = self.pair.primary.connect(database=self.pair.schema, connect_timeout=2)
            except pymysql.Error:
                time.sleep(0.05)
                continue
            with contextlib.suppress(pymysql.Error), contextlib.closing(connection), connection.cursor() as cursor:
                while not self.done:
                    n += 1
                    self._transaction(cursor, number * 10_000_000 + n)
                    self.written += 1

    def _transaction(self, cursor, key):
        cursor.execute("BEGIN")
        for table in self.tables:
            cursor.execute(f"INSERT INTO {table} VALUES ({key}, 0, 'new')")
            cursor.execute(f"UPDATE {table} SET n = n + 1 WHERE id = {key}")
            if key % 3 == 0:
                cursor.execute(f"DELETE FROM {table} WHERE id = {key}")
        cursor.execute("COMMIT")

    def wait(self, more):
        goal = self.written + more
        end = time.monotonic() + 60
        while self.written < goal:
            assert time.monotonic() < end, "the writers are stuck"
            time.sleep(0.01)

    def stop(self):
        self.done = True
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()


def make_tables(pair, *names):
    for name in names:
        pair.sql(f"CREATE TABLE {name} (id INT PRIMARY KEY, n INT NOT NULL, s VARCHAR(20))",
                 f"INSERT INTO {name} VALUES (-1, 0, 'first')")


def check_equal(pair, calve, make_oracle, *tables):
    """Every row of the lake is the source's, and every change came once."""
    oracle = make_oracle(pair.source())
    for table in tables:
        changes = calve.lake.changes(pair.schema, table)
        assert sorted(replay(changes, copied_under_load=True).values()) == sorted(oracle.rows(pair.schema, table))
        seen = set()
        for change in changes:
            if change.event_type == "insert" and change.log_file:
                assert change.payload not in seen or '"id":-' in change.payload, f"twice: {change}"
                seen.add(change.payload)


def caught_up(pair, running, calve, tables):
    """Waits until the lake has all that the primary has."""
    goal = pair.count(tables)
    end = time.monotonic() + 60
    while True:
        have = [len(replay(calve.lake.changes(pair.schema, t), copied_under_load=True)) for t in tables]
        if have == goal:
            return
        assert running.alive(), running.log()
        assert time.monotonic() < end, f"{have} of {goal}:\n{running.log()}"
        time.sleep(0.2)


@pytest.mark.parametrize("flavor", MEMBERS)
def test_drill(flavor, make_pair, make_calve, make_oracle):
    """The primary dies under load, the replica takes over, and calve goes on there by itself."""
    pair = make_pair(flavor)
    make_tables(pair, "a", "b")
    calve = pair.calve(make_calve)
    old = pair.primary
    load = Load(pair, ("a", "b"))
    running = calve.start("run")
    running.wait_event("cut.committed", count=3)
    load.wait(200)
    pair.kill_and_promote()
    changed = running.wait_event("source.changed")
    load.wait(200)
    load.stop()
    caught_up(pair, running, calve, ("a", "b"))
    assert changed["port"] == pair.primary.port
    result = running.stop()
    assert result.status == 0, result
    check_equal(pair, calve, make_oracle, "a", "b")
    # The place is the new server's, in the tables and in the watermarks.
    checkpoint = calve.lake.checkpoint(pair.schema, "a")
    assert checkpoint["source"] == changed["to"] != changed["from"]
    marks = calve.lake.watermarks()
    assert {marks[pair.schema, t]["log_file"] for t in ("a", "b")} <= set(pair.source().binlog_files())
    # And a start finds it.
    pair.sql("INSERT INTO a VALUES (-2, 7, 'after')")
    result = calve.catch_up()
    assert not result.named("source.changed") and '"id":-2' in "".join(calve.lake.payloads(pair.schema, "a")), result
    check_equal(pair, calve, make_oracle, "a", "b")
    assert not old.running()


@pytest.mark.parametrize("flavor", MEMBERS)
def test_failover_between_runs(flavor, make_pair, make_calve, make_oracle):
    """Tables that stand at different places of the old server; also one that only moved its watermark."""
    pair = make_pair(flavor)
    make_tables(pair, "a", "b", "idle")
    calve = pair.calve(make_calve)
    calve.catch_up()
    for i in range(10):
        pair.sql(f"INSERT INTO a VALUES ({i}, 0, 'x')", f"INSERT INTO b VALUES ({i}, 0, 'x')")
    calve.catch_up(table=f"{pair.schema}.a")  # ahead of the others
    pair.sql("INSERT INTO b VALUES (100, 0, 'only b')")
    calve.catch_up(table=f"{pair.schema}.b")
    for i in range(10, 20):
        pair.sql(f"INSERT INTO a VALUES ({i}, 0, 'x')", f"INSERT INTO b VALUES ({i}, 0, 'x')")
    pair.kill_and_promote()
    pair.sql("INSERT INTO a VALUES (1000, 0, 'new')", "INSERT INTO idle VALUES (1000, 0, 'new')")
    result = calve.catch_up()
    assert result.named("source.connected"), result
    check_equal(pair, calve, make_oracle, "a", "b", "idle")
    calve.catch_up()
    check_equal(pair, calve, make_oracle, "a", "b", "idle")
    history = [len(calve.lake.changes(pair.schema, t)) for t in ("a", "b", "idle")]
    calve.catch_up()
    assert history == [len(calve.lake.changes(pair.schema, t)) for t in ("a", "b", "idle")]
