"""Runs statements on a server, notes the definitions after each, and compares calve's reading of the log.

The definitions come from INFORMATION_SCHEMA by other code than calve's.
"""

import json
import pathlib
import re
import subprocess

import pymysql

from program import binary, clean_environment

GEOMETRIES = {"point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon",
              "geometrycollection", "geomcollection"}
TEXTS = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"}
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "0": "\0"}


def statements(path):
    """Statements of a corpus file; each ends with `;` at the end of a line."""
    text = pathlib.Path(path).read_text(encoding="utf-8")
    text = re.sub(r"^-- .*\n", "", text, flags=re.M)
    return [s.strip() for s in re.split(r";[ \t]*\n", text) if s.strip()]


def labels_of(column_type):
    found = re.findall(r"'((?:[^'\\]|''|\\.)*)'", column_type, re.S)
    return [re.sub(r"''|\\(.)", lambda m: ESCAPES.get(m[1], m[1]) if m[1] else "'", label, flags=re.S)
            for label in found]


def column_of(row):
    """As calve shows a column, from a row of information_schema.COLUMNS."""
    (name, data_type, column_type, nullable, characters, precision, scale, fsp, charset,
     generation) = row
    data_type = data_type.lower()
    column = {
        "name": name,
        "type": data_type,
        "sql": column_type,
        "charset": charset if data_type in TEXTS else None,
        "unsigned": False,
        "nullable": nullable == "YES",
        "generated": bool(generation),
        "length": 0, "precision": 0, "scale": 0, "fsp": 0,
    }
    if data_type in GEOMETRIES:
        column["type"] = "geometry"
    if data_type.endswith("text"):
        column["type"] = "text"
    if data_type.endswith("blob"):
        column["type"] = "blob"
    if data_type in ("enum", "set"):
        column["labels"] = labels_of(column_type)
    else:
        column["unsigned"] = " unsigned" in column_type
    if data_type in ("char", "varchar", "binary", "varbinary"):
        column["length"] = int(characters)
    if data_type == "bit":
        column["length"] = int(precision)
    if data_type == "decimal":
        column |= {"precision": int(precision), "scale": int(scale)}
    if data_type in ("time", "datetime", "timestamp"):
        column["fsp"] = int(fsp or 0)
    return column


class Record:
    """A session whose statements are noted, in a binlog file of its own."""

    def __init__(self, server, databases):
        self.server = server
        self.mariadb = server.family == "mariadb"
        self.databases = databases
        self.connection = server.connect()
        self.watcher = server.connect()
        if not self.mariadb:
            self.watch("SET show_gipk_in_create_table_and_information_schema = ON")
        for database in databases:
            self.watch(f"DROP DATABASE IF EXISTS `{database}`")
        self.watch("FLUSH BINARY LOGS")
        self.file = self.position()[0]
        self.steps = []     # (statement, position behind it, {(database, table): definition})
        self.refused = []   # (statement, why)

    def connect(self, charset):
        """Goes on in a session whose statements are in this charset."""
        connection = self.server.connect(charset=charset)
        self.connection.close()
        self.connection = connection

    def close(self):
        for database in self.databases:
            self.watch(f"DROP DATABASE IF EXISTS `{database}`")
        self.connection.close()
        self.watcher.close()

    def watch(self, sql):
        with self.watcher.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def position(self):
        name = "MASTER" if self.mariadb else "BINARY LOG"
        row = self.watch(f"SHOW {name} STATUS")[0]
        return row[0], int(row[1])

    def run(self, statement):
        """Runs a statement and notes what it made; False when the server refused."""
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(statement)
        except (pymysql.Error, UnicodeError) as e:
            self.refused.append((statement, str(e)))
            return False
        file, offset = self.position()
        assert file == self.file, "the binlog went on in another file"
        self.steps.append((statement, offset, self.definitions(statement)))
        return True

    def finish(self):
        """Looks at all tables once more."""
        self.steps.append(("at the end", self.position()[1], self.definitions("")))

    def definitions(self, statement):
        """{(database, table): definition} as INFORMATION_SCHEMA has it now.

        Only what is new or named in the statement is read again; all where there is none.
        """
        names = ",".join(f"'{d}'" for d in self.databases)
        tables = self.watch(
            "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA IN "
            f"({names}) AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')")
        last = self.steps[-1][2] if self.steps else {}
        text = statement.lower().replace("``", "`")
        found = {}
        stale = []
        for name in tables:
            if statement and name in last and name[1].lower() not in text:
                found[name] = last[name]
            else:
                stale.append(name)
        return found | (self.read_tables(stale) if stale else {})

    def read_tables(self, wanted):
        names = ",".join("({},{})".format(*map(self.watcher.escape, n)) for n in wanted)
        tables = self.watch(
            "SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE, SUBSTRING_INDEX(TABLE_COLLATION, '_', 1) FROM "
            f"information_schema.TABLES WHERE (TABLE_SCHEMA, TABLE_NAME) IN ({names})")
        found = {(t[0], t[1]): {"engine": t[2], "charset": t[3], "columns": [], "key": []} for t in tables}
        for row in self.watch(
                "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, "
                "CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION, "
                "CHARACTER_SET_NAME, GENERATION_EXPRESSION FROM information_schema.COLUMNS WHERE "
                f"(TABLE_SCHEMA, TABLE_NAME) IN ({names}) ORDER BY ORDINAL_POSITION"):
            if (row[0], row[1]) in found:  # else a view
                found[row[0], row[1]]["columns"].append(column_of(row[2:]))
        for row in self.watch(
                "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM information_schema.STATISTICS WHERE "
                f"(TABLE_SCHEMA, TABLE_NAME) IN ({names}) AND INDEX_NAME = 'PRIMARY' ORDER BY SEQ_IN_INDEX"):
            if (row[0], row[1]) in found:
                found[row[0], row[1]]["key"].append(row[2])
        return found

    def read(self, folder):
        """calve's lines on the log: (where the statement ends, the line)."""
        copy = pathlib.Path(folder) / f"{self.server.flavor}-{self.file}"
        copy.write_bytes((self.server.data / self.file).read_bytes())
        done = subprocess.run([binary(), "inspect", "ddl", str(copy), "--json"], env=clean_environment(),
                              capture_output=True, check=False, timeout=120)
        assert done.returncode in (0, 3), done.stderr.decode()
        lines = [json.loads(line) for line in done.stdout.decode("utf-8").splitlines()]
        return [line for line in lines if "statement" in line]

    def compare(self, folder):
        """What differs: texts. Tables whose statement says /* unknown */ may be unknown."""
        self.finish()
        lines = self.read(folder)
        at = 0
        tables = {}
        allowed = set()
        wrong = []
        for statement, end, want in self.steps:
            while at < len(lines) and lines[at]["end"] <= end:
                line = lines[at]
                at += 1
                if "error" in line and "/* unreadable */" not in statement:
                    wrong.append(f"{statement}\n    {line['error']}")
                for change in line["changes"]:
                    # What comes of a table that may be unknown may be so too.
                    may = "/* unknown */" in statement or any(n[1] in statement for n in allowed)
                    follow(tables, allowed, change, may)
            wrong += [f"{statement}\n    {text}" for text in differences(want, tables, allowed)]
            # A difference is told once.
            for name in [n for n in tables if n not in want]:
                del tables[name]
            for name, definition in want.items():
                if name not in allowed:
                    tables[name] = json.loads(json.dumps(definition))
        return wrong


def follow(tables, allowed, change, may_be_unknown):
    """Applies a change that calve reports."""
    name = change["database"], change["table"]
    if change["kind"] == "renamed":
        tables.pop(name, None)
        was_allowed = name in allowed
        allowed.discard(name)
        name = change["new_database"], change["new_table"]
        allowed.discard(name)
        if was_allowed:
            allowed.add(name)
    elif change["kind"] == "dropped":
        for gone in [n for n in tables if n[0] == name[0] and name[1] in (n[1], "")]:
            del tables[gone]
        allowed -= {n for n in allowed if n[0] == name[0] and name[1] in (n[1], "")}
        return
    tables.pop(name, None)
    if "definition" in change:
        tables[name] = change["definition"]
        allowed.discard(name)
    elif may_be_unknown:
        allowed.add(name)


def differences(want, got, allowed):
    for name, definition in want.items():
        shown = ".".join(name)
        if name not in got:
            if name not in allowed:
                yield f"{shown} is not known"
            continue
        yield from (f"{shown}: {text}" for text in definition_differences(definition, got[name]))
    for name in got:
        if name not in want:
            yield f"{'.'.join(name)} is not there"


def definition_differences(want, got):
    if want["charset"] != got["charset"]:
        yield f"charset {got['charset']}, not {want['charset']}"
    if got["engine"] is not None and want["engine"] != got["engine"]:
        yield f"engine {got['engine']}, not {want['engine']}"
    if want["key"] != got["key"]:
        yield f"key {got['key']}, not {want['key']}"
    if [c["name"] for c in want["columns"]] != [c["name"] for c in got["columns"]]:
        yield f"columns {[c['name'] for c in got['columns']]}, not {[c['name'] for c in want['columns']]}"
        return
    for w, g in zip(want["columns"], got["columns"]):
        for field in sorted(w.keys() | g.keys()):
            if not same(w, g, field):
                yield f"{w['name']}: {field} {g.get(field)!r}, not {w.get(field)!r}"


def same(want, got, field):
    a, b = want.get(field), got.get(field)
    if field in ("labels", "sql") and want["type"] in ("enum", "set"):
        # Catalogs show a question mark for what UTF-8 needs four bytes for.
        return json.dumps(a, ensure_ascii=False) == re.sub(
            r"[\U00010000-\U0010ffff]", "?", json.dumps(b, ensure_ascii=False))
    return a == b
