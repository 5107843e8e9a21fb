"""What docs/s3.md says: the requests of a cut, counted; the policy, compared with Terraform's."""

import json
import pathlib
import re

import pytest

from deploy_files import Terraform

PAGE = (pathlib.Path(__file__).resolve().parents[2] / "docs/s3.md").read_text(encoding="utf-8")
READS = ("GetTable", "LoadTable")
CHANGES = ("UpdateTable", "CommitTable", "CommitTransaction")


def expected(label, n):
    """(PUT, GET, reads and changes of the catalog) by the page's formulas."""
    (row,) = re.findall(rf"^\| {label} \|(.*)\|$", PAGE, re.M)
    formulas = [re.sub(r"(\d)(?=[n(])", r"\1*", cell.strip()) for cell in row.split("|")]
    assert all(re.fullmatch(r"[0-9n+*()]+", f) for f in formulas), formulas
    return tuple(eval(f, {"n": n}) for f in formulas)  # pylint: disable=eval-used


class Counter:
    def __init__(self, place, running):
        self.place, self.running, self.cuts = place, running, 0
        self.others = set()  # names of the last cut that are not counted

    def of_next_cut(self, change):
        """What was asked for from the change up to the end of its cut."""
        marks = {p: p.last_number() for p in self.place.proxies}
        change()
        self.cuts += 1
        self.running.wait_event("cut.committed", count=self.cuts)
        names = [e.operation for p, mark in marks.items() for e in p.entries(since=mark)]
        self.others = set(names) - {"PutObject", "GetObject", *READS, *CHANGES}
        return (names.count("PutObject"), names.count("GetObject"), sum(map(names.count, READS)),
                sum(map(names.count, CHANGES)))


def without_transactions(_request, response):
    """A server that does not list them."""
    if b'"endpoints"' in response.body:
        body = json.loads(response.body)
        body["endpoints"] = [e for e in body["endpoints"] if "transactions" not in e]
        response.body = json.dumps(body).encode()
    return response


@pytest.mark.parametrize("kind,label", [("glue", "Glue"), ("rest", "REST, with transactions"),
                                        ("rest", "REST, without"), ("sqlite", "SQLite")])
def test_requests_of_a_cut(kind, label, make_source, make_calve, make_place):
    source, place = make_source("mysql-9"), make_place(kind)
    if label == "REST, without":
        place.catalog_proxy.rewrite = without_transactions
    source.sql("CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE b (id INT PRIMARY KEY)")
    calve = make_calve(source, place=place, options={"commit-interval": "1s", "watermark-interval": "1h"})
    running = calve.start("run")
    running.wait_event("source.connected")
    counter = Counter(place, running)
    both = ("BEGIN", "INSERT INTO a VALUES ({0})", "INSERT INTO b VALUES ({0})", "COMMIT")
    counter.of_next_cut(lambda: source.sql(*(s.format(1) for s in both)))  # the first finds other things to read
    for i in range(2, 4):
        assert counter.of_next_cut(lambda: source.sql(f"INSERT INTO a VALUES ({i})")) == expected(label, 1)
        assert counter.of_next_cut(lambda: source.sql(*(s.format(i + 10) for s in both))) == expected(label, 2)
        assert counter.others == set()
    running.stop()


def test_policy_is_that_of_terraform():
    (text,) = re.findall(r"```json\n(.*?)\n```", PAGE, re.S)
    policy = json.loads(text)

    def listed(value):
        return value if isinstance(value, list) else [value]

    page = {action for s in policy["Statement"] for action in listed(s["Action"])}
    terraform = {action for actions, _ in Terraform().policy("daemon") for action in actions}
    assert page == {a for a in terraform if not a.startswith("kms:")}
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        assert "*" not in listed(statement["Resource"])
