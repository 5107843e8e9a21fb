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
