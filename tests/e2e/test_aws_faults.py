"""Commits under faults of S3, Glue and REST catalogs: nothing is lost, nothing doubled, nothing deleted that is live.

The storm's dice are printed; CALVE_TEST_SEED=N throws them again, CALVE_TEST_COMMITS=N makes it longer.
"""

import base64
import json
import os
import random
import re
import threading
import time

import pytest

from aws_storm import (REQUEST_TIMEOUT, Keyring, LiveFiles, Witness, ask_for_tokens, dice_of, explain,
                       fault_counts, orphans, raise_storm)
from fault_proxy import without_transactions
from faults import ACTIONS
from lake import position_of, replay
from program import PATIENCE_S
from write_load import TABLES, Load, check_events, check_order, check_rows, check_watermarks, make_tables

COMMITS = int(os.environ.get("CALVE_TEST_COMMITS", "60"))
ROWS = {"a": 200, "b": 100}
KEPT = 20  # snapshots: expiry works on its own files all the time


@pytest.mark.timeout(4 * PATIENCE_S + 3 * COMMITS)
@pytest.mark.parametrize("kind", ["glue", "rest"])
def test_many_commits_in_a_storm(kind, make_source, make_calve, make_place, tmp_path):
    seed = dice_of()
    source, place = make_source("mysql-9"), make_place(kind)
    make_tables(source, ROWS)
    keys, witness = Keyring(place, tmp_path, count=max(100, COMMITS // 2)), Witness(place)
    live = LiveFiles(place)
    tokens = ask_for_tokens(place) if kind == "rest" else None
    calve = make_calve(source, place=place, options={
        "commit-interval": "100ms", "snapshots-keep-age": "0s", "snapshots-keep-count": KEPT})
    try:
        calve.catch_up()
        load = Load(source, seed, ROWS, gate=witness.gate(source.schema))
        raise_storm(place, seed)
        started = time.monotonic()
        run = calve.start("run", http_request_timeout=REQUEST_TIMEOUT)
        load.start()
        try:
            for goal in range(10, COMMITS + 10, 10):
                witness.wait(goal, run, load)
                keys.expire_all()
                if tokens is not None:
                    tokens.revoke_all()
                if goal % 50 == 0:
                    live.check(source.schema, TABLES)
        finally:
            load.end()
        end = position_of(dict(zip(("log_file", "log_position"), source.position())))
        run.wait_event("cut.committed", where=lambda e: position_of(
            {"log_file": e["file"], "log_position": e["pos"]}) >= end)
        seconds = time.monotonic() - started
        faults = fault_counts(place)
        place.all_well()
        assert run.stop().status == 0
    finally:
        if tokens is not None:
            tokens.stop()

    changes = {t: calve.lake.changes(source.schema, t) for t in TABLES}
    check_rows(source, changes, copied_under_load=False)
    check_order(changes)
    events = check_events(changes, [load])
    commits = witness.check(calve.lake, source.schema, TABLES)
    told = [e for r in calve._started for e in r.events("snapshot.committed")]  # pylint: disable=protected-access
    assert len(told) == commits
    for table in TABLES:
        assert position_of(calve.lake.watermarks()[source.schema, table]) == end
    check_watermarks(calve.lake)
    for table in TABLES:
        calve.lake.check_files(source.schema, table)
    left = orphans(place)
    why = explain(place, calve._started, left)  # pylint: disable=protected-access
    assert all(sum(counts.values()) >= COMMITS // 10 for counts in faults.values()), faults
    print(f"{kind}: {commits} commits, {events} events of {len(load.written)} transactions in {seconds:.0f} s; "
          f"{len(keys.taken())} keys; faults {faults}")
    print(f"{len(left)} objects that nothing names: " + "; ".join(f"{len(v)} {k}" for k, v in why.items()))
    assert not why["nothing"], why


# ---- one fault at a time ---------------------------------------------------------------------------


class Shop:
    """A table t that was copied, and what became of each change since. kind: "glue", "rest", or "rest-apart", which
    has no transactions over tables."""

    def __init__(self, kind, make_source, make_calve, make_place, prepare=None):
        self.kind, _, self.apart = kind.partition("-")
        self.source, self.place = make_source("mysql-9"), make_place(self.kind)
        self.source.sql("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v LONGTEXT)",
                        "INSERT INTO t (v) VALUES ('a'), ('b'), ('c')")
        if prepare is not None:
            prepare(self.place)
        self.witness = Witness(self.place)
        if self.apart:
            look = self.place.catalog_proxy.rewrite
            self.place.catalog_proxy.rewrite = lambda request, answer: without_transactions(request, look(request, answer))
        self.calve = make_calve(self.source, place=self.place)
        self.calve.catch_up()
        self.s3, self.catalog = self.place.s3_proxy, self.place.catalog_proxy
        self.before = len(self.commits)

    @property
    def commits(self):
        return self.witness.commits[self.source.schema, "t"]

    def of_table(self, request):
        """A `where` of rules: requests that are about t."""
        if self.kind == "glue":
            body = json.loads(request.body)
            return (body.get("TableInput", {}).get("Name") or body.get("Name")) == "t"
        return request.raw_path.endswith("/t")

    @property
    def swap(self):
        """Operation and `where` of the request that makes t's next metadata current, and the log's event when it
        does not go through at once."""
        if self.kind == "rest" and not self.apart:
            return "CommitTransaction", None, "commit.apart"
        return {"glue": "UpdateTable", "rest": "CommitTable"}[self.kind], self.of_table, "commit.retry"

    def change(self, *statements):
        """Changes the table in one transaction and follows, which must go well."""
        statements = statements or ("UPDATE t SET v = CONCAT(v, '+')", "INSERT INTO t (v) VALUES ('d')")
        self.source.sql("BEGIN", *statements, "COMMIT")
        return self.calve.catch_up(http_request_timeout=REQUEST_TIMEOUT)

    def check(self, commits=1):
        """The lake is what the source is, by so many commits, and nothing lies about."""
        self.place.all_well()
        lake, schema = self.calve.lake, self.source.schema
        rows = replay(lake.changes(schema, "t"))
        expected = {(i,): {"id": i, "v": v} for i, v in self.source.sql("SELECT id, v FROM t")}
        assert {k: json.loads(v) for k, v in rows.items()} == expected
        assert len(self.commits) == self.before + commits
        self.witness.check(lake, schema, ["t"])
        lake.check_files(schema, "t")
        assert orphans(self.place) == []


@pytest.fixture
def make_shop(make_source, make_calve, make_place):
    return lambda kind, prepare=None: Shop(kind, make_source, make_calve, make_place, prepare)


@pytest.mark.parametrize("kind,fault", [
    ("glue", "timeout_after"), ("glue", "timeout_before"), ("glue", "InternalServiceException"),
    ("glue", "reset_after"), ("rest-apart", "truncate"), *((kind, fault) for kind in ("rest", "rest-apart") for fault in (
        "timeout_after", "CommitStateUnknownException", "GatewayTimeout", "reset_after"))])
def test_a_swap_without_an_answer(kind, fault, make_shop):
    """It is looked for before anything else is done; what took place is not done twice."""
    shop = make_shop(kind)
    operation, where, event = shop.swap
    if fault in ACTIONS:
        rule = shop.catalog.rules.act(operation, fault, where=where)
    else:
        rule = shop.catalog.rules.fail(operation, fault, effect=True, where=where)
    result = shop.change()
    assert rule.hits == 1
    assert [e["error"] for e in result.named(event)] == ["unknown"], result
    shop.check()


@pytest.mark.parametrize("fault,apart", [
    (None, False), ("timeout_before", True), ("timeout_after", True), ("reset_after", True),
    ("CommitStateUnknownException", True), ("CommitFailedException", True), ("TooManyRequestsException", False)])
def test_tables_of_a_cut_in_one_transaction(fault, apart, make_source, make_calve, make_place):
    """What one request for both does not settle, each table does."""
    source, place = make_source("mysql-9"), make_place("rest")
    for table in "ab":
        source.sql(f"CREATE TABLE {table} (id INT PRIMARY KEY)", f"INSERT INTO {table} VALUES (1)")
    witness, calve, lake, rules = Witness(place), make_calve(source, place=place), place.lake, place.catalog_proxy.rules
    calve.catch_up()
    before, since = witness.count(), place.catalog_proxy.last_number()
    if fault in ACTIONS:
        rules.act("CommitTransaction", fault)
    elif fault is not None:
        rules.fail("CommitTransaction", fault)
    source.sql("BEGIN", "INSERT INTO a VALUES (2)", "INSERT INTO b VALUES (2)", "COMMIT")
    result = calve.catch_up(http_request_timeout=REQUEST_TIMEOUT)
    place.all_well()
    sent = [e.operation for e in place.catalog_proxy.entries(since=since)]
    assert sent.count("CommitTransaction") == (2 if fault == "TooManyRequestsException" else 1)
    assert bool(result.named("commit.apart")) == apart, result
    assert apart or sent.count("CommitTable") == 0  # the watermarks are in it
    assert witness.count() == before + 2
    witness.check(lake, source.schema, "ab")
    for table in "ab":
        rows = replay(lake.changes(source.schema, table))
        assert {k: json.loads(v) for k, v in rows.items()} == {(i,): {"id": i} for i in (1, 2)}
        lake.check_files(source.schema, table)
    assert orphans(place) == []


@pytest.mark.parametrize("kind,code", [
    *((kind, code) for kind in ("rest", "rest-apart") for code in (307, 401, 403, 404, 413, 422, 501)),
    *(("glue", code) for code in (307, 403, 404, "AccessDeniedException", "EntityNotFoundException"))])
def test_a_swap_that_is_refused_after_it_was_done(kind, code, make_shop):
    """By what stands in front of the catalog: the table is looked at before anything is removed."""
    shop = make_shop(kind)
    operation, where, _ = shop.swap
    if isinstance(code, int):
        rule = shop.catalog.rules.answer(operation, code, "<h1>blocked</h1>", effect=True, where=where)
    else:
        rule = shop.catalog.rules.fail(operation, code, effect=True, where=where)
    shop.change()
    assert rule.hits == 1
    shop.check()


@pytest.mark.parametrize("kind", ["glue", "rest"])
def test_a_table_that_is_made_twice_on_the_way(kind, make_source, make_calve, make_place):
    """The second of the two finds the first's table, and calve knows it for its own."""
    source, place = make_source("mysql-9"), make_place(kind)
    source.sql("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    rule = place.catalog_proxy.rules.fail("CreateTable", "AlreadyExistsException", effect=True, times=2)
    calve = make_calve(source, place=place)
    calve.catch_up()
    assert rule.hits == 2
    assert [k[0] for k in replay(place.lake.changes(source.schema, "t"))] == [1]


@pytest.mark.parametrize("kind", ["glue", "rest"])
def test_a_store_that_is_away_while_a_run_follows(kind, make_shop):
    """Longer than a request is tried elsewhere: the rows wait, and the source."""
    shop = make_shop(kind)
    running = shop.calve.start("run", http_retry_timeout="1s")
    running.wait_event("source.connected")
    shop.s3.rules.fail("*", "ServiceUnavailable", times=None)
    since, started = shop.s3.last_number(), time.monotonic()
    shop.source.sql("INSERT INTO t (v) VALUES ('d')")
    while not shop.s3.entries("PutObject", since) or time.monotonic() < started + 4:
        assert running.alive() and time.monotonic() < started + PATIENCE_S, running.log()[-3000:]
        time.sleep(0.1)
    shop.s3.rules.clear()
    running.wait_event("snapshot.committed")
    assert running.stop().status == 0
    shop.check()


@pytest.mark.parametrize("kind", ["glue", "rest", "rest-apart"])
@pytest.mark.parametrize("wins", ["the first", "the second"])
def test_a_swap_that_comes_late(kind, wins, make_shop):
    """The first try hangs on its way while calve makes the second: only one takes effect, whichever it is."""
    shop = make_shop(kind)
    operation, where, _ = shop.swap
    again = "CommitTable" if shop.kind == "rest" else operation
    second_came, first_done, second_done = threading.Event(), threading.Event(), threading.Event()

    def hold_first(_request):
        assert (second_came if wins == "the first" else second_done).wait(PATIENCE_S)

    def hold_second(_request):
        second_came.set()
        assert wins != "the first" or first_done.wait(PATIENCE_S)

    first = shop.catalog.rules.call(operation, before=hold_first, after_effect=lambda _: first_done.set(), where=where)
    second = shop.catalog.rules.call(again, before=hold_second, after_effect=lambda _: second_done.set(),
                                     where=shop.of_table)
    shop.change()
    assert (first.hits, second.hits) == (1, 1)
    assert first_done.wait(PATIENCE_S)
    shop.check()


@pytest.mark.parametrize("kind,ending,code", [
    ("glue", "-m0.avro", "ServiceUnavailable"), ("glue", ".metadata.json", "ServiceUnavailable"),
    ("glue", ".parquet", "ServiceUnavailable"), ("rest", "-m0.avro", "InternalError"),
    ("rest", ".parquet", "SlowDown")])
def test_an_object_that_was_written_all_the_same(kind, ending, code, make_shop):
    """A 503 after the effect: the 412 of the next try is met by our own object, and calve knows it."""
    shop = make_shop(kind)
    rule = shop.s3.rules.fail("PutObject", code, effect=True,
                              where=lambda r: "/t/" in r.raw_path and r.raw_path.endswith(ending))
    since = shop.s3.last_number()
    result = shop.change()
    assert rule.hits == 1 and not result.named("commit.retry") and not result.named("commit.apart"), result
    hit = next(e for e in shop.s3.entries("PutObject", since) if e.fault)
    fates = [(e.operation, e.upstream_status) for e in shop.s3.entries(since=since) if e.target == hit.target]
    assert fates[:3] == [("PutObject", 200), ("PutObject", 412), ("HeadObject", 200)], fates
    shop.check()


def random_rows(count, size):
    """INSERT of texts that do not get smaller."""
    dice = random.Random(count)
    texts = [base64.b64encode(dice.randbytes(size * 3 // 4)).decode() for _ in range(count)]
    return "INSERT INTO t (v) VALUES " + ",".join(f"('{t}')" for t in texts)


LARGE = 150, 100_000  # rows, bytes: a file of about 11 MB
IN_PARTS = {"s3-part-size": "5MiB"}


@pytest.mark.parametrize("fault", ["reset_after", "timeout_after", "InternalError"])
def test_the_end_of_an_upload_gets_lost(fault, make_shop):
    shop = make_shop("glue")
    shop.calve.options |= IN_PARTS
    if fault in ACTIONS:
        rule = shop.s3.rules.act("CompleteMultipartUpload", fault)
    else:
        rule = shop.s3.rules.fail("CompleteMultipartUpload", fault, effect=True)
    shop.change(random_rows(*LARGE))
    assert rule.hits == 1
    tries = [e.upstream_status for e in shop.s3.entries("CompleteMultipartUpload")]
    assert tries == [200, 404], "the upload was not there any more, and the object was"
    assert shop.place.s3.uploads(shop.place.bucket) == []
    shop.check()


def key_of(entry):
    return re.search(r"Credential=([^/]+)/", entry.header("authorization")).group(1)


def test_keys_end_in_the_middle_of_an_upload(make_shop, tmp_path):
    """They are asked for anew, and the upload goes on where it is."""
    rings = []
    shop = make_shop("glue", lambda place: rings.append(Keyring(place, tmp_path)))
    keys = rings[0]
    shop.calve.options |= IN_PARTS
    since = shop.s3.last_number()

    def expire(_request):
        """Once a part is through: they go out side by side."""
        end = time.monotonic() + PATIENCE_S
        while not any(e.status == 200 for e in shop.s3.entries("UploadPart", since)):
            assert time.monotonic() < end
            time.sleep(0.01)
        keys.expire_all()

    rule = shop.s3.rules.call("UploadPart", before=expire, after=1)
    result = shop.change(random_rows(*LARGE))
    assert rule.hits == 1
    parts = shop.s3.entries("UploadPart", since)
    refused = [e for e in parts if e.status == 400]
    good = [e for e in parts if e.status == 200]
    assert refused and {key_of(e) for e in good} > {key_of(e) for e in refused}, parts
    assert shop.s3.count("CreateMultipartUpload", since) == 1
    assert result.named("credentials.renewed"), result
    shop.check()


@pytest.mark.parametrize("kind", ["glue", "rest"])
def test_keys_that_end_between_two_requests(kind, make_shop, tmp_path):
    rings = []
    shop = make_shop(kind, lambda place: rings.append(Keyring(place, tmp_path)))
    rule = shop.s3.rules.call("PutObject", before=lambda _: rings[0].expire_all(), times=2)
    shop.change()
    assert rule.hits == 2 and len(rings[0].taken()) >= 3
    shop.check()


@pytest.mark.parametrize("kind,expired", [("rest", 401), ("rest-apart", 419)])
def test_a_token_ends_between_two_requests(kind, expired, make_shop):
    """calve gets another and asks again."""
    servers = []
    shop = make_shop(kind, lambda place: servers.append(ask_for_tokens(place, expired)))
    try:
        shop.catalog.guard.refused = 0
        rules = [shop.catalog.rules.call(operation, before=lambda _: servers[0].revoke_all(), where=where)
                 for operation, where in (("LoadTable", shop.of_table), shop.swap[:2])]
        result = shop.change()
        assert [r.hits for r in rules] == [1, 1] and shop.catalog.guard.refused == 2
        assert not result.named("commit.retry") and not result.named("commit.apart"), result
        shop.check()
    finally:
        servers[0].stop()


def test_a_bucket_of_another_region(make_shop):
    """S3 points to the bucket's region, and from then on calve asks there. (The REST server here does not.)"""
    far = "ap-southeast-2"

    def move(place):
        bucket = f"{place.bucket}-far"
        place.s3.add_bucket(bucket, region=far)
        place.move(f"s3://{bucket}/lake", far)

    shop = make_shop("glue", move)
    moved = shop.calve._started[0].events("aws.region")  # pylint: disable=protected-access
    assert moved and {e["region"] for e in moved} == {far}
    since = shop.s3.last_number()
    result = shop.change()
    redirected = [e for e in shop.s3.entries(since=since) if e.status == 301]
    assert len(redirected) <= 4 and all(e["region"] == far for e in result.named("aws.region")), redirected
    shop.check()


@pytest.mark.parametrize("code", ["ThrottlingException", "TooManyRequestsException"])
def test_glue_has_enough_of_us(code, make_shop):
    shop = make_shop("glue")
    rules = [shop.catalog.rules.fail(operation, code, times=3) for operation in ("GetTable", "UpdateTable")]
    result = shop.change()
    assert [r.hits for r in rules] == [3, 3]
    assert not result.named("commit.retry"), "a request that was refused is asked again, not the whole commit"
    shop.check()


def test_slow_commits_get_larger_not_more(make_shop):
    """While one commit takes as long as twenty intervals, what comes meanwhile waits for one more, not for twenty."""
    shop = make_shop("glue")
    came, goes_on = threading.Event(), threading.Event()

    def hold(_request):
        came.set()
        assert goes_on.wait(PATIENCE_S)

    shop.catalog.rules.call("UpdateTable", before=hold, where=shop.of_table)
    run = shop.calve.start("run", commit_interval="100ms")
    run.wait_event("source.connected")
    for number in range(20):
        shop.source.sql(f"INSERT INTO t (v) VALUES ('{number}')")
        assert number > 0 or came.wait(PATIENCE_S)
        time.sleep(0.15)  # so that a cut would be due for each
    goes_on.set()
    end = position_of(dict(zip(("log_file", "log_position"), shop.source.position())))
    run.wait_event("cut.committed", where=lambda e: position_of(
        {"log_file": e["file"], "log_position": e["pos"]}) >= end)
    assert run.stop().status == 0
    made = len(shop.commits) - shop.before
    assert made <= 8, f"{made} commits"
    shop.check(made)


@pytest.mark.parametrize("kind", ["glue", "rest"])
def test_asked_to_stop_while_nobody_answers(kind, make_shop):
    """It ends in good time with what is committed, and nothing is lost."""
    shop = make_shop(kind)
    run = shop.calve.start("run", http_request_timeout="60s", http_retry_timeout="120s")
    run.wait_event("source.connected")
    hung = threading.Event()
    shop.s3.rules.call("PutObject", before=lambda _: hung.set())
    shop.s3.rules.act("*", "timeout_before", times=None)
    shop.source.sql("INSERT INTO t (v) VALUES ('waits')")
    assert hung.wait(PATIENCE_S)
    started = time.monotonic()
    result = run.stop()
    seconds = time.monotonic() - started
    assert result.status == 1 and seconds < 40, f"{seconds:.0f} s\n{result}"
    shop.place.all_well()
    shop.change()
    shop.place.all_well()
    assert replay(shop.calve.lake.changes(shop.source.schema, "t"))
