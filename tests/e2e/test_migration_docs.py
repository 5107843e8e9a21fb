"""What docs/migration.md says about several processes that become one: its script, as it stands there."""

import json
import pathlib
import re
import subprocess
import sys

import pytest

from aws import ACCESS, SECRET
from deploy_files import Terraform
from program import clean_environment
from python_service import PythonService, event, write_env, write_pyiceberg_yaml

PAGE = (pathlib.Path(__file__).resolve().parents[2] / "docs/migration.md").read_text(encoding="utf-8")


class Two:
    """Two tables, each copied and followed by a process of its own; what starts calve in their stead."""

    def __init__(self, source, place, calve):
        self.source, self.place, self.calve = source, place, calve
        self.services = {}
        for number, table in enumerate(("orders", "items")):
            source.sql(f"CREATE TABLE {table} (id INT PRIMARY KEY, note VARCHAR(40))",
                       f"INSERT INTO {table} VALUES (1, 'one'), (2, 'two')")
            self.services[table] = PythonService(place.lake.catalog, f"s3://{place.bucket}", source.schema, table,
                                                 connection_name=("shop_db", "shop_items")[number],
                                                 server_id=11 + number)
        for table, service in self.services.items():
            file, offset = source.position()
            service.append(event("backfill", file, offset, {"id": i, "note": n})
                           for i, n in source.sql(f"SELECT id, note FROM {table}"))
            service.mark(file, offset, backfill_complete=True)
            source.sql(f"INSERT INTO {table} VALUES (10, 'between')")
        write_pyiceberg_yaml(calve.folder, place.pyiceberg_properties())
        variables = self.services["orders"].environment(
            source.server, place.bucket, region=place.settings.region, AWS_ACCESS_KEY_ID=ACCESS,
            AWS_SECRET_ACCESS_KEY=SECRET)
        write_env(calve.folder, variables | {"CDC_TABLE": "orders,items", "CONNECTION_NAME": "shop_db",
                                             "CDC_SERVER_ID": 11})
        calve.options = {}
        calve.env = {"HOME": str(calve.folder), "CALVE_LOG_FORMAT": "json", "CALVE_UNTIL": "current"}

    def run_script(self):
        (script,) = re.findall(r"```python\n(.*?)\n```", PAGE, re.S)
        assert "schema = 'shop'" in script
        script = script.replace("schema = 'shop'", f"schema = '{self.source.schema}'")
        return subprocess.run([sys.executable, "-c", script], cwd=self.calve.folder, check=True, capture_output=True,
                              env=clean_environment({"HOME": str(self.calve.folder)}), timeout=120)

    def rows(self, table):
        found = {}
        for change in self.place.lake.changes(self.source.schema, table):
            row = json.loads(change.payload)
            assert change.event_type in ("backfill", "insert")
            assert row["id"] not in found, f"twice: {change}"
            found[row["id"]] = row["note"]
        return found


@pytest.fixture
def two(make_source, make_calve, make_place):
    place = make_place("moto")
    return Two(make_source("mysql-9"), place, make_calve(None, place=place))


@pytest.mark.parametrize("words", [(), ("run",)])
def test_two_processes_become_one(two, words):
    refused = two.calve.plain(*words)
    assert refused.status == 2
    assert "has rows, but neither a checkpoint nor a watermark of connection 'shop_db'" in refused.error
    two.run_script()
    result = two.calve.plain(*words)
    assert result.status == 0, result
    assert result.named("copy.started") == []
    for table, service in two.services.items():
        assert two.rows(table) == dict(two.source.sql(f"SELECT id, note FROM {table}")), table
        assert two.place.lake.table(two.source.schema, table).location() == \
            f"s3://{two.place.bucket}/{service.connection_name}/{two.source.schema}/{table}"
    marks = two.services["orders"].all_watermarks()
    assert {(m["connection_name"], m["server_id"], m["table"]) for m in marks} == {
        ("shop_db", 11, "orders"), ("shop_db", 11, "items")}
    assert all(m["backfill_complete"] for m in marks)


def test_there_and_back_again(two):
    """The service takes over from calve and calve from the service; each row comes once."""
    two.run_script()
    assert two.calve.plain().status == 0
    service = two.services["orders"]
    two.source.sql("INSERT INTO orders VALUES (20, 'by the service')")
    file, end = two.source.position()
    service.append([event("insert", file, end, {"id": 20, "note": "by the service"})])
    service.mark(file, end)
    two.source.sql("INSERT INTO orders VALUES (30, 'by calve')")
    assert two.calve.plain().status == 0
    assert two.rows("orders") == dict(two.source.sql("SELECT id, note FROM orders"))


def test_terraform_imports_name_resources():
    found = re.findall(r"^terraform import '?([a-z0-9_]+\.[a-z0-9_]+)", PAGE, re.M)
    assert len(found) > 5
    assert set(found) <= Terraform().found["resource"].keys()
