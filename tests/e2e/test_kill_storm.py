"""kill -9 at any moment of copy and commit, under a write load: nothing is lost, nothing doubled.

The storm's dice are printed; CALVE_TEST_SEED=N throws them again, CALVE_TEST_KILLS=N throws more.
"""

import collections
import json
import os
import random
import threading
import time

import pymysql
import pytest

from lake import local_path, position_of, replay, replay_multiset

KILLS = int(os.environ.get("CALVE_TEST_KILLS", "60"))
ROWS = {"a": 500_000, "b": 150_000}  # enough that kills fall into the copy
TABLES = ("a", "b", "log")


class Load(threading.Thread):
    """Transactions over all tables, each with a number of its own in every row it writes."""

    def __init__(self, source, seed, first):
        super().__init__(daemon=True)
        self.connection = source.session(autocommit=False)
        self.random = random.Random(seed)
        self.next = first
        self.written = {}  # transaction: rows inserted or updated, in tables with a key
        self.deleted = collections.Counter()  # (table, id)
        self.stopping = threading.Event()
        self.error = None

    def transaction(self, cursor):
        number, written, deleted = self.next, 0, []
        self.next += 2  # two threads share the numbers
        for _ in range(self.random.randint(1, 6)):
            table = self.random.choice("ab")
            kind = self.random.random()
            if kind < 0.5:
                rows = self.random.randint(1, 20)
                values = ",".join(f"({number}, '{'x' * self.random.randint(0, 60)}')" for _ in range(rows))
                cursor.execute(f"INSERT INTO {table} (txn, note) VALUES {values}")
                written += rows
            elif kind < 0.85:
                start = self.random.randint(1, ROWS[table])
                written += cursor.execute(
                    f"UPDATE {table} SET txn = {number} WHERE id BETWEEN {start} AND {start + 3}")
            else:
                cursor.execute(f"SELECT id FROM {table} ORDER BY id DESC LIMIT 3 FOR UPDATE")
                ids = [r[0] for r in cursor.fetchall()]
                if ids:
                    cursor.execute(f"DELETE FROM {table} WHERE id IN ({','.join(map(str, ids))})")
                    deleted += [(table, i) for i in ids]
        cursor.execute(f"INSERT INTO log VALUES ({number}, 'again'), ({number}, 'again')")
        self.connection.commit()
        self.written[number] = written
        self.deleted.update(deleted)

    def run(self):
        try:
            with self.connection.cursor() as cursor:
                while not self.stopping.is_set():
                    try:
                        self.transaction(cursor)
                    except pymysql.OperationalError as e:
                        if e.args[0] not in (1205, 1213):  # deadlock of the two threads
                            raise
                        self.connection.rollback()
                    time.sleep(self.random.random() * 0.01)
        except BaseException as e:  # pylint: disable=broad-except
            self.error = e
        finally:
            self.connection.close()

    def end(self):
        self.stopping.set()
        self.join(60)
        assert self.error is None, self.error


def make_tables(source):
    for table in "ab":
        source.sql(f"CREATE TABLE {table} (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, "
                   "txn BIGINT NOT NULL, note VARCHAR(100))")
        source.sql(f"INSERT INTO {table} (txn, note) SELECT 0, REPEAT('y', 20) FROM "
                   "(WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 800) "
                   f"SELECT 1 FROM n AS p, n AS q LIMIT {ROWS[table]}) AS many")
    source.sql("CREATE TABLE log (txn BIGINT, what VARCHAR(10))")  # no key


def check_events(changes, loads):
    """Every event once: by transaction for rows written, by id for rows deleted."""
    events = {t: [c for c in changes[t] if c.event_type != "backfill"] for t in "ab"}
    written = collections.Counter()
    deleted = collections.Counter()
    for table, rows in events.items():
        for c in rows:
            row = json.loads(c.payload)
            if c.event_type == "delete":
                deleted[table, row["id"]] += 1
            else:
                written[row["txn"]] += 1
    assert max(deleted.values()) == 1, [k for k, n in deleted.items() if n > 1][:5]
    expected = {k: v for load in loads for k, v in load.written.items() if v > 0}
    wrong = {t: (n, expected.get(t)) for t, n in written.items() if n != expected.get(t)}
    # A transaction that lies between the marks of two copies is followed in one of the two tables.
    marks = [position_of({"log_file": c.log_file, "log_position": c.log_position})
             for t in "ab" for c in changes[t][:1]]
    between = {json.loads(c.payload)["txn"] for rows in events.values() for c in rows
               if min(marks) <= position_of({"log_file": c.log_file, "log_position": c.log_position})
               <= max(marks)}
    wrong = {t: n for t, n in wrong.items() if t not in between}
    assert not wrong, f"events are missing or double: {dict(list(wrong.items())[:5])}"
    return sum(written.values()) + sum(deleted.values())


def storm(calve, dice, kills):
    """Starts and kills; what the log said last tells where each kill fell."""
    places = collections.Counter()
    marks = {}
    for _ in range(kills):
        run = calve.start("run")
        time.sleep(dice.choice((0.4, 0.8, 1.4)) * dice.random())
        run.kill9()
        events = run.events()
        places[events[-1]["event"] if events else "start"] += 1
        for table, row in calve.lake.watermarks().items():
            now = position_of(row)
            assert now >= marks.get(table, now), f"{table} moved back from {marks[table]} to {now}"
            marks[table] = now
    return places


@pytest.mark.timeout(600)
@pytest.mark.parametrize("flavor,kills", [("mysql-9", KILLS), ("mariadb-11.8", max(KILLS // 4, 1))])
def test_kill_storm(flavor, kills, make_source, make_calve):
    seed = int(os.environ.get("CALVE_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"CALVE_TEST_SEED={seed}")
    dice = random.Random(seed)
    source = make_source(flavor)
    make_tables(source)
    calve = make_calve(source, options={"commit-interval": "100ms"})
    loads = [Load(source, dice.random(), first) for first in (1, 2)]
    for load in loads:
        load.start()
    try:
        places = storm(calve, dice, kills)
    finally:
        for load in loads:
            load.end()
    print(f"kills by the last log line before them: {dict(places)}")
    calve.catch_up(timeout=180)

    changes = {t: calve.lake.changes(source.schema, t) for t in TABLES}
    for table in "ab":
        rows = source.sql(f"SELECT id, txn, note FROM {table}")
        state = replay(changes[table], copied_under_load=True)
        expected = {(i,): {"id": i, "txn": x, "note": n} for i, x, n in rows}
        assert {k: json.loads(v) for k, v in state.items()} == expected
    rows = collections.Counter(source.sql("SELECT txn, what FROM log"))
    state = replay_multiset(changes["log"])
    assert {tuple(json.loads(p).values()): n for p, n in state.items()} == rows
    total = check_events(changes, loads)
    print(f"{total} events of {sum(len(load.written) for load in loads)} transactions")

    for table in TABLES:
        orphans = calve.lake.check_files(source.schema, table)
        assert all(p.suffix in (".parquet", ".avro", ".json") for p in orphans), orphans
        print(f"{table}: {len(orphans)} orphans")
    last = {}
    for _, rows in calve.lake.watermark_history():
        for table, row in rows.items():
            assert position_of(row) >= last.get(table, (-1, 0)), table
            last[table] = position_of(row)
    assert local_path(calve.lake.table(source.schema, "a").location()).exists()
