"""kill -9 at any moment of copy and commit, under a write load: nothing is lost, nothing doubled.

The storm's dice are printed; CALVE_TEST_SEED=N throws them again, CALVE_TEST_KILLS=N throws more.
"""

import os
import random

import pytest

from lake import local_path
from write_load import TABLES, check_events, check_rows, check_watermarks, die_soon, kill_under_load, make_tables

KILLS = int(os.environ.get("CALVE_TEST_KILLS", "60"))
ROWS = {"a": 500_000, "b": 150_000}  # enough that kills fall into the copy


@pytest.mark.timeout(600)
@pytest.mark.parametrize("flavor,kills", [("mysql-9", KILLS), ("mariadb-11.8", max(KILLS // 4, 1))])
def test_kill_storm(flavor, kills, make_source, make_calve):
    seed = int(os.environ.get("CALVE_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"CALVE_TEST_SEED={seed}")
    dice = random.Random(seed)
    source = make_source(flavor)
    make_tables(source, ROWS)
    calve = make_calve(source, options={"commit-interval": "100ms"})
    loads, places = kill_under_load(source, dice, ROWS, calve.lake, kills, lambda: die_soon(calve, dice))
    print(f"kills by the last log line before them: {dict(places)}")
    calve.catch_up(timeout=180)

    changes = {t: calve.lake.changes(source.schema, t) for t in TABLES}
    check_rows(source, changes, copied_under_load=True)
    total = check_events(changes, loads)
    print(f"{total} events of {sum(len(load.written) for load in loads)} transactions")

    for table in TABLES:
        orphans = calve.lake.check_files(source.schema, table)
        assert all(p.suffix in (".parquet", ".avro", ".json") for p in orphans), orphans
        print(f"{table}: {len(orphans)} orphans")
    check_watermarks(calve.lake)
    assert local_path(calve.lake.table(source.schema, "a").location()).exists()
