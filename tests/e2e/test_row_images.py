"""Rows whose events do not have all of them: JSON as diffs, images that lack columns."""

import json
import random
import shutil

import pytest

import type_tables
from lake import WATERMARKS, local_path, replay
from slow_decoder import Decoder, ServerCatalog
from test_differential import binlog_bytes, check_lake, slow_changes
from test_types import LOOSE, insert

TABLE = "CREATE TABLE docs (id INT PRIMARY KEY, a JSON, t VARCHAR(20), b JSON, n INT, c JSON)"
BASE = ('{"a": 1, "b": [1, 2, 3], "c d": {"x": "y", "deep": [[1], [{"k": [true, null]}]]}, "é": 5, "": 0,'
        ' "q\\"u": 1.5, "tab\\t": 2, "one": 1, "u": 18446744073709551615, "f": -0.0, "pad": "' + "p" * 300 + '"}')


# ---- PARTIAL_UPDATE_ROWS -----------------------------------------------------------------------

# What is done to the column a, b or c of a row of its own.
EDITS = [
    "a = JSON_SET(a, '$.a', 2)",
    "a = JSON_SET(a, '$.a', NULL)",
    "a = JSON_SET(a, '$.b[1]', 9)",
    "a = JSON_SET(a, '$.b[3]', 9)",
    "a = JSON_SET(a, '$.b[100]', 9)",
    "a = JSON_SET(a, '$.b[last]', 9)",
    "a = JSON_SET(a, '$.b[last-2]', 9)",
    "a = JSON_SET(a, '$.b[last-7]', 9)",
    "a = JSON_SET(a, '$.b[last-0]', 9)",
    "a = JSON_SET(a, '$.new', 'text', '$.newer', JSON_OBJECT('k', 1), '$.newer.l', 2, '$.newer.a', 3)",
    "a = JSON_SET(a, '$.\"c d\".x', 'z')",
    "a = JSON_SET(a, '$.\"c d\".\"n\\\\\"w\"', 'z')",
    "a = JSON_SET(a, '$.\"c d\".deep[0][0]', 7, '$.\"c d\".deep[1][0].k[1]', JSON_ARRAY(1, 2))",
    "a = JSON_SET(a, '$.\"é\"', 6, '$.\"日本🧊\"', 7)",
    "a = JSON_SET(a, '$.\"\"', 1)",
    "a = JSON_SET(a, '$.\"q\\\\\"u\"', 2.5e0)",
    "a = JSON_SET(a, '$.\"tab\\\\t\"', 3)",
    "a = JSON_SET(a, '$.\"\\\\u0001\\\\u001f\\\\u007f\"', 3, '$.\"back\\\\\\\\slash/\"', 4)",
    "a = JSON_SET(a, '$.\"$\"', 1, '$.\"a.b\"', 2, '$.\"a[0]\"', 3, '$.\"last\"', 4, '$.\"1\"', 5, '$._', 6)",
    "a = JSON_SET(a, '$.a[0]', 6)",
    "a = JSON_SET(a, '$.a[1]', 6)",
    "a = JSON_SET(a, '$.a[last]', 6)",
    "a = JSON_SET(a, '$.a[last-1]', 6)",
    "a = JSON_SET(a, '$[0].a', 6)",
    "a = JSON_SET(a, '$[last].\"c d\"[0].x', 6)",
    "a = JSON_SET(a, '$[0][0].new', 6)",
    "a = JSON_SET(a, '$[1]', 6)",
    "a = JSON_SET(a, '$', 6)",
    "a = JSON_SET(a, '$[0]', 6)",
    "a = JSON_REPLACE(a, '$.one', 'bigger than it was, so that it moves')",
    "a = JSON_REPLACE(a, '$.none', 1, '$.a', 2)",
    "a = JSON_REPLACE(a, '$.b', JSON_ARRAY())",
    "a = JSON_REPLACE(a, '$.b', CAST('{\"zz\": 1, \"z\": 2}' AS JSON), '$.b.z', -1)",
    "a = JSON_REMOVE(a, '$.a')",
    "a = JSON_REMOVE(a, '$.b[0]')",
    "a = JSON_REMOVE(a, '$.b[last]')",
    "a = JSON_REMOVE(a, '$.b[last-1]', '$.b[0]', '$.b[0]', '$.\"c d\".deep')",
    "a = JSON_REMOVE(a, '$.none', '$.a')",
    "a = JSON_REMOVE(a, '$[0].a')",
    "a = JSON_SET(JSON_REMOVE(JSON_REPLACE(a, '$.a', 1.5), '$.\"c d\"'), '$.b[3]', JSON_OBJECT('n', NULL))",
    "a = JSON_SET(a, '$.a', CAST(12.50 AS DECIMAL(10,2)), '$.b[0]', CAST('2024-02-29' AS DATE),"
    " '$.b[1]', CAST('-01:02:03.5' AS TIME(1)), '$.new', TIMESTAMP'2024-02-29 12:34:56.5', '$.f', -0e0)",
    "a = JSON_SET(a, '$.a', 1e20, '$.b[0]', 0.1e0, '$.b[1]', 18446744073709551615, '$.b[2]', X'00ff')",
    "a = JSON_SET(a, '$.a', TRUE, '$.b[0]', 'text with \"quotes\" and \\\\ and \\n')",
    "a = JSON_SET(a, '$.a', 1)",
    "a = JSON_SET(a, '$.a', 3), n = n + 1, t = 'other'",
    "a = JSON_SET(a, '$.a', 3), b = JSON_SET(b, '$.b[0]', 4)",
    "b = JSON_REMOVE(b, '$.b'), c = JSON_REPLACE(c, '$.a', 'x'), a = JSON_SET(a, '$.new', 1)",
    "c = JSON_SET(c, '$.a', 4)",
    "a = JSON_SET(a, '$.a', 3), b = '[1, 2]'",
    "a = JSON_SET(a, '$.a', 3), b = NULL",
    "a = NULL, b = JSON_SET(b, '$.a', 3)",
    "a = JSON_SET(b, '$.a', 3)",
    "a = JSON_MERGE_PATCH(a, '{\"a\": 5}'), b = JSON_SET(b, '$.a', 3)",
    "n = n + 1",
]


def random_path(rng, value):
    """A path to somewhere in the document, or next to it."""
    legs = "$"
    while True:
        if isinstance(value, dict):
            key = rng.choice([*value, "new", "n w"])
            legs += "." + json.dumps(key, ensure_ascii=False)
            value = value.get(key)
        elif isinstance(value, list):
            index = rng.randrange(len(value) + 2)
            legs += rng.choice([f"[{index}]", f"[last-{index}]"])
            value = value[index] if index < len(value) else None
        else:
            return legs
        if rng.random() < 0.3:
            return legs


def random_value(rng, depth=0):
    kind = rng.randrange(9 if depth < 3 else 7)
    if kind == 7:
        return [random_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind == 8:
        return {rng.choice(["a", "bb", "c c", "é", "", "zzz"]): random_value(rng, depth + 1)
                for _ in range(rng.randrange(4))}
    return [rng.randrange(-10, 10), rng.randrange(1 << 40), "text", "é" * rng.randrange(60), None, True, 2.5][kind]


def sql_text(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def random_edit(rng, column, document):
    function = rng.choice(["JSON_SET", "JSON_SET", "JSON_REPLACE", "JSON_REMOVE"])
    words = []
    for _ in range(rng.randint(1, 4)):
        path = random_path(rng, document)
        if function == "JSON_REMOVE" and path == "$":
            path = "$.none"
        words.append(sql_text(path))
        if function != "JSON_REMOVE":
            words.append(f"CAST({sql_text(json.dumps(random_value(rng), ensure_ascii=False))} AS JSON)")
    return f"{column} = {function}({column}, {', '.join(words)})"


def partial_json_source(make_source, compressed, **session):
    source = make_source("mysql-9")
    source.sql("SET SESSION binlog_row_value_options = 'PARTIAL_JSON'",
               f"SET SESSION binlog_transaction_compression = {int(compressed)}", TABLE)
    for name, value in session.items():
        source.sql(f"SET SESSION {name} = '{value}'")
    return source


def event_types(calve, source):
    """What inspect counts in the last binlog file: {name: count}."""
    path = source.server.data / source.binlog_files()[-1]
    done = calve.plain("inspect", "binlog", path, "--discard")
    assert done.status == 0, done
    words = [line.split("(") for line in done.out.splitlines()[1:]]
    return {name: int(rest.split(")")[1]) for name, rest in words}


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
def test_V10_json_diffs(compressed, make_source, make_calve, make_oracle):
    """V10: every kind of path and change, and the rows are what SELECT says after each."""
    source = partial_json_source(make_source, compressed)
    source.sql("FLUSH BINARY LOGS")
    start = source.place()
    oracle = make_oracle(source)
    for i in range(len(EDITS)):
        source.sql(f"INSERT INTO docs VALUES ({i}, {sql_text(BASE)}, 't', {sql_text(BASE)}, 1, {sql_text(BASE)})")
    expected = []
    for i, edit in enumerate(EDITS):
        before = oracle.rows(source.schema, "docs", f"id = {i}")
        source.sql(f"UPDATE docs SET {edit} WHERE id = {i}")
        after = oracle.rows(source.schema, "docs", f"id = {i}")
        expected += after if after != before else []
    source.sql("UPDATE docs SET a = JSON_SET(a, '$.all', id, '$.b[1]', 'x'), b = JSON_REMOVE(b, '$.a')")
    expected += oracle.rows(source.schema, "docs", order="id")
    assert len(expected) > 1.8 * len(EDITS)
    calve = make_calve(source)
    calve.ok("run", snapshot="never", **{"from": start, "until": "current"})
    assert calve.lake.payloads(source.schema, "docs", "update") == expected
    if not compressed:
        assert event_types(calve, source)["PARTIAL_UPDATE_ROWS"] > 40
    source.sql("DELETE FROM docs")
    calve.catch_up()
    assert len(calve.lake.payloads(source.schema, "docs", "delete")) == len(EDITS)


def test_V10_json_diffs_at_random(make_source, make_calve, make_oracle):
    """V10: one document changed in place over and over, so that it has holes."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    source = partial_json_source(make_source, True)
    start = source.place()
    oracle = make_oracle(source)
    source.sql(f"INSERT INTO docs VALUES (1, {sql_text(BASE)}, 't', {sql_text(BASE)}, 1, NULL)")
    expected, now = [], oracle.rows(source.schema, "docs")
    for _ in range(400):
        row = json.loads(now[0])
        columns = rng.sample(["a", "b"], rng.randint(1, 2))
        edits = [random_edit(rng, c, row[c]) for c in columns]
        if any(len(json.dumps(row[c])) < 200 or len(json.dumps(row[c])) > 5000 for c in columns):
            edits = [f"{c} = {sql_text(BASE)}" for c in columns]
        source.sql(f"UPDATE docs SET {', '.join(edits)}, n = n + 1")
        now = oracle.rows(source.schema, "docs")
        expected += now
    calve = make_calve(source)
    calve.ok("run", snapshot="never", **{"from": start, "until": "current"})
    found = calve.lake.payloads(source.schema, "docs", "update")
    for i, (is_so, should_be) in enumerate(zip(found, expected)):
        assert is_so == should_be, f"seed {seed}, update {i}"
    assert len(found) == len(expected), f"seed {seed}"


def test_json_diffs_without_their_document(make_source, make_calve, make_oracle):
    """The log has what changed and not what it changed: a stop that says which settings help.

    NOBLOB leaves JSON in, so that all is there.
    """
    source = partial_json_source(make_source, False, binlog_row_image="NOBLOB")
    source.sql(f"INSERT INTO docs VALUES (1, {sql_text(BASE)}, 't', {sql_text(BASE)}, 1, '1')")
    calve = make_calve(source)
    calve.catch_up()
    change = "UPDATE docs SET t = 'u', n = n + 1, a = JSON_SET(a, '$.a', n), b = JSON_SET(b, '$.a', n), c = '2'"
    source.sql(change)
    calve.catch_up()
    expected = make_oracle(source).rows(source.schema, "docs")
    source.sql("SET SESSION binlog_row_image = 'MINIMAL'", change)
    result = calve.run("run", until="current")
    assert result.status == 1, result
    for part in (f"{source.schema}.docs", "column 'a'", "binlog_row_image=FULL", "binlog_row_value_options=''"):
        assert part in result.error, result
    assert calve.lake.payloads(source.schema, "docs", "update") == expected


# ---- images that lack columns ------------------------------------------------------------------

COLUMNS = "a INT, v VARCHAR(20), b TEXT, n INT DEFAULT 7"
TABLES = {
    "keyed": f"(id INT PRIMARY KEY, {COLUMNS})",
    "unique": f"(id INT NOT NULL UNIQUE, {COLUMNS})",
    "keyless": f"(id INT, {COLUMNS})",
    "no_blob": "(id INT PRIMARY KEY, a INT, v VARCHAR(20))",
    "key_only": "(id INT, a INT, PRIMARY KEY (a, id))",
    "blob_key": f"(id INT, {COLUMNS}, PRIMARY KEY (b(5)))",
}
INSERT_ALL = "INSERT INTO {t} VALUES (2, 20, 'two', 'b2', 2)"
INSERT_SOME = "INSERT INTO {t} (id, a, v, b) VALUES (2, 20, 'two', 'b2')"
INSERT_NO_BLOB = "INSERT INTO {t} (id, a, v, n) VALUES (2, 20, 'two', 2)"
UPDATE_ALL = "UPDATE {t} SET a = a + 1, v = 'x', b = CONCAT(b, 'y'), n = NULL"
UPDATE_ONE = "UPDATE {t} SET a = a + 1"
UPDATE_BLOB = "UPDATE {t} SET b = CONCAT('z', b)"
UPDATE_KEY = "UPDATE {t} SET id = id + 10"
DELETE = "DELETE FROM {t}"

# (image, table, statement, the column that is nowhere or None). MariaDB logs all of a table without a
# key, of inserts too.
def cases(family):
    return [
        ("MINIMAL", "keyed", INSERT_ALL, None),
        ("MINIMAL", "keyed", INSERT_SOME, "n"),
        ("MINIMAL", "keyed", UPDATE_ALL, None),
        ("MINIMAL", "keyed", UPDATE_ONE, "v"),
        ("MINIMAL", "keyed", DELETE, "a"),
        ("MINIMAL", "unique", UPDATE_ALL, None),
        ("MINIMAL", "unique", DELETE, "a"),
        ("MINIMAL", "keyless", INSERT_SOME, "n" if family == "mysql" else None),
        ("MINIMAL", "keyless", UPDATE_ONE, None),
        ("MINIMAL", "keyless", UPDATE_BLOB, None),
        ("MINIMAL", "keyless", DELETE, None),
        ("MINIMAL", "key_only", "INSERT INTO {t} VALUES (2, 20)", None),
        ("MINIMAL", "key_only", UPDATE_KEY, None),
        ("MINIMAL", "key_only", DELETE, None),
        ("NOBLOB", "keyed", INSERT_ALL, None),
        ("NOBLOB", "keyed", INSERT_SOME, None),
        ("NOBLOB", "keyed", INSERT_NO_BLOB, "b"),
        ("NOBLOB", "keyed", UPDATE_ALL, None),
        ("NOBLOB", "keyed", UPDATE_BLOB, None),
        ("NOBLOB", "keyed", UPDATE_ONE, "b"),
        ("NOBLOB", "keyed", DELETE, "b"),
        ("NOBLOB", "unique", UPDATE_ONE, "b"),
        ("NOBLOB", "keyless", UPDATE_ONE, None),
        ("NOBLOB", "keyless", DELETE, None),
        ("NOBLOB", "no_blob", "INSERT INTO {t} (id) VALUES (2)", None),
        ("NOBLOB", "no_blob", UPDATE_ONE, None),
        ("NOBLOB", "no_blob", DELETE, None),
        ("NOBLOB", "blob_key", UPDATE_ONE, None),
        ("NOBLOB", "blob_key", DELETE, None),
        ("FULL_NODUP", "keyed", INSERT_SOME, None),
        ("FULL_NODUP", "keyed", UPDATE_ONE, None),
        ("FULL_NODUP", "keyed", UPDATE_BLOB, None),
        ("FULL_NODUP", "keyed", UPDATE_KEY, None),
        ("FULL_NODUP", "keyed", DELETE, None),
        ("FULL_NODUP", "keyless", UPDATE_ALL, None),
    ]


def kind_of(statement):
    return statement.split()[0].lower()


def first_rows(shape):
    """Two rows for a table of this shape."""
    if shape == "key_only":
        return "(1, 10), (5, 50)"
    return "(1, 10, 'v'), (5, 50, 'w')" if shape == "no_blob" else "(1, 10, 'v', 'b', 1), (5, 50, NULL, 'c', 2)"


def make_image_tables(source, chosen):
    """A table for each case, with two rows: {name: case}."""
    source.sql("SET SESSION binlog_row_image = FULL")
    tables = {f"t{i:02}": case for i, case in enumerate(chosen)}
    for name, (_, shape, _, _) in tables.items():
        source.sql(f"CREATE TABLE {name} {TABLES[shape]}", f"INSERT INTO {name} VALUES {first_rows(shape)}")
    return tables


def change(source, oracle, name, image, statement):
    """Runs the statement; returns the payloads that it must lead to."""
    before = oracle.rows(source.schema, name)
    source.sql(f"SET SESSION binlog_row_image = {image}", statement.format(t=name))
    after = oracle.rows(source.schema, name)
    found = before if kind_of(statement) == "delete" else [r for r in after if r not in before]
    assert found, (image, name, statement)
    return sorted(found)


def check_images(source, make_calve, oracle, images):
    tables = make_image_tables(source, [c for c in cases(source.family) if c[0] in images])
    start = source.place()
    expected = {name: change(source, oracle, name, image, statement)
                for name, (image, _, statement, _) in tables.items()}
    options = {"snapshot": "never", "from": start, "until": "current"}
    calve = make_calve(source, ",".join(f"{source.schema}.{n}" for n, c in tables.items() if c[3] is None))
    calve.ok("run", **options)
    for name, (image, shape, statement, missing) in tables.items():
        case, kind = (image, shape, statement), kind_of(statement)
        if missing is None:
            changes = calve.lake.changes(source.schema, name)
            assert {c.event_type for c in changes} == {kind}, case
            assert sorted(c.payload for c in changes) == expected[name], case
            continue
        stopped = make_calve(source, f"{source.schema}.{name}")
        result = stopped.run("run", **options)
        assert result.status == 1, (case, result)
        article = "a" if kind == "delete" else "an"
        for part in (f"{source.schema}.{name}", f"{article} {kind.upper()} does not have column '{missing}'",
                     "binlog_row_image=FULL"):
            assert part in result.error, (case, result)
        assert stopped.lake.payloads(source.schema, name) == [], case


@pytest.mark.parametrize("flavor,images", [("mysql-9", ("MINIMAL", "NOBLOB")),
                                           ("mariadb-10.11", ("MINIMAL", "NOBLOB")),
                                           ("mariadb-11.8", ("MINIMAL", "NOBLOB", "FULL_NODUP"))],
                         ids=lambda v: v if isinstance(v, str) else "")
def test_V14_images_that_lack_columns(flavor, images, make_source, make_calve, make_oracle):
    """V14: what the log has of a row is filled up where that is exact, and stops the run where not."""
    source = make_source(flavor)
    check_images(source, make_calve, make_oracle(source), images)


def test_starting_over_after_an_image_that_lacked_columns(make_source, make_calve, make_oracle):
    """What came before stays, nothing comes after, and a new copy goes on."""
    source = make_source("mysql-9")
    source.sql("CREATE TABLE t (id INT PRIMARY KEY, a INT, v VARCHAR(20))", "INSERT INTO t VALUES (1, 1, 'x')")
    calve = make_calve(source)
    run = calve.start("run")
    run.wait_event("source.connected")
    source.sql("INSERT INTO t VALUES (2, 2, 'y')")
    run.wait_event("cut.committed")
    source.sql("SET SESSION binlog_row_image = MINIMAL", "UPDATE t SET a = 5", "SET SESSION binlog_row_image = FULL",
               "INSERT INTO t VALUES (3, 3, 'z')")
    result = run.wait()
    before = calve.lake.changes(source.schema, "t")
    assert [c.event_type for c in before] == ["backfill", "insert"]
    for _ in range(2):
        assert result.status == 1 and "an UPDATE does not have column 'v'" in result.error, result
        result = calve.run("run", until="current")
        assert calve.lake.changes(source.schema, "t") == before
    location = local_path(calve.lake.table(source.schema, "t").location())
    calve.lake.catalog.drop_table((source.schema, "t"))
    shutil.rmtree(location)
    calve.lake.catalog.load_table(WATERMARKS).delete(f"schema = '{source.schema}' and table = 't'")
    calve.catch_up()
    source.sql("UPDATE t SET a = 6 WHERE id = 2")
    calve.catch_up()
    changes = calve.lake.changes(source.schema, "t")
    assert [c.event_type for c in changes] == ["backfill", "backfill", "backfill", "update"]
    assert replay(changes) == make_oracle(source).by_key(source.schema, "t")


def test_a_server_whose_images_are_not_full(make_source, make_calve, make_oracle):
    """A warning and a note, not a refusal: a table without BLOBs is whole in NOBLOB."""
    source = make_source("mysql-9")
    source.sql("CREATE TABLE t (id INT PRIMARY KEY, a INT, v VARCHAR(20))", "INSERT INTO t VALUES (1, 1, 'x')")
    calve = make_calve(source)
    with source.globals(binlog_row_image="NOBLOB"):
        session = source.session(autocommit=True)
        result = calve.catch_up()
        assert [e["binlog_row_image"] for e in result.named("source.row_image")] == ["NOBLOB"], result
        with session.cursor() as cursor:
            cursor.execute("INSERT INTO t (id) VALUES (2)")
            cursor.execute("UPDATE t SET a = 7")
            cursor.execute("DELETE FROM t WHERE id = 1")
        session.close()
        calve.catch_up()
        checked = calve.run("check")
    assert checked.status == 0 and "NOBLOB leaves columns out" in checked.out, checked
    assert replay(calve.lake.changes(source.schema, "t")) == make_oracle(source).by_key(source.schema, "t")
    assert not calve.catch_up().named("source.row_image")


def test_inspecting_images_that_lack_columns(make_source, make_calve):
    """inspect shows what is whole, and says what is not."""
    source = make_source("mysql-9")
    source.sql("CREATE TABLE t (id INT PRIMARY KEY, a INT)", "INSERT INTO t VALUES (1, 1)", "FLUSH BINARY LOGS",
               "SET SESSION binlog_row_image = MINIMAL", "UPDATE t SET a = 2", "DELETE FROM t",
               "INSERT INTO t VALUES (7, 8)", "SET SESSION binlog_row_image = FULL")
    path = source.server.data / source.binlog_files()[-1]
    found = make_calve(source).plain("inspect", "binlog", path, "--rows", "--json")
    assert found.status == 0, found
    lines = [json.loads(line) for line in found.out.splitlines()]
    rows = [line for line in lines if "change" in line]
    assert [("before" in r, list(r["after"].values())) for r in rows] == [(False, [1, 2]), (False, [7, 8])]
    assert ["a DELETE does not have column" in line["undecodable"] for line in lines if "undecodable" in line] == [True]


# ---- COMPRESSED columns ------------------------------------------------------------------------


@pytest.mark.parametrize("flavor", ["mariadb-10.11", "mariadb-11.8"])
def test_V15_compressed_columns_in_every_form(flavor, make_source, make_calve, make_oracle):
    """V15: with and without zlib's header, by any level and strategy, short ones too; altered both ways."""
    source = make_source(flavor)
    source.sql("CREATE TABLE c (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(250) COMPRESSED, n INT,"
               " b BLOB COMPRESSED)")
    start = source.place()
    oracle = make_oracle(source)
    values = ["''", "'x'", "REPEAT('ab', 100)", "REPEAT('é', 250)", "NULL", "MD5(1)"]
    rows = ", ".join(f"({v}, {i}, {w})" for i, (v, w) in enumerate(zip(values, values[2:] + values[:2])))
    for wrap in (0, 1):
        for threshold in (0, 10, 100, 4294967295):
            for level in (0, 1, 9):
                source.sql(f"SET column_compression_zlib_wrap = {wrap}, column_compression_threshold = {threshold},"
                           f" column_compression_zlib_level = {level}", f"INSERT INTO c (v, n, b) VALUES {rows}")
    for strategy in ("DEFAULT_STRATEGY", "FILTERED", "HUFFMAN_ONLY", "RLE", "FIXED"):
        source.sql(f"SET column_compression_zlib_strategy = {strategy}, column_compression_zlib_level = 6,"
                   " column_compression_threshold = 0, column_compression_zlib_wrap = 0",
                   f"INSERT INTO c (v, n, b) VALUES {rows}")
    expected = oracle.rows(source.schema, "c", order="id")
    source.sql("UPDATE c SET n = n + 1, v = CONCAT(b, '!') WHERE LENGTH(b) < 100")
    updated = oracle.rows(source.schema, "c", "LENGTH(b) < 100", "id")
    everything = oracle.rows(source.schema, "c", order="id")
    source.sql("DELETE FROM c WHERE id % 2 = 0")
    calve = make_calve(source)
    calve.ok("run", snapshot="never", **{"from": start, "until": "current"})
    assert calve.lake.payloads(source.schema, "c", "insert") == expected
    assert calve.lake.payloads(source.schema, "c", "update") == updated
    assert calve.lake.payloads(source.schema, "c", "delete") == [r for r in everything if json.loads(r)["id"] % 2 == 0]
    copied = make_calve(source)
    copied.ok("backfill")
    assert sorted(copied.lake.payloads(source.schema, "c")) == sorted(oracle.rows(source.schema, "c"))
    log = (source.server.data / source.binlog_files()[-1]).read_bytes()
    assert b"\x03\x8d\x03\x8c" in log  # the columns' types in the table map


# ---- old times -----------------------------------------------------------------------------------


@pytest.mark.parametrize("flavor", ["mariadb-10.11", "mariadb-11.8"])
def test_V15_old_times_with_fractions(flavor, make_source, make_calve, make_oracle):
    """V15, V2: each value by INSERT, UPDATE, DELETE and by the copy."""
    source = make_source(flavor)
    table = type_tables.old_fractions()
    table.numbered = True
    source.sql(LOOSE, *table.before, table.create(), *table.after)
    start = source.place()
    insert(source, table, table.rows())
    oracle = make_oracle(source)
    inserted = oracle.rows(source.schema, table.name)
    assert "mariadb-5.3" in source.value("SELECT GROUP_CONCAT(COLUMN_TYPE) FROM information_schema.COLUMNS"
                                         f" WHERE TABLE_SCHEMA = '{source.schema}'")
    source.sql(f"UPDATE {table.name} SET ver = 1, t3 = '-00:00:00.5', dt4 = '2000-01-01 00:00:00.0001'")
    updated = oracle.rows(source.schema, table.name)
    copied, followed = make_calve(source), make_calve(source)
    copied.ok("backfill")
    source.sql(f"DELETE FROM {table.name}")
    followed.ok("run", snapshot="never", **{"from": start, "until": "current"})
    assert sorted(copied.lake.payloads(source.schema, table.name)) == sorted(updated)
    for event_type, rows in (("insert", inserted), ("update", updated), ("delete", updated)):
        assert sorted(followed.lake.payloads(source.schema, table.name, event_type)) == sorted(rows), event_type
    name, offset = start.split(":")
    expected = slow_changes(Decoder(ServerCatalog(source.session())), binlog_bytes(source, name), source.schema, int(offset))
    assert check_lake(followed.lake, source.schema, expected) == 3 * len(inserted)


# ---- system versioning and sequences -----------------------------------------------------------

VERSIONED = {
    "hidden": "(id INT PRIMARY KEY, v VARCHAR(20), n INT) WITH SYSTEM VERSIONING",
    "declared": "(id INT PRIMARY KEY, v VARCHAR(20), a TIMESTAMP(6) GENERATED ALWAYS AS ROW START, n INT,"
                " z TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME(a, z)) WITH SYSTEM VERSIONING",
    "partly": "(id INT PRIMARY KEY, v VARCHAR(20), n INT WITHOUT SYSTEM VERSIONING) WITH SYSTEM VERSIONING",
    "parts": "(id INT PRIMARY KEY, v VARCHAR(20), n INT) WITH SYSTEM VERSIONING"
             " PARTITION BY SYSTEM_TIME (PARTITION p HISTORY, PARTITION q CURRENT)",
}
VERSIONED_CHANGES = [
    "INSERT INTO {t} (id, v, n) VALUES (1, 'a', 1), (2, 'b', 2), (3, NULL, 3), (4, 'd', 4)",
    "UPDATE {t} SET v = 'x' WHERE id IN (1, 2)",
    "UPDATE {t} SET n = n + 1",
    "REPLACE INTO {t} (id, v, n) VALUES (1, 'r', 9), (5, 'e', 5)",
    "INSERT INTO {t} (id, v, n) VALUES (1, 'w', 1) ON DUPLICATE KEY UPDATE v = 'odku'",
    "DELETE FROM {t} WHERE id = 3",
    "DELETE HISTORY FROM {t}",
    "BEGIN", "UPDATE {t} SET v = 'y' WHERE id = 4", "DELETE FROM {t} WHERE id = 4",
    "INSERT INTO {t} (id, v, n) VALUES (4, 'again', 4)", "COMMIT",
    "SET timestamp = 2000000000", "INSERT INTO {t} (id, v, n) VALUES (6, 'at once', 6)",
    "UPDATE {t} SET v = 'at once 2' WHERE id = 6", "DELETE FROM {t} WHERE id = 6", "SET timestamp = DEFAULT",
    "DELETE FROM {t} WHERE id = 5",
]


def without_generated(payloads, source):
    """MariaDB 11 leaves them out."""
    if source.flavor == "mariadb-10.11":
        return payloads
    rows = [{k: v for k, v in json.loads(p).items() if k not in ("a", "z")} for p in payloads]
    return [json.dumps(r, ensure_ascii=False, separators=(",", ":")) for r in rows]


@pytest.mark.parametrize("flavor,image", [("mariadb-10.11", "FULL"), ("mariadb-11.8", "FULL"),
                                          ("mariadb-11.8", "FULL_NODUP")])
def test_V15_system_versioned_tables(flavor, image, make_source, make_calve, make_oracle):
    """V15: the changelog has the changes of current rows; rows of the past are no changes."""
    source = make_source(flavor)
    oracle = make_oracle(source)
    for name, definition in VERSIONED.items():
        source.sql(f"CREATE TABLE {name} {definition}")
    source.sql(f"SET SESSION binlog_row_image = {image}")
    calve = make_calve(source)
    calve.catch_up()
    for statement in VERSIONED_CHANGES:
        states = {}
        for name in VERSIONED:
            source.sql(statement.format(t=name))
            states[name] = oracle.rows(source.schema, name)
        if statement.startswith(("BEGIN", "SET", "UPDATE {t} SET v = 'y'", "DELETE FROM {t} WHERE id = 4",
                                 "INSERT INTO {t} (id, v, n) VALUES (4")):
            continue
        calve.catch_up()
        for name, rows in states.items():
            now = replay(calve.lake.changes(source.schema, name))
            assert sorted(now.values()) == sorted(without_generated(rows, source)), (name, statement)
    for name in VERSIONED:
        kinds = [c.event_type for c in calve.lake.changes(source.schema, name)]
        assert kinds.count("delete") >= 4 and "backfill" not in kinds, (name, kinds)
    copied = make_calve(source)
    copied.ok("backfill")
    for name in VERSIONED:
        expected = sorted(without_generated(oracle.rows(source.schema, name), source))
        assert sorted(copied.lake.payloads(source.schema, name)) == expected, name


def test_rows_of_the_past_that_are_written(make_source, make_calve, make_oracle):
    """An application may write history itself; nothing of it is current."""
    source = make_source("mariadb-11.8")
    source.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(9)) WITH SYSTEM VERSIONING", "INSERT INTO t VALUES (1, 'x')")
    calve = make_calve(source)
    calve.catch_up()
    source.sql("SET SESSION system_versioning_insert_history = ON",
               "INSERT INTO t (id, v, row_start, row_end) VALUES (2, 'past', '2020-01-01', '2021-01-01')",
               "INSERT INTO t (id, v) VALUES (3, 'now')")
    calve.catch_up()
    changes = calve.lake.changes(source.schema, "t")
    assert [(c.event_type, c.payload) for c in changes] == [
        ("backfill", '{"id":1,"v":"x"}'), ("insert", '{"id":3,"v":"now"}')]
    assert replay(changes) == make_oracle(source).by_key(source.schema, "t")


@pytest.mark.parametrize("flavor", ["mariadb-10.11", "mariadb-11.8"])
def test_versioning_by_transaction_stops(flavor, make_source, make_calve):
    """MariaDB logs its changes as statements, whatever binlog_format says."""
    source = make_source(flavor)
    source.sql("CREATE TABLE t (id INT PRIMARY KEY, a BIGINT UNSIGNED GENERATED ALWAYS AS ROW START,"
               " z BIGINT UNSIGNED GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME(a, z)) WITH SYSTEM VERSIONING")
    calve = make_calve(source)
    calve.catch_up()
    source.sql("INSERT INTO t (id) VALUES (1)")
    result = calve.run("run", until="current")
    assert result.status == 1 and "as a statement" in result.error, result
    assert calve.lake.payloads(source.schema, "t") == []


@pytest.mark.parametrize("flavor", ["mariadb-10.11", "mariadb-11.8"])
def test_V15_sequences_are_no_tables(flavor, make_source, make_calve, make_oracle):
    """V15: their rows are in the log like those of a table; no pattern takes them."""
    source = make_source(flavor)
    source.sql("CREATE SEQUENCE s START WITH 5 CACHE 2", "CREATE TABLE t (id INT PRIMARY KEY DEFAULT NEXT VALUE FOR s)")
    calve = make_calve(source)
    calve.catch_up()
    for _ in range(7):
        source.sql("INSERT INTO t () VALUES ()", "SELECT NEXT VALUE FOR s")
    calve.catch_up()
    assert [n for s, n in calve.lake.tables() if s == source.schema] == ["t"]
    assert replay(calve.lake.changes(source.schema, "t")) == make_oracle(source).by_key(source.schema, "t")
    named = make_calve(source, f"{source.schema}.s").run("run", until="current")
    assert named.status == 1 and f"no table {source.schema}.s" in named.error, named


# ---- values that need a table or a session of their own ----------------------------------------


def test_V12_tables_of_one_column(source, make_calve):
    """V12: with a key and without, NULL bits of one bit, and a NULL bitmap that is full."""
    source.sql("CREATE TABLE keyed (id INT PRIMARY KEY)", "CREATE TABLE bare (c TINYINT)", "CREATE TABLE text (t TEXT)")
    calve = make_calve(source)
    calve.catch_up()
    source.sql("INSERT INTO keyed VALUES (1), (-1)", "DELETE FROM keyed WHERE id = 1", "INSERT INTO bare VALUES (NULL), (5)",
               "UPDATE bare SET c = IF(c IS NULL, 1, NULL)", "INSERT INTO text VALUES (NULL), (''), ('x')",
               "DELETE FROM text")
    calve.catch_up()

    def rows(table):
        return [(c.event_type, c.payload) for c in calve.lake.changes(source.schema, table)]

    assert rows("keyed") == [("insert", '{"id":1}'), ("insert", '{"id":-1}'), ("delete", '{"id":1}')]
    assert rows("bare") == [("insert", '{"c":null}'), ("insert", '{"c":5}'), ("update", '{"c":1}'), ("update", '{"c":null}')]
    assert rows("text") == [(k, '{"t":%s}' % v) for k in ("insert", "delete") for v in ("null", '""', '"x"')]


ZONE = [
    "INSERT INTO mysql.time_zone (Time_zone_id, Use_leap_seconds) VALUES (77, 'N')",
    "INSERT INTO mysql.time_zone_name (Name, Time_zone_id) VALUES ('Test/Gap', 77)",
    "INSERT INTO mysql.time_zone_transition_type (Time_zone_id, Transition_type_id, `Offset`, Is_DST, Abbreviation)"
    " VALUES (77, 0, 3600, 0, 'STD'), (77, 1, 7200, 1, 'DST')",
    # Central Europe in 2024: forward on March 31, back on October 27, both at 01:00 UTC.
    "INSERT INTO mysql.time_zone_transition (Time_zone_id, Transition_time, Transition_type_id)"
    " VALUES (77, 0, 0), (77, 1711846800, 1), (77, 1729990800, 0)",
]


def test_V4_times_around_a_change_of_the_clock(source, make_calve, make_oracle):
    """V4: an hour that is not there and one that is twice, in the session's zone."""
    source.sql("SET SESSION sql_mode = ''", "CREATE TABLE gap (id INT AUTO_INCREMENT PRIMARY KEY, ts TIMESTAMP(3) NULL)")
    if not source.value("SELECT COUNT(*) FROM mysql.time_zone_name WHERE Name = 'Test/Gap'"):
        source.sql(*ZONE)
    start = source.place()
    source.sql("SET time_zone = 'Test/Gap'")
    moments = ["2024-03-31 01:59:59.999", "2024-03-31 02:30:00", "2024-03-31 03:00:00", "2024-10-27 01:59:59.5",
               "2024-10-27 02:30:00", "2024-10-27 03:00:00.001"]
    source.sql("INSERT INTO gap (ts) VALUES " + ", ".join(f"('{m}')" for m in moments))
    for second in (1711846799, 1711846800, 1729990799, 1729990800, 1729987200):
        source.sql(f"SET timestamp = {second}.25", "INSERT INTO gap (ts) VALUES (NOW(3))")
    source.sql("SET timestamp = DEFAULT")
    expected = make_oracle(source).rows(source.schema, "gap", order="id")
    assert len(expected) == 11 and '"2024-10-27T00:59:59.250Z"' in expected[8]
    followed, copied = make_calve(source), make_calve(source)
    followed.ok("run", snapshot="never", **{"from": start, "until": "current"})
    copied.ok("backfill")
    assert followed.lake.payloads(source.schema, "gap") == expected
    assert sorted(copied.lake.payloads(source.schema, "gap")) == sorted(expected)
