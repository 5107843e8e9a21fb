"""kill -9 with the lake on AWS, under a write load, at any request of copy and commit, before its effect or after it:
nothing is lost, nothing doubled.

The storm's dice are printed; CALVE_TEST_SEED=N throws them again, CALVE_TEST_KILLS=N throws more.
"""

import collections
import os
import random
import threading

import pytest

from aws_storm import Witness, dice_of, orphans
from program import PATIENCE_S
from write_load import TABLES, check_events, check_rows, check_watermarks, kill_under_load, make_tables

KILLS = max(int(os.environ.get("CALVE_TEST_KILLS", "60")) // 3, 1)
ROWS = {"a": 60_000, "b": 20_000}
REQUESTS = {"s3": 80, "glue": 40, "rest": 40}  # of a run, at most


class Executioner:
    """Kills runs while they wait for an answer. victims: how often that was in which operation."""

    def __init__(self, calve, place, dice):
        self.calve = calve
        self.place = place
        self.dice = dice
        self.victims = collections.Counter()

    def die(self):
        """Starts a run and kills it at the n-th request to one of the two services. Returns it."""
        proxy = self.dice.choice(self.place.proxies)
        before = self.dice.random() < 0.5
        number = self.dice.randint(1, REQUESTS[proxy.protocol])
        runs, started, done = [], threading.Event(), threading.Event()

        def kill(request):
            assert started.wait(PATIENCE_S)
            runs[0].kill9()
            self.victims[f"{proxy.operation(request)} {'before' if before else 'after'} its effect"] += 1

        def finish(request):
            if not before:
                kill(request)
            done.set()

        proxy.rules.call("*", before=kill if before else None, after_effect=finish, after=number - 1)
        run = self.calve.start("run")
        runs.append(run)
        started.set()
        while not done.wait(0.1):
            assert run.alive() or done.wait(PATIENCE_S), f"calve ended by itself:\n{run.log()[-5000:]}"
        proxy.rules.clear()
        assert run.wait().status == -9, run.log()[-5000:]
        return run


@pytest.mark.timeout(300 + 15 * KILLS)
@pytest.mark.parametrize("kind", ["glue", "rest"])
def test_kill_storm(kind, make_source, make_calve, make_place):
    dice = random.Random(dice_of())
    source, place = make_source("mysql-9"), make_place(kind)
    make_tables(source, ROWS)
    witness = Witness(place)
    calve = make_calve(source, place=place, options={"commit-interval": "100ms"})
    executioner = Executioner(calve, place, dice)
    loads, places = kill_under_load(source, dice, ROWS, calve.lake, KILLS, executioner.die)
    print(f"kills in {dict(executioner.victims)}; by the last log line before them: {dict(places)}")
    calve.catch_up(timeout=180)

    changes = {t: calve.lake.changes(source.schema, t) for t in TABLES}
    check_rows(source, changes, copied_under_load=True)
    events = check_events(changes, loads)
    commits = witness.check(calve.lake, source.schema, TABLES)
    check_watermarks(calve.lake)
    for table in TABLES:
        calve.lake.check_files(source.schema, table)
    left = orphans(place)
    assert all(p.endswith((".parquet", ".avro", ".json")) for p in left), left
    transactions = sum(len(load.written) for load in loads)
    print(f"{kind}: {KILLS} kills, {commits} commits, {events} events of {transactions} transactions; "
          f"{len(left)} objects that nothing names, {len(place.s3.uploads(place.bucket))} open uploads")
