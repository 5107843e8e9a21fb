#!/usr/bin/env python3
"""Makes the recordings beside it anew, from private servers: record.py [FLAVOR...]

A recording is some binlog files and NAME.json: the server's version, the statements, the tables as
information_schema has them, and the rows at the end.
"""

import json
import pathlib
import random
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[2] / "tools")]

from servers import Server  # noqa: E402  pylint: disable=wrong-import-position

TABLES = [
    "CREATE TABLE account (id INT UNSIGNED PRIMARY KEY, owner VARCHAR(40) NOT NULL, balance DECIMAL(12,2))",
    "CREATE TABLE entry (id INT AUTO_INCREMENT PRIMARY KEY, account INT UNSIGNED, note TEXT, amount BIGINT)",
    "CREATE TABLE tag (a INT NOT NULL, b VARCHAR(20) NOT NULL, weight SMALLINT, PRIMARY KEY (b, a))",
]
NAMES = {"account": ("id",), "entry": ("id",), "tag": ("b", "a")}


def transaction(rand, number):
    """Statements of one transaction, over one to three tables."""
    account = rand.randrange(1, 9)
    sql = [f"INSERT INTO account VALUES ({account}, 'owner {account}', {number}.25) ON DUPLICATE KEY UPDATE "
           f"balance = balance + {rand.randrange(1, 500)}.{rand.randrange(10, 100)}"]
    if number % 2:
        rows = ", ".join(f"({account}, {'NULL' if rand.random() < 0.2 else repr(f'note {number} ü')}, "
                         f"{rand.randrange(-10**12, 10**12)})" for _ in range(rand.randrange(1, 4)))
        sql.append(f"INSERT INTO entry (account, note, amount) VALUES {rows}")
    if number % 3 == 0:
        sql.append(f"REPLACE INTO tag VALUES ({account}, 't{rand.randrange(5)}', {number})")
    if number % 7 == 0:
        sql.append(f"UPDATE entry SET amount = amount + 1, note = CONCAT(note, '!') WHERE account = {account}")
    if number % 11 == 0:
        sql.append(f"DELETE FROM entry WHERE account = {account} ORDER BY id LIMIT 1")
        sql.append(f"UPDATE tag SET weight = -weight WHERE a = {account}")
    return sql


def work(family):
    """[(statement)] that are recorded."""
    rand = random.Random(7)
    out = []
    for number in range(1, 41):
        packed = family == "mysql" and number in (9, 10, 26)
        if packed:
            out.append("SET SESSION binlog_transaction_compression = ON")
        out += ["BEGIN", *transaction(rand, number), "ROLLBACK" if number == 17 else "COMMIT"]
        if packed:
            out.append("SET SESSION binlog_transaction_compression = OFF")
        if number in (14, 30):
            out.append("FLUSH BINARY LOGS")
    return out


def dictionaries(cursor, sql):
    cursor.execute(sql)
    names = [d[0] for d in cursor.description]
    return [dict(zip(names, (str(v) if v is not None else None for v in row))) for row in cursor.fetchall()]


def record(flavor):
    with Server(flavor, {}) as server, server.connect() as connection, connection.cursor() as cursor:
        status = "SHOW BINARY LOG STATUS" if server.family == "mysql" else "SHOW BINLOG STATUS"
        statements = work(server.family)
        for sql in ["CREATE DATABASE bank", "USE bank", *TABLES, "FLUSH BINARY LOGS"]:
            cursor.execute(sql)
        first = dictionaries(cursor, status)[0]["File"]
        for sql in statements:
            cursor.execute(sql)
        last = dictionaries(cursor, status)[0]["File"]
        files = [f["Log_name"] for f in dictionaries(cursor, "SHOW BINARY LOGS")]
        files = files[files.index(first):files.index(last) + 1]
        about = {"version": dictionaries(cursor, "SELECT VERSION() AS v")[0]["v"],
                 "server_id": int(dictionaries(cursor, "SELECT @@server_id AS v")[0]["v"])}
        if server.family == "mysql":
            about["uuid"] = dictionaries(cursor, "SELECT @@server_uuid AS v")[0]["v"]
        about |= {"tables": TABLES, "statements": statements, "files": files, "columns": {}, "keys": NAMES,
                  "rows": {}}
        for name in NAMES:
            where = f"WHERE TABLE_SCHEMA = 'bank' AND TABLE_NAME = '{name}'"
            about["columns"][name] = dictionaries(
                cursor, "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, CHARACTER_MAXIMUM_LENGTH, "
                "NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION, CHARACTER_SET_NAME FROM "
                f"information_schema.COLUMNS {where} ORDER BY ORDINAL_POSITION")
            about["rows"][name] = dictionaries(cursor, f"SELECT * FROM {name}")
        cursor.execute("SELECT @@log_bin_basename")
        folder = pathlib.Path(cursor.fetchone()[0]).parent
        target = HERE / flavor
        target.mkdir(exist_ok=True)
        for name in files:
            (target / name).write_bytes((folder / name).read_bytes())
        text = json.dumps(about, indent=1, ensure_ascii=False)
        (target / "about.json").write_text(text + "\n", encoding="utf-8")
        print(flavor, about["version"], {n: (target / n).stat().st_size for n in files})


for flavor in sys.argv[1:] or ("mysql-9", "mariadb-10.11", "mariadb-11.8"):
    record(flavor)
