"""Definitions and rows where the log alone does not tell them: names, notes, temporary tables."""

import json

import pytest

from source import FLAVORS


def rows(calve, source, name="t"):
    return [(c.event_type, json.loads(c.payload)) for c in calve.lake.changes(source.schema, name)]


def ids(calve, source, name="t"):
    """The rows that the changelog leads to, by their id alone; what takes a table away takes its rows."""
    found = []
    for kind, payload in rows(calve, source, name):
        found = [] if kind in ("rename", "drop", "truncate") else found + [payload["id"]]
    return sorted(found)


# ---- rows of names that came and went ------------------------------------------------------------


@pytest.mark.parametrize("flavor", FLAVORS)
@pytest.mark.parametrize("live", [False, True])
def test_renamed_and_renamed_back(flavor, live, make_source, make_calve):
    """The name in between is gone before it can be copied: the rows are copied where they ended."""
    source = make_source(flavor)
    source.sql("CREATE TABLE a (id INT PRIMARY KEY)", "INSERT INTO a VALUES (1), (2)")
    calve = make_calve(source)
    calve.catch_up()
    if live:
        running = calve.start("run")
        running.wait_event("source.connected")
    source.sql("RENAME TABLE a TO b", "INSERT INTO b VALUES (3)", "RENAME TABLE b TO a", "INSERT INTO a VALUES (4)")
    if live:
        running.wait_event("table.found")
        assert running.stop().status == 0
    calve.catch_up()
    assert ids(calve, source, "a") == [1, 2, 3, 4]


@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_chain_of_renames_from_a_table_that_nobody_follows(flavor, make_source, make_calve):
    source = make_source(flavor)
    source.sql("CREATE TABLE a (id INT PRIMARY KEY)", "INSERT INTO a VALUES (1)")
    calve = make_calve(source, options={"exclude-table": f"{source.schema}._*"})
    calve.catch_up()
    source.sql("CREATE TABLE _x (id INT PRIMARY KEY)", "INSERT INTO _x VALUES (5)", "DROP TABLE a",
               "RENAME TABLE _x TO b, b TO a", "INSERT INTO a VALUES (6)")
    calve.catch_up()
    assert ids(calve, source, "a") == [5, 6]


@pytest.mark.parametrize("live", [False, True])
def test_a_view_that_is_renamed(live, make_source, make_calve):
    """The log does not tell it from a table that nobody saw: it is passed, and nothing stops."""
    source = make_source("mysql-9")
    source.sql("CREATE TABLE a (id INT PRIMARY KEY)", "CREATE VIEW v AS SELECT * FROM a", "CREATE TABLE g (id INT)")
    calve = make_calve(source)
    calve.catch_up()
    if live:
        running = calve.start("run")
        running.wait_event("source.connected")
    source.sql("RENAME TABLE v TO w")
    if live:
        running.wait_event("table.passed")
    source.sql("DROP TABLE g", "RENAME TABLE w TO g", "INSERT INTO a VALUES (2)")
    if live:
        running.wait_event("table.passed", count=2)
        assert running.stop().status == 0
    calve.catch_up()
    source.sql("DROP VIEW g", "CREATE TABLE g (id INT)", "INSERT INTO g VALUES (3)")
    calve.catch_up()
    assert ids(calve, source, "a") == [2] and ids(calve, source, "g") == [3]
