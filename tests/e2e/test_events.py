"""Events that servers write only when they are told to: every row arrives, whatever wraps it."""

import json
import uuid

import pytest

from lake import replay

TABLE = "CREATE TABLE t (id INT PRIMARY KEY, v TEXT)"


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
