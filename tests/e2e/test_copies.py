"""Copies that are made while the source is written to, of tables with and without a key."""

import threading
import time

import pytest

from lake import replay, replay_multiset
from source import FLAVORS

SECONDS = 2.0


class Writers:
    """Threads that write until they are told to stop."""

    def __init__(self, source, *jobs):
        self._source = source
        self._stop = threading.Event()
        self._errors = []
        self.transactions = 0
        self._threads = [threading.Thread(target=self._run, args=(job,)) for job in jobs]

    def _run(self, job):
        try:
            with self._source.session() as connection, connection.cursor() as cursor:
                number = 0
                while not self._stop.is_set():
                    number += 1
                    for statement in job(number):
                        cursor.execute(statement)
                    self.transactions += 1
        except Exception as e:  # pylint: disable=broad-except
            self._errors.append(e)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert not self._errors, self._errors


def keyed(number):
    """Rows that come, change and go."""
    first = number * 10
    yield "START TRANSACTION"
    yield f"INSERT INTO keyed VALUES {','.join(f'({first + i}, {number})' for i in range(5))}"
    yield f"UPDATE keyed SET v = v + 1000000 WHERE id BETWEEN {first - 40} AND {first - 38}"
    yield f"UPDATE keyed SET v = v + 1 WHERE id = -{number % 1000}"
    yield f"DELETE FROM keyed WHERE id = {first - 19}"
    yield f"DELETE FROM keyed WHERE id = -{1000 + number}"
    yield "COMMIT"


def keyless(number):
    """The same row many times over."""
    yield "START TRANSACTION"
    yield f"INSERT INTO keyless VALUES (1, 'same'), (1, 'same'), ({number}, NULL), (NULL, NULL)"
    yield f"DELETE FROM keyless WHERE a = 1 AND b = 'same' LIMIT {number % 3}"
    yield f"DELETE FROM keyless WHERE a = {number - 3}"
    yield "COMMIT"


def make_tables(source):
    source.sql("CREATE TABLE keyed (id INT PRIMARY KEY, v INT)", "CREATE TABLE keyless (a INT, b VARCHAR(10))")
    digits = " UNION ".join(f"SELECT {i}" + (" i" if i == 0 else "") for i in range(10))
    source.sql("INSERT INTO keyed WITH x AS (" + digits + ") SELECT -(a.i + b.i * 10 + c.i * 100 + d.i * 1000 + e.i * 10000), 0"
               " FROM x a, x b, x c, x d, x e",
               "INSERT INTO keyless WITH x AS (" + digits + ") SELECT a.i, 'old' FROM x a, x b, x c, x d")


@pytest.mark.parametrize("flavor, settings", [(f, {}) for f in FLAVORS] + [("mysql-9", {"binlog_order_commits": "OFF"})],
                         ids=[*FLAVORS, "mysql-9-commits-out-of-order"])
def test_T11_copies_under_load(flavor, settings, make_source, make_calve, make_oracle):
    source = make_source(flavor, **settings)
    make_tables(source)
    calve = make_calve(source)
    with Writers(source, keyed, keyless) as writers:
        running = calve.start("run")
        running.wait_event("source.connected")
        time.sleep(SECONDS / 2)
    assert writers.transactions > 50
    running.stop()
    calve.catch_up()
    check(source, calve, make_oracle(source))


def check(source, calve, oracle):
    changes = calve.lake.changes(source.schema, "keyed")
    assert replay(changes, copied_under_load=True) == oracle.by_key(source.schema, "keyed")
    changes = calve.lake.changes(source.schema, "keyless")
    found = replay_multiset(changes)
    expected = {}
    for payload in oracle.rows(source.schema, "keyless", order=None):
        expected[payload] = expected.get(payload, 0) + 1
    assert found == expected
    kinds = {c.event_type for c in changes}
    assert {"backfill", "insert", "delete"} <= kinds


def test_T11_copies_under_load_without_gtids(make_source, make_calve, make_oracle):
    source = make_source("mysql-9", gtid_mode="OFF", enforce_gtid_consistency="OFF")
    make_tables(source)
    calve = make_calve(source)
    with Writers(source, keyed):
        running = calve.start("run", exclude_table=f"{source.schema}.keyless")
        running.wait_event("source.connected")
        time.sleep(SECONDS / 2)
    running.stop()
    source.sql(*keyless(1), *keyless(2))
    calve.catch_up()
    source.sql(*keyless(3), *keyless(7))
    calve.catch_up()
    check(source, calve, make_oracle(source))


def test_copies_of_many_tables_at_once(make_source, make_calve, make_oracle):
    source = make_source("mysql-9")
    for i in range(12):
        source.sql(f"CREATE TABLE t{i} (id INT PRIMARY KEY, v INT)",
                   f"INSERT INTO t{i} VALUES {','.join(f'({n}, {i})' for n in range(i * 50 + 1))}")
    calve = make_calve(source)

    def job(number):
        yield f"UPDATE t{number % 12} SET v = {number} WHERE id = 0"

    with Writers(source, job):
        calve.ok("run", until="current", backfill_workers=4)
    calve.catch_up()
    oracle = make_oracle(source)
    for i in range(12):
        changes = calve.lake.changes(source.schema, f"t{i}")
        assert replay(changes, copied_under_load=True) == oracle.by_key(source.schema, f"t{i}")
        assert sum(c.event_type == "backfill" for c in changes) == i * 50 + 1
