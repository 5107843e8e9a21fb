"""Fixtures of the tests with a fake primary: import them by name."""

import json
import pathlib

import pytest

from fake_binlog import DIALECTS, BinlogMaker, Table, int_, varchar
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
