"""The changelog replayed in order is the source; no snapshot ends inside a transaction."""

import collections
import json
import threading

import pyarrow.compute as pc
import pytest

from lake import check_transactions_whole, duckdb_connect, file_number, local_path, read_parquet, replay
from source import FLAVORS

ACCOUNTS, START_BALANCE = 50, 1000
TINY = 20_000
BIG = 2_000_000
MEMORY_KIB = 256 * 1024

KEYS = {"checking": ("id",), "savings": ("id",), "journal": ("txn", "part")}

# Transfers of random amounts inside one table, and between two. Every row that a transaction writes
# carries its number. Each caller has accounts of its own, so that none waits for another.
TRANSFERS = """
CREATE PROCEDURE transfers(least INT, most INT, first_account INT)
BEGIN
  DECLARE t INT DEFAULT least;
  WHILE t <= most DO
    SET @a = FLOOR(first_account + RAND() * 25), @b = FLOOR(first_account + RAND() * 25),
        @x = FLOOR(1 + RAND() * 9);
    START TRANSACTION;
    UPDATE checking SET balance = balance - @x, txn = t WHERE id = @a;
    IF t % 10 = 0 THEN
      UPDATE savings SET balance = balance + @x, txn = t WHERE id = @b;
      INSERT INTO journal VALUES (t, 0, -@x), (t, 1, @x);
    ELSEIF t % 10 = 5 THEN
      UPDATE checking c JOIN savings s ON s.id = @b SET c.balance = c.balance + 2 * @x, c.txn = t,
             s.balance = s.balance - @x, s.txn = t WHERE c.id = @a;
    ELSE
      UPDATE checking SET balance = balance + @x, txn = t WHERE id = @b;
    END IF;
    IF t % 17 = 0 THEN ROLLBACK; ELSE COMMIT; END IF;
    SET t = t + 1;
  END WHILE;
END"""


def make_accounts(source):
    accounts = ", ".join(f"({i}, {START_BALANCE}, 0)" for i in range(1, ACCOUNTS + 1))
    for name in ("checking", "savings"):
        source.sql(f"CREATE TABLE {name} (id INT PRIMARY KEY, balance INT NOT NULL, txn INT NOT NULL)",
                   f"INSERT INTO {name} VALUES {accounts}")
    source.sql("CREATE TABLE journal (txn INT, part INT, amount INT, PRIMARY KEY (txn, part))", TRANSFERS)


def states_by_cut(lake, schema, table):
    """[((file number, position) of a cut, state of the table after it)] in order, from its snapshots."""
    cuts = {s.sequence_number: (file_number(s.summary["calve.file"]), int(s.summary["calve.pos"]))
            for s in lake.table(schema, table).snapshots()}
    by_sequence = collections.defaultdict(list)
    for change in lake.changes(schema, table):
        by_sequence[change.sequence].append(change)
    assert set(by_sequence) <= set(cuts)
    state, found = {}, []
    for sequence in sorted(cuts):
        for c in by_sequence[sequence]:
            key = tuple(json.loads(c.payload)[n] for n in KEYS[table])
            assert (key in state) == (c.event_type == "update"), c
            state[key] = c.payload
        found.append((cuts[sequence], dict(state)))
    return found


def total(state, field):
    return sum(json.loads(p)[field] for p in state.values())


def check_balances(lake, schema):
    """Money is neither lost nor made in any state that a reader can see; returns how many there were."""
    for _, state in states_by_cut(lake, schema, "journal"):
        assert total(state, "amount") == 0 and len(state) % 2 == 0
    # At the end of a cut the two tables agree, although each has snapshots of its own.
    steps = {n: states_by_cut(lake, schema, n) for n in ("checking", "savings")}
    cuts = sorted({cut for history in steps.values() for cut, _ in history})
    for cut in cuts[1:]:
        money = 0
        for history in steps.values():
            seen = [state for at, state in history if at <= cut]
            money += total(seen[-1], "balance")
        assert money == 2 * ACCOUNTS * START_BALANCE, f"at {cut}"
    return len(cuts)


def call(source, statement):
    """A thread that runs a statement; join() raises what it raised."""
    class Caller(threading.Thread):
        error = None

        def run(self):
            try:
                with source.session() as connection, connection.cursor() as cursor:
                    cursor.execute(statement)
            except Exception as e:  # pylint: disable=broad-except
                self.error = e

        def join(self, timeout=None):
            super().join(timeout)
            if self.error is not None:
                raise self.error

    caller = Caller()
    caller.start()
    return caller


@pytest.mark.parametrize("flavor", ["mysql-9", "mariadb-11.8"])
def test_many_tiny_transactions(flavor, make_source, make_calve, make_oracle):
    source = make_source(flavor)
    make_accounts(source)
    calve = make_calve(source, options={"commit-interval": "100ms", "snapshots-keep-count": 10000})
    running = calve.start("run")
    running.wait_event("source.connected")
    half = TINY // 2
    callers = [call(source, f"CALL transfers(1, {half}, 1)"), call(source, f"CALL transfers({half + 1}, {TINY}, 26)")]
    for caller in callers:
        caller.join()
    running.stop()
    calve.catch_up()

    oracle = make_oracle(source)
    for name, key in KEYS.items():
        changes = calve.lake.changes(source.schema, name)
        assert replay(changes, key) == oracle.by_key(source.schema, name, key), name
        assert check_transactions_whole(changes) > TINY // 20
    assert check_balances(calve.lake, source.schema) > 5


def insert_big(table, count):
    digits = " UNION ".join(f"SELECT {i}" + (" i" if i == 0 else "") for i in range(16))
    number = "a.i + b.i * 16 + c.i * 256 + d.i * 4096 + e.i * 65536 + f.i * 1048576"
    return (f"INSERT INTO {table} WITH x AS ({digits}) SELECT {number}, ({number}) * 7 % 1000"
            f" FROM x f, x e, x d, x c, x b, x a WHERE f.i < 2 AND {number} < {count}")


def check_big(lake, schema, table, count):
    """Every row once, its bytes as they should be, positions in order; returns the snapshots they are in."""
    entries = lake.entries(schema, table)
    paths = [str(local_path(e.data_file.file_path)) for _, _, e in entries]
    with duckdb_connect() as connection:
        found = connection.execute(
            "SELECT count(*), count(DISTINCT id), min(id), max(id),"
            " bool_and(payload = '{\"id\":' || id || ',\"v\":' || (id * 7 % 1000) || '}'), min(event_type),"
            " max(event_type) FROM (SELECT *, CAST(payload->'id' AS BIGINT) id FROM read_parquet($1))",
            [paths]).fetchone()
    assert found == (count, count, 0, count - 1, True, "insert", "insert")
    for path in paths:
        positions = read_parquet(path).column("log_position").combine_chunks()
        assert pc.all(pc.less_equal(positions[:-1], positions[1:])).as_py() is not False
    return {sequence for sequence, _, _ in entries}


@pytest.mark.parametrize("flavor", ["mysql-9", "mariadb-11.8"])
def test_transaction_of_two_million_rows(flavor, make_source, make_calve):
    source = make_source(flavor)
    source.sql("CREATE TABLE big (id INT PRIMARY KEY, v INT NOT NULL)",
               "CREATE TABLE small (id INT PRIMARY KEY, v INT NOT NULL)")
    calve = make_calve(source)
    running = calve.start("run")
    running.wait_event("source.connected")
    source.sql("START TRANSACTION", "INSERT INTO small VALUES (1, 1)", insert_big("big", BIG),
               "INSERT INTO small VALUES (2, 2)", "COMMIT")
    running.wait_event("cut.committed", where=lambda e: e["rows_total"] >= BIG)
    assert running.stop().status == 0
    assert len(check_big(calve.lake, source.schema, "big", BIG)) == 1
    small = calve.lake.changes(source.schema, "small")
    assert [json.loads(c.payload)["id"] for c in small] == [1, 2]
    assert len({c.sequence for c in small}) == 1
    assert 0 < running.peak_kib <= MEMORY_KIB


def test_compressed_transactions(make_source, make_calve, make_oracle):
    """One event holds the whole transaction."""
    source = make_source("mysql-9")
    source.sql("CREATE TABLE big (id INT PRIMARY KEY, v INT NOT NULL)",
               "CREATE TABLE items (id INT PRIMARY KEY, t VARCHAR(200), txn INT)",
               "CREATE TABLE other (id INT PRIMARY KEY, t TEXT, txn INT)")
    calve = make_calve(source)
    running = calve.start("run")
    running.wait_event("source.connected")
    source.sql("SET SESSION binlog_transaction_compression=ON", insert_big("big", 300_000))
    for txn in range(1, 60):
        compressed = "OFF" if txn % 4 == 0 else "ON"
        values = ", ".join(f"({txn * 100 + i}, REPEAT('{i}', 50), {txn})" for i in range(80))
        source.sql(f"SET SESSION binlog_transaction_compression={compressed}", "START TRANSACTION",
                   f"INSERT INTO items VALUES {values}", f"INSERT INTO other VALUES ({txn}, 'x', {txn})",
                   f"UPDATE items SET t = CONCAT(t, '!'), txn = {txn} WHERE id < 500",
                   f"DELETE FROM items WHERE id = {txn * 100 + 7}", "COMMIT")
    running.stop()
    calve.catch_up()

    kinds = {r[2] for f in source.binlog_files() for r in source.binlog_events(f)}
    assert "Transaction_payload" in kinds
    oracle = make_oracle(source)
    for name in ("items", "other"):
        changes = calve.lake.changes(source.schema, name)
        assert replay(changes) == oracle.by_key(source.schema, name)
    check_transactions_whole([c for c in changes if c.event_type == "insert"])
    assert len(check_big(calve.lake, source.schema, "big", 300_000)) == 1
    # The position of a row is where the payload event ends.
    payloads = {int(r[4]) for f in source.binlog_files() for r in source.binlog_events(f)
                if r[2] == "Transaction_payload"}
    found = {c.log_position for c in changes if json.loads(c.payload)["txn"] % 4 != 0}
    assert found and found <= payloads


STATEMENTS = [
    "INSERT INTO a VALUES (1, 'one'), (2, 'two'), (3, 'three'), (4, 'four')",
    "REPLACE INTO a VALUES (1, 'uno'), (5, 'five')",
    "INSERT INTO a VALUES (2, 'zwei'), (6, 'six') ON DUPLICATE KEY UPDATE t = CONCAT(t, '+')",
    "INSERT IGNORE INTO a VALUES (2, 'no'), (7, 'seven')",
    "START TRANSACTION", "UPDATE a SET t = 'gone' WHERE id = 3", "SAVEPOINT s", "DELETE FROM a WHERE id = 4",
    "INSERT INTO b SELECT * FROM a", "ROLLBACK TO s", "INSERT INTO b VALUES (100, 'kept')", "COMMIT",
    "START TRANSACTION", "DELETE FROM a", "ROLLBACK",
    "START TRANSACTION", "COMMIT",
    "UPDATE a SET t = t",  # changes nothing
    "INSERT INTO b SELECT id, t FROM a WHERE id < 3",
    "UPDATE a, b SET a.t = CONCAT('a', a.t), b.t = CONCAT('b', b.t) WHERE a.id = b.id",
    "DELETE a, b FROM a JOIN b ON a.id = b.id WHERE a.id = 1",
    "INSERT INTO watched VALUES (1, 'x'), (2, 'y')",  # a trigger writes to b and ignored
    "UPDATE watched SET t = 'z'",
    "CREATE TEMPORARY TABLE scratch (id INT PRIMARY KEY, t VARCHAR(50))",
    "INSERT INTO scratch VALUES (50, 'scratch')", "INSERT INTO a SELECT * FROM scratch", "DROP TEMPORARY TABLE scratch",
    "START TRANSACTION", "INSERT INTO ignored VALUES (1, 'i')", "INSERT INTO a VALUES (60, 'sixty')",
    "DELETE FROM ignored", "COMMIT",
    "INSERT INTO plain VALUES (1, 'myisam'), (2, 'myisam')", "UPDATE plain SET t = 'still' WHERE id = 2",
    "DELETE FROM plain WHERE id = 1",
    "SET autocommit = 0", "INSERT INTO a VALUES (70, 'seventy')", "COMMIT", "SET autocommit = 1",
]


@pytest.mark.parametrize("flavor", FLAVORS)
def test_kinds_of_statements(flavor, make_source, make_calve, make_oracle, tmp_path):
    source = make_source(flavor)
    for name in ("a", "b", "watched", "ignored", "plain"):
        engine = "MyISAM" if name == "plain" else "InnoDB"
        source.sql(f"CREATE TABLE {name} (id INT PRIMARY KEY, t VARCHAR(50)) ENGINE={engine}")
    source.sql("CREATE TRIGGER w1 AFTER INSERT ON watched FOR EACH ROW BEGIN INSERT INTO b VALUES (NEW.id + 200, NEW.t);"
               " INSERT INTO ignored VALUES (NEW.id + 300, NEW.t); END",
               "CREATE TRIGGER w2 BEFORE UPDATE ON watched FOR EACH ROW SET NEW.t = CONCAT(NEW.t, OLD.t)")
    calve = make_calve(source, options={"exclude-table": f"{source.schema}.ignored"})
    running = calve.start("run")
    running.wait_event("source.connected")
    name = "binlog_rows_query_log_events" if source.family == "mysql" else "binlog_annotate_row_events"
    source.sql(f"SET SESSION {name} = ON", *STATEMENTS)
    data = tmp_path / "data.tsv"
    data.write_text("".join(f"{i}\tline {i}\n" for i in range(500, 800)), encoding="utf-8")
    source.sql(f"LOAD DATA LOCAL INFILE '{data}' INTO TABLE a")
    running.stop()
    calve.catch_up()
    oracle = make_oracle(source)
    for table in ("a", "b", "watched", "plain"):
        assert replay(calve.lake.changes(source.schema, table)) == oracle.by_key(source.schema, table), table
    assert not calve.lake.exists(source.schema, "ignored")


@pytest.mark.parametrize("flavor", FLAVORS)
def test_V13_keys_that_change(flavor, make_source, make_calve):
    """V13: an update carries the row as it is after it, also where that has another key."""
    source = make_source(flavor)
    source.sql("CREATE TABLE moved (id INT PRIMARY KEY, t VARCHAR(9))",
               "CREATE TABLE swapped (b INT, a INT, t VARCHAR(9), PRIMARY KEY (a, b))",
               "CREATE TABLE only (id INT PRIMARY KEY)",
               "INSERT INTO moved VALUES (1, 'x'), (2, 'y')",
               "INSERT INTO swapped VALUES (1, 10, 'p'), (2, 20, 'q'), (3, 30, 'r')", "INSERT INTO only VALUES (1), (2)")
    calve = make_calve(source)
    calve.catch_up()
    source.sql("UPDATE moved SET id = id + 100 ORDER BY id DESC", "UPDATE moved SET id = 7, t = 'z' WHERE id = 102",
               "UPDATE swapped SET a = a + 10 ORDER BY a DESC", "START TRANSACTION",
               "UPDATE swapped SET a = -a", "UPDATE swapped SET a = 60 + a", "COMMIT",
               "UPDATE only SET id = id + 1 ORDER BY id DESC", "DELETE FROM only WHERE id = 3")
    calve.catch_up()

    def rows(table):
        return [(c.event_type, *json.loads(c.payload).values()) for c in calve.lake.changes(source.schema, table)]

    assert rows("moved")[2:] == [("update", 102, "y"), ("update", 101, "x"), ("update", 7, "z")]
    # Whatever order the server took, each row is there once, in the order of its columns.
    assert rows("swapped")[:3] == [("backfill", 1, 10, "p"), ("backfill", 2, 20, "q"), ("backfill", 3, 30, "r")]
    assert rows("swapped")[3:6] == [("update", 3, 40, "r"), ("update", 2, 30, "q"), ("update", 1, 20, "p")]
    assert sorted(rows("swapped")[6:9]) == [("update", 1, -20, "p"), ("update", 2, -30, "q"), ("update", 3, -40, "r")]
    assert sorted(rows("swapped")[9:]) == [("update", 1, 40, "p"), ("update", 2, 30, "q"), ("update", 3, 20, "r")]
    assert rows("only") == [("backfill", 1), ("backfill", 2), ("update", 3), ("update", 2), ("delete", 3)]
