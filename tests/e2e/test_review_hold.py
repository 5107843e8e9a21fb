"""Rows that are taken back, names that are one to the server, numbers that begin anew."""

import json

import pytest

from source import FLAVORS

MARIADB = ["mariadb-10.11", "mariadb-11.8"]


def rows(calve, schema, name):
    return [(c.event_type, json.loads(c.payload)) for c in calve.lake.changes(schema, name)]


@pytest.mark.parametrize("then", ["ALTER TABLE t ENGINE=MyISAM", "DROP TABLE t", "RENAME TABLE t TO _o, m TO t"])
@pytest.mark.parametrize("flavor", MARIADB)
def test_an_engine_that_nobody_named(flavor, then, make_source, make_calve):
    """A CREATE without ENGINE, and the server of now has another table of the name, or none."""
    source = make_source(flavor)
    source.sql("CREATE TABLE t (id INT PRIMARY KEY)", "CREATE TABLE m (id INT PRIMARY KEY) ENGINE=MyISAM")
    calve = make_calve(source, options={"exclude-table": f"{source.schema}._*"})
    calve.catch_up()
    source.sql("DROP TABLE t", "CREATE TABLE t (id INT PRIMARY KEY)", "BEGIN", "INSERT INTO t VALUES (1)", "SAVEPOINT s",
               "INSERT INTO t VALUES (2)", "INSERT INTO m VALUES (1)", "ROLLBACK TO s", "COMMIT", then)
    calve.catch_up()
    assert [p["id"] for kind, p in rows(calve, source.schema, "t") if kind == "insert"] == [1]


@pytest.mark.parametrize("flavor", MARIADB)
def test_savepoints_that_some_servers_take_for_one(flavor, make_source, make_calve):
    """Which rows stand depends on the server's collation: it stops, unless it makes no difference."""
    source = make_source(flavor)
    source.sql("CREATE TABLE t (id INT PRIMARY KEY)", "CREATE TABLE m (id INT PRIMARY KEY) ENGINE=MyISAM")
    calve = make_calve(source)
    calve.catch_up()
    source.sql("BEGIN", "INSERT INTO t VALUES (1)", "SAVEPOINT `e`", "INSERT INTO t VALUES (2)", "SAVEPOINT `é`",
               "INSERT INTO t VALUES (3)", "INSERT INTO m VALUES (1)", "ROLLBACK TO `e`", "INSERT INTO t VALUES (4)",
               "COMMIT")
    result = calve.run("run", until="current")
    assert result.status == 1 and "which rows stand cannot be told" in result.error, result


@pytest.mark.parametrize("flavor", MARIADB)
def test_columns_that_the_server_takes_for_one(flavor, make_source, make_calve):
    """IF EXISTS finds `ä` by `Ä`: what a reader by letters does not find may be there."""
    source = make_source(flavor)
    source.sql("CREATE TABLE t (id INT PRIMARY KEY, `ä` INT, b INT)", "INSERT INTO t VALUES (1, 10, 20)")
    calve = make_calve(source)
    calve.catch_up()
    source.sql("ALTER TABLE t RENAME COLUMN IF EXISTS `Ä` TO c", "INSERT INTO t VALUES (2, 10, 20)")
    result = calve.run("run", until="current")
    assert result.status == 1 and "the server may take another column for 'Ä'" in result.error, result
    calve.catch_up(**{"ddl-accept": "all"})
    assert rows(calve, source.schema, "t")[-1] == ("insert", {"id": 2, "c": 10, "b": 20})


@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_database_that_is_dropped_where_drops_stop(flavor, make_source, make_calve):
    """Also while the definitions are assumed, as at a start in the past."""
    source = make_source(flavor)
    source.sql("CREATE TABLE t (id INT PRIMARY KEY)")
    start = source.place()
    source.sql("INSERT INTO t VALUES (1)", f"DROP DATABASE `{source.schema}`", f"CREATE DATABASE `{source.schema}`",
               f"USE `{source.schema}`", "CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (2)")
    calve = make_calve(source, options={"ddl-policy": "stop"})
    result = calve.run("run", snapshot="never", until="current", **{"from": start})
    assert result.status == 1 and "ddl.policy is to stop" in result.error, result


@pytest.mark.parametrize("flavor", MARIADB)
def test_renamed_to_its_own_name(flavor, make_source, make_calve):
    """In another case, where the server knows no case: nothing was renamed."""
    source = make_source(flavor, lower_case_table_names="1")
    source.sql("CREATE TABLE t (id INT PRIMARY KEY)")
    calve = make_calve(source)
    calve.catch_up()
    source.sql("INSERT INTO t VALUES (1)", "ALTER TABLE t RENAME TO T, ADD c INT", "INSERT INTO t VALUES (2, 2)")
    calve.catch_up()
    assert rows(calve, source.schema, "t") == [("insert", {"id": 1}), ("insert", {"id": 2, "c": 2})]


def test_reset_and_the_new_file_is_purged(make_source, make_calve):
    """The same numbers are other transactions, and the file that would show it is gone."""
    source = make_source("mysql-9", server_id=78)
    source.sql("CREATE TABLE t (id INT PRIMARY KEY)", *[f"INSERT INTO t VALUES ({i})" for i in range(20)])
    calve = make_calve(source)
    calve.catch_up()
    source.sql("RESET BINARY LOGS AND GTIDS", "INSERT INTO t VALUES (100)", "FLUSH BINARY LOGS")
    source.sql(f"PURGE BINARY LOGS TO '{source.position()[0]}'",
               *[f"INSERT INTO t VALUES ({i})" for i in range(200, 260)])
    result = calve.run("run", until="current")
    assert result.status == 1 and "these are other transactions" in result.error, result


@pytest.mark.parametrize("flavor", ["mysql-9", "mariadb-11.8"])
def test_a_table_made_after_a_prepare_that_is_purged(flavor, make_source, make_calve):
    """What is prepared holds its tables: one that was not there yet has no rows in it."""
    source, other = make_source(flavor, server_id=1), make_source(flavor, server_id=1)
    other.sql("CREATE TABLE z (id INT PRIMARY KEY)")
    source.sql("CREATE TABLE a (id INT PRIMARY KEY)", "INSERT INTO a VALUES (1)")
    calve = make_calve(source)
    calve.catch_up()
    with other.session() as session, session.cursor() as cursor:
        for sql in ("XA START 'y'", "INSERT INTO z VALUES (1)", "XA END 'y'", "XA PREPARE 'y'"):
            cursor.execute(sql)
        try:
            for i in (2, 3):
                source.sql(f"INSERT INTO a VALUES ({i})", "FLUSH BINARY LOGS")
                calve.catch_up()
            source.sql(f"PURGE BINARY LOGS TO '{source.position()[0]}'")
            running = calve.start("run")
            running.wait_event("source.connected")
            source.sql("CREATE TABLE n (id INT)", "INSERT INTO n VALUES (7)", "INSERT INTO a VALUES (5)")
            running.wait_event("source.connected", count=2)  # it has joined, and following begins again
            running.stop()
        finally:
            cursor.execute("XA COMMIT 'y'")
    calve.catch_up()
    assert rows(calve, source.schema, "n") == [("insert", {"id": 7})]
    assert [p["id"] for _, p in rows(calve, source.schema, "a")] == [1, 2, 3, 5]
