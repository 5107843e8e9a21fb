"""What calve reads out of DDL, against INFORMATION_SCHEMA of the servers that ran it.

Each statement that a server accepts is followed by a look at its catalog; then calve reads the log, and
after each statement its definitions must be the catalog's.

CALVE_TEST_SEED chooses the random statements, CALVE_TEST_DDL_STATEMENTS how many there are.
"""

import json
import os
import pathlib
import random

import pytest

from ddl_dice import Dice
from ddl_record import Record, statements
from source import FLAVORS

CORPUS = pathlib.Path(__file__).resolve().parent / "ddl"
DATABASES = ["ddl_a", "ddl_b"]
SEED = int(os.environ.get("CALVE_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
COUNT = int(os.environ.get("CALVE_TEST_DDL_STATEMENTS") or 150)

# Characters whose second byte is a backslash or a backtick, in each charset that has such.
TRICKY = {
    "gbk": "乗乣誠縗", "big5": "功許蓋擺", "sjis": "ソ能表十", "cp932": "ソ能表十", "gb18030": "乗誠",
    "latin1": "éü", "utf8mb4": "表é", "cp1251": "жщ", "ujis": "表能", "euckr": "한글", "gb2312": "中文",
}


@pytest.fixture(params=FLAVORS)
def record(request, servers):
    made = Record(servers.get(request.param), DATABASES)
    yield made
    made.close()


def check(record, folder, accepted):
    wrong = record.compare(folder)
    assert not wrong, f"{len(wrong)} differences:\n" + "\n".join(wrong[:20])
    refused = "\n".join(f"{s[:100]}: {why}" for s, why in record.refused[:20])
    assert len(record.steps) >= accepted, f"only {len(record.steps)} statements were accepted:\n{refused}"


@pytest.mark.parametrize("name", ["types", "statements", "own"])
def test_corpus(record, tmp_path, name):
    path = CORPUS / f"{record.server.family if name == 'own' else name}.sql"
    corpus = statements(path)
    for statement in corpus:
        record.run(statement)
    check(record, tmp_path, len(corpus) * 0.9)


def test_random_statements(record, tmp_path):
    print(f"CALVE_TEST_SEED={SEED}")
    dice = Dice(random.Random(SEED), record.mariadb, DATABASES)
    assert record.run("CREATE DATABASE ddl_a CHARACTER SET utf8mb4")
    assert record.run("CREATE DATABASE ddl_b CHARACTER SET latin1")
    assert record.run("USE ddl_a")
    for _ in range(COUNT):
        statement, refused = dice.statement()
        if not record.run(statement):
            refused()
    check(record, tmp_path, COUNT * 0.3)


@pytest.mark.parametrize("charset", sorted(TRICKY))
def test_client_charsets(record, tmp_path, charset):
    if charset == "gb18030" and record.mariadb:
        pytest.skip("MariaDB does not have it")
    tricky = TRICKY[charset]
    a, b, last = tricky[0], tricky[1], tricky[-1]
    record.connect(charset)
    for statement in [
            "CREATE DATABASE ddl_a CHARACTER SET utf8mb4",
            "USE ddl_a",
            f"CREATE TABLE `{a}` (`{a}` INT COMMENT '{a}', `x{b}` VARCHAR(9) DEFAULT '{b}', c ENUM('{a}','{b}') COMMENT \"{b}\")",
            f"ALTER TABLE `{a}` ADD {b}y INT COMMENT '{a}''{b}' AFTER `{a}`, ADD z SET('{b}','{a}q')",
            f"CREATE TABLE k (a ENUM('{a}','x') CHARACTER SET {charset}, b ENUM('{b}') CHARACTER SET utf8mb4)",
            f"RENAME TABLE `{a}` TO `{b}`",
            "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'",
            f"CREATE TABLE {a}2 (c ENUM('{a}','\\','{b}'), d INT COMMENT '{a}\\')",
            f"DROP TABLE `{b}`, `{a}2`",
            # The server writes what it logs for these, in UTF-8. So might a client, in its charset.
            f"CREATE TABLE g1 AS SELECT 1 AS `{last}` {'/* unknown */' if record.mariadb else ''}",
            f"CREATE TEMPORARY TABLE tmp (a INT, `{last}` ENUM('{last}') CHARACTER SET utf8mb4)",
            "CREATE TABLE g2 LIKE tmp /* unknown */",
    ]:
        assert record.run(statement), record.refused
    check(record, tmp_path, 12)


def test_text_files(make_calve, tmp_path):
    """A file of statements, for a server that is named, in a session that the file itself makes."""
    calve = make_calve(None)
    path = tmp_path / "a.sql"
    path.write_text("""
CREATE DATABASE shop; -- ; none
USE shop;
SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES';
CREATE TABLE "a;b" (id INT PRIMARY KEY, c VARCHAR(5) DEFAULT '\\'); /* ; */ # ;
SET sql_mode = '';
CREATE TABLE t (a TIMESTAMP, b ENUM('x;','y')) ENGINE=innodb;
SET explicit_defaults_for_timestamp = 0;
CREATE TABLE u (a TIMESTAMP)
""", encoding="utf-8")
    shown = calve.plain("inspect", "ddl", path)
    assert shown.status == 0, shown
    assert shown.out == (
        'shop.a;b (utf8mb4, engine not written)\n  id int not null key\n  c varchar(5) utf8mb4\n'
        "shop.t (utf8mb4, InnoDB)\n  a timestamp\n  b enum('x;','y') utf8mb4\n"
        "shop.u (utf8mb4, engine not written)\n  a timestamp not null\n")
    old = calve.plain("inspect", "ddl", path, "--json", "--server", "mysql", "--server-version", "5.7.44")
    lines = [json.loads(line) for line in old.out.splitlines()]
    assert [line["table"]["name"] for line in lines if "table" in line] == ["a;b", "t", "u"]
    assert lines[-2]["table"]["columns"][0] | {"name": ""} == {
        "name": "", "type": "timestamp", "sql": "timestamp", "charset": None, "unsigned": False, "nullable": False,
        "generated": False, "length": 0, "precision": 0, "scale": 0, "fsp": 0}
    path.write_bytes(b"CREATE DATABASE d; USE d; SET NAMES sjis; CREATE TABLE t (a ENUM('\x83\x5c', 'b')); ALTER TABLE t FOO;")
    broken = calve.plain("inspect", "ddl", path, "--server", "mariadb")
    assert broken.status == 3 and "statement 3: the statement cannot be read from byte 14 on" in broken.out, broken
    assert "1 of 3 statements cannot be read" in broken.out
    for words, why in [(["--server", "oracle"], "--server is mysql or mariadb"),
                       (["--server-version", "x"], "--server-version is one like 8.0.40"),
                       (["--rows"], "has no --rows")]:
        refused = calve.plain("inspect", "ddl", path, *words)
        assert refused.status == 2 and why in refused.log, refused


def test_temporary_tables_hide_others(record, tmp_path):
    """With statement logging, what a session does to its temporary tables is in the log."""
    for statement in [
            "CREATE DATABASE ddl_a CHARACTER SET utf8mb4", "USE ddl_a", "CREATE TABLE t (a INT)", "CREATE TABLE u (a INT)",
            "SET SESSION binlog_format = 'STATEMENT'", "CREATE TEMPORARY TABLE t (x INT)", "ALTER TABLE t ADD y INT",
            "TRUNCATE TABLE t", "CREATE TEMPORARY TABLE v LIKE u", "ALTER TABLE v RENAME u2, ADD z INT",
            "ALTER TABLE u ADD b INT", "DROP TABLE t", "ALTER TABLE t ADD c INT", "DROP TEMPORARY TABLE u2",
            "SET SESSION binlog_format = 'ROW'"]:
        assert record.run(statement), record.refused
    check(record, tmp_path, 15)
