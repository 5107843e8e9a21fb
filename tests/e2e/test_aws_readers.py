"""What others read of the lake on AWS: PyIceberg, DuckDB, Spark and Trino see the rows that SELECT has."""

import json

import pytest

from engines import micros, read_events
from lake import check_statistics, replay

KINDS = ["glue", "moto", "rest"]


@pytest.fixture(params=KINDS)
def followed(request, make_source, make_calve, make_place, make_oracle):
    """A copied and followed table of many types: (calve, source, place, {key: payload} of SELECT)."""
    source, place = make_source("mysql-9"), make_place(request.param)
    source.sql("CREATE TABLE orders (id INT PRIMARY KEY, note VARCHAR(60), amount DECIMAL(20,6), at DATETIME(6), doc JSON,"
               " raw VARBINARY(9))",
               "INSERT INTO orders VALUES (1, 'é 🧊', -1.5, '2024-02-29 12:00:00.000001', '{\"a\": [1, null]}', X'00ff'),"
               " (2, NULL, NULL, NULL, NULL, NULL), (3, '', 99999999999999.999999, '9999-12-31 23:59:59.999999', '[]', '')")
    calve = make_calve(source, place=place)
    calve.catch_up()
    source.sql("UPDATE orders SET note = 'again' WHERE id = 2", "DELETE FROM orders WHERE id = 3",
               "INSERT INTO orders (id, note) SELECT id + 10, REPEAT(note, 1000) FROM orders WHERE FALSE",
               "INSERT INTO orders (id, note) VALUES (4, 'new')")
    calve.catch_up()
    return calve, source, place, make_oracle(source).by_key(source.schema, "orders")


def as_rows(lake, schema):
    """The changelog as PyIceberg scans it, in the order of read_events()."""
    rows = lake.table(schema, "orders").scan().to_arrow().to_pylist()
    return sorted((r["event_type"], micros(r["timestamp"]), r["log_file"], r["log_position"], r["payload"]) for r in rows)


def test_pyiceberg_and_duckdb(followed):
    calve, source, _, expected = followed
    lake = calve.lake
    assert replay(lake.changes(source.schema, "orders")) == expected
    check_statistics(lake, source.schema, "orders")
    lake.check_files(source.schema, "orders")
    rows = lake.duckdb(source.schema, "orders", "event_type, log_file, log_position, payload")
    assert sorted(rows) == [(kind, file, position, payload) for kind, _, file, position, payload
                            in sorted(as_rows(lake, source.schema), key=lambda r: (r[0], r[2], r[3], r[4]))]
    assert len(rows) == 6 and all(json.loads(r[3]) for r in rows)


def test_engines(followed, engine):
    calve, source, place, _ = followed
    catalog = engine.catalog(place)
    assert sorted(read_events(engine, catalog, source.schema, "orders")) == as_rows(calve.lake, source.schema)
    marks = engine.query(f'SELECT log_file, log_position, backfill_complete FROM {catalog}.cdc_metadata.watermarks')
    row = calve.lake.watermarks()[source.schema, "orders"]
    assert marks == [(row["log_file"], row["log_position"], True)]


def test_metadata_tables_of_trino(followed, trino):
    """Those of the manifests' entries want to know how each file is sorted."""
    calve, source, place, _ = followed
    catalog = trino.catalog(place)
    live = len(calve.lake.entries(source.schema, "orders"))
    for name in ("entries", "all_entries"):
        rows = trino.query(f'SELECT status, data_file FROM {catalog}.{source.schema}."orders${name}" WHERE status < 2')
        assert live > 1 and len(rows) >= live, (name, rows)
