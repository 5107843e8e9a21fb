"""Tables that come, go and stand apart, at the places where it hurts."""

import json

import pytest

from source import FLAVORS, Replica


def rows(calve, schema, name):
    return [(c.event_type, json.loads(c.payload)) for c in calve.lake.changes(schema, name)]


@pytest.mark.parametrize("flavor", FLAVORS)
def test_rename_to_a_name_that_stood_for_nothing(flavor, make_source, make_calve):
    """A table is made anew under another name and takes the old one's place after a DROP: it is copied."""
    source = make_source(flavor)
    source.sql("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    calve = make_calve(source, options={"exclude-table": f"{source.schema}._*"})
    calve.catch_up()
    source.sql("CREATE TABLE _new (id INT PRIMARY KEY, v INT)", "INSERT INTO _new SELECT id, 5 FROM t",
               "INSERT INTO _new VALUES (2, 6)", "DROP TABLE t", "RENAME TABLE _new TO t", "INSERT INTO t VALUES (3, 7)")
    calve.catch_up()
    source.sql("UPDATE t SET v = 8 WHERE id = 2")
    calve.catch_up()
    found = rows(calve, source.schema, "t")
    assert [kind for kind, _ in found][:2] == ["backfill", "drop"]
    copied = [p for kind, p in found[2:] if kind in ("backfill", "insert")]
    assert sorted(copied, key=lambda p: p["id"]) == [{"id": 1, "v": 5}, {"id": 2, "v": 6}, {"id": 3, "v": 7}]
    assert found[-1] == ("update", {"id": 2, "v": 8})


@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_renamed_table_that_is_gone_again(flavor, make_source, make_calve):
    """Nobody has seen its rows, and nobody can: following passes it, and says so."""
    source = make_source(flavor)
    source.sql("CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE _x (id INT PRIMARY KEY)", "INSERT INTO _x VALUES (1)")
    calve = make_calve(source, options={"exclude-table": f"{source.schema}._*"})
    calve.catch_up()
    source.sql("RENAME TABLE _x TO t", "INSERT INTO t VALUES (2)", "DROP TABLE t", "INSERT INTO a VALUES (5)")
    assert calve.catch_up().named("table.passed")
    assert rows(calve, source.schema, "a") == [("insert", {"id": 5})]
    source.sql("CREATE TABLE t (z INT)", "INSERT INTO t VALUES (3)")
    calve.catch_up()
    assert rows(calve, source.schema, "t") == [("insert", {"z": 3})]


def test_a_join_where_only_some_tables_have_sets(make_source, make_calve):
    source = make_source("mysql-9", gtid_mode="OFF", enforce_gtid_consistency="OFF")
    source.sql("CREATE TABLE a (id INT PRIMARY KEY)", "INSERT INTO a VALUES (0)")
    calve = make_calve(source)
    calve.catch_up()
    source.sql("SET GLOBAL enforce_gtid_consistency=ON", *(f"SET GLOBAL gtid_mode={m}" for m in (
        "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON")))
    source.sql("CREATE TABLE b (id INT)", "INSERT INTO b VALUES (0)")
    running = calve.start("run")
    running.wait_event("source.connected")
    source.sql("INSERT INTO a VALUES (1)", "INSERT INTO b VALUES (1)", "INSERT INTO b VALUES (2)")
    running.wait_event("cut.committed")
    source.sql("CREATE TABLE c (id INT PRIMARY KEY)", "INSERT INTO c VALUES (9)")
    running.wait_event("table.found")
    running.wait_event("source.connected", count=2)
    assert running.stop().status == 0
    calve.catch_up()
    assert [p["id"] for kind, p in rows(calve, source.schema, "b") if kind == "insert"] == [1, 2]
    assert [p["id"] for kind, p in rows(calve, source.schema, "c")] == [9]


@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_drop_behind_a_start_in_the_past(flavor, make_source, make_calve):
    source = make_source(flavor)
    source.sql("CREATE TABLE a (id INT PRIMARY KEY, x INT)")
    start = source.place()
    source.sql("INSERT INTO a VALUES (1, 1)", "DROP TABLE a", "CREATE TABLE a (id INT PRIMARY KEY, x INT)",
               "INSERT INTO a VALUES (2, 1)")
    calve = make_calve(source)
    calve.ok("run", snapshot="never", until="current", **{"from": start})
    assert [kind for kind, _ in rows(calve, source.schema, "a")] == ["insert", "drop", "insert"]


def test_an_online_change_among_many_tables(make_source, make_calve):
    source = make_source("mysql-9")
    for i in range(260):
        source.sql(f"CREATE TABLE t{i} (id INT PRIMARY KEY)")
    calve = make_calve(source, options={"exclude-table": f"{source.schema}._*", "snapshot": "never"})
    calve.catch_up(timeout=120)
    source.sql("CREATE TABLE _t5_gho LIKE t5", "CREATE TABLE _t5_ghc (id INT PRIMARY KEY)", "ALTER TABLE _t5_gho ADD v INT",
               "RENAME TABLE t5 TO _t5_del, _t5_gho TO t5", "INSERT INTO t5 VALUES (1, 2)")
    calve.catch_up(timeout=120)
    assert rows(calve, source.schema, "t5")[-1] == ("insert", {"id": 1, "v": 2})


def test_names_that_the_server_folds(make_source, make_calve):
    """lower_case_table_names=1: the log has a name as it was typed, the catalog has it in lower case."""
    source = make_source("mariadb-10.11", lower_case_table_names="1")
    source.sql("CREATE TABLE a (id INT PRIMARY KEY)")
    calve = make_calve(source)
    calve.catch_up()
    running = calve.start("run")
    running.wait_event("source.connected")
    source.sql("CREATE TABLE NewU (id INT PRIMARY KEY)", "INSERT INTO NewU VALUES (1)")
    running.wait_event("table.found")
    assert running.stop().status == 0
    source.sql("INSERT INTO NewU VALUES (2)")
    calve.catch_up()
    assert [n for _, n in calve.lake.tables() if n.lower() == "newu"] == ["newu"]
    assert sorted(p["id"] for _, p in rows(calve, source.schema, "newu")) == [1, 2]


@pytest.mark.parametrize("swap", [True, False])
def test_definitions_that_are_read_again_at_another_server(swap, make_calve):
    """A prepared transaction takes the start back; what is altered in between is altered once."""
    pair = Replica.pair("mariadb-11.8", binlog_row_metadata="NO_LOG")
    try:
        pair.sql("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT)", "CREATE TABLE u (id INT PRIMARY KEY)")
        calve = pair.calve(make_calve)
        calve.catch_up()
        pair.sql("XA START 'x'", "INSERT INTO u VALUES (1)", "XA END 'x'", "XA PREPARE 'x'")
        pair.sql("ALTER TABLE t CHANGE a b INT, CHANGE b a INT" if swap else "ALTER TABLE t ADD c INT",
                 "INSERT INTO t (id, a, b) VALUES (1, 10, 20)")
        calve.catch_up()
        pair.synced()
        pair.primary.kill9()
        pair.promote()
        pair.sql("ALTER TABLE t ADD z INT", "INSERT INTO t (id, a, b) VALUES (2, 10, 20)")
        calve.catch_up()
        last = rows(calve, pair.schema, "t")[-1][1]
        assert (last["a"], last["b"]) == (10, 20)
    finally:
        pair.remove()
