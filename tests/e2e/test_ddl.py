"""Statements of the source: ALTERs are followed, what rows events do not tell becomes event rows."""

import json
import time

import pytest

from source import FLAVORS
from test_modes import make_table

METADATA = ("MINIMAL", "FULL")


def rows(calve, source, name="t"):
    """[(event_type, payload)] in the order of the log."""
    return [(c.event_type, json.loads(c.payload)) for c in calve.lake.changes(source.schema, name)]


def definition(calve, source, name="t"):
    """[(column, type)] as the checkpoint has them; None when the table is gone."""
    checkpoint = calve.lake.checkpoint(source.schema, name)
    if checkpoint.get("gone"):
        return None
    return [(c["name"], c["sql"]) for c in checkpoint["table"]["columns"]]


def catalog(source, name="t"):
    return [(r[0], r[1]) for r in source.sql(
        "SELECT column_name, column_type FROM information_schema.columns WHERE table_schema = database() AND "
        f"table_name = '{name}' ORDER BY ordinal_position")]


@pytest.fixture(params=FLAVORS)
def source(request, make_source):
    return make_source(request.param)


@pytest.mark.parametrize("metadata", METADATA)
def test_T6_alter_with_a_reader_that_lags(metadata, source, make_calve):
    """FIRST, AFTER, DROP, swapped names, labels in another order, another charset, another sign."""
    with source.globals(binlog_row_metadata=metadata):
        source.sql("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT, e ENUM('x','y'), s VARCHAR(20) CHARACTER SET latin1)",
                   "INSERT INTO t VALUES (1, 10, 20, 'x', 'é')")
        calve = make_calve(source, tables=f"{source.schema}.t")
        calve.catch_up()
        source.sql("INSERT INTO t VALUES (2, 11, 21, 'y', 'ü')",
                   "ALTER TABLE t ADD COLUMN f INT FIRST, ADD COLUMN g VARCHAR(5) AFTER a",
                   "INSERT INTO t VALUES (7, 3, 12, 'g', 22, 'x', 'ö')",
                   "ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a",
                   "INSERT INTO t VALUES (8, 4, 13, 'h', 23, 'y', 'ß')",
                   "ALTER TABLE t MODIFY e ENUM('y','x') NOT NULL, MODIFY s VARCHAR(20) CHARACTER SET utf8mb4",
                   "INSERT INTO t VALUES (9, 5, 14, 'i', 24, 'y', '😀')",
                   "ALTER TABLE t DROP COLUMN g, MODIFY f INT UNSIGNED",
                   "INSERT INTO t VALUES (4294967295, 6, 15, 25, 'x', 's')")
        calve.catch_up()
    assert rows(calve, source)[1:] == [
        ("insert", {"id": 2, "a": 11, "b": 21, "e": "y", "s": "ü"}),
        ("insert", {"f": 7, "id": 3, "a": 12, "g": "g", "b": 22, "e": "x", "s": "ö"}),
        ("insert", {"f": 8, "id": 4, "b": 13, "g": "h", "a": 23, "e": "y", "s": "ß"}),
        ("insert", {"f": 9, "id": 5, "b": 14, "g": "i", "a": 24, "e": "y", "s": "😀"}),
        ("insert", {"f": 4294967295, "id": 6, "b": 15, "a": 25, "e": "x", "s": "s"}),
    ]
    assert definition(calve, source) == catalog(source)


# (labels, their charset, CONVERT TO, the labels afterwards; None: their bytes are no text there, or not known)
CONVERTED = [
    ("'é','日'", "utf8mb4", "utf8mb3", ["é", "日"]),
    ("'é','日'", "utf8mb3", "utf8mb4", ["é", "日"]),
    ("'é','ü'", "latin1", "latin2", ["é", "ü"]),
    ("'é','ü'", "latin1", "koi8r", ["И", "Э"]),
    ("'é','x'", "utf8mb4", "latin1", ["Ã©", "x"]),
    ("'é','x'", "utf8mb4", "gbk", ["茅", "x"]),
    ("'中','文'", "gbk", "gb18030", ["中", "文"]),
    ("'日','x'", "sjis", "cp932", ["日", "x"]),
    ("'日','x'", "ucs2", "utf16", ["日", "x"]),
    ("'b2','c3'", "utf8mb4", "utf16", ["戲", "挳"]),
    ("'\\\\','x'", "cp932", "utf8mb4", ["\\", "x"]),
    ("'é','x'", "latin1", "utf8mb4", None),
    ("'中','x'", "gbk", "utf8mb4", None),
    ("'é','x'", "latin1", "ascii", None),
    ("'a','x'", "utf8mb4", "utf16", None),
    ("'日','語'", "utf16", "ascii", None),
    ("'\\\\','x'", "sjis", "utf8mb4", None),
    ("'?','x'", "utf8mb4", "latin1", None),
]


@pytest.mark.parametrize("metadata", METADATA)
@pytest.mark.parametrize("labels,was,becomes,expected", CONVERTED, ids=lambda v: v if isinstance(v, str) and v.isalnum() else "")
def test_T6_convert_leaves_the_bytes_of_labels(labels, was, becomes, expected, metadata, source, make_calve):
    """As a SELECT shows them: where the bytes mean nothing in the new charset calve stops in front."""
    if "gb18030" in (was, becomes) and source.family == "mariadb":
        pytest.skip("MariaDB has no gb18030")
    with source.globals(binlog_row_metadata=metadata):
        source.reconnect()
        kind = "ENUM" if metadata == "FULL" else "SET"
        source.sql("SET SESSION sql_mode = ''",
                   f"CREATE TABLE t (id INT PRIMARY KEY, e {kind}({labels}) CHARACTER SET {was}, d INT)")
        calve = make_calve(source, tables=f"{source.schema}.t")
        calve.catch_up()
        source.sql("INSERT INTO t (id) VALUES (0)", f"ALTER TABLE t CONVERT TO CHARACTER SET {becomes}, DROP d",
                   "INSERT INTO t VALUES (1, 1), (2, 2)", "ALTER TABLE t RENAME COLUMN e TO f", "UPDATE t SET id = 3 WHERE id = 1")
        result = calve.run("run", until="current")
    if expected is None:
        assert result.status == 1 and "CONVERT TO" in result.error and "stopped in front of it" in result.error
        assert "servers leave the bytes of labels as they are" in result.error
        assert [p for _, p in rows(calve, source)] == [{"id": 0, "e": None, "d": None}]
        return
    assert result.status == 0, result.error
    assert source.sql("SELECT f FROM t WHERE id > 1 ORDER BY id") == [(expected[1],), (expected[0],)]
    one, two = (([e] for e in expected) if kind == "SET" else expected)
    assert [p for _, p in rows(calve, source)] == [
        {"id": 0, "e": None, "d": None}, {"id": 1, "e": one}, {"id": 2, "e": two}, {"id": 3, "f": one}]
    assert definition(calve, source) == catalog(source)


@pytest.mark.parametrize("metadata", METADATA)
def test_T6_labels_beside_convert_are_written_anew(metadata, source, make_calve):
    """ADD, MODIFY and CHANGE in the same ALTER: their labels are texts, whatever charset they name."""
    with source.globals(binlog_row_metadata=metadata):
        source.reconnect()
        source.sql("SET SESSION sql_mode = ''",
                   "CREATE TABLE t (id INT PRIMARY KEY, a ENUM('é') CHARACTER SET latin1, b SET('\\\\') CHARACTER SET sjis)")
        calve = make_calve(source, tables=f"{source.schema}.t")
        calve.catch_up()
        source.sql("INSERT INTO t VALUES (1, 1, 1)",
                   "ALTER TABLE t MODIFY a ENUM('é') CHARACTER SET latin1, CONVERT TO CHARACTER SET utf8mb4, CHANGE b c "
                   "SET('\\\\') CHARACTER SET sjis, ADD d ENUM('日') CHARACTER SET latin1, ADD e ENUM('a') CHARACTER SET utf16",
                   "INSERT INTO t VALUES (2, 1, 1, 1, 1)",
                   "ALTER TABLE t DROP d, CONVERT TO CHARACTER SET latin1, ADD f ENUM('é','日') CHARACTER SET utf8mb4, "
                   "MODIFY a ENUM('ü') CHARACTER SET utf8mb4",
                   "INSERT INTO t VALUES (3, 1, 1, 1, 2)")
        calve.catch_up()
    assert [p for _, p in rows(calve, source)] == [
        {"id": 1, "a": "é", "b": ["\\"]}, {"id": 2, "a": "é", "c": ["\\"], "d": "日", "e": "a"},
        {"id": 3, "a": "ü", "c": ["\\"], "e": "a", "f": "?"}]
    assert definition(calve, source) == catalog(source)


def test_T6_restart_after_each_alter(source, make_calve):
    """The definition travels with the position: a process that starts behind knows the names of then."""
    make_table(source)
    calve = make_calve(source, tables=f"{source.schema}.t", options={"batch-size": "1"})
    calve.catch_up()
    places = []
    for i in range(1, 8):
        source.sql(f"INSERT INTO t (id, {'v' if i == 1 else f'c{i - 1}'}) VALUES ({i}, {i})")
        places.append(source.place())
        source.sql(f"ALTER TABLE t CHANGE COLUMN {'v' if i == 1 else f'c{i - 1}'} c{i} INT")
        places.append(source.place())
    source.sql("INSERT INTO t (id, c7) VALUES (8, 8)")
    for place in places:
        calve.ok("run", until=place)
    calve.catch_up()
    assert [list(p)[1] for _, p in rows(calve, source)] == ["v", "c1", "c2", "c3", "c4", "c5", "c6", "c7"]


def test_T5_truncate_drop_and_rename_are_rows(source, make_calve):
    make_table(source, rows=2)
    source.sql("CREATE TABLE u (id INT PRIMARY KEY, v INT)")
    calve = make_calve(source, tables=f"{source.schema}.t,{source.schema}.u")
    calve.catch_up()
    source.sql("INSERT INTO t VALUES (1, 1)", "TRUNCATE TABLE t", "INSERT INTO t VALUES (2, 2)",
               "RENAME TABLE t TO away", "INSERT INTO away VALUES (3, 3)", "DROP TABLE u",
               "CREATE TABLE t (a TEXT)", "INSERT INTO t VALUES ('new')")
    calve.catch_up()
    found = rows(calve, source)
    assert [kind for kind, _ in found] == ["backfill"] * 2 + ["insert", "truncate", "insert", "rename", "insert"]
    assert found[3][1] == {"ddl": "TRUNCATE TABLE t"}
    assert found[5][1] == {"ddl": "RENAME TABLE t TO away"}
    assert found[6][1] == {"a": "new"}
    dropped = rows(calve, source, "u")
    assert [kind for kind, _ in dropped] == ["drop"] and "DROP TABLE" in dropped[0][1]["ddl"]
    assert definition(calve, source, "u") is None
    source.sql("CREATE TABLE u (z INT)", "INSERT INTO u VALUES (9)")
    calve.catch_up()
    assert rows(calve, source, "u")[1:] == [("insert", {"z": 9})]


def test_policy_stop(source, make_calve):
    make_table(source)
    calve = make_calve(source, tables=f"{source.schema}.t",
                       options={"ddl-policy": f"mark,{source.schema}.t=stop"})
    calve.catch_up()
    source.sql("INSERT INTO t VALUES (1, 1)", "TRUNCATE TABLE t", "INSERT INTO t VALUES (2, 2)")
    result = calve.run("run", until="current")
    assert result.status == 1 and "ddl.policy" in result.error and "TRUNCATE TABLE t" in result.error
    assert [kind for kind, _ in rows(calve, source)] == ["insert"]
    place = result.error.rsplit("--ddl-accept ", 1)[1].split(";")[0]
    calve.catch_up(ddl_accept=place)
    assert [kind for kind, _ in rows(calve, source)] == ["insert", "truncate", "insert"]


def test_T5_gh_ost_swap(source, make_calve):
    make_table(source, rows=3)
    calve = make_calve(source, tables=f"{source.schema}.t")
    calve.catch_up()
    source.sql("CREATE TABLE _t_gho LIKE t", "ALTER TABLE _t_gho ADD COLUMN w INT DEFAULT 7 AFTER id",
               "INSERT INTO _t_gho (id, v) SELECT id, v FROM t", "INSERT INTO t VALUES (5, 5)")
    calve.catch_up()  # a restart in the middle: what was seen of the ghost is in the lake
    source.sql("INSERT INTO _t_gho (id, v) VALUES (5, 5)",
               "RENAME /* gh-ost */ TABLE t TO _t_del, _t_gho TO t", "INSERT INTO t VALUES (6, 8, 6)",
               "DROP TABLE _t_del", "UPDATE t SET v = 9 WHERE id = 5")
    calve.catch_up()
    assert rows(calve, source)[3:] == [
        ("insert", {"id": 5, "v": 5}),
        ("rename", {"ddl": "RENAME /* gh-ost */ TABLE t TO _t_del, _t_gho TO t"}),
        ("insert", {"id": 6, "w": 8, "v": 6}),
        ("update", {"id": 5, "w": 7, "v": 9}),
    ]
    assert definition(calve, source) == catalog(source)


def test_T5_pt_osc_swap(source, make_calve):
    make_table(source, rows=1)
    calve = make_calve(source, tables=f"{source.schema}.t")
    calve.catch_up()
    source.sql("CREATE TABLE _t_new (id INT PRIMARY KEY, v INT)", "ALTER TABLE `_t_new` MODIFY v BIGINT UNSIGNED",
               "INSERT INTO _t_new VALUES (-1, 18446744073709551615)",
               "RENAME TABLE t TO _t_old, _t_new TO t", "DROP TABLE IF EXISTS _t_old",
               "UPDATE t SET v = v - 1")
    calve.catch_up()
    assert rows(calve, source)[-1] == ("update", {"id": -1, "v": 18446744073709551614})


def test_T5_a_swap_with_a_table_nobody_knows_stops(source, make_calve):
    make_table(source)
    source.sql("CREATE TABLE x (id INT PRIMARY KEY, other INT)")
    calve = make_calve(source, tables=f"{source.schema}.t")
    calve.catch_up()
    source.sql("INSERT INTO t VALUES (1, 1)", "RENAME TABLE t TO y, x TO t", "INSERT INTO t VALUES (2, 2)")
    result = calve.run("run", until="current")
    assert result.status == 1 and "--ddl-accept" in result.error
    assert rows(calve, source) == [("insert", {"id": 1, "v": 1})]
    calve.catch_up(ddl_accept=result.error.rsplit("--ddl-accept ", 1)[1].split(";")[0])
    assert rows(calve, source)[2:] == [("insert", {"id": 2, "other": 2})]


def test_T5_create_like_and_select(source, make_calve):
    make_table(source, rows=2)
    calve = make_calve(source, tables=f"{source.schema}.*")
    calve.catch_up()
    running = calve.start("run", batch_size="1")
    running.wait_event("source.connected")
    source.sql("CREATE TABLE l LIKE t", "INSERT INTO l VALUES (1, 1)", "CREATE TABLE c SELECT id, v + 1 AS w FROM t",
               "INSERT INTO c VALUES (3, 3)", "INSERT INTO t VALUES (9, 9)")
    deadline = time.monotonic() + 30
    while len(calve.lake.payloads(source.schema, "t", "insert")) < 1 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert running.stop().status == 0
    assert rows(calve, source, "l") == [("insert", {"id": 1, "v": 1})]
    found = rows(calve, source, "c")
    assert sorted(p["id"] for _, p in found) == [-2, -1, 3] and {kind for kind, _ in found} == {"insert"}
    assert all(set(p) == {"id", "w"} for _, p in found)


def test_a_new_table_that_a_glob_chooses(source, make_calve):
    """From its first row on, also when the reader is far behind and the table is gone again."""
    make_table(source, rows=1)
    calve = make_calve(source, tables=f"{source.schema}.*")
    calve.catch_up()
    source.sql("CREATE TABLE n (id INT PRIMARY KEY, v INT)", "INSERT INTO n VALUES (1, 1)",
               "ALTER TABLE n ADD COLUMN w INT", "UPDATE n SET w = 2", "DROP TABLE n",
               "CREATE TABLE m (id INT)", "INSERT INTO m VALUES (1)", "INSERT INTO t VALUES (1, 1)")
    calve.catch_up()
    assert rows(calve, source, "n")[:-1] == [("insert", {"id": 1, "v": 1}), ("update", {"id": 1, "v": 1, "w": 2})]
    assert rows(calve, source, "n")[-1][0] == "drop"
    assert rows(calve, source)[1:] == [("insert", {"id": 1, "v": 1})]
    source.sql("INSERT INTO m VALUES (2)")
    calve.catch_up()
    assert {p["id"] for _, p in rows(calve, source, "m")} == {1, 2}


def test_a_table_that_comes_by_rename_is_copied(source, make_calve):
    make_table(source, rows=1)
    source.sql("CREATE DATABASE IF NOT EXISTS elsewhere", "CREATE TABLE elsewhere.o (id INT PRIMARY KEY, v INT)",
               "INSERT INTO elsewhere.o VALUES (1, 1), (2, 2)")
    try:
        calve = make_calve(source, tables=f"{source.schema}.*")
        calve.catch_up()
        source.sql("RENAME TABLE elsewhere.o TO n", "INSERT INTO n VALUES (3, 3)", "INSERT INTO t VALUES (1, 1)")
        calve.catch_up()
        source.sql("DELETE FROM n WHERE id = 1")
        calve.catch_up()
    finally:
        source.sql("DROP DATABASE elsewhere")
    found = rows(calve, source, "n")
    assert sorted(p["id"] for kind, p in found if kind in ("backfill", "insert")) == [1, 2, 3]
    assert found[-1] == ("delete", {"id": 1, "v": 1})
    assert rows(calve, source)[1:] == [("insert", {"id": 1, "v": 1})]


def test_T5_rename_chain(source, make_calve):
    source.sql("CREATE TABLE a (id INT, in_a INT)", "CREATE TABLE b (id INT, in_b INT)")
    calve = make_calve(source, tables=f"{source.schema}.a,{source.schema}.b")
    calve.catch_up()
    source.sql("RENAME TABLE a TO x, b TO a, x TO b", "INSERT INTO a VALUES (1, 1)", "INSERT INTO b VALUES (2, 2)")
    calve.catch_up()
    assert rows(calve, source, "a")[-1] == ("insert", {"id": 1, "in_b": 1})
    assert rows(calve, source, "b")[-1] == ("insert", {"id": 2, "in_a": 2})


def test_T5_partitions(source, make_calve):
    source.sql("CREATE TABLE t (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), "
               "PARTITION p1 VALUES LESS THAN (20))", "CREATE TABLE x (id INT PRIMARY KEY)",
               "INSERT INTO t VALUES (1), (11)", "INSERT INTO x VALUES (15)")
    calve = make_calve(source, tables=f"{source.schema}.t")
    calve.catch_up()
    source.sql("ALTER TABLE t TRUNCATE PARTITION p0", "INSERT INTO t VALUES (2)", "ALTER TABLE t DROP PARTITION p0",
               "INSERT INTO t VALUES (12)")
    calve.catch_up()
    assert [kind for kind, _ in rows(calve, source)][2:] == ["truncate", "insert", "truncate", "insert"]
    source.sql("ALTER TABLE t EXCHANGE PARTITION p1 WITH TABLE x")
    result = calve.run("run", until="current")
    assert result.status == 1 and "EXCHANGE PARTITION" in result.error


def test_database_defaults(source, make_calve):
    """A column without a charset gets the table's, a table without one the database's."""
    make_table(source)
    calve = make_calve(source, tables=f"{source.schema}.*")
    calve.catch_up()
    running = calve.start("run")  # it sees the tables come to be; one that starts later would copy them
    running.wait_event("source.connected")
    source.sql(f"ALTER DATABASE `{source.schema}` CHARACTER SET latin1", "CREATE TABLE l (s VARCHAR(10))",
               "SET NAMES utf8mb4", "INSERT INTO l VALUES ('é')", "ALTER TABLE l ADD COLUMN x CHAR(3)",
               "INSERT INTO l VALUES ('ü', 'ö')", "ALTER TABLE l CONVERT TO CHARACTER SET utf8mb4",
               "INSERT INTO l VALUES ('😀', 'b')", f"DROP DATABASE `{source.schema}`")
    source.sql(f"CREATE DATABASE `{source.schema}` CHARACTER SET cp1251", f"USE `{source.schema}`",
               "CREATE TABLE l (s VARCHAR(10))", "INSERT INTO l VALUES ('ж')")
    running.wait_event("table.found")
    assert running.stop().status == 0
    calve.catch_up()
    found = rows(calve, source, "l")
    assert [p for kind, p in found if kind == "insert"] == [
        {"s": "é"}, {"s": "ü", "x": "ö"}, {"s": "😀", "x": "b"}, {"s": "ж"}]
    assert [kind for kind, _ in found].count("drop") == 1


def test_T7_texts_that_modes_change(source, make_calve):
    make_table(source)
    calve = make_calve(source, tables=f"{source.schema}.t")
    calve.catch_up()
    source.sql("SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')", 'ALTER TABLE "t" ADD COLUMN "a""b" INT',
               "INSERT INTO t VALUES (1, 1, 1)", "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
               r"ALTER TABLE t ADD COLUMN e ENUM('a\', 'b') COMMENT 'x\'", r"INSERT INTO t VALUES (2, 2, 2, 'a\')",
               "SET sql_mode = DEFAULT", "ALTER TABLE t /*!50000 ADD COLUMN x INT */ /* , DROP COLUMN v */",
               "INSERT INTO t VALUES (3, 3, 3, 'b', 3)")
    session = source.session(charset="gbk")
    with session.cursor() as cursor:
        cursor.execute("ALTER TABLE t ADD COLUMN `誠` INT COMMENT '誠'")
        cursor.execute("INSERT INTO t VALUES (4, 4, 4, 'b', 4, 4)")
    session.commit()
    session.close()
    calve.catch_up()
    assert [p for _, p in rows(calve, source)] == [
        {"id": 1, "v": 1, 'a"b': 1}, {"id": 2, "v": 2, 'a"b': 2, "e": "a\\"},
        {"id": 3, "v": 3, 'a"b': 3, "e": "b", "x": 3}, {"id": 4, "v": 4, 'a"b': 4, "e": "b", "x": 4, "誠": 4}]


def test_T7_statements_of_no_concern(source, make_calve):
    make_table(source)
    calve = make_calve(source, tables=f"{source.schema}.t")
    calve.catch_up()
    user = f"'{source.schema}'@'localhost'"
    body = "SELECT 'ALTER TABLE t DROP COLUMN v; \\' `'; " * 20000
    source.sql(f"CREATE USER {user} IDENTIFIED BY 'pw'", f"ALTER USER {user} IDENTIFIED BY 'o''ther'",
               f"CREATE PROCEDURE p() BEGIN {body} END", "CREATE VIEW w AS SELECT * FROM t",
               "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.v = NEW.v + 1",
               "INSERT INTO t VALUES (1, 1)", "DROP TRIGGER g", "DROP VIEW w", "DROP PROCEDURE p", f"DROP USER {user}",
               "ANALYZE TABLE t", "OPTIMIZE TABLE t", "CREATE TEMPORARY TABLE t (z INT)", "INSERT INTO t VALUES (5)",
               "ALTER TABLE t ADD COLUMN q INT", "DROP TEMPORARY TABLE t", "INSERT INTO t VALUES (2, 2)")
    calve.catch_up()
    assert [p for _, p in rows(calve, source)] == [{"id": 1, "v": 2}, {"id": 2, "v": 2}]


def test_killed_while_definitions_change(source, make_calve):
    """Killed at any moment and started again: each row has the names of its moment, once."""
    source.sql("CREATE TABLE t (id INT PRIMARY KEY, c0 INT)", "CREATE TABLE u (id INT PRIMARY KEY, c0 INT)")
    calve = make_calve(source, tables=f"{source.schema}.*", options={"commit-interval": "100ms"})
    calve.catch_up()
    wanted = []
    running = calve.start("run")
    for i in range(1, 41):
        source.sql(f"INSERT INTO t VALUES ({i}, {i})", f"ALTER TABLE t CHANGE COLUMN c{i - 1} c{i} INT",
                   f"INSERT INTO u VALUES ({i}, {i})")
        wanted.append((i, f"c{i - 1}"))
        if i % 5 == 0:
            source.sql("RENAME TABLE t TO x, u TO t, x TO u", f"ALTER TABLE t CHANGE COLUMN c0 c{i} INT",
                       f"ALTER TABLE u CHANGE COLUMN c{i} c0 INT")
            time.sleep(0.02 * (i % 7))
            running.kill9()
            running = calve.start("run")
    running.kill9()
    calve.catch_up()
    found = rows(calve, source) + rows(calve, source, "u")
    names = sorted((p["id"], list(p)[1]) for kind, p in found if kind == "insert")
    assert names == sorted(wanted + [(i, "c0") for i, _ in wanted])


def test_tables_that_vanish_before_they_are_copied(source, make_calve):
    """A glob means what is there: a table that is dropped, renamed or altered at that moment ends no run."""
    for i in range(40):
        source.sql(f"CREATE TABLE t{i:02} (id INT PRIMARY KEY, v INT)", f"INSERT INTO t{i:02} VALUES (1, {i})")
    calve = make_calve(source, tables=f"{source.schema}.*", options={"backfill-workers": "1"})
    running = calve.start("run", until="current")
    running.wait_event("copy.done")
    for i in range(39, 9, -1):
        source.sql(f"DROP TABLE t{i:02}" if i % 2 else f"ALTER TABLE t{i:02} ADD COLUMN w INT DEFAULT 3")
    result = running.wait()
    assert result.status == 0, result
    calve.catch_up()
    for i in range(40):
        exists = i < 10 or i % 2 == 0
        found = rows(calve, source, f"t{i:02}") if calve.lake.exists(source.schema, f"t{i:02}") else []
        assert not exists or (found and found[0][0] == "backfill" and found[0][1]["v"] == i), (i, found)
        if exists:
            assert definition(calve, source, f"t{i:02}") == catalog(source, f"t{i:02}")


def test_a_table_that_is_named_must_be_there(source, make_calve):
    make_table(source)
    result = make_calve(source, tables=f"{source.schema}.t,{source.schema}.nothing").run("run", until="current")
    assert result.status == 1 and "nothing" in result.error


def test_T10_what_the_log_does_not_have(source, make_calve):
    """sql_log_bin=0: rows cannot be noticed, an ALTER is, by the next table map."""
    make_table(source)
    calve = make_calve(source, tables=f"{source.schema}.t")
    calve.catch_up()
    source.sql("SET sql_log_bin = 0", "INSERT INTO t VALUES (1, 1)", "SET sql_log_bin = 1", "INSERT INTO t VALUES (2, 2)")
    calve.catch_up()
    assert rows(calve, source) == [("insert", {"id": 2, "v": 2})]
    source.sql("SET sql_log_bin = 0", "ALTER TABLE t MODIFY v BIGINT", "SET sql_log_bin = 1", "INSERT INTO t VALUES (3, 3)")
    result = calve.run("run", until="current")
    assert result.status == 1 and "altered without the statement in the binlog" in result.error


@pytest.mark.parametrize("flavor", FLAVORS)
def test_T10_filters_are_told(flavor, make_source, make_calve):
    """binlog_ignore_db keeps changes out of the log: nobody can follow them, so it is said."""
    source = make_source(flavor, binlog_ignore_db="hidden")
    make_table(source)
    calve = make_calve(source, tables=f"{source.schema}.t")
    result = calve.catch_up()
    assert result.named("source.filters")[0]["filters"] == "binlog_ignore_db=hidden"
    source.sql("INSERT INTO t VALUES (1, 1)")
    calve.catch_up()
    assert rows(calve, source) == [("insert", {"id": 1, "v": 1})]


def test_T10_changes_logged_as_statements(source, make_calve):
    """Of a followed table: a stop; of others: nothing. Set for a session, whatever the server's variable says."""
    make_table(source)
    source.sql("CREATE DATABASE IF NOT EXISTS aside", "CREATE TABLE aside.o (id INT)")
    calve = make_calve(source, tables=f"{source.schema}.t")
    calve.catch_up()
    try:
        source.sql("INSERT INTO t VALUES (1, 1)", "SET SESSION binlog_format = 'STATEMENT'", "USE aside",
                   "INSERT INTO o VALUES (1)", f"USE `{source.schema}`")
        calve.catch_up()
        source.sql("UPDATE t SET v = 2 WHERE id = 1", "SET SESSION binlog_format = 'ROW'", "INSERT INTO t VALUES (3, 3)")
        result = calve.run("run", until="current")
    finally:
        source.sql("DROP DATABASE aside")
    assert result.status == 1 and "binlog_format=ROW" in result.error
    assert rows(calve, source) == [("insert", {"id": 1, "v": 1})]
