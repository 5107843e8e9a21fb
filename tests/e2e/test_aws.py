"""The lake on AWS: rows on S3, tables in Glue, a REST catalog or SQLite, as SELECT has them."""

import json

import pytest

from lake import replay
from source import FLAVORS

KINDS = ["glue", "moto", "rest", "sqlite"]


def make_orders(source, rows):
    source.sql("CREATE TABLE orders (id INT PRIMARY KEY, note VARCHAR(60), amount DECIMAL(10,2))",
               "INSERT INTO orders VALUES " + ",".join(f"({i}, 'note {i} é', {i}.25)" for i in range(rows)))


@pytest.mark.parametrize("kind", KINDS)
def test_copied_and_followed(kind, make_source, make_calve, make_place, make_oracle):
    source, place = make_source("mysql-9"), make_place(kind)
    make_orders(source, 500)
    source.sql("CREATE TABLE nothing (id INT PRIMARY KEY)")
    calve = make_calve(source, place=place)
    calve.catch_up()
    source.sql("UPDATE orders SET note = 'changed' WHERE id % 3 = 0", "DELETE FROM orders WHERE id % 7 = 0",
               "INSERT INTO orders VALUES (1000, 'new', 1)")
    calve.catch_up()
    changes = calve.lake.changes(source.schema, "orders")
    assert replay(changes) == make_oracle(source).by_key(source.schema, "orders")
    assert calve.lake.exists(source.schema, "nothing")
    assert calve.lake.watermarks()[source.schema, "orders"]["backfill_complete"]


def test_names_that_meet(make_source, make_calve, make_place):
    """Glue knows no upper case: an error before anything is written."""
    source, place = make_source("mysql-9"), make_place("glue")
    source.sql("CREATE TABLE Orders (id INT PRIMARY KEY)", "CREATE TABLE orders (id INT PRIMARY KEY)")
    calve = make_calve(source, place=place)
    result = calve.run("run", until="current")
    assert result.status == 2 and "are one table in the catalog" in result.error, result
    assert not place.names()
    calve.catch_up(**{"exclude-table": f"{source.schema}.Orders"})
    assert calve.lake.exists(source.schema, "orders")


def test_upper_case_is_folded(make_source, make_calve, make_place, make_oracle):
    source, place = make_source("mysql-9"), make_place("glue")
    source.sql("CREATE TABLE OrderLines (id INT PRIMARY KEY, Price INT)", "INSERT INTO OrderLines VALUES (1, 2)")
    calve = make_calve(source, place=place)
    calve.catch_up()
    source.sql("INSERT INTO OrderLines VALUES (2, 3)")
    calve.catch_up()
    changes = calve.lake.changes(source.schema, "orderlines")
    assert replay(changes) == make_oracle(source).by_key(source.schema, "OrderLines")


@pytest.mark.parametrize("kind", ["glue", "rest", "sqlite"])
def test_versitygw(kind, make_source, make_calve, make_place, make_oracle):
    """Another S3, by others, that verifies signatures and regions."""
    source, place = make_source("mysql-9"), make_place(kind, store="versitygw")
    make_orders(source, 3000)
    calve = make_calve(source, place=place)
    calve.catch_up()
    source.sql("UPDATE orders SET amount = amount + 1 WHERE id < 100")
    calve.catch_up()
    assert replay(calve.lake.changes(source.schema, "orders")) == make_oracle(source).by_key(source.schema, "orders")


@pytest.mark.parametrize("kind", ["glue", "rest"])
def test_over_tls(kind, make_source, make_calve, make_place):
    source, place = make_source("mysql-9"), make_place(kind, tls=True)
    make_orders(source, 10)
    calve = make_calve(source, place=place)
    calve.catch_up()
    assert len(calve.lake.payloads(source.schema, "orders")) == 10
    result = calve.run("run", until="current", **{"http-ca-bundle": None})
    assert result.status == 1 and "http.ca-bundle" in result.error, result


@pytest.mark.parametrize("kind", KINDS)
def test_check_tries_what_a_run_does(kind, make_source, make_calve, make_place):
    """And leaves nothing behind."""
    source, place = make_source("mysql-9"), make_place(kind)
    make_orders(source, 1)
    calve = make_calve(source, place=place)
    first = calve.run("check")
    assert first.status == 0, first
    # A REST server says with a table where its files go, and with which keys.
    for word in ("s3 keys",) if kind == "rest" else ("s3 keys", "write once", "delete"):
        assert word in first.out, first
    assert not place.names()
    calve.catch_up()
    before = set(place.names())
    again = calve.run("check", **{"log-level": "info"})
    assert again.status == 0, again
    if kind != "sqlite":
        for word in ("change table", "drop table", "write once", "delete"):
            assert word in again.out, again
    assert set(place.names()) == before
    assert "secret" not in again.out


@pytest.mark.parametrize("kind", KINDS)
def test_status_and_inspect(kind, make_source, make_calve, make_place):
    source, place = make_source("mysql-9"), make_place(kind)
    make_orders(source, 5)
    calve = make_calve(source, place=place)
    calve.catch_up()
    status = calve.run("status", "--json")
    assert status.status == 0 and json.loads(status.out)["tables"][0]["rows"] == 5, status
    shown = calve.run("inspect", "table", f"{source.schema}.orders", source=None, table=None)
    assert shown.status == 0 and f"s3://{place.bucket}" in shown.out, shown
    location = calve.lake.table(source.schema, "orders").metadata_location
    shown = calve.run("inspect", "table", location, "--json", source=None, table=None)
    assert shown.status == 0 and json.loads(shown.out)["metadata"], shown
