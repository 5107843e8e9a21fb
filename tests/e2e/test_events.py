"""Events that servers write only when they are told to: every row arrives, whatever wraps it."""

import json
import uuid

import pytest

from lake import replay

TABLE = "CREATE TABLE t (id INT PRIMARY KEY, v MEDIUMTEXT)"


def check(calve, source, oracle, tables=("t",)):
    """The changelogs lead to what the source has now."""
    for name in tables:
        assert replay(calve.lake.changes(source.schema, name)) == oracle.by_key(source.schema, name), name


def ids(calve, source, table="t"):
    return sorted(json.loads(p)["id"] for p in calve.lake.payloads(source.schema, table))


# ---- GTIDs with tags ---------------------------------------------------------------------------


def test_tagged_gtids(make_source, make_calve, make_oracle):
    """Transactions with tags, mixed with others, over restarts, files and a stop at a set."""
    source = make_source("mysql-9")
    calve = make_calve(source)
    other = uuid.uuid4()
    source.sql(TABLE, "SET gtid_next = 'AUTOMATIC:blue'", "INSERT INTO t VALUES (1, 'before the copy')")
    calve.catch_up()

    running = calve.start("run")
    running.wait_event("source.connected")
    for i, gtid in enumerate(["AUTOMATIC:blue", "AUTOMATIC:red", "AUTOMATIC", f"{other}:red:7",
                              f"{other}:_x1:3", f"{other}:9", "AUTOMATIC:blue"]):
        source.sql(f"SET gtid_next = '{gtid}'", f"INSERT INTO t VALUES ({10 + i}, '{gtid}')")
        source.sql("SET gtid_next = 'AUTOMATIC'")
    running.wait_event("cut.committed")
    running.stop()
    calve.catch_up()
    assert calve.lake.checkpoint(source.schema, "t")["gtid"] == source.gtids()
    assert ":blue:1-3" in source.gtids() and f"{other}:9:_x1:3:red:7" in source.gtids()

    # A run that starts from a set with tags, in a file that begins with one.
    source.sql("FLUSH BINARY LOGS", "SET gtid_next = 'AUTOMATIC:red'", "UPDATE t SET v = 'red' WHERE id < 12",
               "SET gtid_next = 'AUTOMATIC'", "DELETE FROM t WHERE id = 12")
    calve.catch_up()
    check(calve, source, make_oracle(source))

    # Up to a set in which only the number behind a tag has grown.
    source.sql("SET gtid_next = 'AUTOMATIC:blue'", "INSERT INTO t VALUES (30, 'in')")
    until = source.gtids()
    source.sql("INSERT INTO t VALUES (31, 'out')", "SET gtid_next = 'AUTOMATIC'")
    calve.ok("run", until=until)
    assert 30 in ids(calve, source) and 31 not in ids(calve, source)
    assert calve.lake.checkpoint(source.schema, "t")["gtid"] == until
    calve.catch_up()
    check(calve, source, make_oracle(source))


# ---- compressed events of MariaDB --------------------------------------------------------------


def events_of(calve, source, file):
    """What `inspect binlog` says about one of the server's files."""
    folder = source.value("SELECT @@datadir")
    result = calve.plain("inspect", "binlog", f"{folder}{file}", "--json", timeout=120)
    assert result.status == 0, result
    return [json.loads(line) for line in result.out.splitlines()]


@pytest.mark.parametrize("flavor", ["mariadb-10.11", "mariadb-11.8"])
def test_compressed_events(flavor, make_source, make_calve, make_oracle):
    """Rows of every kind, statements and DDL in compressed events."""
    source = make_source(flavor, log_bin_compress="ON", log_bin_compress_min_len=10)
    source.sql(TABLE, "CREATE TABLE wide (id INT PRIMARY KEY, " +
               ", ".join(f"c{i} VARCHAR(9)" for i in range(100)) + ")")
    calve = make_calve(source)
    calve.catch_up()
    source.sql("FLUSH BINARY LOGS")
    start = source.position()[0]
    source.sql("INSERT INTO t VALUES (1, 'one'), (2, NULL), (3, REPEAT('three ', 1000))",
               "INSERT INTO t SELECT seq, REPEAT(CHAR(65 + seq % 26), seq) FROM seq_100_to_900",
               "UPDATE t SET v = CONCAT(v, v) WHERE id % 2 = 0", "DELETE FROM t WHERE id % 7 = 0",
               "INSERT INTO wide (id, c0, c99) VALUES (1, 'first', 'last'), (2, 'a', 'b')",
               "UPDATE wide SET c50 = 'middle' WHERE id = 1",
               # Incompressible, small, and of several megabytes.
               "INSERT INTO t VALUES (1001, SHA2('x', 512)), (1002, '')",
               f"INSERT INTO t VALUES (1003, REPEAT('0123456789', {700_000}))",
               "CREATE TABLE elsewhere_with_a_long_name (id INT, more VARCHAR(100), again VARCHAR(100))",
               "BEGIN", "SAVEPOINT s", "INSERT INTO t VALUES (1004, 'x')", "ROLLBACK TO s",
               "INSERT INTO t VALUES (1005, 'y')", "COMMIT")
    calve.catch_up()
    oracle = make_oracle(source)
    check(calve, source, oracle, ("t", "wide"))
    types = {e["type_code"] for e in events_of(calve, source, start)}
    assert {165, 166, 167, 168} <= types, types

    # A statement is seen through its compression.
    source.sql("SET SESSION binlog_format = 'STATEMENT'", "INSERT INTO t VALUES (2000, 'logged as a statement')")
    result = calve.run("run", until="current")
    assert result.status != 0 and "binlog_format=ROW" in result.error, result
