"""Definitions and rows where the log alone does not tell them: names, notes, temporary tables."""

import json
import threading
import time

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


# ---- names that may or may not have been there ---------------------------------------------------

NO_NAMES = {flavor: {"binlog_row_metadata": "MINIMAL" if flavor == "mysql-9" else "NO_LOG"} for flavor in FLAVORS}


def right_or_stopped(calve, source, name, wanted, why):
    """The last row, or a stop in front of the statement that left the definition open."""
    result = calve.run("run", until="current")
    if result.status == 0:
        assert rows(calve, source, name)[-1] == ("insert", wanted)
    else:
        assert why in result.error and "--ddl-accept" in result.error
    return result


@pytest.mark.parametrize("flavor", FLAVORS)
def test_if_not_exists_of_a_table_that_is_gone_by_now(flavor, make_source, make_calve):
    """It was there at the start: the statement did nothing, and the swap brings its definition of before."""
    source = make_source(flavor, **NO_NAMES[flavor])
    source.sql("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT)", "CREATE TABLE _x (id INT PRIMARY KEY, b INT, a INT)")
    calve = make_calve(source, options={"exclude-table": f"{source.schema}._*"})
    calve.catch_up()
    source.sql("CREATE TABLE IF NOT EXISTS _x (id INT PRIMARY KEY, a INT, b INT)", "RENAME TABLE t TO _t_old, _x TO t",
               "INSERT INTO t (id, a, b) VALUES (1, 10, 20)")
    stopped = right_or_stopped(calve, source, "t", {"id": 1, "a": 10, "b": 20}, "RENAME TABLE t TO _t_old")
    if stopped.status != 0:
        calve.catch_up(ddl_accept=stopped.error.rsplit("--ddl-accept ", 1)[1].split(";")[0])
        assert rows(calve, source)[-1] == ("insert", {"id": 1, "a": 10, "b": 20})


@pytest.mark.parametrize("flavor", FLAVORS)
@pytest.mark.parametrize("live", [False, True])
def test_if_not_exists_of_tables_that_globs_choose(flavor, live, make_source, make_calve):
    """Nobody follows it yet, so it was not there: from its first row on, also in the lag and when it is dropped."""
    source = make_source(flavor, **NO_NAMES[flavor])
    source.sql("CREATE TABLE t (id INT PRIMARY KEY)")
    calve = make_calve(source)
    calve.catch_up()
    if live:
        running = calve.start("run")
        running.wait_event("source.connected")
    source.sql("CREATE TABLE IF NOT EXISTS n (id INT PRIMARY KEY, a INT)", "INSERT INTO n VALUES (1, 2)",
               "CREATE TABLE IF NOT EXISTS n (id INT PRIMARY KEY, b INT)", "ALTER TABLE n ADD c INT",
               "INSERT INTO n VALUES (2, 3, 4)", "DROP TABLE n", "CREATE TABLE IF NOT EXISTS n (z INT)",
               "INSERT INTO n VALUES (5)", "DROP TABLE n")
    if live:
        running.wait_event("table.found")
        assert running.stop().status == 0
    calve.catch_up()
    assert [p for kind, p in rows(calve, source, "n") if kind == "insert"] == [
        {"id": 1, "a": 2}, {"id": 2, "a": 3, "c": 4}, {"z": 5}]
    source.sql("CREATE TABLE IF NOT EXISTS n (y INT)", "INSERT INTO n VALUES (6)", "DROP TABLE n")
    calve.catch_up()
    assert rows(calve, source, "n")[-2] == ("insert", {"y": 6})


@pytest.mark.parametrize("flavor", FLAVORS)
@pytest.mark.parametrize("names", [False, True])
def test_if_not_exists_behind_a_start_in_the_past(flavor, names, make_source, make_calve):
    """Whether the table was there nobody knows; with names in the log nothing is decoded by wrong ones."""
    source = make_source(flavor, **({"binlog_row_metadata": "FULL"} if names else NO_NAMES[flavor]))
    start = source.place()
    source.sql("CREATE TABLE IF NOT EXISTS t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)",
               "CREATE TABLE IF NOT EXISTS t (id INT PRIMARY KEY, never INT)", "INSERT INTO t VALUES (2)")
    calve = make_calve(source, options={"snapshot": "never", "from": start})
    if not names:
        stopped = calve.run("run", until="current")
        assert stopped.status == 1 and "IF NOT EXISTS: it may have been there before" in stopped.error
    calve.catch_up(ddl_accept=None if names else stopped.error.rsplit("--ddl-accept ", 1)[1].split(";")[0])
    assert ids(calve, source) == [1, 2]


@pytest.mark.parametrize("flavor", FLAVORS[1:])
@pytest.mark.parametrize("statement", ["RENAME TABLE IF EXISTS _x TO t", "ALTER TABLE IF EXISTS _x RENAME TO t"])
def test_rename_if_exists_in_the_lag(flavor, statement, make_source, make_calve):
    """MariaDB. The table that is gone by now was there: its rows come with it."""
    source = make_source(flavor, **NO_NAMES[flavor])
    source.sql("CREATE TABLE t (id INT PRIMARY KEY)", "CREATE TABLE _x (id INT PRIMARY KEY, v INT)",
               "INSERT INTO _x VALUES (1, 1)")
    calve = make_calve(source, options={"exclude-table": f"{source.schema}._*"})
    calve.catch_up()
    source.sql("DROP TABLE t", statement, "INSERT INTO t VALUES (2, 2)", "ALTER TABLE IF EXISTS _none RENAME TO t",
               "INSERT INTO t VALUES (3, 3)")
    calve.catch_up()
    assert ids(calve, source) == [1, 2, 3]


# ---- places of which nothing is noted ------------------------------------------------------------


@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_table_that_was_left_out_of_several_runs(flavor, make_source, make_calve):
    """What others became meanwhile is not what they were when this one stopped."""
    source = make_source(flavor, **NO_NAMES[flavor])
    source.sql("CREATE TABLE a (id INT PRIMARY KEY, x INT, y INT)", "CREATE TABLE b (id INT PRIMARY KEY, z INT)",
               "CREATE TABLE c (id INT PRIMARY KEY)")
    calve = make_calve(source, tables=f"{source.schema}.?")
    calve.catch_up()
    only = f"{source.schema}.a,{source.schema}.c"
    for statement in ("RENAME TABLE b TO _b_old, a TO b", "CREATE TABLE a (id INT PRIMARY KEY, y INT, x INT)",
                      "ALTER TABLE c ADD q INT"):
        source.sql(statement)
        calve.catch_up(table=only)
    source.sql("INSERT INTO b (id, x, y) VALUES (1, 10, 20)")
    stopped = right_or_stopped(calve, source, "b", {"id": 1, "x": 10, "y": 20}, "RENAME TABLE b TO _b_old, a TO b")
    assert stopped.status != 0
    calve.catch_up(ddl_accept=stopped.error.rsplit("--ddl-accept ", 1)[1].split(";")[0])
    assert rows(calve, source, "b")[-1] == ("insert", {"id": 1, "x": 10, "y": 20})
    # The others still know what they knew.
    source.sql("INSERT INTO a (id, x, y) VALUES (1, 10, 20)", "INSERT INTO c VALUES (1, 2)")
    calve.catch_up(table=only)
    assert rows(calve, source, "a")[-1] == ("insert", {"id": 1, "y": 20, "x": 10})
    assert rows(calve, source, "c")[-1] == ("insert", {"id": 1, "q": 2})


@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_run_of_the_left_out_table_keeps_the_note_of_the_others(flavor, make_source, make_calve):
    """It ends in front of what is noted; the next run of the others goes on from there."""
    source = make_source(flavor, **NO_NAMES[flavor])
    source.sql("CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE b (id INT PRIMARY KEY)")
    calve = make_calve(source, tables=f"{source.schema}.?")
    calve.catch_up()
    only = f"{source.schema}.a"
    source.sql("ALTER TABLE a ADD p INT")
    calve.catch_up(table=only)
    source.sql("CREATE TABLE _x (id INT PRIMARY KEY, u INT, v INT)", "ALTER TABLE b ADD q INT", "INSERT INTO b VALUES (1, 2)")
    middle = source.place()
    source.sql("ALTER TABLE _x CHANGE u v INT, CHANGE v u INT", "ALTER TABLE a ADD r INT")
    calve.catch_up(table=only)
    calve.ok("run", table=f"{source.schema}.b", until=middle)
    assert rows(calve, source, "b")[-1] == ("insert", {"id": 1, "q": 2})
    source.sql("RENAME TABLE a TO _a_old, _x TO a", "INSERT INTO a (id, u, v) VALUES (1, 10, 20)")
    right_or_stopped(calve, source, "a", {"id": 1, "v": 20, "u": 10}, "RENAME TABLE a TO _a_old")


@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_database_that_changed_while_a_table_was_left_out(flavor, make_source, make_calve):
    source = make_source(flavor, **NO_NAMES[flavor])
    source.sql("CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE b (id INT PRIMARY KEY)")
    calve = make_calve(source, tables=f"{source.schema}.?")
    calve.catch_up()
    only = f"{source.schema}.a"
    source.sql("DROP TABLE b", "CREATE TABLE b (id INT PRIMARY KEY, v VARCHAR(20))", "INSERT INTO b VALUES (1, 'é')")
    calve.catch_up(table=only)
    source.sql(f"ALTER DATABASE {source.schema} CHARACTER SET latin1")
    calve.catch_up(table=only)
    source.sql("ALTER TABLE a ADD x INT")
    calve.catch_up(table=only)
    result = calve.run("run", until="current")
    if result.status == 0:
        assert rows(calve, source, "b")[-1][1] == {"id": 1, "v": "é"}  # copied: CREATE TABLE leaves it open
    else:  # MySQL's log has the charset of each column
        assert flavor == "mysql-9" and "its charset is utf8mb4 in the binlog" in result.error


@pytest.mark.parametrize("flavor", FLAVORS[1:])
@pytest.mark.parametrize("names", [False, True])
def test_the_charset_of_a_database_at_a_start_in_the_past(flavor, names, make_source, make_calve):
    """MariaDB. The one of today counts from today on, and what a statement says from there on."""
    source = make_source(flavor, **({"binlog_row_metadata": "FULL"} if names else NO_NAMES[flavor]))
    start = source.place()
    source.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))", "INSERT INTO t VALUES (1, 'é')",
               f"ALTER DATABASE {source.schema} CHARACTER SET latin1", "CREATE TABLE u (id INT PRIMARY KEY, v VARCHAR(20))",
               "INSERT INTO u VALUES (1, 'é')", "ALTER TABLE u ADD w INT", "INSERT INTO u VALUES (2, 'é', 2)")
    calve = make_calve(source, options={"snapshot": "never", "from": start})
    if not names:
        stopped = calve.run("run", until="current")
        assert stopped.status == 1 and "CREATE TABLE t" in stopped.error
    calve.catch_up(ddl_accept=None if names else stopped.error.rsplit("--ddl-accept ", 1)[1].split(";")[0])
    assert rows(calve, source)[-1] == ("insert", {"id": 1, "v": "é"})
    assert rows(calve, source, "u") == [("insert", {"id": 1, "v": "é"}), ("insert", {"id": 2, "v": "é", "w": 2})]
    source.sql("CREATE TABLE n (id INT PRIMARY KEY, v VARCHAR(20))", "INSERT INTO n VALUES (1, 'é')", "DROP TABLE n")
    calve.catch_up()
    assert rows(calve, source, "n")[0] == ("insert", {"id": 1, "v": "é"})


@pytest.mark.parametrize("flavor", FLAVORS)
def test_the_charset_of_today_counts_from_today_on(flavor, make_source, make_calve):
    """Behind a start in the past, once what was read then is reached."""
    source = make_source(flavor, **NO_NAMES[flavor])
    source.sql("CREATE TABLE t (id INT PRIMARY KEY)")
    start = source.place()
    source.sql("INSERT INTO t VALUES (1)")
    calve = make_calve(source, options={"snapshot": "never", "from": start})
    running = calve.start("run")
    running.wait_event("cut.committed")
    create = ("CREATE TABLE n (id INT PRIMARY KEY, v VARCHAR(20))", "INSERT INTO n VALUES (1, 'é')", "DROP TABLE n")
    source.sql(*create)
    running.wait_event("table.found")
    assert running.stop().status == 0
    calve.catch_up()
    source.sql(f"ALTER DATABASE {source.schema} CHARACTER SET latin1", *create)
    calve.catch_up()
    assert [p for kind, p in rows(calve, source, "n") if kind == "insert"] == [{"id": 1, "v": "é"}] * 2


# ---- tables that are made as nobody can tell -----------------------------------------------------


@pytest.mark.parametrize("flavor", FLAVORS)
@pytest.mark.parametrize("live", [False, True])
def test_create_like_a_table_that_nobody_knows(flavor, live, make_source, make_calve):
    """It is copied, also where its name stood for a table before."""
    source = make_source(flavor, **NO_NAMES[flavor])
    other = make_source(flavor, **NO_NAMES[flavor])
    other.sql("CREATE TABLE tmpl (id INT PRIMARY KEY, a INT, b INT)")
    source.sql("CREATE TABLE x (id INT PRIMARY KEY)", "INSERT INTO x VALUES (9)", "CREATE TABLE _y (id INT PRIMARY KEY)")
    calve = make_calve(source, options={"exclude-table": f"{source.schema}._*"})
    calve.catch_up()
    if live:
        running = calve.start("run")
        running.wait_event("source.connected")
    source.sql(f"CREATE TABLE n LIKE {other.schema}.tmpl", "INSERT INTO n VALUES (1, 2, 3)", "CREATE TABLE m LIKE _y",
               "INSERT INTO m VALUES (3)", f"CREATE TABLE p LIKE {other.schema}.tmpl", "DROP TABLE p", "DROP TABLE x",
               f"CREATE TABLE x LIKE {other.schema}.tmpl", "INSERT INTO x VALUES (1, 10, 20)",
               "ALTER TABLE x CHANGE a b INT, CHANGE b a INT", "INSERT INTO x (id, a, b) VALUES (2, 20, 10)")
    if live:
        running.wait_event("table.found", where=lambda found: found["table"].endswith(".x"))
        assert running.stop().status == 0
    calve.catch_up()
    source.sql("INSERT INTO x (id, a, b) VALUES (3, 30, 40)", "INSERT INTO n VALUES (4, 5, 6)")
    calve.catch_up()
    assert [p for kind, p in rows(calve, source, "n") if kind != "drop"] == [
        {"id": 1, "a": 2, "b": 3}, {"id": 4, "a": 5, "b": 6}]
    assert ids(calve, source, "m") == [3]
    last = {p["id"]: p for kind, p in rows(calve, source, "x") if kind in ("insert", "backfill")}
    assert last == {9: {"id": 9}, 1: {"id": 1, "b": 10, "a": 20}, 2: {"id": 2, "b": 10, "a": 20},
                    3: {"id": 3, "b": 40, "a": 30}}


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("gone", [False, True])
def test_a_partition_becomes_a_table(live, gone, make_source, make_calve):
    """MariaDB 11: with rows that no event brings."""
    source = make_source("mariadb-11.8")
    source.sql("CREATE TABLE a (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), "
               "PARTITION p1 VALUES LESS THAN (20))", "INSERT INTO a VALUES (1), (12)")
    calve = make_calve(source)
    calve.catch_up()
    if live:
        running = calve.start("run")
        running.wait_event("source.connected")
    source.sql("ALTER TABLE a CONVERT PARTITION p0 TO TABLE n", "INSERT INTO n VALUES (2)")
    if live:
        running.wait_event("source.connected", count=2)
    if gone:
        source.sql("DROP TABLE n")
    if live:
        assert running.stop().status == 0
    source.sql("INSERT INTO a VALUES (13)")
    calve.catch_up()
    if not gone:
        assert ids(calve, source, "n") == [1, 2]
    assert [kind for kind, _ in rows(calve, source, "a")] == ["backfill", "backfill", "truncate", "insert"]


ALTERS = ("ALTER TABLE t CHANGE a b INT, CHANGE b a INT", "RENAME TABLE t TO u, u TO t")


@pytest.mark.parametrize("flavor", FLAVORS)
@pytest.mark.parametrize("again", ALTERS)
def test_an_accepted_definition_that_changed_again(flavor, again, make_source, make_calve):
    """The server's definition of now is not the one that the accepted statement made: nothing is read by it."""
    source = make_source(flavor, **NO_NAMES[flavor])
    source.sql("CREATE TABLE t (id INT PRIMARY KEY)", "CREATE TABLE _x (id INT PRIMARY KEY, a INT, b INT)")
    calve = make_calve(source, options={"exclude-table": f"{source.schema}._*"})
    calve.catch_up()
    source.sql("RENAME TABLE t TO _old, _x TO t", "INSERT INTO t VALUES (1, 10, 20)", again,
               "INSERT INTO t (id, a, b) VALUES (2, 20, 10)")
    stopped = calve.run("run", until="current")
    place = stopped.error.rsplit("--ddl-accept ", 1)[1].split(";")[0]
    for accepted in (place, "all"):
        refused = calve.run("run", until="current", ddl_accept=accepted)
        assert refused.status == 1 and "was changed again" in refused.error and again in refused.error
        assert rows(calve, source) == []
    calve.lake.catalog.drop_table((source.schema, "t"))
    calve.catch_up()
    assert ids(calve, source) == [1, 2]


@pytest.mark.parametrize("flavor", FLAVORS)
def test_an_accepted_definition_that_stays(flavor, make_source, make_calve):
    """What changes the table no more, or later than the run began, stops nothing."""
    source = make_source(flavor, **NO_NAMES[flavor])
    source.sql("CREATE TABLE t (id INT PRIMARY KEY)", "CREATE TABLE _x (id INT PRIMARY KEY, a INT, b INT)")
    calve = make_calve(source, options={"exclude-table": f"{source.schema}._*"})
    calve.catch_up()
    source.sql("RENAME TABLE t TO _old, _x TO t", "INSERT INTO t VALUES (1, 10, 20)", "ALTER TABLE t ADD INDEX (a)",
               "CREATE TABLE n (id INT PRIMARY KEY)", "INSERT INTO n VALUES (1)", "INSERT INTO t VALUES (2, 20, 10)")
    running = calve.start("run", ddl_accept="all")
    running.wait_event("cut.committed", where=lambda cut: len(rows(calve, source)) > 2)
    source.sql("ALTER TABLE t CHANGE a b INT, CHANGE b a INT", "INSERT INTO t (id, a, b) VALUES (3, 30, 40)")
    running.wait_event("cut.committed", where=lambda cut: len(rows(calve, source)) > 3)
    assert running.stop().status == 0
    assert [p for kind, p in rows(calve, source) if kind == "insert"] == [
        {"id": 1, "a": 10, "b": 20}, {"id": 2, "a": 20, "b": 10}, {"id": 3, "b": 40, "a": 30}]
    assert ids(calve, source, "n") == [1]


# ---- temporary tables ----------------------------------------------------------------------------

SESSIONS = (("mysql-9", "STATEMENT"), ("mysql-9", "MIXED"), ("mariadb-10.11", "MIXED"), ("mariadb-11.8", "STATEMENT"))


@pytest.mark.parametrize("flavor,log", SESSIONS)
@pytest.mark.parametrize("between", ["restart", "join", "kill"])
def test_a_temporary_table_hides_a_followed_one(flavor, log, between, make_source, make_calve):
    """What its session does to it does nothing to the followed table, whatever calve went through."""
    source = make_source(flavor, **NO_NAMES[flavor])
    source.sql("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT)", "INSERT INTO t VALUES (1, 10, 20)")
    calve = make_calve(source)
    calve.catch_up()
    running = calve.start("run")
    running.wait_event("source.connected")
    with source.session() as session, session.cursor() as cursor:
        cursor.execute(f"SET SESSION binlog_format={log}")
        cursor.execute("CREATE TEMPORARY TABLE t (id INT PRIMARY KEY, a INT, b INT)")
        source.sql("INSERT INTO t VALUES (7, 70, 80)")
        running.wait_event("cut.committed", where=lambda cut: len(rows(calve, source)) > 1)
        if between == "join":
            source.sql("CREATE TABLE n (id INT PRIMARY KEY)", "INSERT INTO n VALUES (1)")
            running.wait_event("source.connected", count=2)
        elif between == "restart":
            assert running.stop().status == 0
        else:
            running.kill9()
        cursor.execute("TRUNCATE TABLE t")
        cursor.execute("ALTER TABLE t CHANGE a b INT, CHANGE b a INT")
        source.sql("INSERT INTO t (id, a, b) VALUES (2, 10, 20)")
        if between == "join":
            running.wait_event("cut.committed", where=lambda cut: len(rows(calve, source)) > 2)
            assert running.stop().status == 0
        calve.catch_up()
    assert rows(calve, source)[1:] == [("insert", {"id": 7, "a": 70, "b": 80}), ("insert", {"id": 2, "a": 10, "b": 20})]
    source.sql("TRUNCATE TABLE t")  # the session is gone, and its table with it
    calve.catch_up()
    assert rows(calve, source)[-1][0] == "truncate"


# ---- texts with two readings ---------------------------------------------------------------------


@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_client_that_writes_as_servers_do(flavor, make_source, make_calve):
    """A latin1 session that sends UTF-8: the server has the names as latin1 reads them."""
    source = make_source(flavor, **NO_NAMES[flavor])
    source.sql("CREATE TABLE t (id INT PRIMARY KEY)")
    calve = make_calve(source)
    calve.catch_up()
    with source.session(charset="latin1") as session, session.cursor() as cursor:
        cursor.execute("DROP TABLE t")
        cursor.execute("CREATE TABLE `t` (\n  `id` int NOT NULL,\n  `Ã©` int DEFAULT NULL,\n  `e` enum('Ã©','x') "
                       "DEFAULT NULL,\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4")
        cursor.execute("INSERT INTO t VALUES (1, 5, 1)")
        session.commit()
    calve.catch_up()
    source.sql("INSERT INTO t VALUES (2, 6, 1)")
    calve.catch_up()
    assert rows(calve, source)[1:] == [("backfill", {"id": 1, "Ã©": 5, "e": "Ã©"}), ("insert", {"id": 2, "Ã©": 6, "e": "Ã©"})]


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_table_that_is_ahead_when_a_cut_falls_behind_it(flavor, stopped, make_source, make_calve):
    """As after a kill between the commits of two tables of one cut: t1 is further, and another cut falls in front of there.

    That cut is where a run stopped, or where t3 was found. What t1 was there is in its note, and so its twin is known.
    """
    source = make_source(flavor)
    with source.globals(binlog_row_metadata="MINIMAL"):
        source.reconnect()
        source.sql("CREATE TABLE t1 (id INT PRIMARY KEY, a INT)", "CREATE TABLE t2 (id INT PRIMARY KEY)",
                   "CREATE TABLE other (id INT PRIMARY KEY)")
        calve = make_calve(source, f"{source.schema}.t*")
        calve.catch_up()
        source.sql("ALTER TABLE t2 ADD c INT", "INSERT INTO t2 VALUES (1, 1)")
        place = source.place()
        source.sql("RENAME TABLE other TO t3", "RENAME TABLE t3 TO other", "CREATE TABLE twin LIKE t1",
                   "RENAME TABLE t2 TO gone, twin TO t2", "INSERT INTO t2 VALUES (4, 4)", "ALTER TABLE t1 CHANGE a b INT",
                   "INSERT INTO t1 VALUES (5, 5)")
        calve.catch_up(table=f"{source.schema}.t1", commit_interval="1h")  # one cut: the note reaches back over one
        if stopped:
            calve.ok("run", until=place)
        result = calve.run("run", until="current")
    assert result.status == 0, result.error
    assert [p for _, p in rows(calve, source, "t2")] == [
        {"id": 1, "c": 1}, {"ddl": "RENAME TABLE t2 TO gone, twin TO t2"}, {"id": 4, "a": 4}]
    assert [p for _, p in rows(calve, source, "t1")] == [{"id": 5, "b": 5}]


@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_table_that_is_ahead_is_renamed_to_a_name_that_is_not(flavor, make_source, make_calve):
    """As after a kill between two commits. Its rows are in its changelog: nothing is copied, which would be further yet."""
    source = make_source(flavor)
    with source.globals(binlog_row_metadata="MINIMAL"):
        source.reconnect()
        source.sql("CREATE TABLE t1 (id INT PRIMARY KEY, a INT)", "CREATE TABLE t2 (id INT PRIMARY KEY)")
        calve = make_calve(source, f"{source.schema}.t*")
        calve.catch_up()
        source.sql("DROP TABLE t2")
        calve.catch_up()
        source.sql("INSERT INTO t1 VALUES (1, 1)", "RENAME TABLE t1 TO t2", "INSERT INTO t2 VALUES (2, 2)",
                   "ALTER TABLE t2 CHANGE a b INT", "INSERT INTO t2 VALUES (3, 3)")
        calve.catch_up(table=f"{source.schema}.t1")
        result = calve.run("run", until="current")
    assert result.status == 0, result.error
    assert not result.named("table.found"), result
    assert rows(calve, source, "t1") == [("insert", {"id": 1, "a": 1}), ("rename", {"ddl": "RENAME TABLE t1 TO t2"})]
    assert rows(calve, source, "t2")[1:] == [("insert", {"id": 2, "a": 2}), ("insert", {"id": 3, "b": 3})]


@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_place_that_all_tables_are_behind(flavor, make_source, make_calve):
    """As after a kill between two commits: t2 is ahead, and t1, the last in front of there, is copied as it is now.

    Nobody is due between the place where t1 was found and that of t2, but t2's twin is altered there.
    """
    source = make_source(flavor)
    with source.globals(binlog_row_metadata="MINIMAL"):
        source.reconnect()
        source.sql("CREATE TABLE t1 (id INT PRIMARY KEY)", "CREATE TABLE t2 (id INT PRIMARY KEY, a INT)",
                   "CREATE TABLE other (id INT PRIMARY KEY)")
        calve = make_calve(source, f"{source.schema}.t*")
        calve.catch_up()
        source.sql("DROP TABLE t1")
        calve.catch_up()
        source.sql("CREATE TABLE ghost LIKE t2", "RENAME TABLE other TO t1", "ALTER TABLE ghost CHANGE a b INT",
                   "INSERT INTO t2 VALUES (1, 1)")
        calve.catch_up(table=f"{source.schema}.t2", commit_interval="1h")
        source.sql("RENAME TABLE t2 TO gone, ghost TO t2", "INSERT INTO t2 VALUES (2, 2)", "INSERT INTO t1 VALUES (3)")
        result = calve.run("run", until="current")
    assert result.status == 0, result.error
    assert [p for _, p in rows(calve, source, "t2")] == [
        {"id": 1, "a": 1}, {"ddl": "RENAME TABLE t2 TO gone, ghost TO t2"}, {"id": 2, "b": 2}]
    assert [p for kind, p in rows(calve, source, "t1") if kind != "drop"] == [{"id": 3}]


@pytest.mark.parametrize("flavor", FLAVORS)
@pytest.mark.parametrize("dropped", ["t1 t2", "t1"])
def test_a_note_whose_place_is_purged(flavor, dropped, make_source, make_calve):
    """What a purge asks for, to drop the Iceberg tables and copy them again, is no start in front of the purged place."""
    source = make_source(flavor, max_binlog_cache_size="1G")  # a server of this test's own
    source.sql("CREATE TABLE t1 (id INT PRIMARY KEY)", "CREATE TABLE t2 (id INT PRIMARY KEY, a INT)",
               "INSERT INTO t1 VALUES (1)")
    calve = make_calve(source, f"{source.schema}.t*")
    calve.catch_up(table=f"{source.schema}.t1")
    source.sql("INSERT INTO t1 VALUES (2)")
    file, offset = source.position()
    source.sql("INSERT INTO t1 VALUES (3)", "FLUSH BINARY LOGS", "INSERT INTO t2 VALUES (1, 1)")
    assert calve.run("run", until=f"{file}:{offset}").status == 0  # t2 is copied, and ahead of there
    end = time.monotonic() + 30
    while len(source.binlog_files()) > 1:  # a dump that has just ended may hold one
        source.sql(f"PURGE BINARY LOGS TO '{source.position()[0]}'")
        assert time.monotonic() < end, source.binlog_files()
    for table in dropped.split():
        calve.lake.catalog.drop_table((source.schema, table))
    source.sql("INSERT INTO t1 VALUES (4)", "ALTER TABLE t2 CHANGE a b INT", "INSERT INTO t2 VALUES (2, 2)")
    result = calve.catch_up()
    assert result.named("schema.left"), result
    source.sql("ALTER TABLE t2 CHANGE b c INT", "INSERT INTO t2 VALUES (3, 3)", "INSERT INTO t1 VALUES (5)")
    assert not calve.catch_up().named("schema.left")
    assert ids(calve, source, "t1") == [1, 2, 3, 4, 5]
    copied = [{"id": 1, "b": 1}, {"id": 2, "b": 2}] if "t2" in dropped else [{"id": 1, "a": 1}, {"id": 2, "b": 2}]
    assert [p for _, p in rows(calve, source, "t2")] == copied + [{"id": 3, "c": 3}]


# ---- a swap as a copy begins ---------------------------------------------------------------------


def wait_until(holds, what):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def lock_waiters(source):
    return source.value("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE = 'Waiting for table metadata lock'")


@pytest.mark.parametrize("twin", ["other", "alike"])
@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_swap_between_the_place_of_a_copy_and_its_rows(flavor, twin, make_source, make_calve):
    """The rows would be the twin's, the place one at which the name was another table."""
    source = make_source(flavor)
    source.sql("CREATE TABLE t (id INT PRIMARY KEY, a INT)", "INSERT INTO t VALUES (1, 1)")
    made = source.value("SELECT UNIX_TIMESTAMP(CREATE_TIME) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
                        " AND TABLE_NAME = 't'")
    wait_until(lambda: source.value("SELECT UNIX_TIMESTAMP()") > made + 1, "another second")
    source.sql("CREATE TABLE twin LIKE t", *(["ALTER TABLE twin ADD b INT"] if twin == "other" else []),
               "INSERT INTO twin (id, a) VALUES (2, 2)")
    calve = make_calve(source, f"{source.schema}.t")
    with source.session() as holder, source.session() as swapper, holder.cursor() as lock, swapper.cursor() as swap:
        lock.execute("LOCK TABLES t WRITE")
        running = calve.start("run", until="current")
        wait_until(lambda: lock_waiters(source) == 1, "the copy waits for its rows")
        thread = threading.Thread(target=swap.execute, args=("RENAME TABLE t TO old, twin TO t",))
        thread.start()
        wait_until(lambda: lock_waiters(source) == 2, "the swap waits in front of it")
        lock.execute("UNLOCK TABLES")
        thread.join()
        result = running.wait()
    assert result.status == 0, result.error
    assert result.named("copy.retry"), result
    expected = {"id": 2, "a": 2} if twin == "alike" else {"id": 2, "a": 2, "b": None}
    assert rows(calve, source) == [("backfill", expected)]
