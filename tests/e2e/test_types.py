"""Every type and the values at its edges: payloads are what the source's own SELECT says.

Written by INSERT, UPDATE and DELETE and followed in the binlog, and copied: byte by byte the same.
"""

import collections
import json

import pytest

import type_tables
from type_tables import name_of

METADATA = [("mysql-9", "MINIMAL"), ("mysql-9", "FULL"), ("mariadb-10.11", "NO_LOG"),
            ("mariadb-10.11", "FULL"), ("mariadb-11.8", "NO_LOG"), ("mariadb-11.8", "MINIMAL"),
            ("mariadb-11.8", "FULL")]
LOOSE = "SET sql_mode='ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO', time_zone='+00:00'"
STATEMENT_CHARS = 4 << 20


def difference(found, expected):
    """Where two texts part, with what is around it."""
    at = next((i for i, (a, b) in enumerate(zip(found, expected)) if a != b), min(len(found), len(expected)))
    start = max(expected.rfind(',"', 0, at) - 20, 0)
    return f"…{found[start:at + 60]!r}\n    is not …{expected[start:at + 60]!r}"


def check_payloads(where, found, expected):
    """Multisets of payloads; returns what is wrong as text."""
    extra = list((collections.Counter(found) - collections.Counter(expected)).elements())
    missing = list((collections.Counter(expected) - collections.Counter(found)).elements())
    if not extra and not missing:
        return []
    text = [f"{where}: {len(extra)} of {len(found)} payloads are not among the {len(expected)} expected"]
    # Rows of one key belong together, else those that stand at the same place.
    keyed = {_key(p): p for p in missing}
    for payload in extra[:12]:
        other = keyed.get(_key(payload), missing[0] if missing else "")
        text.append("  " + difference(payload, other))
    return ["\n".join(text)]


def _key(payload):
    return payload[:payload.find(",")]


def insert(source, table, rows):
    """All rows, in statements that are not too long."""
    numbered = table.numbered
    heads = (["id"] if numbered else []) + [name_of(c.name) for c in table.written]
    words, size = [], 0
    for i, row in enumerate(rows):
        values = "(" + ",".join(([str(i + 1)] if numbered else []) + row) + ")"
        words.append(values)
        size += len(values)
        if size > STATEMENT_CHARS or i == len(rows) - 1:
            source.sql(f"INSERT INTO {name_of(table.name)} ({','.join(heads)}) VALUES {','.join(words)}")
            words, size = [], 0


def shift(source, table, count):
    """Each row gets the values of the next one: an update that brings all values again."""
    name, columns = name_of(table.name), [name_of(c.name) for c in table.written]
    if not table.numbered:
        source.sql(f"UPDATE {name} SET ver = ver + 1")
        return
    other = f"`{source.schema}_before`.{name}"
    heads = ",".join(["id", *columns])
    source.sql(f"CREATE TABLE {other} LIKE {name}", f"INSERT INTO {other} ({heads}) SELECT {heads} FROM {name}")
    pairs = ", ".join(f"t.{c} = s.{c}" for c in columns)
    source.sql(f"UPDATE {name} t JOIN {other} s ON s.id = IF(t.id = {count}, 1, t.id + 1)"
               f" SET {pairs}, t.ver = t.ver + 1")


@pytest.fixture
def before_schema(make_source):
    made = []

    def make(source):
        source.sql(f"CREATE DATABASE `{source.schema}_before`")
        made.append(source)

    yield make
    for source in made:
        source.sql(f"DROP DATABASE `{source.schema}_before`")


_found = {}  # what is wrong, {(flavor, metadata): {table: [text]}}: one run serves all the tests of its values


@pytest.fixture(params=METADATA, ids="-".join)
def found(request, make_source, make_calve, make_oracle, before_schema):
    flavor, metadata = request.param
    if request.param not in _found:
        source = make_source(flavor)
        with source.globals(binlog_row_metadata=metadata):
            source.reconnect()
            _found[request.param] = follow_every_type(source, make_calve, make_oracle(source), before_schema)
    return _found[request.param]


def follow_every_type(source, make_calve, oracle, before_schema):
    """{table: [what is wrong]} of the payloads that calve made of all tables, followed and copied."""
    tables = type_tables.all_tables(source.flavor)
    for table in tables:
        table.numbered = table.head.startswith("id ")
    before_schema(source)
    source.sql(LOOSE)
    for table in tables:
        source.sql(*table.before, table.create(), *table.after)
    start = source.place()

    counts, first, second = {}, {}, {}
    for table in tables:
        rows = table.rows()
        insert(source, table, rows)
        counts[table.name] = len(rows)
        first[table.name] = oracle.rows(source.schema, table.name)
        shift(source, table, len(rows))
        second[table.name] = oracle.rows(source.schema, table.name)

    copied = make_calve(source, name="copied")
    copied.ok("backfill")
    for table in tables:
        source.sql(f"DELETE FROM {name_of(table.name)}")
    followed = make_calve(source, name="followed")
    followed.ok("run", snapshot="never", **{"from": start, "until": "current"})

    wrong = {}
    for table in tables:
        name, rows = table.name, counts[table.name]
        wrong[name] = []
        assert len(first[name]) == len(second[name]) == rows, name
        changes = followed.lake.changes(source.schema, name)
        kinds = collections.Counter(c.event_type for c in changes)
        if kinds != {"insert": rows, "update": rows, "delete": rows}:
            wrong[name].append(f"{name}: {kinds} instead of {rows} of each")
        for kind, expected in (("insert", first), ("update", second), ("delete", second)):
            payloads = [c.payload for c in changes if c.event_type == kind]
            wrong[name] += check_payloads(f"{name}, {kind}", payloads, expected[name])
        payloads = copied.lake.payloads(source.schema, name, "backfill")
        wrong[name] += check_payloads(f"{name}, backfill", payloads, second[name])
    for payloads in first.values():
        for payload in payloads:
            json.loads(payload)
    return wrong


def check(found, *names):
    """Nothing is wrong with those of the tables that this server has; at least one of them it has."""
    names = [n for n in names if n in found]
    assert names
    wrong = [text for name in names for text in found[name]]
    assert not wrong, "\n".join(wrong)


def test_every_type(found):
    check(found, *found)


def test_V1_dates(found):
    check(found, "dates")


def test_V2_times(found):
    check(found, "times", "old_times")


def test_V3_datetimes(found):
    check(found, "datetimes", "old_times")


def test_V4_timestamps(found):
    check(found, "timestamps", "old_times")


def test_V5_decimals(found):
    check(found, "decimals")


def test_V6_integers_and_years(found):
    check(found, "ints", "mixed_wide")


def test_V7_bits_enums_sets(found):
    check(found, "bits", "enums", "sets")


def test_V8_lengths_of_texts_and_bytes(found):
    check(found, "texts", "blobs")


def test_V9_charsets_beside_others(found):
    check(found, "mixed_wide", "texts")


def test_V10_json(found):
    check(found, "json_values")


def test_V11_geometries_and_vectors(found):
    check(found, "geometries", "vectors", "mariadb_only")


def test_V12_wide_tables(found):
    check(found, *(name for name in found if "wide" in name))


def test_V13_hidden_columns_and_keys(found):
    check(found, "generated_columns", "generated_key", "prefix_key", "odd/na#mes? 100%")


@pytest.mark.parametrize("found", [m for m in METADATA if m[0].startswith("mariadb")], ids="-".join, indirect=True)
def test_V15_compressed_columns_and_old_times(found):
    check(found, "compressed", "compressed_nulls", "old_times")


def test_V7_enum_with_most_labels(make_source, make_calve, make_oracle):
    source = make_source("mysql-9")
    table = type_tables.most_labels()
    table.numbered = True
    source.sql(LOOSE, table.create())
    start = source.place()
    insert(source, table, table.rows())
    expected = make_oracle(source).rows(source.schema, table.name)
    copied, followed = make_calve(source), make_calve(source)
    copied.ok("backfill")
    followed.ok("run", snapshot="never", **{"from": start, "until": "current"})
    assert sorted(copied.lake.payloads(source.schema, table.name, "backfill")) == sorted(expected)
    assert sorted(followed.lake.payloads(source.schema, table.name, "insert")) == sorted(expected)


def test_V13_generated_columns_that_are_not_logged(make_source, make_calve, make_oracle):
    """MariaDB 11 has them in inserts only: payloads leave them out, copied and followed alike."""
    source = make_source("mariadb-11.8")
    table = type_tables.generated("mariadb")
    table.numbered = True
    source.sql(LOOSE, table.create())
    oracle = make_oracle(source)

    def expected():
        rows = [json.loads(p) for p in oracle.rows(source.schema, table.name)]
        return sorted(json.dumps({k: v for k, v in r.items() if k not in ("v", "s", "u")}, ensure_ascii=False,
                                 separators=(",", ":")) for r in rows)

    start = source.place()
    insert(source, table, table.rows())
    inserted = expected()
    source.sql(f"UPDATE {table.name} SET a = 9, z = 5")
    updated = expected()
    copied, followed = make_calve(source), make_calve(source)
    copied.ok("backfill")
    source.sql(f"DELETE FROM {table.name}")
    followed.ok("run", snapshot="never", **{"from": start, "until": "current"})
    assert sorted(copied.lake.payloads(source.schema, table.name)) == updated
    for event_type, rows in (("insert", inserted), ("update", updated), ("delete", updated)):
        assert sorted(followed.lake.payloads(source.schema, table.name, event_type)) == rows, event_type



def test_V4_times_of_other_zones(source, make_calve, make_oracle):
    """V4: what a session's time zone makes of a TIMESTAMP is undone: the log and the copy are in UTC."""
    source.sql("CREATE TABLE zones (id INT AUTO_INCREMENT PRIMARY KEY, ts TIMESTAMP(6) NULL, dt DATETIME(6),"
               " made TIMESTAMP DEFAULT CURRENT_TIMESTAMP)")
    start = source.place()
    for zone in ("+05:30", "-08:00", "+00:00", "+13:00", "-12:59"):
        source.sql(f"SET time_zone = '{zone}'",
                   "INSERT INTO zones (ts, dt) VALUES ('2024-03-31 02:30:00.5', '2024-03-31 02:30:00.5'),"
                   " ('1970-01-02 00:00:00', NULL), ('2038-01-18 03:14:07.999999', NULL), (NOW(6), NOW(6))")
    expected = make_oracle(source).rows(source.schema, "zones", order="id")
    assert len(set(e.split('"ts":')[1].split(",")[0] for e in expected)) > 12
    copied, followed = make_calve(source), make_calve(source)
    copied.ok("backfill")
    followed.ok("run", snapshot="never", **{"from": start, "until": "current"})
    assert followed.lake.payloads(source.schema, "zones") == expected
    assert sorted(copied.lake.payloads(source.schema, "zones")) == sorted(expected)


def test_labels_outside_the_basic_plane(make_source, make_calve, make_oracle):
    """The server's catalog shows a question mark for them; a binlog with full metadata has them."""
    source = make_source("mysql-9")
    with source.globals(binlog_row_metadata="FULL"):
        source.reconnect()
        source.sql("CREATE TABLE labels (id INT PRIMARY KEY, e ENUM('a', '🧊', '?', 'x🧊y'), s SET('🧊', 'b'))")
        start = source.place()
        source.sql("INSERT INTO labels VALUES (1, 1, 0), (2, 2, 1), (3, 3, 2), (4, 4, 3)")
    followed, copied = make_calve(source), make_calve(source, f"{source.schema}.labels")
    followed.ok("run", snapshot="never", **{"from": start, "until": "current"})
    expected = ['{"id":1,"e":"a","s":[]}', '{"id":2,"e":"🧊","s":["🧊"]}', '{"id":3,"e":"?","s":["b"]}',
                '{"id":4,"e":"x🧊y","s":["🧊","b"]}']
    assert followed.lake.payloads(source.schema, "labels") == expected
    source.sql("ALTER TABLE labels DROP COLUMN s")
    copied.ok("backfill")
    assert sorted(copied.lake.payloads(source.schema, "labels")) == make_oracle(source).rows(source.schema, "labels")


@pytest.mark.parametrize("flavor", ["mysql-9", "mariadb-11.8"])
def test_labels_that_the_catalog_does_not_show(flavor, make_source, make_calve):
    """It shows a question mark for characters of four bytes: right with FULL metadata, else refused."""
    source = make_source(flavor)

    def insert_under(metadata):
        with source.globals(binlog_row_metadata=metadata):
            session = source.session(autocommit=True)  # a session keeps what was set when it began
            with session.cursor() as cursor:
                cursor.execute("INSERT INTO doubt VALUES (NULL, '\U0001f9ca', 'b,\U0001f9ca'), (NULL, 'b', 'b')")
            session.close()

    source.sql("CREATE TABLE doubt (id INT AUTO_INCREMENT PRIMARY KEY, e ENUM('\U0001f9ca', 'b'),"
               " s SET('\U0001f9ca', 'b')) CHARACTER SET utf8mb4")
    calve = make_calve(source)
    calve.catch_up()
    insert_under("FULL")
    calve.catch_up()
    rows = ['{"id":1,"e":"\U0001f9ca","s":["\U0001f9ca","b"]}', '{"id":2,"e":"b","s":["b"]}']
    assert calve.lake.payloads(source.schema, "doubt") == rows
    insert_under("MINIMAL")
    result = calve.run("run", until="current")
    assert result.status == 1 and "binlog_row_metadata=FULL" in result.error, result
    assert calve.lake.payloads(source.schema, "doubt") == rows
    result = make_calve(source).run("backfill")
    assert result.status == 1 and "'s'" in result.error, result
