"""A write load over two tables with a key and one without, the kills that fall into it, and the judge of both.

Tables a, b and log. Each transaction has a number of its own in every row that it writes.
"""

import collections
import json
import random
import threading
import time

import pymysql

from lake import check_transactions_whole, position_of, replay, replay_multiset

TABLES = ("a", "b", "log")


def make_tables(source, rows):
    """rows: {"a": n, "b": n}, as many as are there at first."""
    for table in "ab":
        source.sql(f"CREATE TABLE {table} (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, "
                   "txn BIGINT NOT NULL, note VARCHAR(100))")
        source.sql(f"INSERT INTO {table} (txn, note) SELECT 0, REPEAT('y', 20) FROM "
                   "(WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 800) "
                   f"SELECT 1 FROM n AS p, n AS q LIMIT {rows[table]}) AS many")
    source.sql("CREATE TABLE log (txn BIGINT, what VARCHAR(10))")  # no key


class Load(threading.Thread):
    """Transactions over all tables. first: its first number; two loads share the numbers.

    gate: called before each transaction; may wait, as long as `stopping` is not set.
    """

    def __init__(self, source, seed, rows, first=1, gate=None):
        super().__init__(daemon=True)
        self.connection = source.session(autocommit=False)
        self.random = random.Random(seed)
        self.rows = rows
        self.next = first
        self.gate = gate or (lambda load: time.sleep(load.random.random() * 0.01))
        self.written = {}  # transaction: rows inserted or updated, in tables with a key
        self.deleted = collections.Counter()  # (table, id)
        self.stopping = threading.Event()
        self.error = None

    def transaction(self, cursor):
        number, written, deleted = self.next, 0, []
        self.next += 2
        for _ in range(self.random.randint(1, 6)):
            table = self.random.choice("ab")
            kind = self.random.random()
            if kind < 0.5:
                rows = self.random.randint(1, 20)
                values = ",".join(f"({number}, '{'x' * self.random.randint(0, 60)}')" for _ in range(rows))
                cursor.execute(f"INSERT INTO {table} (txn, note) VALUES {values}")
                written += rows
            elif kind < 0.85:
                start = self.random.randint(1, self.rows[table])
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
                    self.gate(self)
                    try:
                        self.transaction(cursor)
                    except pymysql.OperationalError as e:
                        if e.args[0] not in (1205, 1213):  # deadlock of two loads
                            raise
                        self.connection.rollback()
        except BaseException as e:  # pylint: disable=broad-except
            self.error = e
        finally:
            self.connection.close()

    def end(self):
        self.stopping.set()
        self.join(60)
        assert not self.is_alive() and self.error is None, self.error


def die_soon(calve, dice):
    """A run that is killed after a while by the dice."""
    run = calve.start("run")
    time.sleep(dice.choice((0.4, 0.8, 1.4)) * dice.random())
    run.kill9()
    return run


def kill_under_load(source, dice, rows, lake, kills, die):
    """Two loads write meanwhile. die: starts a run and kills it. Returns the loads, and where the kills fell: what the
    log said last."""
    loads = [Load(source, dice.random(), rows, first) for first in (1, 2)]
    for load in loads:
        load.start()
    try:
        return loads, _kill_often(lake, kills, die)
    finally:
        for load in loads:
            load.end()


def _kill_often(lake, kills, die):
    places = collections.Counter()
    marks = {}
    for _ in range(kills):
        events = die().events()
        places[events[-1]["event"] if events else "start"] += 1
        for table, row in lake.watermarks().items():
            now = position_of(row)
            assert now >= marks.get(table, now), f"{table} moved back from {marks[table]} to {now}"
            marks[table] = now
    return places


# ---- the judge ---------------------------------------------------------------------------------


def _position(change):
    return position_of({"log_file": change.log_file, "log_position": change.log_position})


def check_rows(source, changes, copied_under_load):
    """The changes, {table: [Change]}, lead to what SELECT has now."""
    for table in "ab":
        rows = source.sql(f"SELECT id, txn, note FROM {table}")
        state = replay(changes[table], copied_under_load=copied_under_load)
        expected = {(i,): {"id": i, "txn": x, "note": n} for i, x, n in rows}
        assert {k: json.loads(v) for k, v in state.items()} == expected
    rows = collections.Counter(source.sql("SELECT txn, what FROM log"))
    state = replay_multiset(changes["log"])
    assert {tuple(json.loads(p).values()): n for p, n in state.items()} == rows


def check_events(changes, loads):
    """Every event once: by transaction for rows written, by id for rows deleted. Returns how many."""
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
    assert max(deleted.values(), default=1) == 1, [k for k, n in deleted.items() if n > 1][:5]
    expected = {k: v for load in loads for k, v in load.written.items() if v > 0}
    wrong = {t: (n, expected.get(t)) for t, n in written.items() if n != expected.get(t)}
    # A transaction that lies between the marks of two copies is followed in one of the two tables.
    marks = [_position(c) for t in "ab" for c in changes[t][:1]]
    between = {json.loads(c.payload)["txn"] for rows in events.values() for c in rows
               if min(marks) <= _position(c) <= max(marks)}
    wrong = {t: n for t, n in wrong.items() if t not in between}
    assert not wrong, f"events are missing or double: {dict(list(wrong.items())[:5])}"
    return sum(written.values()) + sum(deleted.values())


def check_order(changes):
    """Transactions are whole, in one snapshot each, and stand in the order of the binlog."""
    for table, rows in changes.items():
        followed = [c for c in rows if c.event_type != "backfill"]
        # A deleted row's number is that of the transaction that wrote it.
        check_transactions_whole([c for c in followed if c.event_type != "delete"])
        positions = [_position(c) for c in followed]
        assert positions == sorted(positions), f"{table}: a later snapshot has an earlier change"


def check_watermarks(lake):
    """No row ever moved back."""
    last = {}
    for _, rows in lake.watermark_history():
        for table, row in rows.items():
            assert position_of(row) >= last.get(table, (-1, 0)), table
            last[table] = position_of(row)
