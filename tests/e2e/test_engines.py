"""Spark and Trino reach places on S3, read what PyIceberg wrote there, and write beside it."""

import datetime

import pytest

from engines import Spark, micros, read_events
from python_service import PythonService, event

DAY = datetime.datetime(2026, 3, 1, 23, 59, 59, 999999)


@pytest.mark.parametrize("kind", ["glue", "moto", "rest"])
def test_engines_read_what_the_python_service_wrote(engine, make_place, kind):
    place = make_place(kind)
    service = PythonService(place.lake.catalog, f"s3://{place.bucket}", "shop", "orders")
    events = [event("insert", "binlog.000001", 100 + i, {"id": i, "name": "ü" * i}, DAY + datetime.timedelta(hours=i))
              for i in range(5)]
    service.process(events, batch_size=2)
    catalog = engine.catalog(place)
    expected = [(e["event_type"], micros(e["timestamp"]), e["log_file"], e["log_position"], e["payload"])
                for e in events]
    assert read_events(engine, catalog, "shop", "orders") == expected
    marks = engine.query(f"SELECT log_position, backfill_complete FROM {catalog}.cdc_metadata.watermarks")
    assert marks == [(104, False)]


@pytest.mark.parametrize("kind", ["glue", "rest"])
def test_engines_write_to_the_same_table(engine, make_place, kind):
    place = make_place(kind)
    service = PythonService(place.lake.catalog, f"s3://{place.bucket}", "shop", "orders")
    service.append([event("insert", "binlog.000001", i, {"id": i}, DAY) for i in range(3)])
    catalog = engine.catalog(place)
    name = f"{catalog}.shop.orders"
    at = "TIMESTAMP_NTZ'2026-03-01 12:00:00'" if isinstance(engine, Spark) else "TIMESTAMP '2026-03-01 12:00:00'"
    engine.query(f"INSERT INTO {name} VALUES ('insert', {at}, 'binlog.000001', 9, '{{\"id\": 9}}')")
    assert sorted(r["log_position"] for r in service.rows()) == [0, 1, 2, 9]
    if isinstance(engine, Spark):
        engine.query(f"CALL {catalog}.system.rewrite_data_files(table => 'shop.orders', options => "
                     "map('rewrite-all', 'true'))")
    else:
        engine.query(f"ALTER TABLE {name} EXECUTE optimize")
    assert sorted(r["log_position"] for r in service.rows()) == [0, 1, 2, 9]
    service.data.refresh()
    assert service.data.current_snapshot().summary.operation.value == "replace"
