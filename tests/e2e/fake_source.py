"""Fixtures of the tests with a fake primary: import them by name."""

import dataclasses
import json
import pathlib
import threading

import pytest

from fake_binlog import DIALECTS, BinlogMaker, Column, Table, int_, varchar
from fake_primary import FakePrimary
from lake import replay

T = Table("shop", "t", [int_("id"), varchar("v", 20)])


@pytest.fixture
def make_log(tmp_path):
    """make_log("mysql-8.0"): a maker with a folder of its own."""
    made = []

    def make(dialect="mysql-8.0", **kwargs):
        made.append(BinlogMaker(tmp_path / f"binlogs{len(made)}", DIALECTS[dialect], **kwargs))
        return made[-1]

    return make


@pytest.fixture
def make_primary():
    """make_primary(log, [TABLE]): a running fake primary, which ends with the test."""
    made = []

    def make(log, tables=(T,), **kwargs):
        made.append(FakePrimary(log, tables, **kwargs))
        return made[-1]

    yield make
    for primary in made:
        primary.stop()
    for primary in made:
        assert not primary.errors, "\n".join(primary.errors)


@pytest.fixture
def make_fake_calve(make_calve):
    """make_fake_calve(primary): a calve that starts at the earliest binlog."""
    def make(primary, tables="shop.*", options=None, **kwargs):
        calve = make_calve(None, tables, options=(options or {}) | {"source": primary.url()}, **kwargs)
        calve.options |= {"snapshot": "never", "from": "earliest"}
        return calve

    return make


def state(calve, table=T):
    """{key: row} as the lake has it."""
    rows = replay(calve.lake.changes(table.schema, table.name), key=table.key)
    return {k: json.loads(v) for k, v in rows.items()}


def ids(calve, table=T):
    return sorted(k[0] for k in state(calve, table))


RECORDINGS = pathlib.Path(__file__).resolve().parent / "recordings"


class Recording:
    """Binlog files of a real server, and what it said of its tables: a log for FakePrimary."""

    def __init__(self, flavor, dialect):
        self.folder = RECORDINGS / flavor
        about = json.loads((self.folder / "about.json").read_text(encoding="utf-8"))
        self.dialect = dataclasses.replace(DIALECTS[dialect], version=about["version"])
        self.names = about["files"]
        self.uuid = about.get("uuid", "")
        self.server_id = about["server_id"]
        self.checksum = True
        self.gtids = True
        self.domain = 0
        self.lock = threading.RLock()
        self.tables = [Table("bank", name, [_column(c) for c in columns], about["keys"][name])
                       for name, columns in about["columns"].items()]
        self.rows = {t.name: {tuple(r[k] for k in t.key): r for r in about["rows"][t.name]}
                     for t in self.tables}

    def table(self, name):
        return next(t for t in self.tables if t.name == name)


def _column(row):
    def number(name):
        return None if row[name] is None else int(row[name])

    return Column(row["COLUMN_NAME"], 0, b"", row["DATA_TYPE"], row["COLUMN_TYPE"], None,
                  row["IS_NULLABLE"] == "YES", charset=row["CHARACTER_SET_NAME"],
                  characters=number("CHARACTER_MAXIMUM_LENGTH"), precision=number("NUMERIC_PRECISION"),
                  scale=number("NUMERIC_SCALE"), fsp=number("DATETIME_PRECISION"))


def as_text(rows):
    """Rows of a lake as the recordings have them: {key: row}, all values texts."""
    def plain(v):
        return None if v is None else str(v)

    return {tuple(map(plain, k)): {n: plain(v) for n, v in row.items()} for k, row in rows.items()}
