"""Starts without a copy, at which tables, their rows in the watermarks and the notes come one after another."""

import json
import threading

import pytest

from lake import position_of, replay
from program import PATIENCE_S

TABLES = "ab"


def killed(calve, proxy, number):
    """A start that is killed once its n-th request has its effect; False: it came to its end before."""
    started, over = threading.Event(), threading.Event()
    runs = []

    def kill(_request):
        assert started.wait(PATIENCE_S)
        runs[0].kill9()
        over.set()

    rule = proxy.rules.call("*", after_effect=kill, after=number - 1)
    runs.append(calve.start("run", until="current", snapshot="never"))
    started.set()
    result = runs[0].wait()
    proxy.rules.clear()
    assert rule.hits == 0 or over.wait(PATIENCE_S)
    assert result.status == (-9 if rule.hits else 0), result
    return rule.hits > 0


def ids(lake, source, table):
    return sorted(json.loads(v)["id"] for v in replay(lake.changes(source.schema, table)).values())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["glue", "rest"])
@pytest.mark.parametrize("anew", [False, True])
def test_killed_at_every_request_of_a_start(anew, kind, make_source, make_calve, make_place):
    """The place that a table got is the one that it goes on from. anew: the tables were copied once, and dropped from
    the lake; what their old rows say is of others."""
    place = make_place(kind)
    lake, number, more = place.lake, 0, True
    while more:
        number += 1
        source = make_source("mysql-9")
        for table in TABLES:
            source.sql(f"CREATE TABLE {table} (id INT PRIMARY KEY)", f"INSERT INTO {table} VALUES (1)")
        calve = make_calve(source, place=place, options={"connection-name": f"c{number}"})
        if anew:
            calve.catch_up()
            for table in TABLES:
                source.sql(f"INSERT INTO {table} VALUES (2)")
                lake.catalog.drop_table((source.schema, table))
        more = killed(calve, place.catalog_proxy, number)
        began = {t: lake.exists(source.schema, t) for t in TABLES}
        for i in (3, 4):
            source.sql(*(f"INSERT INTO {t} VALUES ({i})" for t in TABLES))
            calve.catch_up(snapshot="never")
        end = position_of(dict(zip(("log_file", "log_position"), source.position())))
        for table in TABLES:
            assert ids(lake, source, table) == ([3, 4] if began[table] else [4]), (number, table)
            assert position_of(lake.watermarks()[source.schema, table]) == end, (number, table)
            lake.check_files(source.schema, table)
        place.all_well()
    assert number > 7, "it was killed at each of its requests"


@pytest.mark.parametrize("operation", ["CreateTable", "UpdateTable"])
def test_rows_of_a_start_that_cannot_be_written(operation, make_source, make_calve, make_place):
    """They are due while the log is read already: the run ends with the reason, and the next one writes them."""
    source, place = make_source("mysql-9"), make_place("glue")
    for table in TABLES:
        source.sql(f"CREATE TABLE {table} (id INT PRIMARY KEY)")
    calve = make_calve(source, place=place)
    if operation == "UpdateTable":
        calve.catch_up(snapshot="never", table=f"{source.schema}.a")

    def of_watermarks(request):
        return json.loads(request.body).get("TableInput", {}).get("Name") == "watermarks"

    place.catalog_proxy.rules.fail(operation, "AccessDeniedException", times=None, where=of_watermarks)
    result = calve.run("run", snapshot="never")
    assert result.status == 2 and f"need glue:{operation} on cdc_metadata.watermarks" in result.error, result
    place.catalog_proxy.rules.clear()
    for table in TABLES:
        source.sql(f"INSERT INTO {table} VALUES (1)")
    calve.catch_up(snapshot="never")
    assert [ids(place.lake, source, t) for t in TABLES] == [[1], [1]]
    assert len(place.lake.watermarks()) == 2


def test_processes_that_share_the_watermarks(make_source, make_calve, make_place):
    """Each finds them moved by the other; its own tables are in one transaction all the same."""
    source, place = make_source("mysql-9"), make_place("rest")
    for table in "abcd":
        source.sql(f"CREATE TABLE {table} (id INT PRIMARY KEY)", f"INSERT INTO {table} VALUES (0)")
    calves = [make_calve(source, tables=",".join(f"{source.schema}.{t}" for t in pair), place=place,
                         options={"connection-name": pair}) for pair in ("ab", "cd")]
    for calve in calves:
        calve.catch_up()
    runs = [calve.start("run") for calve in calves]
    for run in runs:
        run.wait_event("source.connected")
    since = place.catalog_proxy.last_number()
    for i in range(1, 6):
        source.sql("BEGIN", *(f"INSERT INTO {t} VALUES ({i})" for t in "abcd"), "COMMIT")
        for run in runs:
            run.wait_event("cut.committed", where=lambda e, n=i: e["rows_total"] >= 2 * n)
    results = [run.stop() for run in runs]
    sent = place.catalog_proxy.entries(since=since)
    apart = sum(len(r.named("commit.apart")) for r in results)
    assert sum(e.operation == "CommitTransaction" for e in sent) == 10, [e.operation for e in sent]
    alone = [e.target for e in sent if e.operation == "CommitTable" and not e.target.endswith("/watermarks")]
    assert len(alone) <= 2 * apart, alone
    assert [ids(place.lake, source, t) for t in "abcd"] == [list(range(6))] * 4
    assert len(place.lake.watermarks()) == 4
