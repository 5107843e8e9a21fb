"""Rows and statements of many megabytes."""

import collections
import hashlib
import json

import pytest

from lake import read_parquet, local_path

MIB = 1 << 20
PACKET = 0xFFFFFF  # what a packet holds; longer events come in several


def digests(calve, source, table):
    """{event type: Counter of payload digests}, one file at a time."""
    found = collections.defaultdict(collections.Counter)
    for _, _, entry in calve.lake.entries(source.schema, table):
        rows = read_parquet(local_path(entry.data_file.file_path))
        for kind, payload in zip(rows.column("event_type").to_pylist(), rows.column("payload")):
            found[kind][hashlib.sha256(payload.as_buffer()).hexdigest()] += 1
    return found


def digest_of(text):
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("flavor", ["mysql-9", "mariadb-11.8"])
def test_V16_large_rows(flavor, make_source, make_calve, make_oracle):
    """V16: up to 64 MiB in a value, and lengths around the limits of packets."""
    source = make_source(flavor)
    source.sql("CREATE TABLE large (id INT PRIMARY KEY, b LONGBLOB, t LONGTEXT)", "CREATE TABLE small (id INT PRIMARY KEY)")
    start = source.place()
    source.sql(f"INSERT INTO large VALUES (1, REPEAT(X'00ff10', {64 * MIB // 3}), 'x')",
               f"INSERT INTO large VALUES (2, '', REPEAT('é\\n', {4 * MIB}))")
    # An event has some 43 bytes of its own, so that one of these fills a packet, and one fills two.
    sizes = [PACKET - n for n in range(42, 48)] + [2 * PACKET - n for n in (43, 45)]
    for i, size in enumerate(sizes):
        source.sql(f"INSERT INTO large VALUES ({100 + i}, REPEAT('b', {size}), NULL)")
    source.sql("DELETE FROM large WHERE id IN (101, 103)")
    source.sql("INSERT INTO small VALUES (1)")
    calve, copied = make_calve(source), make_calve(source)
    running = calve.start("run", snapshot="never", until="current", **{"from": start})
    result = running.wait(240)
    assert result.status == 0, result
    copied.ok("backfill", timeout=240)
    oracle = make_oracle(source)
    rows = collections.Counter(digest_of(p) for p in oracle.rows(source.schema, "large", order=None))
    found = digests(calve, source, "large")
    assert rows - found["insert"] == {} == (found["insert"] - found["delete"]) - rows
    assert found["delete"] and found["delete"] - found["insert"] == {}
    assert digests(copied, source, "large") == {"backfill": rows}
    assert calve.lake.payloads(source.schema, "small") == ['{"id":1}']


@pytest.mark.parametrize("flavor", ["mysql-9", "mariadb-11.8"])
def test_V16_statement_of_large_rows(flavor, make_source, make_calve, make_oracle):
    """V16: one statement of 1,000 rows of 1 MiB, and one whose rows do not fit one event."""
    source = make_source(flavor)
    source.sql("CREATE TABLE large (id INT PRIMARY KEY, t LONGTEXT)")
    calve = make_calve(source)
    calve.catch_up()
    digits = " UNION ".join(f"SELECT {i}" + (" i" if i == 0 else "") for i in range(10))
    source.sql(f"INSERT INTO large WITH x AS ({digits}) SELECT a.i + b.i * 10 + c.i * 100, REPEAT(CHAR(97 + a.i), {MIB})"
               " FROM x a, x b, x c",
               f"UPDATE large SET t = CONCAT(t, id) WHERE id < 10")
    running = calve.start("run", until="current")
    result = running.wait(240)
    assert result.status == 0, result
    assert running.peak_kib <= 256 * 1024
    found = digests(calve, source, "large")
    expected = [json.loads(p) for p in make_oracle(source).rows(source.schema, "large", order=None)]
    before = collections.Counter(digest_of('{"id":%d,"t":"%s"}' % (r["id"], r["t"][:MIB])) for r in expected)
    after = collections.Counter(digest_of('{"id":%d,"t":"%s"}' % (r["id"], r["t"])) for r in expected if r["id"] < 10)
    assert found == {"insert": before, "update": after}
